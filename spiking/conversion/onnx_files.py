"""Reads ONNX files, within limits, as lists of nodes. Nothing in a file is executed, and arrays are read on demand.

The sizes of all arrays are checked before the numbers of any are read. Numbers may be stored in separate files, which
must be in the folder of the ONNX file.
"""

import math
import os
import stat
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from spiking.conversion.composition import Refusal

try:
    import onnx
except ImportError as error:
    raise ImportError(f"ONNX files need the package onnx ({error}): pip install onnx") from None
from google.protobuf.message import DecodeError
from onnx import TensorProto, helper, numpy_helper
from onnx.reference import ReferenceEvaluator

EXPECTED = "expected an ONNX file of a network, as torch.onnx.export writes it"
MAX_FILE = (1 << 31) - 1  # bytes, the limit of a protobuf message
MAX_ARRAYS = 1 << 28  # numbers in all arrays together
OPSETS = range(7, onnx.defs.onnx_opset_version() + 1)  # since opset 7, Add and Mul broadcast as NumPy does
KINDS = TensorProto.DataType.values()  # of numbers in an array
FLOATS = (TensorProto.FLOAT, TensorProto.DOUBLE, TensorProto.FLOAT16, TensorProto.BFLOAT16)


@dataclass(frozen=True)
class Node:
    """One use of an operator in a file."""

    number: int  # its position in the file, >= 1
    operator: str
    settings: dict  # its attributes, by name
    inputs: tuple[str, ...]  # names of tensors; "" for an input that is left out
    outputs: tuple[str, ...]
    opset: int  # the version of the operators' definitions
    proto: onnx.NodeProto

    @property
    def label(self):
        """Name, operator and position, for messages."""
        name = self.proto.name or next(iter(self.outputs), "")
        return f"{legible(name)} ({legible(self.operator)}, node {self.number})"


