"""A small residual network with max pooling through all that the scripts do, on MNIST."""

import csv
import json

import numpy as np
import pytest

from experiment.model import HISTORY_NAME, NPZ_NAME
from experiment.trained import read_npz
from LeNet import Quant_LeNet_MNIST, Spiking_LeNet_MNIST
from spiking.notation import parse
from spiking.weight_grid import on_grid
from tests.helpers import save_model
from tests.integer_replay import assert_measured, assert_replayed
from tests.networks import random_weights
from tests.test_verification import assert_lossless

LAYERS = "6C5s2-M2-6C3p+I-8C3ps2+8C1s2@2"
NETWORK = parse(f"28x28x1-{LAYERS}-10")
IMAGES, STEPS = 40, 6


@pytest.fixture
def succeed(run_here):
    """A function that runs a script without an error."""

    def succeed(main, *options):
        process = run_here(main, *options)
        assert (process.returncode, process.stderr) == (0, "")
        return process

    return succeed


@pytest.fixture(scope="module")
def weights_path(tmp_path_factory):
    path = tmp_path_factory.mktemp("weights") / "k1.npz"
    save_model(path, random_weights(NETWORK, seed=7), 1, NETWORK)
    return path


def test_it_is_trained_by_its_notation_alone(succeed, tmp_path):
    options = ("--k", 1, "--network", LAYERS, "--limit", 400, "--epochs", 2, "--checkpoint", tmp_path)
    succeed(Quant_LeNet_MNIST.main, *options)
    trained = read_npz(tmp_path / NPZ_NAME)
    assert (trained.network, trained.model.network, trained.identity.epochs) == (NETWORK, LAYERS, 2)
    assert on_grid(trained.weights, NETWORK)[1] == 0
    losses = [float(row["loss"]) for row in csv.DictReader((tmp_path / HISTORY_NAME).read_text().splitlines())]
    assert losses[1] < losses[0]
    read = {layer: trained.weights[f"{layer}/W"] for layer in ("conv3", "conv4", "conv4from2", "fc")}
    assert all(np.unique(kernel).size > kernel.size / 2 for kernel in read.values())


def test_it_is_lossless(succeed, weights_path):
    options = ("--weights", weights_path, "--verify", "--limit", IMAGES)
    assert_lossless(succeed(Spiking_LeNet_MNIST.main, *options), NETWORK, IMAGES)


def test_its_integers_its_golden_vectors_and_its_sizes_agree(succeed, weights_path, tmp_path):
    options = ("--weights", weights_path, "--time_steps", STEPS)
    succeed(Spiking_LeNet_MNIST.main, *options, "--export", tmp_path / "integers.npz")
    succeed(Spiking_LeNet_MNIST.main, *options, "--golden", tmp_path / "golden.npz", "--limit", IMAGES)
    succeed(Spiking_LeNet_MNIST.main, *options, "--sizes", "--logs", tmp_path, "--limit", IMAGES)
    golden, arrays = (dict(np.load(tmp_path / name)) for name in ("golden.npz", "integers.npz"))
    recorded = assert_replayed(golden, arrays)
    assert list(recorded) == ["conv1", "pool2", "conv3", "conv4", "fc"]
    assert all(recorded[layer].spikes.min() == -1 for layer in ("conv3", "conv4"))
    assert_measured(json.loads((tmp_path / "run.json").read_text())["sizes"], recorded)
