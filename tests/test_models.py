"""The network in Keras: its shapes, its initial values, and its numbers against plain NumPy."""

import math
from itertools import pairwise

import keras
import numpy as np
import pytest
from hypothesis import Phase, example, given, settings
from hypothesis import strategies as st

from LeNet.tensorlayer import models
from LeNet.tensorlayer.layers import FullWindowConv2D, PerChannelConv2D
from spiking.network import FULL_PRECISION, PIXEL_LEVELS
from spiking.notation import parse
from spiking.trains import SOPS
from spiking_utils import SpikingNetwork
from tests import reference
from tests.networks import LENET, graphs, random_weights, small_chains

BLOCKS = (1, 2, 3, 4, 5)


@pytest.fixture(scope="module")
def initial():
    """The values that training starts from, by key."""
    keras.utils.set_random_seed(1)
    variables = models.variables(LENET, models.build(LENET, k=0))
    return {key: variable.numpy() for key, variable in variables.items()}


def float64_model(k, weights, network=LENET):
    model = models.build(network, k, dtype="float64")
    models.assign(network, model, weights)
    return model


def some_pixels(images):
    return np.random.default_rng(2).integers(0, 256, (images, *LENET.input_shape))


def assert_normal(values, mean, sd):
    """Mean and standard deviation agree within five of their standard errors."""
    assert abs(values.mean() - mean) < 5 * sd / math.sqrt(values.size)
    assert abs(values.std() - sd) < 5 * sd / math.sqrt(2 * values.size)


def test_variables_have_the_shapes_of_the_description(initial):
    assert {key: value.shape for key, value in initial.items()} == LENET.weight_shapes
    assert list(initial) == list(LENET.weight_shapes)


@pytest.mark.parametrize(("key", "sd"), [*((f"conv{block}/W", 0.02) for block in BLOCKS), ("fc/W", 0.1)])
def test_initial_weights_are_truncated_normal(initial, key, sd):
    density = math.exp(-(2**2) / 2) / math.sqrt(2 * math.pi)  # of the standard normal distribution at 2
    truncated_sd = math.sqrt(1 - 2 * 2 * density / math.erf(2 / math.sqrt(2)))  # of what lies between -2 and 2
    assert_normal(initial[key], 0, sd * truncated_sd)
    assert np.abs(initial[key]).max() <= 2 * sd


def test_initial_gammas_are_normal(initial):
    assert_normal(np.concatenate([initial[f"bn{block}/gamma"] for block in BLOCKS]), 1, 0.002)


@pytest.mark.parametrize(("parameter", "value"), [("beta", 0), ("moving_mean", 0), ("moving_var", 1)])
def test_other_initial_values_are_constant(initial, parameter, value):
    for block in BLOCKS:
        assert np.all(initial[f"bn{block}/{parameter}"] == value)


def test_blocks_do_not_start_alike(initial):
    starts = [initial[f"conv{block}/W"].ravel()[:20] for block in BLOCKS]
    assert all(not np.array_equal(one, other) for one, other in pairwise(starts))


def test_full_precision_is_the_network_without_quantiser():
    weights, pixels = random_weights(LENET, seed=3), some_pixels(2)
    x = pixels / 256
    for block in LENET.blocks:
        x = reference.convolve(x, weights[f"conv{block.name}/W"], block.inputs[0])
        x = np.maximum(reference.normalize(x, weights, block.name), 0)
    logits = float64_model(FULL_PRECISION, weights)(pixels / 256)
    np.testing.assert_allclose(logits, x.reshape(2, -1) @ weights["fc/W"].astype(float), rtol=1e-10)


def test_batch_normalisation_decays_by_a_tenth():
    normalization = float64_model(0, random_weights(LENET, seed=4)).get_layer("bn1")
    mean, variance = normalization.moving_mean.numpy(), normalization.moving_variance.numpy()
    x = np.random.default_rng(5).normal(2, 3, (10, 24, 24, 20))
    normalization(x, training=True)
    axes = (0, 1, 2)
    np.testing.assert_allclose(normalization.moving_mean, 0.9 * mean + 0.1 * x.mean(axes), rtol=1e-10)
    np.testing.assert_allclose(normalization.moving_variance, 0.9 * variance + 0.1 * x.var(axes), rtol=1e-10)


