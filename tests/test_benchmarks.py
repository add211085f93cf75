"""The benchmarks: the baseline computes the same, and what they cannot measure is refused."""

import re
import subprocess
import sys
from dataclasses import replace

import numpy as np
import pytest

from benchmarks import against, first_steps, kills, networks, recipes
from benchmarks.simulation import TIME_STEPS, simulate_densely
from experiment import ROOT, InputError, images
from experiment.images import Split, load_split
from experiment.model import HISTORY_NAME, NPZ_NAME, Model
from experiment.recipes import PAPER
from experiment.trained import read_npz, save_npz
from experiment.weights import read_published
from LeNet.tensorlayer.training import Training
from spiking.notation import parse
from spiking.trains import SOPS
from spiking_utils import SpikingNetwork
from tests import reference
from tests.helpers import assert_refused, run_script
from tests.networks import LENET, random_weights


def test_dense_baseline_gives_the_potentials_of_the_equations():
    weights = random_weights(LENET, seed=4)
    pixels = np.random.default_rng(4).integers(0, 256, (3, *LENET.input_shape))
    _, potentials = reference.spiking(weights, LENET, 1, TIME_STEPS, pixels)
    np.testing.assert_array_equal(simulate_densely(weights, 1, pixels), potentials[:, -1])


def test_level_that_is_not_published():
    process = run_script("benchmarks/simulation.py", "--k", 9)
    assert_refused(process, "LeNet/pretrained/k9.npz: not found, expected published weights")


def test_networks_are_compared_by_what_an_operation_takes(run_here):
    path = ROOT / "LeNet/pretrained/k0.npz"
    process = run_here(networks.main, path, "--limit", 10, "--rounds", 2)
    assert (process.returncode, process.stderr) == (0, "")
    weights, _, _, lenet, other = [line.split() for line in process.stdout.splitlines()]
    assert weights == ["weights", "LeNet/pretrained/k0.npz"]
    pixels = load_split("test").pixels[:10]
    for (name, operations, *times), (k, expected_name) in zip((lenet, other), ((1, "LeNet"), (0, "k0.npz"))):
        trained = read_published(Model(k))
        expected = SpikingNetwork(trained.weights, trained.network, k, 20).run(pixels).statistics[..., SOPS].sum()
        assert (name, operations) == (expected_name, f"{expected / 10:,.0f}")
        assert all(float(number) > 0 for number in times)
    assert lenet[3] == "1.00"  # of itself


def test_random_networks_have_branches_pooling_and_depthwise_convolutions():
    for layers in networks.NETWORKS.values():
        parse(f"28x28x1-{layers}-10")
    edges = [edge for block in parse(f"28x28x1-{networks.RESNET_20}-10").blocks for edge in block.inputs]
    assert len(edges) == 19 + 9
    assert sum(edge.identity for edge in edges) == 7
    assert any(block.pools for block in parse(f"28x28x1-{networks.VGG_11}-10").blocks)
    assert any(block.inputs[0].groups == 128 for block in parse(f"28x28x1-{networks.DEPTHWISE}-10").blocks)


def test_checkout_is_compared_with_another(run_here):
    process = run_here(against.main, ROOT, "--rounds", 1)
    assert (process.returncode, process.stderr) == (0, "")
    _, *levels, memory = [line.split() for line in process.stdout.splitlines()]
    assert [name for name, *_ in levels] == ["k=0", "k=1", "k=2"]
    for _, before, now, ratio in levels:
        assert float(ratio) == pytest.approx(float(now) / float(before), abs=2e-3)
    assert float(memory[-1]) == pytest.approx(1, abs=0.2)


def test_folder_that_is_no_checkout(run_here, tmp_path):
    process = run_here(against.main, tmp_path)
    assert_refused(process, f"{tmp_path}: has no spiking_utils.py, expected a checkout of this repository")


def test_network_of_full_precision_fires_no_operations(run_here):
    process = run_here(networks.main, ROOT / "LeNet/pretrained/fp32.npz")
    assert_refused(process, "LeNet/pretrained/fp32.npz: is of full precision, expected a quantised network")


