"""What the linear layers between activations compute together: sums of convolutions, in float64 NumPy.

A `Term` is a convolution of one source. A `Part` is a sum of terms and an offset, for some channels of a tensor.
Both are values: every layer that follows makes new ones of them.
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
from spiking.edges import IMAGE


@dataclass(frozen=True)
class Term:
    """gain * convolution of a source, which is zero outside."""

    source: int  # IMAGE, or the number of a node of the Graph
    shape: tuple[int, int, int]  # of the source, (h, w, channels)
    kernel: np.ndarray  # float64 (h, w, channels of a group, filters)
    groups: int
    rows: range  # where the windows begin in the source, as in an Edge
    columns: range
    gain: np.ndarray  # (filters,), or (h, w, filters) where it varies; apart, so that rounding the kernel spares it
    level: int | None = None  # k of the quantiser through which it reads the source

    @classmethod
    def identity(cls, source, shape, level=None):
        height, width, channels = shape
        kernel = np.ones((1, 1, 1, channels))
        return cls(source, shape, kernel, channels, range(height), range(width), np.ones(channels), level)

    @property
    def output_shape(self):
        """(h, w, channels)"""
        return len(self.rows), len(self.columns), self.kernel.shape[3]

    @property
    def by_channel(self):
        """Whether each filter reads the channel of its own number only."""
        return self.groups == self.shape[2] == self.kernel.shape[3]

    @property
    def selects(self):
        """Whether it takes numbers of the source as they are but for the gain, at some of its positions."""
        return self.by_channel and self.kernel.shape[:2] == (1, 1) and bool(np.all(self.kernel == 1))

    @property
    def is_identity(self):
        """Whether it takes them all, each at its place."""
        return self.selects and (self.rows, self.columns) == tuple(map(range, self.shape[:2]))

    @property
    def window(self):
        return self.kernel.shape[:2]

    def scaled(self, factor):
        """Times an array (filters,) or (h, w, filters)."""
        return replace(self, gain=collapsed(self.gain * factor))

    def convolved(self, kernel, groups, rows, columns):
        """Followed by a convolution with a kernel (h, w, channels of a group, filters) and its windows.

        Raises
        ------
        Refusal
            The windows reach padding, where one convolution would not read zeros.
        """
        begins = [
            composed(*axis)
            for axis in zip((self.rows, self.columns), self.window, self.shape, (rows, columns), kernel.shape)
        ]
        filters, gain = kernel.shape[3], self.gain
        if gain.ndim == 3:
            if len(rows) * len(columns) > 1:
                raise Refusal("factors that differ from position to position", "one for each channel")
            kernel = kernel * by_group(patch(gain, kernel.shape, rows[0], columns[0]), groups, filters)
            gain = np.ones(filters)
        elif kernel.shape[2] == 1 and groups == filters:  # channels stay what they are
            pass
        elif np.all(gain == gain[0]):
            gain = np.full(filters, gain[0])
        else:
            kernel, gain = kernel * by_group(gain, groups, filters), np.ones(filters)
        steps = self.rows.step, self.columns.step
        kernel, groups = composed_kernels(self.kernel, self.groups, kernel, groups, steps)
        return replace(self, kernel=kernel, groups=groups, rows=begins[0], columns=begins[1], gain=gain)

    def channels(self, first, last):
        """Some of its filters, from `first` to before `last`."""
        if (first, last) == (0, self.kernel.shape[3]):
            return self
        kernel = regrouped(self.kernel, self.groups, 1)[..., first:last]
        return replace(self, kernel=kernel, groups=1, gain=self.gain[..., first:last])

    def plus(self, other):
        """The sum with a Term of the same windows and groups, as one; None if it takes two."""
        same = [
            (term.source, term.level, term.groups, term.rows, term.columns, term.kernel.shape)
            for term in (self, other)
        ]
        if same[0] != same[1] or self.gain.ndim == 3 or other.gain.ndim == 3:
            return None
        if np.array_equal(self.kernel, other.kernel):
            return replace(self, gain=self.gain + other.gain)
        if np.array_equal(self.gain, other.gain):
            return replace(self, kernel=self.kernel + other.kernel)
        kernel = self.kernel * self.gain + other.kernel * other.gain
        return replace(self, kernel=kernel, gain=np.ones_like(self.gain))

    def matrix(self):
        """The same as a matrix: float64 (inputs, outputs), both in the order (h, w, channels)."""
        kernel = regrouped(self.kernel, self.groups, 1)
        height, width, channels = self.shape
        result = np.zeros((*self.shape, *self.output_shape))
        for (window_row, top), (window_column, left) in product(enumerate(self.rows), enumerate(self.columns)):
            rows, kernel_rows = inside(top, kernel.shape[0], height)
            columns, kernel_columns = inside(left, kernel.shape[1], width)
            result[rows, columns, :, window_row, window_column] = kernel[kernel_rows, kernel_columns]
        result *= self.gain
        return result.reshape(height * width * channels, -1)


@dataclass(frozen=True)
class Frame:
    """Zeros around sums that no activation has rectified yet."""

    rows: range  # positions, those of the sums being from 0 on
    columns: range
    values: np.ndarray  # (channels,), what layers after the padding have made of its zeros


@dataclass(frozen=True)
class Part:
    """Some channels of a tensor: the sum of terms and an offset. A frame and max poolings may wait for a ReLU."""

    terms: tuple[Term, ...]  # at least one, of the same output shape
    offset: np.ndarray  # float64 (channels,), or (h, w, channels) where it varies
    layers: tuple[str, ...] = ()  # names of those that it has passed since the sources
    frame: Frame | None = None
    poolings: tuple = ()  # with which the ReLU changes places: (window, rows, columns) of each

    @classmethod
    def identity(cls, source, shape, level=None):
        return cls((Term.identity(source, shape, level),), np.zeros(shape[2]))

    @property
    def shape(self):
        """(h, w, channels)"""
        height, width, channels = self.terms[0].output_shape
        if self.waits:
            _, rows, columns = self.poolings[-1] if self.poolings else (None, self.frame.rows, self.frame.columns)
            height, width = len(rows), len(columns)
        return height, width, channels

    @property
    def waits(self):
        """Whether it is not what its terms and the offset say before it has passed a ReLU."""
        return bool(self.poolings) or self.frame is not None

    @property
    def only_image(self):
        return all(term.source == IMAGE for term in self.terms)

    def passed(self, layer):
        """Itself after one more layer, by name."""
        return self if layer in self.layers else replace(self, layers=(*self.layers, layer))

    def settled(self):
        """Itself; refused where it waits for a ReLU."""
        if self.poolings:
            found = "a max pooling before it that has no ReLU right before or right after it"
            raise Refusal(found, "a ReLU in one of these places")
        if self.frame:
            raise Refusal("padding before it of sums that pass no ReLU", "a ReLU before the padding")
        return self

    def framed(self, rows, columns):
        """With zeros around it, or cropped, to these positions."""
        one = np.ones((1, 1, 1, self.shape[2]))
        try:
            return self.convolved(one, self.shape[2], rows, columns)
        except Refusal:
            if self.frame and not self.poolings and not np.any(self.frame.values):
                starts = zip((self.frame.rows, self.frame.columns), self.terms[0].output_shape, (rows, columns))
                rows, columns = (composed(first, 1, size, second, 1) for first, size, second in starts)
                return replace(self, frame=replace(self.frame, rows=rows, columns=columns))
            return replace(self.settled(), frame=Frame(rows, columns, np.zeros(self.shape[2])))

    def scaled(self, factor):
        """Times an array (channels,) or (h, w, channels)."""
        factor = self._for_waiting(collapsed(factor), "factors")
        if self.poolings and np.any(factor < 0):
            found = f"negative factors ({factor.min():g}) between a max pooling and its ReLU"
            raise Refusal(found, "positive ones, or the ReLU before the pooling")
        frame = self.frame and replace(self.frame, values=self.frame.values * factor)
        terms = tuple(term.scaled(factor) for term in self.terms)
        return replace(self, terms=terms, offset=collapsed(self.offset * factor), frame=frame)

    def shifted(self, offset):
        """Plus an array (channels,) or (h, w, channels)."""
        offset = self._for_waiting(collapsed(offset), "offsets")
        frame = self.frame and replace(self.frame, values=self.frame.values + offset)
        return replace(self, offset=collapsed(self.offset + offset), frame=frame)

    def _for_waiting(self, numbers, kind):
        if self.waits and numbers.ndim == 3:
            raise Refusal(f"{kind} between a pooling or padding and its ReLU that vary", "one for each channel")
        return numbers

    def plus(self, other):
        """The sum with a Part of the same shape."""
        terms = list(self.settled().terms)
        for new in other.settled().terms:
            merged = [(index, old.plus(new)) for index, old in enumerate(terms)]
            index, both = next(((index, both) for index, both in merged if both), (len(terms), new))
            terms[index : index + 1] = [both]
        layers = tuple(dict.fromkeys(self.layers + other.layers))
        return Part(tuple(terms), collapsed(self.offset + other.offset), layers)

    def convolved(self, kernel, groups, rows, columns):
        """As Term.convolved. What the offset gives varies where the windows reach the padding."""
        terms = tuple(term.convolved(kernel, groups, rows, columns) for term in self.settled().terms)
        offset = convolved_offset(self.offset, self.shape, kernel, groups, rows, columns)
        return replace(self, terms=terms, offset=offset)

    def channels(self, first, last):
        """Some of its channels, from `first` to before `last`."""
        terms = tuple(term.channels(first, last) for term in self.settled().terms)
        return replace(self, terms=terms, offset=self.offset[..., first:last])
