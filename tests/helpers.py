"""What several tests need: models in files, and scripts run as a user runs them."""

import subprocess
import sys
from pathlib import Path

from experiment import published
from experiment.identity import Identity
from experiment.model import PUBLISHED_LEVELS, Model
from experiment.published import FASHION_MNIST
from experiment.recipes import AUGMENTED, FLIPPED, PAPER
from experiment.trained import Trained, save_npz
from spiking.network import FULL_PRECISION
from tests.networks import LENET

ROOT = Path(__file__).resolve().parents[1]
LEVELS = (FULL_PRECISION, *PUBLISHED_LEVELS)
FASHION = [Model(k, network, FASHION_MNIST) for network in published.networks(FASHION_MNIST) for k in LEVELS]
RESIDUALS = published.models(FASHION_MNIST, FLIPPED.name, [0])
# the models whose weights are in the repository
PUBLISHED = [Model(k, recipe=recipe.name) for k in LEVELS for recipe in (PAPER, AUGMENTED)]
PUBLISHED += [*FASHION, *RESIDUALS]
PUBLISHED_SPIKING = [model for model in PUBLISHED if model.k != FULL_PRECISION]


def save_model(path, weights, k, network=LENET, epochs=150, images=50_000, **identity):
    """Writes weights as an npz file of a model, by default as if fully trained with the paper's recipe."""
    model = Model(k, network.layer_notation, **identity)
    save_npz(Trained(Identity(model, network, epochs, images, all_images=50_000, threads=1), weights), path)


def run_script(script, *options, cwd=ROOT):
    """Runs a script of the project; returns the finished process with its output as text."""
    command = [sys.executable, str(ROOT / script), *map(str, options)]
    return subprocess.run(command, cwd=cwd, capture_output=True, text=True, timeout=300)


def assert_refused(process, *expected):
    """Asserts that a process ended with status 2 and one line on stderr that has the expected parts."""
    lines = process.stderr.splitlines()
    assert process.returncode == 2, process.stderr
    assert len(lines) == 1, process.stderr
    assert lines[0].startswith("error: ")
    for part in expected:
        assert part in lines[0]
