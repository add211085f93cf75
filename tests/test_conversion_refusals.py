"""What of a Keras model is refused, by the name of the layer, and what the message says to use instead."""

import re

import keras
import numpy as np
import pytest
from keras import layers, ops

from spiking.conversion.from_keras import fold
from tests.test_conversion_layers import IMAGE, convolution, model_after_relu, model_around


def refusals(model):
    """The lines in which a model is refused, each of which says what was found and what was expected."""
    with pytest.raises(ValueError, match=r"\w") as refused:
        fold(model)
    lines = str(refused.value).split("\n")
    assert all(re.search(r"found (?!None).+, expected (?!None).+", line) for line in lines)
    return lines


def negative():
    return layers.BatchNormalization(gamma_initializer=keras.initializers.Constant(-1), name="negative")


@pytest.mark.parametrize(
    ("middle", "expected"),
    [
        ([layers.LeakyReLU(name="leaky")], "layer leaky: found a LeakyReLU layer, expected ReLU"),
        (
            [layers.UpSampling2D(name="up")],
            (
                "layer up: found a UpSampling2D layer, expected a network without "
                "it: no convolution of the smaller image computes it"
            ),
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
            (
                "layer pool: found padding='same' that pads 6 x 6 positions, where "
                "it averages fewer numbers, expected padding='valid', or a size that needs no padding"
            ),
        ),
        (
            [convolution(padding="same"), layers.Conv2D(2, 3, padding="same", name="second", activation="relu")],
            (
                "layer second: found padding with no ReLU between it and earlier "
                "padding, expected padding='valid', or a ReLU between the two layers that pad"
            ),
        ),
        (
            [convolution(), layers.ZeroPadding2D(1), layers.Conv2D(2, 3, name="second", activation="relu")],
            (
                "layer second: found earlier padding of sums that have passed no "
                "ReLU, expected a ReLU before the padding"
            ),
        ),
        (
            [convolution(), layers.MaxPooling2D(2), layers.Dense(3, "relu", name="second")],
            (
                "layer second: found an earlier max pooling with no ReLU right "
                "before or right after it, expected a ReLU in one of these places"
            ),
        ),
        (
            [convolution(), layers.MaxPooling2D(2), negative(), layers.ReLU()],
            (
                "layer negative: found negative factors (-0.9995) between a max "
                "pooling and its ReLU, expected positive ones, or the ReLU before the pooling"
            ),
        ),
        (
            [layers.MaxPooling2D(2, name="max")],
            "layer max: found a max pooling of the image, expected a convolution with a ReLU before it",
        ),
        (
            [layers.Flatten(), layers.BatchNormalization(gamma_initializer="normal"), layers.ReLU(name="flat")],
            (
                "layer flat: found a ReLU after factors that vary from position to "
                "position, expected one for each channel"
            ),
        ),
        (
            [layers.BatchNormalization(epsilon=0, moving_variance_initializer="zeros", name="mine"), layers.ReLU()],
            "layer mine: found variance + epsilon of 0, expected above 0",
        ),
        ([layers.Rescaling(np.nan, name="r")], "layer r: found NaN or infinite numbers, expected finite ones"),
        (
            [layers.Reshape((4, 9, 2)), convolution()],
            (
                "layer conv: found a tensor of the shape (4, 9, 2) that is no longer "
                "an image, expected an image (h, w, channels) whose axes earlier layers have not reordered"
            ),
        ),
        (
            [convolution(), layers.ReLU(max_value=0.0, name="zero")],
            "layer zero: found max_value=0.0, expected above 0",
        ),
    ],
)
def test_what_blocks_cannot_compute_is_refused_by_name(middle, expected):
    found = [line for line in refusals(model_around(*middle)) if line.startswith("layer ")]
    assert found[0] == expected


