"""What of a Keras model is refused, by the name of the layer, and what the message says to use instead."""

import re

import keras
import numpy as np
import pytest
from keras import layers, ops

from spiking.conversion import convert
from spiking.conversion.from_keras import fold
from tests.keras_refused import REFUSED
from tests.test_conversion_layers import IMAGE, convolution, model_after_relu, model_around


def refusals(model):
    """The lines in which a model is refused, each of which says what was found and what was expected."""
    with pytest.raises(ValueError, match=r"\w") as refused:
        fold(model)
    lines = str(refused.value).split("\n")
    assert all(re.search(r"found (?!None).+, expected (?!None).+", line) for line in lines)
    return lines


@pytest.mark.parametrize(("middle", "expected"), REFUSED, ids=[row[1][:60] for row in REFUSED])
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


@pytest.mark.parametrize("after", [layers.Rescaling(-1.0), layers.ReLU()])
def test_what_follows_a_softmax_may_change_which_score_is_the_highest(after):
    model = keras.Sequential([model_around(convolution(activation="relu")), layers.Softmax(name="early"), after])
    assert refusals(model)[0] == "layer early: found a softmax with layers after it, expected it last"


@pytest.mark.parametrize("settings", [{"scale": 1 / 255}, {"offset": -0.5}])
def test_scale_and_offset_are_arguments_for_onnx_files_only(settings):
    model = model_around(convolution(activation="relu"))
    expected = "found a scale or an offset for a Keras model, expected a Rescaling layer in the model"
    with pytest.raises(ValueError, match=f"^{expected}$"):
        convert(model, 2, **settings)


def test_products_of_activations_are_refused():
    for product in (lambda x: layers.Multiply(name="times")([x, x]), lambda x: keras.ops.multiply(x, x)):
        (line,) = refusals(model_after_relu(product))
        assert re.search(r"found a Multiply (layer|operator), expected Add, or Concatenate", line)


def test_attention_and_a_division_by_a_tensor_are_refused():
    attention = layers.MultiHeadAttention(1, 2, name="attention")
    (line,) = refusals(model_after_relu(lambda x: attention(*[layers.Reshape((16, 2))(x)] * 2)))
    hint = "convolutions and dense layers: blocks cannot multiply activations"
    assert line == f"layer attention: found a MultiHeadAttention layer, expected {hint}"
    (line,) = refusals(model_after_relu(lambda x: 1.0 / x))
    assert line.endswith("found a division by a tensor, expected one by numbers")


@pytest.mark.parametrize(
    ("operator", "expected"),
    [
        (lambda x: ops.clip(x, -1.0, 6.0), "found a clip to [-1.0, 6.0], expected a clip with 0 as the lower bound"),
        (
            lambda x: ops.clip(x, [0.0, 0.0], 6.0),
            "found a clip to [[0.0, 0.0], 6.0], expected a clip with 0 as the lower bound",
        ),
        (
            lambda x: ops.clip(x, 0.0, [1.0, 2.0]),
            "found a clip to [0.0, [1.0, 2.0]], expected a clip with 0 as the lower bound",
        ),
        (lambda x: ops.softmax(x, axis=0), "found axis=0, expected another axis than the batch"),
        (
            lambda x: ops.split(x, 2, axis=3)[1],
            "found a Split operator, expected a layer listed in docs/your-own-network.md",
        ),
        (lambda x: ops.maximum(x, 0.5), "found a maximum with numbers other than 0, expected a ReLU"),
        (lambda x: ops.mean(x, axis=1), "found a mean over the axes [1], expected the rows and columns, (1, 2)"),
        (lambda x: ops.mean(x, axis=3), "found a mean over the axes [3], expected the rows and columns, (1, 2)"),
        (
            lambda x: ops.mean(x, axis=(1, 3)),
            "found a mean over the axes (1, 3), expected the rows and columns, (1, 2)",
        ),
        (lambda x: ops.reshape(x, (1, 32)), "found the shape (1, 32), expected the batch (-1) first"),
        (
            lambda x: ops.mean(ops.transpose(x, (1, 0, 2, 3)), axis=1),
            "found axes=(1, 0, 2, 3), expected the batch first",
        ),
    ],
)
def test_operators_that_blocks_cannot_compute_are_refused(operator, expected):
    assert refusals(model_after_relu(operator))[0].partition(": ")[2] == expected


def test_recurrent_layer_is_refused_by_name():
    model = keras.Sequential([keras.Input((6, 6)), layers.Rescaling(1 / 255), layers.GRU(4, name="time")])
    expected = "a layer listed in docs/your-own-network.md"
    assert refusals(model)[0] == f"layer time: found a GRU layer, expected {expected}"


@pytest.mark.parametrize(("scale", "offset"), [([0.1, 0.2, 0.3], 0.0), (0.1, [0.1, 0.2, 0.3])])
def test_rescaling_that_does_not_fit_the_channels_is_refused_by_name(scale, offset):
    image = keras.Input(IMAGE)
    rescaled = layers.Rescaling(scale, offset, name="rescale")
    rescaled.compute_output_spec = lambda x: keras.KerasTensor(x.shape)  # Keras refuses it first
    model = keras.Model(image, layers.Flatten()(rescaled(image)))
    expected = "one, or one for each channel"
    assert refusals(model)[0] == f"layer rescale: found numbers of the shape (3,) for (6, 6, 2), expected {expected}"


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
    expected = "a Rescaling layer: Rescaling(1 / 255), say, or Rescaling(1) for pixels as they are"
    found = "layer r: found pixels from 0 to 255 that no layer before it scales"
    assert refusals(model)[0] == f"{found}, expected {expected}"


def test_other_order_of_axes_is_refused():
    image = keras.Input((2, 6, 6))
    model = keras.Model(image, layers.Flatten(data_format="channels_first", name="first")(image))
    assert refusals(model)[0] == "layer first: found data_format=channels_first, expected channels_last"


def test_class_derived_from_a_layer_is_refused_as_it_may_compute_something_else():
    class Doubled(layers.Conv2D):
        def call(self, inputs):
            return 2 * super().call(inputs)

    model = model_around(Doubled(1, 1, name="mine"), layers.ReLU())
    expected = "a layer listed in docs/your-own-network.md"
    assert refusals(model)[0] == f"layer mine: found a Doubled layer, expected {expected}"


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


def test_image_of_any_size_is_refused():
    model = keras.Sequential([keras.Input((None, 6, 2)), convolution(), layers.GlobalMaxPooling2D()], name="any")
    assert refusals(model) == ["any: found the input shape (None, 6, 2), expected (h, w, channels)"]


def test_quantised_weights_are_refused():
    model = model_around(layers.Dense(2, "relu", name="small"))
    model.get_layer("small").quantize("int8")
    assert refusals(model)[0] == "layer small: found weights quantised to int8, expected weights in floating point"


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
    expected = "a vector, as a Dense layer at the end gives"
    assert refusals(model)[0] == f"found scores of the shape (2, 2, 4), expected {expected}"


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
