"""--verify compares every neuron with Keras in float64, on real images."""

import re

import numpy as np
import pytest

from experiment.model import Model
from experiment.weights import read_published
from LeNet import Spiking_LeNet_MNIST
from spiking.network import FULL_PRECISION
from spiking.notation import parse
from tests.helpers import PUBLISHED_SPIKING, assert_refused, run_script, save_model
from tests.networks import LENET, random_weights, with_gammas
from tests.script_helpers import write_images

IMAGES = 40


@pytest.fixture(scope="module")
def weights():
    """Random weights with gammas of both signs and zero."""
    rng = np.random.default_rng(3)
    return with_gammas(random_weights(LENET, seed=3), lambda shape: rng.choice([-1, 0, 1], shape, p=[0.2, 0.1, 0.7]))


def assert_lossless(process, network=LENET, images=IMAGES, quantized_in_training=True):
    """Asserts that all neurons and predictions of the images were compared and are equal."""
    assert process.returncode == 0, process.stderr
    neurons = network.neurons * images
    assert re.search(rf"^total +{neurons:,} +{neurons:,} ", process.stdout, re.MULTILINE)
    assert re.search(rf"^predictions +{images} +{images}$", process.stdout, re.MULTILINE)
    equal = f"equal to the quantised network in {neurons:,} of {neurons:,} neurons"
    assert process.stdout.endswith("\nlossless\n" if quantized_in_training else f"\n{equal}\n")


@pytest.mark.parametrize("model", PUBLISHED_SPIKING, ids=lambda model: model.name)
def test_published_network_is_lossless(model, run_here):
    process = run_here(Spiking_LeNet_MNIST.main, "--weights", model.published, "--limit", IMAGES, "--verify")
    assert_lossless(process, read_published(model).network)


@pytest.mark.parametrize(
    ("level", "options"),
    [
        (0, []),
        (1, []),
        (0, ["--max_spikes", 3]),
        (1, ["--max_spikes", "unbounded"]),
        (FULL_PRECISION, ["--k", 0]),
        (FULL_PRECISION, ["--k", 3]),  # converted
    ],
)
def test_every_neuron_and_prediction_is_found_equal(weights, tmp_path, run_here, level, options):
    save_model(tmp_path / "weights.npz", weights, level)
    options = ("--weights", tmp_path / "weights.npz", "--limit", IMAGES, "--verify", *options)
    process = run_here(Spiking_LeNet_MNIST.main, *options)
    assert_lossless(process, quantized_in_training=level != FULL_PRECISION)


def test_process_of_its_own_finds_them_equal(tmp_path):
    options = ("--k", 0, "--weights", Model(0).published, "--limit", IMAGES, "--verify")
    assert_lossless(run_script("LeNet/Spiking_LeNet_MNIST.py", *options))


@pytest.mark.parametrize("notation", ["20x12x3-6C3p-P2-8C3x1s2x1m2-9-4b", "20x12x3-5C20x12p-P2x3p-4"])
def test_other_networks_on_other_images_are_lossless(notation, tmp_path, run_here):
    network = parse(notation)
    folder = write_images(tmp_path / "other", (20, 12, 3), classes=4)
    save_model(tmp_path / "weights.npz", random_weights(network, seed=1), 1, network, data="other")
    options = ("--weights", tmp_path / "weights.npz", "--data", folder, "--verify")
    assert_lossless(run_here(Spiking_LeNet_MNIST.main, *options), network, images=20)


@pytest.mark.parametrize(
    ("blocks", "beta", "expected"),
    [
        ((5,), 5000, "a neuron has to fire 5000 times"),
        ((5,), 1e30, f"until quiescent, expected at most 4096 and {64 << 20}; a smaller --batch_size lowers"),
        ((1, 2, 3, 4, 5), 2000, "a neuron has to fire 2000 times and a batch 756000000 times"),  # 20 * 18,900 * 2000
    ],
)
def test_network_that_takes_too_many_spikes_is_refused(weights, tmp_path, run_here, blocks, beta, expected):
    constant = {key: value.copy() for key, value in weights.items()}
    for block in blocks:
        constant[f"bn{block}/gamma"][:], constant[f"bn{block}/beta"][:] = 0, beta
    save_model(tmp_path / "weights.npz", constant, 0)
    options = ("--weights", tmp_path / "weights.npz", "--limit", 20, "--verify")
    assert_refused(run_here(Spiking_LeNet_MNIST.main, "--k", 0, *options), expected)


def test_one_wrong_neuron_is_named(weights, tmp_path, monkeypatch, run_here):
    """In channel 7 of block 5 the spiking network gets a beta that is 2 higher than Keras's, so 2 more spikes."""
    import spiking_utils
    from LeNet import verification

    def wrong_network(weights, *settings):
        beta = weights["bn5/beta"].copy()
        gamma = weights["bn5/gamma"].copy()
        gamma[7], beta[7] = 0, 5
        return spiking_utils.SpikingNetwork(weights | {"bn5/beta": beta, "bn5/gamma": gamma}, *settings)

    right = {key: value.copy() for key, value in weights.items()}
    right["bn5/gamma"][7], right["bn5/beta"][7] = 0, 3
    save_model(tmp_path / "weights.npz", right, 0)
    monkeypatch.setattr(verification, "SpikingNetwork", wrong_network)
    process = run_here(
        Spiking_LeNet_MNIST.main, "--k", 0, "--weights", tmp_path / "weights.npz", "--limit", 5, "--verify"
    )
    assert process.returncode == 1
    expected = "image 0, block 5, position (0, 0), channel 7: net spike count 5, S * activation 3"
    assert f"first difference: {expected}\n" in process.stdout
    assert re.search(r"^block 5 +2,500 +2,495 ", process.stdout, re.MULTILINE)
    assert process.stdout.endswith("\nNOT lossless\n")