def test_all_layers_that_cannot_be_are_named_at_once():
    middle = [
        convolution(activation="gelu"),
        layers.LayerNormalization(name="norm"),
        layers.Conv2D(3, 2, padding="same", name="fine", activation="relu"),
        layers.AveragePooling2D(3, padding="same", name="pool"),
        layers.LeakyReLU(name="leaky"),
    ]
    names = [re.match(r"layer (\w+): found", line)[1] for line in refusals(model_around(*middle))]
    assert names == ["conv", "norm", "pool", "leaky"]


def test_products_of_activations_are_refused():
    for product in (lambda x: layers.Multiply(name="times")([x, x]), lambda x: keras.ops.multiply(x, x)):
        (line,) = refusals(model_after_relu(product))
        assert re.search(r"found a Multiply (layer|operator), expected Add, or Concatenate", line)


def test_attention_and_a_division_by_a_tensor_are_refused():
    attention = layers.MultiHeadAttention(1, 2, name="attention")
    (line,) = refusals(model_after_relu(lambda x: attention(*[layers.Reshape((16, 2))(x)] * 2)))
    expected = "layer attention: found a MultiHeadAttention layer, expected convolutions and dense layers"
    assert line.startswith(expected)
    (line,) = refusals(model_after_relu(lambda x: 1.0 / x))
    assert line.endswith("found a division by a tensor, expected one by numbers")


@pytest.mark.parametrize(
    ("operator", "expected"),
    [
        (lambda x: ops.clip(x, -1.0, 6.0), "found a clip to [-1.0, 6.0], expected a clip with 0 as the lower bound"),
        (lambda x: ops.clip(x, [0.0, 0.0], 6.0), "found a clip to [[0.0, 0.0], 6.0], expected a clip with"),
        (lambda x: ops.clip(x, 0.0, [1.0, 2.0]), "found a clip to [0.0, [1.0, 2.0]], expected a clip with"),
        (lambda x: ops.maximum(x, 0.5), "found a maximum with numbers other than 0, expected a ReLU"),
        (lambda x: ops.mean(x, axis=3), "found a mean over the axes [3], expected the rows and columns, (1, 2)"),
        (lambda x: ops.mean(x, axis=(1, 3)), "found a mean over the axes (1, 3), expected the rows and columns"),
        (lambda x: ops.reshape(x, (1, 32)), "found the shape (1, 32), expected the batch (-1) first"),
        (
            lambda x: ops.mean(ops.transpose(x, (1, 0, 2, 3)), axis=1),
            "found axes=(1, 0, 2, 3), expected the batch first",
        ),
    ],
)
def test_operators_that_blocks_cannot_compute_are_refused(operator, expected):
    assert expected in refusals(model_after_relu(operator))[0]


def test_recurrent_layer_is_refused_by_name():
    model = keras.Sequential([keras.Input((6, 6)), layers.Rescaling(1 / 255), layers.GRU(4, name="time")])
    assert refusals(model)[0].startswith("layer time: found a GRU layer, expected a layer listed")


@pytest.mark.parametrize(("scale", "offset"), [([0.1, 0.2, 0.3], 0.0), (0.1, [0.1, 0.2, 0.3])])
def test_rescaling_that_does_not_fit_the_channels_is_refused_by_name(scale, offset):
    image = keras.Input(IMAGE)
    rescaled = layers.Rescaling(scale, offset, name="rescale")
    rescaled.compute_output_spec = lambda x: keras.KerasTensor(x.shape)  # Keras refuses it first
    model = keras.Model(image, layers.Flatten()(rescaled(image)))
    assert refusals(model)[0].startswith("layer rescale: found numbers of the shape (3,) for (6, 6, 2), expected one")


def test_weights_that_are_not_finite_are_refused():
    conv = convolution()
    model = model_around(conv, layers.ReLU())
    conv.set_weights([np.full((3, 3, 2, 4), np.nan), np.zeros(4)])
    assert refusals(model)[0] == "layer conv: found NaN or infinite weights, expected finite ones"


