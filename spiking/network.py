"""The network as data: its notation, and every size, neuron count and number of operations that follow from it.

    28x28x1-20C5-P2-50C5-P2-500-10

is an input of 28 x 28 pixels and 1 channel, the layers 20C5-P2-50C5-P2-500 and 10 classes. Every layer is a block:
convolution without bias -> batch normalisation -> ReLU -> quantiser. The classifier is linear.

    nCk    n filters of k x k, stride 1, only windows that lie inside the input
    nCkxl  of k rows and l columns
    Pk     learned pooling: a convolution of k x k with stride k, as many filters as channels come in
    n      n neurons, each over all that is left

    Suffixes, in any order
    p      pads with zeros like padding="same" of Keras
    sN     stride of rows and columns; sNxM sets one for each
    mX     the activation is at most X (a ReLU with max_value)
    b      after the number of classes: the classifier has a bias
"""

import re
from dataclasses import dataclass, field
from functools import cached_property

PIXEL_LEVELS = 256  # an input of the network is pixel / 256
BN_EPSILON = 1e-5  # added to the variance in batch normalisation
ROUNDING_OFFSET = 1e-5  # inside the floor of the median quantiser Q
FULL_PRECISION = -1  # stands for the level k of a network without quantiser, in files
HIGHEST_LEVEL = 16  # of quantisation: beyond it float32 activations cannot tell multiples of 1 / 2^k apart
LARGEST_SIZE = 2**15  # positions of a layer, and its channels: what an event of a spike train can hold

INPUT = re.compile(r"(\d+)x(\d+)x(\d+)", re.ASCII)
CLASSES = re.compile(r"(?P<classes>\d+)(?P<bias>b?)", re.ASCII)
SUFFIXES = r"(?P<suffixes>(?:p|s\d+(?:x\d+)?|m\d+(?:\.\d+)?)*)"
LAYER = re.compile(
    r"(?:(?:(?P<filters>\d+)C|P)(?P<rows>\d+)(?:x(?P<columns>\d+))?|(?P<neurons>\d+))" + SUFFIXES, re.ASCII
)
SUFFIX = re.compile(r"(?P<same>p)|s(?P<rows>\d+)(?:x(?P<columns>\d+))?|m(?P<max_value>\d+(?:\.\d+)?)", re.ASCII)


