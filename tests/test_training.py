"""Training as a user runs it: what it writes, that it resumes bit for bit, and what it refuses."""

import csv
import json
import re
import shutil
import subprocess
import sys

import numpy as np
import pytest

from experiment import images as files
from experiment.disk import COMPLETE, OutputFolder
from experiment.model import HISTORY_NAME, NPZ_NAME
from experiment.recipes import PAPER
from LeNet import FP32_LeNet_MNIST, Quant_LeNet_MNIST, experiment, paths
from LeNet.tensorlayer.iterate import ShuffledBatches
from spiking.network import FULL_PRECISION, LENET
from spiking.weight_grid import round_to_grid
from tests.helpers import ROOT, assert_refused, random_weights
from tests.script_helpers import history_without_seconds

PREFIX = "model_MNIST_advanced.ckpt"
TENSORFLOW_FILES = ("checkpoint", f"{PREFIX}.data-00000-of-00001", f"{PREFIX}.index", f"{PREFIX}.meta")
SCRIPTS = {"Quant_LeNet_MNIST": Quant_LeNet_MNIST.main, "FP32_LeNet_MNIST": FP32_LeNet_MNIST.main}


def read_history(folder):
    with open(folder / HISTORY_NAME, newline="") as file:
        return list(csv.DictReader(file))


def bytes_of(folder):
    return {path.name: path.read_bytes() for path in folder.iterdir()}


# results


def test_history_has_a_row_for_each_epoch(two_epochs):
    history = read_history(two_epochs)
    assert list(history[0]) == ["epoch", "loss", "accuracy", "val_loss", "val_accuracy", "seconds"]
    assert [row["epoch"] for row in history] == ["1", "2"]
    assert float(history[1]["loss"]) < float(history[0]["loss"])
    for row in history:
        # of 400 images each
        assert float(row["accuracy"]) * 400 == pytest.approx(round(float(row["accuracy"]) * 400), abs=1e-3)
        assert float(row["val_accuracy"]) * 400 == pytest.approx(round(float(row["val_accuracy"]) * 400), abs=1e-3)


def test_weights_are_on_the_grid(two_epochs):
    for key, weight in files.load_npz(two_epochs / NPZ_NAME, LENET, k=0).items():
        if key.endswith("/W"):
            np.testing.assert_array_equal(weight, round_to_grid(weight))


def test_resumed_training_equals_an_uninterrupted_one_bit_for_bit(one_epoch, two_epochs, tmp_path, quantised):
    folder = shutil.copytree(one_epoch, tmp_path / "checkpoint")
    output = quantised("--resume", True, "--checkpoint", folder, "--epochs", 2)
    assert "replacing" not in output
    assert f"2 epochs in {sum(float(row['seconds']) for row in read_history(folder)):.0f} s" in output
    for name in (*TENSORFLOW_FILES, NPZ_NAME):
        assert (folder / name).read_bytes() == (two_epochs / name).read_bytes(), name
    assert history_without_seconds(folder) == history_without_seconds(two_epochs)


def test_training_anew_says_what_it_replaces(one_epoch, tmp_path, run_here):
    folder = shutil.copytree(one_epoch, tmp_path / "checkpoint")
    process = run_here(
        Quant_LeNet_MNIST.main, "--k", 0, "--limit", 400, "--checkpoint", folder, "--epochs", 1, "--seed", 1
    )
    assert process.stdout.startswith(
        f"replacing the training in {folder} (finished epochs: 1) after the first epoch\n"
    )
    assert len(read_history(folder)) == 1
    assert (folder / NPZ_NAME).read_bytes() != (one_epoch / NPZ_NAME).read_bytes()


def test_full_precision_is_trained_and_tested(tmp_path, run_here):
    checkpoint, logs = tmp_path / "checkpoint", tmp_path / "logs"
    options = ("--limit", 300, "--checkpoint", checkpoint, "--logs", logs)
    assert run_here(FP32_LeNet_MNIST.main, *options, "--epochs", 1).returncode == 0
    assert not logs.exists()
    files.load_npz(checkpoint / NPZ_NAME, LENET, FULL_PRECISION)

    output = run_here(FP32_LeNet_MNIST.main, *options, "--mode", "inference").stdout
    accuracy, run = (logs / "accuracy.txt").read_text(), json.loads((logs / "run.json").read_text())
    right = [int(line) for line in accuracy.splitlines()]
    assert len(right) == 2  # of 200 and of 100 images
    assert f"test images right {sum(right)} of 300\n" in output
    assert f"test accuracy     {100 * sum(right) / 300:.2f} %\n" in output
    assert (run["k"], run["images"], run["batch_size"]) == (FULL_PRECISION, 300, 200)
    assert run["ann_accuracy"] == sum(right) / 300
    assert run["weights_sha256"] == files.sha256(checkpoint / NPZ_NAME)


