"""The table of operators on tensors for from_keras.py; x / 255.0 is such an operator.

Some handlers serve a layer as well, which has the same settings as the operator.
"""

import keras
import numpy as np
from keras import ops

from spiking.conversion.composition import Refusal
from spiking.conversion.tensor import Tensor

HINTS = {
    "AdaptiveAveragePooling2D": "AveragePooling2D",
    "AdaptiveMaxPooling2D": "MaxPooling2D",
    "Attention": "convolutions and dense layers: blocks cannot multiply activations",
    "Conv2DTranspose": "Conv2D",
    "ELU": "ReLU",
    "Gelu": "relu",
    "GroupNormalization": "BatchNormalization",
    "LayerNormalization": "BatchNormalization",
    "LeakyReLU": "ReLU",
    "Maximum": "Add, or Concatenate",
    "Minimum": "Add, or Concatenate",
    "MultiHeadAttention": "convolutions and dense layers: blocks cannot multiply activations",
    "Multiply": "Add, or Concatenate: blocks cannot multiply activations",
    "PReLU": "ReLU",
    "Sigmoid": "relu, or a Dense layer of two scores at the end",
    "Silu": "relu",
    "Swish": "relu",
    "Tanh": "relu",
    "UpSampling2D": "a network without it: no convolution of the smaller image computes it",
}
OTHERWISE = "a layer listed in docs/your-own-network.md"


def unknown(operation):
    """Returns the Refusal of a layer or an operator that is in no table."""
    kind = type(operation).__name__
    what = "layer" if isinstance(operation, keras.Layer) else "operator"
    return Refusal(f"a {kind} {what}", HINTS.get(kind, OTHERWISE))


def axis_without_batch(axis, x):
    """Converts one of Keras's axes, which count the batch, to an axis of a Tensor."""
    rank = len(x.shape) + 1
    if not isinstance(axis, int) or axis % rank == 0:
        raise Refusal(f"axis={axis}", "another axis than the batch")
    return axis % rank - 1


def relu(graph, operation, x):
    if operation.negative_slope != 0 or operation.threshold != 0:
        found = f"negative_slope={operation.negative_slope}, threshold={operation.threshold}"
        raise Refusal(found, "0 for both")
    return graph.rectify(x, operation.max_value)


def softmax(graph, operation, x):
    return graph.softmax(x, axis_without_batch(operation.axis, x))


def concatenate(graph, operation, tensors):
    return graph.concatenate(tensors, axis_without_batch(operation.axis, tensors[0]))


def globally(graph, operation, x, pool):
    """Pools over all rows and columns."""
    x = pool(x, x.shape[:2], x.shape[:2])
    return x if operation.keepdims else graph.flatten(x)


def plus(graph, operation, x1, x2):
    if isinstance(x1, Tensor) and isinstance(x2, Tensor):
        return graph.add(x1, x2)
    x, number = _with_constant(operation, x1, x2)
    return graph.rescale(x, 1, number)


def minus(graph, operation, x1, x2):
    if isinstance(x1, Tensor) and isinstance(x2, Tensor):
        return graph.add(x1, x2, factors=(1, -1))
    x, number = _with_constant(operation, x1, x2)
    return graph.rescale(x, 1, -number) if x is x1 else graph.rescale(x, -1, number)


def times(graph, operation, x1, x2):
    x, number = _with_constant(operation, x1, x2)
    return graph.rescale(x, number, 0)


def divided(graph, operation, x1, x2):
    if isinstance(x2, Tensor):
        raise Refusal("a division by a tensor", "one by numbers")
    with np.errstate(divide="ignore"):
        return graph.rescale(x1, 1 / _constant(x2), 0)


def mean(graph, operation, x):
    if len(x.shape) != 3 or sorted(axis % 4 for axis in operation.axis or ()) != [1, 2]:
        raise Refusal(f"a mean over the axes {operation.axis}", "the rows and columns, (1, 2)")
    return globally(graph, operation, x, graph.average_pool)


def larger(graph, operation, x1, x2):
    """Handles the maximum with 0, which is a ReLU."""
    x, number = _with_constant(operation, x1, x2)
    if np.any(number != 0):
        raise Refusal("a maximum with numbers other than 0", "a ReLU")
    return graph.rectify(x)


def clipped(graph, operation, x):
    if np.ndim(operation.x_min) or np.ndim(operation.x_max) or operation.x_min != 0:
        raise Refusal(f"a clip to [{operation.x_min}, {operation.x_max}]", "a clip with 0 as the lower bound")
    return graph.rectify(x, float(operation.x_max))


def reshape(graph, operation, x):
    shape = operation.newshape
    if not shape or shape[0] not in (-1, None):
        raise Refusal(f"the shape {shape}", "the batch (-1) first")
    return graph.reshape(x, shape[1:])


def transpose(graph, operation, x):
    axes = operation.axes
    if axes is None or axes[0] != 0:
        raise Refusal(f"axes={axes}", "the batch first")
    return graph.transpose(x, [axis - 1 for axis in axes[1:]])


def _with_constant(operation, x1, x2):
    """Returns the one that is a Tensor, and the other as numbers; refuses the operation for two Tensors."""
    if isinstance(x1, Tensor) and isinstance(x2, Tensor):
        raise unknown(operation)
    return (x1, _constant(x2)) if isinstance(x1, Tensor) else (x2, _constant(x1))


def _constant(numbers):
    """Returns numbers as a float64 array, without a batch axis."""
    array = np.asarray(ops.convert_to_numpy(numbers), np.float64)
    return array[0] if array.ndim > 1 and len(array) == 1 else array


OPERATORS = {
    "Add": plus,
    "Clip": clipped,
    "Concatenate": concatenate,
    "Divide": divided,
    "Maximum": larger,
    "Mean": mean,
    "Multiply": times,
    "Negative": lambda graph, operation, x: graph.scale(x, -1),
    "ReLU": relu,
    "Relu": lambda graph, operation, x: graph.rectify(x),
    "Relu6": lambda graph, operation, x: graph.rectify(x, 6.0),
    "Reshape": reshape,
    "Softmax": softmax,
    "Subtract": minus,
    "Transpose": transpose,
    "TrueDivide": divided,
}
