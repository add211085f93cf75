"""Applies linear layers to tensors: convolutions, sums and factors, part by part.

Nothing here knows the graph: graph.py checks the arguments and records which layers a tensor has passed.
"""

import math
from dataclasses import replace
from functools import reduce
from itertools import accumulate, pairwise

import numpy as np

from spiking.conversion.affine import Part
from spiking.conversion.composition import Refusal, regrouped
from spiking.conversion.tensor import Tensor, alike, cut
from spiking.edges import padded_starts, window_starts


def windows_of(x, size, strides, padding):
    """Returns where windows of a size (h, w) begin in the rows and in the columns of an image: two ranges.

    Parameters
    ----------
    padding : "valid", "same" with Keras's placement, or ((top, bottom), (left, right)); negative numbers crop
    """
    axes = zip(x.shape, size, strides)
    try:
        if isinstance(padding, str):
            return [window_starts(*axis, same=padding == "same") for axis in axes]
        return [padded_starts(*axis, *zeros) for axis, zeros in zip(axes, padding)]
    except ValueError as error:
        raise Refusal(str(error), "windows that fit into the image") from None


def dilated(kernel, steps):
    """Returns the kernel with zeros inserted between its rows and columns."""
    if tuple(steps) == (1, 1):
        return kernel
    sizes = [(size - 1) * step + 1 for size, step in zip(kernel.shape, steps)]
    result = np.zeros((*sizes, *kernel.shape[2:]))
    result[:: steps[0], :: steps[1]] = kernel
    return result


def convolved(x, kernel, groups, windows):
    """Convolves an image.

    Consecutive parts whose channels share a group become one part: the sum of their convolutions.
    """
    size, filters = x.shape[2] // groups, kernel.shape[3] // groups
    result, together, first = [], [], 0
    for part, (_, end) in zip(x.parts, x.channels):
        together.append(part)
        if end % size == 0:
            own_kernel = kernel[..., first // size * filters : end // size * filters]
            result.append(_convolved_together(together, own_kernel, (end - first) // size, windows))
            together, first = [], end
    return Tensor((*map(len, windows), kernel.shape[3]), tuple(result))


def _convolved_together(parts, kernel, groups, windows):
    """Convolves several parts, whose channels together are the kernel's, into one part."""
    if len(parts) == 1:
        return parts[0].convolved(kernel, groups, *windows)
    kernel = regrouped(kernel, groups, 1)
    ends = accumulate((part.shape[2] for part in parts), initial=0)
    shares = (
        part.convolved(kernel[:, :, first:last], 1, *windows) for part, (first, last) in zip(parts, pairwise(ends))
    )
    return reduce(Part.plus, shares)


def multiplied(x, matrix):
    """Multiplies a vector by a matrix (inputs, outputs)."""
    shares = (part.convolved(matrix[places], 1, range(1), range(1)) for part, places in zip(x.parts, x.indices()))
    outputs = matrix.shape[1]
    return Tensor((outputs,), (reduce(Part.plus, shares),), (np.arange(outputs).reshape(1, 1, -1),))


def added(x, y):
    """Adds two tensors of the same shape."""
    if x.places is None and y.places is None:
        ends = sorted({end for tensor in (x, y) for _, end in tensor.channels})
        x, y = (cut(tensor, ends) for tensor in (x, y))
    elif not alike(x.indices(), y.indices()):
        raise Refusal("a sum of vectors flattened from images of different shapes", "a Dense layer before it")
    return replace(x, parts=tuple(a.plus(b) for a, b in zip(x.parts, y.parts)))


def broadcast(x, method, numbers):
    """Applies a method of Part to each part and its share of numbers that broadcast to the tensor's shape."""
    numbers = np.asarray(numbers, np.float64)
    if not np.all(np.isfinite(numbers)):
        raise Refusal("NaN or infinite numbers", "finite ones")
    try:
        numbers = np.broadcast_to(numbers, x.shape)
    except ValueError:
        raise Refusal(f"numbers of the shape {numbers.shape} for {x.shape}", "one, or one for each channel") from None
    if x.places is None:
        shares = [numbers[..., first:last] for first, last in x.channels]
    else:
        shares = [numbers.reshape(-1)[places] for places in x.places]
    return replace(x, parts=tuple(method(part, share) for part, share in zip(x.parts, shares)))


def multiply_accumulates(x, kernel, dilation, windows):
    """Counts a convolution's multiply-accumulates, given the undilated kernel; those with padding do not count."""
    taps = (range(0, step * size, step) for size, step in zip(kernel.shape, dilation))
    read = (_inside(*axis) for axis in zip(x.shape, windows, taps))
    return math.prod(read) * kernel.shape[2] * kernel.shape[3]


def _inside(size, starts, taps):
    """Counts the pairs of a window and a kernel tap, along one axis, that read the image rather than padding."""
    return sum(len([start for start in starts if 0 <= start + tap < size]) for tap in taps)
