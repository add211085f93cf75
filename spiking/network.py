"""The network as data: a graph of blocks, and every size and number of operations that follows from it.

A `Block` is a node. Its inputs are edges, each of which reads one source, the image or an earlier block, through
windows: `Convolution`s that are added up, or a single `Pooling`. A skip connection is one more convolution. What
follows the sum is batch normalisation -> ReLU -> quantiser. The `Classifier` is linear, and reads in the same way.

Blocks are numbered from 1, in an order in which each reads only the image, which is source 0, or blocks before it.
"""

import math
import operator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cached_property

from spiking.edges import IMAGE, Convolution, Edge, Pooling, identity, position_shift

PIXEL_LEVELS = 256  # an input of the network is pixel / 256
BN_EPSILON = 1e-5  # added to the variance in batch normalisation
ROUNDING_OFFSET = 1e-5  # inside the floor of the median quantiser Q
FULL_PRECISION = -1  # stands for the level k of a network without quantiser, in files
MAX_LEVEL = 16  # of quantisation: beyond it float32 activations cannot tell multiples of 1 / 2^k apart


class Layer:
    """What a Block and a Classifier have in common: inputs, whose arrays in an npz file begin with a prefix."""

    @property
    def sources(self):
        """The number of the block, or IMAGE, that each input reads."""
        return tuple(edge.source for edge in self.inputs)

    @property
    def multiply_accumulates(self):
        """For one image."""
        return sum(edge.multiply_accumulates for edge in self.inputs)

    @property
    def input_names(self):
        """The name of each input in files: conv3 for the first one, conv3from1 for a further one of block 1.

        Another one of the same source is conv3from1.2.
        """
        names, sources = [], []
        for edge in self.inputs:
            origin = ""
            if names:
                sources.append(edge.source)
                repeated = sources.count(edge.source)
                origin = f"from{edge.source}" + (f".{repeated}" if repeated > 1 else "")
            names.append(self.prefix + origin)
        return tuple(names)

    @property
    def kernel_keys(self):
        """The key of each input's weights in an npz file; None where they are not stored, as of an identity."""
        stored = [isinstance(edge, Convolution) and not edge.identity for edge in self.inputs]
        return tuple(f"{name}/W" if kept else None for name, kept in zip(self.input_names, stored, strict=True))


@dataclass(frozen=True)
class Block(Layer):
    """A sum of convolutions -> batch normalisation -> ReLU -> quantiser, or a max pooling."""

    name: str  # its number, part of the keys of its weights in files: conv<name>/W, bn<name>/gamma, ...
    inputs: tuple[Edge, ...]  # Convolutions, or one Pooling
    max_value: float | None = None  # of the activation
    initial: bool = False  # whether its potentials begin from weights of their own, one for each neuron

    @property
    def prefix(self):
        return f"pool{self.name}" if self.pools else f"conv{self.name}"

    @property
    def offset_key(self):
        """The key of its initial potentials in an npz file; None without them."""
        return f"{self.prefix}/initial" if self.initial else None

    @property
    def pools(self):
        """Whether it is a max pooling."""
        return isinstance(self.inputs[0], Pooling)

    @property
    def output_shape(self):
        """(h, w, channels) of the block's activations."""
        return self.inputs[0].output_shape

    @property
    def neurons(self):
        height, width, channels = self.output_shape
        return height * width * channels

    @property
    def weight_shapes(self):
        """Shape of each of the block's arrays, by its key in an npz file."""
        keyed = zip(self.kernel_keys, self.inputs, strict=True)
        shapes = {key: edge.kernel_shape for key, edge in keyed if key}
        if self.pools:
            return shapes
        if self.initial:
            shapes[self.offset_key] = self.output_shape
        parameters = ("beta", "gamma", "moving_mean", "moving_var")
        return shapes | {f"bn{self.name}/{parameter}": self.output_shape[2:] for parameter in parameters}


@dataclass(frozen=True)
class Classifier(Layer):
    """Linear over all that its sources give: one sum for each class."""

    inputs: tuple[Convolution, ...]  # each with one window, the whole source
    bias: bool = False

    prefix = "fc"
    pools = False

    @property
    def offset_key(self):
        """The key of its bias in an npz file; None without one."""
        return "fc/b" if self.bias else None

    @property
    def classes(self):
        return self.inputs[0].filters

    @property
    def weight_shapes(self):
        """Shape of each array, by its key in an npz file; the inputs of a class in the order (h, w, channels)."""
        keyed = zip(self.kernel_keys, self.inputs, strict=True)
        shapes = {key: (math.prod(edge.input_shape), self.classes) for key, edge in keyed}
        return shapes | ({self.offset_key: (self.classes,)} if self.bias else {})


