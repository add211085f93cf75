"""The nodes of a Graph, which become blocks, and the two layers that create them: ReLU and max pooling."""

from dataclasses import dataclass, replace

import numpy as np

from spiking.conversion.affine import Part
from spiking.conversion.composition import Refusal, composed
from spiking.edges import IMAGE, Pooling


@dataclass
class Rectified:
    """A node that applies a ReLU to a Part."""

    part: Part
    max_value: float | None
    layers: tuple[str, ...]  # names of the layers folded into it, its ReLU last
    scale_of: int | None = None  # the node whose activations it repeats and whose scale it shares, if any

    @property
    def shape(self):
        return self.part.shape

    @property
    def sources(self):
        """The numbers of the nodes that it reads, where IMAGE counts as one."""
        return [term.source for term in self.part.terms]


@dataclass
class Pooled:
    """A node that takes the largest activation of each window."""

    edge: Pooling
    layers: tuple[str, ...]
    max_value: float | None  # the bound of the source's activations

    @property
    def scale_of(self):
        return self.edge.source

    @property
    def sources(self):
        return [self.edge.source]

    @property
    def shape(self):
        return self.edge.output_shape


@dataclass
class Opaque:
    """A node that stands for the output of a refused layer, so that later layers are checked, too."""

    shape: tuple[int, int, int]
    max_value = None


def rectified(nodes, part, max_value, layer):
    """Adds a node with the ReLU of a Part, and further ones for the frame and poolings that awaited it."""
    if unchanged(part) and part.terms[0].source != IMAGE:
        bound = nodes[part.terms[0].source - 1].max_value
        if max_value is None or (bound is not None and bound <= max_value):
            return part.passed(layer)  # already rectified
    if any(term.gain.ndim == 3 for term in part.terms):
        raise Refusal("a ReLU after factors that vary from position to position", "one for each channel")
    sums = replace(part, frame=None, poolings=())
    nodes.append(Rectified(sums, max_value, sums.passed(layer).layers))
    result = _output_of_last(nodes)
    if part.frame:
        result = _framed(nodes, result, part.frame, max_value, layer)
    for pooling in part.poolings:
        result = pooled(nodes, result, *pooling, layer)
    return replace(result, layers=())


def _framed(nodes, part, frame, max_value, layer):
    """Surrounds the output of a node with the rectified values of a frame; if these are not 0, by a further node."""
    inner = part.shape
    part = part.framed(frame.rows, frame.columns)
    values = np.clip(frame.values, 0, max_value)
    if not np.any(values):
        return part
    axes = zip((frame.rows, frame.columns), inner)
    within = [[0 <= position < size for position in positions] for positions, size in axes]
    offset = np.where(np.outer(*within)[..., None], 0.0, values)
    source = part.terms[0].source
    nodes.append(Rectified(replace(part, offset=offset), max_value, (layer,), scale_of=source))
    return _output_of_last(nodes)


def pooled(nodes, part, window, rows, columns, layer):
    """Max-pools a Part: by a node if it reads the spikes of one source, else the pooling awaits a ReLU.

    A part that cannot be negative, such as the sum of two ReLUs, first becomes a node whose ReLU changes nothing.
    """
    if not _reads_spikes(part) and _never_negative(part):
        nodes.append(Rectified(part, None, part.passed(layer).layers))
        part = _output_of_last(nodes)
    term = part.terms[0]
    if not _reads_spikes(part):
        if part.only_image and all(term.selects for term in part.terms):
            raise Refusal("a max pooling of the image", "a convolution with a ReLU before it")
        if any(term.gain.ndim == 3 for term in part.terms):
            raise Refusal("a max pooling after factors that vary from position to position", "one for each channel")
        return replace(part.passed(layer), poolings=(*part.poolings, (window, rows, columns)))
    starts = [
        composed(of_term, 1, size, second, extent)
        for of_term, size, second, extent in zip((term.rows, term.columns), term.shape, (rows, columns), window)
    ]
    edge = Pooling(term.source, term.shape, window, *starts)
    if edge.has_empty_window:
        raise Refusal("a window that lies entirely in the padding", "padding narrower than the window")
    nodes.append(Pooled(edge, part.passed(layer).layers, nodes[term.source - 1].max_value))
    spikes = Part.identity(len(nodes), nodes[-1].shape, term.level)
    return spikes.scaled(term.gain).shifted(part.offset)


def _reads_spikes(part):
    """Whether its largest number in a window is where a single source has the largest spike count."""
    term = part.terms[0]
    of_source = len(part.terms) == 1 and not part.waits and term.source != IMAGE and term.selects
    varies = term.gain.ndim == 3 or part.offset.ndim == 3
    return of_source and not varies and (term.rows.step, term.columns.step) == (1, 1) and bool(np.all(term.gain > 0))


def _never_negative(part):
    """Whether its numbers are >= 0 for any activations >= 0."""
    if part.waits or part.only_image or part.offset.ndim == 3 or any(term.gain.ndim == 3 for term in part.terms):
        return False
    numbers = [part.offset, *(term.kernel * term.gain for term in part.terms)]
    return all(np.all(array >= 0) for array in numbers)


def unchanged(part):
    """Whether it is the output of a source, perhaps padded with zeros."""
    term = part.terms[0]
    plain = len(part.terms) == 1 and not part.waits and not np.any(part.offset)
    return plain and term.selects and bool(np.all(term.gain == 1))


def _output_of_last(nodes):
    """Returns the output of the last node, as a Part."""
    return Part.identity(len(nodes), nodes[-1].shape)
