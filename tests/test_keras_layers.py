"""Which Keras layers are taken, by hand-computed examples, and at which level of quantisation."""

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
from tests.keras_chains import IMAGE, convolution, model_around


def notation(*middle, **settings):
    return blocks_of(fold(model_around(*middle, **settings)))[0]


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
    model = model_around(layers.Flatten(), layers.Dense(5, "relu"), shape=(4, 3))
    assert blocks_of(fold(model))[0] == "4x3x1-5-3"
    reshaped = model_around(layers.Reshape((4, 3, 1)), layers.Conv2D(2, 3, activation="relu"), shape=(4, 3))
    assert blocks_of(fold(reshaped))[0] == "4x3x1-2C3-3"


def test_bias_epsilon_and_rescaling_become_one_normalisation():
    normalization = layers.BatchNormalization(epsilon=0.01)
    conv = layers.Conv2D(1, 1)
    model = model_around(layers.Rescaling(2.0, 3.0), conv, normalization, layers.ReLU())
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
    trained, _ = keras_network(model_around(convolution(), layers.ReLU(), MedianQuantizer(3)))
    assert trained.model == Model(3, "4C3", recipe="own")
    assert trained.network.notation == "6x6x2-4C3-3"


def test_level_of_the_argument_where_there_is_no_quantiser():
    assert keras_network(model_around(convolution(), layers.ReLU()), 4)[0].model.k == 4


@pytest.mark.parametrize(
    ("middle", "k", "expected"),
    [
        ([convolution(), layers.ReLU()], None, "found no MedianQuantizer layer, expected one after each ReLU"),
        (
            [convolution(), layers.ReLU(), MedianQuantizer(1, name="q")],
            2,
            "layer q: found k=1, expected k=2 as the argument says",
        ),
        (
            [
                convolution(activation="relu"),
                MedianQuantizer(1, name="first"),
                layers.Dense(2, "relu"),
                MedianQuantizer(2, name="second"),
            ],
            None,
            "layer second: found k=2, expected k=1 as layer first has",
        ),
        (
            [convolution(), layers.ReLU(), MedianQuantizer(1), MedianQuantizer(2, name="again")],
            None,
            "layer again: found a second quantiser, of k=2, expected one of k=1",
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
        (
            [convolution(), layers.ReLU(), MedianQuantizer(17, name="fine")],
            None,
            "layer fine: found k=17, expected k=16 at most",
        ),
    ],
)
def test_levels_that_do_not_agree_are_refused(middle, k, expected):
    with pytest.raises(InputError, match=re.escape(expected)):
        keras_network(model_around(*middle), k)


@pytest.mark.parametrize("k", [-1, 17, 2.5, True, "2"])
def test_argument_that_is_no_level_is_refused(k):
    expected = f"k is {k}, expected an integer from 0 to 16"
    with pytest.raises(ValueError, match=f"^{re.escape(expected)}$"):
        keras_network(model_around(convolution(activation="relu")), k)


def test_numpy_integer_is_a_level():
    trained, _ = keras_network(model_around(convolution(activation="relu")), np.int64(2))
    assert type(trained.model.k) is int
