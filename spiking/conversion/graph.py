"""The builder of a converted network: one method for each thing that layers do, from tensors to a tensor.

The module for a framework, such as from_keras.py, walks through a model in the order of computation and calls a short
handler for each layer or operator, which calls methods of `Graph`:

    graph = Graph((28, 28, 1))
    x = graph.attempt("scale", (28, 28, 1), lambda: graph.scale(graph.image, 1 / 255))
    x = graph.attempt("conv", (26, 26, 8), lambda: graph.rectify(graph.convolve(x, kernel)))
    x = graph.attempt("scores", (10,), lambda: graph.dense(graph.flatten(x), matrix))
    graph.finish(x)                                             # raises ValueError with all refusals

Shapes omit the batch and have the channels last: (h, w, channels) for images. For a framework with channels first,
transpose kernels to (h, w, channels of a group, filters) and flatten an image by
`graph.flatten(graph.transpose(x, (2, 0, 1)))`; a transposition only renames positions. Everything is NumPy.

The image holds the pixels themselves, 0 to 255. Only `rectify` and `max_pool` create nodes, which become blocks;
everything else is folded into the inputs of later nodes, see affine.py.
"""

import math
from dataclasses import dataclass, field, replace
from functools import reduce

import numpy as np

from spiking.conversion.affine import Part
from spiking.conversion.composition import Refusal
from spiking.conversion.nodes import Opaque, Rectified, pooled, rectified, unchanged
from spiking.conversion.tensor import Tensor, dilated, multiply_accumulates, windows_of
from spiking.edges import IMAGE


