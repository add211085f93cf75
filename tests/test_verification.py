"""--verify: every neuron against Keras in float64, on real images."""

import re

import numpy as np
import pytest

from experiment.images import save_npz
from experiment.model import published_weights
from LeNet import Spiking_LeNet_MNIST
from spiking.network import LENET
from tests.helpers import PUBLISHED_SPIKING, assert_refused, random_weights, run_script

IMAGES = 200


@pytest.fixture(scope="module")
def weights():
    """Random weights with gammas of both signs and zero."""
    rng = np.random.default_rng(3)
    signs = {key: rng.choice([-1, 0, 1], shape, p=[0.2, 0.1, 0.7]) for key, shape in LENET.weight_shapes.items()}
    return {
        key: (value * signs[key]).astype(np.float32) if key.endswith("gamma") else value
        for key, value in random_weights(LENET, seed=3).items()
    }


def assert_lossless(process):
    """All neurons and predictions of IMAGES images were compared, and are equal."""
    assert process.returncode == 0, process.stderr
    neurons = LENET.neurons * IMAGES
    assert re.search(rf"^total +{neurons:,} +{neurons:,} ", process.stdout, re.MULTILINE)
    assert re.search(rf"^predictions +{IMAGES} +{IMAGES}$", process.stdout, re.MULTILINE)
    assert process.stdout.endswith("\nlossless\n")


@pytest.mark.parametrize(("k", "recipe"), PUBLISHED_SPIKING)
def test_published_network_is_lossless(k, recipe, run_here):
    options = ("--k", k, "--recipe", recipe, "--weights", published_weights(k, recipe))
    options += ("--limit", IMAGES, "--verify")
    assert_lossless(run_here(Spiking_LeNet_MNIST.main, *options))


@pytest.mark.parametrize("k", [0, 1])
def test_every_neuron_and_prediction_is_found_equal(weights, tmp_path, run_here, k):
    save_npz(weights, k, tmp_path / "weights.npz")
    options = ("--k", k, "--weights", tmp_path / "weights.npz", "--limit", IMAGES, "--verify")
    assert_lossless(run_here(Spiking_LeNet_MNIST.main, *options))


def test_process_of_its_own_finds_them_equal(tmp_path):
    options = ("--k", 0, "--weights", published_weights(0), "--limit", IMAGES, "--verify")
    assert_lossless(run_script("LeNet/Spiking_LeNet_MNIST.py", *options))


@pytest.mark.parametrize(
    ("blocks", "beta", "expected"),
    [
        ((5,), 5000, "a neuron has to fire 5000 times"),
        ((5,), 1e30, f"until quiescent, expected at most 4096 and {64 << 20}; the latter fall with --batch_size"),
        ((1, 2, 3, 4, 5), 2000, "a neuron has to fire 2000 times and a batch 756000000 times"),  # 20 * 18,900 * 2000
    ],
)
def test_network_that_takes_too_many_spikes_is_refused(weights, tmp_path, run_here, blocks, beta, expected):
    constant = {key: value.copy() for key, value in weights.items()}
    for block in blocks:
        constant[f"bn{block}/gamma"][:], constant[f"bn{block}/beta"][:] = 0, beta
    save_npz(constant, 0, tmp_path / "weights.npz")
    options = ("--weights", tmp_path / "weights.npz", "--limit", 20, "--verify")
    assert_refused(run_here(Spiking_LeNet_MNIST.main, "--k", 0, *options), expected)


def test_one_wrong_neuron_is_named(weights, tmp_path, monkeypatch, run_here):
    """The spiking network gets another beta in channel 7 of block 5 than Keras does: 2 more, so 2 spikes more."""
    import spiking_utils
    from LeNet import verification

    def wrong_network(weights, *settings):
        beta = weights["bn5/beta"].copy()
        gamma = weights["bn5/gamma"].copy()
        gamma[7], beta[7] = 0, 5
        return spiking_utils.SpikingNetwork(weights | {"bn5/beta": beta, "bn5/gamma": gamma}, *settings)

    right = {key: value.copy() for key, value in weights.items()}
    right["bn5/gamma"][7], right["bn5/beta"][7] = 0, 3
    save_npz(right, 0, tmp_path / "weights.npz")
    monkeypatch.setattr(verification, "SpikingNetwork", wrong_network)
    process = run_here(
        Spiking_LeNet_MNIST.main, "--k", 0, "--weights", tmp_path / "weights.npz", "--limit", 5, "--verify"
    )
    assert process.returncode == 1
    expected = "image 0, block 5, position (0, 0), channel 7: net spike count 5, S * activation 3"
    assert f"first difference: {expected}\n" in process.stdout
    assert re.search(r"^block 5 +2,500 +2,495 ", process.stdout, re.MULTILINE)
    assert process.stdout.endswith("\nNOT lossless\n")
