"""A training ends in the same bytes wherever it runs: any cores, Keras settings, and modules of the same names."""

import json
import os
import shutil
import subprocess
import sys

import pytest

from experiment.model import NPZ_NAME
from experiment.weights import read_npz
from LeNet.tensorlayer.files import CHECKPOINT_FILES
from tests.conftest import LIMIT
from tests.helpers import ROOT, assert_refused, run_script


def train(folder, *options, cores=None, **environment):
    """Trains with k=0 in a process of its own, which may use these cores only."""
    command = [
        sys.executable,
        "LeNet/Quant_LeNet_MNIST.py",
        "--k",
        0,
        "--limit",
        LIMIT,
        "--checkpoint",
        folder,
        *options,
    ]
    process = subprocess.run(
        list(map(str, command)),
        cwd=ROOT,
        env=os.environ | environment,
        capture_output=True,
        text=True,
        timeout=300,
        preexec_fn=None if cores is None else lambda: os.sched_setaffinity(0, cores),
    )
    assert (process.returncode, process.stderr) == (0, "")


def assert_same_bytes(folder, expected):
    for name in (*CHECKPOINT_FILES, NPZ_NAME):
        assert (folder / name).read_bytes() == (expected / name).read_bytes(), name


def test_resumed_training_keeps_its_number_of_threads_on_any_cores(one_epoch, two_epochs, tmp_path):
    folder = shutil.copytree(one_epoch, tmp_path / "checkpoint")
    threads = read_npz(one_epoch / NPZ_NAME).threads
    options = ("--resume", True, "--epochs", 2, "--threads", threads + 1)
    train(folder, *options, cores={min(os.sched_getaffinity(0))})
    assert read_npz(folder / NPZ_NAME).threads == threads
    assert_same_bytes(folder, two_epochs)


def test_keras_settings_of_a_user_change_nothing(one_epoch, tmp_path):
    settings = {"floatx": "float16", "epsilon": 0.1, "image_data_format": "channels_first", "backend": "jax"}
    (tmp_path / ".keras").mkdir()
    (tmp_path / ".keras/keras.json").write_text(json.dumps(settings | {"dtype_policy": "mixed_float16"}))
    folder = tmp_path / "checkpoint"
    train(folder, "--epochs", 1, HOME=str(tmp_path), KERAS_BACKEND="torch", KERAS_MAX_STEPS_PER_EPOCH="1")
    assert_same_bytes(folder, one_epoch)


@pytest.mark.parametrize("script", ["LeNet/Quant_LeNet_MNIST.py", "LeNet/FP32_LeNet_MNIST.py", "figs/results.py"])
def test_modules_of_the_same_names_do_not_come_first(tmp_path, monkeypatch, script):
    for name in ("LeNet", "experiment", "spiking", "figs", "spiking_utils"):
        (tmp_path / f"{name}.py").write_text("raise AssertionError('of somebody else')\n")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    assert_refused(run_script(script, "--speed", 9, cwd=tmp_path), "unrecognized arguments: --speed 9")