class OnnxFile:
    """The content of an ONNX file.

    Attributes
    ----------
    model : onnx.ModelProto
    opset : int
    image_name, scores_name : str
        The network's input and output tensor.
    image_shape : tuple of int, (h, w, channels)
    image_dtype : NumPy dtype
    batch : int or None
        How many images the network takes at a time, if the file fixes this.
    nodes : list of Node
        The nodes that the scores depend on.
    """

    def __init__(self, path):
        path = Path(path)
        self.model, self.folder = _parsed(path), path.parent
        self.opset = _opset(self.model)
        self._arrays = {array.name: array for array in self.model.graph.initializer}
        self._check_arrays()
        self.image_name, self.image_shape, self.image_dtype, self.batch = self._image()
        outputs = self.model.graph.output
        if len(outputs) != 1:
            raise ValueError(f"found {len(outputs)} outputs, expected one, the scores")
        self.scores_name = outputs[0].name
        self.nodes = self._needed_nodes()

    def array(self, name):
        """Returns the constant of this name, or None if there is none; raises Refusal if it is not numeric."""
        return self.numbers_of(self._arrays[name]) if name in self._arrays else None

    def numbers_of(self, array):
        """Returns a TensorProto as a NumPy array."""
        if _item_size(array) is None:
            raise Refusal(f"an array of {_kind_name(array.data_type)}", "floats or integers")
        return numpy_helper.to_array(array, os.fspath(self.folder))

    def shapes(self):
        """Returns the known shapes of tensors, by name, in ONNX's order and without the batch."""
        graph = self.model.graph
        with suppress(onnx.shape_inference.InferenceError, ValueError):  # the model is damaged, or too large for it
            graph = onnx.shape_inference.infer_shapes(self.model, data_prop=True).graph
        shapes = {}
        for value in (*graph.value_info, *graph.output):
            dimensions = value.type.tensor_type.shape.dim
            sizes = tuple(dimension.dim_value for dimension in dimensions)[1:]
            if value.type.tensor_type.HasField("shape") and dimensions and all(size > 0 for size in sizes):
                shapes[value.name] = sizes
        return shapes

    def check(self, node):
        """Raises Refusal unless a node's inputs and attributes are valid for its operator."""
        context = onnx.checker.C.CheckerContext()
        context.ir_version, context.opset_imports = self.model.ir_version, {"": self.opset}
        try:
            onnx.checker.check_node(node.proto, context)
        except onnx.checker.ValidationError as error:
            found = legible(str(error).splitlines()[0], 200)
            raise Refusal(f"a node that ONNX does not allow: {found}", f"a valid one of opset {self.opset}") from None

    def computed(self, node, inputs):
        """Evaluates a node on constants (None for one that is left out); raises Refusal if that fails."""
        if node.operator == "Constant" and "value" in node.settings:
            return self.numbers_of(node.settings["value"])
        arrays = {name: value for name, value in zip(node.inputs, inputs) if value is not None}
        largest = math.prod(max(1, array.size) for array in arrays.values())
        if node.operator == "ConstantOfShape":
            largest = math.prod(map(int, inputs[0].reshape(-1)))
        if largest > MAX_ARRAYS:
            raise Refusal(f"constants of up to {largest:,} numbers", f"at most {MAX_ARRAYS:,}")
        try:
            return ReferenceEvaluator(_alone(node)).run(None, arrays)[0]
        except Exception as error:  # of any kind, if the arrays are invalid for the operator
            found = legible(" ".join(str(error).split()), 200)
            raise Refusal(f"constants that it cannot take ({found})", "valid ones") from None

    def _check_arrays(self):
        arrays = list(self._arrays.values())
        for node in self.model.graph.node:
            arrays += [attribute.t for attribute in node.attribute if attribute.HasField("t")]
        numbers = 0
        for array in arrays:
            if any(size < 0 for size in array.dims):
                raise ValueError(f"array {legible(array.name)}: found the shape {list(array.dims)}, {EXPECTED}")
            numbers += math.prod(array.dims)
            if numbers > MAX_ARRAYS:
                raise ValueError(f"found arrays of at least {numbers:,} numbers, expected at most {MAX_ARRAYS:,}")
            self._check_size(array)

    def _check_size(self, array):
        """Raises ValueError unless an array has as many numbers as its shape says."""
        count, item_size = math.prod(array.dims), _item_size(array)
        if item_size is None:  # numbers_of never reads it
            return
        if array.data_location == TensorProto.EXTERNAL:
            self._check_external(array, count * item_size)
            return
        if array.HasField("raw_data"):
            found, expected = f"{len(array.raw_data)} bytes", f"{count * item_size} bytes"
        else:
            found = f"{len(getattr(array, helper.tensor_dtype_to_field(array.data_type)))} numbers"
            expected = f"{count} numbers"
        if found != expected:
            raise ValueError(f"array {legible(array.name)}: found {found}, expected {expected}")

    def _check_external(self, array, size):
        """Raises ValueError unless its bytes are in a file in or below the model's folder."""
        settings = {entry.key: entry.value for entry in array.external_data}
        location, name = settings.get("location", ""), f"array {legible(array.name)}"
        folder, quoted = self.folder.resolve(), f"'{legible(location)}'"
        try:
            path = (folder / location).resolve()
            inside = not Path(location).is_absolute() and path.is_relative_to(folder)
        except (OSError, ValueError, RuntimeError):  # an impossible name, or a loop of links
            inside = False
        if not inside:
            raise ValueError(f"{name}: found its numbers in {quoted}, expected a file in the folder of the ONNX file")
        if not path.is_file():
            raise ValueError(f"{name}: found no file {quoted} in the folder of the ONNX file, expected it")
        begin, length = settings.get("offset", "0"), settings.get("length", str(size))
        try:
            fits = int(begin) >= 0 and int(length) == size and int(begin) + size <= path.stat().st_size
        except ValueError:
            fits = False
        if not fits:
            found = f"found {legible(length)} bytes at offset {legible(begin)} in {quoted}"
            raise ValueError(f"{name}: {found}, which has {path.stat().st_size}, expected {size} bytes inside it")

    def _image(self):
        """Returns the name, shape (h, w, channels), dtype and batch size of the only input."""
        inputs = [value for value in self.model.graph.input if value.name not in self._arrays]
        if len(inputs) != 1:
            raise ValueError(f"found {len(inputs)} inputs, expected one, the image")
        kind = inputs[0].type.tensor_type
        sizes = [dimension.dim_value or dimension.dim_param or "?" for dimension in kind.shape.dim]
        text = f"({', '.join(map(str, sizes))})"
        if len(sizes) != 4 or not all(isinstance(size, int) and size > 0 for size in sizes[1:]):
            hint = " with fixed c, h and w" if len(sizes) == 4 else ""
            hint = ": put nn.Unflatten or nn.Flatten before the network" if len(sizes) == 2 else hint
            raise ValueError(f"input {legible(inputs[0].name)}: found the shape {text}, expected (n, c, h, w){hint}")
        if kind.elem_type not in FLOATS:
            raise ValueError(f"input {legible(inputs[0].name)}: found {_kind_name(kind.elem_type)}, expected floats")
        channels, height, width = sizes[1:]
        if width <= 4 < min(channels, height):
            expected = "(n, c, h, w): export it with the channels first (tf2onnx: --inputs-as-nchw)"
            raise ValueError(f"input {legible(inputs[0].name)}: found the shape {text}, expected {expected}")
        batch = sizes[0] if isinstance(sizes[0], int) and sizes[0] > 0 else None
        dtype = helper.tensor_dtype_to_np_dtype(kind.elem_type)
        return inputs[0].name, (height, width, channels), dtype, batch

    def _needed_nodes(self):
        names, nodes = {self.scores_name}, []
        for number, proto in reversed(list(enumerate(self.model.graph.node, start=1))):
            if names.isdisjoint(proto.output):
                continue
            names.update(proto.input)
            operator = proto.op_type if proto.domain in ("", "ai.onnx") else f"{proto.domain}.{proto.op_type}"
            settings = {attribute.name: helper.get_attribute_value(attribute) for attribute in proto.attribute}
            nodes.append(Node(number, operator, settings, tuple(proto.input), tuple(proto.output), self.opset, proto))
        nodes.reverse()
        given = {"", self.image_name, *self._arrays}
        for node in nodes:
            missing = [name for name in node.inputs if name not in given]
            if missing:
                found = f"found the input {legible(missing[0])}, which no earlier node computes"
                raise ValueError(f"layer {node.label}: {found}, {EXPECTED}")
            given.update(node.outputs)
        if self.scores_name not in given:
            raise ValueError(f"found no node that computes the output {legible(self.scores_name)}, {EXPECTED}")
        return nodes


