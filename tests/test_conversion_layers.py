"""What becomes of Keras layers, by examples that one can check by hand, and at which level of quantisation."""

import re
import subprocess
import sys

import keras
import numpy as np
import pytest
from keras import layers
from numpy.testing import assert_allclose, assert_array_equal

from LeNet import tensorlayer  # noqa: F401, it starts TensorFlow as the scripts do
from spiking.conversion import MedianQuantizer, convert, with_quantizers
from spiking.conversion.assembly import assemble
from spiking.conversion.from_keras import fold
from spiking_utils import SpikingNetwork
from tests.helpers import ROOT

IMAGE = (6, 6, 2)


def model_around(*middle, shape=IMAGE, scaled=True):
    """A Sequential of an input, perhaps its Rescaling, the given layers and a classifier."""
    first = [layers.Rescaling(1 / 256, name="scale")] if scaled else []
    return keras.Sequential([keras.Input(shape), *first, *middle, layers.Flatten(), layers.Dense(3)], name="mine")


def model_after_relu(build):
    """A functional model: a convolution with a ReLU, (4, 4, 2), what `build` makes of it, and a classifier."""
    image = keras.Input(IMAGE)
    x = layers.Conv2D(2, 3, activation="relu", name="first")(layers.Rescaling(1.0)(image))
    return keras.Model(image, layers.Dense(2, name="last")(layers.Flatten()(build(x))))


def convolution(**settings):
    return layers.Conv2D(4, 3, name="conv", **settings)


def notation(*middle, **settings):
    return assemble(fold(model_around(*middle, **settings)))[0].notation


@pytest.mark.parametrize(
    ("middle", "expected"),
    [
        ([convolution(), layers.ReLU()], "4C3"),
        ([convolution(padding="same", strides=(2, 1)), layers.ReLU(max_value=0.5)], "4C3ps2x1m0.5"),
        ([convolution(activation="relu6")], "4C3m6"),
        ([convolution(activation=layers.ReLU(2.0))], "4C3m2"),
        ([convolution(activation=keras.ops.relu)], "4C3"),
        ([convolution(), layers.ReLU(max_value=float("inf"))], "4C3"),
        ([convolution(dilation_rate=2, padding="same"), layers.ReLU()], "4C5p"),
        ([layers.ZeroPadding2D(1), convolution(), layers.ReLU()], "4C3p"),
        ([layers.ZeroPadding2D(((2, 0), (0, 2))), convolution(), layers.ReLU()], "4C3p(2,0,0,2)"),
        ([layers.Cropping2D(((1, 0), (0, 1))), convolution(), layers.ReLU()], "4C3p(-1,0,0,-1)"),
        ([layers.AveragePooling2D(2), convolution(padding="same"), layers.ReLU()], "4C6ps2"),
        ([convolution(), layers.AveragePooling2D(2), layers.ReLU()], "4C4s2"),
        ([layers.GlobalAveragePooling2D(), layers.Dense(5), layers.ReLU()], "5"),
        ([convolution(), layers.ReLU(6), layers.MaxPooling2D(2), layers.ReLU(6)], "4C3m6-M2"),
        ([layers.Flatten(), layers.Dense(5, activation="relu")], "5"),
        ([layers.Reshape((-1,)), layers.Dense(5, "relu"), layers.Dropout(0.5)], "5"),
        ([layers.Permute((3, 1, 2)), layers.Flatten(), layers.Dense(5, "relu")], "5"),
        ([layers.Dense(5, "relu")], "5C1"),
        ([keras.Sequential([convolution(), layers.ReLU()])], "4C3"),
        ([convolution(), layers.ReLU(), layers.ReLU()], "4C3"),
        ([convolution(), layers.ReLU(), layers.MaxPooling2D(2)], "4C3-M2"),
        ([convolution(), layers.MaxPooling2D(2), layers.ReLU()], "4C3-M2"),
        ([convolution(activation="relu"), layers.ZeroPadding2D(1), layers.MaxPooling2D(3, 1)], "4C3-M3ps1"),
        ([convolution(activation="relu"), layers.GlobalMaxPooling2D()], "4C3-M4"),
        ([layers.Conv2D(4, 3, groups=2, activation="relu")], "4C3g2"),
        ([layers.DepthwiseConv2D(3, depth_multiplier=2), layers.ReLU()], "4C3g2"),
        ([layers.SeparableConv2D(5, 3), layers.ReLU()], "5C3"),
        ([layers.Rescaling(1.0, -1.0), convolution(padding="same", activation="relu")], "4C3pb"),
        ([layers.Flatten(), layers.BatchNormalization(), layers.Dense(5, "relu")], "5"),
    ],
)
def test_notation_of_layers(middle, expected):
    assert re.fullmatch(r"6x6x2-(.*)-3b?", notation(*middle))[1] == expected


