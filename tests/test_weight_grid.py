"""The weight grid W = w / 2^f: the rule of one layer, as properties."""

from fractions import Fraction

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes, arrays

from spiking import weight_grid
from spiking.notation import parse
from spiking.weight_grid import MAX_INPUT_COUNT, bias_to_grid, on_grid, round_to_grid
from tests.networks import graphs, random_weights

LARGEST = 32767 * 2.0**113  # the largest point of any grid that is a float32; beyond it lies 2^128

any_size = st.floats(-LARGEST, LARGEST, width=32)
# each layer in one range of magnitudes, since a huge weight rounds all smaller ones to 0
layers = st.integers(-140, 120).flatmap(
    lambda exponent: arrays(
        np.float32,
        array_shapes(max_dims=4, max_side=4),
        elements=st.floats(-1, 1, width=32).map(lambda value: float(np.float32(np.ldexp(value, exponent)))),
    )
) | arrays(np.float32, array_shapes(max_dims=2, max_side=4), elements=any_size)


def to_grid(weights, bound=MAX_INPUT_COUNT):
    """That of a block with a single input."""
    (integers,), exponent = weight_grid.to_grid([weights], [bound])
    return integers, exponent


def grid_exponent(weights, bound=MAX_INPUT_COUNT):
    return to_grid(weights, bound)[1]


def exact(weights):
    """A layer's weights as a list of fractions."""
    return [Fraction(float(weight)) for weight in np.ravel(weights)]


def fits(weights, f):
    """round(max|W| * 2^f) <= 32767, in exact arithmetic."""
    return round(max(map(abs, exact(weights))) * Fraction(2) ** f) <= 32767


@given(layers)
def test_exponent_is_the_largest_that_keeps_the_weights_in_int16(weights):
    f = grid_exponent(weights)
    assert fits(weights, f)
    assert not fits(weights, f + 1) or not weights.any()


@given(layers)
def test_integers_are_the_nearest_of_the_grid(weights):
    integers, f = to_grid(weights)
    assert integers.dtype == np.int16
    assert integers.shape == weights.shape
    for weight, integer in zip(exact(weights), integers.ravel().tolist()):
        assert abs(integer) <= 32767
        assert abs(weight * Fraction(2) ** f - integer) <= Fraction(1, 2)


@given(layers)
def test_rounded_weights_are_exactly_the_integers_over_two_to_the_f(weights):
    integers, f = to_grid(weights)
    rounded = round_to_grid(weights)
    assert rounded.dtype == np.float32
    assert np.all(np.isfinite(rounded))
    assert exact(rounded) == [integer / Fraction(2) ** f for integer in integers.ravel().tolist()]


@given(layers)
def test_rounding_twice_changes_nothing(weights):
    rounded = round_to_grid(weights)
    assert grid_exponent(rounded) == grid_exponent(weights)
    np.testing.assert_array_equal(round_to_grid(rounded), rounded)


def largest_potential(weights, f, bound):
    """That a neuron of a filter, the last axis, can reach with one input at each weight, in exact arithmetic."""
    filters = np.moveaxis(weights, -1, 0).reshape(weights.shape[-1], -1)
    return bound * max(sum(abs(round(weight * Fraction(2) ** f)) for weight in exact(one)) for one in filters)


@given(layers, st.integers(1, 2**24))
def test_grid_is_coarser_where_potentials_would_leave_int32(weights, bound):
    f = grid_exponent(weights, bound)
    assert largest_potential(weights, f, bound) < 2**31 - 1
    both = fits(weights, f + 1) and largest_potential(weights, f + 1, bound) < 2**31 - 1
    assert not both or not weights.any()
    rounded = round_to_grid(weights, bound)
    assume(np.all(np.isfinite(rounded)))  # the largest float32 may be rounded up, beyond what float32 holds
    np.testing.assert_array_equal(round_to_grid(rounded, bound), rounded)


@pytest.mark.parametrize(("last", "f"), [(0.0, 0), (1.0, -1)])
def test_grid_is_coarser_from_the_potential_2147483647_on(last, f):
    """65,538 weights of 32,767 reach one less."""
    assert grid_exponent(np.append(np.full(65_538, 32_767.0), last).reshape(-1, 1), bound=1) == f


@pytest.mark.parametrize(
    ("largest", "f", "integer"),
    [
        (1.0, 14, 16384),
        (32767.0, 0, 32767),
        (32768.0, -1, 16384),
        (32767.25, 0, 32767),
        (32767.5, -1, 16384),  # rounds to 32768 at f = 0
        (-0.5, 15, -16384),
        (2.0**-149, 163, 16384),  # the smallest float32
        (2.0**-126, 140, 16384),  # the smallest normal one
        (LARGEST, -113, 32767),
    ],
)
def test_known_exponents(largest, f, integer):
    integers, exponent = to_grid(np.float32([0, largest]))
    assert exponent == f
    np.testing.assert_array_equal(integers, [0, integer])


@pytest.mark.parametrize("weight", [np.inf, -np.inf, np.nan])
def test_weights_that_are_not_finite_are_refused(weight):
    with pytest.raises(ValueError, match=r"^kernels have NaN or infinite weights, expected finite ones$"):
        to_grid(np.array([1.0, weight]))


def test_zero_weights_stay_zero():
    integers, f = to_grid(np.zeros((2, 3), np.float32))
    assert f == 0
    np.testing.assert_array_equal(integers, np.zeros((2, 3)))
    np.testing.assert_array_equal(round_to_grid(np.zeros((2, 3), np.float32)), np.zeros((2, 3)))


