"""What it means to be exact: of the spikes of a network, and of a converted one, of its folded blocks."""

import numpy as np
from numpy.testing import assert_allclose, assert_array_equal

from spiking.conversion.assembly import assemble
from spiking.trains import NEGATIVE, SOPS, SPIKES
from spiking_utils import SpikingNetwork
from tests import reference

TOLERANCE = 1e-9  # of sums in float64 that add up in another order


def assert_as_the_equations(spiking, weights, pixels):
    """Every spike, potential and statistic of a SpikingNetwork is that of the equations; returns the Activity."""
    network, rule = spiking.network, (spiking.max_spikes, spiking.negative_spikes)
    activity = spiking.run(pixels)
    trains, potentials = reference.spiking(weights, network, spiking.k, spiking.time_steps, pixels, *rule)
    for ours, spikes in zip(activity.trains, trains, strict=True):
        assert_array_equal(ours.to_dense(), spikes)
        assert_array_equal(ours.counts(), spikes.sum(axis=1))
        assert ours.peak_count == spikes.cumsum(axis=1).max()
    assert_array_equal(activity.potentials * 2.0**-spiking.classifier.exponent, potentials)
    counted = np.moveaxis(activity.statistics, -1, 0)
    assert_array_equal(counted[SPIKES], [np.abs(train).sum(axis=(0, 2, 3, 4)) for train in trains])
    assert_array_equal(counted[NEGATIVE], [np.maximum(-train, 0).sum(axis=(0, 2, 3, 4)) for train in trains])
    assert_array_equal(counted[SOPS], reference.synaptic_operations(network, trains))
    return activity


def assert_as_the_artificial_network(activity, weights, network, k, pixels):
    """Every count, and every prediction, of a quiescent Activity is that of the artificial network."""
    counts, logits = reference.artificial(weights, network, k, pixels)
    for train, expected in zip(activity.trains, counts, strict=True):
        assert_array_equal(train.counts(), expected)
    assert_array_equal(activity.predictions()[:, -1], logits.argmax(axis=1))


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
    time_steps = 1 if max_spikes is None else 32
    network = SpikingNetwork(converted.weights, converted.network, converted.k, time_steps, max_spikes)
    activity = network.run(pixels)
    while max_spikes and not activity.quiescent().all():
        network.time_steps *= 4
        assert network.time_steps < 20_000
        activity = network.run(pixels)
    assert_as_the_artificial_network(activity, converted.weights, converted.network, converted.k, pixels)
    return activity
