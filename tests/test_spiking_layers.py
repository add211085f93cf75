"""Single spiking layers: spikes, thresholds and statistics that can be followed by hand."""

import re
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
from spiking.edges import Pooling
from spiking.layout import window_members
from spiking.notation import parse
from spiking.thresholds import TargetCount
from spiking.trains import SOPS, SpikeTrain
from spiking_utils import SpikingConv, SpikingLinear, SpikingPooling
from tests import reference


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
    assert neuron.kernels[0].dtype == np.int16
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
    potentials = classifier.forward([train])
    assert potentials.dtype == np.int32
    in_units_of_the_weights = potentials * 2.0**-classifier.exponent
    assert in_units_of_the_weights.tolist() == [[[6, -5], [12, -8], [7, -3]]]  # the bias counts S = 2 times
    assert train.statistics.tolist() == [[1, 0, 2], [2, 0, 4], [1, 1, 2]]


def test_spike_at_the_edge_drives_fewer_synapses():
    """With 3 x 3 windows over 5 x 5 inputs, a corner lies in 1 window, the centre in 9; there are 4 filters."""
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


def test_thresholds_of_a_max_pooling_are_the_counts_themselves():
    thresholds = SpikingPooling(parse("1x2x1-2C1-M1x2-1").blocks[1]).target.thresholds(4096)
    assert_array_equal(thresholds[:, 1:], np.array([range(1, 4097)] * 2, np.int32), strict=True)


def test_positions_of_windows_that_are_not_square_and_reach_into_the_padding():
    """1 x 2 windows over 2 x 3 positions, numbered 0 1 2 and 3 4 5, from a column before the first to the last."""
    members, first = window_members(Pooling(1, (2, 3, 1), (1, 2), range(2), range(-1, 3, 2)))
    assert_array_equal(members, np.array([0, 1, 2, 3, 4, 5], np.int32), strict=True)
    assert_array_equal(first, np.array([0, 1, 3, 4, 6], np.int32), strict=True)


@pytest.mark.parametrize("bias", [0, 1, -1])
def test_potentials_up_to_the_last_but_one_int32_are_exact_and_one_more_is_refused(bias):
    """65,538 spikes into a weight of 32,767 give 2^31 - 2."""
    weights = {"fc/W": np.array([[32767.0]]), "fc/b": np.array([float(bias)])}
    classifier = SpikingLinear(parse("1x1x1-1C1-1b").classifier, weights, k=0)
    train = SpikeTrain.from_dense(np.full((1, 1, 1, 1, 1), 65_538))
    if bias == 0:
        assert classifier.forward([train]).tolist() == [[[2**31 - 2]]]
        return
    reason = re.escape(
        "(weights of a filter sum up to 32767, inputs to 65538), expected less than 2147483647 as they"
    )
    with pytest.raises(OverflowError, match=f"^classifier: membrane potentials could reach 2147483647 {reason}"):
        classifier.forward([train])


@pytest.mark.parametrize(("units", "refused"), [(2**23 - 1, False), (2**23, True), (-(2**23), True)])
def test_initial_potentials_that_int32_cannot_hold_are_refused_by_their_key(units, refused):
    """In units of 2^-14, as the weight is 1, and of a 256th, as pixels are."""
    block = parse("1x1x1-1C1b-1").blocks[0]
    weights = {key: np.ones(shape) for key, shape in block.weight_shapes.items()}
    weights["conv1/initial"][:] = units / 2**14
    if not refused:
        assert SpikingConv(block, weights, k=0).initial.item() == 2**31 - 256
        return
    expected = "^conv1/initial: potentials begin at up to 2147483648, expected less than 2147483647$"
    with pytest.raises(OverflowError, match=expected):
        SpikingConv(block, weights, k=0)