def test_image_without_channels_has_one():
    assert notation(layers.Flatten(), layers.Dense(5, "relu"), shape=(4, 3)) == "4x3x1-5-3"
    reshaped = layers.Reshape((4, 3, 1)), layers.Conv2D(2, 3, activation="relu")
    assert notation(*reshaped, shape=(4, 3)) == "4x3x1-2C3-3"


def test_bias_epsilon_and_rescaling_become_one_normalisation():
    normalization = layers.BatchNormalization(epsilon=0.01)
    conv = layers.Conv2D(1, 1)
    model = model_around(layers.Rescaling(2.0, 3.0), conv, normalization, layers.ReLU())
    conv.set_weights([np.full((1, 1, 2, 1), 0.5), np.array([0.25])])
    normalization.set_weights([np.array([value]) for value in (3.0, -1.0, 0.75, 0.24)])  # gamma, beta, mean, var
    _, weights = assemble(fold(model))
    # for channels a and b: x = 0.5 * (2 a + 3) + 0.5 * (2 b + 3) + 0.25, y = 3 * (x - 0.75) / 0.5 - 1
    assert_array_equal(weights["conv1/W"].ravel(), [0.5, 0.5])
    assert_allclose(weights["bn1/gamma"], [2 * 3 / 0.5], rtol=1e-7)  # Keras holds 0.24 in float32
    assert_allclose(weights["bn1/beta"], [(3 + 0.25 - 0.75) * 3 / 0.5 - 1], rtol=1e-7)


def test_offset_is_a_potential_where_padding_does_not_see_it():
    conv = layers.Conv2D(1, (1, 3), padding="same", use_bias=False)
    model = model_around(layers.Rescaling(1.0, 2.0), conv, layers.ReLU(), shape=(1, 4, 1), scaled=False)
    conv.set_weights([np.array([1.0, 10.0, 100.0]).reshape(1, 3, 1, 1)])
    _, weights = assemble(fold(model))
    # inside 2 * 111 flows in, which is in beta; at the left border 2 * 1 is missing, at the right one 2 * 100
    assert_allclose(weights["bn1/beta"], [222])
    assert_allclose(weights["conv1/initial"].ravel() * weights["bn1/gamma"], [-2, 0, 0, -200])


def test_paddings_in_a_row_before_a_relu_are_one_padding_after_it():
    padding = [layers.ZeroPadding2D(1), layers.ZeroPadding2D((1, 0))]
    second = [layers.Conv2D(2, 3), layers.ReLU()]
    assert notation(convolution(), *padding, layers.ReLU(), *second) == "6x6x2-4C3-2C3p(2,2,1,1)-3"


def test_a_skip_connection_has_no_weights():
    skip = model_after_relu(lambda x: layers.ReLU()(x + layers.Conv2D(2, 3, padding="same")(x)))
    network, weights = assemble(fold(skip))
    assert network.notation == "6x6x2-2C3-I+2C3p-2"
    assert [key for key in weights if key.endswith("/W")] == ["conv1/W", "conv2from1/W", "fc/W"]


@pytest.mark.filterwarnings("ignore:.* never fires")  # for a black image
def test_multiply_accumulates_are_those_of_the_models_own_layers():
    model = model_around(
        convolution(activation="relu"),  # reads the image: 4 x 4 x 4 numbers come out
        layers.AveragePooling2D(2),
        layers.Dense(5, "relu"),  # 2 x 2 positions x 4 channels x 5 filters
        layers.Conv2D(6, 2, padding="same", activation="relu"),  # 9 pairs of window and position x 5 channels x 6
        layers.MaxPooling2D(2),
    )  # 6 numbers x 3 classes
    expected = 2 * 2 * 4 * 5 + 9 * 5 * 6 + 6 * 3
    assert convert(model, 1, np.zeros((1, *IMAGE), np.uint8)).network.counted_multiply_accumulates == expected


