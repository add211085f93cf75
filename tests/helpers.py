"""What several tests need: random networks on the weight grid, and scripts run as a user runs them."""

import subprocess
import sys
from pathlib import Path

import numpy as np

from experiment.model import PUBLISHED_LEVELS, Model
from experiment.recipes import RECIPES
from experiment.weights import Trained, save_npz
from spiking.network import FULL_PRECISION, Network
from spiking.weight_grid import round_to_grid

ROOT = Path(__file__).resolve().parents[1]
LENET = Network.parse("28x28x1-20C5-P2-50C5-P2-500-10")
# the models whose weights are in the repository
PUBLISHED = [Model(k, recipe=recipe) for k in (FULL_PRECISION, *PUBLISHED_LEVELS) for recipe in RECIPES]
PUBLISHED_SPIKING = [model for model in PUBLISHED if model.k != FULL_PRECISION]


def save_model(path, weights, k, network=LENET, epochs=150, images=50_000, **identity):
    """Writes weights as a npz file of a model; by default as of a whole training with the paper's recipe."""
    model = Model(k, network.layers, **identity)
    save_npz(Trained(model, network, weights, epochs, images, all_images=50_000, threads=1), path)


def random_weights(network, seed):
    """Weights, by key, with which the neurons of a network fire a few spikes each."""
    rng = np.random.default_rng(seed)
    weights = {}
    for key, shape in network.weight_shapes.items():
        if key.endswith("/W"):
            values = rng.normal(0, 1 / np.sqrt(np.prod(shape[:-1])), shape)
        elif key.endswith("gamma"):
            values = rng.normal(1, 0.2, shape)
        elif key.endswith("moving_var"):
            values = rng.uniform(0.2, 1, shape)
        else:
            values = rng.normal(0, 0.3, shape)
        weights[key] = values.astype(np.float32)
        if key.endswith("/W"):
            weights[key] = round_to_grid(weights[key])
    return weights


def run_script(script, *options, cwd=ROOT):
    """Runs a script of the project; returns the finished process with its output as text."""
    command = [sys.executable, str(ROOT / script), *map(str, options)]
    return subprocess.run(command, cwd=cwd, capture_output=True, text=True, timeout=300)


def assert_refused(process, *expected):
    """The process ended with status 2 and one line on stderr that has the expected parts."""
    lines = process.stderr.splitlines()
    assert process.returncode == 2, process.stderr
    assert len(lines) == 1, process.stderr
    assert lines[0].startswith("error: ")
    for part in expected:
        assert part in lines[0]
