"""The spiking layers against the equations in tests/reference.py, spike by spike."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_array_equal

import spiking_utils
from spiking.network import Network
from spiking.thresholds import JustifiedCount
from spiking.trains import NEGATIVE, SOPS, SPIKES, SpikeTrain
from spiking.weight_grid import grid_exponent
from spiking_utils import SpikingConv, SpikingLinear, SpikingNetwork
from tests import reference
from tests.networks import LENET, random_weights, small_networks, with_gammas

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


def conv(kernel=((1,),), thresholds=((0, 1, 2, 3),), **more):
    """A 1 x 1 convolution over 2 x 2 positions, from rows of a kernel (in, out)."""
    return SpikingConv(np.array(kernel)[None, None], np.array(thresholds), (2, 2, 1), **more)


@pytest.mark.parametrize(
    ("make", "error"),
    [
        (lambda: SpikeTrain.from_dense(np.full((1, 1, 1, 1, 1), 0.5)), "spikes are fractional"),
        (lambda: SpikeTrain.from_dense(np.full((1, 1, 1, 1, 1), -1)), "a net count is negative"),
        (
            lambda: conv().forward(SpikeTrain.from_dense(np.zeros((1, 5, 2, 3, 1)))),
            r"spike train has shape \(2, 3, 1\), expected \(2, 2, 1\)",
        ),
        (
            lambda: conv().encode(np.zeros((1, 3, 2, 1), int), 2),
            r"images have shape \(3, 2, 1\), expected \(2, 2, 1\)",
        ),
        (lambda: conv(kernel=[[1], [1]]), "kernel takes 2 channels, expected the input's 1"),
        (
            lambda: SpikingConv(np.ones((3, 1, 1, 1)), np.ones((1, 4)), (2, 2, 1)),
            "kernel 3 does not fit into an axis of length 2",
        ),
        (lambda: SpikingConv(np.ones((1, 1, 1)), np.ones((1, 4)), (2, 2, 1)), r"kernel has shape \(1, 1, 1\)"),
        (lambda: conv(kernel=[[32768]]), "fractional weights or weights beyond 32767"),
        (lambda: conv(kernel=[[np.nan]]), "fractional weights"),
        (lambda: conv(kernel=[[1, 1, 1]]), r"thresholds have shape \(1, 4\), expected \(3, counts\)"),
        (lambda: conv(thresholds=[[0, 1, 0.5, 3]]), "thresholds are fractional or fall with the count"),
        (lambda: conv(thresholds=[[0, 3, 2, 4]]), "thresholds are fractional or fall with the count"),
        (lambda: conv(thresholds=[[0, np.nan, 2, 4]]), "thresholds are fractional or fall with the count"),
        (lambda: conv(thresholds=[[0, 1, 2**31]]), "thresholds reach from 0 to .*, expected int32$"),
        (lambda: conv(thresholds=[[0, 1, 2.0**40]]), "thresholds reach from 0 to .*, expected int32$"),
        (lambda: conv(max_spikes=0), "max_spikes is 0, expected an integer from 1 on"),
        (lambda: conv(stride=(0, 1)), "stride must be at least 1"),
        (
            lambda: SpikingConv(np.ones((1, 1, 1, 1)), np.ones((1, 4)), (200, 200, 1)),
            "expected at most 32768 of each",
        ),
        (lambda: SpikingLinear([[0.7]], (1, 1, 1)), "fractional weights"),
        (
            lambda: SpikingLinear(np.ones((3, 2), int), (1, 1, 2)),
            r"weights have shape \(3, 2\), expected \(2, neurons\)",
        ),
        (lambda: SpikingLinear(np.ones((4, 1), int), (1, 1, 2)), r"weights have shape \(4, 1\)"),
        (lambda: SpikingLinear([[1, 2]], (1, 1, 1), bias=[1]), r"bias has shape \(1,\), expected \(2,\)"),
        (lambda: SpikingLinear([[1]], (1, 1, 1), bias=[0.5]), "bias is fractional"),
        (lambda: SpikingLinear([[1]], (1, 1, 1), bias=[np.nan]), "bias is fractional"),
    ],
)
def test_bad_arguments_are_named(make, error):
    with pytest.raises(ValueError, match=error):
        make()


TINY = Network.parse("2x2x1-1C1-2b")


@pytest.mark.parametrize(
    ("key", "value", "error"),
    [
        ("conv1/W", None, r"^conv1/W is missing, expected an array of shape \(1, 1, 1, 1\)$"),
        ("fc/W", np.ones((2, 4)), r"^fc/W has shape \(2, 4\), expected \(4, 2\)$"),
        ("fc/W", np.ones((8, 2)), r"^fc/W has shape \(8, 2\), expected \(4, 2\)$"),
        ("conv1/W", np.full((1, 1, 1, 1), np.nan), "^conv1/W has NaN or infinite values, expected finite ones$"),
        ("conv1/W", np.ones((1, 1, 1, 1), int), "^conv1/W is int64, expected floats$"),
        ("fc/b", np.array([0, np.inf]), "^fc/b has NaN or infinite values, expected finite ones$"),
        ("bn1/moving_var", np.array([-0.5]), "^bn1/moving_var is -0.5 at its lowest, expected 0 or above$"),
    ],
)
def test_bad_weights_of_a_network_are_named(key, value, error):
    weights = random_weights(TINY, seed=0) | {key: value}
    if value is None:
        del weights[key]
    with pytest.raises(ValueError, match=error):
        SpikingNetwork(weights, TINY, k=0, time_steps=2)


@pytest.mark.parametrize(
    ("settings", "error"),
    [
        ({"k": -1}, "^k is -1, expected an integer from 0 to 16$"),
        ({"k": 17}, "^k is 17, expected an integer from 0 to 16$"),
        ({"time_steps": 0}, "^time_steps is 0, expected an integer from 1 on$"),
        ({"max_spikes": 0}, "^max_spikes is 0, expected an integer from 1 on$"),
    ],
)
def test_bad_settings_of_a_network_are_named(settings, error):
    with pytest.raises(ValueError, match=error):
        SpikingNetwork(random_weights(TINY, seed=0), TINY, **{"k": 0, "time_steps": 2} | settings)


def test_bias_that_int32_cannot_hold_is_refused():
    weights = random_weights(TINY, seed=0) | {"fc/b": np.float32([0, 2.0**20])}
    with pytest.raises(OverflowError, match=r"^bias reaches .* units of the .*grid, expected less than 2147483647$"):
        SpikingNetwork(weights, TINY, k=0, time_steps=2)


def test_count_beyond_the_last_threshold_is_refused():
    """Thresholds 0, 1, 2: a potential of 2 justifies a count of 2, and who knows whether more."""
    layer = conv(thresholds=[[0, 1, 2]], max_spikes=None)
    images = np.ones((1, 2, 2, 1), int)
    assert layer.encode(images, 1).to_dense().tolist() == np.ones((1, 1, 2, 2, 1)).tolist()
    with pytest.raises(OverflowError, match=r"^a neuron reaches the count 2, expected thresholds of higher counts$"):
        layer.encode(2 * images, 1)
    with pytest.raises(OverflowError, match=r"^a neuron reaches the count 2"):
        layer.forward(SpikeTrain.from_dense(2 * images[:, None]))


def test_count_without_end_is_refused(monkeypatch):
    """A gamma of 3e38 justifies more than any count as soon as the potential is above the mean."""
    monkeypatch.setattr(spiking_utils, "MOST_THRESHOLDS", 1 << 12)  # the real limit takes seconds
    weights = random_weights(TINY, seed=0) | {"bn1/gamma": np.float32([3e38]), "bn1/moving_mean": np.float32([-1])}
    with pytest.raises(OverflowError, match=r"^a neuron reaches the count \d+, expected thresholds"):
        SpikingNetwork(weights, TINY, k=0, time_steps=1, max_spikes=None).run(np.zeros((1, 2, 2, 1), int))


def test_images_that_are_no_integers_are_refused():
    layer = SpikingConv(np.ones((1, 1, 1, 1)), np.zeros((1, 4)), input_shape=(2, 2, 1))
    with pytest.raises(ValueError, match=r"^images are float64, expected integers; a pixel is 0 to 255$"):
        layer.encode(np.full((1, 2, 2, 1), 0.999), 2)


def test_no_images_give_no_spikes():
    layer = SpikingConv(np.ones((1, 1, 1, 1)), np.zeros((1, 4)), input_shape=(2, 2, 1))
    train = layer.encode(np.zeros((0, 2, 2, 1), int), 2)
    assert train.to_dense().shape == (0, 2, 2, 2, 1)
