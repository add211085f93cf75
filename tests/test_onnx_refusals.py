"""Which operators of ONNX files are refused, by node and operator and position, and what to use instead."""

import re

import numpy as np
import pytest
from onnx import TensorProto, shape_inference

from spiking.conversion import convert
from spiking.conversion.composition import Refusal
from spiking.conversion.onnx_arguments import limited
from tests.onnx_graphs import Net
from tests.onnx_refused import REFUSED
from tests.onnx_refused_nets import NETS

pytestmark = pytest.mark.filterwarnings("ignore:no quantiser was trained")


def model_around(build, opset=13):
    """A network with something between a ReLU (4, 6, 5) and the classifier."""
    net = Net((2, 7, 6), opset)
    x = build(net, net.rectified(filters=4))
    x = net.add("Relu", net.product(net.add("Flatten", x), 5))
    return net.model(net.product(x, 3))


def refusals(folder, content, **settings):
    """The lines in which a file of this content, a ModelProto or bytes, is refused."""
    path = folder / "my.onnx"
    path.write_bytes(content if isinstance(content, bytes) else content.SerializeToString())
    with pytest.raises(ValueError, match="expected") as caught:
        convert(path, 3, **({"scale": 1 / 255} | settings))
    lines = str(caught.value).splitlines()
    assert not any(re.search("(found|expected) None", line) for line in lines)
    return lines


@pytest.mark.parametrize(
    ("operator", "inputs", "settings", "expected"), REFUSED, ids=[f"{row[0]} {row[3]}"[:60] for row in REFUSED]
)
def test_what_blocks_do_not_compute_is_refused_by_its_name(tmp_path, operator, inputs, settings, expected):
    model = model_around(lambda net, x: net.put(operator, x, *(name(net) for name in inputs), **settings))
    name = f"layer {operator.lower()}2 ({operator}, node 3): "
    lines = refusals(tmp_path, model)
    assert name + expected in lines


@pytest.mark.parametrize(("opset", "build", "expected"), NETS, ids=[row[2][:60] for row in NETS])
def test_combinations_that_blocks_cannot_compute_are_refused(tmp_path, opset, build, expected):
    assert expected in refusals(tmp_path, model_around(build, opset))


def test_a_size_of_0_stands_for_the_old_one_only_where_the_file_does_not_say_otherwise(tmp_path):
    def model(**settings):
        return model_around(lambda net, x: net.put("Reshape", x, net.integers(-1, 0, 30), **settings), opset=14)

    expected = "found the shape (-1, 0, 30) for (4, 6, 5), expected the batch first, then sizes that hold one image"
    assert refusals(tmp_path, model(allowzero=1)) == [f"layer reshape2 (Reshape, node 3): {expected}"]
    (tmp_path / "my.onnx").write_bytes(model().SerializeToString())
    assert convert(tmp_path / "my.onnx", 3, scale=1).network.blocks


def test_tensors_have_at_most_so_many_numbers_that_their_arrays_fit_into_memory():
    assert limited((4, 1 << 22)) == (4, 1 << 22)
    with pytest.raises(Refusal, match=re.escape("a tensor of the shape (1, 16777217), expected at most 16,777,216")):
        limited((1, (1 << 24) + 1))


def test_all_refusals_come_at_once_also_behind_one_whose_shape_nobody_knows(tmp_path):
    net = Net((1, 6, 6))
    x = net.put("Mystery", net.put("Sigmoid", net.convolve("image", 2, (2, 2))), domain="com.mine")
    lines = refusals(tmp_path, net.model(net.product(net.put("Tanh", net.add("Flatten", x)), 3)))
    assert [line.split(":")[0] for line in lines] == [
        "layer sigmoid1 (Sigmoid, node 2)",
        "layer mystery2 (com.mine.Mystery, node 3)",
        "layer tanh4 (Tanh, node 5)",
        "found no ReLU, expected at least one",
    ]


BEHIND = {  # what blocks cannot compute, and the message of an addition behind it, which the shape decides
    "Sigmoid": (
        lambda net, x: net.put("Sigmoid", x),
        "layer add3 (Add, node 4): found numbers of the shape (1, 3, 1) for (6, 5, 4), expected one, "
        "or one for each channel",
    ),
    "one channel": (
        lambda net, x: net.put("Sigmoid", net.convolve(x, 1, (1, 1))),
        "layer add4 (Add, node 5): found numbers of the shape (1, 3, 1) for (6, 5, 1), expected one, "
        "or one for each channel",
    ),
    "a vector": (
        lambda net, x: net.put("Sigmoid", net.add("Flatten", x)),
        "layer add4 (Add, node 5): found numbers of the shape (3,) for (120,), expected one, or one for each channel",
    ),
    "a shape that nodes compute": (
        lambda net, x: net.put("Expand", x, net.add("Shape", x)),
        "layer add4 (Add, node 5): found numbers of the shape (1, 3, 1) for (6, 5, 4), expected one, "
        "or one for each channel",
    ),
}


