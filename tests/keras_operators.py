"""A table of layers and operators of Keras in spellings that graphs() does not draw."""

import keras
import numpy as np
from keras import layers, ops

OF_EACH_CHANNEL = np.array([0.5, -1.0, 2.0, 0.25])
# what a model makes of activations (4, 6, 4); functions, so that layers are made once the test has set float64
OPERATORS = {
    "activation that is a layer": lambda x: layers.Conv2D(3, 2, activation=layers.ReLU(0.5))(x),
    "activation relu6": lambda x: layers.Conv2D(3, 2, activation="relu6")(20.0 * x),
    "Add of three": lambda x: layers.Add()([x, layers.Conv2D(4, 1)(x), layers.Conv2D(4, 1)(x)]),
    "Average of three": lambda x: layers.Average()([x, layers.Conv2D(4, 1)(x), layers.Conv2D(4, 1)(x)]),
    "AveragePooling2D, same without padding": lambda x: layers.AveragePooling2D((2, 3), padding="same")(x),
    "BatchNormalization, axis": lambda x: layers.BatchNormalization(axis=3)(x),
    "concatenate": lambda x: ops.concatenate([x, layers.Conv2D(2, 1)(x)], axis=3),
    "DepthwiseConv2D, strides": lambda x: layers.DepthwiseConv2D((2, 3), 2, depth_multiplier=2)(x),
    "DepthwiseConv2D, dilation": lambda x: layers.DepthwiseConv2D(2, padding="same", dilation_rate=(2, 1))(x),
    "divided by numbers": lambda x: x / OF_EACH_CHANNEL,
    "GlobalAveragePooling2D, keepdims": lambda x: layers.Conv2D(3, 1)(
        layers.GlobalAveragePooling2D(keepdims=True)(x)
    ),
    "GlobalMaxPooling2D, keepdims": lambda x: layers.Conv2D(3, 1)(layers.GlobalMaxPooling2D(keepdims=True)(x)),
    "mean": lambda x: ops.mean(x, axis=(-2, 1)),
    "mean, keepdims": lambda x: layers.Conv2D(3, 1)(ops.mean(x, axis=(1, 2), keepdims=True)),
    "negative": lambda x: -x,
    "Normalization, inverse": lambda x: layers.Normalization(mean=[1, 2, 3, 4], variance=[4, 0, 1, 9], invert=True)(
        x
    ),
    "Normalization of nothing but the mean": lambda x: layers.Normalization(mean=OF_EACH_CHANNEL, variance=[0] * 4)(
        x
    ),
    "numbers minus": lambda x: ops.subtract(OF_EACH_CHANNEL, x),
    "numbers plus": lambda x: ops.add(OF_EACH_CHANNEL, x),
    "numbers times": lambda x: ops.multiply(OF_EACH_CHANNEL, x),
    "plus numbers": lambda x: x + OF_EACH_CHANNEL.reshape(1, 1, 1, 4),
    "relu with a bound": lambda x: keras.activations.relu(layers.Conv2D(4, 1)(x), max_value=0.5),
    "reshape": lambda x: ops.reshape(x, (-1, 8, 3, 4)),
    "Reshape": lambda x: layers.Reshape((6, -1))(x),
    "SeparableConv2D, strides": lambda x: layers.SeparableConv2D(3, (3, 2), 2, depth_multiplier=2)(x),
    "transpose": lambda x: ops.transpose(x, (0, 3, 1, 2)),
    "zero as the lower bound": lambda x: ops.maximum(0.0, layers.Conv2D(4, 1)(x)),
}
