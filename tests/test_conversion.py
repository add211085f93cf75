"""Keras graphs as spiking networks: every neuron against Keras's own layers in float64."""

import keras
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from spiking.conversion.converted import convert_graph
from spiking.conversion.from_keras import fold
from spiking.notation import parse
from tests.exactness import assert_blocks_compute, assert_spikes_are_exact
from tests.keras_graphs import graphs, quantized_counts


@pytest.fixture(autouse=True, scope="module")
def float64():
    keras.config.set_dtype_policy("float64")
    yield
    keras.config.set_dtype_policy("float32")


def random_pixels(graph, seed, images=3):
    return np.random.default_rng(seed).integers(0, 256, (images, *graph.image_shape))


def assert_computes_the_same(model, level, pixels, scales=None):
    graph = fold(model)
    assert_blocks_compute(*quantized_counts(model, graph, pixels, level, scales), graph, level, pixels, scales)


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