@dataclass(frozen=True)
class Network:
    """Blocks, each of which reads the image or blocks before it, and a classifier.

    Raises
    ------
    ValueError
        An edge is inconsistent with its source, or a block's inputs with each other, or nothing reads a block; names
        the layer.
    """

    blocks: tuple[Block, ...]
    classifier: Classifier
    notation: str = field(default="", compare=False)  # what it was parsed from, as notation.py describes it
    own_multiply_accumulates: int | None = field(default=None, compare=False)  # of the layers it was converted from

    def __post_init__(self):
        if not self.blocks:
            raise ValueError("found no layer, expected at least one")
        position_shift(self.input_shape)
        shapes = [self.input_shape]
        for number, block in enumerate(self.blocks, start=1):
            with errors_at(f"layer {number}"):
                check_layer(block, shapes)
                if not self.readers(number):
                    raise ValueError("is read by no later layer, expected at least one")
            shapes.append(block.output_shape)
        with errors_at("classifier"):
            check_layer(self.classifier, shapes)
            if IMAGE in self.classifier.sources or not all(edge.whole_input for edge in self.classifier.inputs):
                raise ValueError("reads the image or a part of a layer, expected whole layers")

    @property
    def layer_notation(self):
        """The notation without its ends, as in the paper: 20C5-P2-50C5-P2-500."""
        return "-".join(self.notation.split("-")[1:-1])

    @property
    def input_shape(self):
        """(h, w, channels)"""
        return self.blocks[0].inputs[0].input_shape

    @property
    def neurons(self):
        return sum(block.neurons for block in self.blocks)

    def readers(self, number):
        """The edges that read a block, by its number, from the first to the classifier's."""
        return [edge for block in (*self.blocks, self.classifier) for edge in block.inputs if edge.source == number]

    def fan_out(self, number):
        """Synapses that a spike of a block drives, by its row and column, in all that reads it: int64 (h, w)."""
        return sum(edge.fan_out for edge in self.readers(number))

    @cached_property
    def weight_shapes(self):
        """Shape of every weight array, by its key in an npz file, from the input to the output."""
        shapes = {}
        for block in (*self.blocks, self.classifier):
            shapes |= block.weight_shapes
        return shapes

    @property
    def counted_multiply_accumulates(self):
        """Multiply-accumulates of the artificial network for one image, without those of layers that read the image.

        Both networks spend the latter: 288,000 beside 2,395,400 in the paper's.
        """
        if self.own_multiply_accumulates is not None:  # what was folded has other ones
            return self.own_multiply_accumulates
        inputs = [edge for block in (*self.blocks, self.classifier) for edge in block.inputs]
        return sum(edge.multiply_accumulates for edge in inputs if edge.source != IMAGE)

    @property
    def ann_operations(self):
        """Operations of the artificial network for one image, comparable with synaptic operations.

        A multiply-accumulate counts as three additions, a multiplication being two, as in the paper.
        """
        return 3 * self.counted_multiply_accumulates


@contextmanager
def errors_at(place):
    """Puts the place where a ValueError was found in front of its text."""
    try:
        yield
    except ValueError as error:
        raise ValueError(f"{place}: {error}") from None


def check_layer(layer, shapes):
    """Raises ValueError unless a Block or Classifier can follow sources of these shapes, and runs."""
    for edge in layer.inputs:
        if not 0 <= edge.source < len(shapes):
            raise ValueError(f"reads layer {edge.source}, expected the image (0) or a layer before it")
        if edge.input_shape != shapes[edge.source]:
            raise ValueError(f"reads {edge.input_shape} from layer {edge.source}, expected {shapes[edge.source]}")
        if isinstance(edge, Pooling):
            if len(layer.inputs) > 1:
                raise ValueError("adds a max pooling to something, expected it to be the only term of its layer")
            if edge.source == IMAGE:
                raise ValueError("pools the image, expected a max pooling of spikes, after a convolution")
            if edge.has_empty_window:
                raise ValueError("pools a window of nothing but padding, expected a narrower padding")
        elif edge.filters < 1 or edge.groups < 1 or edge.input_shape[2] % edge.groups or edge.filters % edge.groups:
            raise ValueError(
                f"{edge.groups} groups of {edge.input_shape[2]} channels and {edge.filters} filters, expected at "
                "least one of each, and groups that divide both"
            )
        elif edge.identity and edge != identity(edge.source, edge.input_shape):
            raise ValueError("has an identity of other windows or filters, expected its source unchanged")
        if edge.output_shape != layer.inputs[0].output_shape:
            raise ValueError(f"adds {edge.output_shape} to {layer.inputs[0].output_shape}, expected the same shape")
    if isinstance(layer, Block):
        position_shift(layer.output_shape)
        if layer.name != str(len(shapes)):
            raise ValueError(f"is called {layer.name}, expected its number, {len(shapes)}")
        if layer.max_value is not None and not 0 < layer.max_value < math.inf:
            raise ValueError(f"has activations of at most {layer.max_value}, expected a number above 0")


def check_integer(name, value, lowest, highest=math.inf):
    """Raises ValueError unless the value is an integer in a range."""
    try:
        fits = not isinstance(value, bool) and lowest <= operator.index(value) <= highest
    except TypeError:
        fits = False
    if not fits:
        limits = f">= {lowest}" if highest == math.inf else f"from {lowest} to {highest}"
        raise ValueError(f"{name} is {value}, expected an integer {limits}")
