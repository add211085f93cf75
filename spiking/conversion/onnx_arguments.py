"""What handlers of operators of ONNX read: tensors, constants and attributes, checked.

ONNX has channels first. A tensor of three axes, without the batch, is held as the builder wants it, (h, w, channels);
any other as it is. Where an operator took an attribute once and takes an input now, `setting` finds either.
"""

import math

import numpy as np

from spiking.conversion.composition import Refusal
from spiking.conversion.tensor import Tensor

LARGEST_TENSOR = 1 << 24  # numbers


def limited(shape):
    """A shape; refused where an array of it would be too large to be made here."""
    if math.prod(shape) > LARGEST_TENSOR:
        raise Refusal(f"a tensor of the shape {tuple(shape)}", f"{LARGEST_TENSOR:,} numbers at most")
    return shape


def channels_last(graph, x):
    """A Tensor in ONNX's order as the builder wants it, with the channels last."""
    return graph.transpose(x, (1, 2, 0)) if len(x.shape) == 3 else x


def channels_first(graph, x):
    """A Tensor in ONNX's order, with the channels first."""
    return graph.transpose(x, (2, 0, 1)) if len(x.shape) == 3 else x


def onnx_shape(x):
    """The shape of a Tensor in ONNX's order, without the batch."""
    return (x.shape[2], *x.shape[:2]) if len(x.shape) == 3 else x.shape


def axis_of(x, axis):
    """An axis as a file counts it, with the batch, as that of a Tensor; refused where it is the batch."""
    rank = len(x.shape) + 1
    if not -rank <= axis < rank or axis % rank == 0:
        raise Refusal(f"axis={axis}", "one that is not the batch's")
    axis = axis % rank - 1
    return (2, 0, 1)[axis] if len(x.shape) == 3 else axis


def require_tensor(value):
    if not isinstance(value, Tensor):
        raise Refusal("a constant in the place of an image or a vector", "the network's own")
    return value


def constant(value, what):
    """An array in float64."""
    if isinstance(value, Tensor):
        raise Refusal(f"{what} that the network computes", "constants")
    array = np.asarray(value).astype(np.float64)
    if not np.all(np.isfinite(array)):
        raise Refusal(f"NaN or infinite numbers as {what}", "finite ones")
    return array


def setting(node, name, value=None, default=None):
    """Integers of an input, a Python list, or the attribute of a name where there is no input."""
    if value is None:
        return node.settings.get(name, default)
    if isinstance(value, Tensor) or not np.issubdtype(value.dtype, np.integer):
        raise Refusal(f"{name} that are no constant integers", "constants")
    return value.reshape(-1).tolist()


def number(value, what, default):
    """A float of an input of one number."""
    if value is None:
        return default
    if isinstance(value, Tensor) or np.size(value) != 1:
        raise Refusal(f"{what} that is no constant number", "one number")
    return float(np.asarray(value).reshape(-1)[0])


def beside(x, value):
    """A constant that is added to a Tensor, say, in the order of the Tensor."""
    array, rank = constant(value, "numbers"), len(x.shape) + 1
    if array.ndim > rank or (array.ndim == rank and array.shape[0] != 1):
        raise Refusal(f"numbers of the shape {array.shape}", "the same ones for each image")
    array = array.reshape((1,) * (rank - array.ndim) + array.shape)[0]
    return array.transpose(1, 2, 0) if array.ndim == 3 else array


def require_image(x):
    if len(require_tensor(x).shape) != 3:
        raise Refusal(f"the shape {onnx_shape(x)}", "an image of channels, rows and columns")
    return x
