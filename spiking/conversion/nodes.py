"""The nodes of a Graph, which become blocks, and what makes them: a ReLU, and max pooling."""

from dataclasses import dataclass, replace

import numpy as np

from spiking.conversion.affine import Part
from spiking.conversion.composition import Refusal, composed
from spiking.edges import IMAGE


@dataclass
class Rectified:
    """A node: the ReLU of a Part."""

    part: Part
    max_value: float | None
    layers: tuple[str, ...]  # names of those that are folded in it, its own last
    scale_of: int | None = None  # the node whose activations it repeats, if it does, and whose scale it has

    @property
    def shape(self):
        return self.part.shape


@dataclass
class Pooled:
    """A node: the largest of each window."""

    source: int
    input_shape: tuple[int, int, int]
    window: tuple[int, int]
    rows: range
    columns: range
    layers: tuple[str, ...]
    max_value = None

    @property
    def scale_of(self):
        return self.source

    @property
    def shape(self):
        return len(self.rows), len(self.columns), self.input_shape[2]


@dataclass
class Opaque:
    """A node: what a refused layer gives, so that the layers after it are looked at too."""

    shape: tuple[int, int, int]


def rectified(nodes, part, max_value, layer):
    """The ReLU of a Part, by a node, which is added; of what waits for it, by several."""
    if unchanged(part) and part.terms[0].source != IMAGE:
        bound = getattr(nodes[part.terms[0].source - 1], "max_value", None)
        if max_value is None or (bound is not None and bound <= max_value):
            return part.passed(layer)  # it is rectified already
    if any(term.gain.ndim == 3 for term in part.terms):
        raise Refusal("a ReLU of factors that differ from position to position", "one for each channel")
    sums = replace(part, frame=None, poolings=())
    nodes.append(Rectified(sums, max_value, (*part.layers, layer)))
    result = _of_last(nodes)
    if part.frame:
        result = _framed(nodes, result, part.frame, max_value, layer)
    for pooling in part.poolings:
        result = pooled(nodes, result, *pooling, layer)
    return replace(result, layers=())


def _framed(nodes, part, frame, max_value, layer):
    """What a node gives, and around it what the ReLU makes of the values of a frame: by a block of its own."""
    inner = part.shape
    part = part.framed(frame.rows, frame.columns)
    values = np.clip(frame.values, 0, max_value)
    if not np.any(values):
        return part
    axes = zip((frame.rows, frame.columns), inner)
    within = [[0 <= position < size for position in positions] for positions, size in axes]
    offset = np.where(np.outer(*within)[..., None], 0.0, values)
    same = part.terms[0].source
    nodes.append(Rectified(replace(part, offset=offset), max_value, (layer,), same))
    return _of_last(nodes)


def pooled(nodes, part, window, rows, columns, layer):
    """The max pooling of a Part: by a node where it is of spikes; else it waits for a ReLU."""
    term = part.terms[0]
    of_spikes = len(part.terms) == 1 and not part.waits and term.source != IMAGE and term.selects
    of_spikes &= term.gain.ndim == part.offset.ndim == 1 and (term.rows.step, term.columns.step) == (1, 1)
    if not of_spikes or np.any(term.gain <= 0):
        if part.only_image and all(term.selects for term in part.terms):
            raise Refusal("a max pooling of the image", "a convolution with a ReLU before it")
        if any(term.gain.ndim == 3 for term in part.terms):
            raise Refusal("a max pooling of factors that differ from position to position", "one for each channel")
        return replace(part.passed(layer), poolings=(*part.poolings, (window, rows, columns)))
    starts = [
        composed(of_term, 1, size, second, extent)
        for of_term, size, second, extent in zip((term.rows, term.columns), term.shape, (rows, columns), window)
    ]
    ends = zip(starts, window, term.shape)
    if any(begin[0] + extent <= 0 or begin[-1] >= size for begin, extent, size in ends):
        raise Refusal("a window that lies in the padding", "less padding than the pooling is wide")
    nodes.append(Pooled(term.source, term.shape, window, *starts, (*part.layers, layer)))
    spikes = Part.identity(len(nodes), nodes[-1].shape, term.level)
    return spikes.scaled(term.gain).shifted(part.offset)


def unchanged(part):
    """Whether it is what a source gives, perhaps with zeros around it."""
    term = part.terms[0]
    plain = len(part.terms) == 1 and not part.waits and not np.any(part.offset)
    return plain and term.selects and bool(np.all(term.gain == 1))


def _of_last(nodes):
    """What the last node gives."""
    return Part.identity(len(nodes), nodes[-1].shape)
