"""Settings of all tests, and what several of them share: trainings, and scripts run inside this process."""

import io
import signal
import subprocess
import sys
from contextlib import redirect_stderr, redirect_stdout

import pytest
from hypothesis import settings

from experiment import command_line
from LeNet import Quant_LeNet_MNIST
from tests.helpers import run_script

# ignored where pytest was started in the background, and then by every script that it starts
signal.signal(signal.SIGINT, signal.default_int_handler)

settings.register_profile("repeatable", derandomize=True, deadline=None)
settings.load_profile("repeatable")

LIMIT = 400  # images of the shared trainings: two steps an epoch


@pytest.fixture(scope="session")
def run_here():
    """Runs a script's main in this process, where TensorFlow is imported already; returns as run_script does."""

    def run(main, *options):
        handlers = {signum: signal.getsignal(signum) for signum in (signal.SIGINT, signal.SIGTERM, signal.SIGALRM)}
        status, stdout, stderr = 0, io.StringIO(), io.StringIO()
        with pytest.MonkeyPatch.context() as patch, redirect_stdout(stdout), redirect_stderr(stderr):
            patch.setattr(sys, "argv", ["script", *map(str, options)])
            try:
                command_line.run(main)
            except SystemExit as stop:
                status = stop.code
            finally:
                for signum, handler in handlers.items():
                    signal.signal(signum, handler)
        return subprocess.CompletedProcess(options, status, stdout.getvalue(), stderr.getvalue())

    return run


@pytest.fixture(scope="session")
def quantised():
    """Runs Quant_LeNet_MNIST.py --k 0 on few images, which must succeed; returns what it printed."""

    def run(*options):
        process = run_script("LeNet/Quant_LeNet_MNIST.py", "--k", 0, "--limit", LIMIT, *options)
        assert process.returncode == 0, process.stderr
        assert process.stderr == ""
        return process.stdout

    return run


@pytest.fixture(scope="session")
def one_epoch(tmp_path_factory, run_here):
    """Folder of a finished training of one epoch, k=0. To be copied, not changed."""
    folder = tmp_path_factory.mktemp("one_epoch")
    options = ("--k", 0, "--limit", LIMIT, "--checkpoint", folder, "--epochs", 1)
    assert run_here(Quant_LeNet_MNIST.main, *options).returncode == 0
    return folder


@pytest.fixture(scope="session")
def two_epochs(tmp_path_factory, run_here):
    """Folder of the same training with two epochs, never interrupted. To be copied, not changed."""
    folder = tmp_path_factory.mktemp("two_epochs")
    options = ("--k", 0, "--limit", LIMIT, "--checkpoint", folder, "--epochs", 2)
    assert run_here(Quant_LeNet_MNIST.main, *options).returncode == 0
    return folder
