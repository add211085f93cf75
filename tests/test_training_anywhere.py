"""A training ends in the same bytes whatever the cores, Keras settings and modules around it."""

import json
import os
import shutil
import subprocess
import sys

import pytest

from experiment.model import NPZ_NAME
from experiment.trained import read_npz
from LeNet.tensorlayer.files import CHECKPOINT_FILES
from tests.conftest import LIMIT
from tests.helpers import ROOT, assert_refused, run_script


@pytest.fixture
def settings_of_libraries(tmp_path):
    """Environment variables and a file in the home, each of which would lead to other weights or none."""
    settings = {"floatx": "float16", "epsilon": 0.1, "image_data_format": "channels_first", "backend": "jax"}
    settings |= {"nnx_enabled": True}  # for which Keras wants another package
    (tmp_path / ".keras").mkdir()
    (tmp_path / ".keras/keras.json").write_text(json.dumps(settings | {"dtype_policy": "mixed_float16"}))
    keras = {"HOME": str(tmp_path), "KERAS_BACKEND": "torch", "KERAS_MAX_STEPS_PER_EPOCH": "1"}
    onednn = {"ONEDNN_MAX_CPU_ISA": "SSE41", "DNNL_MAX_CPU_ISA": "SSE41", "ONEDNN_DEFAULT_FPMATH_MODE": "ANY"}
    xla = {
        "XLA_FLAGS": "--xla_cpu_enable_fast_math=true",
        "TF_XLA_FLAGS": "--tf_xla_auto_jit=2 --tf_xla_cpu_global_jit",
    }
    return keras | onednn | xla | {"TF_DETERMINISTIC_OPS": "1", "TF_ENABLE_ONEDNN_OPTS": "0"}


def test_resumed_training_ends_in_the_same_bytes_on_one_core_and_with_any_settings_of_libraries(
    settings_of_libraries, one_epoch, two_epochs, tmp_path
):
    folder = shutil.copytree(one_epoch, tmp_path / "checkpoint")
    threads = read_npz(one_epoch / NPZ_NAME).identity.threads
    options = ("--k", 0, "--limit", LIMIT, "--checkpoint", folder, "--resume", True, "--epochs", 2)
    process = subprocess.run(
        [sys.executable, "LeNet/Quant_LeNet_MNIST.py", *map(str, options), "--threads", str(threads + 1)],
        cwd=ROOT,
        env=os.environ | settings_of_libraries,
        capture_output=True,
        text=True,
        timeout=300,
        preexec_fn=lambda: os.sched_setaffinity(0, {min(os.sched_getaffinity(0))}),
    )
    assert (process.returncode, process.stderr) == (0, "")
    assert read_npz(folder / NPZ_NAME).identity.threads == threads  # those that it began with
    for name in (*CHECKPOINT_FILES, NPZ_NAME):
        assert (folder / name).read_bytes() == (two_epochs / name).read_bytes(), name


@pytest.mark.parametrize("script", ["LeNet/Quant_LeNet_MNIST.py", "LeNet/FP32_LeNet_MNIST.py", "figs/results.py"])
def test_modules_of_the_same_names_do_not_come_first(tmp_path, monkeypatch, script):
    for name in ("LeNet", "experiment", "spiking", "figs", "spiking_utils"):
        (tmp_path / f"{name}.py").write_text("raise AssertionError('of somebody else')\n")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    assert_refused(run_script(script, "--speed", 9, cwd=tmp_path), "unrecognized arguments: --speed 9")
