"""The spiking layers against the equations in tests/reference.py, spike by spike."""

import pickle

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_array_equal

import spiking_utils
from spiking import layers
from spiking.encoding import image_train
from spiking.layers import FIRST_COUNTS
from spiking.notation import parse
from spiking.trains import SpikeTrain
from spiking_utils import SpikingNetwork
from tests import reference
from tests.exactness import assert_as_the_equations
from tests.networks import graphs, random_weights, small_chains, with_gammas

NARROW = parse("6x6x1-3C3-P2-4-2")
ANY_RULE = st.sampled_from([1, 1, 2, 3, 4, 50, None]), st.booleans()


def random_case(network, seed, images=3):
    """Weights with gammas of any sign and offsets half of which are 0, and images half of whose pixels are black."""
    rng = np.random.default_rng(seed)
    weights = with_gammas(
        random_weights(network, seed), lambda shape: rng.choice([-1, 0, 1], shape, p=[0.3, 0.1, 0.6])
    )
    for key in weights:
        if key.endswith(("/beta", "/b", "/initial")):
            weights[key] *= rng.integers(0, 2, weights[key].shape).astype(np.float32)
    shape = (images, *network.input_shape)
    return weights, rng.integers(0, 256, shape) * rng.integers(0, 2, shape)


LEVELS, STEPS, SEEDS = st.integers(0, 3), st.integers(1, 12), st.integers(0, 2**32 - 1)


@settings(max_examples=200)
@given(small_chains() | graphs() | graphs(), LEVELS | st.just(9), STEPS, st.tuples(*ANY_RULE), SEEDS)
def test_random_networks_fire_as_the_equations_say(network, k, time_steps, rule, seed):
    weights, pixels = random_case(network, seed)
    assert_as_the_equations(SpikingNetwork(weights, network, k, time_steps, *rule), weights, pixels)


@settings(max_examples=50)
@given(small_chains() | graphs(), st.integers(0, 6), SEEDS)
def test_one_step_of_unbounded_bursts_is_the_artificial_network(network, k, seed):
    weights, pixels = random_case(network, seed)
    spiking = SpikingNetwork(weights, network, k, time_steps=2, max_spikes=None)
    activity = spiking.run(pixels)
    counts, logits = reference.artificial(weights, network, k, pixels)
    for train, expected in zip(activity.trains, counts, strict=True):
        assert_array_equal(train.to_dense()[:, 0], expected)
    assert_array_equal(activity.potentials[:, 0] * 2.0**-spiking.classifier.exponent, logits)
    assert activity.quiescent().all()


def test_thresholds_that_another_thread_extends_meanwhile_lose_no_spike(monkeypatch):
    weights, pixels = random_case(NARROW, seed=1)
    network, extended = (SpikingNetwork(weights, NARROW, k=8, time_steps=1, max_spikes=None) for _ in range(2))
    expected = extended.run(pixels)
    assert all(train.peak_count > FIRST_COUNTS for train in expected.trains)
    for module, name in [(layers, "encode_images"), (layers.kernels, "run_block")]:
        monkeypatch.setattr(module, name, extending_meanwhile(getattr(module, name), network))
    for train, other in zip(network.run(pixels).trains, expected.trains, strict=True):
        assert_array_equal(train.counts(), other.counts())


def extending_meanwhile(run, network):
    """A kernel during which another thread gives all blocks of a network further thresholds."""

    def kernel(*arguments):
        peak_count = run(*arguments)
        for block in network.blocks:
            block._rule = block._extended(block._rule)
        return peak_count

    return kernel


def test_images_are_run_in_parts_of_what_memory_is_reserved_for(monkeypatch):
    weights, pixels = random_case(NARROW, seed=2, images=7)
    network = SpikingNetwork(weights, NARROW, k=1, time_steps=9)
    together = network.run(pixels)
    monkeypatch.setattr(spiking_utils, "MAX_RESERVED_SPIKES", 2 * 9 * NARROW.neurons)  # two images
    parts = list(network.run_in_parts(pixels))
    assert [len(part.potentials) for part in parts] == [2, 2, 2, 1]
    in_parts = network.run(pixels)
    assert_array_equal(in_parts.potentials, together.potentials)
    assert_array_equal(in_parts.statistics, together.statistics)
    for train, other in zip(in_parts.trains, together.trains, strict=True):
        assert_array_equal(train.to_dense(), other.to_dense())
        assert train.peak_count == other.peak_count