def test_multiply_accumulates_of_a_kernel_that_is_dilated_along_one_axis():
    """Pairs of window and tap inside the image: 2 + 3 + 2 in 3 rows; for columns 3 apart, 4 + 7 + 4 of 7."""
    dilation = layers.Conv2D(5, 3, padding="same", dilation_rate=(1, 3), activation="relu")
    pixels = np.random.default_rng(0).integers(0, 256, (2, 3, 7, 2))
    network = convert(model_around(layers.Dense(2, "relu"), dilation, shape=(3, 7, 2)), 1, pixels).network
    assert network.notation == "3x7x2-P1-5C3x7p-3"
    assert network.counted_multiply_accumulates == (2 + 3 + 2) * (4 + 7 + 4) * 2 * 5 + 3 * 7 * 5 * 3


def test_functional_graph_is_taken_even_with_layers_that_others_use_too():
    shared = layers.ReLU(name="shared")
    model = model_after_relu(lambda x: shared(layers.Dense(3)(x)))
    keras.Sequential([keras.Input((2,)), shared])
    assert assemble(fold(model))[0].notation == "6x6x2-2C3-3C1-2"


@pytest.mark.parametrize("outputs", [lambda x: {"scores": x}, lambda x: [x]])
def test_scores_in_a_dict_or_a_list_of_one_are_taken(outputs):
    inner = model_around(convolution(activation="relu"))
    model = keras.Model(inner.inputs, outputs(inner.outputs[0]))
    assert assemble(fold(model))[0].notation == "6x6x2-4C3-3"


@pytest.fixture
def quantized():
    return model_around(convolution(), layers.ReLU(), layers.MaxPooling2D(2), MedianQuantizer(3))


def test_level_is_that_of_the_quantisers(quantized):
    converted = convert(quantized)
    assert (converted.k, converted.quantized, converted.scales) == (3, True, (1.0, 1.0))


def test_level_of_the_argument_where_there_is_no_quantiser():
    with pytest.warns(UserWarning, match="no quantiser was trained and there are no images for calibration"):
        converted = convert(model_around(convolution(), layers.ReLU()), np.int64(4))
    assert type(converted.k) is int
    assert converted.k == 4


@pytest.mark.parametrize(
    ("middle", "k", "expected"),
    [
        (
            [convolution(), layers.ReLU()],
            None,
            "found no MedianQuantizer layer, expected one after each ReLU, or the argument k (--k)",
        ),
        (
            [convolution(), layers.ReLU(name="r"), MedianQuantizer(1)],
            2,
            "found MedianQuantizer layers with k=1, expected k=2, the argument",
        ),
        (
            [
                convolution(activation="relu"),
                MedianQuantizer(1),
                layers.Dense(2, "relu", name="second"),
                MedianQuantizer(2),
            ],
            None,
            "layer second: found a MedianQuantizer with k=2 after it, expected one with k=1, as after layer conv",
        ),
        (
            [convolution(), layers.ReLU(), MedianQuantizer(1), MedianQuantizer(2, name="again")],
            None,
            "layer again: found a second quantiser, with k=2, expected k=1, as in the first",
        ),
        (
            [convolution(), layers.ReLU(name="bare"), layers.Dense(2, "relu", name="next"), MedianQuantizer(2)],
            None,
            "layer bare: found no MedianQuantizer after it, expected one with k=2, as after layer next",
        ),
        (
            [convolution(), MedianQuantizer(2, name="q")],
            None,
            "layer q: found no ReLU before it, expected a MedianQuantizer right after a ReLU",
        ),
        (
            [convolution(), layers.ReLU(), layers.AveragePooling2D(2), MedianQuantizer(2, name="q")],
            None,
            "layer q: found no ReLU before it, expected a MedianQuantizer right after a ReLU",
        ),
    ],
)
def test_levels_that_do_not_agree_are_refused(middle, k, expected):
    with pytest.raises(ValueError, match=f"^{re.escape(expected)}$"):
        convert(model_around(*middle), k)