@pytest.mark.parametrize("what", BEHIND)
def test_a_refusal_behind_another_one_is_found_by_the_shape_that_onnx_infers(tmp_path, what):
    build, expected = BEHIND[what]
    model = model_around(lambda net, x: net.put("Add", build(net, x), net.constant(np.ones(3))))
    first, second = refusals(tmp_path, model)
    assert "found an operator that blocks cannot compute" in first
    assert second == expected


def test_behind_a_result_of_unknown_shape_nothing_is_looked_at(tmp_path):
    def some_channels(net, x):
        return net.put("Compress", x, net.integers(0, 1, 1, 0), axis=1)

    model = model_around(lambda net, x: net.put("Add", some_channels(net, x), net.constant(np.ones(3))))
    (line,) = refusals(tmp_path, model)
    assert line.startswith("layer compress2 (Compress, node 3): found an operator that blocks cannot compute")


@pytest.mark.parametrize("error", [ValueError, shape_inference.InferenceError])
def test_behind_a_refusal_nothing_is_looked_at_where_onnx_cannot_infer_shapes(tmp_path, monkeypatch, error):
    def infer_shapes(model, data_prop):
        raise error

    monkeypatch.setattr(shape_inference, "infer_shapes", infer_shapes)
    model = model_around(lambda net, x: net.put("Add", net.put("Sigmoid", x), net.constant(np.ones(3))))
    assert len(refusals(tmp_path, model)) == 1


def test_constants_that_an_operator_cannot_take_are_refused(tmp_path):
    line, *_ = refusals(
        tmp_path,
        model_around(lambda net, x: net.put("Add", x, net.put("Transpose", net.constant(1.0), perm=[1, 0]))),
    )
    expected = (
        r"layer transpose2 \(Transpose, node 3\): found constants that it cannot take \(.+\), expected valid ones"
    )
    assert re.fullmatch(expected, line)  # with what onnx says


def test_a_layer_of_constants_alone_is_refused(tmp_path):
    model = model_around(lambda net, x: net.add("Add", x, net.add("Relu", net.constant(1.0))))
    expected = "layer relu2 (Relu, node 3): found only constant inputs, expected one that depends on the image"
    assert expected in refusals(tmp_path, model)


def test_what_the_scores_do_not_depend_on_is_not_looked_at(tmp_path):
    net = Net((1, 6, 6))
    x = net.rectified()
    net.put("Sigmoid", x)
    path = tmp_path / "my.onnx"
    path.write_bytes(net.classified(x).SerializeToString())
    assert len(convert(path, 3, scale=1 / 255).network.blocks) == 1


def test_a_second_output_that_something_reads_is_refused(tmp_path):
    net = Net((1, 6, 6))
    x = net.put("MaxPool", net.rectified(), kernel_shape=(2, 2))
    net.nodes[-1].output.append("indices")
    net.values["indices"] = net.values[x]
    lines = refusals(tmp_path, net.model(net.put("Flatten", "indices")))
    assert lines[0].startswith("layer maxpool2 (MaxPool, node 3): found a use of its output indices")


def test_a_second_output_that_nothing_reads_changes_nothing(tmp_path):
    net = Net((1, 6, 6))
    x = net.add("Dropout", net.rectified())
    net.nodes[-1].output.append("mask")
    path = tmp_path / "my.onnx"
    path.write_bytes(net.classified(x).SerializeToString())
    assert len(convert(path, 3, scale=1 / 255).network.blocks) == 1


def test_scores_that_are_no_scores_of_the_image_are_refused(tmp_path):
    net = Net((1, 6, 6))
    pooled = net.add("GlobalMaxPool", net.convolve(net.rectified(), 3, (2, 2)))
    expected = "found scores that end with a max pooling or padding, expected a Dense layer at the end"
    assert refusals(tmp_path, net.model(pooled)) == [expected]
    shape = net.add("Cast", net.add("Shape", pooled), to=TensorProto.DOUBLE)
    assert refusals(tmp_path, net.model(shape))[0] == (
        "found scores that do not depend on the image, expected a network that reads its input"
    )


def test_a_relu_that_nothing_reads_is_named(tmp_path):
    net = Net((1, 4, 4))
    x = net.rectified()
    shape = net.add("Shape", net.rectified(x, size=(1, 1)))
    (line,) = refusals(tmp_path, net.classified(net.add("Reshape", x, shape)))
    expected = r"layer \w+ \(Relu, node 4\): found no layer that reads it, expected a model without it"
    assert re.fullmatch(expected, line)
