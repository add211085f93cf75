"""Checked access to what handlers of ONNX operators read: tensors, constants and attributes.

ONNX puts channels first; from_onnx.py says how tensors are kept here. What is an input of some operators now was an
attribute in older opsets: `setting` reads either.
"""

import math

import numpy as np

from spiking.conversion.composition import Refusal
from spiking.conversion.tensor import Tensor

MAX_TENSOR = 1 << 24  # numbers


def limited(shape):
    """Returns the shape; raises Refusal if an array of this shape would be too large."""
    if math.prod(shape) > MAX_TENSOR:
        raise Refusal(f"a tensor of the shape {tuple(shape)}", f"at most {MAX_TENSOR:,} numbers")
    return shape


def channels_last(graph, x):
    """Turns a Tensor in ONNX's order into the builder's, with the channels last."""
    return graph.transpose(x, (1, 2, 0)) if len(x.shape) == 3 else x


def channels_first(graph, x):
    """Turns a Tensor into ONNX's order, with the channels first."""
    return graph.transpose(x, (2, 0, 1)) if len(x.shape) == 3 else x


def onnx_shape(x):
    """Returns the shape of a Tensor in ONNX's order, without the batch."""
    return (x.shape[2], *x.shape[:2]) if len(x.shape) == 3 else x.shape


def axis_of(x, axis):
    """Converts an ONNX axis, which counts the batch, to an axis of a Tensor; raises Refusal for the batch itself."""
    rank = len(x.shape) + 1
    if not -rank <= axis < rank or axis % rank == 0:
        raise Refusal(f"axis={axis}", "another axis than the batch")
    axis = axis % rank - 1
    return (2, 0, 1)[axis] if len(x.shape) == 3 else axis


def require_tensor(value):
    if not isinstance(value, Tensor):
        raise Refusal("a constant in place of an image or a vector", "one that depends on the image")
    return value


def constant(value, what):
    """Returns a constant as a float64 array; raises Refusal unless it is constant and finite."""
    if isinstance(value, Tensor):
        raise Refusal(f"{what} that depend on the image", "constants")
    array = np.asarray(value).astype(np.float64)
    if not np.all(np.isfinite(array)):
        raise Refusal(f"NaN or infinite {what}", "finite ones")
    return array


def setting(node, name, value=None, default=None):
    """Returns the integers of an input as a list, or without one the attribute `name`."""
    if value is None:
        return node.settings.get(name, default)
    if isinstance(value, Tensor) or not np.issubdtype(value.dtype, np.integer):
        raise Refusal(f"{name} that is not a list of constant integers", "one")
    return value.reshape(-1).tolist()


def number(value, what, default):
    """Returns the number that an input holds, as a float."""
    if value is None:
        return default
    if isinstance(value, Tensor) or np.size(value) != 1:
        raise Refusal(f"{what} that is not a constant number", "one number")
    return float(np.asarray(value).reshape(-1)[0])


def beside(x, value):
    """Returns a constant that an operator combines with x, with its axes in x's order."""
    array, rank = constant(value, "numbers"), len(x.shape) + 1
    if array.ndim > rank or (array.ndim == rank and array.shape[0] != 1):
        raise Refusal(f"numbers of the shape {array.shape}", "the same numbers for every image")
    array = array.reshape((1,) * (rank - array.ndim) + array.shape)[0]
    return array.transpose(1, 2, 0) if array.ndim == 3 else array


def require_image(x):
    if len(x.shape) != 3:
        raise Refusal(f"the shape {onnx_shape(x)}", "an image of channels, rows and columns")
    return x
