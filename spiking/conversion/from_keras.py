"""Turns a Keras model into a Graph: a table gives each kind of layer a short handler that calls the builder.

The folding is done in float64. All layers that blocks cannot compute are reported at once, by name.
"""

from functools import partial

import keras
import numpy as np
from keras import activations, layers, ops

from spiking.conversion.composition import Refusal
from spiking.conversion.graph import Graph
from spiking.conversion.keras_models import functional, walk
from spiking.conversion.keras_operators import OPERATORS, concatenate, globally, relu, softmax, unknown
from spiking.conversion.median_quantizer import MedianQuantizer
from spiking.edges import same_padding

LINEAR, SOFTMAX, RELU6 = (activations.get(name) for name in ("linear", "softmax", "relu6"))
RELU = (activations.relu, ops.relu)


def fold(model):
    """Returns the finished Graph of a Keras model.

    Parameters
    ----------
    model : keras.Sequential or functional keras.Model
        Maps one image (h, w, channels) or (h, w) of integer pixels >= 0 to one vector of scores.

    Raises
    ------
    ValueError
        Something in it cannot be converted; each such layer has a line that says what to use instead.
    """
    kind = type(model).__name__
    if not isinstance(model, keras.Model) or functional(model) is None:
        expected = "a Sequential or functional Keras model, built with its input shape"
        raise ValueError(f"found a {kind}, expected {expected}")
    inputs = functional(model).inputs
    if len(inputs) != 1 or len(functional(model).outputs) != 1:
        counts = f"inputs: {len(inputs)}, outputs: {len(functional(model).outputs)}"
        raise ValueError(f"{model.name}: found {counts}, expected one of each")
    shape = inputs[0].shape[1:]
    if len(shape) not in (2, 3) or None in shape:
        expected = "(h, w, channels)"
        if len(shape) == 1:
            expected += ": keras.Sequential([keras.Input((h, w, channels)), keras.layers.Flatten(), model])"
        raise ValueError(f"{model.name}: found the input shape {shape}, expected {expected}")
    graph = Graph((*shape, 1)[:3])
    graph.finish(walk(model, graph.reshape(graph.image, shape), partial(_apply, graph)))
    return graph


def _apply(graph, name, node, arguments, settings):
    """Applies a layer or an operator to its arguments; returns a list of Tensors."""
    shapes = [output.shape[1:] for output in node.outputs]
    if settings.pop("training", None):
        graph.refuse(f"layer {name}: found a call with training=True, expected one without it, as at inference")
    elif len(shapes) == 1:
        return [graph.attempt(name, shapes[0], _computed, graph, node.operation, *arguments, **settings)]
    else:
        graph.refuse(f"layer {name}: {unknown(node.operation)}")
    return [graph.opaque(shape) for shape in shapes]


def _computed(graph, operation, *arguments, **settings):
    """Calls the handler of a layer or an operator; raises Refusal without one, or for settings that none takes."""
    handler = _handler(operation)
    if not handler:
        raise unknown(operation)
    if getattr(operation, "data_format", "channels_last") != "channels_last":
        raise Refusal(f"data_format={operation.data_format}", "channels_last")
    if getattr(operation, "quantization_mode", None):
        raise Refusal(f"weights quantised to {operation.quantization_mode}", "weights in floating point")
    return handler(graph, operation, *arguments, **settings)


def _handler(operation):
    """Looks a handler up by the exact class, since a derived class may compute something else."""
    if type(operation) in LAYERS:
        return LAYERS[type(operation)]
    if keras.saving.get_registered_name(type(operation)) == "spiking_lenet>FullWindowConv2D":
        return convolution
    if isinstance(operation, keras.Layer) or not type(operation).__module__.startswith("keras."):
        return None
    return OPERATORS.get(type(operation).__name__)


def values(variable):
    """Returns a variable as a float64 array; raises Refusal unless it is finite."""
    array = ops.convert_to_numpy(variable).astype(np.float64)
    if not np.all(np.isfinite(array)):
        raise Refusal("NaN or infinite weights", "finite ones")
    return array


# layers


def convolution(graph, layer, x):
    x = graph.convolve(x, values(layer.kernel), layer.strides, layer.padding, layer.dilation_rate, layer.groups)
    return biased_and_activated(graph, layer, x)


def depthwise(graph, layer, x):
    return biased_and_activated(graph, layer, by_channel(graph, layer, x, layer.kernel))


def separable(graph, layer, x):
    x = graph.convolve(by_channel(graph, layer, x, layer.depthwise_kernel), values(layer.pointwise_kernel))
    return biased_and_activated(graph, layer, x)


