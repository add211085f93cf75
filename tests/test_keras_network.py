"""Keras chains as spiking networks: every neuron against Keras's own layers in float64."""

import keras
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal

from experiment.images import scaled
from LeNet.tensorlayer import models
from LeNet.tensorlayer.keras_network import blocks_of, fold, keras_network
from spiking.network import Network
from spiking_utils import SpikingNetwork
from tests import reference
from tests.keras_chains import chains

LEVEL = 2


@pytest.fixture(autouse=True, scope="module")
def float64():
    keras.config.set_dtype_policy("float64")
    yield
    keras.config.set_dtype_policy("float32")


def random_pixels(model, seed):
    return np.random.default_rng(seed).integers(0, 256, (8, *model.input_shape[1:]))


def own_scores(model, pixels):
    return keras.ops.convert_to_numpy(model(pixels.astype(np.float64), training=False))


def unrounded(model):
    """The network and the folded weights of a model before they are rounded to the grid."""
    notation, weights = blocks_of(fold(model))
    return Network.parse(notation), weights


def softmax(scores):
    exponentials = np.exp(scores - scores.max(axis=1, keepdims=True))
    return exponentials / exponentials.sum(axis=1, keepdims=True)


def ends_in_softmax(model):
    return isinstance(model.layers[-1], keras.layers.Softmax) or "softmax" in str(model.layers[-1].activation)


def quiescent(weights, network, pixels):
    """The Activity of the spiking network after as many steps as it takes."""
    time_steps = 16
    while True:
        activity = SpikingNetwork(weights, network, LEVEL, time_steps).run(pixels)
        if activity.quiescent().all():
            return activity
        time_steps *= 4
        assert time_steps < 5000


@settings(max_examples=15)
@given(chains(LEVEL), st.integers(0, 2**32 - 1))
def test_folded_blocks_compute_what_the_model_computes(model, seed):
    pixels = random_pixels(model, seed)
    network, weights = unrounded(model)
    _, scores = reference.artificial(weights, network, LEVEL, pixels)
    scores = scores / 2**LEVEL
    if ends_in_softmax(model):
        scores = softmax(scores)
    assert_allclose(scores, own_scores(model, pixels), rtol=1e-9, atol=1e-9)


@settings(max_examples=15)
@given(chains(LEVEL), st.integers(0, 2**32 - 1))
def test_every_neuron_equals_that_of_keras_layers_on_the_rounded_weights(model, seed):
    pixels = random_pixels(model, seed)
    trained, _ = keras_network(model)
    artificial = models.build(trained.network, trained.model.k, dtype="float64")
    models.assign(trained.network, artificial, trained.weights)
    *activations, logits = models.with_activations(trained.network, artificial)(scaled(pixels).astype(np.float64))
    activity = quiescent(trained.weights, trained.network, pixels)
    for train, activation in zip(activity.trains, activations, strict=True):
        assert_array_equal(train.counts(), 2**LEVEL * keras.ops.convert_to_numpy(activation))
    assert_array_equal(activity.predictions()[:, -1], keras.ops.convert_to_numpy(logits).argmax(axis=1))


@settings(max_examples=15)
@given(chains(LEVEL), st.integers(0, 2**32 - 1))
def test_predictions_are_those_of_the_model_but_for_what_rounding_explains(model, seed):
    pixels = random_pixels(model, seed)
    network, exact = unrounded(model)
    trained, rounding = keras_network(model)
    counts, _ = reference.artificial(exact, network, LEVEL, pixels)
    activity = quiescent(trained.weights, network, pixels)
    moved = np.any([np.any(a.counts() != b, axis=(1, 2, 3)) for a, b in zip(activity.trains, counts)], axis=0)
    assert moved.mean() <= 0.25  # of the images, those where rounding has taken a neuron over a threshold
    own = own_scores(model, pixels)
    lowest, highest = np.sort(own, axis=1)[:, -2:].T
    apart = highest - lowest > 2 * rounding * (1 + counts[-1].sum(axis=(1, 2, 3)) / 2**LEVEL)
    agree = activity.predictions()[:, -1] == own.argmax(axis=1)
    assert np.all(agree | moved | ~apart)
