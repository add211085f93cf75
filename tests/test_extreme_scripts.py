"""The script on models at the edges of what is valid: exact, or refused in one line."""

import numpy as np
import pytest
from numpy.testing import assert_array_equal

from experiment.images import load_split
from experiment.trained import read_npz
from LeNet import Spiking_LeNet_MNIST
from tests import reference
from tests.helpers import assert_refused, save_model
from tests.networks import LENET, random_weights
from tests.test_extreme_models import EXTREMES, changed


@pytest.mark.parametrize("name", ["one huge negative weight", "gammas tiny and negative"])
def test_script_runs_an_extreme_model_exactly(name, tmp_path, run_here):
    """test_extreme_models.py runs all kinds in the engine."""
    k, time_steps, images = 1, 4, 2
    path, logs = tmp_path / "extreme.npz", tmp_path / "logs"
    save_model(path, changed(random_weights(LENET, seed=2), EXTREMES[name]), k)
    options = ("--time_steps", time_steps, "--limit", images, "--logs", logs)
    process = run_here(Spiking_LeNet_MNIST.main, "--k", k, "--weights", path, *options)
    assert (process.returncode, process.stderr) == (0, "")

    test = load_split("test").first(images)
    weights, pixels = read_npz(path).weights, test.pixels.astype(np.float64)
    trains, potentials = reference.spiking(weights, LENET, k, time_steps, pixels)
    spikes = np.cumsum([sum(np.abs(train[:, t]).sum() for train in trains) for t in range(time_steps)])
    assert_array_equal(read_integers(logs / "spike_num.txt"), spikes)
    right = (potentials.argmax(axis=2) == test.labels[:, None]).sum(axis=0)
    assert_array_equal(read_integers(logs / "accuracy.txt"), right)


def test_layer_whose_grid_reaches_beyond_float32_is_refused(tmp_path, run_here):
    """With 800 of the largest weights in a filter, its grid is coarser than 16 bits and rounds them up to 2^128."""
    save_model(tmp_path / "huge.npz", changed(random_weights(LENET, seed=2), EXTREMES["weights huge"]), 1)
    process = run_here(Spiking_LeNet_MNIST.main, "--weights", tmp_path / "huge.npz", "--logs", tmp_path / "logs")
    assert_refused(process, "huge.npz: conv5/W has weights that float32 cannot hold on the weight grid")
    assert not (tmp_path / "logs").exists()


def read_integers(path):
    return [int(line) for line in path.read_text().split()]