def test_weights_of_float64_keep_their_dtype():
    rounded = round_to_grid(np.array([1.0, 1 / 3]))
    assert rounded.dtype == np.float64
    np.testing.assert_array_equal(rounded, [1.0, 5461 / 2**14])  # 2^14 / 3 = 5461.3


ONE = parse("1x1x1-2C1-1")


def with_kernels(first, classifier, network=ONE, **more):
    """Weights of a network of one block of 1 x 1 windows."""
    weights = {key: np.full(shape, 1 / 3, np.float32) for key, shape in network.weight_shapes.items()}
    weights |= {"conv1/W": np.float32(first).reshape(1, 1, 1, 2), "fc/W": np.float32(classifier).reshape(2, -1)}
    return weights | {key.replace("_", "/"): np.float32(value) for key, value in more.items()}


def test_only_kernels_and_classifier_of_a_network_are_rounded():
    weights = with_kernels([1, 1 / 3], [0, -0.5])
    rounded, change = on_grid(weights, ONE)
    assert rounded["conv1/W"].ravel().tolist() == [1, 5461 / 2**14]
    assert rounded["bn1/gamma"].tolist() == weights["bn1/gamma"].tolist()
    assert rounded["fc/W"].ravel().tolist() == [0, -0.5]
    assert change == np.float32(1 / 3) - np.float32(5461 / 2**14)
    assert on_grid(rounded, ONE)[1] == 0


def test_bias_of_the_classifier_is_rounded_to_units_of_its_grid():
    network = parse("1x1x1-2C1-2b")
    weights = with_kernels([1, 0], [1, -0.5, 0, 0], network, fc_b=[3.00001, -2.0])  # f = 14
    rounded, change = on_grid(weights, network)
    assert rounded["fc/b"].tolist() == [3.0, -2.0]
    assert change == np.float32(3.00001) - np.float32(3)
    assert bias_to_grid(weights["fc/b"], 14).tolist() == [3 * 2**14, -(2**15)]  # beyond int16


def test_inputs_of_a_block_share_one_grid():
    """The identity's weight of 1 decides it here: 0.75 and 1/3 would have one twice as fine."""
    network = parse("1x1x1-2C1-2C1+2C1g2+I-1")
    weights = random_weights(network, seed=0)
    weights["conv2/W"] = np.float32([[0.75, 1 / 3], [0, 0]]).reshape(1, 1, 2, 2)
    weights["conv2from1/W"] = np.float32([0.3, 0.6]).reshape(1, 1, 1, 2)
    kernels, exponent = weight_grid.layer_on_grid(network.blocks[1], weights)
    assert exponent == 14
    assert [kernel.ravel().tolist() for kernel in kernels] == [
        [12288, 5461, 0, 0],
        [4915, 9830],
        [2**14, 2**14],
    ]


def test_grid_of_a_block_that_reads_the_image_beside_spikes_leaves_room_for_the_finer_unit_of_either():
    """256 (64 inputs of at most 255 + 1 of at most 128) 2^f is below 2^31 - 1 for f = 8 and not for 9."""
    network = parse("1x1x64-1C1-1C1@0+1C1-1")
    weights = {key: np.ones(shape, np.float32) for key, shape in network.weight_shapes.items()}
    assert weight_grid.layer_on_grid(network.blocks[0], weights)[1] == 14  # 16384 is the last power of 2 of an int16
    assert weight_grid.layer_on_grid(network.blocks[1], weights)[1] == 8


@given(graphs(), st.integers(0, 2**32 - 1))
def test_rounding_a_network_twice_changes_nothing(network, seed):
    rounded = random_weights(network, seed)  # they are rounded once
    again, change = on_grid(rounded, network)
    assert change == 0
    for key, value in rounded.items():
        np.testing.assert_array_equal(again[key], value)


def test_initial_potentials_are_rounded_to_units_of_their_block():
    network = parse("1x2x1-1C1b-1")
    weights = random_weights(network, seed=0) | {"conv1/W": np.ones((1, 1, 1, 1), np.float32)}
    weights["conv1/initial"] = np.float32([[[5.3 / 2**14], [-40.00001]]])
    rounded, _ = on_grid(weights, network)
    assert rounded["conv1/initial"].ravel().tolist() == [5 / 2**14, -40]


@given(arrays(np.float32, (3,), elements=st.floats(-1000, 1000, width=32)), st.integers(-5, 20))
def test_bias_units_are_the_nearest(bias, f):
    for value, units in zip(exact(bias), bias_to_grid(bias, f).tolist(), strict=True):
        assert abs(value * Fraction(2) ** f - units) <= Fraction(1, 2)


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize(("bias", "f"), [(2.0**31, 0), (-(2.0**31), 0), (2.0**31 - 1, 0), (1e300, 100)])
def test_bias_that_int32_cannot_hold_is_refused(bias, f):
    fitting = bias_to_grid(np.array([2.0**31 - 2]), 0)
    assert (fitting.tolist(), fitting.dtype) == ([2**31 - 2], np.int64)
    with pytest.raises(
        OverflowError, match=r"^bias reaches .* units of the weight grid, expected less than 2147483647$"
    ):
        bias_to_grid(np.array([bias]), f)


@pytest.mark.filterwarnings("error")
def test_largest_float32_becomes_infinite_without_a_warning():
    """Its grid has one point of its size, 2^15 2^113, which no float32 holds."""
    assert round_to_grid(np.finfo(np.float32).max.reshape(1)).tolist() == [np.inf]