def _parsed(path):
    with open(path, "rb") as file:
        status = os.fstat(file.fileno())
        if not stat.S_ISREG(status.st_mode):
            raise ValueError(f"is not a regular file, {EXPECTED}")
        if status.st_size > MAX_FILE:
            raise ValueError(f"has {status.st_size:,} bytes, expected at most {MAX_FILE:,}")
        try:
            model = onnx.ModelProto.FromString(file.read())
        except DecodeError:
            raise ValueError(f"is damaged or not an ONNX file, {EXPECTED}") from None
    if not model.graph.node:
        raise ValueError(f"holds no network, {EXPECTED}")
    return model


def _opset(model):
    versions = [entry.version for entry in model.opset_import if entry.domain in ("", "ai.onnx")]
    if len(versions) != 1 or versions[0] not in OPSETS:
        found = " and ".join(map(str, versions)) or "none"
        raise ValueError(f"opset of the operators: found {found}, expected one from {OPSETS[0]} to {OPSETS[-1]}")
    return versions[0]


def _alone(node):
    """Returns a model of one Node, since ReferenceEvaluator takes the opset from a model."""
    inputs, outputs = (
        [helper.make_tensor_value_info(name, TensorProto.UNDEFINED, None) for name in names if name]
        for names in (dict.fromkeys(node.inputs), node.outputs[:1])
    )
    graph = helper.make_graph([node.proto], "", inputs, outputs)
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", node.opset)])


def _item_size(array):
    """Returns the bytes per number of an array, or None for kinds that are not read: text, 4-bit numbers etc."""
    if array.data_type not in KINDS or array.data_type in (TensorProto.UNDEFINED, TensorProto.STRING):
        return None
    dtype = helper.tensor_dtype_to_np_dtype(array.data_type)
    return dtype.itemsize if dtype.kind in "fiub" or array.data_type == TensorProto.BFLOAT16 else None


def _kind_name(kind):
    return TensorProto.DataType.Name(kind) if kind in KINDS else f"kind {kind}"


def legible(text, most=80):
    """Returns text from a file in a form fit for a message: escaped unless printable, and shortened."""
    text = str(text)
    text = text if text.isprintable() else ascii(text)[1:-1]
    return text if len(text) <= most else f"{text[:most]}..."