@dataclass
class Graph:
    """The nodes added so far, and what was learned on the way."""

    image_shape: tuple[int, int, int]
    nodes: list = field(default_factory=list)  # the first one is source 1
    refusals: list = field(default_factory=list)  # a sentence each
    multiply_accumulates: int = 0  # of convolutions and dense layers that do not read the image
    layer: str = ""  # the name of the layer that is being added
    scaled: bool = False  # whether a layer says how pixels are scaled
    softmaxes: list = field(default_factory=list)  # names of layers
    output: Tensor | None = None  # the scores; set by `finish`, like `level`
    level: int | None = None  # k of all its quantisers; None without any

    @property
    def image(self):
        return Tensor(self.image_shape, (Part.identity(IMAGE, self.image_shape),))

    def attempt(self, name, shape, handler, *arguments, **settings):
        """Adds the layer `name` by its handler. A refusal is noted, and an opaque tensor takes the result's place.

        Parameters
        ----------
        name : str
        shape : tuple of int or None, the result's shape without the batch; with None, a refusal gives None
        handler : function of the arguments and settings that returns a Tensor or raises Refusal
        """
        self.layer = name
        try:
            return handler(*arguments, **settings)
        except Refusal as error:
            self.refuse(f"layer {name}: {error}")
            return None if shape is None else self.opaque(shape)

    def refuse(self, sentence):
        if sentence not in self.refusals:
            self.refusals.append(sentence)

    def opaque(self, shape):
        """Returns a tensor of which only the shape is known; if not even that is, raises ValueError like `finish`."""
        if None in shape:
            raise ValueError("\n".join(self.refusals))
        image = shape if len(shape) == 3 else (1, 1, math.prod(shape))
        self.nodes.append(Opaque(image))
        return self.reshape(Tensor(image, (Part.identity(len(self.nodes), image),)), shape)

    @property
    def rectifiers(self):
        """Names of the layers whose ReLU ends a block."""
        return {node.layers[-1] for node in self.nodes if isinstance(node, Rectified)}

    # linear layers

    def convolve(self, x, kernel, strides=(1, 1), padding="valid", dilation=(1, 1), groups=1):
        """Convolves an image, without a bias.

        Parameters
        ----------
        kernel : float64 array (h, w, channels of a group, filters)
        padding : "valid", "same" with Keras's placement, or ((top, bottom), (left, right)); negative numbers crop
        dilation : distances between the rows and between the columns that a window reads
        """
        self._need_image(x)
        wide = dilated(kernel, dilation)
        windows = windows_of(x, wide.shape, strides, padding)
        if not x.only_image:
            self.multiply_accumulates += multiply_accumulates(x, kernel, dilation, windows)
        return x.convolved(wide, groups, windows).passed(self.layer)

    def dense(self, x, matrix):
        """Multiplies a vector, or an image at each position, by a matrix (inputs, outputs) in float64."""
        if len(x.shape) == 3:
            return self.convolve(x, matrix[None, None])
        if len(x.shape) != 1:
            raise Refusal(f"a tensor of the shape {x.shape}", "a Flatten layer before it")
        if not x.only_image:
            self.multiply_accumulates += matrix.size
        return x.multiplied(matrix).passed(self.layer)

    def average_pool(self, x, size, strides, padding="valid"):
        """Averages windows; the zeros of the padding count."""
        self._need_image(x)
        windows = windows_of(x, size, strides, padding)
        sums = x.convolved(np.ones((*size, 1, x.shape[2])), x.shape[2], windows)
        return self.scale(sums, 1 / math.prod(size))

    def pad(self, x, padding):
        """Pads an image with zeros, ((top, bottom), (left, right)); negative numbers crop."""
        self._need_image(x)
        windows = windows_of(x, (1, 1), (1, 1), padding)
        parts = tuple(part.framed(*windows) for part in x.parts)
        return Tensor((*map(len, windows), x.shape[2]), parts).passed(self.layer)

    def scale(self, x, factor):
        """Multiplies by a number, or by an array that broadcasts to the tensor's shape."""
        return x.broadcast(Part.scaled, factor).passed(self.layer)

    def shift(self, x, offset):
        """Adds a number, or an array that broadcasts to the tensor's shape."""
        return x.broadcast(Part.shifted, offset).passed(self.layer)

    def rescale(self, x, factor, offset):
        """Returns factor * x + offset. The image must be rescaled before the first ReLU, or its units are unknown."""
        self.scaled |= x.only_image
        return self.shift(self.scale(x, factor), offset)

    def add(self, x, *others, factors=None):
        """Adds tensors of one shape, each multiplied by its factor."""
        tensors = [x, *others]
        if factors:
            tensors = [self.scale(tensor, factor) for tensor, factor in zip(tensors, factors)]
        if len({tensor.shape for tensor in tensors}) > 1:
            shapes = " and ".join(str(tensor.shape) for tensor in tensors)
            raise Refusal(f"tensors of the shapes {shapes}", "one shape")
        if len(x.shape) == 1:  # vectors, perhaps of one position
            tensors = [self.reshape(tensor, (1, 1, -1)) for tensor in tensors]
        return self.reshape(reduce(Tensor.plus, tensors), x.shape).passed(self.layer)

    def concatenate(self, tensors, axis=-1):
        """Concatenates images along the channels, or vectors."""
        rank = len(tensors[0].shape)
        if axis % rank != rank - 1 or len({tensor.shape[:-1] for tensor in tensors}) > 1:
            shapes = ", ".join(str(tensor.shape) for tensor in tensors)
            raise Refusal(f"a concatenation of the shapes {shapes} along another axis", "one along the channels")
        parts = sum((tensor.parts for tensor in tensors), ())
        shape = (*tensors[0].shape[:-1], sum(tensor.shape[-1] for tensor in tensors))
        if all(tensor.places is None for tensor in tensors):
            return Tensor(shape, parts).passed(self.layer)
        if rank != 1:
            raise Refusal(f"tensors of the shape {tensors[0].shape}", "images or vectors")
        places, begin = [], 0
        for tensor in tensors:
            places += [index + begin for index in tensor.indices()]
            begin += tensor.shape[0]
        return Tensor(shape, parts, tuple(places)).passed(self.layer)

    # layers that rename positions

    def reshape(self, x, shape):
        """Keeps the numbers and their order; one size may be -1."""
        known = math.prod(size for size in shape if size != -1)
        shape = tuple(math.prod(x.shape) // known if size == -1 else int(size) for size in shape)
        return x if shape == x.shape else x.renumbered(shape, x.indices())

    def flatten(self, x):
        return self.reshape(x, (-1,))

    def transpose(self, x, order):
        """Reorders the axes, as numpy.transpose does."""
        if tuple(order) == tuple(range(len(x.shape))):
            return x
        numbers = np.arange(math.prod(x.shape)).reshape(x.shape).transpose(order)
        moved_to = np.argsort(numbers, axis=None)  # the new index of each old one
        return x.renumbered(numbers.shape, tuple(moved_to[places] for places in x.indices()))

    # layers that create nodes

    def rectify(self, x, max_value=None):
        """Applies a ReLU, bounded by max_value; each part becomes a block."""
        if not self.scaled and any(part.only_image for part in x.parts):
            expected = "a Rescaling layer: Rescaling(1 / 255), say, or Rescaling(1) for pixels as they are"
            raise Refusal("pixels from 0 to 255 that no layer before it scales", expected)
        if max_value is not None and math.isinf(max_value):
            max_value = None
        if max_value is not None and not max_value > 0:
            raise Refusal(f"max_value={max_value}", "above 0")
        parts = tuple(rectified(self.nodes, part, max_value, self.layer) for part in x.parts)
        return replace(x, parts=parts, softmax=None)

    def max_pool(self, x, size, strides, padding="valid"):
        """Takes the largest number of each window. This padding never counts as the largest, unlike that of `pad`."""
        self._need_image(x)
        if tuple(size) == (1, 1):
            return self.average_pool(x, size, strides, padding)
        rows, columns = windows_of(x, size, strides, padding)
        parts = tuple(pooled(self.nodes, part, tuple(size), rows, columns, self.layer) for part in x.parts)
        return Tensor((len(rows), len(columns), x.shape[2]), parts)

    def quantize(self, x, level):
        """Applies the median quantiser of level k to the output of a ReLU, which may have been pooled."""
        parts = []
        for part in x.parts:
            term = part.terms[0]
            if term.source == IMAGE or not unchanged(part):
                raise Refusal("no ReLU before it", "a MedianQuantizer right after a ReLU")
            if term.level not in (None, level):
                raise Refusal(f"a second quantiser, with k={level}", f"k={term.level}, as in the first")
            parts.append(replace(part, terms=(replace(term, level=level),)).passed(self.layer))
        return replace(x, parts=tuple(parts), softmax=None)

    def softmax(self, x, axis=-1):
        """Notes a softmax over all numbers, which `finish` allows only last: there it changes no prediction."""
        if x.shape[axis] != math.prod(x.shape):
            found = f"a softmax over {x.shape[axis]} of {math.prod(x.shape)} numbers at a time"
            raise Refusal(found, "one over all scores")
        self.softmaxes.append(self.layer)
        return replace(x, softmax=self.layer)

    def finish(self, scores):
        """Sets the output; raises ValueError with a line for each refusal."""
        for name in self.softmaxes:
            if scores is not None and scores.softmax != name:
                self.refuse(f"layer {name}: found a softmax with layers after it, expected it last")
        if scores is not None and max(scores.shape) != math.prod(scores.shape):
            found = f"found scores of the shape {scores.shape}"
            self.refuse(f"{found}, expected a vector, as a Dense layer at the end gives")
        if scores is not None and any(part.waits for part in scores.parts):
            self.refuse("found scores that end with a max pooling or padding, expected a Dense layer at the end")
        if not self.nodes:
            self.refuse("found no ReLU, expected at least one")
        elif scores is not None and any(term.source == IMAGE for part in scores.parts for term in part.terms):
            self.refuse("found scores that read the image with no ReLU in between, expected a ReLU on every path")
        if not self.refusals:
            self._check_use(scores)
            self.level = self._common_level(scores)
        if self.refusals:
            raise ValueError("\n".join(self.refusals))
        self.output = scores

    # checks of the whole graph

    def _check_use(self, scores):
        read = {term.source for part in scores.parts for term in part.terms}
        read.update(source for node in self.nodes for source in node.sources)
        for number, node in enumerate(self.nodes, start=1):
            if number not in read:
                self.refuse(f"layer {node.layers[-1]}: found no layer that reads it, expected a model without it")

    def _common_level(self, scores):
        """Returns the level of all quantisers, or None without any; refuses activations with a different one."""
        parts = [node.part for node in self.nodes if not node.scale_of] + list(scores.parts)
        levels = {}  # an ordered set of (name of the ReLU, level)
        for term in (term for part in parts for term in part.terms if term.source != IMAGE):
            node = self.nodes[term.source - 1]
            while node.scale_of:
                node = self.nodes[node.scale_of - 1]
            levels[node.layers[-1], term.level] = None
        first, common = next(((name, level) for name, level in levels if level is not None), (None, None))
        for name, level in levels:
            if level != common:
                found = "no MedianQuantizer" if level is None else f"a MedianQuantizer with k={level}"
                expected = f"one with k={common}, as after layer {first}"
                self.refuse(f"layer {name}: found {found} after it, expected {expected}")
        return common

    @staticmethod
    def _need_image(x):
        if x.places is not None:
            expected = "an image (h, w, channels) whose axes earlier layers have not reordered"
            raise Refusal(f"a tensor of the shape {x.shape} that is no longer an image", expected)
