"""Which Keras layers and models are refused, by name, and what the message says to use instead."""

import re

import keras
import numpy as np
import pytest
from keras import layers

from experiment import InputError, weights
from LeNet.tensorlayer.keras_network import chain, fold, keras_network
from tests.keras_chains import IMAGE, convolution, model_around


@pytest.mark.parametrize(
    ("middle", "expected"),
    [
        ([layers.MaxPooling2D(2, name="max")], "layer max: found a MaxPooling2D layer, expected AveragePooling2D"),
        ([layers.GlobalMaxPooling2D(name="max")], "layer max: found a GlobalMaxPooling2D layer, expected GlobalAv"),
        ([layers.DepthwiseConv2D(3, name="deep")], "layer deep: found a DepthwiseConv2D layer, expected Conv2D"),
        ([layers.SeparableConv2D(3, 3, name="two")], "layer two: found a SeparableConv2D layer, expected Conv2D"),
        ([layers.LeakyReLU(name="leaky")], "layer leaky: found a LeakyReLU layer, expected ReLU"),
        ([convolution(activation="tanh")], "layer conv: found the activation tanh, expected relu"),
        ([convolution(activation="leaky_relu")], "layer conv: found the activation leaky_relu, expected relu"),
        (
            [layers.Activation("sigmoid", name="act")],
            "layer act: found the activation sigmoid, expected relu, or at the end softmax or none",
        ),
        (
            [layers.LayerNormalization(name="norm")],
            "layer norm: found a LayerNormalization layer, expected BatchNormalization",
        ),
        ([layers.Activation("gelu", name="act")], "layer act: found the activation gelu, expected relu"),
        ([layers.ReLU(negative_slope=0.1, name="slope")], "layer slope: found negative_slope=0.1, threshold=0.0"),
        ([convolution(groups=2)], "layer conv: found groups=2, expected groups=1"),
        ([layers.Lambda(lambda x: x, name="code")], "layer code: found a Lambda layer, expected a chain of Conv2D"),
        ([layers.BatchNormalization(axis=1, name="rows")], "layer rows: found axis=1, expected the last axis"),
        ([layers.Softmax(axis=1, name="rows")], "layer rows: found axis=1, expected the last axis"),
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
        keras_network(model_around(*middle), 2)


def test_recurrent_layer_is_refused_by_name():
    model = keras.Sequential([keras.Input((6, 6)), layers.Rescaling(1 / 255), layers.GRU(4, name="time")])
    with pytest.raises(InputError, match=r"layer time: found a GRU layer, expected a chain of Conv2D"):
        keras_network(model, 2)


@pytest.mark.parametrize(
    ("scale", "offset"), [([0.1, 0.2, 0.3], 0.0), (0.1, [0.1, 0.2, 0.3]), ([[0.1, 0.2]], 0.0), (np.nan, 0.0)]
)
def test_rescaling_that_does_not_fit_the_channels_is_refused_by_name(scale, offset):
    expected = (
        f"layer rescale: found scale={scale}, offset={offset}, expected one finite number, or one for each of 2"
    )
    with pytest.raises(InputError, match=re.escape(expected)):
        fold(model_around(layers.Rescaling(scale, offset, name="rescale"), convolution(activation="relu")))


@pytest.mark.parametrize(
    "first", [[layers.Reshape((6, 6, 1)), convolution(), layers.ReLU()], [layers.Dense(5, "relu")]]
)
def test_pixels_in_a_row_are_refused_with_what_makes_them_an_image(first):
    row = model_around(*first, shape=(36,))
    hint = "keras.Sequential([keras.Input((h, w, channels)), keras.layers.Flatten(), model])"
    with pytest.raises(
        InputError, match=re.escape(f"mine: found the input shape (36,), expected (h, w, channels): {hint}")
    ):
        fold(row)
    image = keras.Sequential([keras.Input((6, 6, 1)), layers.Flatten(), row])
    trained, _ = keras_network(image, 2)
    assert trained.network.input_shape == (6, 6, 1)


def test_pixels_that_no_layer_scales_are_refused():
    with pytest.raises(InputError, match=r"layer r: found pixels from 0 to 255 that no layer before it scales"):
        keras_network(model_around(convolution(), layers.ReLU(name="r"), scaled=False), 2)


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
        keras_network(model_around(Doubled(1, 1, name="mine"), layers.ReLU()), 2)


def test_skip_connection_is_refused():
    image = keras.Input(IMAGE)
    x = layers.Conv2D(2, 3, padding="same")(image)
    model = keras.Model(image, layers.Add(name="skip")([x, image]))
    with pytest.raises(InputError, match=r"layer skip: found 2 inputs, expected a chain of layers without branches"):
        keras_network(model, 2)


def test_second_output_is_refused():
    image = keras.Input(IMAGE)
    model = keras.Model(image, [layers.Flatten()(image), layers.Flatten()(image)], name="both")
    with pytest.raises(InputError, match=r"^both: found 1 inputs and 2 outputs, expected one of both$"):
        keras_network(model, 2)


def test_dense_layer_on_an_image_without_channels_is_refused():
    image = keras.Input((6, 6))
    model = keras.Model(image, layers.Dense(3, name="rows")(layers.Rescaling(1.0)(image)))
    with pytest.raises(InputError, match=r"^layer rows: found an image without channels, expected a Flatten layer"):
        keras_network(model, 2)


def test_network_that_is_too_large_is_refused_by_name(monkeypatch):
    monkeypatch.setattr(weights, "LARGEST_WEIGHTS", 20)
    with pytest.raises(InputError, match=r"^mine: 6x6x2-\S+ has \d+ weights, expected at most 20$"):
        keras_network(model_around(convolution(), layers.ReLU()), 2)


def test_operation_between_layers_is_refused():
    image = keras.Input(IMAGE)
    model = keras.Model(image, layers.Flatten()(image / 255.0))
    with pytest.raises(InputError, match=r"found a TrueDivide layer, expected Rescaling"):
        keras_network(model, 2)
    model = keras.Model(image, layers.Flatten()(keras.ops.max_pool(image, 2)))
    with pytest.raises(InputError, match=r"found a MaxPool layer, expected AveragePooling2D"):
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
    model = model_around(conv, layers.ReLU())
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
