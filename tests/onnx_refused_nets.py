"""Combinations of ONNX operators that blocks cannot compute, each with the message that refuses it."""

import numpy as np


def by_position(net, x):
    return net.add("Mul", net.convolve(x, 4, (1, 1)), net.weights(6, 5))


def matrix(net, x):
    return net.add("Reshape", x, net.integers(-1, 4, 30))


def normalized(net, x, variance=1.0, **settings):
    arrays = [net.constant(np.full(4, number)) for number in (1.0, 0.0, 0.0, variance)]
    return net.put("BatchNormalization", x, *arrays, **settings)


def pooled(net, x):
    return net.add("MaxPool", x, kernel_shape=(2, 2))


NETS = [  # an opset, what a net makes of the activations (4, 6, 5) of a convolution, and the message
    (
        13,
        lambda net, x: net.put("GlobalAveragePool", net.add("Flatten", x)),
        "layer globalaveragepool3 (GlobalAveragePool, node 4): "
        "found the shape (120,), expected an image of channels, rows and columns",
    ),
    (
        13,
        lambda net, x: net.put("Concat", x, net.add("Flatten", x), axis=1),
        "layer concat3 (Concat, node 4): found tensors with different numbers of axes, expected images, or vectors",
    ),
    (
        13,
        lambda net, x: net.put("Concat", x, net.constant(np.ones((1, 1, 6, 5))), axis=1),
        "layer concat2 (Concat, node 3): "
        "found a constant in place of an image or a vector, expected one that depends on the image",
    ),
    (
        13,
        lambda net, x: net.put("Add", x, net.convolve(x, 4, (2, 1))),
        "layer add3 (Add, node 4): found tensors of the shapes (6, 5, 4) and (5, 5, 4), expected one shape",
    ),
    (
        13,
        lambda net, x: net.put(
            "Add", net.add("Flatten", x), net.add("Flatten", net.add("Transpose", x, perm=[0, 2, 1, 3]))
        ),
        "layer add5 (Add, node 6): "
        "found a sum of vectors flattened from images of different shapes, expected a Dense layer before it",
    ),
    (
        13,
        lambda net, x: normalized(net, x, variance=-1e-5),
        "layer batchnormalization2 (BatchNormalization, node 3): found variance + epsilon of 0, expected above 0",
    ),
    (
        13,
        lambda net, x: normalized(net, matrix(net, x)),
        "layer batchnormalization3 (BatchNormalization, node 4): "
        "found the shape (4, 30), expected an image or a vector",
    ),
    (
        15,
        lambda net, x: normalized(net, x, training_mode=1),
        "layer batchnormalization2 (BatchNormalization, node 3): "
        "found training_mode=1, expected 0, as in model.eval()",
    ),
    (
        11,
        lambda net, x: net.put("Softmax", x, axis=2),
        "layer softmax2 (Softmax, node 3): found axis=2, expected axis=1, which stands for all numbers of an image",
    ),
    (
        18,
        lambda net, x: net.put("Pad", x, net.integers(1, 1, 1), "", net.integers(2, 3)),
        "layer pad2 (Pad, node 3): found pads=[1, 1, 1] for axes=[2, 3], expected two numbers for each axis",
    ),
    (
        13,
        lambda net, x: net.put("Reshape", x, "relu1"),
        "layer reshape2 (Reshape, node 3): found shape that is not a list of constant integers, expected one",
    ),
    (
        13,
        lambda net, x: net.add("Relu", by_position(net, x)),
        "layer relu4 (Relu, node 5): "
        "found a ReLU after factors that vary from position to position, expected one for each channel",
    ),
    (
        13,
        lambda net, x: net.put("MaxPool", by_position(net, x), kernel_shape=(2, 2)),
        "layer maxpool4 (MaxPool, node 5): "
        "found a max pooling after factors that vary from position to position, expected one for each channel",
    ),
    (
        13,
        lambda net, x: net.add("Mul", pooled(net, net.convolve(x, 4, (1, 1))), net.weights(5, 4)),
        "layer mul4 (Mul, node 5): "
        "found factors that vary from position to position between a pooling or padding and its ReLU, "
        "expected one for each channel",
    ),
    (
        13,
        lambda net, x: net.add("Add", pooled(net, net.convolve(x, 4, (1, 1))), net.weights(5, 4)),
        "layer add4 (Add, node 5): "
        "found offsets that vary from position to position between a pooling or padding and its ReLU, "
        "expected one for each channel",
    ),
    (
        13,
        lambda net, x: pooled(net, "image"),
        "layer maxpool2 (MaxPool, node 3): "
        "found a max pooling of the image, expected a convolution with a ReLU before it",
    ),
    (
        13,
        lambda net, x: pooled(net, net.add("Pad", x, net.integers(0, 0, 2, 0, 0, 0, 0, 0))),
        "layer maxpool3 (MaxPool, node 4): "
        "found a window that lies entirely in the padding, expected padding narrower than the window",
    ),
    (
        13,
        lambda net, x: net.put("Concat", matrix(net, x), matrix(net, net.convolve(x, 4, (1, 1))), axis=2),
        "layer concat5 (Concat, node 6): found tensors of the shape (4, 30), expected images or vectors",
    ),
    (
        13,
        lambda net, x: net.put("Add", x, net.put("ConstantOfShape", net.integers(1 << 20, 1 << 9))),
        "layer constantofshape2 (ConstantOfShape, node 3): "
        "found constants of up to 536,870,912 numbers, expected at most 268,435,456",
    ),
]
