"""The tensors that the builder in graph.py passes from layer to layer, and what linear layers make of them.

Nothing here knows the graph: graph.py checks the arguments and records which layers a tensor has passed.
"""

import math
from dataclasses import dataclass, replace
from functools import reduce
from itertools import accumulate, pairwise

import numpy as np

from spiking.conversion.affine import Part
from spiking.conversion.composition import Refusal, regrouped
from spiking.edges import window_ranges


@dataclass(frozen=True)
class Tensor:
    """The output of a layer: parts, which divide its channels, and the shape that it has in the framework."""

    shape: tuple[int, ...]
    parts: tuple[Part, ...]
    places: tuple | None = None  # unless it is an image: for each part, an array (h, w, channels) of flat indices
    softmax: str | None = None  # the name of the softmax layer that it comes from, if any

    @property
    def channels(self):
        """The first channel of each part of an image, and the channel after its last."""
        ends = np.cumsum([part.shape[2] for part in self.parts]).tolist()
        return list(zip([0, *ends], ends))

    def indices(self):
        """Returns, for each part, the flat indices of its numbers."""
        if self.places is not None:
            return self.places
        numbers = np.arange(math.prod(self.shape)).reshape(self.shape)
        return tuple(numbers[..., first:last] for first, last in self.channels)

    @property
    def only_image(self):
        """Whether it reads nothing but the image."""
        return all(part.only_image for part in self.parts)

    def passed(self, layer):
        """Returns the tensor with one more name in the `layers` of its parts."""
        return replace(self, parts=tuple(part.passed(layer) for part in self.parts), softmax=None)

    def renumbered(self, shape, places):
        """Gives the numbers another shape and places; it is an image if these agree with the layout of the parts."""
        result = replace(self, shape=tuple(shape), places=None)
        sizes = {part.shape[:2] for part in self.parts}
        fits = len(shape) == 3 and sizes == {result.shape[:2]} and result.channels[-1][1] == shape[2]
        return result if fits and _alike(result.indices(), places) else replace(result, places=tuple(places))

    def convolved(self, kernel, groups, windows):
        """Convolves an image.

        Consecutive parts whose channels share a group become one part: the sum of their convolutions.
        """
        size, filters = self.shape[2] // groups, kernel.shape[3] // groups
        result, together, first = [], [], 0
        for part, (_, end) in zip(self.parts, self.channels):
            together.append(part)
            if end % size == 0:
                own_kernel = kernel[..., first // size * filters : end // size * filters]
                result.append(_convolved_together(together, own_kernel, (end - first) // size, windows))
                together, first = [], end
        return Tensor((*map(len, windows), kernel.shape[3]), tuple(result))

    def multiplied(self, matrix):
        """Multiplies a vector by a matrix (inputs, outputs)."""
        read = zip(self.parts, self.indices())
        shares = (part.convolved(matrix[places], 1, range(1), range(1)) for part, places in read)
        outputs = matrix.shape[1]
        return Tensor((outputs,), (reduce(Part.plus, shares),), (np.arange(outputs).reshape(1, 1, -1),))

    def plus(self, other):
        """Adds a tensor of the same shape."""
        x, y = self, other
        if x.places is None and y.places is None:
            ends = sorted({end for tensor in (x, y) for _, end in tensor.channels})
            x, y = (tensor._cut(ends) for tensor in (x, y))
        elif not _alike(x.indices(), y.indices()):
            raise Refusal("a sum of vectors flattened from images of different shapes", "a Dense layer before it")
        return replace(x, parts=tuple(a.plus(b) for a, b in zip(x.parts, y.parts)))

    def _cut(self, ends):
        """Divides the parts of an image so that they end at these channels."""
        parts = []
        for part, (begin, end) in zip(self.parts, self.channels):
            cuts = [begin, *(cut for cut in ends if begin < cut <= end)]
            parts += [part.channels(first - begin, last - begin) for first, last in pairwise(cuts)]
        return replace(self, parts=tuple(parts))

    def broadcast(self, method, numbers):
        """Applies a method of Part to each part and its share of numbers that broadcast to the shape."""
        numbers = np.asarray(numbers, np.float64)
        if not np.all(np.isfinite(numbers)):
            raise Refusal("NaN or infinite numbers", "finite ones")
        try:
            numbers = np.broadcast_to(numbers, self.shape)
        except ValueError:
            found = f"numbers of the shape {numbers.shape} for {self.shape}"
            raise Refusal(found, "one, or one for each channel") from None
        if self.places is None:
            shares = [numbers[..., first:last] for first, last in self.channels]
        else:
            shares = [numbers.reshape(-1)[places] for places in self.places]
        return replace(self, parts=tuple(method(part, share) for part, share in zip(self.parts, shares)))


def windows_of(x, size, strides, padding):
    """Returns what window_ranges does for an image, or raises Refusal."""
    try:
        return window_ranges(x.shape, size, strides, padding)
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


def multiply_accumulates(x, kernel, dilation, windows):
    """Counts a convolution's multiply-accumulates, given the undilated kernel; those with padding do not count."""
    inside = 1  # pairs of a window and a place in the kernel that read the image
    for size, starts, length, step in zip(x.shape, windows, kernel.shape, dilation):
        inside *= sum(0 <= start + step * place < size for start in starts for place in range(length))
    return inside * kernel.shape[2] * kernel.shape[3]


def _alike(some, others):
    return len(some) == len(others) and all(map(np.array_equal, some, others))
