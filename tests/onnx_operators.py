"""A table of operators of ONNX in spellings that nets() does not draw."""


def ceiled(size, strides, pads):
    settings = {"kernel_shape": size, "strides": strides, "pads": pads, "ceil_mode": 1}
    return lambda net, x: net.add("MaxPool", x, **settings)


OPERATORS = {  # an opset, and what a net makes of the activations (4, 6, 5) of a convolution
    "Add, for each channel": (13, lambda net, x: net.add("Add", net.weights(4, 1, 1), x)),
    "AveragePool, auto_pad": (13, lambda net, x: net.add("AveragePool", x, kernel_shape=(2, 2), auto_pad="VALID")),
    "AveragePool, ceil_mode": (
        13,
        lambda net, x: net.add("AveragePool", x, kernel_shape=(2, 2), strides=(2, 3), ceil_mode=1),
    ),
    "AveragePool, padding that counts": (
        11,
        lambda net, x: net.add("AveragePool", x, kernel_shape=(3, 3), pads=[1, 1, 1, 1], count_include_pad=1),
    ),
    "AveragePool, ceil_mode that drops a window": (
        13,
        lambda net, x: net.add("AveragePool", x, kernel_shape=(2, 2), strides=(6, 5), ceil_mode=1),
    ),
    "BatchNormalization, opset 7": (7, lambda net, x: net.normalize(x)),
    "Clip, attributes": (7, lambda net, x: net.add("Clip", x, min=0.0, max=0.75)),
    "Concat of vectors": (
        13,
        lambda net, x: net.add(
            "Concat", net.add("Flatten", x), net.add("Flatten", net.convolve(x, 2, (2, 2))), axis=1
        ),
    ),
    "Constant": (
        13,
        lambda net, x: net.add("Reshape", x, net.add("Constant", value_ints=[-1, 5, 24, 1])),
    ),
    "Conv, dilated and in groups": (
        13,
        lambda net, x: net.convolve(x, 6, (3, 2), 2, dilations=(2, 3), pads=[0, 2, 1, 3], strides=(2, 1)),
    ),
    "Dropout, not training": (
        13,
        lambda net, x: net.add("Dropout", x, net.constant(0.5), net.add("Cast", net.integers(0), to=9)),
    ),
    "Dropout, ratio": (10, lambda net, x: net.add("Dropout", x, ratio=0.5)),
    "Gemm, without attributes": (
        13,
        lambda net, x: net.add("Gemm", net.add("Flatten", x), net.weights(120, 7), net.biases(7)),
    ),
    "MaxPool, auto_pad": (
        13,
        lambda net, x: net.add("MaxPool", x, kernel_shape=(3, 2), strides=(2, 2), auto_pad="SAME_UPPER"),
    ),
    "MaxPool, auto_pad below": (13, lambda net, x: net.add("MaxPool", x, kernel_shape=(2, 2), auto_pad="SAME_LOWER")),
    "MaxPool, ceil_mode and padding before": (13, ceiled((3, 3), (2, 3), (2, 1, 0, 0))),
    "MaxPool, ceil_mode and padding after": (13, ceiled((3, 3), (2, 3), (0, 0, 1, 2))),
    "MaxPool, ceil_mode and padding around": (13, ceiled((3, 2), (4, 3), (1, 1, 2, 1))),
    "Max with 0": (13, lambda net, x: net.add("Max", net.convolve(x, 4, (1, 1)), net.constant(0.0))),
    "Mul, by position": (13, lambda net, x: net.product(net.add("Flatten", net.add("Mul", x, net.weights(6, 5))), 3)),
    "Pad, attributes": (10, lambda net, x: net.add("Pad", x, pads=[0, 0, 1, 0, 0, 0, 2, 1], mode="constant")),
    "Pad, axes": (
        18,
        lambda net, x: net.add("Pad", x, net.integers(1, 2, 0, 1), net.constant(0.0), net.integers(-1, 2)),
    ),
    "Pad, computed": (
        13,  # as PyTorch writes F.pad
        lambda net, x: net.add(
            "Pad",
            x,
            net.add(
                "Cast",
                net.add("Concat", net.add("ConstantOfShape", net.integers(7)), net.integers(2), axis=0),
                to=7,
            ),
        ),
    ),
    "Pad, columns, opset 18": (18, lambda net, x: net.add("Pad", x, net.integers(2, 1), "", net.integers(3))),
    "Pad, rows, opset 18": (18, lambda net, x: net.add("Pad", x, net.integers(1, 2), "", net.integers(-2))),
    "ReduceMean": (13, lambda net, x: net.add("ReduceMean", x, axes=[2, -1])),
    "ReduceMean, opset 18": (18, lambda net, x: net.add("ReduceMean", x, net.integers(3, 2), keepdims=1)),
    "Reshape to an image": (13, lambda net, x: net.add("Reshape", x, net.integers(0, 4, 5, -1))),
    "Shape": (13, lambda net, x: net.add("Reshape", x, net.add("Shape", x))),
    "Sub from numbers": (13, lambda net, x: net.add("Sub", net.constant(1.0), x)),
    "Sum": (13, lambda net, x: net.add("Sum", x, net.convolve(x, 4, (1, 1)), net.weights(4, 1, 1), x)),
}
