"""Long names of models are short enough for files, and no file of another model is replaced."""

import os

import pytest

from experiment.model import NPZ_NAME, Model
from LeNet import FP32_LeNet_MNIST, Quant_LeNet_MNIST, Spiking_LeNet_MNIST
from spiking.network import FULL_PRECISION
from spiking.notation import parse
from tests.helpers import assert_refused, save_model
from tests.networks import random_weights
from tests.script_helpers import snapshot, write_images, write_logs

SMALL = parse("20x12x3-4C3-4")


def test_name_of_any_length_leaves_room_for_what_sets_a_run_apart():
    deep, deeper = ("-".join(["16C3p"] * layers) for layers in (60, 61))
    names = [
        Model(0, network, data, seed=9).name for network in (deep, deeper) for data in ("x" * 100, "\u56fe" * 100)
    ]
    assert len(set(names)) == len(names)
    assert all(len(os.fsencode(name)) <= 200 and name.endswith("-seed9") for name in names)


@pytest.fixture
def repository(default_places):
    """A folder that holds the default places of models, and data."""
    for data in ("stripes", "dots"):
        write_images(default_places / "elsewhere" / data, (20, 12, 3), classes=4)
    return default_places


@pytest.mark.parametrize(
    "options", [("--k", 1), ("--seed", 1), ("--recipe", "augmented"), ("--network", "5C3"), ("--data", "dots")]
)
def test_training_of_another_model_is_not_replaced(repository, run_here, options):
    folder = repository / "checkpoint"
    folder.mkdir()
    save_model(folder / NPZ_NAME, random_weights(SMALL, seed=0), 0, SMALL, data="stripes")
    before = snapshot(repository)
    usual = {"--k": 0, "--network": "4C3", "--data": "stripes"} | {options[0]: options[1]}
    usual["--data"] = repository / "elsewhere" / usual["--data"]
    process = run_here(Quant_LeNet_MNIST.main, *sum(usual.items(), ()), "--epochs", 1, "--checkpoint", folder)
    assert_refused(process, f"{folder}: is a training of k0-4C3-stripes", "or nothing; --checkpoint names another")
    assert snapshot(repository) == before


@pytest.mark.parametrize("held", [{"seed": 1}, {"k": 1}, {"data": "usps"}, {"recipe": "augmented"}, None])
@pytest.mark.parametrize("main", [Spiking_LeNet_MNIST.main, FP32_LeNet_MNIST.main])
def test_logs_of_another_model_are_not_replaced(repository, run_here, main, held):
    k = 0 if main == Spiking_LeNet_MNIST.main else FULL_PRECISION
    weights, logs = repository / "mine.npz", repository / "logs"
    save_model(weights, random_weights(SMALL, seed=0), k, SMALL, data="stripes")
    write_logs(logs, Model(**{"k": k, "network": "4C3", "data": "stripes"} | (held or {})), 2, 2, [[1]])
    if held is None:  # logs as others publish theirs
        (logs / "run.json").unlink()
    before = snapshot(repository)
    mode = ("--mode", "inference") if k == FULL_PRECISION else ()
    options = ("--weights", weights, "--data", repository / "elsewhere/stripes", "--logs", logs, *mode)
    held_in_words = "logs without a run.json" if held is None else "logs of "
    assert_refused(run_here(main, *options), f"{logs}: has {held_in_words}", "expected none, or those of ")
    assert snapshot(repository) == before


def test_logs_of_the_same_model_and_damaged_ones_are_replaced(repository, run_here):
    weights, logs = repository / "mine.npz", repository / "logs"
    save_model(weights, random_weights(SMALL, seed=0), 0, SMALL, data="stripes")
    options = ("--weights", weights, "--data", repository / "elsewhere/stripes", "--logs", logs)
    for damage in (None, "", "{"):
        if damage is not None:
            (logs / "run.json").write_text(damage)
        assert run_here(Spiking_LeNet_MNIST.main, *options).returncode == 0


@pytest.mark.parametrize("option", ["--export", "--golden"])
def test_weights_are_not_replaced_by_what_is_made_of_them(repository, run_here, option):
    weights = repository / "mine.npz"
    save_model(weights, random_weights(SMALL, seed=0), 0, SMALL, data="stripes")
    before = snapshot(repository)
    process = run_here(Spiking_LeNet_MNIST.main, "--weights", weights, option, weights)
    assert_refused(process, "mine.npz: holds the weights of k0-4C3-stripes", "expected another file or none")
    assert snapshot(repository) == before


def test_logs_of_a_whole_training_are_not_replaced_by_those_of_a_trial(repository, run_here):
    whole, trial, logs = repository / "whole.npz", repository / "trial.npz", repository / "logs"
    for path, epochs in ((whole, 150), (trial, 149)):
        save_model(path, random_weights(SMALL, seed=0), 0, SMALL, data="stripes", epochs=epochs)
    options = ("--data", repository / "elsewhere/stripes", "--logs", logs)
    for weights in (trial, whole):
        assert run_here(Spiking_LeNet_MNIST.main, "--weights", weights, *options).returncode == 0
    before = snapshot(repository)
    process = run_here(Spiking_LeNet_MNIST.main, "--weights", trial, *options)
    assert_refused(process, f"{logs}: has logs of the whole training of k=0, 4C3", "expected those of a trial")
    assert snapshot(repository) == before
