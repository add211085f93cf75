"""Which operators of ONNX files are refused, by node and operator and position, and what to use instead."""

import re

import numpy as np
import pytest

from spiking.conversion import convert
from spiking.conversion.composition import Refusal
from spiking.conversion.onnx_arguments import limited
from tests.onnx_graphs import Net

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


def ints(*numbers):
    return lambda net: net.constant(numbers, integers=True)


def floats(numbers):
    return lambda net: net.constant(numbers)


INTEGERS = (
    "found an operator that blocks cannot compute, expected a network in floating point: "
    "the conversion quantises it, with weights of 16 bits and activations by k"
)
REFUSED = [  # operator, what else it reads, attributes, and the message
    ("Sigmoid", [], {}, "found an operator that blocks cannot compute, expected Relu, or two scores at the end"),
    ("LeakyRelu", [], {}, "found an operator that blocks cannot compute, expected Relu"),
    (
        "Tile",
        [ints(1, 1, 1, 1)],
        {},
        "found an operator that blocks cannot compute, expected an operator listed in docs/your-own-network.md",
    ),
    ("QuantizeLinear", [floats(0.1), ints(3)], {}, INTEGERS),
    ("DequantizeLinear", [floats(0.1), ints(3)], {}, INTEGERS),
    (
        "Mul",
        [lambda net: "relu1"],
        {},
        "found a product of two tensors, expected Add, or Concat: blocks cannot multiply activations",
    ),
    ("Div", [floats(0.0)], {}, "found a division by 0, expected another divisor"),
    ("Add", [floats(np.nan)], {}, ("found NaN or infinite numbers, expected finite ones")),
    (
        "Add",
        [floats(np.ones((2, 1, 1, 1)))],
        {},
        "found numbers of the shape (2, 1, 1, 1), expected the same numbers for every image",
    ),
    (
        "Add",
        [floats(np.ones(3))],
        {},
        "found numbers of the shape (1, 3, 1) for (6, 5, 4), expected one, or one for each channel",
    ),
    (
        "Conv",
        [floats(np.ones((4, 4, 1, 1)))],
        {"kernel_shape": (3, 3)},
        "found weights of the shape (4, 4, 1, 1) in 1 groups, "
        "expected groups >= 1, and the size that kernel_shape says",
    ),
    (
        "Conv",
        [floats(np.ones((4, 3, 1, 1)))],
        {},
        (
            "found weights of the shape (4, 3, 1, 1) in 1 groups for 4 channels, "
            "expected groups that divide the filters, and weights for the channels of one group"
        ),
    ),
    (
        "Conv",
        [floats(np.ones((4, 4, 1)))],
        {},
        "found windows with 1 axes on the shape (4, 6, 5), expected windows of rows and columns",
    ),
    (
        "Conv",
        [floats(np.ones((4, 4, 9, 1)))],
        {},
        "found kernel 9 does not fit into an axis of length 6, expected windows that fit into the image",
    ),
    ("Conv", [lambda net: "relu1"], {}, "found weights that depend on the image, expected constants"),
    *(
        (
            "AveragePool",
            [],
            {"kernel_shape": (3, 3), "pads": [top, left, bottom, right]},
            f"found padding {((top, bottom), (left, right))} that does not count, so that windows at the border "
            "average fewer numbers, expected count_include_pad=True, or no padding",
        )
        for top, left, bottom, right in np.eye(4, dtype=int).tolist()  # on any of the four sides
    ),
    (
        "AveragePool",
        [],
        {"kernel_shape": (4, 4), "strides": (2, 2), "ceil_mode": 1},
        (
            "found ceil_mode that adds windows beyond the "
            "border, which average fewer numbers, expected ceil_mode=False, or a size for which it adds none"
        ),
    ),
    *(
        (
            "MaxPool",
            [],
            {"kernel_shape": size, "strides": strides, "dilations": dilations, "pads": pads},
            f"found kernel_shape={size}, strides={strides}, dilations={dilations}, pads={pads}, "
            "expected two numbers >= 1 for each, and four pads >= 0",
        )
        for size, strides, dilations, pads in (
            ((0, 2), (1, 1), (1, 1), (0, 0, 0, 0)),
            ((2, 2), (1, 0), (1, 1), (0, 0, 0, 0)),
            ((2, 2), (1, 1), (0, 1), (0, 0, 0, 0)),
            ((2, 2), (1, 1), (1, 1), (0, 0, -1, 0)),
        )
    ),
    ("MaxPool", [], {"kernel_shape": (2, 2), "dilations": (2, 2)}, "found dilations=(2, 2), expected (1, 1)"),
    (
        "MaxPool",
        [],
        {"kernel_shape": (2, 2), "pads": [2] * 4},
        (
            "found padding ((2, 2), (2, 2)) for windows of "
            "(2, 2), expected less, so that no window lies entirely in it"
        ),
    ),
    ("ReduceMean", [], {"axes": [1, 2]}, "found axes=[1, 2], expected the rows and columns, 2 and 3"),
    (
        "Pad",
        [ints(*[0, 0, 1, 1] * 2)],
        {"mode": "reflect"},
        "found padding of mode reflect with 0, expected constant padding with 0",
    ),
    (
        "Pad",
        [ints(*[0, 0, 1, 1] * 2), floats(1.0)],
        {},
        "found padding of mode constant with 1, expected constant padding with 0",
    ),
    (
        "Pad",
        [ints(0, 1, 0, 0, 0, 1, 0, 0)],
        {},
        "found pads=[0, 1, 0, 0, 0, 1, 0, 0], expected padding of rows and columns only",
    ),
    (
        "Clip",
        [floats(-1.0)],
        {},
        "found a clip to [-1, inf], expected one from 0 to a number above 0, such as ReLU6's Clip(0, 6)",
    ),
    (
        "Concat",
        [lambda net: "relu1"],
        {"axis": 2},
        (
            "found a concatenation of the shapes (6, 5, 4), "
            "(6, 5, 4) along another axis, expected one along the channels"
        ),
    ),
    ("Concat", [lambda net: "relu1"], {"axis": 0}, "found axis=0, expected another axis than the batch"),
    ("Flatten", [], {"axis": 2}, ("found axis=2, expected axis=1, which makes a vector of each image")),
    ("Transpose", [], {"perm": [1, 0, 2, 3]}, "found perm=[1, 0, 2, 3], expected the batch first"),
    (
        "MatMul",
        [floats(np.ones((5, 5)))],
        {},
        (
            "found a product of the shapes (4, 6, 5) and (5, "
            "5), expected a vector and a matrix with a row for each of its numbers"
        ),
    ),
    ("MatMul", [lambda net: "relu1"], {}, "found weights that depend on the image, expected constants"),
    (
        "Clip",
        [floats(0.0), floats([1.0, 2.0])],
        {},
        "found an upper bound that is not a constant number, expected one number",
    ),
    (
        "Clip",
        [floats(0.0), lambda net: "relu1"],
        {},
        "found an upper bound that is not a constant number, expected one number",
    ),
    ("Gemm", [floats(np.ones((5, 5)))], {"transA": 1}, "found transA=1, expected 0: the batch comes first"),
    ("Softmax", [], {"axis": 1}, "found a softmax over 4 of 120 numbers at a time, expected one over all scores"),
    ("Max", [floats(1.0)], {}, "found a maximum with something other than 0, expected Relu"),
    ("Max", [lambda net: "relu1"], {}, "found a maximum with something other than 0, expected Relu"),
    (
        "Reshape",
        [ints(-1, 5)],
        {},
        "found the shape (-1, 5) for (4, 6, 5), expected the batch first, then sizes that hold one image",
    ),
    (
        "Reshape",
        [ints(-1, 4, 30)],
        {"no_such": 1},
        (
            "found a node that ONNX does not allow: "
            "Unrecognized attribute: no_such for operator Reshape, expected a valid one of opset 13"
        ),
    ),
    ("Squeeze", [ints(0)], {}, "found axes=[0] of (4, 6, 5), expected axes of size 1 other than the batch"),
    ("Dropout", [floats(0.5), ints(1)], {}, ("found training_mode=1, expected 0, as in model.eval()")),
]


