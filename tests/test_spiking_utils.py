"""The spiking layers against the equations in tests/reference.py, spike by spike."""

import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_array_equal

import spiking_utils
from spiking import base_layers
from spiking.base_layers import FIRST_COUNTS
from spiking.encoding import image_train
from spiking.notation import parse
from spiking.thresholds import TargetCount
from spiking.trains import NEGATIVE, SOPS, SPIKES, SpikeTrain
from spiking_utils import SpikingConv, SpikingLinear, SpikingNetwork, SpikingPooling
from tests import reference
from tests.networks import LENET, graphs, random_weights, small_chains, with_gammas

NARROW = parse("6x6x1-3C3-P2-4-2")
ANY_RULE = st.sampled_from([1, 1, 2, 3, 4, 50, None]), st.booleans()


def assert_as_the_equations(spiking, weights, pixels):
    """Every spike, potential and statistic of a SpikingNetwork is that of the equations."""
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


def random_case(network, seed, images=3):
    """Weights with gammas of any sign, and images half of whose pixels are black."""
    rng = np.random.default_rng(seed)
    weights = with_gammas(
        random_weights(network, seed), lambda shape: rng.choice([-1, 0, 1], shape, p=[0.3, 0.1, 0.6])
    )
    shape = (images, *network.input_shape)
    return weights, rng.integers(0, 256, shape) * rng.integers(0, 2, shape)


LEVELS, STEPS, SEEDS = st.integers(0, 3), st.integers(1, 12), st.integers(0, 2**32 - 1)


@settings(max_examples=100)
@given(small_chains(), LEVELS, STEPS, st.tuples(*ANY_RULE), SEEDS)
def test_random_chains_fire_as_the_equations_say(network, k, time_steps, rule, seed):
    weights, pixels = random_case(network, seed)
    assert_as_the_equations(SpikingNetwork(weights, network, k, time_steps, *rule), weights, pixels)


@settings(max_examples=200)
@given(graphs(), LEVELS | st.just(9), STEPS, st.tuples(*ANY_RULE), SEEDS)
def test_random_graphs_fire_as_the_equations_say(network, k, time_steps, rule, seed):
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
    for module, name in [(base_layers, "encode_images"), (base_layers.kernels, "run_block")]:
        monkeypatch.setattr(module, name, extending_meanwhile(getattr(module, name), network))
    for train, other in zip(network.run(pixels).trains, expected.trains, strict=True):
        assert_array_equal(train.counts(), other.counts())


def extending_meanwhile(run, network):
    """A kernel during which another thread gives all blocks of a network further thresholds."""

    def kernel(*arguments):
        peak_count = run(*arguments)
        for block in network.blocks:
            block._extend(block._rule)
        return peak_count

    return kernel


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


def layer(kernel, gamma=1.0, beta=0.0, input_size=(1, 1), **rule):
    """The second layer of a network at k=0, of a kernel (h, w, in, out): m = floor(gamma * x + beta + 1/2)."""
    height, width, channels, filters = np.shape(kernel)
    network = parse(f"{input_size[0]}x{input_size[1]}x1-{channels}C1-{filters}C{height}x{width}-1")
    variance = np.full(filters, 1 - 1e-5, np.float32)  # sigma is 1
    numbers = {"gamma": gamma, "beta": beta, "moving_mean": 0.0}
    weights = {f"bn2/{name}": np.full(filters, value, np.float32) for name, value in numbers.items()}
    weights |= {"conv2/W": np.array(kernel, np.float32), "bn2/moving_var": variance}
    return SpikingConv(network.blocks[1], weights, k=0, **rule)


def test_one_neuron_step_by_step():
    """Weights 2 and -3, one spike for each 2 of potential."""
    neuron = layer(np.reshape([2, -3], (1, 1, 2, 1)), gamma=0.5, beta=-0.5)
    incoming = np.zeros((1, 6, 1, 1, 2), int)
    incoming[0, :, 0, 0, 0] = [1, 1, 1, 0, 0, 0]
    incoming[0, :, 0, 0, 1] = [0, 0, 1, 0, -1, 0]
    #                     u = 2, 4, 3, 3, 6, 6    the target counts are 1, 2, 1, 1, 3, 3
    train = SpikeTrain.from_dense(incoming)
    spikes = neuron.forward([train])
    assert spikes.to_dense().ravel().tolist() == [1, 1, -1, 0, 1, 1]
    assert spikes.peak_count == 3
    assert spikes.statistics[:, :SOPS].tolist() == [[1, 0], [1, 0], [1, 1], [0, 0], [1, 0], [1, 0]]
    assert train.statistics.tolist() == [[1, 0, 1], [1, 0, 1], [2, 0, 2], [0, 0, 0], [1, 1, 1], [0, 0, 0]]


