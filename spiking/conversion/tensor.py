"""What the builder in graph.py hands from layer to layer."""

import math
from dataclasses import dataclass, replace
from itertools import pairwise

import numpy as np

from spiking.conversion.affine import Part


@dataclass(frozen=True)
class Tensor:
    """What a layer gives: parts, by channel, and the shape that the framework gives them."""

    shape: tuple[int, ...]
    parts: tuple[Part, ...]
    places: tuple | None = None  # if it is no image: for each part the flat indices (h, w, channels) of its numbers
    softmax: str | None = None  # the name of the layer that it comes from

    @property
    def channels(self):
        """Where each part begins and ends, of an image."""
        ends = np.cumsum([part.shape[2] for part in self.parts]).tolist()
        return list(zip([0, *ends], ends))

    def indices(self):
        """The flat indices of each part's numbers."""
        if self.places is not None:
            return self.places
        numbers = np.arange(math.prod(self.shape)).reshape(self.shape)
        return tuple(numbers[..., first:last] for first, last in self.channels)

    @property
    def only_image(self):
        """Whether all of it reads nothing but the image."""
        return all(part.only_image for part in self.parts)

    def passed(self, layer):
        """Itself after one more layer, by name."""
        return replace(self, parts=tuple(part.passed(layer) for part in self.parts), softmax=None)


def renumbered(x, shape, places):
    """A tensor of the same numbers; an image again where its positions and channels are those of the parts."""
    result = replace(x, shape=tuple(shape), places=None)
    sizes = {part.shape[:2] for part in x.parts}
    fits = len(shape) == 3 and sizes == {result.shape[:2]} and result.channels[-1][1] == shape[2]
    return result if fits and alike(result.indices(), places) else replace(result, places=tuple(places))


def cut(x, ends):
    """An image whose parts end at these channels."""
    parts = []
    for part, (begin, end) in zip(x.parts, x.channels):
        cuts = [begin, *(cut for cut in ends if begin < cut <= end)]
        parts += [part.channels(first - begin, last - begin) for first, last in pairwise(cuts)]
    return replace(x, parts=tuple(parts))


def alike(some, others):
    return len(some) == len(others) and all(map(np.array_equal, some, others))