def window_starts(size, kernel, stride, same=False):
    """Where the windows along an axis begin, a range; below 0 where they begin in the padding.

    With `same` there are ceil(size / stride) windows, and the zeros that they need are divided as Keras does it:
    half before the axis, the odd one after it.
    """
    if stride < 1:
        raise ValueError(f"stride must be at least 1. Received: stride={stride}")
    if kernel < 1 or (kernel > size and not same):
        raise ValueError(f"kernel {kernel} does not fit into an axis of length {size}")
    if same:
        windows = -(-size // stride)
        before = max((windows - 1) * stride + kernel - size, 0) // 2
    else:
        windows, before = (size - kernel) // stride + 1, 0
    return range(-before, windows * stride - before, stride)


def reached_windows(starts, kernel, position):
    """The windows of an axis that contain a position: a range of their indices in `starts`."""
    first = -((starts.start + kernel - 1 - position) // starts.step)  # rounded up
    last = (position - starts.start) // starts.step
    return range(max(first, 0), min(last + 1, len(starts)))


def fan_out(rows, columns, input_size, kernel_size, filters):
    """The synapses that a spike drives, for each of its positions: the windows that contain it times the filters.

    Parameters
    ----------
    rows, columns : range, as window_starts gives it
    input_size, kernel_size : (h, w)
    filters : int

    Returns
    -------
    list of h lists of w integers
    """
    by_row, by_column = (
        [len(reached_windows(starts, kernel, position)) for position in range(size)]
        for starts, size, kernel in zip((rows, columns), input_size, kernel_size, strict=True)
    )
    return [[row * column * filters for column in by_column] for row in by_row]


@dataclass(frozen=True)
class ConvBlock:
    """Convolution without bias -> batch normalisation -> ReLU -> quantiser."""

    name: str  # of its weights in files: conv<name>/W, bn<name>/gamma, ...
    input_shape: tuple[int, int, int]  # (h, w, channels)
    kernel_size: tuple[int, int]  # (h, w)
    stride: tuple[int, int]  # of rows and columns
    filters: int
    same: bool = False  # padded with zeros, as padding="same" of Keras
    max_value: float | None = None  # of the activation

    @property
    def window_starts(self):
        """Two ranges: the rows and the columns where its windows begin."""
        return tuple(
            window_starts(size, kernel, stride, self.same)
            for size, kernel, stride in zip(self.input_shape[:2], self.kernel_size, self.stride, strict=True)
        )

    @property
    def padding(self):
        """Zeros before and after the rows, and before and after the columns: a pair of pairs."""
        return tuple(
            (-starts[0], max(starts[-1] + kernel - size, 0))
            for starts, kernel, size in zip(self.window_starts, self.kernel_size, self.input_shape[:2], strict=True)
        )

    @property
    def output_shape(self):
        """(h, w, channels) of the block's activations."""
        rows, columns = self.window_starts
        return (len(rows), len(columns), self.filters)

    @property
    def neurons(self):
        height, width, channels = self.output_shape
        return height * width * channels

    @property
    def kernel_shape(self):
        """(h, w, in, out)"""
        return (*self.kernel_size, self.input_shape[2], self.filters)

    @property
    def fan_out(self):
        """Synapses that a spike into the block drives, by its row and column: a list of lists."""
        return fan_out(*self.window_starts, self.input_shape[:2], self.kernel_size, self.filters)

    @property
    def multiply_accumulates(self):
        """For one image; those with the zeros of the padding do not count."""
        return self.input_shape[2] * sum(map(sum, self.fan_out))  # a spike of every input would drive them all

    @property
    def weight_shapes(self):
        """Shape of each of the block's arrays, by its key in a npz file."""
        return {f"conv{self.name}/W": self.kernel_shape} | {
            f"bn{self.name}/{parameter}": (self.filters,)
            for parameter in ("beta", "gamma", "moving_mean", "moving_var")
        }


@dataclass(frozen=True)
class Network:
    """Convolution blocks in a row and a linear classifier over the last one."""

    blocks: tuple[ConvBlock, ...]
    classes: int
    classifier_bias: bool = False
    notation: str = field(default="", compare=False)  # what it was parsed from

    @classmethod
    def parse(cls, notation):
        """The network of a notation with both ends, as in this module's docstring.

        Raises
        ------
        ValueError
            It cannot be read, or a layer does not fit; the text gives the layer's place and name.
        """
        first, *layers, last = notation.split("-") if "-" in notation else (notation, "")
        if not (sizes := INPUT.fullmatch(first)):
            raise ValueError(f"{first!r} is no input, expected rows x columns x channels such as 28x28x1")
        shape = tuple(map(int, sizes.groups()))
        _check_shape(shape)
        if not (classifier := CLASSES.fullmatch(last)) or not 1 <= int(classifier["classes"]) <= LARGEST_SIZE:
            raise ValueError(f"{last!r} is no number of classes, expected an integer from 1 to {LARGEST_SIZE}")
        if not layers:
            raise ValueError(f"{notation} has no layer, expected at least one")
        blocks = []
        for number, text in enumerate(layers, start=1):
            try:
                blocks.append(_block(str(number), text, shape))
                shape = blocks[-1].output_shape
                _check_shape(shape)
            except ValueError as error:
                raise ValueError(f"layer {number} ({text}): {error}") from None
        return cls(tuple(blocks), int(classifier["classes"]), bool(classifier["bias"]), notation)

    @property
    def layers(self):
        """The notation without its ends, as in the paper: 20C5-P2-50C5-P2-500."""
        return "-".join(self.notation.split("-")[1:-1])

    @property
    def input_shape(self):
        """(h, w, channels)"""
        return self.blocks[0].input_shape

    @property
    def classifier(self):
        """The classifier as a convolution over all that the last block gives, without its bias."""
        features = self.blocks[-1].output_shape
        return ConvBlock("fc", features, features[:2], (1, 1), self.classes)

    @property
    def features(self):
        """Inputs of the classifier."""
        return self.blocks[-1].neurons

    @property
    def neurons(self):
        return sum(block.neurons for block in self.blocks)

    @cached_property
    def weight_shapes(self):
        """Shape of every weight array, by its key in a npz file, from the input to the output."""
        shapes = {}
        for block in self.blocks:
            shapes |= block.weight_shapes
        shapes |= {"fc/W": (self.features, self.classes)}
        return shapes | ({"fc/b": (self.classes,)} if self.classifier_bias else {})

    @property
    def counted_multiply_accumulates(self):
        """Of the artificial network for one image, in what spikes drive: blocks 2 and up and the classifier.

        Block 1's, which both networks spend on the image, are left out: 288,000 beside 2,395,400 in the paper's.
        """
        return sum(block.multiply_accumulates for block in self.blocks[1:]) + self.features * self.classes

    @property
    def ann_operations(self):
        """Operations of the artificial network for one image, comparable with synaptic operations.

        A multiply-accumulate counts as three additions, a multiplication being two, as in the paper.
        """
        return 3 * self.counted_multiply_accumulates


def check_layers(layers):
    """Raises ValueError unless every layer of a notation without ends can be read, on whatever input."""
    for number, text in enumerate(layers.split("-"), start=1):
        if not LAYER.fullmatch(text):
            raise ValueError(f"layer {number} ({text}): not a layer, {EXPECTED_LAYER}")


EXPECTED_LAYER = "expected nCk, nCkxl, Pk or n, with suffixes p, sN, sNxM, mX"


def _block(name, text, input_shape):
    """The block of one layer's notation."""
    if not (layer := LAYER.fullmatch(text)):
        raise ValueError(f"not a layer, {EXPECTED_LAYER}")
    found = [match for match in SUFFIX.finditer(layer["suffixes"])]
    kinds = [match[0][0] for match in found]
    if len(set(kinds)) < len(kinds):
        raise ValueError("has a suffix twice, expected each once")
    suffixes = {key: value for match in found for key, value in match.groupdict().items() if value}
    height, width, channels = input_shape
    if layer["neurons"]:
        if "same" in suffixes or "rows" in suffixes:
            raise ValueError("takes all that is left, expected neither p nor s")
        kernel_size, stride, filters = (height, width), (1, 1), int(layer["neurons"])
    else:
        kernel_size = _pair(layer["rows"], layer["columns"])
        filters = int(layer["filters"] or channels)
        stride = (1, 1) if layer["filters"] else kernel_size
    if "rows" in suffixes:
        stride = _pair(suffixes["rows"], suffixes.get("columns"))
    max_value = float(suffixes["max_value"]) if "max_value" in suffixes else None
    return ConvBlock(name, input_shape, kernel_size, stride, filters, "same" in suffixes, max_value)


def _pair(rows, columns):
    return int(rows), int(columns or rows)


def _check_shape(shape):
    height, width, channels = shape
    if min(shape) < 1 or height * width > LARGEST_SIZE or channels > LARGEST_SIZE:
        raise ValueError(
            f"{height} x {width} positions of {channels} channels, expected at least one and at most "
            f"{LARGEST_SIZE} positions and channels"
        )