def test_potential_at_a_threshold_itself_justifies_its_count_in_a_burst():
    neuron = layer([[[[1]]]], max_spikes=4)
    output = neuron.forward([SpikeTrain.from_dense(np.array([3, -1, 0, -2]).reshape(1, 4, 1, 1, 1))])  # u: 3, 2, 2, 0
    assert_array_equal(output.to_dense().ravel(), [3, -1, 0, -2])


def test_linear_layer_accumulates_what_is_decided_at_each_step():
    network = parse("1x1x1-2C1-2b")
    weights = {"fc/W": np.float32([[5, -5], [1, 2]]), "fc/b": np.float32([0.5, 0])}
    classifier = SpikingLinear(network.classifier, weights, k=1)
    train = SpikeTrain.from_dense(np.array([[[1, 0], [1, 1], [-1, 0]]]).reshape(1, 3, 1, 1, 2))
    potentials = classifier.forward([train]) * 2.0**-classifier.exponent
    assert potentials.tolist() == [[[6, -5], [12, -8], [7, -3]]]  # the bias counts S = 2 times
    assert train.statistics.tolist() == [[1, 0, 2], [2, 0, 4], [1, 1, 2]]


def test_spike_at_the_edge_drives_fewer_synapses():
    """Of 3 x 3 windows over 5 x 5 inputs, a corner lies in 1, the centre in 9; with 4 filters."""
    spikes = np.zeros((2, 1, 5, 5, 1), int)
    spikes[0, 0, 0, 0] = 1
    spikes[1, 0, 2, 2] = 1
    for image, windows in ((0, 1), (1, 9)):
        train = SpikeTrain.from_dense(spikes[image : image + 1])
        layer(np.ones((3, 3, 1, 4)), input_size=(5, 5)).forward([train])
        assert train.statistics[0, SOPS] == windows * 4


def test_max_pooling_fires_the_difference_to_the_largest_count():
    """Two windows of two positions: one whose larger count is replaced, one whose largest falls."""
    block = parse("1x4x1-1C1-M1x2-1").blocks[1]
    incoming = np.array([[1, 0, 1, 1], [0, 1, 1, -1], [0, 1, -1, 0], [0, 1, -1, 0]]).reshape(1, 4, 1, 4, 1)
    #      counts are 1 0 1 1,  1 1 2 0,  1 2 1 0,  1 3 0 0
    train = SpikeTrain.from_dense(incoming)
    pooled = SpikingPooling(block).forward([train])
    assert pooled.to_dense()[0, :, 0, :, 0].tolist() == [[1, 1], [0, 1], [1, -1], [1, -1]]
    assert train.statistics[:, SOPS].tolist() == [3, 3, 2, 2]


def test_rule_of_no_spikes_fires_nothing(tmp_path):
    """spike_of decides for B = 1 as well: a copy of the library in which it returns 0 has not one event."""
    for name in ("spiking_utils.py", "spiking"):
        source = Path(spiking_utils.__file__).with_name(name)
        copy = shutil.copytree if source.is_dir() else shutil.copyfile
        copy(source, tmp_path / name)
    rule = tmp_path / "spiking" / "neuron.py"
    changed = rule.read_text().replace("return min(max(m - n, rule.least), rule.most)", "return 0")
    assert changed != rule.read_text()
    rule.write_text(changed)
    code = (
        "import numpy as np; from spiking.trains import SpikeTrain; from spiking.layers import SpikingConv\n"
        "from spiking.notation import parse; block = parse('1x1x1-1C1-2C1-1').blocks[1]\n"
        "weights = {key: np.ones(shape, np.float32) for key, shape in block.weight_shapes.items()}\n"
        "train = SpikeTrain.from_dense(np.ones((1, 3, 1, 1, 1), int))\n"
        "found = SpikingConv(block, weights, k=0).forward([train]); print(len(found.data.events))"
    )
    assert subprocess.check_output([sys.executable, "-c", code], cwd=tmp_path, text=True) == "0\n"


