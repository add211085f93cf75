"""Names of models, runs and figures are unique, and no file of another model is replaced."""

import os
import unicodedata

import pytest

from experiment import runs
from experiment.images import MNIST
from experiment.model import LENET, NPZ_NAME, Model
from experiment.runs import Variation
from experiment.trained import read_npz
from LeNet import FP32_LeNet_MNIST, Quant_LeNet_MNIST, Spiking_LeNet_MNIST
from spiking.network import FULL_PRECISION
from spiking.notation import parse
from tests.helpers import assert_refused, save_model
from tests.networks import random_weights
from tests.script_helpers import snapshot, write_images, write_logs

SMALL = parse("20x12x3-4C3-4")
# what could be taken for each other, for a recipe, a seed or what sets a run apart, also where capitals do not count
NETWORKS = (LENET, "400", "400-400", "P2")
DATA = (
    *("mnist", "usps", "Usps", "USPS", "fashion-mnist", "mnist-usps", "400", "400-400", "p2", "k2", "a-b", "a", "b"),
    *("augmented", "Augmented", "paper", "mnist-augmented", "usps-augmented", "seed1", "usps-seed1", "usps-Seed1"),
    *("positive", "burst", "burst-2", "burst-unbounded", "first200", "noise0.5", "noise1", "usps-first200", "own"),
    *("own-my-0123abcd", "my-abcdef01", "image7", "steps60", "shown1-2", "noise_seed3", "\u00fc", "u\u0308", "~"),
    *("k0~1", "x" * 100),
)
TRAININGS = (
    *[(recipe, "") for recipe in ("paper", "augmented", "own", "own-my-0123abcd", "mine", "usps", "seed1", "400")],
    *[("own", origin) for origin in ("my-0123abcd", "My-0123abcd", "my", "usps", "seed1")],
    ("paper", "my-abcdef01"),
)
RUNS = ({}, {"max_spikes": 2}, {"max_spikes": None}, {"negative_spikes": False}, {"limit": 200}, {"k": 2})


def all_different(names):
    folded = [unicodedata.normalize("NFC", name).casefold() for name in names]
    return len(set(folded)) == len(folded)


def test_no_two_models_or_runs_have_a_name_in_common():
    models = [
        Model(k, network, data, recipe, seed, origin)
        for k in (FULL_PRECISION, 2)
        for network in NETWORKS
        for data in DATA
        for recipe, origin in TRAININGS
        for seed in (0, 1)
    ]
    assert all_different(
        runs.default_folder(one, Variation(**run)).name
        for one in models
        for run in RUNS
        if not run or ("k" in run) == (one.k == FULL_PRECISION)
    )
    levels = [one for one in models if one.k == 2]
    settings = ("", "-k0", "-k0-noise_seed3", "-image7", "-steps60", "-shown1-2", "-first200")
    assert all_different(one.figure_name("scnn_sop") + end for one in levels for end in settings)
    assert len({one.label for one in models}) == len(models)
    for one in models:
        assert len(os.fsencode(one.name)) < 200


def test_name_of_any_length_leaves_room_for_what_sets_a_run_apart():
    deep, deeper = ("-".join(["16C3p"] * layers) for layers in (60, 61))
    names = [
        Model(0, network, data, seed=9).name for network in (deep, deeper) for data in ("x" * 100, "\u56fe" * 100)
    ]
    assert all_different(names)
    assert all(len(os.fsencode(name)) <= 200 and name.endswith("-seed9") for name in names)


@pytest.fixture
def repository(default_places):
    """A folder that holds the default places of models, and data with the name of a recipe."""
    for data in ("augmented", "paper"):
        write_images(default_places / "elsewhere" / data, (20, 12, 3), classes=4)
    return default_places


def test_data_of_the_name_of_a_recipe_have_places_of_their_own(repository, run_here):
    usual = ("--k", 0, "--network", "4C3")
    mnist = (*usual, "--data", MNIST, "--recipe", "augmented", "--limit", 10)
    assert run_here(Quant_LeNet_MNIST.main, *mnist, "--epochs", 1).returncode == 0
    assert run_here(Spiking_LeNet_MNIST.main, *mnist).returncode == 0
    before = snapshot(repository)
    other = (*usual, "--data", repository / "elsewhere/augmented")
    assert run_here(Quant_LeNet_MNIST.main, *other, "--epochs", 1).returncode == 0
    assert run_here(Spiking_LeNet_MNIST.main, *other).returncode == 0
    after = snapshot(repository)
    assert {path: content for path, content in after.items() if path in before} == before
    one = Model(0, "4C3", "augmented")
    assert read_npz(one.checkpoint / NPZ_NAME).model == one
    assert (runs.default_folder(one) / "run.json").exists()


