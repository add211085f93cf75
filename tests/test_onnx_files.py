"""What is no ONNX file, or one beyond limits, is refused before any array is read; with one line."""

import subprocess
import sys
from contextlib import suppress

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from onnx import TensorProto, helper, numpy_helper

from spiking.conversion import convert, onnx_files
from tests.helpers import ROOT
from tests.onnx_graphs import Net
from tests.test_onnx_refusals import refusals

pytestmark = pytest.mark.filterwarnings("ignore:no quantiser was trained")


@pytest.fixture
def model():
    """A network, small and good."""
    net = Net((1, 6, 6))
    return net.classified(net.rectified(filters=2))


def message(tmp_path, content, **settings):
    """The only line in which a file of this content is refused."""
    (line,) = refusals(tmp_path, content, **settings)
    return line


def outside(array, **settings):
    """Puts the numbers of an array into a file of its own, so it says."""
    array.ClearField("raw_data")
    array.data_location = TensorProto.EXTERNAL
    for key, value in settings.items():
        array.external_data.add(key=key, value=str(value))


@pytest.mark.parametrize("content", [b"", b"\x00" * 100, b"PK\x03\x04" + b"\x01" * 50, b"no model\n"])
def test_what_is_no_onnx_file_is_refused(tmp_path, content):
    assert "expected an ONNX file of a network" in message(tmp_path, content)


def test_a_file_that_ends_early_is_refused(tmp_path, model):
    assert "damaged" in message(tmp_path, model.SerializeToString()[:-10])


@settings(max_examples=50)
@given(st.integers(0, 10**6), st.integers(0, 255))
def test_damage_leads_to_a_network_or_to_a_message(tmp_path_factory, place, byte):
    """Nothing but ValueError or OverflowError, wherever a byte is another one."""
    net = Net((1, 4, 4))
    content = bytearray(net.classified(net.rectified(filters=2)).SerializeToString())
    content[place % len(content)] = byte
    path = tmp_path_factory.getbasetemp() / "damaged.onnx"
    path.write_bytes(content)
    with suppress(ValueError, OverflowError):
        assert convert(path, 3, scale=1 / 255).network.classifier.classes == 3


def test_a_device_is_refused(tmp_path):
    path = tmp_path / "zero.onnx"
    path.symlink_to("/dev/zero")
    with pytest.raises(ValueError, match="not a regular file"):
        convert(path, 3, scale=1)


def test_a_large_file_is_refused_before_it_is_read(tmp_path):
    path = tmp_path / "my.onnx"
    with open(path, "wb") as file:
        file.truncate(onnx_files.MAX_FILE + 1)
    with pytest.raises(ValueError, match="bytes, expected at most"):
        convert(path, 3, scale=1)


def test_arrays_beyond_the_limit_are_refused_before_they_are_read(tmp_path, model):
    model.graph.initializer[0].dims[0] = 2**40
    assert "expected at most 268,435,456" in message(tmp_path, model)


@pytest.mark.parametrize(
    ("dims", "expected"), [((2, 1, 2, 3), "found 64 bytes, expected 96 bytes"), ((-2, 1, 2, 2), "found the shape")]
)
def test_an_array_of_another_size_than_its_shape_is_refused(tmp_path, model, dims, expected):
    model.graph.initializer[0].dims[:] = dims
    assert expected in message(tmp_path, model)


def test_numbers_that_are_written_one_by_one_are_read(tmp_path, model):
    def weights():
        path = tmp_path / "my.onnx"
        path.write_bytes(model.SerializeToString())
        return convert(path, 3, scale=1 / 255).weights["conv1/W"]

    expected, array = weights(), model.graph.initializer[0]
    numbers = numpy_helper.to_array(array)
    array.CopyFrom(helper.make_tensor(array.name, array.data_type, numbers.shape, numbers.ravel()))
    assert not array.HasField("raw_data")
    np.testing.assert_array_equal(weights(), expected)
    del array.double_data[-1]
    assert f"found {numbers.size - 1} numbers, expected {numbers.size} numbers" in message(tmp_path, model)


@pytest.mark.parametrize(
    ("before", "settings"), [(b"12345678", {"offset": 8, "length": 64}), (b"", {"offset": 0}), (b"", {})]
)
def test_numbers_in_a_file_beside_are_read(tmp_path, model, before, settings):
    path, array = tmp_path / "my.onnx", model.graph.initializer[0]
    path.write_bytes(model.SerializeToString())
    expected = convert(path, 3, scale=1 / 255).weights
    (tmp_path / "more").mkdir()
    (tmp_path / "more" / "my.data").write_bytes(before + array.raw_data)
    outside(array, location="more/my.data", **settings)
    path.write_bytes(model.SerializeToString())
    found = convert(path, 3, scale=1 / 255).weights
    assert all(np.array_equal(found[key], expected[key]) for key in expected)


@pytest.mark.parametrize("location", ["../secret", "{}/secret", "linked", "folder/../../secret", "a\0b"])
def test_numbers_outside_the_folder_are_refused_before_they_are_read(tmp_path, model, location):
    secret = tmp_path / "secret"
    secret.write_bytes(b"\x00" * 64)
    folder = tmp_path / "folder"
    folder.mkdir()
    (folder / "linked").symlink_to(secret)
    location = location.format(tmp_path)
    outside(model.graph.initializer[0], location=location)
    found = f"array array0: found its numbers in '{location}'".replace("\0", r"\x00")
    assert message(folder, model) == f"{found}, expected a file in the folder of the ONNX file"