def test_thousands_of_images_through_a_branch_leave_the_stack_as_it_is():
    """It overflowed where a loop over the inputs of a block took memory from it for every image and time step."""
    network = parse("1x1x1-1C1-1C1+I-2")
    weights = random_weights(network, seed=3)
    pixels = np.random.default_rng(3).integers(0, 256, (4000, *network.input_shape))
    spiking = SpikingNetwork(weights, network, k=0, time_steps=10)
    whole, some = spiking.run(pixels), spiking.run(pixels[-5:])
    assert_array_equal(whole.potentials[-5:], some.potentials)


@settings(max_examples=30)
@given(st.integers(0, 2**32 - 1), st.integers(0, 4), st.integers(1, 6), st.integers(1, 5))
def test_spike_train_and_array_are_the_same_thing(seed, images, time_steps, largest):
    rng = np.random.default_rng(seed)
    counts = rng.integers(0, largest, (images, time_steps, 3, 2, 5), endpoint=True)
    spikes = np.diff(counts, axis=1, prepend=0)
    assert_array_equal(SpikeTrain.from_dense(spikes).to_dense(), spikes)
    assert_array_equal(SpikeTrain.from_dense(spikes).counts(), counts[:, -1])


def test_compact_train_shares_no_memory_with_the_original():
    train = SpikeTrain.from_dense(np.full((1, 1, 2, 2, 1), 2))
    for name in ("events", "sizes"):
        assert not np.shares_memory(getattr(train.compact().data, name), getattr(train.data, name))


def test_image_is_a_spike_train_whose_pixels_fire_in_the_first_step():
    pixels = np.random.default_rng(6).integers(-255, 256, (3, 4, 5, 2)).clip(0).astype(np.uint8)
    spikes = image_train(pixels, (4, 5, 2), time_steps=3).to_dense()
    assert_array_equal(spikes, np.stack([pixels, 0 * pixels, 0 * pixels], axis=1))


@pytest.mark.parametrize("notation", ["32x32x3-64-10", "12x12x1-64C1-64-10"])
def test_layer_of_thousands_of_inputs_stays_inside_int32(notation):
    """Its grid is coarser than 16 bits, whether pixels or spikes come in."""
    network = parse(notation)
    weights, pixels = random_weights(network, seed=1), np.full((2, *network.input_shape), 255)
    pixels[1] = np.random.default_rng(1).integers(0, 256, network.input_shape)
    assert_as_the_equations(SpikingNetwork(weights, network, 1, time_steps=6), weights, pixels)
    assert np.abs(SpikingNetwork(weights, network, 1, 1).blocks[-1].kernels[0]).max() < 2**14


def test_network_that_keeps_no_spikes_keeps_what_evaluate_reads():
    network = parse("4x4x1-2C2-2C1+I-2C1-2C1+I@1-3")
    weights, pixels = random_case(network, seed=1, images=5)
    spiking = SpikingNetwork(weights, network, k=1, time_steps=4)
    (kept,), (dropped,) = (list(spiking.run_in_parts(pixels, keep_spikes=keep)) for keep in (True, False))
    assert_array_equal(dropped.potentials, kept.potentials)
    assert_array_equal(dropped.statistics, kept.statistics)
    assert_array_equal(dropped.quiescent(), kept.quiescent())
    assert all(len(train.data.events) > 0 for train in kept.trains)
    assert [len(train.data.events) > 0 for train in dropped.trains] == [False, False, False, True]  # the classifier's


def test_network_can_be_pickled():
    weights, pixels = random_case(NARROW, seed=5)
    network = SpikingNetwork(weights, NARROW, k=1, time_steps=4)
    assert_array_equal(pickle.loads(pickle.dumps(network)).run(pixels).potentials, network.run(pixels).potentials)
