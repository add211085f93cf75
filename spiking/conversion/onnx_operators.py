"""The table of ONNX operators for from_onnx.py, each with a short handler that calls the builder.

A handler gets the Graph, the Node and its inputs: a Tensor and perhaps further ones, each a Tensor, a constant array,
or None if it is left out. Only for operators in ANY_TENSOR the first may be a constant, and another one the Tensor.
"""

import math

import numpy as np

from spiking.conversion.composition import Refusal
from spiking.conversion.onnx_arguments import (
    axis_of,
    beside,
    channels_first,
    channels_last,
    constant,
    number,
    onnx_shape,
    require_tensor,
    setting,
)
from spiking.conversion.onnx_windows import (
    average_pooling,
    convolution,
    globally,
    max_pooling,
    mean,
    pad,
)
from spiking.conversion.tensor import Tensor

OTHERWISE = "an operator listed in docs/your-own-network.md"
PRODUCTS = "Add, or Concat: blocks cannot multiply activations"
FLOATING = "a network in floating point: the conversion quantises it, with weights of 16 bits and activations by k"
HINTS = {
    "ConvTranspose": "Conv",
    "DequantizeLinear": FLOATING,
    "DynamicQuantizeLinear": FLOATING,
    "Elu": "Relu",
    "Gelu": "Relu",
    "GroupNormalization": "BatchNormalization",
    "HardSigmoid": "Relu",
    "HardSwish": "Relu",
    "InstanceNormalization": "BatchNormalization",
    "LayerNormalization": "BatchNormalization",
    "LeakyRelu": "Relu",
    "Min": "Clip, with 0 as the lower bound",
    "PRelu": "Relu",
    "QLinearConv": FLOATING,
    "QLinearMatMul": FLOATING,
    "QuantizeLinear": FLOATING,
    "Resize": "a network without it: no convolution of the smaller image computes it",
    "Sigmoid": "Relu, or two scores at the end",
    "Slice": "a Conv for each part, or Pad with negative numbers, which crops rows and columns",
    "Softplus": "Relu",
    "Split": "a Conv for each part",
    "Tanh": "Relu",
    "Upsample": "a network without it: no convolution of the smaller image computes it",
}
MAX_FLOAT = float(np.finfo(np.float32).max)  # exporters write it for no upper bound


def unknown(node):
    """Returns the Refusal of an operator that is not in the table."""
    return Refusal("an operator that blocks cannot compute", HINTS.get(node.operator, OTHERWISE))


# sums and products


def dense(graph, node, a, b, c=None):
    """Handles Gemm, alpha * a @ b + beta * c, where b may be transposed."""
    matrix = constant(b, "weights") * node.settings.get("alpha", 1.0)
    if node.settings.get("transA", 0):
        raise Refusal("transA=1", "0: the batch comes first")
    x = product(graph, node, a, matrix.T if node.settings.get("transB", 0) else matrix)
    return x if c is None else graph.shift(x, beside(x, c) * node.settings.get("beta", 1.0))


def product(graph, node, a, b):
    """Handles the product of a vector and a constant matrix."""
    matrix = constant(b, "weights")
    if len(a.shape) != 1 or matrix.ndim != 2 or matrix.shape[0] != a.shape[0]:
        found = f"a product of the shapes {onnx_shape(a)} and {matrix.shape}"
        raise Refusal(found, "a vector and a matrix with a row for each of its numbers")
    return graph.dense(a, matrix)


def normalization(graph, node, x, scale, bias, mean, variance):
    if node.settings.get("training_mode", 0):
        raise Refusal("training_mode=1", "0, as in model.eval()")
    scale, bias, mean, variance = (constant(value, "parameters") for value in (scale, bias, mean, variance))
    variance = variance + node.settings.get("epsilon", 1e-5)
    if np.any(variance <= 0):
        raise Refusal(f"variance + epsilon of {variance.min():g}", "above 0")
    if len(x.shape) not in (1, 3):
        raise Refusal(f"the shape {x.shape}", "an image or a vector")
    factor = scale / np.sqrt(variance)
    return graph.shift(graph.scale(x, factor), bias - mean * factor)


def plus(graph, node, a, b):
    if isinstance(a, Tensor) and isinstance(b, Tensor):
        return graph.add(a, b)
    x, value = (a, b) if isinstance(a, Tensor) else (b, a)
    return graph.shift(x, beside(x, value))


def minus(graph, node, a, b):
    if isinstance(a, Tensor) and isinstance(b, Tensor):
        return graph.add(a, b, factors=(1, -1))
    if isinstance(a, Tensor):
        return graph.shift(a, -beside(a, b))
    return graph.shift(graph.scale(b, -1), beside(b, a))


def total(graph, node, first, *others):
    for other in others:
        first = plus(graph, node, first, other)
    return first


def times(graph, node, a, b):
    if isinstance(a, Tensor) and isinstance(b, Tensor):
        raise Refusal("a product of two tensors", PRODUCTS)
    x, value = (a, b) if isinstance(a, Tensor) else (b, a)
    return graph.scale(x, beside(x, value))


def divided(graph, node, a, b):
    divisor = beside(a, constant(b, "a divisor"))
    if np.any(divisor == 0):
        raise Refusal("a division by 0", "another divisor")
    return graph.scale(a, 1 / divisor)


def concatenation(graph, node, *tensors):
    tensors = [require_tensor(x) for x in tensors]
    if len({len(x.shape) for x in tensors}) > 1:
        raise Refusal("tensors with different numbers of axes", "images, or vectors")
    return graph.concatenate(tensors, axis_of(tensors[0], node.settings["axis"]))


