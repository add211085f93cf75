"""Which Keras layers are taken, by hand-computed examples, and which are refused, by name."""

import re

import keras
import numpy as np
import pytest
from keras import layers
from numpy.testing import assert_allclose, assert_array_equal

from experiment import InputError
from experiment.model import Model
from LeNet.tensorlayer.keras_network import blocks_of, chain, fold, keras_network
from LeNet.tensorlayer.layers import MedianQuantizer

IMAGE = (6, 6, 2)


def sequential(*middle, shape=IMAGE, scaled=True):
    """Of an input, perhaps its Rescaling, the given layers and a classifier."""
    first = [layers.Rescaling(1 / 256, name="scale")] if scaled else []
    return keras.Sequential([keras.Input(shape), *first, *middle, layers.Flatten(), layers.Dense(3)], name="mine")


def convolution(**settings):
    return layers.Conv2D(4, 3, name="conv", **settings)


def notation(*middle, **settings):
    return blocks_of(fold(sequential(*middle, **settings)))[0]


@pytest.mark.parametrize(
    ("middle", "expected"),
    [
        ([convolution(), layers.ReLU()], "4C3"),
        ([convolution(padding="same", strides=(2, 1)), layers.ReLU(max_value=0.5)], "4C3ps2x1m0.5"),
        ([convolution(activation="relu6")], "4C3m6"),
        ([convolution(activation=layers.ReLU(2.0))], "4C3m2"),
        ([convolution(), layers.Activation("relu")], "4C3"),
        ([convolution(dilation_rate=2, padding="same"), layers.ReLU()], "4C5p"),
        ([layers.ZeroPadding2D(1), convolution(), layers.ReLU()], "4C3p"),
        ([layers.ZeroPadding2D(((2, 0), (0, 2))), convolution(), layers.ReLU()], "4C5x4p"),
        ([layers.AveragePooling2D(2), convolution(padding="same"), layers.ReLU()], "4C6ps2"),
        ([convolution(), layers.AveragePooling2D(2), layers.ReLU()], "4C4s2"),
        ([layers.GlobalAveragePooling2D(), layers.Dense(5), layers.ReLU()], "5"),
        ([layers.Flatten(), layers.Dense(5, activation="relu")], "5"),
        ([layers.Reshape((-1,)), layers.Dense(5, "relu"), layers.Dropout(0.5)], "5"),
        ([layers.Dense(5, "relu")], "5C1"),
        ([keras.Sequential([convolution(), layers.ReLU()])], "4C3"),
    ],
)
def test_notation_of_layers(middle, expected):
    assert re.fullmatch(r"6x6x2-(.*)-3", notation(*middle))[1] == expected


def test_image_without_channels_has_one():
    model = sequential(layers.Flatten(), layers.Dense(5, "relu"), shape=(4, 3))
    assert blocks_of(fold(model))[0] == "4x3x1-5-3"
    reshaped = sequential(layers.Reshape((4, 3, 1)), layers.Conv2D(2, 3, activation="relu"), shape=(4, 3))
    assert blocks_of(fold(reshaped))[0] == "4x3x1-2C3-3"


def test_bias_epsilon_and_rescaling_become_one_normalisation():
    normalization = layers.BatchNormalization(epsilon=0.01)
    conv = layers.Conv2D(1, 1)
    model = sequential(layers.Rescaling(2.0, 3.0), conv, normalization, layers.ReLU())
    conv.set_weights([np.full((1, 1, 2, 1), 0.5), np.array([0.25])])
    normalization.set_weights([np.array([value]) for value in (3.0, -1.0, 0.75, 0.24)])  # gamma, beta, mean, var
    _, weights = blocks_of(fold(model))
    # for channels a and b: x = 0.5 * (2 a + 3) + 0.5 * (2 b + 3) + 0.25, y = 3 * (x - 0.75) / 0.5 - 1
    assert_array_equal(weights["conv1/W"].ravel(), [0.5, 0.5])
    assert_allclose(weights["bn1/gamma"], [2 * 3 / 0.5], rtol=1e-7)  # Keras holds 0.24 in float32
    assert_allclose(weights["bn1/beta"], [(3 + 0.25 - 0.75) * 3 / 0.5 - 1], rtol=1e-7)


def test_pixels_divided_by_255_are_not_taken_for_256():
    model = keras.Sequential([keras.Input(IMAGE), layers.Rescaling(1 / 255), convolution(), layers.ReLU()])
    model.add(layers.GlobalAveragePooling2D())
    _, weights = blocks_of(fold(model))
    assert_allclose(weights["bn1/gamma"], np.full(4, 256 / 255), rtol=1e-15)


