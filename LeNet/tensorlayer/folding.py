"""Keras layers, one after the other, as blocks: linear layers folded into one convolution, and the ReLU after them.

Exact in float64. A layer that cannot be part of such a chain is refused by its name.
"""

import math
from dataclasses import dataclass

import keras
import numpy as np
from keras import layers

from experiment import InputError
from LeNet.tensorlayer.affine import Affine, PaddingError, Windows
from LeNet.tensorlayer.layers import FullWindowConv2D, MedianQuantizer
from spiking.network import HIGHEST_LEVEL, PIXEL_LEVELS

HINTS = {
    "MaxPooling2D": "AveragePooling2D, or a Conv2D with strides",
    "MaxPool": "AveragePooling2D, or a Conv2D with strides",
    "GlobalMaxPooling2D": "GlobalAveragePooling2D",
    "DepthwiseConv2D": "Conv2D",
    "SeparableConv2D": "Conv2D",
    "Conv2DTranspose": "Conv2D",
    "LayerNormalization": "BatchNormalization",
    "GroupNormalization": "BatchNormalization",
    "Normalization": "Rescaling",
    "LeakyReLU": "ReLU",
    "PReLU": "ReLU",
    "ELU": "ReLU",
    "TrueDivide": "Rescaling",
    "Multiply": "Rescaling for a factor, or a chain without branches",
    "Add": "Rescaling for an offset, or a chain without branches",
    "Subtract": "Rescaling for an offset, or a chain without branches",
    "Relu": "the layer ReLU",
    "Sigmoid": "the layer ReLU",
    "Tanh": "the layer ReLU",
}
OTHERWISE = (
    "a chain of Conv2D, Dense, BatchNormalization, ReLU, MedianQuantizer, Rescaling, AveragePooling2D, "
    "GlobalAveragePooling2D, ZeroPadding2D, Flatten and layers that do nothing at inference"
)
LINEAR, RELU, RELU6, SOFTMAX = (keras.activations.get(name) for name in ("linear", "relu", "relu6", "softmax"))


def refusal(layer, found, expected):
    """The InputError that names a layer."""
    return InputError(f"layer {layer.name}: found {found}, expected {expected}")


def values(layer, variable):
    """A variable of a layer in float64."""
    array = keras.ops.convert_to_numpy(variable).astype(np.float64)
    if not np.all(np.isfinite(array)):
        raise refusal(layer, "NaN or infinite weights", "finite ones")
    return array


@dataclass
class Block:
    """Linear layers and the ReLU after them."""

    affine: Affine
    max_value: float | None
    relu: str  # the layer's name
    quantizer: MedianQuantizer | None = None  # the layer after it