def test_pixels_in_a_row_are_refused_with_what_makes_them_an_image():
    row = model_around(layers.Dense(5, "relu"), shape=(36,))
    hint = "keras.Sequential([keras.Input((h, w, channels)), keras.layers.Flatten(), model])"
    assert refusals(row) == [f"mine: found the input shape (36,), expected (h, w, channels): {hint}"]
    image = keras.Sequential([keras.Input((6, 6, 1)), layers.Flatten(), row])
    assert fold(image).image_shape == (6, 6, 1)


def test_pixels_that_no_layer_scales_are_refused():
    model = model_around(convolution(), layers.BatchNormalization(), layers.ReLU(name="r"), scaled=False)
    assert refusals(model)[0].startswith("layer r: found pixels from 0 to 255 that no layer before it scales")


def test_other_order_of_axes_is_refused():
    image = keras.Input((2, 6, 6))
    model = keras.Model(image, layers.Flatten(data_format="channels_first", name="first")(image))
    assert refusals(model)[0] == "layer first: found data_format=channels_first, expected channels_last"


def test_class_derived_from_a_layer_is_refused_as_it_may_compute_something_else():
    class Doubled(layers.Conv2D):
        def call(self, inputs):
            return 2 * super().call(inputs)

    model = model_around(Doubled(1, 1, name="mine"), layers.ReLU())
    assert refusals(model)[0].startswith("layer mine: found a Doubled layer, expected a layer listed")


@pytest.mark.parametrize("kind", [keras.Model, keras.Sequential])
def test_model_of_own_class_is_refused(kind):
    class Mine(kind):
        def call(self, inputs):
            return 2 * inputs

    assert refusals(Mine()) == [
        "found a Mine, expected a Sequential or functional Keras model, built with its input shape"
    ]


def test_model_without_input_shape_is_refused():
    (line,) = refusals(keras.Sequential([layers.Dense(2, "relu"), layers.Dense(2)]))
    assert line == "found a Sequential, expected a Sequential or functional Keras model, built with its input shape"


def test_second_output_is_refused():
    image = keras.Input(IMAGE)
    model = keras.Model(image, [layers.Flatten()(image), layers.Flatten()(image)], name="both")
    assert refusals(model) == ["both: found inputs: 1, outputs: 2, expected one of each"]


def test_dense_layer_on_an_image_without_channels_is_refused():
    image = keras.Input((6, 6))
    model = keras.Model(image, layers.Dense(3, name="rows")(layers.Rescaling(1.0)(image)))
    assert refusals(model)[0] == "layer rows: found a tensor of the shape (6, 6), expected a Flatten layer before it"


def test_network_without_activation_and_scores_that_are_no_vector_are_refused():
    assert refusals(model_around(layers.Dense(2))) == ["found no ReLU, expected at least one"]
    model = keras.Sequential([keras.Input(IMAGE), layers.Rescaling(1.0), convolution(), layers.ReLU()])
    model.add(layers.Conv2D(4, 3))
    assert refusals(model)[0].startswith("found scores of the shape (2, 2, 4), expected a vector, as a Dense layer")


@pytest.mark.parametrize(
    "layer",
    [
        layers.BatchNormalization(name="n"),
        layers.Dropout(0.5, name="n"),
        keras.Sequential([keras.Input((4, 4, 2)), layers.Dropout(0.5)], name="n"),
    ],
)
def test_call_in_training_is_refused(layer):
    expected = "layer n: found a call with training=True, expected one without it, as at inference"
    assert refusals(model_after_relu(lambda x: layer(x, training=True))) == [expected]


def test_scores_that_read_the_image_without_a_relu_are_refused_at_once():
    image = keras.Input(IMAGE)
    x = layers.Flatten()(layers.Rescaling(1.0)(image))
    skip = layers.Add()([layers.Dense(3)(x), layers.Dense(3)(layers.Dense(4, "relu")(x))])
    assert refusals(keras.Model(image, skip)) == [
        "found scores that read the image with no ReLU in between, expected a ReLU on every path"
    ]
