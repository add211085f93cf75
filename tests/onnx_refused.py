"""ONNX operators that blocks cannot compute, each with the message that refuses it."""

import numpy as np


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
        [lambda net: net.integers(1, 1, 1, 1)],
        {},
        "found an operator that blocks cannot compute, expected an operator listed in docs/your-own-network.md",
    ),
    ("QuantizeLinear", [floats(0.1), lambda net: net.integers(3)], {}, INTEGERS),
    ("DequantizeLinear", [floats(0.1), lambda net: net.integers(3)], {}, INTEGERS),
    (
        "Mul",
        [lambda net: "relu1"],
        {},
        "found a product of two tensors, expected Add, or Concat: blocks cannot multiply activations",
    ),
    ("Div", [floats(0.0)], {}, "found a division by 0, expected another divisor"),
    ("Add", [floats(np.nan)], {}, "found NaN or infinite numbers, expected finite ones"),
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
        "found weights of the shape (4, 3, 1, 1) in 1 groups for 4 channels, "
        "expected groups that divide the filters, and weights for the channels of one group",
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
        "found ceil_mode that adds windows beyond the "
        "border, which average fewer numbers, expected ceil_mode=False, or a size for which it adds none",
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
        "found padding ((2, 2), (2, 2)) for windows of (2, 2), expected less, so that no window lies entirely in it",
    ),
    ("ReduceMean", [], {"axes": [1, 2]}, "found axes=[1, 2], expected the rows and columns, 2 and 3"),
    (
        "Pad",
        [lambda net: net.integers(*[0, 0, 1, 1] * 2)],
        {"mode": "reflect"},
        "found padding of mode reflect with 0, expected constant padding with 0",
    ),
    (
        "Pad",
        [lambda net: net.integers(*[0, 0, 1, 1] * 2), floats(1.0)],
        {},
        "found padding of mode constant with 1, expected constant padding with 0",
    ),
    (
        "Pad",
        [lambda net: net.integers(0, 1, 0, 0, 0, 1, 0, 0)],
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
        "found a concatenation of the shapes (6, 5, 4), "
        "(6, 5, 4) along another axis, expected one along the channels",
    ),
    ("Concat", [lambda net: "relu1"], {"axis": 0}, "found axis=0, expected another axis than the batch"),
    ("Flatten", [], {"axis": 2}, "found axis=2, expected axis=1, which makes a vector of each image"),
    ("Transpose", [], {"perm": [1, 0, 2, 3]}, "found perm=[1, 0, 2, 3], expected the batch first"),
    (
        "MatMul",
        [floats(np.ones((5, 5)))],
        {},
        "found a product of the shapes (4, 6, 5) and (5, "
        "5), expected a vector and a matrix with a row for each of its numbers",
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
        [lambda net: net.integers(-1, 5)],
        {},
        "found the shape (-1, 5) for (4, 6, 5), expected the batch first, then sizes that hold one image",
    ),
    (
        "Reshape",
        [lambda net: net.integers(-1, 4, 30)],
        {"no_such": 1},
        "found a node that ONNX does not allow: "
        "Unrecognized attribute: no_such for operator Reshape, expected a valid one of opset 13",
    ),
    (
        "Squeeze",
        [lambda net: net.integers(0)],
        {},
        "found axes=[0] of (4, 6, 5), expected axes of size 1 other than the batch",
    ),
    (
        "Dropout",
        [floats(0.5), lambda net: net.integers(1)],
        {},
        "found training_mode=1, expected 0, as in model.eval()",
    ),
    (
        "Clip",
        [lambda net: "relu1"],
        {},
        "found a lower bound that is not a constant number, expected one number",
    ),
    (
        "Dropout",
        [floats(0.5), lambda net: "relu1"],
        {},
        "found training_mode that is not a constant number, expected one number",
    ),
    ("Gemm", [lambda net: "relu1"], {}, "found weights that depend on the image, expected constants"),
    ("Max", [], {}, "found a maximum with something other than 0, expected Relu"),
    ("Max", [lambda net: "relu1", floats(0.0)], {}, "found a maximum with something other than 0, expected Relu"),
    ("Max", [floats(np.nan)], {}, "found NaN or infinite numbers, expected finite ones"),
    (
        "Slice",
        [lambda net: net.integers(1), lambda net: net.integers(3), lambda net: net.integers(1)],
        {},
        "found an operator that blocks cannot compute, "
        "expected a Conv for each part, or Pad with negative numbers, which crops rows and columns",
    ),
    ("Transpose", [], {}, "found perm=[3, 2, 1, 0], expected the batch first"),
]
