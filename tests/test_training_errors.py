"""What the training scripts refuse in one line, before they write anything and if possible before TensorFlow."""

import re
import subprocess
import sys

import pytest

from experiment.disk import output_folder
from experiment.model import NPZ_NAME, Model
from experiment.trained import read_npz
from LeNet import FP32_LeNet_MNIST, Quant_LeNet_MNIST
from tests.conftest import LIMIT
from tests.helpers import ROOT, assert_refused, run_script, save_model
from tests.networks import LENET, random_weights
from tests.script_helpers import forbid_imports, snapshot, with_usual

SCRIPTS = {"Quant_LeNet_MNIST": Quant_LeNet_MNIST.main, "FP32_LeNet_MNIST": FP32_LeNet_MNIST.main}


def test_refused_resumption_changes_nothing(two_epochs, run_here):
    before = snapshot(two_epochs)
    options = ("--k", 0, "--limit", LIMIT - 1, "--resume", True, "--checkpoint", two_epochs)
    message = f"{two_epochs}: was trained with images={LIMIT}, expected {LIMIT - 1}"
    assert_refused(run_here(Quant_LeNet_MNIST.main, *options), message)
    assert snapshot(two_epochs) == before


def test_learning_rate_that_decays_is_resumed_with_the_same_number_of_epochs(tmp_path, run_here):
    options = ("--recipe", "augmented", "--network", "2C3", "--limit", 10, "--checkpoint", tmp_path)
    assert run_here(Quant_LeNet_MNIST.main, *options, "--epochs", 2).returncode == 0
    process = run_here(Quant_LeNet_MNIST.main, *options, "--epochs", 3, "--resume", True)
    assert_refused(process, f"{tmp_path}: was trained with decay_epochs=2, expected 3 by --recipe and --epochs")


def test_second_training_in_a_folder_is_refused(tmp_path, run_here):
    with output_folder(tmp_path):
        process = run_here(Quant_LeNet_MNIST.main, "--limit", 10, "--checkpoint", tmp_path)
    assert_refused(process, f"{tmp_path}: another run is writing into this folder")


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        (["--checkpoint", "{}/file"], ["{}/file: is a file, expected a folder"]),
        (["--checkpoint", "{}/file/below"], ["{}/file: is a file, expected a folder"]),
        (["--data", "{}/file"], ["{}/file"]),
        (["--mode", "inference", "--checkpoint", "{}"], ["{}/model_MNIST.npz: not found, expected an npz file"]),
    ],
)
def test_bad_places_are_refused(tmp_path, run_here, options, expected):
    (tmp_path / "file").write_text("content")
    usual = {"--limit": 10, "--epochs": 1, "--checkpoint": tmp_path / "absent"}
    options = with_usual(usual, [option.format(tmp_path) for option in options])
    process = run_here(Quant_LeNet_MNIST.main, *options)
    assert_refused(process, *(part.format(tmp_path) for part in expected))
    assert [path.name for path in tmp_path.iterdir()] == ["file"]


@pytest.mark.parametrize("main", SCRIPTS.values(), ids=SCRIPTS)
@pytest.mark.parametrize(
    ("option", "value", "message"),
    [
        ("--resume", "maybe", "found 'maybe', expected True or False"),
        ("--recipe", "best", "invalid choice: 'best'"),
        ("--epochs", "0", "found '0', expected an integer of at least 1"),
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


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (("--network", "20C5-P2-50C5-P9"), "--network: layer 4 (P9): kernel 9 does not fit into an axis of length 8"),
        (("--data", "{}"), ": found no file, expected one named *train*-labels-idx1-ubyte, .gz or not"),
        (("--weights", "mine.npz"), "argument --weights: found mine.npz, expected none in training"),
        (("--resume", "True"), "/new: nothing to resume, expected a checkpoint; start with --resume False"),
    ],
)
def test_errors_answer_without_tensorflow(tmp_path, monkeypatch, options, message):
    forbid_imports(monkeypatch, tmp_path / "modules", "tensorflow", "keras")
    options = [option.format(tmp_path) for option in options]
    process = run_script("LeNet/Quant_LeNet_MNIST.py", "--checkpoint", tmp_path / "new", *options)
    assert_refused(process, message)
    assert [path.name for path in tmp_path.iterdir()] == ["modules"]


def test_threads_that_come_too_late_are_refused(tmp_path, run_here):
    """TensorFlow keeps the number that it began with, as in a notebook that runs several scripts."""
    options = ("--network", "2C3", "--limit", 10, "--epochs", 1, "--checkpoint", tmp_path)
    assert run_here(Quant_LeNet_MNIST.main, *options).returncode == 0
    found = read_npz(tmp_path / NPZ_NAME).identity.threads
    process = run_here(Quant_LeNet_MNIST.main, *options, "--threads", found + 1)
    message = f"TensorFlow already runs with {found} in this process, expected {found + 1}; start a new process"
    assert_refused(process, f"error: argument --threads: {message}")


@pytest.mark.parametrize(
    ("main", "k", "options", "message"),
    [
        (Quant_LeNet_MNIST.main, 0, ("--k", 1), "has k=0, expected k=1"),
        (FP32_LeNet_MNIST.main, 0, (), "has k=0, expected full precision"),
    ],
)
@pytest.mark.parametrize("place", ["--weights", "--checkpoint"])
def test_inference_refuses_another_model(tmp_path, run_here, main, k, options, message, place):
    path = tmp_path / NPZ_NAME
    save_model(path, random_weights(LENET, seed=0), k)
    process = run_here(main, "--mode", "inference", place, path if place == "--weights" else tmp_path, *options)
    assert_refused(process, f"error: {path}: {message}")
    assert process.stdout == ""


def test_inference_takes_one_place_only(tmp_path, run_here):
    options = ("--weights", Model(0).published, "--checkpoint", tmp_path)
    process = run_here(Quant_LeNet_MNIST.main, "--mode", "inference", *options)
    assert_refused(process, f"error: argument --checkpoint: found {tmp_path}, expected none with --weights")
    assert process.stdout == ""


def test_help_gives_defaults(run_here):
    output = " ".join(run_here(Quant_LeNet_MNIST.main, "--help").stdout.split())
    defaults = {"mode": "training", "resume": "False", "recipe": "paper", "seed": "0", "k": "1"}
    for option, default in (defaults | {"epochs": "paper 150, augmented 100, flipped 70"}).items():
        assert re.search(rf" --{option} [^(]*\(default: {default}\)", output), option


def test_model_that_nobody_trained_is_refused(run_here):
    process = run_here(Quant_LeNet_MNIST.main, "--k", 9, "--mode", "inference")
    assert process.stdout == ""
    assert_refused(process, "LeNet/pretrained/k9.npz: not found, expected published weights of k9")


def test_too_little_address_space_is_one_line(tmp_path):
    """With less than it needs, TensorFlow would print many lines or abort."""
    options = ["--limit", "10", "--checkpoint", str(tmp_path / "checkpoint")]
    limited = ["bash", "-c", 'ulimit -v 3000000; exec "$@"', "bash"]
    command = [*limited, sys.executable, "LeNet/Quant_LeNet_MNIST.py", *options]
    process = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=120)
    assert_refused(process, "out of memory: expected 3584 MiB of address space for TensorFlow (see ulimit -v)")
    assert list(tmp_path.iterdir()) == []
