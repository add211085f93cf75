"""What all scripts share: option types, and that however they end, it is with one line and an exit status."""

import argparse
import errno
import os
import signal
import time
from pathlib import Path

import pytest

from experiment import InputError, command_line


def test_limits_of_integers_are_valid():
    level = command_line.Number(int, 0, 16)
    assert (level("0"), level("16"), command_line.Number(int, 1)("1000000")) == (0, 16, 1_000_000)


@pytest.mark.parametrize("kind", [command_line.POSITIVE, command_line.THREADS, command_line.LEVEL, command_line.SEED])
@pytest.mark.parametrize("text", ["-1", "4294967296", "2147483647", "9" * 20, "9" * 5000, "1e3", ""])
def test_integers_have_an_upper_limit(kind, text):
    if (kind, text) != (command_line.SEED, "2147483647"):
        with pytest.raises(argparse.ArgumentTypeError, match=f"^found '{text}', expected an integer"):
            kind(text)


@pytest.mark.parametrize("text", ["0", "1000001", "9" * 20, ""])
def test_spikes_have_an_upper_limit(text):
    assert (command_line.SPIKES("1000000"), command_line.SPIKES("unbounded")) == (1_000_000, None)
    with pytest.raises(argparse.ArgumentTypeError, match=r"of at least 1 and at most 1000000, or unbounded$"):
        command_line.SPIKES(text)


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
        (InputError("run\x00\udcff"), 2, r"error: run\x00\udcff"),
        (OSError(errno.EACCES, "Permission denied", "a\n\u2028b"), 2, r"error: a\n\u2028b: Permission denied"),
        (OSError(errno.EACCES, "Permission denied", 7), 2, "error: 7: Permission denied"),
        (OverflowError("potentials could reach 2^33"), 2, "error: potentials could reach 2^33"),
        (ImportError("No module named 'keras'"), 2, "error: No module named 'keras'"),
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
    """The shell ignores SIGINT for scripts in the background."""
    handler = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        process = run_here(lambda: os.kill(os.getpid(), signal.SIGINT))
    finally:
        signal.signal(signal.SIGINT, handler)
    assert (process.returncode, process.stderr) == (0, "")


def test_too_little_memory_for_tensorflow_is_one_line(run_here):
    class ResourceExhaustedError(Exception):
        """Has the name of TensorFlow's error, which is not imported here."""

    def main():
        raise ResourceExhaustedError("OOM when allocating tensor\nand 50 lines more")

    expected = "error: out of memory, expected room for the network and its images\n"
    process = run_here(main)
    assert (process.returncode, process.stderr) == (2, expected)


@pytest.mark.parametrize("bug", [ZeroDivisionError(), ValueError("of a library"), RuntimeError("of a library")])
def test_a_bug_keeps_its_traceback(run_here, bug):
    def main():
        raise bug

    with pytest.raises(type(bug)):
        run_here(main)


def parser():
    parser = command_line.ArgumentParser("A script.")
    command_line.add_limit(parser)
    command_line.add_threads(parser)
    parser.add_argument("--trial", action="store_true", help="trial")
    parser.add_argument("--seeds", type=command_line.SEED, nargs="+", help="seeds")
    parser.add_argument("--output", type=command_line.path, help="folder")
    parser.add_argument("--k", type=command_line.LEVEL, help="level")
    return parser


def test_options_are_stored(run_here):
    options = ["--trial", "--seeds", "1", "2", "--output", "a//b/", "--k", "3"]
    same = parser()
    for _ in range(2):
        args = same.parse_args(options)
        assert (args.trial, args.seeds, args.output, args.k) == (True, [1, 2], Path("a/b"), 3)
    assert not parser().parse_args([]).trial


def test_defaults_stand_in_the_help(run_here):
    process = run_here(lambda: parser().parse_args(), "--help")
    assert process.returncode == 0
    text = " ".join(process.stdout.split())
    for default in ("(default: all)", "(default: the number of cores that it may use)"):
        assert default in text
    assert text.endswith("--k K level")  # which has none


@pytest.mark.parametrize(
    ("options", "line"),
    [
        (["--k", "17"], "argument --k: found '17', expected an integer of at least 0 and at most 16"),
        (["--limit", "0"], "argument --limit: found '0', expected an integer of at least 1 and at most 1000000"),
        (["--threads", "1.5"], "argument --threads: found '1.5', expected an integer of at least 1 and at most 1024"),
        (["--k", "1", "--k", "1"], "argument --k: found twice, expected once"),
        (["--lim", "1", "--limit=2"], "argument --limit: found twice, expected once"),
        (["--trial", "--trial"], "argument --trial: found twice, expected once"),
        (["--seeds", "1", "2", "1"], "argument --seeds: found 1 twice, expected each once"),
        (["--output", ""], "argument --output: found '', expected a text that is not empty"),
        (["run [1]\n\udcff"], r"unrecognized arguments: run [1]\n\udcff"),
    ],
)
def test_bad_options_are_one_line(run_here, options, line):
    process = run_here(lambda: parser().parse_args(), *options)
    assert (process.returncode, process.stdout, process.stderr) == (2, "", f"error: {line}\n")


@pytest.mark.parametrize("text", ["nan", "inf", "-0.1", "100.1", "", "half"])
def test_numbers_outside_are_refused(text):
    expected = f"^found '{text}', expected a number of at least 0 and at most 100$"
    with pytest.raises(argparse.ArgumentTypeError, match=expected):
        command_line.Number(float, 0, 100)(text)


def test_limits_of_numbers_are_valid():
    number = command_line.Number(float, 0, 100)
    assert [number("0"), number("100"), number("1e-5")] == [0, 100, 1e-5]
