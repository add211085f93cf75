"""The spiking layers against the equations in tests/reference.py, spike by spike."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_array_equal

from spiking import kernels, layers
from spiking.notation import parse
from spiking.thresholds import JustifiedCount
from spiking.trains import NEGATIVE, SOPS, SPIKES, SpikeTrain
from spiking.weight_grid import grid_exponent
from spiking_utils import FIRST_COUNTS, SpikingConv, SpikingLinear, SpikingNetwork
from tests import reference
from tests.networks import LENET, random_weights, small_networks, with_gammas

NARROW = parse("6x6x1-3C3-P2-4-2")
ANY_RULE = st.sampled_from([1, 1, 2, 3, 4, 50, None]), st.booleans()


def assert_activity(activity, network, weights, expected):
    """Every spike, potential and statistic is that of the equations; expected as reference.spiking gives it."""
    trains, potentials = expected
    for ours, spikes in zip(activity.trains, trains, strict=True):
        assert_array_equal(ours.to_dense(), spikes)
        assert_array_equal(ours.counts(), spikes.sum(axis=1))
        assert ours.peak_count == spikes.cumsum(axis=1).max()
    assert_array_equal(activity.potentials * 2.0 ** -grid_exponent(weights["fc/W"]), potentials)
    counted = np.moveaxis(activity.statistics, -1, 0)
    assert_array_equal(counted[SPIKES], [np.abs(train).sum(axis=(0, 2, 3, 4)) for train in trains])
    assert_array_equal(counted[NEGATIVE], [np.maximum(-train, 0).sum(axis=(0, 2, 3, 4)) for train in trains])
    assert_array_equal(counted[SOPS], reference.synaptic_operations(network, trains))


def random_case(network, seed, images=3):
    """Weights with gammas of any sign, and images half of whose pixels are black."""
    rng = np.random.default_rng(seed)
    weights = with_gammas(
        random_weights(network, seed), lambda shape: rng.choice([-1, 0, 1], shape, p=[0.3, 0.1, 0.6])
    )
    shape = (images, *network.input_shape)
    return weights, rng.integers(0, 256, shape) * rng.integers(0, 2, shape)


@settings(max_examples=200)
@given(small_networks(), st.integers(0, 3), st.integers(1, 12), st.tuples(*ANY_RULE), st.integers(0, 2**32 - 1))
def test_random_networks_fire_as_the_equations_say(network, k, time_steps, rule, seed):
    weights, pixels = random_case(network, seed)
    activity = SpikingNetwork(weights, network, k, time_steps, *rule).run(pixels)
    assert_activity(activity, network, weights, reference.spiking(weights, network, k, time_steps, pixels, *rule))


@settings(max_examples=50)
@given(small_networks(), st.integers(0, 6), st.integers(0, 2**32 - 1))
def test_one_step_of_unbounded_bursts_is_the_artificial_network(network, k, seed):
    weights, pixels = random_case(network, seed)
    activity = SpikingNetwork(weights, network, k, time_steps=2, max_spikes=None).run(pixels)
    counts, logits = reference.artificial(weights, network, k, pixels)
    for train, expected in zip(activity.trains, counts, strict=True):
        assert_array_equal(train.to_dense()[:, 0], expected)
    assert_array_equal(activity.potentials[:, 0] * 2.0 ** -grid_exponent(weights["fc/W"]), logits)
    assert activity.quiescent().all()


@pytest.mark.parametrize(("module", "kernel"), [(layers, "encode_images"), (kernels, "run_block")])
def test_thresholds_that_another_thread_extends_meanwhile_lose_no_spike(module, kernel, monkeypatch):
    weights, pixels = random_case(NARROW, seed=1)
    network, extended = (SpikingNetwork(weights, NARROW, k=8, time_steps=1, max_spikes=None) for _ in range(2))
    expected = extended.run(pixels)
    assert all(train.peak_count > FIRST_COUNTS for train in expected.trains)
    run = getattr(module, kernel)

    def extended_meanwhile(*arguments):
        peak_count = run(*arguments)
        for block, other in zip(network.blocks, extended.blocks, strict=True):
            block.thresholds = other.thresholds
        return peak_count

    monkeypatch.setattr(module, kernel, extended_meanwhile)
    for train, other in zip(network.run(pixels).trains, expected.trains, strict=True):
        assert_array_equal(train.counts(), other.counts())


@pytest.mark.parametrize("k", [0, 1, 2])
def test_quiescent_lenet_has_emitted_the_artificial_activations(k):
    rng = np.random.default_rng(k)
    weights = with_gammas(random_weights(LENET, k), lambda shape: rng.choice([-1, 0, 1], shape, p=[0.2, 0.05, 0.75]))
    pixels = rng.integers(0, 256, (4, *LENET.input_shape)) * (rng.random((4, *LENET.input_shape)) < 0.2)

    activity = SpikingNetwork(weights, LENET, k, time_steps=200).run(pixels)

    assert activity.quiescent().all()
    counts, logits = reference.artificial(weights, LENET, k, pixels)
    for train, expected in zip(activity.trains, counts, strict=True):
        assert_array_equal(train.counts(), expected)
    assert_array_equal(activity.predictions()[:, -1], logits.argmax(axis=1))


def test_one_neuron_step_by_step():
    """Weights 2 and -3, thresholds 2, 4, 6 ...: u = 2 a - 3 b after a and b spikes of the two inputs."""
    kernel = np.array([2, -3]).reshape(1, 1, 2, 1)
    neuron = SpikingConv(kernel, 2 * np.arange(8)[None], input_shape=(1, 1, 2))
    incoming = np.zeros((1, 6, 1, 1, 2), int)
    incoming[0, :, 0, 0, 0] = [1, 1, 1, 0, 0, 0]
    incoming[0, :, 0, 0, 1] = [0, 0, 1, 0, -1, 0]
    #                     u = 2, 4, 3, 3, 6, 6    justifies 1, 2, 1, 1, 3, 3
    spikes, statistics = neuron.forward(SpikeTrain.from_dense(incoming))
    assert spikes.to_dense().ravel().tolist() == [1, 1, -1, 0, 1, 1]
    assert spikes.peak_count == 3
    assert statistics.tolist() == [[1, 0, 1], [1, 0, 1], [2, 0, 2], [0, 0, 0], [1, 1, 1], [0, 0, 0]]


def test_potential_at_a_threshold_itself_justifies_its_count_in_a_burst():
    thresholds = [[100, 1, 2, 3, 4, 5, 6]]  # the first is not used
    layer = SpikingConv(np.ones((1, 1, 1, 1), int), np.array(thresholds), (1, 1, 1), max_spikes=4)
    first = layer.encode(np.full((1, 1, 1, 1), 5), time_steps=3)
    assert_array_equal(first.to_dense().ravel(), [4, 1, 0])
    output, _ = layer.forward(SpikeTrain.from_dense(np.array([3, -1, 0, -2]).reshape(1, 4, 1, 1, 1)))  # u: 3, 2, 2, 0
    assert_array_equal(output.to_dense().ravel(), [3, -1, 0, -2])


def test_linear_layer_accumulates_what_is_decided_at_each_step():
    layer = SpikingLinear(np.array([[5, -5], [1, 2]]), input_shape=(1, 1, 2))
    spikes = np.array([[[1, 0], [1, 1], [-1, 0]]]).reshape(1, 3, 1, 1, 2)
    potentials, statistics = layer.forward(SpikeTrain.from_dense(spikes))
    assert potentials.tolist() == [[[5, -5], [11, -8], [6, -3]]]
    assert statistics.tolist() == [[1, 0, 2], [2, 0, 4], [1, 1, 2]]


def test_spike_at_the_edge_drives_fewer_synapses():
    """Of 3 x 3 windows over 5 x 5 inputs, a corner lies in 1, the centre in 9; with 4 filters."""
    layer = SpikingConv(np.ones((3, 3, 1, 4)), np.full((4, 3), 1000), input_shape=(5, 5, 1))
    spikes = np.zeros((2, 1, 5, 5, 1), int)
    spikes[0, 0, 0, 0] = 1
    spikes[1, 0, 2, 2] = 1
    for image, windows in ((0, 1), (1, 9)):
        _, statistics = layer.forward(SpikeTrain.from_dense(spikes[image : image + 1]))
        assert statistics[0, 2] == windows * 4


def test_images_in_any_order_and_batches_of_any_size_give_the_same():
    weights = random_weights(LENET, seed=5)
    pixels = np.random.default_rng(5).integers(0, 256, (7, *LENET.input_shape))
    network = SpikingNetwork(weights, LENET, k=1, time_steps=9)
    together = network.run(pixels)
    order = [3, 0, 6, 2, 5, 1, 4]
    parts = [network.run(pixels[order[:3]]), network.run(pixels[order[3:]])]
    assert_array_equal(np.concatenate([part.potentials for part in parts]), together.potentials[order])
    assert_array_equal(sum(part.statistics for part in parts), together.statistics)
    dense = np.concatenate([part.trains[2].to_dense() for part in parts])
    assert_array_equal(dense, together.trains[2].to_dense()[order])


@pytest.mark.parametrize("filters", [3, 8, 17])
def test_more_spikes_than_expected_are_all_kept(filters):
    """Every neuron fires in every step: far more events than the buffer is first made for."""
    layer = SpikingConv(np.ones((1, 1, 1, filters)), np.zeros((filters, 42)), input_shape=(4, 4, 1))
    expected = np.ones((50, 40, 4, 4, filters))
    assert_array_equal(layer.encode(np.zeros((50, 4, 4, 1), int), 40).to_dense(), expected)
    train, _ = layer.forward(SpikeTrain.from_dense(np.zeros((50, 40, 4, 4, 1), int)))
    assert_array_equal(train.to_dense(), expected)


@settings(max_examples=100)
@given(
    gamma=st.floats(0, 4),
    beta=st.floats(-3, 3),
    mean=st.floats(-3, 3),
    variance=st.floats(0, 4),
    exponent=st.integers(10, 20),
    k=st.integers(0, 6),
    max_value=st.none() | st.floats(0, 3),
)
def test_threshold_is_the_lowest_potential_that_justifies_its_count(
    gamma, beta, mean, variance, exponent, k, max_value
):
    unit = 2.0**-exponent
    parameters = np.array([[gamma], [beta], [mean], [variance]])
    thresholds = JustifiedCount(*parameters, unit, k, max_value).thresholds(6)[0]
    weights = dict(zip(["bn/gamma", "bn/beta", "bn/moving_mean", "bn/moving_var"], parameters[:, 0], strict=True))
    for count, threshold in enumerate(thresholds.tolist()):
        if threshold < 2**31 - 1:
            assert reference.justified_count(threshold * unit, weights, "", 2**k, max_value) >= count
        if threshold > -(2**31):
            assert reference.justified_count((threshold - 1) * unit, weights, "", 2**k, max_value) < count


@pytest.mark.parametrize(("beta", "count"), [(-1.0, 0), (0.4, 0), (0.5, 1), (2.6, 3)])
def test_gamma_zero_gives_a_constant_count_whatever_comes_in(beta, count):
    zero, one = np.zeros(1), np.ones(1)
    thresholds = JustifiedCount(zero, beta * one, zero, one, unit=1.0, k=0).thresholds(6)
    neuron = SpikingConv(np.ones((1, 1, 1, 1)), thresholds, input_shape=(1, 1, 1))
    for pixel in (0, 255):
        assert neuron.encode(np.full((1, 1, 1, 1), pixel), time_steps=6).counts().item() == count


def test_potentials_up_to_the_last_int32_are_exact_and_beyond_it_refused():
    """32,768 inputs of weight 32,767: after two spikes each u = 2,147,418,112, after three it leaves int32."""
    channels = 2**15
    linear = SpikingLinear(np.full((channels, 1), 32767), input_shape=(1, 1, channels))
    spikes = np.ones((1, 3, 1, 1, channels), np.int8)
    potentials, _ = linear.forward(SpikeTrain.from_dense(spikes[:, :2]))
    assert potentials.ravel().tolist() == [channels * 32767, 2 * channels * 32767]
    with pytest.raises(OverflowError, match=r"membrane potentials could reach 3221127168 .* less than 2147483647"):
        linear.forward(SpikeTrain.from_dense(spikes))
    layer = SpikingConv(np.full((1, 1, 1, 1), 32767), np.ones((1, 3)), input_shape=(1, 1, 1))
    with pytest.raises(OverflowError, match="membrane potentials could reach"):
        layer.encode(np.full((1, 1, 1, 1), 65539), time_steps=1)


@settings(max_examples=30)
@given(st.integers(0, 2**32 - 1), st.integers(0, 4), st.integers(1, 6), st.integers(1, 5))
def test_spike_train_and_array_are_the_same_thing(seed, images, time_steps, largest):
    rng = np.random.default_rng(seed)
    counts = rng.integers(0, largest, (images, time_steps, 3, 2, 5), endpoint=True)
    spikes = np.diff(counts, axis=1, prepend=0)
    assert_array_equal(SpikeTrain.from_dense(spikes).to_dense(), spikes)
    assert_array_equal(SpikeTrain.from_dense(spikes).counts(), counts[:, -1])


@pytest.mark.parametrize("notation", ["32x32x3-64-10", "12x12x1-64C1-64-10"])
def test_layer_of_thousands_of_inputs_stays_inside_int32(notation):
    """Its grid is coarser than 16 bits, whether pixels or spikes come in."""
    network = parse(notation)
    weights, pixels = random_weights(network, seed=1), np.full((2, *network.input_shape), 255)
    pixels[1] = np.random.default_rng(1).integers(0, 256, network.input_shape)
    activity = SpikingNetwork(weights, network, 1, time_steps=6).run(pixels)
    assert_activity(activity, network, weights, reference.spiking(weights, network, 1, 6, pixels))
    assert np.abs(SpikingNetwork(weights, network, 1, 1).blocks[-1].kernel).max() < 2**14