class Folding:
    """The blocks of the layers that have been added, and the linear layers since."""

    def __init__(self, model):
        shape = model.input_shape[1:]
        if len(shape) not in (2, 3) or None in shape:
            expected = "(h, w, channels)"
            if len(shape) == 1:
                expected += ": keras.Sequential([keras.Input((h, w, channels)), keras.layers.Flatten(), model])"
            raise InputError(f"{model.name}: found the input shape {shape}, expected {expected}")
        self.rank = len(shape)  # of an activation: 1 for a vector, as after Flatten, 2 for (h, w)
        self.input_shape = (*shape, 1)[:3]
        self.blocks = []
        # the spiking network's input is pixel / 256, that of the model the pixel
        self.linear = Affine.identity(self.input_shape).rescaled(PIXEL_LEVELS, 0.0)
        self.begin = self.linear  # of the linear layers: the same object while there is none
        self.scaled = False  # whether a Rescaling has said what becomes of a pixel
        self.classified = None  # the name of a Softmax

    def add(self, layer):
        if self.classified:
            raise refusal(layer, f"a layer after the softmax of {self.classified}", "the softmax last")
        if getattr(layer, "data_format", "channels_last") != "channels_last":
            raise refusal(layer, f"data_format={layer.data_format}", "channels_last")
        if getattr(layer, "quantization_mode", None):
            raise refusal(layer, f"weights quantised to {layer.quantization_mode}", "weights in floating point")
        if type(layer) in LAYERS:
            try:
                LAYERS[type(layer)](self, layer)
            except PaddingError as error:
                expected = "padding='valid', or another layer before it: a Rescaling without offset, for one"
                raise refusal(layer, f"a layer that {error}", expected) from None
        elif type(layer) not in NOTHING_AT_INFERENCE:
            kind = type(layer).__name__
            raise refusal(layer, f"a {kind} layer", HINTS.get(kind, OTHERWISE))

    def add_convolution(self, layer):
        if layer.groups != 1:
            raise refusal(layer, f"groups={layer.groups}", "groups=1")
        kernel = values(layer, layer.kernel)
        rows, columns = layer.dilation_rate
        spread = np.zeros(
            (rows * (kernel.shape[0] - 1) + 1, columns * (kernel.shape[1] - 1) + 1, *kernel.shape[2:]), np.float64
        )
        spread[::rows, ::columns] = kernel
        self._convolve(spread, layer.strides, layer.padding)
        self._add_bias_and_activation(layer)

    def add_dense(self, layer):
        kernel = values(layer, layer.kernel)  # (in, out)
        height, width, channels = self.linear.output_shape
        if self.rank == 2:
            raise refusal(layer, "an image without channels", "a Flatten layer before it")
        window = (height, width) if self.rank == 1 else (1, 1)
        self._convolve(kernel.reshape(*window, channels, -1), (1, 1), "valid")
        self._add_bias_and_activation(layer)

    def add_pooling(self, layer):
        sizes = self.linear.output_shape[:2]
        if layer.padding == "same":
            axes = [Windows.padded(*axis, "same") for axis in zip(sizes, layer.pool_size, layer.strides)]
            if any(axis.before > 0 or axis.after > 0 for axis in axes):
                found = f"padding='same' that pads {sizes[0]} x {sizes[1]} positions"
                raise refusal(layer, found, "padding='valid', or a size that divides them")
        self._pool(layer.pool_size, layer.strides, layer.padding)

    def add_global_pooling(self, layer):
        self._pool(self.linear.output_shape[:2], (1, 1), "valid")
        self.rank = 3 if layer.keepdims else 1

    def add_padding(self, layer):
        pads = layer.padding
        sizes = self.linear.output_shape[:2]
        axes = [Windows(size, 1, 1, before, size + before + after) for size, (before, after) in zip(sizes, pads)]
        self.linear = self.linear.convolved(np.eye(self.linear.output_shape[2])[None, None], axes)

    def add_normalization(self, layer):
        self._per_channel(layer)
        if layer.axis not in (-1, self.rank):
            raise refusal(layer, f"axis={layer.axis}", "the last axis")
        variance = values(layer, layer.moving_variance) + layer.epsilon
        if np.any(variance <= 0):
            raise refusal(layer, f"variance + epsilon of {variance.min():g}", "above 0")
        scale = 1 / np.sqrt(variance)
        if layer.scale:
            scale = scale * values(layer, layer.gamma)
        offset = -values(layer, layer.moving_mean) * scale
        if layer.center:
            offset = offset + values(layer, layer.beta)
        self.linear = self.linear.rescaled(scale, offset)

    def add_rescaling(self, layer):
        scale, offset = (np.asarray(value, np.float64) for value in (layer.scale, layer.offset))
        if max(scale.ndim, offset.ndim) > 0:
            self._per_channel(layer)
        channels = self.linear.output_shape[2]
        for numbers in (scale, offset):
            if numbers.shape not in ((), (1,), (channels,)) or not np.all(np.isfinite(numbers)):
                found = f"scale={layer.scale}, offset={layer.offset}"
                raise refusal(layer, found, f"one finite number, or one for each of {channels} channels")
        self.linear = self.linear.rescaled(scale, offset)
        self.scaled = True

    def add_flatten(self, layer):
        self.rank = 1

    def add_reshape(self, layer):
        shape = self.linear.output_shape
        known = math.prod(size for size in layer.target_shape if size != -1)
        target = tuple(math.prod(shape) // known if size == -1 else size for size in layer.target_shape)
        if len(target) != 1 and target not in (shape, shape[:2] if shape[2] == 1 else None):
            raise refusal(layer, f"{target} of {shape}", "a vector of all, or the same shape")
        self.rank = len(target)

    def add_relu(self, layer):
        if layer.negative_slope != 0 or layer.threshold != 0:
            found = f"negative_slope={layer.negative_slope}, threshold={layer.threshold}"
            raise refusal(layer, found, "0 for both")
        self._fire(layer, layer.max_value)

    def add_activation(self, layer):
        activation = layer.activation
        if isinstance(activation, keras.Layer):
            self.add(activation)
        elif activation is SOFTMAX:
            self.classified = layer.name
        elif activation in (RELU, RELU6):
            self._fire(layer, 6.0 if activation is RELU6 else None)
        elif activation is not LINEAR:
            found = f"the activation {getattr(activation, '__name__', activation)}"
            raise refusal(layer, found, "relu, or at the end softmax or none")

    def add_softmax(self, layer):
        if layer.axis not in (-1, self.rank):
            raise refusal(layer, f"axis={layer.axis}", "the last axis")
        self.classified = layer.name

    def add_quantizer(self, layer):
        if not self.blocks or self.linear is not self.begin:
            raise refusal(layer, "no ReLU before it", "a MedianQuantizer right after a ReLU")
        if layer.k > HIGHEST_LEVEL:
            raise refusal(layer, f"k={layer.k}", f"k={HIGHEST_LEVEL} at most")
        first = self.blocks[-1].quantizer or layer
        if layer.k != first.k:
            raise refusal(layer, f"a second quantiser, of k={layer.k}", f"one of k={first.k}")
        self.blocks[-1].quantizer = first

    def _convolve(self, kernel, strides, padding):
        sizes = self.linear.output_shape[:2]
        axes = [Windows.padded(*axis, padding) for axis in zip(sizes, kernel.shape[:2], strides)]
        self.linear = self.linear.convolved(kernel, axes)

    def _pool(self, size, strides, padding):
        channels = np.eye(self.linear.output_shape[2])
        self._convolve(np.broadcast_to(channels, (*size, *channels.shape)), strides, padding)
        self.linear = self.linear.rescaled(1 / np.prod(size), 0.0)

    def _add_bias_and_activation(self, layer):
        if layer.use_bias:
            self.linear = self.linear.rescaled(1.0, values(layer, layer.bias))
        self.add_activation(layer)

    def _per_channel(self, layer):
        if self.rank == 2 or (self.rank == 1 and self.linear.output_shape[:2] != (1, 1)):
            raise refusal(layer, "numbers for each position", "one for each channel: the layer before a Flatten")

    def _fire(self, layer, max_value):
        if not self.scaled:
            expected = "a Rescaling that says how: Rescaling(1 / 255), or Rescaling(1) for pixels as they are"
            raise refusal(layer, "pixels from 0 to 255 that no layer before it scales", expected)
        self.blocks.append(Block(self.linear, max_value, layer.name))
        self.linear = self.begin = Affine.identity(self.linear.output_shape)


LAYERS = {
    layers.Activation: Folding.add_activation,
    layers.AveragePooling2D: Folding.add_pooling,
    layers.BatchNormalization: Folding.add_normalization,
    layers.Conv2D: Folding.add_convolution,
    layers.Dense: Folding.add_dense,
    layers.Flatten: Folding.add_flatten,
    layers.GlobalAveragePooling2D: Folding.add_global_pooling,
    layers.ReLU: Folding.add_relu,
    layers.Rescaling: Folding.add_rescaling,
    layers.Reshape: Folding.add_reshape,
    layers.Softmax: Folding.add_softmax,
    layers.ZeroPadding2D: Folding.add_padding,
    FullWindowConv2D: Folding.add_convolution,
    MedianQuantizer: Folding.add_quantizer,
}
# exactly these classes: one that somebody has derived from them may compute something else
NOTHING_AT_INFERENCE = {
    keras.layers.InputLayer,
    layers.ActivityRegularization,
    layers.AlphaDropout,
    layers.Dropout,
    layers.GaussianDropout,
    layers.GaussianNoise,
    layers.Identity,
    layers.RandomBrightness,
    layers.RandomContrast,
    layers.RandomFlip,
    layers.RandomRotation,
    layers.RandomTranslation,
    layers.RandomZoom,
    layers.SpatialDropout2D,
}
