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
from spiking.network import PIXEL_LEVELS
from spiking.notation import parse
from spiking_utils import SpikingNetwork
from tests import reference
from tests.keras_chains import chains

TOLERANCE = 1e-9  # of sums in float64 that add up in another order
HALF_UNIT = 1 / 32767  # of the weight grid, at most, as a part of a layer's largest weight: it has 16 bits


@pytest.fixture(autouse=True, scope="module")
def float64():
    keras.config.set_dtype_policy("float64")
    yield
    keras.config.set_dtype_policy("float32")


def random_pixels(model, seed):
    return np.random.default_rng(seed).integers(0, 256, (8, *model.input_shape[1:]))


def computed(model, pixels):
    return keras.tree.map_structure(keras.ops.convert_to_numpy, model(pixels.astype(np.float64), training=False))


def keras_counts(chain, pixels, network):
    """S * activation of every block by Keras's own layers, before anything is rounded."""
    *activations, _ = computed(chain.quantized, pixels)
    shapes = [(len(pixels), *block.output_shape) for block in network.blocks]
    return [2**chain.level * values.reshape(shape) for values, shape in zip(activations, shapes, strict=True)]


def unrounded(model):
    """The network and the folded weights of a model before they are rounded to the grid."""
    notation, weights = blocks_of(fold(model))
    return parse(notation), weights


def softmax(scores):
    exponentials = np.exp(scores - scores.max(axis=1, keepdims=True))
    return exponentials / exponentials.sum(axis=1, keepdims=True)


def ends_in_softmax(model):
    return isinstance(model.layers[-1], keras.layers.Softmax) or "softmax" in str(model.layers[-1].activation)


def quiescent(weights, network, k, pixels):
    """The Activity of the spiking network after as many steps as it takes."""
    time_steps = 16
    while True:
        activity = SpikingNetwork(weights, network, k, time_steps).run(pixels)
        if activity.quiescent().all():
            return activity
        time_steps *= 4
        assert time_steps < 5000


@settings(max_examples=30)
@given(chains(), st.integers(0, 2**32 - 1))
def test_folded_blocks_compute_what_the_model_computes(chain, seed):
    pixels = random_pixels(chain.model, seed)
    network, weights = unrounded(chain.model)
    counts, scores = reference.artificial(weights, network, chain.level, pixels)
    for count, expected in zip(counts, keras_counts(chain, pixels, network), strict=True):
        assert_array_equal(count, expected)
    scores, (*_, expected) = scores / 2**chain.level, computed(chain.quantized, pixels)
    if ends_in_softmax(chain.quantized):
        scores = softmax(scores)
    assert_allclose(scores, expected, rtol=TOLERANCE, atol=TOLERANCE)


@settings(max_examples=30)
@given(chains(), st.integers(0, 2**32 - 1))
def test_every_neuron_equals_that_of_keras_layers_on_the_rounded_weights(chain, seed):
    pixels = random_pixels(chain.model, seed)
    trained, _ = keras_network(chain.model, chain.k)
    assert trained.model.k == chain.level
    artificial = models.build(trained.network, chain.level, dtype="float64")
    models.assign(trained.network, artificial, trained.weights)
    *activations, logits = computed(models.with_activations(trained.network, artificial), scaled(pixels))
    activity = quiescent(trained.weights, trained.network, chain.level, pixels)
    for train, activation in zip(activity.trains, activations, strict=True):
        assert_array_equal(train.counts(), 2**chain.level * activation)
    assert_array_equal(activity.predictions()[:, -1], logits.argmax(axis=1))


@settings(max_examples=30)
@given(chains(), st.integers(0, 2**32 - 1))
def test_neurons_and_predictions_are_those_of_the_model_but_for_what_rounding_explains(chain, seed):
    """Rounding kernels W to V, and with them inputs x to y, moves sums by |V y - W x| <= |V - W| x + |V| |y - x|.

    So a neuron's count lies between those that its own sum, less and plus this error, justifies; a class that is
    predicted instead of the model's own has a score that the errors of both can make up for.
    """
    pixels = random_pixels(chain.model, seed)
    network, exact = unrounded(chain.model)
    trained, rounding = keras_network(chain.model, chain.k)
    change = checked_change(exact, trained.weights, rounding)
    rounded = {key: np.abs(values) for key, values in trained.weights.items()}
    activity = quiescent(trained.weights, network, chain.level, pixels)
    scale = 2**chain.level
    x, moved = pixels / PIXEL_LEVELS, np.zeros(pixels.shape)
    for block, train, own in zip(network.blocks, activity.trains, keras_counts(chain, pixels, network), strict=True):
        sums = reference.convolve_block(x, exact, block)
        error = reference.convolve_block(x, change, block) + reference.convolve_block(moved, rounded, block)
        ends = [
            reference.justified_count(sums + sign * (error + TOLERANCE), exact, block.name, scale, block.max_value)
            for sign in (-1, 1)
        ]
        counts = train.counts()
        assert np.all((np.min(ends, axis=0) <= counts) & (counts <= np.max(ends, axis=0)))
        x, moved = own / scale, np.abs(counts - own) / scale
    scores = reference.classify(x, exact) + exact.get("fc/b", 0)
    error = reference.classify(x, change) + reference.classify(moved, rounded) + change.get("fc/b", 0) + TOLERANCE
    predicted, own = activity.predictions()[:, -1], computed(chain.quantized, pixels)[-1].argmax(axis=1)
    images = np.arange(len(pixels))
    assert np.all((scores + error)[images, predicted] >= (scores - error)[images, own])


def checked_change(exact, rounded, rounding):
    """How much rounding has changed each weight, by key: as much as it says, and half a unit of the grid at most."""
    change = {key: np.abs(rounded[key] - values) for key, values in exact.items()}
    assert rounding == max(values.max() for values in change.values())
    for key, values in change.items():
        kernel = exact[key.replace("fc/b", "fc/W")]  # whose grid the bias is on
        assert values.max() <= (0 if key.startswith("bn") else HALF_UNIT * np.abs(kernel).max())
    return change
