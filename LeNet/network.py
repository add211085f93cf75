"""The LeNet 20C5-P2-50C5-P2-500 as data, free of TensorFlow.

Everything that needs a size, a neuron count or a number of operations derives it from here:
the Keras model, the spiking network, the file checks and the figures.
"""

from dataclasses import dataclass
from functools import cached_property

PIXEL_LEVELS = 256  # an input of the network is pixel / 256
BN_EPSILON = 1e-5  # added to the variance in batch normalisation
BN_DECAY = 0.9  # of batch normalisation's moving mean and variance
ROUNDING_OFFSET = 1e-5  # inside the floor of the median quantiser Q
HIGHEST_LEVEL = 16  # of quantisation: beyond it float32 activations cannot tell multiples of 1 / 2^k apart
HIGHEST_NOISE_RATIO = 100  # of multiplicative noise: pixels stay below 2^14, far inside int32 and float32's integers
FULL_PRECISION = -1  # stands for the level k of a network without quantiser, in files


def window_count(size, kernel, stride):
    """Number of VALID windows of length `kernel` along an axis of length `size`."""
    if not 1 <= kernel <= size:
        raise ValueError(f"kernel {kernel} does not fit into an axis of length {size}")
    if stride < 1:
        raise ValueError(f"stride must be at least 1. Received: stride={stride}")
    return (size - kernel) // stride + 1


def windows_containing(size, kernel, stride):
    """How many of the VALID windows along an axis contain each of its positions, a list of `size` integers."""
    starts = range(0, stride * window_count(size, kernel, stride), stride)
    return [sum(start <= position < start + kernel for start in starts) for position in range(size)]


def fan_out(input_size, kernel_size, stride, filters):
    """The synapses that a spike drives, for each of its positions: the windows that contain it times the filters.

    Parameters
    ----------
    input_size, kernel_size : (h, w)
    stride, filters : int

    Returns
    -------
    list of h lists of w integers
    """
    rows, columns = (
        windows_containing(size, kernel, stride) for size, kernel in zip(input_size, kernel_size, strict=True)
    )
    return [[row * column * filters for column in columns] for row in rows]


@dataclass(frozen=True)
class ConvBlock:
    """Convolution without bias (VALID) -> batch normalisation -> ReLU -> quantiser."""

    name: str  # of its weights in files: conv<name>/W, bn<name>/gamma, ...
    input_shape: tuple[int, int, int]  # (h, w, channels)
    kernel_size: tuple[int, int]  # (h, w)
    stride: int
    filters: int

    @property
    def output_shape(self):
        """(h, w, channels) of the block's activations."""
        windows = (
            window_count(size, kernel, self.stride)
            for size, kernel in zip(self.input_shape[:2], self.kernel_size, strict=True)
        )
        return (*windows, self.filters)

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
        return fan_out(self.input_shape[:2], self.kernel_size, self.stride, self.filters)

    @property
    def multiply_accumulates(self):
        """For one image."""
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
    """Convolution blocks in a row and a linear classifier without bias over the last one."""

    blocks: tuple[ConvBlock, ...]
    classes: int

    @property
    def input_shape(self):
        """(h, w, channels)"""
        return self.blocks[0].input_shape

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
        return shapes | {"fc/W": (self.features, self.classes)}

    @property
    def counted_multiply_accumulates(self):
        """Of the artificial network for one image, in what spikes drive: blocks 2 and up and the classifier."""
        return sum(block.multiply_accumulates for block in self.blocks[1:]) + self.features * self.classes

    @property
    def ann_operations(self):
        """Operations of the artificial network for one image, comparable with synaptic operations.

        A multiply-accumulate counts as three additions, a multiplication being two, as in the paper.
        """
        return 3 * self.counted_multiply_accumulates


def chain(input_shape, layers, classes):
    """A network of (kernel size, stride, filters) layers, each fed by the one before.

    Parameters
    ----------
    input_shape : (h, w, channels)
    layers : sequence of ((h, w) or int, int, int)
    classes : int
    """
    blocks = []
    for number, (kernel_size, stride, filters) in enumerate(layers, start=1):
        if isinstance(kernel_size, int):
            kernel_size = (kernel_size, kernel_size)
        blocks.append(ConvBlock(str(number), input_shape, kernel_size, stride, filters))
        input_shape = blocks[-1].output_shape
    return Network(tuple(blocks), classes)


LENET = chain(
    input_shape=(28, 28, 1),
    layers=[
        (5, 1, 20),  # 20C5
        (2, 2, 20),  # P2, a learned one
        (5, 1, 50),  # 50C5
        (2, 2, 50),  # P2
        (4, 1, 500),  # 500
    ],
    classes=10,
)