def test_train_of_ones_into_a_block_of_the_image_is_read_as_any_other():
    block = parse("1x1x8-1C1-1").blocks[0]
    weights = {key: np.ones(shape, np.float32) for key, shape in block.weight_shapes.items()}
    train = SpikeTrain.from_dense(np.ones((1, 2, 1, 1, 8), int) * [[[[1]]], [[[0]]]])
    for again in (train, train.compact()):
        output = SpikingConv(block, weights, k=6, max_spikes=None).forward([again])
        assert output.peak_count == SpikingConv(block, weights, k=6, max_spikes=None).forward([train]).peak_count > 0


def test_images_are_run_in_parts_of_what_memory_is_reserved_for(monkeypatch):
    weights, pixels = random_case(NARROW, seed=2, images=7)
    network = SpikingNetwork(weights, NARROW, k=1, time_steps=9)
    together = network.run(pixels)
    monkeypatch.setattr(spiking_utils, "MOST_SPIKES", 2 * 9 * NARROW.neurons)  # two images
    parts = list(network.run_in_parts(pixels))
    assert [len(part.potentials) for part in parts] == [2, 2, 2, 1]
    in_parts = network.run(pixels)
    assert_array_equal(in_parts.potentials, together.potentials)
    assert_array_equal(in_parts.statistics, together.statistics)
    for train, other in zip(in_parts.trains, together.trains, strict=True):
        assert_array_equal(train.to_dense(), other.to_dense())
        assert train.peak_count == other.peak_count


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
def test_every_neuron_may_fire_in_every_step(filters):
    constant = layer(np.zeros((1, 1, 1, filters)), beta=100.0, input_size=(4, 4))
    train = constant.forward([SpikeTrain.from_dense(np.zeros((50, 40, 4, 4, 1), int))])
    assert_array_equal(train.to_dense(), np.ones((50, 40, 4, 4, filters)))


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
    thresholds = TargetCount(*parameters, unit, k, max_value).thresholds(6)[0]
    weights = dict(zip(["bn/gamma", "bn/beta", "bn/moving_mean", "bn/moving_var"], parameters[:, 0], strict=True))
    for count, threshold in enumerate(thresholds.tolist()):
        if threshold < 2**31 - 1:
            assert reference.target_count(threshold * unit, weights, "", 2**k, max_value) >= count
        if threshold > -(2**31):
            assert reference.target_count((threshold - 1) * unit, weights, "", 2**k, max_value) < count


@pytest.mark.parametrize(("beta", "count"), [(-1.0, 0), (0.4, 0), (0.5, 1), (2.6, 3)])
def test_gamma_zero_gives_a_constant_count_whatever_comes_in(beta, count):
    zero, one = np.zeros(1), np.ones(1)
    thresholds = TargetCount(zero, beta * one, zero, one, unit=1.0, k=0).thresholds(6)
    assert thresholds[0].tolist() == [-(2**31)] * (count + 1) + [2**31 - 1] * (6 - count)


def test_potentials_up_to_the_last_int32_are_exact_and_beyond_it_refused():
    """8 weights of 32,767: after 8,191 spikes each u = 2,147,156,976, after 8,193 it leaves int32."""
    classifier = SpikingLinear(parse("1x1x1-8C1-1").classifier, {"fc/W": np.full((8, 1), 32767.0)}, k=0)
    spikes = np.full((1, 1, 1, 1, 8), 8191)
    assert classifier.exponent == 0
    assert classifier.forward([SpikeTrain.from_dense(spikes)]).item() == 8 * 8191 * 32767
    with pytest.raises(OverflowError, match=f"^classifier: .* could reach {8 * 8193 * 32767} "):
        classifier.forward([SpikeTrain.from_dense(spikes + 2)])


@settings(max_examples=30)
@given(st.integers(0, 2**32 - 1), st.integers(0, 4), st.integers(1, 6), st.integers(1, 5))
def test_spike_train_and_array_are_the_same_thing(seed, images, time_steps, largest):
    rng = np.random.default_rng(seed)
    counts = rng.integers(0, largest, (images, time_steps, 3, 2, 5), endpoint=True)
    spikes = np.diff(counts, axis=1, prepend=0)
    assert_array_equal(SpikeTrain.from_dense(spikes).to_dense(), spikes)
    assert_array_equal(SpikeTrain.from_dense(spikes).counts(), counts[:, -1])


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