def test_functional_chain_is_taken_even_with_layers_that_others_use_too():
    image = keras.Input(IMAGE)
    shared = layers.ReLU(name="shared")
    x = shared(convolution()(layers.Rescaling(1.0)(image)))
    model = keras.Model(image, layers.Dense(3)(layers.Flatten()(x)))
    keras.Sequential([keras.Input((2,)), shared])
    assert [layer.name for layer in chain(model)][1:3] == ["conv", "shared"]
    assert blocks_of(fold(model))[0] == "6x6x2-4C3-3"


def test_model_and_level_of_quantisers():
    trained, _ = keras_network(sequential(convolution(), layers.ReLU(), MedianQuantizer(3)))
    assert trained.model == Model(3, "4C3", recipe="own")
    assert trained.network.notation == "6x6x2-4C3-3"


def test_level_of_the_argument_where_there_is_no_quantiser():
    assert keras_network(sequential(convolution(), layers.ReLU()), 4)[0].model.k == 4


@pytest.mark.parametrize(
    ("middle", "k", "expected"),
    [
        ([convolution(), layers.ReLU()], None, "found no MedianQuantizer layer, expected one after each ReLU"),
        ([convolution(), layers.ReLU(), MedianQuantizer(1)], 2, "layers of k=1, expected k=2"),
        (
            [convolution(), layers.ReLU(), MedianQuantizer(1), layers.Dense(2, "relu"), MedianQuantizer(2)],
            None,
            "layers of k=1, 2, expected k=1",
        ),
        (
            [convolution(), layers.ReLU(name="bare"), layers.Dense(2, "relu"), MedianQuantizer(2)],
            None,
            "layer bare: found no MedianQuantizer after it",
        ),
        ([convolution(), MedianQuantizer(2, name="q")], None, "layer q: found no ReLU before it"),
        (
            [convolution(), layers.ReLU(), layers.AveragePooling2D(2), MedianQuantizer(2, name="q")],
            None,
            "layer q: found no ReLU before it",
        ),
        ([convolution(), layers.ReLU(), MedianQuantizer(17)], None, "mine: k is 17"),
    ],
)
def test_levels_that_do_not_agree_are_refused(middle, k, expected):
    with pytest.raises(InputError, match=re.escape(expected)):
        keras_network(sequential(*middle), k)


@pytest.mark.parametrize(
    ("middle", "expected"),
    [
        ([layers.MaxPooling2D(2, name="max")], "layer max: found a MaxPooling2D layer, expected AveragePooling2D"),
        ([layers.DepthwiseConv2D(3, name="deep")], "layer deep: found a DepthwiseConv2D layer, expected Conv2D"),
        ([layers.LeakyReLU(name="leaky")], "layer leaky: found a LeakyReLU layer, expected ReLU"),
        ([convolution(activation="tanh")], "layer conv: found the activation tanh, expected relu"),
        ([layers.Activation("gelu", name="act")], "layer act: found the activation gelu, expected relu"),
        ([layers.ReLU(negative_slope=0.1, name="slope")], "layer slope: found negative_slope=0.1, threshold=0.0"),
        ([convolution(groups=2)], "layer conv: found groups=2, expected groups=1"),
        ([layers.Lambda(lambda x: x, name="code")], "layer code: found a Lambda layer, expected a chain of Conv2D"),
        ([layers.BatchNormalization(axis=1, name="rows")], "layer rows: found axis=1, expected the last axis"),
        ([layers.Softmax(name="early")], "found a layer after the softmax of early, expected the softmax last"),
        (
            [layers.AveragePooling2D(4, padding="same", name="pool")],
            "layer pool: found padding='same' that pads 6 x 6 positions, expected padding='valid'",
        ),
        (
            [layers.Rescaling(1.0, -1.0), convolution(padding="same")],
            "layer conv: found a layer that pads with zeros after a layer that adds something to its outputs",
        ),
        (
            [layers.AveragePooling2D(4), layers.ZeroPadding2D(1, name="pad")],
            "layer pad: found a layer that pads with zeros where one convolution",
        ),
        (
            [layers.ZeroPadding2D(2), convolution(), layers.ReLU(name="wide")],
            "layer wide: found that what it rectifies has 8 x 8 windows over 6 x 6 positions",
        ),
        ([layers.Flatten(), layers.BatchNormalization(name="flat")], "layer flat: found numbers for each position"),
        ([layers.Reshape((4, 9, 2), name="bent")], "layer bent: found (4, 9, 2) of (6, 6, 2), expected a vector"),
        ([layers.Dense(2)], "mine: found no ReLU, expected one at least"),
    ],
)
def test_what_cannot_be_a_chain_of_blocks_is_refused_by_name(middle, expected):
    with pytest.raises(InputError, match=re.escape(expected)):
        keras_network(sequential(*middle), 2)


