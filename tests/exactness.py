"""What it means that a conversion is exact: of the folded blocks, and of the spikes of the rounded network."""

import numpy as np
from numpy.testing import assert_allclose, assert_array_equal

from spiking.conversion.assembly import assemble
from spiking_utils import SpikingNetwork
from tests import reference

TOLERANCE = 1e-9  # of sums in float64 that add up in another order


def log_softmax(scores):
    scores = scores - scores.max(axis=1, keepdims=True)
    return scores - np.log(np.exp(scores).sum(axis=1, keepdims=True))


def assert_blocks_compute(expected_counts, expected, graph, level, pixels, scales=None):
    """Every neuron of a Graph, before anything is rounded; scores that passed a softmax up to a constant."""
    network, weights = assemble(graph, scales)
    counts, scores = reference.artificial(weights, network, level, pixels)
    for count, expected_count in zip(counts, expected_counts, strict=True):
        if expected_count is not None:  # what lies between a max pooling and its ReLU, the model does not compute
            assert_array_equal(count, expected_count)
    scores = scores / 2**level
    if graph.softmaxes:
        scores, expected = log_softmax(scores), log_softmax(np.log(expected) if np.all(expected > 0) else expected)
    assert_allclose(scores, expected.reshape(scores.shape), rtol=TOLERANCE, atol=TOLERANCE)


def assert_spikes_are_exact(converted, pixels, max_spikes=None):
    """Every neuron of the spiking network, once quiescent, is that of the reference on the rounded weights.

    Returns the Activity.
    """
    counts, scores = reference.artificial(converted.weights, converted.network, converted.k, pixels)
    time_steps = 1 if max_spikes is None else 32
    network = SpikingNetwork(converted.weights, converted.network, converted.k, time_steps, max_spikes)
    activity = network.run(pixels)
    while max_spikes and not activity.quiescent().all():
        network.time_steps *= 4
        assert network.time_steps < 20_000
        activity = network.run(pixels)
    for train, count in zip(activity.trains, counts, strict=True):
        assert_array_equal(train.counts(), count)
    assert_array_equal(activity.predictions()[:, -1], scores.argmax(axis=1))
    return activity
