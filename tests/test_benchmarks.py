"""The benchmarks: the baseline computes the same, and a level that is not published is refused."""

import numpy as np
from numpy.testing import assert_array_equal

from benchmarks.simulation import TIME_STEPS, simulate_densely
from LeNet.network import LENET
from LeNet.weight_grid import grid_exponent
from spiking_utils import SpikingNetwork
from tests.helpers import assert_refused, random_weights, run_script


def test_dense_baseline_gives_the_potentials_of_the_spiking_network():
    weights = random_weights(LENET, seed=4)
    pixels = np.random.default_rng(4).integers(0, 256, (3, *LENET.input_shape))
    potentials = SpikingNetwork(weights, LENET, 1, TIME_STEPS).run(pixels).potentials[:, -1]
    assert_array_equal(simulate_densely(weights, 1, pixels), potentials * 2.0 ** -grid_exponent(weights["fc/W"]))


def test_level_that_is_not_published():
    process = run_script("benchmarks/simulation.py", "--k", 9)
    assert_refused(process, "LeNet/pretrained/k9.npz: not found, expected published weights")