@pytest.mark.parametrize("k", [-1, 17, 2.5, True, "2"])
def test_argument_that_is_no_level_is_refused(k):
    with pytest.raises(ValueError, match=f"^k is {k}, expected an integer from 0 to 16$"):
        convert(model_around(convolution(activation="relu")), k)


def test_an_activation_read_with_and_without_its_quantiser_is_refused():
    model = model_after_relu(lambda x: layers.Add()([MedianQuantizer(1)(x), x]))
    with pytest.raises(ValueError, match="layer first: found no MedianQuantizer after it"):
        convert(model)


def test_quantisers_are_put_in_after_each_relu_of_any_spelling():
    image = keras.Input(IMAGE)
    x = layers.Conv2D(3, 3, activation="relu")(image / 255.0)
    x = keras.Sequential([keras.Input((4, 4, 3)), layers.Conv2D(2, 1), layers.ReLU()], name="inner")(x)
    x = keras.ops.relu(layers.BatchNormalization()(x))
    model = keras.Model(image, layers.Dense(2)(layers.Flatten()(x)))
    weights = [np.random.default_rng(0).normal(0.5, 0.1, array.shape) for array in model.get_weights()]
    model.set_weights(weights)
    copy = with_quantizers(model, 2)
    assert sum(isinstance(layer, MedianQuantizer) for layer in copy.layers) == 3
    for array, own in zip(copy.get_weights(), weights, strict=True):
        assert_allclose(array, own, rtol=1e-6)
    pixels = np.random.default_rng(1).integers(0, 256, (4, *IMAGE))
    converted = convert(copy)
    activity = SpikingNetwork(converted.weights, converted.network, converted.k, 1, None).run(pixels)
    assert_array_equal(activity.predictions()[:, -1], copy.predict(pixels, verbose=0).argmax(axis=1))
    copy.compile("sgd", "mse")
    copy.fit(pixels, np.zeros((4, 2)), verbose=0)  # it can be trained, and the model stays as it was
    assert_array_equal(model.get_weights()[0], np.float32(weights[0]))
    with pytest.raises(ValueError, match="found a quantiser, expected"):
        with_quantizers(copy, 2)


@pytest.mark.parametrize("k", [-1, 17, 1.5])
def test_quantisers_of_no_level_are_refused(k):
    with pytest.raises(ValueError, match=f"^k is {k}, expected an integer from 0 to 16$"):
        with_quantizers(model_around(convolution(activation="relu")), k)


def test_layers_of_inner_models_keep_names_of_their_own():
    image = keras.Input(IMAGE)
    x = layers.Conv2D(2, 1, activation="relu", name="inner_conv")(layers.Rescaling(1.0)(image))
    x = keras.Sequential([keras.Input((6, 6, 2)), layers.Conv2D(3, 1, name="conv"), layers.ReLU()], name="inner")(x)
    copy = with_quantizers(keras.Model(image, layers.Dense(2)(layers.Flatten()(x))), np.int64(2))
    names = {layer.name for layer in copy.layers}
    assert {"inner_conv", "inner_conv_"} <= names
    assert convert(copy).k == 2


def test_importing_the_library_imports_no_keras_and_converting_changes_no_setting():
    code = """
import sys
import spiking.conversion
assert "keras" not in sys.modules and "tensorflow" not in sys.modules
import keras, numpy as np
keras.config.set_dtype_policy("mixed_bfloat16"); keras.config.set_epsilon(1e-3); keras.config.set_floatx("float16")
settings = lambda: (keras.config.dtype_policy().name, keras.config.epsilon(), keras.config.floatx())
before = settings()
layers = [keras.layers.Rescaling(1 / 255), keras.layers.Flatten(), keras.layers.Dense(3, "relu")]
model = keras.Sequential([keras.Input((4, 4, 1)), *layers, keras.layers.Dense(2)])
spiking.conversion.convert(model, 1, np.ones((2, 4, 4, 1), np.uint8))
assert settings() == before
assert not {"experiment", "LeNet"} & set(sys.modules)
"""
    process = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True)
    assert process.returncode == 0, process.stderr.decode()