# activations


def clip(graph, node, x, low=None, high=None):
    low = number(low, "a lower bound", node.settings.get("min", -np.inf))
    high = number(high, "an upper bound", node.settings.get("max", np.inf))
    if low != 0 or not high > 0:
        raise Refusal(f"a clip to [{low:g}, {high:g}]", "one from 0 to a number above 0, such as ReLU6's Clip(0, 6)")
    return graph.rectify(x, high if high < MAX_FLOAT else None)


def softmax(graph, node, x):
    """Handles a softmax over an axis or, before opset 13, over that axis and all later ones together."""
    axis = node.settings.get("axis", 1 if node.opset < 13 else -1)
    if node.opset >= 13:
        return graph.softmax(x, axis_of(x, axis))
    if axis not in (1, -len(x.shape)):
        raise Refusal(f"axis={axis}", "axis=1, which stands for all numbers of an image")
    return graph.softmax(graph.flatten(channels_first(graph, x)))


def larger(graph, node, *values):
    """Handles the maximum with 0, which is a ReLU."""
    tensors = [value for value in values if isinstance(value, Tensor)]
    numbers = [constant(value, "numbers") for value in values if not isinstance(value, Tensor)]
    if len(tensors) != 1 or not numbers or any(np.any(array != 0) for array in numbers):
        raise Refusal("a maximum with something other than 0", "Relu")
    return graph.rectify(tensors[0])


# operators that rename positions


def flatten(graph, node, x):
    axis = node.settings.get("axis", 1)
    if axis not in (1, -len(x.shape)):
        raise Refusal(f"axis={axis}", "axis=1, which makes a vector of each image")
    return graph.flatten(channels_first(graph, x))


def reshape(graph, node, x, shape):
    old, new = (1, *onnx_shape(x)), setting(node, "shape", shape)
    copied = 0 if not node.settings.get("allowzero", 0) else None  # a size that stands for the old one
    sizes = [old[axis] if size == copied and axis < len(old) else size for axis, size in enumerate(new)][1:]
    known = math.prod(size for size in sizes if size != -1)
    if -1 in sizes and known > 0:
        sizes = [math.prod(old) // known if size == -1 else size for size in sizes]
    # if the other sizes hold all numbers of one image, the first size can only be the batch
    if not sizes or min(sizes) < 1 or math.prod(sizes) != math.prod(old):
        raise Refusal(f"the shape {tuple(new)} for {old[1:]}", "the batch first, then sizes that hold one image")
    return channels_last(graph, graph.reshape(channels_first(graph, x), sizes))


def squeeze(graph, node, x, axes=None):
    sizes, axes = (0, *onnx_shape(x)), setting(node, "axes", axes)
    fits = axes is not None and all(-len(sizes) <= axis < len(sizes) and sizes[axis] == 1 for axis in axes)
    removed = {axis % len(sizes) for axis in axes} if fits else set()
    kept = [size for axis, size in enumerate(sizes) if axis not in removed][1:]
    if not fits or not kept:
        raise Refusal(f"axes={axes} of {sizes[1:]}", "axes of size 1 other than the batch")
    return channels_last(graph, graph.reshape(channels_first(graph, x), kept))


def transpose(graph, node, x):
    rank = len(x.shape) + 1
    order = node.settings.get("perm", list(range(rank))[::-1])
    if sorted(order) != list(range(rank)) or order[0] != 0:
        raise Refusal(f"perm={order}", "the batch first")
    return channels_last(graph, graph.transpose(channels_first(graph, x), [axis - 1 for axis in order[1:]]))


def shape(graph, node, x):
    """Returns the shape of one image, with a batch of 1, as a constant."""
    return np.array((1, *onnx_shape(x)))[node.settings.get("start", 0) : node.settings.get("end")]


def dropout(graph, node, x, ratio=None, training=None):
    if number(training, "training_mode", 0):
        raise Refusal("training_mode=1", "0, as in model.eval()")
    return x


OPERATORS = {
    "Add": plus,
    "AveragePool": average_pooling,
    "BatchNormalization": normalization,
    "Clip": clip,
    "Concat": concatenation,
    "Conv": convolution,
    "Div": divided,
    "Dropout": dropout,
    "Flatten": flatten,
    "Gemm": dense,
    "GlobalAveragePool": lambda graph, node, x: globally(graph, x, graph.average_pool),
    "GlobalMaxPool": lambda graph, node, x: globally(graph, x, graph.max_pool),
    "Identity": lambda graph, node, x: x,
    "LogSoftmax": softmax,
    "MatMul": product,
    "Max": larger,
    "MaxPool": max_pooling,
    "Mul": times,
    "Pad": pad,
    "ReduceMean": mean,
    "Relu": lambda graph, node, x: graph.rectify(x),
    "Reshape": reshape,
    "Shape": shape,
    "Softmax": softmax,
    "Squeeze": squeeze,
    "Sub": minus,
    "Sum": total,
    "Transpose": transpose,
}
ANY_TENSOR = {"Add", "Concat", "Max", "Mul", "Sub", "Sum"}
OF_CONSTANTS = {  # operators with which exporters compute shapes
    "Add",
    "Cast",
    "Concat",
    "Constant",
    "ConstantOfShape",
    "Div",
    "Gather",
    "Identity",
    "Mul",
    "Reshape",
    "Slice",
    "Squeeze",
    "Sub",
    "Transpose",
    "Unsqueeze",
}
