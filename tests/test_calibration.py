"""The scale of activations of a network that was trained without quantiser."""

import keras
import numpy as np
import pytest
from keras import layers
from numpy.testing import assert_allclose, assert_array_equal

from spiking.conversion import calibration, convert
from spiking.conversion.assembly import assemble
from spiking.conversion.from_keras import fold
from spiking_utils import SpikingNetwork
from tests.keras_graphs import set_random_weights
from tests.test_conversion_networks import NETWORKS, model_of, pooling_before_the_relu

PIXELS = np.random.default_rng(0).integers(0, 256, (20, 12, 12, 3))


# one of them has no activation that is the output of a layer
@pytest.mark.parametrize("network", [network for network in NETWORKS if network is not pooling_before_the_relu])
def test_observed_activations_are_those_of_keras(network):
    model = model_of(network)
    set_random_weights(model, 1)
    for variable in model.variables:
        if variable.path.endswith("gamma"):
            variable.assign(np.abs(variable))
    graph = fold(model)
    observations = calibration.observe(graph, PIXELS)
    compared = 0
    for node, observation in zip(graph.nodes, observations, strict=True):
        name = node.layers[-1]
        if observation and name in {layer.name for layer in model.layers}:
            outputs = keras.Model(model.input, model.get_layer(name).output)(PIXELS)
            values = np.asarray(outputs)
            if values.shape[1:] == node.shape:  # not where a ReLU has become several blocks, or a pooling follows
                largest = np.sort(values[values > 0])
                assert observation.positive == pytest.approx(len(largest), abs=3)  # of float32, near 0
                index = len(largest) - 1 - int(len(largest) * (1 - calibration.QUANTILE))
                assert_allclose(observation.scale, largest[index], rtol=1e-3)
                compared += 1
    assert compared


def test_scale_is_the_quantile_of_the_positive_activations():
    """A quarter of 1 to 100 lies above 75, however many zeros there are and in whatever batches they come."""
    observation = calibration.Observation(most=200, quantile=0.75)
    assert observation.scale == 1  # of nothing
    for batch in np.split(np.random.default_rng(0).permutation(np.float32([*range(101), *[0] * 99])), [3, 150]):
        observation.add(batch, max_value=80)
    assert (observation.scale, observation.positive, observation.clipped) == (75, 100, 21)


def dense_network(factor, activation="relu"):
    """The same function for any factor: activations of the first layer times it."""
    rng = np.random.default_rng(0)
    first, last = layers.Dense(20, activation), layers.Dense(4)
    model = keras.Sequential([keras.Input((12, 12, 3)), layers.Rescaling(1 / 255), layers.Flatten(), first, last])
    kernels = rng.normal(0, 0.1, (432, 20)), rng.normal(0, 0.5, (20, 4))
    first.set_weights([kernels[0] * factor, rng.normal(0, 0.1, 20) * factor])
    last.set_weights([kernels[1] / factor, np.zeros(4)])
    return model


def activity(factor, pixels, calibrated):
    converted = convert(dense_network(factor), 3, calibrated)
    return SpikingNetwork(converted.weights, converted.network, 3, 60).run(pixels)


def test_rescaled_network_gives_what_the_original_gives():
    original, rescaled = (activity(factor, PIXELS, PIXELS) for factor in (1, 1 / 128))
    assert_array_equal(rescaled.trains[0].counts(), original.trains[0].counts())
    assert_array_equal(rescaled.predictions(), original.predictions())
    assert 7 <= original.trains[0].counts().max() <= 16  # about 2^3


def test_rounding_is_the_largest_change_of_a_weight():
    converted = convert(model := dense_network(1), 3, PIXELS)
    _, exact = assemble(fold(model), converted.scales)
    changes = [np.abs(converted.weights[key] - np.float32(array)).max() for key, array in exact.items()]
    assert converted.rounding == max(changes) > 0


def test_without_images_a_network_of_small_activations_never_fires_and_says_why():
    with pytest.warns(UserWarning, match="there are no images for calibration, so 2.k counts stand for 1"):
        silent = activity(1 / 128, PIXELS, None)
    assert silent.trains[0].counts().max() == 0


def test_block_that_never_fires_or_clips_is_a_warning_that_names_it():
    model = dense_network(1)
    model.layers[2].set_weights([np.zeros((432, 20)), np.full(20, -1.0)])
    with pytest.warns(UserWarning, match=rf"block 1 \(layer {model.layers[2].name}\) never fires"):
        convert(model, 2, PIXELS)
    with pytest.warns(UserWarning, match=r"clips: \d+ % of its positive activations are at max_value=0.01"):
        convert(dense_network(1, layers.ReLU(0.01)), 2, PIXELS)


@pytest.mark.parametrize("pixels", [PIXELS[0], PIXELS[:, :5], PIXELS / 255, PIXELS[:0], PIXELS - 1, PIXELS + 1])
def test_images_that_do_not_fit_are_refused(pixels):
    expected = r"images for calibration (are|have) .*, expected whole pixels from 0 to 255 \(images, 12, 12, 3\)"
    with pytest.raises(ValueError, match=expected):
        convert(dense_network(1), 2, pixels)


def test_images_without_channels_are_taken_where_there_is_one():
    model = keras.Sequential([keras.Input((4, 3, 1)), layers.Rescaling(1.0), layers.Flatten()])
    for units, activation in ((5, "relu"), (2, None)):
        model.add(layers.Dense(units, activation))
    pixels = np.random.default_rng(0).integers(0, 256, (20, 4, 3, 1))
    found, expected = (convert(model, 2, images).scales for images in (pixels[..., 0], pixels))
    assert found == expected


def test_block_that_loses_filters_to_the_grid_is_a_warning():
    model = dense_network(1)
    kernel, bias = model.layers[2].get_weights()
    kernel[:, 3] *= 1e-7
    model.layers[2].set_weights([kernel, bias])
    with pytest.warns(UserWarning, match="block 1 loses 1 of 20 filters: beside the block.s largest weight"):
        convert(model, 2, PIXELS)
