"""The spiking layers against the equations in tests/reference.py, spike by spike."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_array_equal

from experiment import InputError
from spiking.network import LENET, chain
from spiking.weight_grid import grid_exponent
from spiking_utils import SpikeTrain, SpikingConv, SpikingLinear, SpikingNetwork, count_thresholds
from tests import reference
from tests.helpers import random_weights


@st.composite
def small_networks(draw):
    """Two or three blocks with kernels of 1 to 5, square or not, and strides of 1 to 3, that fit into the input."""
    shape = draw(st.tuples(st.integers(5, 9), st.integers(5, 9), st.integers(1, 3)))
    size, layers = shape, []
    for _ in range(draw(st.integers(2, 3))):
        kernel = tuple(draw(st.integers(1, min(5, side))) for side in size[:2])
        stride = draw(st.integers(1, 3))
        layers.append((kernel, stride, draw(st.integers(1, 9))))
        size = chain(shape, layers, classes=2).blocks[-1].output_shape
    return chain(shape, layers, classes=draw(st.integers(1, 4)))


def with_gammas(weights, draw_sign):
    """The weights with each gamma multiplied by what draw_sign gives for its shape."""
    return {
        key: (value * draw_sign(value.shape)).astype(np.float32) if key.endswith("gamma") else value
        for key, value in weights.items()
    }


@settings(max_examples=60)
@given(small_networks(), st.integers(0, 3), st.integers(1, 12), st.integers(0, 2**32 - 1))
def test_random_networks_fire_as_the_equations_say(network, k, time_steps, seed):
    rng = np.random.default_rng(seed)
    weights = with_gammas(
        random_weights(network, seed), lambda shape: rng.choice([-1, 0, 1], shape, p=[0.3, 0.1, 0.6])
    )
    pixels = rng.integers(0, 256, (3, *network.input_shape)) * rng.integers(0, 2, (3, *network.input_shape))

    activity = SpikingNetwork(weights, network, k, time_steps).run(pixels)

    trains, potentials = reference.spiking(weights, network, k, time_steps, pixels)
    for ours, expected in zip(activity.trains, trains, strict=True):
        assert_array_equal(ours.to_dense(), expected)
        assert_array_equal(ours.counts(), expected.sum(axis=1))
        assert ours.peak_count == expected.cumsum(axis=1).max()
    assert_array_equal(activity.potentials * 2.0 ** -grid_exponent(weights["fc/W"]), potentials)
    spikes, negative, operations = np.moveaxis(activity.statistics, -1, 0)
    assert_array_equal(spikes, [np.abs(train).sum(axis=(0, 2, 3, 4)) for train in trains])
    assert_array_equal(negative, [(train < 0).sum(axis=(0, 2, 3, 4)) for train in trains])
    assert_array_equal(operations, reference.synaptic_operations(network, trains))


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
    assert_array_equal(layer.encode(np.zeros((50, 4, 4, 1), int)).to_dense(), expected)
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
)
def test_threshold_is_the_lowest_potential_that_justifies_its_count(gamma, beta, mean, variance, exponent, k):
    unit = 2.0**-exponent
    thresholds = count_thresholds(*np.array([[gamma], [beta], [mean], [variance]]), unit, k, time_steps=5)[0]
    weights = {"bn/gamma": gamma, "bn/beta": beta, "bn/moving_mean": mean, "bn/moving_var": variance}
    weights = {key: np.array(value) for key, value in weights.items()}
    for count, threshold in enumerate(thresholds.tolist()):
        if threshold < 2**31 - 1:
            assert reference.justified_count(threshold * unit, weights, "", 2**k) >= count
        if threshold > -(2**31):
            assert reference.justified_count((threshold - 1) * unit, weights, "", 2**k) < count


@pytest.mark.parametrize(("beta", "count"), [(-1.0, 0), (0.4, 0), (0.5, 1), (2.6, 3)])
def test_gamma_zero_gives_a_constant_count_whatever_comes_in(beta, count):
    zero, one = np.zeros(1), np.ones(1)
    thresholds = count_thresholds(zero, beta * one, zero, one, unit=1.0, k=0, time_steps=6)
    neuron = SpikingConv(np.ones((1, 1, 1, 1)), thresholds, input_shape=(1, 1, 1))
    for pixel in (0, 255):
        assert neuron.encode(np.full((1, 1, 1, 1), pixel)).counts().item() == count


def test_potentials_up_to_the_last_int32_are_exact_and_beyond_it_refused():
    """32,768 inputs of weight 32,767: after two spikes each u = 2,147,418,112, after three it leaves int32."""
    channels = 2**15
    linear = SpikingLinear(np.full((channels, 1), 32767), input_shape=(1, 1, channels))
    spikes = np.ones((1, 3, 1, 1, channels), np.int8)
    potentials, _ = linear.forward(SpikeTrain.from_dense(spikes[:, :2]))
    assert potentials.ravel().tolist() == [channels * 32767, 2 * channels * 32767]
    with pytest.raises(InputError, match=r"membrane potentials could reach 3221127168 .* less than 2147483647"):
        linear.forward(SpikeTrain.from_dense(spikes))
    layer = SpikingConv(np.full((1, 1, 1, 1), 32767), np.ones((1, 3)), input_shape=(1, 1, 1))
    with pytest.raises(InputError, match="membrane potentials could reach"):
        layer.encode(np.full((1, 1, 1, 1), 65539))


@settings(max_examples=30)
@given(st.integers(0, 2**32 - 1), st.integers(0, 4), st.integers(1, 6))
def test_spike_train_and_array_are_the_same_thing(seed, images, time_steps):
    rng = np.random.default_rng(seed)
    counts = rng.integers(0, 2, (images, time_steps, 3, 2, 5))
    spikes = np.diff(counts, axis=1, prepend=0)
    assert_array_equal(SpikeTrain.from_dense(spikes).to_dense(), spikes)
    assert_array_equal(SpikeTrain.from_dense(spikes).counts(), counts[:, -1])


def test_bad_arguments_are_named():
    good = SpikingConv(np.ones((1, 1, 1, 1)), np.ones((1, 4)), input_shape=(2, 2, 1))
    with pytest.raises(ValueError, match=r"spikes must be -1, 0 or \+1"):
        SpikeTrain.from_dense(np.full((1, 1, 1, 1, 1), 2))
    with pytest.raises(ValueError, match="no net count negative"):
        SpikeTrain.from_dense(np.full((1, 1, 1, 1, 1), -1))
    with pytest.raises(ValueError, match=r"spike train has .* \(\(2, 2, 1\), 5\), expected \(\(2, 2, 1\), 2\)"):
        good.forward(SpikeTrain.from_dense(np.zeros((1, 5, 2, 2, 1))))
    with pytest.raises(ValueError, match=r"images have shape \(3, 2, 1\), expected \(2, 2, 1\)"):
        good.encode(np.zeros((1, 3, 2, 1), int))
    with pytest.raises(ValueError, match="kernel takes 2 channels, expected the input's 1"):
        SpikingConv(np.ones((1, 1, 2, 1)), np.ones((1, 4)), input_shape=(2, 2, 1))
    with pytest.raises(ValueError, match="kernel 3 does not fit into an axis of length 2"):
        SpikingConv(np.ones((3, 1, 1, 1)), np.ones((1, 4)), input_shape=(2, 2, 1))
    with pytest.raises(ValueError, match="fractional weights or weights beyond 32767"):
        SpikingConv(np.full((1, 1, 1, 1), 32768), np.ones((1, 4)), input_shape=(2, 2, 1))
    with pytest.raises(ValueError, match="fractional weights"):
        SpikingLinear([[0.7]], input_shape=(1, 1, 1))
    with pytest.raises(ValueError, match=r"thresholds have shape \(1, 4\), expected \(3, time steps \+ 2\)"):
        SpikingConv(np.ones((1, 1, 1, 3)), np.ones((1, 4)), input_shape=(2, 2, 1))
    with pytest.raises(ValueError, match="thresholds are fractional or fall with the count"):
        SpikingConv(np.ones((1, 1, 1, 1)), [[0, 1, 0.5, 3]], input_shape=(2, 2, 1))
    with pytest.raises(ValueError, match="thresholds are fractional or fall with the count"):
        SpikingConv(np.ones((1, 1, 1, 1)), [[0, 3, 2, 4]], input_shape=(2, 2, 1))
    with pytest.raises(ValueError, match="expected at most 32768 of each"):
        SpikingConv(np.ones((1, 1, 1, 1)), np.ones((1, 4)), input_shape=(200, 200, 1))


def test_images_that_are_no_integers_are_refused():
    layer = SpikingConv(np.ones((1, 1, 1, 1)), np.zeros((1, 4)), input_shape=(2, 2, 1))
    with pytest.raises(ValueError, match=r"^images are float64, expected integers; a pixel is 0 to 255$"):
        layer.encode(np.full((1, 2, 2, 1), 0.999))


def test_no_images_give_no_spikes():
    layer = SpikingConv(np.ones((1, 1, 1, 1)), np.zeros((1, 4)), input_shape=(2, 2, 1))
    train = layer.encode(np.zeros((0, 2, 2, 1), int))
    assert train.to_dense().shape == (0, 2, 2, 2, 1)


@pytest.mark.parametrize("threshold", [2**31, 2.0**40])
def test_threshold_beyond_int32_is_refused(threshold):
    with pytest.raises(ValueError, match=r"^thresholds reach from 0 to .*, expected int32$"):
        SpikingConv(np.ones((1, 1, 1, 1)), np.array([[0, 1, threshold]]), input_shape=(1, 1, 1))