@pytest.mark.parametrize("k", [0, FULL_PRECISION])
def test_inference_without_a_checkpoint_uses_the_published_weights(tmp_path, run_here, monkeypatch, k):
    published, logs = tmp_path / "paper.npz", tmp_path / "logs"
    files.save_npz(random_weights(LENET, seed=0), k, published)
    monkeypatch.setattr(experiment, "checkpoint_folder", lambda k, recipe: tmp_path / "absent")
    monkeypatch.setattr(paths, "published_weights", lambda k, recipe: published.with_stem(recipe))
    if k == FULL_PRECISION:
        process = run_here(FP32_LeNet_MNIST.main, "--mode", "inference", "--limit", 10, "--logs", logs)
    else:
        process = run_here(Quant_LeNet_MNIST.main, "--k", k, "--mode", "inference", "--limit", 10)
    first_line = f"no checkpoint in {tmp_path / 'absent'}: testing the published weights\n"
    assert process.stdout.startswith(first_line + f"weights    {published}\n")


def test_inference_tests_the_weights_that_it_is_given(tmp_path, run_here):
    files.save_npz(random_weights(LENET, seed=0), 0, tmp_path / "mine.npz")
    options = ("--k", 0, "--mode", "inference", "--weights", tmp_path / "mine.npz", "--limit", 10)
    process = run_here(Quant_LeNet_MNIST.main, *options)
    assert process.stdout.startswith(f"weights    {tmp_path / 'mine.npz'}\n")


def test_inference_rounds_weights_to_the_grid_with_a_notice(tmp_path, run_here):
    weights = random_weights(LENET, seed=0)
    weights["fc/W"].flat[0] += np.float32(2**-24)
    files.save_npz(weights, 0, tmp_path / "mine.npz")
    options = ("--k", 0, "--mode", "inference", "--weights", tmp_path / "mine.npz", "--limit", 10)
    assert "rounded to the weight grid, which changed them by" in run_here(Quant_LeNet_MNIST.main, *options).stdout


def test_training_refuses_weights(tmp_path, run_here):
    process = run_here(Quant_LeNet_MNIST.main, "--weights", "mine.npz", "--checkpoint", tmp_path / "new")
    assert_refused(process, "argument --weights: found mine.npz, expected none in training; it is for inference")
    assert list(tmp_path.iterdir()) == []


def test_inference_finishes_the_move_of_a_killed_training(two_epochs, tmp_path, run_here):
    folder = tmp_path / "checkpoint"
    shutil.copytree(two_epochs, folder / COMPLETE)
    options = ("--k", 0, "--mode", "inference", "--checkpoint", folder, "--limit", 10)
    assert run_here(Quant_LeNet_MNIST.main, *options).returncode == 0
    assert bytes_of(folder) == bytes_of(two_epochs)


def test_every_epoch_has_all_images_in_an_order_of_its_own():
    labels = np.arange(50)
    images = np.arange(50).reshape(-1, 1, 1, 1)

    def epochs(first, number):
        batches = ShuffledBatches(images, labels, batch_size=20, recipe=PAPER, seed=3, epoch=first)
        for _ in range(number):
            batches.on_epoch_begin()
            yield [batches[index] for index in range(len(batches))]

    orders = []
    for batches in epochs(0, 3):
        assert [len(x) for x, _ in batches] == [20, 20, 10]
        assert all(np.array_equal(y, x.ravel()) for x, y in batches)
        orders.append(np.concatenate([y for _, y in batches]).tolist())
        assert sorted(orders[-1]) == labels.tolist() != orders[-1]
    assert orders[0] != orders[1] != orders[2]
    [third] = epochs(2, 1)  # as a resumed training begins
    assert np.concatenate([y for _, y in third]).tolist() == orders[2]


# refusals


def test_refused_resumption_changes_nothing(two_epochs, tmp_path, run_here):
    folder = shutil.copytree(two_epochs, tmp_path / "checkpoint")
    options = ("--k", 0, "--resume", True, "--checkpoint", folder, "--limit")
    assert_refused(run_here(Quant_LeNet_MNIST.main, *options, 300), f"{folder}: was trained with images=400")
    assert bytes_of(folder) == bytes_of(two_epochs)


