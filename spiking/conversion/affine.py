"""The linear layers between two activations, merged into sums of convolutions, in float64 NumPy.

A `Term` is a convolution of one source. A `Part` is a sum of terms and an offset, for some channels of a tensor.
Both are immutable: each further layer builds new ones from them.
"""

from dataclasses import dataclass, replace
from itertools import product

import numpy as np

from spiking.conversion.composition import (
    Refusal,
    by_group,
    collapsed,
    composed,
    composed_kernels,
    convolved_offset,
    inside,
    patch,
    regrouped,
)
from spiking.edges import IMAGE, Convolution


@dataclass(frozen=True)
class Term:
    """gain * convolution of a source, which is padded with zeros."""

    source: int  # IMAGE, or the number of a node of the Graph
    shape: tuple[int, int, int]  # the source's (h, w, channels)
    kernel: np.ndarray  # float64 (h, w, channels of a group, filters)
    groups: int
    rows: range  # where the windows begin in the source, as in an Edge
    columns: range
    gain: np.ndarray  # (filters,), or (h, w, filters) where it varies; kept separate so that it is never rounded
    level: int | None = None  # k of the quantiser between the source and this term

    @classmethod
    def identity(cls, source, shape, level=None):
        height, width, channels = shape
        kernel = np.ones((1, 1, 1, channels))
        return cls(source, shape, kernel, channels, range(height), range(width), np.ones(channels), level)

    @property
    def edge(self):
        """The Convolution that it becomes."""
        height, width, _, filters = self.kernel.shape
        return Convolution(self.source, self.shape, (height, width), self.rows, self.columns, filters, self.groups)

    @property
    def selects(self):
        """Whether, apart from the gain, it copies the source's numbers at some or all of its positions."""
        by_channel = self.groups == self.shape[2] == self.kernel.shape[3]
        return by_channel and self.kernel.shape[:2] == (1, 1) and bool(np.all(self.kernel == 1))

    @property
    def is_identity(self):
        """Whether it copies all of them, each to its own position."""
        return self.selects and (self.rows, self.columns) == tuple(map(range, self.shape[:2]))

    def scaled(self, factor):
        """Returns the term multiplied by an array (filters,) or (h, w, filters)."""
        return replace(self, gain=collapsed(self.gain * factor))

    def convolved(self, kernel, groups, rows, columns):
        """Returns the term followed by a convolution with a kernel (h, w, channels of a group, filters).

        Raises
        ------
        Refusal
            The windows reach into padding that a single convolution would not see as zeros.
        """
        begins = [
            composed(*axis)
            for axis in zip((self.rows, self.columns), self.kernel.shape, self.shape, (rows, columns), kernel.shape)
        ]
        filters, gain = kernel.shape[3], self.gain
        if gain.ndim == 3:
            if len(rows) * len(columns) > 1:
                raise Refusal("factors that differ from position to position", "one for each channel")
            kernel = kernel * by_group(patch(gain, kernel.shape, rows[0], columns[0]), groups, filters)
            gain = np.ones(filters)
        elif kernel.shape[2] == 1 and groups == filters:  # no channels are mixed
            pass
        elif np.all(gain == gain[0]):
            gain = np.full(filters, gain[0])
        else:
            kernel, gain = kernel * by_group(gain, groups, filters), np.ones(filters)
        steps = self.rows.step, self.columns.step
        kernel, groups = composed_kernels(self.kernel, self.groups, kernel, groups, steps)
        return replace(self, kernel=kernel, groups=groups, rows=begins[0], columns=begins[1], gain=gain)

    def channels(self, first, last):
        """Returns the term with only the filters from `first` up to, but not including, `last`."""
        if (first, last) == (0, self.kernel.shape[3]):
            return self
        kernel = regrouped(self.kernel, self.groups, 1)[..., first:last]
        return replace(self, kernel=kernel, groups=1, gain=self.gain[..., first:last])

    def plus(self, other):
        """Returns the sum with another Term as a single Term, or None if that takes two."""
        same = (self.edge, self.level) == (other.edge, other.level)
        if not same or self.gain.ndim == 3 or other.gain.ndim == 3:
            return None
        if np.array_equal(self.kernel, other.kernel):
            return replace(self, gain=self.gain + other.gain)
        if np.array_equal(self.gain, other.gain):
            return replace(self, kernel=self.kernel + other.kernel)
        kernel = self.kernel * self.gain + other.kernel * other.gain
        return replace(self, kernel=kernel, gain=np.ones_like(self.gain))

    def matrix(self):
        """Returns the term as a float64 matrix (inputs, outputs), both flattened in the order (h, w, channels)."""
        kernel = regrouped(self.kernel, self.groups, 1)
        height, width, channels = self.shape
        result = np.zeros((*self.shape, *self.edge.output_shape))
        for (window_row, top), (window_column, left) in product(enumerate(self.rows), enumerate(self.columns)):
            rows, kernel_rows = inside(top, kernel.shape[0], height)
            columns, kernel_columns = inside(left, kernel.shape[1], width)
            result[rows, columns, :, window_row, window_column] = kernel[kernel_rows, kernel_columns]
        result *= self.gain
        return result.reshape(height * width * channels, -1)


