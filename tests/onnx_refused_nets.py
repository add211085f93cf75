"""A table of what ONNX's operators cannot take from one another where blocks compute them, and the messages."""

import numpy as np

from tests.onnx_refused import ints


def by_position(net, x):
    return net.add("Mul", net.convolve(x, 4, (1, 1)), net.weights(6, 5))


def matrix(net, x):
    return net.add("Reshape", x, ints(-1, 4, 30)(net))


def normalized(net, x, variance=1.0, **settings):
    arrays = [net.constant(np.full(4, number)) for number in (1.0, 0.0, 0.0, variance)]
    return net.put("BatchNormalization", x, *arrays, **settings)


def pooled(net, x):
    return net.add("MaxPool", x, kernel_shape=(2, 2))


NETS = [  # an opset, what a net makes of the activations, and the message
    (
        13,
        lambda net, x: net.put("GlobalAveragePool", net.add("Flatten", x)),
        "found the shape (120,), expected an image of channels, rows and columns",
    ),
    (
        13,
        lambda net, x: net.put("Concat", x, net.add("Flatten", x), axis=1),
        "found tensors with different numbers of axes, expected images, or vectors",
    ),
    (
        13,
        lambda net, x: net.put("Concat", x, net.constant(np.ones((1, 1, 6, 5))), axis=1),
        "found a constant in place of an image or a vector, expected one that depends on the image",
    ),
    (
        13,
        lambda net, x: net.put("Add", x, net.convolve(x, 4, (2, 1))),
        "found tensors of the shapes (6, 5, 4) and (5, 5, 4), expected one shape",
    ),
    (
        13,
        lambda net, x: net.put(
            "Add", net.add("Flatten", x), net.add("Flatten", net.add("Transpose", x, perm=[0, 2, 1, 3]))
        ),
        "found a sum of vectors flattened from images of different shapes, expected a Dense layer before it",
    ),
    (
        13,
        lambda net, x: normalized(net, x, variance=-1e-5),
        "found variance + epsilon of 0, expected above 0",
    ),
    (
        13,
        lambda net, x: normalized(net, matrix(net, x)),
        "found the shape (4, 30), expected an image or a vector",
    ),
    (
        15,
        lambda net, x: normalized(net, x, training_mode=1),
        "found training_mode=1, expected 0, as in model.eval()",
    ),
    (
        11,
        lambda net, x: net.put("Softmax", x, axis=2),
        "found axis=2, expected axis=1, which stands for all numbers of an image",
    ),
    (
        18,
        lambda net, x: net.put("Pad", x, ints(1, 1, 1)(net), "", ints(2, 3)(net)),
        "found pads=[1, 1, 1] for axes=[2, 3], expected two numbers for each axis",
    ),
    (
        13,
        lambda net, x: net.put("Reshape", x, "relu1"),
        "found shape that are not constant integers, expected constant integers",
    ),
    (
        13,
        lambda net, x: net.add("Relu", by_position(net, x)),
        "found a ReLU after factors that vary from position to position, expected one for each channel",
    ),
    (
        13,
        lambda net, x: net.put("MaxPool", by_position(net, x), kernel_shape=(2, 2)),
        "found a max pooling after factors that vary from position to position, expected one for each channel",
    ),
    (
        13,
        lambda net, x: net.add("Mul", pooled(net, net.convolve(x, 4, (1, 1))), net.weights(5, 4)),
        "found factors that vary from position to position between a pooling or padding and its ReLU, "
        "expected one for each channel",
    ),
    (
        13,
        lambda net, x: net.add("Add", pooled(net, net.convolve(x, 4, (1, 1))), net.weights(5, 4)),
        "found offsets that vary from position to position between a pooling or padding and its ReLU, "
        "expected one for each channel",
    ),
    (
        13,
        lambda net, x: pooled(net, "image"),
        "found a max pooling of the image, expected a convolution with a ReLU before it",
    ),
    (
        13,
        lambda net, x: pooled(net, net.add("Pad", x, ints(0, 0, 2, 0, 0, 0, 0, 0)(net))),
        "found a window that lies entirely in the padding, expected padding narrower than the window",
    ),
    (
        13,
        lambda net, x: net.put("Concat", matrix(net, x), matrix(net, net.convolve(x, 4, (1, 1))), axis=2),
        "found tensors of the shape (4, 30), expected images or vectors",
    ),
    (
        13,
        lambda net, x: net.put("Add", x, net.put("ConstantOfShape", ints(1 << 20, 1 << 9)(net))),
        "found constants of up to 536,870,912 numbers, expected at most 268,435,456",
    ),
]