@pytest.mark.parametrize(
    ("operator", "inputs", "settings", "expected"), REFUSED, ids=[f"{row[0]} {row[3]}"[:60] for row in REFUSED]
)
def test_what_blocks_do_not_compute_is_refused_by_its_name(tmp_path, operator, inputs, settings, expected):
    model = model_around(lambda net, x: net.put(operator, x, *(name(net) for name in inputs), **settings))
    name = f"layer {operator.lower()}2 ({operator}, node 3): "
    lines = refusals(tmp_path, model)
    assert name + expected in lines


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


def test_a_refusal_behind_another_one_is_found_by_the_shape_that_onnx_infers(tmp_path):
    windows = {"kernel_shape": (2, 2), "dilations": (2, 2)}
    lines = refusals(tmp_path, model_around(lambda net, x: net.put("MaxPool", net.put("Sigmoid", x), **windows)))
    assert lines[0].startswith("layer sigmoid2 (Sigmoid, node 3)")
    assert lines[1] == "layer maxpool3 (MaxPool, node 4): found dilations=(2, 2), expected (1, 1)"


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


def test_a_relu_that_nothing_reads_is_named(tmp_path):
    net = Net((1, 4, 4))
    x = net.rectified()
    shape = net.add("Shape", net.rectified(x, size=(1, 1)))
    (line,) = refusals(tmp_path, net.classified(net.add("Reshape", x, shape)))
    expected = r"layer \w+ \(Relu, node 4\): found no layer that reads it, expected a model without it"
    assert re.fullmatch(expected, line)