def test_finished_training_is_left_as_it_is(two_epochs, tmp_path, run_here):
    folder = shutil.copytree(two_epochs, tmp_path / "checkpoint")
    options = ("--k", 0, "--resume", True, "--checkpoint", folder, "--limit", 400, "--epochs", 1)
    process = run_here(Quant_LeNet_MNIST.main, *options)
    assert process.stdout.startswith("nothing to train: 2 epochs are finished, --epochs is 1\n")
    assert bytes_of(folder) == bytes_of(two_epochs)


def test_nothing_to_resume(tmp_path, run_here):
    process = run_here(Quant_LeNet_MNIST.main, "--resume", True, "--checkpoint", tmp_path / "absent")
    assert_refused(process, f"{tmp_path / 'absent'}: nothing to resume, expected a checkpoint; start with --resume")
    assert list(tmp_path.iterdir()) == []


def test_second_training_in_a_folder_is_refused(tmp_path, run_here):
    with OutputFolder(tmp_path):
        process = run_here(Quant_LeNet_MNIST.main, "--limit", 10, "--checkpoint", tmp_path)
    assert_refused(process, f"{tmp_path}: another run is writing into this folder")


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        (["--checkpoint", "{}/file"], ["{}/file: is a file, expected a folder"]),
        (["--checkpoint", "{}/file/below"], ["{}/file: is a file, expected a folder"]),
        (["--data", "{}/file"], ["{}/file"]),
        (["--mode", "inference", "--checkpoint", "{}"], ["{}/model_MNIST.npz: not found, expected a npz file"]),
    ],
)
def test_bad_places_are_refused(tmp_path, run_here, options, expected):
    (tmp_path / "file").write_text("content")
    place = ["--limit", "10", "--epochs", "1", "--checkpoint", str(tmp_path / "absent")]
    process = run_here(Quant_LeNet_MNIST.main, *place, *(option.format(tmp_path) for option in options))
    assert_refused(process, *(part.format(tmp_path) for part in expected))
    assert bytes_of(tmp_path) == {"file": b"content"}


@pytest.mark.parametrize("main", SCRIPTS.values(), ids=SCRIPTS)
@pytest.mark.parametrize(
    ("option", "value", "message"),
    [
        ("--resume", "maybe", "found 'maybe', expected True or False"),
        ("--recipe", "best", "invalid choice: 'best'"),
        ("--epochs", "0", "found '0', expected an integer of at least 1"),
        ("--epochs", "1.5", "found '1.5', expected an integer of at least 1"),
        ("--seed", "-1", "found '-1', expected an integer of at least 0 and at most 4294967295"),
        ("--seed", "4294967296", "found '4294967296', expected an integer of at least 0 and at most 4294967295"),
        ("--limit", "0", "found '0', expected an integer of at least 1"),
        ("--mode", "test", "invalid choice: 'test'"),
        ("--speed", "9", "unrecognized arguments: --speed 9"),
    ],
)
def test_bad_options_are_refused(run_here, main, option, value, message):
    assert_refused(run_here(main, option, value), option, message)


@pytest.mark.parametrize("value", ["-1", "17", "one", "0.5", ""])
def test_bad_level_is_refused(run_here, value):
    process = run_here(Quant_LeNet_MNIST.main, "--k", value)
    assert_refused(process, f"argument --k: found {value!r}, expected an integer of at least 0 and at most 16")


@pytest.mark.parametrize("script", SCRIPTS)
@pytest.mark.parametrize(("options", "status"), [(["--help"], 0), (["--epochs", "0"], 2)])
def test_help_and_errors_answer_without_tensorflow(script, options, status):
    command = [sys.executable, "-X", "importtime", ROOT / "LeNet" / f"{script}.py", *options]
    process = subprocess.run(command, capture_output=True, text=True)
    assert process.returncode == status
    imported = {line.split("|")[-1].strip() for line in process.stderr.splitlines()}
    assert "LeNet.experiment" in imported
    assert not imported & {"tensorflow", "keras", "numpy"}


def test_help_gives_defaults(run_here):
    output = " ".join(run_here(Quant_LeNet_MNIST.main, "--help").stdout.split())
    defaults = {"mode": "training", "resume": "False", "epochs": "paper 150, augmented 60", "seed": "0", "k": "1"}
    for option, default in (defaults | {"recipe": "paper"}).items():
        assert re.search(rf" --{option} [^(]*\(default: {default}\)", output), option


def test_network_that_nobody_trained_is_refused(tmp_path, run_here, monkeypatch):
    monkeypatch.setattr(experiment, "checkpoint_folder", lambda k, recipe: tmp_path)
    process = run_here(Quant_LeNet_MNIST.main, "--k", 9, "--mode", "inference")
    assert process.stdout == ""
    assert_refused(process, "LeNet/pretrained/k9.npz: not found, expected published weights; train k9 first")