@pytest.mark.parametrize(
    "options", [("--k", 1), ("--seed", 1), ("--recipe", "augmented"), ("--network", "5C3"), ("--data", "paper")]
)
def test_training_of_another_model_is_not_replaced(repository, run_here, options):
    folder = repository / "checkpoint"
    folder.mkdir()
    save_model(folder / NPZ_NAME, random_weights(SMALL, seed=0), 0, SMALL, data="augmented")
    before = snapshot(repository)
    usual = {"--k": 0, "--network": "4C3", "--data": "augmented"} | {options[0]: options[1]}
    usual["--data"] = repository / "elsewhere" / usual["--data"]
    process = run_here(Quant_LeNet_MNIST.main, *sum(usual.items(), ()), "--epochs", 1, "--checkpoint", folder)
    assert_refused(process, f"{folder}: is a training of k0-4C3-augmented~", "or nothing; --checkpoint names another")
    assert snapshot(repository) == before


@pytest.mark.parametrize("held", [{"seed": 1}, {"k": 1}, {"data": "usps"}, {"recipe": "augmented"}, None])
@pytest.mark.parametrize("main", [Spiking_LeNet_MNIST.main, FP32_LeNet_MNIST.main])
def test_logs_of_another_model_are_not_replaced(repository, run_here, main, held):
    k = 0 if main == Spiking_LeNet_MNIST.main else FULL_PRECISION
    weights, logs = repository / "mine.npz", repository / "logs"
    save_model(weights, random_weights(SMALL, seed=0), k, SMALL, data="augmented")
    write_logs(logs, Model(**{"k": k, "network": "4C3", "data": "augmented"} | (held or {})), 2, 2, [[1]])
    if held is None:  # logs as others publish theirs
        (logs / "run.json").unlink()
    before = snapshot(repository)
    mode = ("--mode", "inference") if k == FULL_PRECISION else ()
    options = ("--weights", weights, "--data", repository / "elsewhere/augmented", "--logs", logs, *mode)
    held_in_words = "logs without a run.json" if held is None else "logs of "
    assert_refused(run_here(main, *options), f"{logs}: has {held_in_words}", "expected none, or those of ")
    assert snapshot(repository) == before


def test_logs_of_the_same_model_and_damaged_ones_are_replaced(repository, run_here):
    weights, logs = repository / "mine.npz", repository / "logs"
    save_model(weights, random_weights(SMALL, seed=0), 0, SMALL, data="augmented")
    options = ("--weights", weights, "--data", repository / "elsewhere/augmented", "--logs", logs)
    for damage in (None, "", "{"):
        if damage is not None:
            (logs / "run.json").write_text(damage)
        assert run_here(Spiking_LeNet_MNIST.main, *options).returncode == 0


@pytest.mark.parametrize("option", ["--export", "--golden"])
def test_weights_are_not_replaced_by_what_is_made_of_them(repository, run_here, option):
    weights = repository / "mine.npz"
    save_model(weights, random_weights(SMALL, seed=0), 0, SMALL, data="augmented")
    before = snapshot(repository)
    process = run_here(Spiking_LeNet_MNIST.main, "--weights", weights, option, weights)
    assert_refused(process, "mine.npz: holds the weights of k0-4C3-augmented~", "expected another file or none")
    assert snapshot(repository) == before


def test_logs_of_a_whole_training_are_not_replaced_by_those_of_a_trial(repository, run_here):
    whole, trial, logs = repository / "whole.npz", repository / "trial.npz", repository / "logs"
    for path, epochs in ((whole, 150), (trial, 149)):
        save_model(path, random_weights(SMALL, seed=0), 0, SMALL, data="augmented", epochs=epochs)
    options = ("--data", repository / "elsewhere/augmented", "--logs", logs)
    for weights in (trial, whole):
        assert run_here(Spiking_LeNet_MNIST.main, "--weights", weights, *options).returncode == 0
    before = snapshot(repository)
    process = run_here(Spiking_LeNet_MNIST.main, "--weights", trial, *options)
    assert_refused(process, f"{logs}: has logs of the whole training of k=0, 4C3", "expected those of a trial")
    assert snapshot(repository) == before
