"""The tensors that the builder in graph.py passes from layer to layer."""

import math
from dataclasses import dataclass, replace
from itertools import pairwise

import numpy as np

from spiking.conversion.affine import Part


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


def renumbered(x, shape, places):
    """Gives the numbers another shape and places; it is an image if these agree with the layout of the parts."""
    result = replace(x, shape=tuple(shape), places=None)
    sizes = {part.shape[:2] for part in x.parts}
    fits = len(shape) == 3 and sizes == {result.shape[:2]} and result.channels[-1][1] == shape[2]
    return result if fits and alike(result.indices(), places) else replace(result, places=tuple(places))


def cut(x, ends):
    """Divides the parts of an image so that they end at these channels."""
    parts = []
    for part, (begin, end) in zip(x.parts, x.channels):
        cuts = [begin, *(cut for cut in ends if begin < cut <= end)]
        parts += [part.channels(first - begin, last - begin) for first, last in pairwise(cuts)]
    return replace(x, parts=tuple(parts))


def alike(some, others):
    return len(some) == len(others) and all(map(np.array_equal, some, others))