@dataclass(frozen=True)
class Frame:
    """Padding around sums that have not passed a ReLU yet."""

    rows: range  # of the padded tensor; the sums themselves begin at 0
    columns: range
    values: np.ndarray  # (channels,), what the layers after the padding have turned its zeros into


@dataclass(frozen=True)
class Part:
    """Some channels of a tensor: the sum of terms and an offset. A frame and max poolings may await a ReLU."""

    terms: tuple[Term, ...]  # at least one; all have the same output shape
    offset: np.ndarray  # float64 (channels,), or (h, w, channels) where it varies
    layers: tuple[str, ...] = ()  # names of the layers passed since the sources
    frame: Frame | None = None
    poolings: tuple = ()  # (window, rows, columns) of each max pooling that will trade places with the ReLU after it

    @classmethod
    def identity(cls, source, shape, level=None):
        return cls((Term.identity(source, shape, level),), np.zeros(shape[2]))

    @property
    def shape(self):
        """(h, w, channels)"""
        height, width, channels = self.terms[0].edge.output_shape
        if self.waits:
            _, rows, columns = self.poolings[-1] if self.poolings else (None, self.frame.rows, self.frame.columns)
            height, width = len(rows), len(columns)
        return height, width, channels

    @property
    def waits(self):
        """Whether its terms and offset describe it only after a ReLU: a frame or a pooling is pending."""
        return bool(self.poolings) or self.frame is not None

    @property
    def only_image(self):
        return all(term.source == IMAGE for term in self.terms)

    def passed(self, layer):
        """Returns the part with one more name in `layers`."""
        return self if layer in self.layers else replace(self, layers=(*self.layers, layer))

    def settled(self):
        """Returns the part itself, or raises Refusal if it awaits a ReLU."""
        if self.poolings:
            found = "an earlier max pooling with no ReLU right before or right after it"
            raise Refusal(found, "a ReLU in one of these places")
        if self.frame:
            raise Refusal("earlier padding of sums that have passed no ReLU", "a ReLU before the padding")
        return self

    def framed(self, rows, columns):
        """Returns the part padded with zeros, or cropped, to these positions."""
        one = np.ones((1, 1, 1, self.shape[2]))
        try:
            return self.convolved(one, self.shape[2], rows, columns)
        except Refusal:
            if self.frame and not self.poolings and not np.any(self.frame.values):
                starts = zip((self.frame.rows, self.frame.columns), self.terms[0].edge.output_shape, (rows, columns))
                rows, columns = (composed(first, 1, size, second, 1) for first, size, second in starts)
                return replace(self, frame=replace(self.frame, rows=rows, columns=columns))
            return replace(self.settled(), frame=Frame(rows, columns, np.zeros(self.shape[2])))

    def scaled(self, factor):
        """Returns the part multiplied by an array (channels,) or (h, w, channels)."""
        factor = self._uniform(collapsed(factor), "factors")
        if self.poolings and np.any(factor < 0):
            found = f"negative factors ({factor.min():g}) between a max pooling and its ReLU"
            raise Refusal(found, "positive ones, or the ReLU before the pooling")
        frame = self.frame and replace(self.frame, values=self.frame.values * factor)
        terms = tuple(term.scaled(factor) for term in self.terms)
        return replace(self, terms=terms, offset=collapsed(self.offset * factor), frame=frame)

    def shifted(self, offset):
        """Returns the part plus an array (channels,) or (h, w, channels)."""
        offset = self._uniform(collapsed(offset), "offsets")
        frame = self.frame and replace(self.frame, values=self.frame.values + offset)
        return replace(self, offset=collapsed(self.offset + offset), frame=frame)

    def _uniform(self, numbers, kind):
        if self.waits and numbers.ndim == 3:
            found = f"{kind} that vary from position to position between a pooling or padding and its ReLU"
            raise Refusal(found, "one for each channel")
        return numbers

    def plus(self, other):
        """Returns the sum with a Part of the same shape."""
        terms = list(self.settled().terms)
        for new in other.settled().terms:
            merged = [(index, old.plus(new)) for index, old in enumerate(terms)]
            index, both = next(((index, both) for index, both in merged if both), (len(terms), new))
            terms[index : index + 1] = [both]
        layers = tuple(dict.fromkeys(self.layers + other.layers))
        return Part(tuple(terms), collapsed(self.offset + other.offset), layers)

    def convolved(self, kernel, groups, rows, columns):
        """Does for a part what Term.convolved does; the new offset varies where windows reach into the padding."""
        terms = tuple(term.convolved(kernel, groups, rows, columns) for term in self.settled().terms)
        offset = convolved_offset(self.offset, self.shape, kernel, groups, rows, columns)
        return replace(self, terms=terms, offset=offset)

    def channels(self, first, last):
        """Returns the part with only the channels from `first` up to, but not including, `last`."""
        terms = tuple(term.channels(first, last) for term in self.settled().terms)
        return replace(self, terms=terms, offset=self.offset[..., first:last])