def test_pixels_that_no_layer_scales_are_refused():
    with pytest.raises(InputError, match=r"layer r: found pixels from 0 to 255 that no layer before it scales"):
        keras_network(sequential(convolution(), layers.ReLU(name="r"), scaled=False), 2)


def test_other_order_of_axes_is_refused():
    image = keras.Input((2, 6, 6))
    model = keras.Model(image, layers.Flatten(data_format="channels_first", name="first")(image))
    with pytest.raises(InputError, match=r"layer first: found data_format=channels_first, expected channels_last"):
        keras_network(model, 2)


def test_class_derived_from_a_layer_is_refused_as_it_may_compute_something_else():
    class Doubled(layers.Conv2D):
        def call(self, inputs):
            return 2 * super().call(inputs)

    with pytest.raises(InputError, match=r"layer mine: found a Doubled layer, expected a chain of Conv2D"):
        keras_network(sequential(Doubled(1, 1, name="mine"), layers.ReLU()), 2)


def test_skip_connection_is_refused():
    image = keras.Input(IMAGE)
    x = layers.Conv2D(2, 3, padding="same")(image)
    model = keras.Model(image, layers.Add(name="skip")([x, image]))
    with pytest.raises(InputError, match=r"layer skip: found 2 inputs, expected a chain of layers without branches"):
        keras_network(model, 2)


def test_operation_between_layers_is_refused():
    image = keras.Input(IMAGE)
    model = keras.Model(image, layers.Flatten()(image / 255.0))
    with pytest.raises(InputError, match=r"found a TrueDivide layer, expected Rescaling"):
        keras_network(model, 2)


def test_model_of_own_class_is_refused():
    class Mine(keras.Model):
        def call(self, inputs):
            return inputs

    with pytest.raises(InputError, match=r"found a Mine, expected a Sequential or a functional model"):
        list(chain(Mine()))


def test_model_without_input_shape_is_refused():
    with pytest.raises(InputError, match=r"found no input shape, expected keras\.Input"):
        keras_network(keras.Sequential([layers.Dense(2, "relu"), layers.Dense(2)]), 2)


def test_scores_that_are_no_vector_are_refused():
    model = keras.Sequential([keras.Input(IMAGE), layers.Rescaling(1.0), convolution(), layers.ReLU()])
    model.add(layers.Conv2D(4, 3))
    with pytest.raises(InputError, match=r"found scores of the shape \(2, 2, 4\), expected a vector"):
        keras_network(model, 2)


def test_weights_that_are_not_finite_are_refused():
    conv = convolution()
    model = sequential(conv, layers.ReLU())
    conv.set_weights([np.full((3, 3, 2, 4), np.nan), np.zeros(4)])
    with pytest.raises(InputError, match=r"layer conv: found NaN or infinite weights, expected finite ones"):
        keras_network(model, 2)


def test_derived_model_that_computes_something_else_is_refused():
    class Doubled(keras.Sequential):
        def call(self, *args, **settings):
            return 2 * super().call(*args, **settings) + 1

    model = Doubled([keras.Input((6, 6, 1)), layers.Rescaling(1 / 255), layers.Flatten(), layers.Dense(3)])
    with pytest.raises(InputError, match=r"found a Doubled, expected a Sequential or a functional model$"):
        keras_network(model, 0)


def test_normalization_without_variance_is_refused():
    normalization = layers.BatchNormalization(epsilon=0, moving_variance_initializer="zeros", name="mine")
    stack = [
        layers.Rescaling(1 / 255),
        layers.Flatten(),
        layers.Dense(3),
        normalization,
        layers.ReLU(),
        layers.Dense(2),
    ]
    model = keras.Sequential([keras.Input((6, 6, 1)), *stack, layers.Dense(2)])
    with pytest.raises(InputError, match=r"mine: found variance \+ epsilon of 0, expected above 0"):
        keras_network(model, 0)
