"""Settings of all tests, and what several of them share: trainings, and scripts run inside this process."""

import os
import signal
import subprocess
import sys

import pytest
from hypothesis import settings

from LeNet import command_line
from tests.helpers import run_script

os.environ["KERAS_BACKEND"] = "tensorflow"
os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"
os.environ["TF_ENABLE_ONEDNN_OPTS"] = "1"  # as the scripts, whose results are compared

# ignored where pytest was started in the background, and then by every script that it starts
signal.signal(signal.SIGINT, signal.default_int_handler)

settings.register_profile("repeatable", derandomize=True, deadline=None)
settings.load_profile("repeatable")

LIMIT = 400  # images of the shared trainings: two steps an epoch


def run_quantised(*options):
    """Quant_LeNet_MNIST.py --k 0 on few images, which must succeed; returns what it printed."""
    process = run_script("LeNet/Quant_LeNet_MNIST.py", "--k", 0, "--limit", LIMIT, *options)
    assert process.returncode == 0, process.stderr
    assert process.stderr == ""
    return process.stdout


@pytest.fixture(scope="session")
def quantised():
    return run_quantised


@pytest.fixture(scope="session")
def one_epoch(tmp_path_factory):
    """Folder of a finished training of one epoch, k=0. To be copied, not changed."""
    folder = tmp_path_factory.mktemp("one_epoch")
    run_quantised("--checkpoint", folder, "--epochs", 1)
    return folder


@pytest.fixture(scope="session")
def two_epochs(tmp_path_factory):
    """Folder of the same training with two epochs, never interrupted. To be copied, not changed."""
    folder = tmp_path_factory.mktemp("two_epochs")
    run_quantised("--checkpoint", folder, "--epochs", 2)
    return folder


@pytest.fixture
def run_here(monkeypatch, capsys):
    """Runs a script's main in this process, where TensorFlow is imported already; returns as run_script does."""

    def run(main, *options):
        monkeypatch.setattr(sys, "argv", ["script", *map(str, options)])
        capsys.readouterr()
        status = 0
        handlers = {signum: signal.getsignal(signum) for signum in (signal.SIGINT, signal.SIGTERM, signal.SIGALRM)}
        try:
            command_line.run(main)
        except SystemExit as stop:
            status = stop.code
        finally:
            for signum, handler in handlers.items():
                signal.signal(signum, handler)
        return subprocess.CompletedProcess(sys.argv, status, *capsys.readouterr())

    return run
