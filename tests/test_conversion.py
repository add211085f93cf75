"""Keras graphs as spiking networks: every neuron against Keras's own layers in float64."""

import keras
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal

from spiking.conversion.assembly import assemble
from spiking.conversion.converted import convert_graph
from spiking.conversion.from_keras import fold
from spiking.notation import parse
from spiking_utils import SpikingNetwork
from tests import reference
from tests.keras_graphs import graphs, quantized_counts

TOLERANCE = 1e-9  # of sums in float64 that add up in another order


@pytest.fixture(autouse=True, scope="module")
def float64():
    keras.config.set_dtype_policy("float64")
    yield
    keras.config.set_dtype_policy("float32")


def random_pixels(graph, seed, images=3):
    return np.random.default_rng(seed).integers(0, 256, (images, *graph.image_shape))


def log_softmax(scores):
    scores = scores - scores.max(axis=1, keepdims=True)
    return scores - np.log(np.exp(scores).sum(axis=1, keepdims=True))


def assert_computes_the_same(model, level, pixels, scales=None):
    """Every neuron, before anything is rounded; scores that passed a softmax up to a constant."""
    graph = fold(model)
    network, weights = assemble(graph, scales)
    counts, scores = reference.artificial(weights, network, level, pixels)
    expected_counts, expected = quantized_counts(model, graph, pixels, level, scales)
    for count, expected_count in zip(counts, expected_counts, strict=True):
        if expected_count is not None:  # what lies between a max pooling and its ReLU, Keras does not compute
            assert_array_equal(count, expected_count)
    scores = scores / 2**level
    if graph.softmaxes:
        scores, expected = log_softmax(scores), log_softmax(np.log(expected))
    assert_allclose(scores, expected, rtol=TOLERANCE, atol=TOLERANCE)


def assert_spikes_are_exact(converted, pixels, max_spikes=None):
    """Every neuron of the spiking network, once quiescent, is that of the reference on the rounded weights."""
    counts, scores = reference.artificial(converted.weights, converted.network, converted.k, pixels)
    time_steps = 1 if max_spikes is None else 32
    activity = None
    while activity is None or (max_spikes and not activity.quiescent().all()):
        activity = SpikingNetwork(converted.weights, converted.network, converted.k, time_steps, max_spikes).run(
            pixels
        )
        time_steps *= 4
        assert time_steps < 20_000
    for train, count in zip(activity.trains, counts, strict=True):
        assert_array_equal(train.counts(), count)
    assert_array_equal(activity.predictions()[:, -1], scores.argmax(axis=1))


@settings(max_examples=40)
@given(graphs(), st.integers(0, 3), st.integers(0, 2**32 - 1))
def test_folded_blocks_compute_what_the_model_computes(model, level, seed):
    graph = fold(model)
    scales = np.random.default_rng(seed).uniform(0.1, 3, len(graph.nodes))
    for index, node in enumerate(graph.nodes):
        if node.scale_of:
            scales[index] = scales[node.scale_of - 1]
    pixels = random_pixels(graph, seed)
    assert_computes_the_same(model, level, pixels)
    assert_computes_the_same(model, level, pixels, list(scales))


@settings(max_examples=30)
@given(graphs(), st.integers(0, 3), st.booleans(), st.integers(0, 2**32 - 1))
def test_every_neuron_equals_the_quantized_network_on_the_rounded_weights(model, level, calibrated, seed):
    graph = fold(model)
    pixels = random_pixels(graph, seed)
    converted = convert_graph(graph, level, pixels if calibrated else None)
    assert_spikes_are_exact(converted, pixels)
    assert_spikes_are_exact(converted, pixels, max_spikes=1)
    network = converted.network
    assert parse(network.notation) == network