def by_channel(graph, layer, x, kernel):
    """Convolves each channel with a kernel (h, w, channels, filters of a channel)."""
    kernel, channels = values(kernel), kernel.shape[2]
    kernel = kernel.reshape(*kernel.shape[:2], 1, -1)
    return graph.convolve(x, kernel, layer.strides, layer.padding, layer.dilation_rate, channels)


def dense(graph, layer, x):
    return biased_and_activated(graph, layer, graph.dense(x, values(layer.kernel)))


def biased_and_activated(graph, layer, x):
    if layer.use_bias:
        x = graph.shift(x, values(layer.bias))
    return activation(graph, layer, x)


def activation(graph, layer, x):
    function = layer.activation
    if isinstance(function, keras.Layer) and type(function) in LAYERS:
        return LAYERS[type(function)](graph, function, x)
    if function in RELU or function is RELU6:
        return graph.rectify(x, 6.0 if function is RELU6 else None)
    if function is SOFTMAX:
        return graph.softmax(x)
    if function is not LINEAR:
        found = getattr(function, "__name__", function)
        raise Refusal(f"the activation {found}", "relu, or softmax or none at the end")
    return x


def normalization(graph, layer, x):
    if layer.axis not in (-1, len(x.shape)):
        raise Refusal(f"axis={layer.axis}", "the last axis")
    variance = values(layer.moving_variance) + layer.epsilon
    if np.any(variance <= 0):
        raise Refusal(f"variance + epsilon of {variance.min():g}", "above 0")
    factor = (values(layer.gamma) if layer.scale else 1) / np.sqrt(variance)
    offset = (values(layer.beta) if layer.center else 0) - values(layer.moving_mean) * factor
    return graph.shift(graph.scale(x, factor), offset)


def standardization(graph, layer, x):
    """Folds the layer Normalization: (x - mean) / max(deviation, epsilon), or its inverse."""
    mean, deviation = values(layer.mean)[0], np.sqrt(values(layer.variance)[0])
    deviation = np.maximum(deviation, keras.config.epsilon())
    if layer.invert:
        return graph.rescale(x, deviation, mean)
    return graph.rescale(x, 1 / deviation, -mean / deviation)


def average_pooling(graph, layer, x):
    if layer.padding == "same":
        sizes = x.shape[:2]
        if any(sum(same_padding(*axis)) for axis in zip(sizes, layer.pool_size, layer.strides)):
            found = f"padding='same' that pads {sizes[0]} x {sizes[1]} positions, where it averages fewer numbers"
            raise Refusal(found, "padding='valid', or a size that needs no padding")
    return graph.average_pool(x, layer.pool_size, layer.strides, layer.padding)


LAYERS = {
    layers.Activation: activation,
    layers.Add: lambda graph, layer, tensors: graph.add(*tensors),
    layers.Average: lambda graph, layer, tensors: graph.scale(graph.add(*tensors), 1 / len(tensors)),
    layers.AveragePooling2D: average_pooling,
    layers.BatchNormalization: normalization,
    layers.Concatenate: concatenate,
    layers.Conv2D: convolution,
    layers.Cropping2D: lambda graph, layer, x: graph.pad(x, -np.array(layer.cropping)),
    layers.Dense: dense,
    layers.DepthwiseConv2D: depthwise,
    layers.Flatten: lambda graph, layer, x: graph.flatten(x),
    layers.GlobalAveragePooling2D: lambda graph, layer, x: globally(graph, layer, x, graph.average_pool),
    layers.GlobalMaxPooling2D: lambda graph, layer, x: globally(graph, layer, x, graph.max_pool),
    layers.MaxPooling2D: lambda graph, layer, x: graph.max_pool(x, layer.pool_size, layer.strides, layer.padding),
    layers.Normalization: standardization,
    layers.Permute: lambda graph, layer, x: graph.transpose(x, [axis - 1 for axis in layer.dims]),
    layers.ReLU: relu,
    layers.Rescaling: lambda graph, layer, x: graph.rescale(x, layer.scale, layer.offset),
    layers.Reshape: lambda graph, layer, x: graph.reshape(x, layer.target_shape),
    layers.SeparableConv2D: separable,
    layers.Softmax: softmax,
    layers.Subtract: lambda graph, layer, tensors: graph.add(*tensors, factors=(1, -1)),
    layers.ZeroPadding2D: lambda graph, layer, x: graph.pad(x, layer.padding),
    MedianQuantizer: lambda graph, layer, x: graph.quantize(x, layer.k),
}
UNCHANGED_AT_INFERENCE = (
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
)
LAYERS |= dict.fromkeys(UNCHANGED_AT_INFERENCE, lambda graph, layer, x: x)
