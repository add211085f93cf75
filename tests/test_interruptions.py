"""Real processes, interrupted at chosen moments: what they print, and that nothing is lost."""

import shutil
import signal
import subprocess
import sys
import time
from contextlib import contextmanager
from pathlib import Path

import pytest

from experiment.disk import COMPLETE, STAGING, SUMS, check_sums, exists
from experiment.model import HISTORY_NAME, NPZ_NAME
from experiment.trained import read_npz
from LeNet import Quant_LeNet_MNIST, Spiking_LeNet_MNIST
from LeNet.tensorlayer.training import STATE_FILES
from tests.helpers import ROOT
from tests.script_helpers import history_without_seconds, snapshot

TRAINING = ("LeNet/Quant_LeNet_MNIST.py", "--k", 0, "--limit", 400, "--epochs", 2)
ENDS = {signal.SIGINT: (130, "interrupted\n"), signal.SIGTERM: (143, "terminated\n"), signal.SIGKILL: (-9, "")}


@contextmanager
def running(*arguments):
    """A Python process in the repository's root, which does not outlive the body."""
    command = [sys.executable, *map(str, arguments)]
    process = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
    try:
        yield process
    finally:
        process.kill()
        process.communicate()


def interrupt(process, signum, moment):
    """Sends the signal once moment() is true; the process must end as this signal ends it."""
    deadline = time.monotonic() + 120
    while not moment():
        assert process.poll() is None, process.stderr.read()
        assert time.monotonic() < deadline
        time.sleep(0.001)
    process.send_signal(signum)
    _, stderr = process.communicate(timeout=120)
    assert (process.returncode, stderr) == ENDS[signum]


def begun(folder):
    return (folder / STAGING).exists()


def writing(folder):
    staging, complete = folder / STAGING, folder / COMPLETE
    return complete.exists() or (staging / NPZ_NAME).exists()


@pytest.fixture
def interrupted(one_epoch, tmp_path):
    """Ends the second epoch of a training with a signal once moment(folder) is true; gives the folder."""

    def interrupted(signum, moment):
        folder = shutil.copytree(one_epoch, tmp_path / "checkpoint")
        with running(*TRAINING, "--resume", True, "--checkpoint", folder) as process:
            interrupt(process, signum, lambda: moment(folder))
        return folder

    return interrupted


def state(folder):
    """A training state without its history, which contains seconds."""
    return {path.name: path.read_bytes() for path in folder.iterdir() if path.name not in (HISTORY_NAME, SUMS)}


@pytest.mark.parametrize("signum", [signal.SIGINT, signal.SIGTERM])
def test_interrupted_training_leaves_a_whole_epoch_and_nothing_else(signum, interrupted, one_epoch, two_epochs):
    """What an interruption does while files are written or moved, tests/test_disk.py checks."""
    folder = interrupted(signum, begun)
    check_sums(folder, STATE_FILES)
    assert state(folder) in (state(one_epoch), state(two_epochs))


def test_killed_training_ends_in_the_same_bytes(interrupted, two_epochs, run_here):
    folder = interrupted(signal.SIGKILL, writing)
    assert exists(folder / SUMS)
    check_sums(folder, STATE_FILES)
    assert read_npz(folder / NPZ_NAME).identity.epochs in (1, 2)

    options = ("--resume", True, "--checkpoint", folder)
    assert run_here(Quant_LeNet_MNIST.main, *TRAINING[1:], *options).returncode == 0
    assert state(folder) == state(two_epochs)
    assert history_without_seconds(folder) == history_without_seconds(two_epochs)


def test_interruption_while_tensorflow_is_imported_leaves_nothing_behind(tmp_path):
    with running(*TRAINING, "--checkpoint", tmp_path / "new" / "checkpoint") as process:
        maps = Path(f"/proc/{process.pid}/maps")
        interrupt(process, signal.SIGTERM, lambda: "tensorflow" in maps.read_text())
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("signum", [signal.SIGINT, signal.SIGTERM])
def test_interrupted_evaluation_leaves_the_older_logs(signum, tmp_path, run_here):
    logs = tmp_path / "logs"
    options = ("--k", 0, "--weights", ROOT / "LeNet/pretrained/k0.npz", "--logs", logs)
    # compiles the kernels where they are new: an interruption waits for the batches that have begun
    assert run_here(Spiking_LeNet_MNIST.main, *options, "--limit", 1).returncode == 0
    (logs / "accuracy.txt").write_text("of an older run\n")
    before = snapshot(tmp_path)
    with running("LeNet/Spiking_LeNet_MNIST.py", *options, "--time_steps", 500) as process:
        interrupt(process, signum, lambda: begun(logs))
    assert snapshot(tmp_path) == before


CLEANING_UP = """
import sys, time
from pathlib import Path
from experiment import command_line

def main():
    unfinished = Path(sys.argv[1])
    try:
        unfinished.touch()
        time.sleep(60)
    finally:
        time.sleep(0.3)
        unfinished.unlink()

command_line.run(main)
"""


def test_interrupted_run_lets_its_command_clean_up(tmp_path):
    unfinished = tmp_path / "unfinished"
    code = f"import run; run.command_line.run(lambda: run.python('-c', {CLEANING_UP!r}, {str(unfinished)!r}))"
    with running("-c", code) as process:
        interrupt(process, signal.SIGTERM, unfinished.exists)
    assert not unfinished.exists()
