"""Keras layers that blocks cannot compute, each with the message that refuses it."""

import keras
import numpy as np
from keras import layers

from tests.test_conversion_layers import convolution


def negative():
    return layers.BatchNormalization(gamma_initializer=keras.initializers.Constant(-1), name="negative")


REFUSED = [  # layers, and the message of the first refusal
    ([layers.LeakyReLU(name="leaky")], "layer leaky: found a LeakyReLU layer, expected ReLU"),
    (
        [layers.UpSampling2D(name="up")],
        "layer up: found a UpSampling2D layer, expected a network without "
        "it: no convolution of the smaller image computes it",
    ),
    ([layers.Conv2DTranspose(3, 3, name="t")], "layer t: found a Conv2DTranspose layer, expected Conv2D"),
    (
        [convolution(activation="tanh")],
        "layer conv: found the activation tanh, expected relu, or softmax or none at the end",
    ),
    (
        [convolution(activation="swish")],
        "layer conv: found the activation silu, expected relu, or softmax or none at the end",
    ),
    (
        [convolution(activation="leaky_relu")],
        "layer conv: found the activation leaky_relu, expected relu, or softmax or none at the end",
    ),
    (
        [layers.Activation("sigmoid", name="act")],
        "layer act: found the activation sigmoid, expected relu, or softmax or none at the end",
    ),
    (
        [layers.LayerNormalization(name="norm")],
        "layer norm: found a LayerNormalization layer, expected BatchNormalization",
    ),
    (
        [layers.ReLU(negative_slope=0.1, name="slope")],
        "layer slope: found negative_slope=0.1, threshold=0.0, expected 0 for both",
    ),
    (
        [layers.Lambda(lambda x: x, name="code")],
        "layer code: found a Lambda layer, expected a layer listed in docs/your-own-network.md",
    ),
    ([layers.BatchNormalization(axis=1, name="rows")], "layer rows: found axis=1, expected the last axis"),
    (
        [layers.Softmax(axis=1, name="rows")],
        "layer rows: found a softmax over 6 of 72 numbers at a time, expected one over all scores",
    ),
    (
        [convolution(activation="softmax"), layers.Dense(2, "relu")],
        "layer conv: found a softmax over 4 of 64 numbers at a time, expected one over all scores",
    ),
    (
        [layers.Flatten(), layers.Softmax(name="early"), layers.Dense(2, "relu")],
        "layer early: found a softmax with layers after it, expected it last",
    ),
    (
        [layers.AveragePooling2D(4, padding="same", name="pool")],
        "layer pool: found padding='same' that pads 6 x 6 positions, where "
        "it averages fewer numbers, expected padding='valid', or a size that needs no padding",
    ),
    (
        [convolution(padding="same"), layers.Conv2D(2, 3, padding="same", name="second", activation="relu")],
        "layer second: found padding with no ReLU between it and earlier "
        "padding, expected padding='valid', or a ReLU between the two layers that pad",
    ),
    (
        [convolution(), layers.ZeroPadding2D(1), layers.Conv2D(2, 3, name="second", activation="relu")],
        ("layer second: found earlier padding of sums that have passed no ReLU, expected a ReLU before the padding"),
    ),
    (
        [convolution(), layers.MaxPooling2D(2), layers.Dense(3, "relu", name="second")],
        "layer second: found an earlier max pooling with no ReLU right "
        "before or right after it, expected a ReLU in one of these places",
    ),
    (
        [convolution(), layers.MaxPooling2D(2), negative(), layers.ReLU()],
        "layer negative: found negative factors (-0.9995) between a max "
        "pooling and its ReLU, expected positive ones, or the ReLU before the pooling",
    ),
    (
        [layers.MaxPooling2D(2, name="max")],
        "layer max: found a max pooling of the image, expected a convolution with a ReLU before it",
    ),
    (
        [layers.Flatten(), layers.BatchNormalization(gamma_initializer="normal"), layers.ReLU(name="flat")],
        ("layer flat: found a ReLU after factors that vary from position to position, expected one for each channel"),
    ),
    (
        [layers.BatchNormalization(epsilon=0, moving_variance_initializer="zeros", name="mine"), layers.ReLU()],
        "layer mine: found variance + epsilon of 0, expected above 0",
    ),
    ([layers.Rescaling(np.nan, name="r")], "layer r: found NaN or infinite numbers, expected finite ones"),
    (
        [layers.Reshape((4, 9, 2)), convolution()],
        "layer conv: found a tensor of the shape (4, 9, 2) that is no longer "
        "an image, expected an image (h, w, channels) whose axes earlier layers have not reordered",
    ),
    (
        [convolution(), layers.ReLU(max_value=0.0, name="zero")],
        "layer zero: found max_value=0.0, expected above 0",
    ),
]