def test_batch_normalisation_adds_1e_5_to_the_variance():
    weights = random_weights(LENET, seed=6)
    weights["bn1/moving_var"][:] = 0
    normalization = float64_model(0, weights).get_layer("bn1")
    x = np.random.default_rng(7).normal(0, 1, (1, 24, 24, 20))
    gamma, beta, mean = (weights[f"bn1/{name}"].astype(float) for name in ("gamma", "beta", "moving_mean"))
    np.testing.assert_allclose(normalization(x), gamma * (x - mean) / math.sqrt(1e-5) + beta, rtol=1e-10)


@settings(max_examples=30, phases=[Phase.explicit, Phase.generate])  # to make a model smaller would take minutes
@given(small_chains() | graphs(), st.integers(0, 3), st.integers(0, 2**32 - 1))
@example(LENET, 0, 0)
@example(LENET, 2, 2)
def test_any_network_equals_numpy_in_every_activation(network, k, seed):
    weights = random_weights(network, seed)
    pixels = np.random.default_rng(seed).integers(0, 256, (3, *network.input_shape))
    *activations, logits = models.with_activations(network, float64_model(k, weights, network))(pixels / 256)
    counts, expected_logits = reference.artificial(weights, network, k, pixels)
    for activation, count in zip(activations, counts, strict=True):
        np.testing.assert_array_equal(2**k * activation.numpy(), count)
    np.testing.assert_array_equal(2**k * logits.numpy(), expected_logits)


def test_convolution_is_the_fastest_layer_that_computes_it():
    """The 4 x 2 kernel with stride 2 has one window over 5 x 2 inputs, and leaves a row out."""
    model = models.build(parse("5x5x2-4C3pg2-4C1s1x2g4-6C3pg2-3C4x2s2-2C1-3C3p-2"), k=0)
    kinds = [type(model.get_layer(f"conv{number}")) for number in (1, 2, 3, 4, 5, 6)]
    plain = keras.layers.Conv2D
    assert kinds == [PerChannelConv2D, plain, plain, plain, FullWindowConv2D, plain]


@pytest.mark.parametrize(
    "network", [LENET, parse("9x8x2-3C3x2ps2x1-M2-3C3p+I@2-4-3b")], ids=["LeNet", "residual, pooled"]
)
@pytest.mark.parametrize("k", [0, 2])
def test_penalty_is_for_the_operations_of_unbounded_bursts(network, k):
    weights = random_weights(network, seed=6)
    pixels = np.random.default_rng(6).integers(0, 256, (3, *network.input_shape))
    activity = SpikingNetwork(weights, network, k, time_steps=1, max_spikes=None).run(pixels)
    operations = activity.statistics[..., SOPS].sum() / 3
    assert operations > 0
    model = models.build(network, k, dtype="float64", sop_penalty=0.5)
    models.assign(network, model, weights)
    model(pixels / np.float64(PIXEL_LEVELS), training=False)
    assert float(sum(model.losses)) == pytest.approx(0.5 * operations / 1e6, rel=1e-12)


def test_penalty_in_full_precision_takes_an_activation_of_1_for_a_spike():
    weights, pixels = random_weights(LENET, seed=6), some_pixels(2) / PIXEL_LEVELS
    model = models.build(LENET, FULL_PRECISION, dtype="float64", sop_penalty=0.5)
    models.assign(LENET, model, weights)
    model(pixels, training=False)
    penalty = float(sum(model.losses))
    outputs = [model.get_layer(f"relu{block.name}").output for block in LENET.blocks]
    activations = keras.Model(model.input, outputs)(pixels, training=False)
    fan_outs = [LENET.fan_out(number)[..., None] for number in BLOCKS]
    operations = sum(np.sum(fan_out * a) for fan_out, a in zip(fan_outs, activations, strict=True)) / 2
    assert penalty == pytest.approx(0.5 * operations / 1e6, rel=1e-12)