@pytest.mark.parametrize(
    ("settings", "expected"),
    [
        ({"location": "absent"}, "found no file 'absent' in the folder of the ONNX file, expected it"),
        ({"location": ""}, "found no file '' in the folder of the ONNX file, expected it"),
        ({}, "found no file '' in the folder of the ONNX file, expected it"),
        ({"location": "short"}, "found 64 bytes at offset 0 in 'short', which has 63, expected 64 bytes inside it"),
        (
            {"location": "long", "offset": 64},
            "found 64 bytes at offset 64 in 'long', which has 100, expected 64 bytes inside it",
        ),
        (
            {"location": "long", "offset": -1},
            "found 64 bytes at offset -1 in 'long', which has 100, expected 64 bytes inside it",
        ),
        (
            {"location": "long", "length": 10},
            "found 10 bytes at offset 0 in 'long', which has 100, expected 64 bytes inside it",
        ),
        (
            {"location": "long", "offset": "many"},
            "found 64 bytes at offset many in 'long', which has 100, expected 64 bytes inside it",
        ),
    ],
)
def test_a_file_beside_that_does_not_hold_the_numbers_is_refused(tmp_path, model, settings, expected):
    (tmp_path / "short").write_bytes(b"\x00" * 63)
    (tmp_path / "long").write_bytes(b"\x00" * 100)
    outside(model.graph.initializer[0], **settings)
    assert message(tmp_path, model) == f"array array0: {expected}"


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        (lambda model: model.opset_import[0].__setattr__("version", 6), "found 6, expected one from 7 to"),
        (lambda model: model.opset_import[0].__setattr__("version", 999), "found 999, expected one from 7 to"),
        (lambda model: model.opset_import.pop(), "opset of the operators: found none"),
        (lambda model: model.graph.output.add(name="relu1"), "found 2 outputs, expected one"),
        (lambda model: model.graph.input.add(name="other"), "found 2 inputs, expected one"),
        (
            lambda model: model.graph.output[0].__setattr__("name", "nobody"),
            "found no node that computes the output nobody",
        ),
        (lambda model: model.graph.node[1].input.__setitem__(0, "nobody"), "found the input nobody, which"),
        (lambda model: model.graph.node.insert(0, model.graph.node.pop()), "which no earlier node computes"),
        (
            lambda model: shape_of(model, [None, 1, "h", 6]),
            "(?, 1, h, 6), expected (n, c, h, w) with fixed c, h and w",
        ),
        (lambda model: shape_of(model, [None, 6, 6, 1]), "expected (n, c, h, w): export it with the channels first"),
        (
            lambda model: shape_of(model, [None, 36]),
            "(?, 36), expected (n, c, h, w): put nn.Unflatten or nn.Flatten",
        ),
        (
            lambda model: shape_of(model, [None, 6, 6]),
            "input image: found the shape (?, 6, 6), expected (n",
        ),
        (lambda model: shape_of(model, [1, 1, 6, 6], TensorProto.UINT8), "found UINT8, expected floats"),
        (lambda model: shape_of(model, [1, 1, 6, 6], 99), "found kind 99, expected floats"),
    ],
)
def test_a_network_that_is_not_of_one_image_and_one_vector_is_refused(tmp_path, model, change, expected):
    change(model)
    assert expected in message(tmp_path, model)


def shape_of(model, shape, kind=TensorProto.FLOAT):
    model.graph.input[0].CopyFrom(helper.make_tensor_value_info("image", kind, shape))


@pytest.mark.parametrize(
    ("settings", "expected"),
    [
        ({"scale": None}, "expected one, such as scale=1 / 255"),
        ({"scale": [1, 2]}, "scale: found [1. 2.], expected one finite number"),
        ({"offset": np.nan}, "offset: found nan, expected one finite number"),
    ],
)
def test_onnx_files_need_the_scale_of_pixels(tmp_path, model, settings, expected):
    assert expected in message(tmp_path, model, **settings)


def test_a_name_that_cannot_be_printed_stays_on_one_line(tmp_path, model):
    model.graph.node[1].name = "a\nb\x1b[31m"
    model.graph.node[1].op_type = "Tanh" * 100
    assert refusals(tmp_path, model)[0].startswith(r"layer a\nb\x1b[31m (TanhTanh")


def test_an_array_of_text_is_refused_by_the_node_that_reads_it(tmp_path, model):
    model.graph.initializer[1].CopyFrom(numpy_helper.from_array(np.array(["a"], object), "array1"))
    expected = "layer conv0 (Conv, node 1): found an array of STRING, expected floats or integers"
    assert expected in refusals(tmp_path, model)


def test_without_the_package_onnx_one_line_says_so():
    convert = "from spiking.conversion import convert; convert('my.onnx', 1, scale=1)"
    code = f"import sys; sys.modules['onnx'] = None; {convert}"
    process = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True)
    assert process.stderr.splitlines()[-1].startswith("ImportError: ONNX files need the package onnx (")
    assert process.stderr.endswith("): pip install onnx\n")


def test_another_file_is_refused():
    with pytest.raises(ValueError, match=r"found my\.pt, expected an ONNX file"):
        convert("my.pt", 3, scale=1)
