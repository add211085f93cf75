"""What all scripts share: option types, and that any end of theirs is one line and an exit status."""

import errno
import os
import signal
import subprocess
import sys
import time

import pytest

from experiment import InputError, command_line
from tests.helpers import ROOT, assert_refused


def test_limits_of_integers_are_valid():
    level = command_line.integer_from(0, 16)
    assert (level("0"), level("16"), command_line.integer_from(1)("1000000")) == (0, 16, 1_000_000)


@pytest.mark.parametrize(("text", "value"), [("True", True), ("true", True), ("False", False), ("FALSE", False)])
def test_booleans(text, value):
    assert command_line.boolean(text) is value


@pytest.mark.parametrize(
    ("error", "status", "line"),
    [
        (InputError("a.npz: is bad"), 2, "error: a.npz: is bad"),
        (OSError(errno.ENOSPC, "No space left on device", "a.npz"), 2, "error: a.npz: No space left on device"),
        (OSError(errno.ENOSPC, "No space left on device"), 2, "error: No space left on device"),
        (OSError("without a number"), 2, "error: without a number"),
        (InputError("a.npz: is\nbad"), 2, "error: a.npz: is bad"),
        (MemoryError(), 2, "error: out of memory"),
        (MemoryError("Unable to allocate 1 TiB"), 2, "error: out of memory: Unable to allocate 1 TiB"),
        (KeyboardInterrupt(), 128 + signal.SIGINT, "interrupted"),
        (command_line.Terminated(), 128 + signal.SIGTERM, "terminated"),
    ],
)
def test_scripts_end_with_one_line(run_here, error, status, line):
    def main():
        raise error

    process = run_here(main)
    assert (process.returncode, process.stderr) == (status, f"{line}\n")


def test_termination_cleans_up_first(run_here):
    events = []

    def main():
        try:
            os.kill(os.getpid(), signal.SIGTERM)
        finally:
            events.append("cleaned up")

    assert run_here(main).returncode == 128 + signal.SIGTERM
    assert events == ["cleaned up"]


def test_second_ctrl_c_does_not_interrupt_the_cleaning_up(run_here):
    events = []

    def main():
        try:
            os.kill(os.getpid(), signal.SIGINT)
        finally:
            os.kill(os.getpid(), signal.SIGINT)
            os.kill(os.getpid(), signal.SIGTERM)
            events.append("cleaned up")

    process = run_here(main)
    assert (process.returncode, process.stderr) == (128 + signal.SIGINT, "interrupted\n")
    assert events == ["cleaned up"]


def test_interruption_that_gets_lost_is_repeated(run_here, monkeypatch):
    monkeypatch.setattr(command_line, "INSIST_AFTER", 1)
    lost = []

    def main():
        try:
            os.kill(os.getpid(), signal.SIGTERM)
        except command_line.Terminated:  # as in TensorFlow's C++ code
            lost.append(1)
        time.sleep(60)

    process = run_here(main)
    assert (process.returncode, process.stderr) == (128 + signal.SIGTERM, "terminated\n")
    assert lost


def test_signal_that_is_ignored_stays_ignored(run_here):
    """As the shell sets it for a script in the background."""
    handler = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        process = run_here(lambda: os.kill(os.getpid(), signal.SIGINT))
    finally:
        signal.signal(signal.SIGINT, handler)
    assert (process.returncode, process.stderr) == (0, "")


@pytest.mark.parametrize("length", [10, 100_000])  # written at the end, and before
def test_full_disk_behind_the_output_is_one_line(length, monkeypatch):
    monkeypatch.delenv("PYTHONUNBUFFERED", raising=False)
    code = f"from experiment import command_line; command_line.run(lambda: print('x' * {length}))"
    command = [sys.executable, "-c", code]
    with open("/dev/full", "w") as full:
        process = subprocess.run(command, cwd=ROOT, stdout=full, stderr=subprocess.PIPE, text=True)
    assert_refused(process, "error: No space left on device")


def test_a_bug_keeps_its_traceback(run_here):
    def main():
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        run_here(main)