def test_recipes_are_compared_on_the_validation_images_and_go_on_where_they_were(tmp_path, run_here):
    options = ("--only", "affine-penalty", "--limit", 200, "--states", tmp_path)
    assert run_here(recipes.main, *options, "--epochs", 1).returncode == 0
    process = run_here(recipes.main, *options, "--epochs", 1)  # as the training is there, it takes the same seconds
    assert (process.returncode, process.stderr) == (0, "")
    header, row = [line.split() for line in process.stdout.splitlines()]
    assert header == ["candidate", "loss", "accuracy", "SNN", "time", "steps", "SOPs", "seconds"]
    name, loss, accuracy, _, spiking, _, steps, sops, seconds = row
    assert name == "affine-penalty"
    assert float(loss) == pytest.approx(np.log(10), rel=0.1)  # that of a guess, after a single step
    assert 2 * float(accuracy) == round(2 * float(accuracy))  # of 200 images
    assert 2 * float(spiking) == round(2 * float(spiking))
    assert 1 <= int(steps) <= TIME_STEPS
    assert int(sops.replace(",", "")) >= 0
    epochs = (tmp_path / "affine-penalty" / HISTORY_NAME).read_text().splitlines()
    assert len(epochs) == 2
    assert seconds == f"{float(epochs[1].split(',')[-1]):.0f}"

    state = tmp_path / name / NPZ_NAME
    trained = read_npz(state)
    assert trained.model == Model(0, recipe=name)
    save_npz(replace(trained, threads=99), state)
    expected = f"affine-penalty: was trained with threads=99, expected {trained.threads} as --threads says"
    assert_refused(run_here(recipes.main, *options, "--epochs", 1), expected)


def test_loss_of_a_candidate_is_without_its_penalty():
    training = Training(Model(0), replace(PAPER, sop_penalty=1e6), LENET, 1, 6, 6, threads=0)
    pixels = np.random.default_rng(5).integers(0, 256, (6, 28, 28, 1), np.uint8)
    labels = np.arange(6)
    logits = training.keras_model(images.scaled(pixels)).numpy()
    loss, accuracy = recipes.artificial_results(training, Split(pixels, labels, 10))
    assert loss == pytest.approx(np.mean(np.log(np.exp(logits).sum(axis=1)) - logits[labels, labels]), rel=1e-5)
    assert accuracy == 100 * np.mean(logits.argmax(axis=1) == labels)


def test_variants_are_compared_after_the_first_steps(run_here):
    process = run_here(
        first_steps.main, "--k", 1, "--only", "one-order", "--epochs", 5, "--limit", 100, "--threads", 2
    )
    assert (process.returncode, process.stderr) == (0, "")
    header, row = [line.split() for line in process.stdout.splitlines()]
    assert header == ["variant", "accuracy", "step", "1", "lowest", "highest", "step", "2", "step", "3", "spikes"]
    name, accuracy, first, lowest, highest, *_ = row
    assert name == "one-order"
    assert float(accuracy) == round(float(accuracy))  # of 100 images
    assert lowest == highest == first  # those of the one epoch after SETTLED


@pytest.mark.parametrize("name", first_steps.VARIANTS)
def test_variant_changes_what_it_is_called_after(name):
    seed, vary = first_steps.VARIANTS[name]
    training, plain = (Training(Model(0, seed=seed), PAPER, LENET, 1, 6, 6, threads=0) for _ in range(2))
    vary(training)
    images = Split(np.zeros((6, 28, 28, 1), np.uint8), np.arange(6), 10)
    changed = {key.split("/")[1] for key, old in plain.weights().items() if np.any(old != training.weights()[key])}
    orders = []
    for variant in (training, plain):
        variant.history = [None] * 3  # so many epochs are finished
        batches = variant.batches(images)
        batches.on_epoch_begin()
        orders.append(list(batches[0][1]))
    momentum = training.keras_model.get_layer("bn1").momentum
    assert changed == {"untruncated": {"W"}, "uniform": {"W"}, "plain-gammas": {"gamma"}}.get(name, set())
    assert (orders[0] == orders[1]) == (name != "one-order")
    before = training.weights()["fc/W"].numpy()
    training.round_weights()
    assert np.array_equal(training.weights()["fc/W"], before) == (name == "unrounded")
    assert momentum == (0.99 if name == "slow-averages" else 0.9)


def test_kill_of_a_training_that_has_ended(tmp_path):
    process = subprocess.Popen([sys.executable, "-c", "exit(3)"])
    process.wait()
    with pytest.raises(InputError, match=r"^the training had ended with status 3, expected it to run$"):
        kills.kill(process, tmp_path, "start", delay=0)


def test_epochs_that_a_kill_has_lost_are_noticed(one_epoch):
    assert kills.check(one_epoch, finished=1) == 1
    expected = f"{one_epoch}: has 1 epochs, expected the 2 of before the kill"
    with pytest.raises(InputError, match=re.escape(expected)):
        kills.check(one_epoch, finished=2)
