"""Networks of the field, built small with random weights: all neurons are equal. Others: test_applications.py."""

import keras
import numpy as np
import pytest
from keras import layers

from spiking.conversion import convert
from tests.exactness import assert_spikes_are_exact
from tests.keras_graphs import set_random_weights
from tests.test_conversion import assert_computes_the_same

CLASSES = 5


pytestmark = pytest.mark.usefixtures("float64")


def model_of(body, shape=(12, 12, 3)):
    """A model that rescales its pixels, computes a body and classifies what it gives."""
    image = keras.Input(shape)
    x = body(layers.Rescaling(1 / 127.5, -1)(image))
    return keras.Model(image, layers.Dense(CLASSES, "softmax")(layers.Flatten()(x)))


def conv_bn(x, filters, size, strides=1, relu=True, groups=1):
    x = layers.Conv2D(filters, size, strides, "same", use_bias=False, groups=groups)(x)
    x = layers.BatchNormalization()(x)
    return layers.ReLU()(x) if relu else x


def preactivation_resnet(x):
    """ResNet50V2 has padding and max pooling before the first ReLU, and 1 x 1 pooling as a shortcut."""
    x = layers.ZeroPadding2D(1)(layers.Conv2D(4, 3, padding="same")(x))
    x = layers.MaxPooling2D(3, 2)(x)
    x = layers.Conv2D(4, 1)(layers.Activation("relu")(layers.BatchNormalization()(x)))
    for strides in (1, 2):
        y = layers.Activation("relu")(layers.BatchNormalization()(x))
        y = layers.Conv2D(4, 3, strides, padding="same")(y)
        y = layers.Conv2D(4, 1)(layers.Activation("relu")(layers.BatchNormalization()(y)))
        x = y + (x if strides == 1 else layers.MaxPooling2D(1, strides)(x))
    return layers.GlobalAveragePooling2D()(layers.ReLU()(layers.BatchNormalization()(x)))


def mobilenet(x):
    x = conv_bn(x, 4, 3, 2)
    for filters, strides in ((6, 1), (8, 2)):
        x = layers.DepthwiseConv2D(3, strides, "same", use_bias=False)(x)
        x = conv_bn(layers.ReLU(6.0)(layers.BatchNormalization()(x)), filters, 1)
    return layers.SeparableConv2D(6, 3, padding="same", activation="relu")(x)


def inception(x):
    x = conv_bn(x, 6, 3)
    pooled = layers.MaxPooling2D(3, 1, "same")(x)
    branches = [
        conv_bn(x, 3, 1),
        conv_bn(conv_bn(x, 2, 1), 4, 3),
        conv_bn(conv_bn(x, 2, 1), 2, 5),
        conv_bn(pooled, 3, 1),
    ]
    return layers.AveragePooling2D(2)(layers.Concatenate()(branches))


def densenet(x):
    x = conv_bn(x, 4, 3)
    for _ in range(2):
        y = layers.ReLU()(layers.BatchNormalization()(x))
        x = layers.Concatenate()([x, layers.Conv2D(3, 3, padding="same", use_bias=False)(y)])
    x = layers.ReLU()(layers.BatchNormalization()(x))
    x = layers.AveragePooling2D(2)(layers.Conv2D(5, 1)(x))
    return layers.GlobalAveragePooling2D()(layers.ReLU()(layers.BatchNormalization()(x)))


def resnext_with_subtraction(x):
    x = conv_bn(x, 4, 3)
    y = conv_bn(conv_bn(x, 8, 3, groups=4), 4, 1, relu=False)
    x = layers.ReLU()(layers.Subtract()([x, y]))
    return layers.GlobalMaxPooling2D()(layers.ReLU()(layers.Average()([x, y, layers.Conv2D(4, 1)(x)])))


def pooling_before_the_relu(x):
    x = layers.MaxPooling2D(2)(layers.Conv2D(4, 3)(x))
    return layers.Activation("relu")(layers.Permute((1, 2, 3))(layers.BatchNormalization()(x)))


def max_pooling_of_what_is_never_negative(x):
    """Max pooling of means, of a sum of ReLUs or of every other position needs a block of its own before it."""
    x = layers.Conv2D(4, 3, activation="relu")(x)
    x = layers.MaxPooling2D(2, 1)(layers.AveragePooling2D(2, 1)(x))
    y = layers.MaxPooling2D(2, 1)(layers.Add()([layers.Conv2D(4, 1, activation="relu")(x), x]))
    return layers.MaxPooling2D(2)(layers.MaxPooling2D(1, 2)(y))


NETWORKS = (
    preactivation_resnet,
    mobilenet,
    inception,
    densenet,
    resnext_with_subtraction,
    pooling_before_the_relu,
    max_pooling_of_what_is_never_negative,
)


@pytest.mark.parametrize("network", NETWORKS)
def test_networks_of_the_field_convert_exactly(network):
    model = model_of(network)
    set_random_weights(model, 0)
    if network in (pooling_before_the_relu, preactivation_resnet):  # a negative factor in between is refused
        gamma = next(variable for variable in model.variables if variable.path.endswith("gamma"))
        gamma.assign(np.abs(gamma))
    pixels = np.random.default_rng(0).integers(0, 256, (3, 12, 12, 3))
    assert_computes_the_same(model, 2, pixels)
    converted = convert(model, 2, pixels)
    assert_spikes_are_exact(converted, pixels)
    assert_spikes_are_exact(converted, pixels, max_spikes=1)
