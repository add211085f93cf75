"""Models at the edges of what is valid: exact, spike by spike, or refused with the reason."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from spiking.network import MAX_LEVEL
from spiking.notation import parse
from spiking.weight_grid import on_grid
from spiking_utils import SpikingNetwork
from tests.exactness import assert_as_the_artificial_network, assert_as_the_equations
from tests.networks import random_weights

SMALL = parse("5x6x2-4C3x2-5C2s2-3")
GRAPH = parse("5x6x2-4C3x2-M2ps1-4C3pg2+4C1@1-5C2s2-3+3@2")
LARGEST = float(np.finfo(np.float32).max)
ON_THE_GRID = 32767 * 2.0**113  # the largest weight that float32 holds on its grid
SMALLEST = float(np.finfo(np.float32).smallest_subnormal)


def constant(suffix, value):
    """A change that sets all values in one kind of array to the same number."""
    return lambda key, array: np.full_like(array, value) if key.endswith(suffix) else array


def one_weight(value):
    """A change that makes one weight in each layer so large that the grid has no room for the others."""

    def change(key, array):
        if key.endswith("/W"):
            array = array.copy()
            array.flat[array.size // 2] = value
        return array

    return change


def negated(key, array):
    return -array if key.endswith("gamma") else array


EXTREMES = {
    "weights zero": constant("/W", 0),
    "weights tiny": constant("/W", SMALLEST),
    "weights huge": constant("/W", ON_THE_GRID),
    "one huge weight": one_weight(1e30),
    "one huge negative weight": one_weight(-ON_THE_GRID),
    "gammas negative": negated,
    "gammas zero": constant("gamma", 0),
    "gammas tiny": constant("gamma", 1e-30),
    "gammas tiny and negative": constant("gamma", -SMALLEST),
    "gammas huge": constant("gamma", LARGEST),
    "variances zero": constant("moving_var", 0),
    "variances huge": constant("moving_var", LARGEST),
    "betas huge": constant("beta", LARGEST),
    "betas huge and negative": constant("beta", -LARGEST),
    "means huge": constant("moving_mean", LARGEST),
    "all zero": constant("", 0),
}


def changed(weights, change):
    return {key: change(key, array).astype(np.float32) for key, array in weights.items()}


def random_pixels(network, images=3):
    return np.random.default_rng(0).integers(0, 256, (images, *network.input_shape))


@pytest.mark.parametrize("k", [0, 1, 2, 3, 4, 5, 6, MAX_LEVEL])
@pytest.mark.parametrize("change", EXTREMES.values(), ids=EXTREMES)
def test_extreme_model_is_exact(change, k):
    for network in (SMALL, GRAPH):
        weights, _ = on_grid(changed(random_weights(network, seed=k), change), network)
        assert_as_the_equations(SpikingNetwork(weights, network, k, 12), weights, random_pixels(network))


magnitudes = st.sampled_from([0.0, SMALLEST, 1e-30, 1e-5, 0.25, 0.5, 1.0, 3.0, 1e5, 1e30, ON_THE_GRID])
signs = st.sampled_from([-1, 1])


@st.composite
def extreme_weights(draw):
    """Weights of SMALL in which any value may be extreme."""
    weights = random_weights(SMALL, draw(st.integers(0, 2**32 - 1)))
    for key, array in weights.items():
        for _ in range(draw(st.integers(0, 3))):
            value = draw(magnitudes) * (1 if key.endswith("moving_var") else draw(signs))
            array.flat[draw(st.integers(0, array.size - 1))] = value
    return on_grid(weights, SMALL)[0]


@settings(max_examples=150)
@given(extreme_weights(), st.integers(0, MAX_LEVEL), st.integers(1, 8))
def test_any_mixture_of_extremes_is_exact(weights, k, time_steps):
    assert_as_the_equations(SpikingNetwork(weights, SMALL, k, time_steps), weights, random_pixels(SMALL))


@pytest.mark.parametrize("k", range(7))
def test_quiescent_network_of_any_level_is_the_artificial_one(k):
    weights = changed(random_weights(SMALL, seed=3), negated)
    pixels = random_pixels(SMALL)
    activity = assert_as_the_equations(SpikingNetwork(weights, SMALL, k, 16 + 8 * 2**k), weights, pixels)
    assert activity.quiescent().all()
    assert activity.trains[0].peak_count >= 2**k  # a whole unit of activation
    assert_as_the_artificial_network(activity, weights, SMALL, k, pixels)


def test_identity_beside_weights_whose_grid_has_no_1_is_refused():
    network = parse("4x4x1-2C1-2C1+I-2")
    weights = random_weights(network, seed=0)
    weights["conv2/W"].flat[0] = 32767
    assert on_grid(weights, network)[0]["conv2/W"].flat[0] == 32767
    weights["conv2/W"].flat[0] = 32768
    with pytest.raises(OverflowError, match=r"^conv2: weights reach 32768 beside an identity, expected less: "):
        on_grid(weights, network)


def test_potentials_that_int32_cannot_hold_are_refused():
    wide = parse(f"1x1x{2**15}-1C1-1")
    weights = changed(random_weights(wide, seed=0), constant("/W", 32767))
    network = SpikingNetwork(weights, wide, 0, time_steps=3)
    with pytest.raises(OverflowError, match=r"membrane potentials could reach \d+ .* expected less than 2147483647"):
        network.run(np.full((1, 1, 1, 2**15), 1000))
    network.run(np.full((1, 1, 1, 2**15), 255))  # a pixel is never too much
