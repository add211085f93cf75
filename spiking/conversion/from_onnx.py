"""Turns an ONNX file into a Graph, node by node; the table in onnx_operators.py has a handler for each operator.

The folding is done in float64. All nodes that blocks cannot compute are reported at once, by name.

ONNX puts channels first. Here, a tensor with three axes besides the batch is kept in the builder's order, (h, w,
channels), and any other tensor as it is. `channels_first` restores ONNX's order where a reshape depends on it.
"""

import numpy as np

from spiking.conversion.composition import Refusal
from spiking.conversion.graph import Graph
from spiking.conversion.onnx_arguments import limited, require_tensor
from spiking.conversion.onnx_files import OnnxFile, legible
from spiking.conversion.onnx_operators import ANY_TENSOR, OF_CONSTANTS, OPERATORS, unknown
from spiking.conversion.tensor import Tensor

UNKNOWN = object()  # a tensor of unknown shape, computed by a node that was refused


def fold(path, scale, offset=0):
    """Returns the finished Graph of an ONNX file.

    Parameters
    ----------
    path : str or Path
        Its network maps one image (n, channels, h, w) to one vector of scores.
    scale, offset : float, or sequence of one for each channel
        The network expects scale * pixel + offset, where pixels are 0 to 255.

    Raises
    ------
    ValueError
        The file cannot be read, or something in it cannot be converted; each such node has a line that says what to
        use instead.
    OSError
        The file is missing or unreadable.
    """
    file = OnnxFile(path)
    graph = Graph(limited(file.image_shape))
    numbers = by_channel(file.image_shape, scale=scale, offset=offset)
    image = graph.attempt(legible(file.image_name), file.image_shape, graph.rescale, graph.image, *numbers)
    scores = _Walk(file, graph).result(image)
    if scores is not UNKNOWN and not isinstance(scores, Tensor):
        graph.refuse("found scores that do not depend on the image, expected a network that reads its input")
    graph.finish(scores if isinstance(scores, Tensor) else None)
    return graph


def by_channel(shape, **numbers):
    """Returns the arguments as float64 arrays, each of one number or one for each channel of `shape`."""
    arrays = []
    for name, values in numbers.items():
        values = np.asarray(values, np.float64)
        if values.shape not in ((), (1,), shape[2:]) or not np.all(np.isfinite(values)):
            expected = "one finite number" + (f", or {shape[2]}, one for each channel" if shape[2] > 1 else "")
            raise ValueError(f"{name}: found {np.array2string(values, threshold=6)}, expected {expected}")
        arrays.append(values)
    return arrays


class _Walk:
    """Evaluates the nodes in the order of the file."""

    def __init__(self, file, graph):
        self.file, self.graph = file, graph
        self.read = {file.scores_name, *(name for node in file.nodes for name in node.inputs)}
        self.shapes = None  # of all tensors, as ONNX infers them; looked up only once something is refused

    def result(self, image):
        """The scores: a Tensor, an array, or UNKNOWN."""
        tensors = {self.file.image_name: image, "": None}
        for node in self.file.nodes:
            tensors[node.outputs[0]] = self.graph.attempt(node.label, None, self._computed, node, tensors)
            if tensors[node.outputs[0]] is None:
                tensors[node.outputs[0]] = self._opaque(node.outputs[0])
            for name in node.outputs[1:]:
                tensors[name] = UNKNOWN
                if name in self.read:
                    found = f"found a use of its output {legible(name)}"
                    self.graph.refuse(f"layer {node.label}: {found}, expected uses of its first output only")
        return tensors[self.file.scores_name]

    def _computed(self, node, tensors):
        if node.operator not in OPERATORS and node.operator not in OF_CONSTANTS:
            raise unknown(node)
        self.file.check(node)
        inputs = [tensors[name] if name in tensors else self.file.array(name) for name in node.inputs]
        if any(value is UNKNOWN for value in inputs):
            return UNKNOWN
        if not any(isinstance(value, Tensor) for value in inputs):
            if node.operator not in OF_CONSTANTS:
                raise Refusal("only constant inputs", "one that depends on the image")
            return self.file.computed(node, inputs)
        if node.operator not in OPERATORS:
            raise unknown(node)
        if node.operator not in ANY_TENSOR:
            require_tensor(inputs[0])
        result = OPERATORS[node.operator](self.graph, node, *inputs)
        limited(result.shape)
        return result

    def _opaque(self, name):
        if self.shapes is None:
            self.shapes = self.file.shapes()
        if not (shape := self.shapes.get(name)):
            return UNKNOWN
        return self.graph.opaque((*shape[1:], shape[0]) if len(shape) == 3 else shape)
