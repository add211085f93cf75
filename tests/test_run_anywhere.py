"""Scripts in users' surroundings: pipes, closed streams, other programs, threads, containers."""

import fcntl
import os
import pty
import runpy
import signal
import struct
import subprocess
import sys
import termios
from contextlib import suppress

import pytest

from experiment import command_line
from tests.helpers import ROOT

SCRIPT = """
import atexit, os, resource, signal, sys, threading
sys.path.insert(0, {root!r})
from experiment import InputError, command_line

def main():
    {body}

if __name__ == "__main__":
    command_line.run(main)
"""


@pytest.fixture
def script(tmp_path):
    """Writes a script whose main has the body; returns its path."""

    def write(body):
        path = tmp_path / "script.py"
        path.write_text(SCRIPT.format(root=str(ROOT), body=body.replace("\n", "\n    ")))
        return path

    return write


@pytest.fixture
def run_in_shell(script, tmp_path):
    """Runs a script with the body in a shell command, of which `$script` is a part."""

    def run(body, command="$script", stdout=subprocess.PIPE, **environment):
        command = command.replace("$script", f"'{sys.executable}' '{script(body)}'")
        environment = {"PYTHONUNBUFFERED": "", **environment}
        return subprocess.run(
            ["bash", "-c", command],
            cwd=tmp_path,
            env=os.environ | environment,
            stdout=stdout,
            stderr=subprocess.PIPE,
            timeout=60,
        )

    return run


WORK = """
with open("result.txt", "w") as file:
    print("shown")
    print("said", file=sys.stderr)
    for stream in (1, 2):
        try:
            os.write(stream, b"printed by a library")
        except OSError:
            pass
    file.write("figures")
"""


@pytest.mark.parametrize("closed", [">&-", "2>&-", ">&- 2>&-", "<&- >&- 2>&-"])
def test_work_is_done_where_streams_are_closed(run_in_shell, closed, tmp_path):
    process = run_in_shell(WORK, f"$script {closed}")
    assert process.returncode == 0
    assert (tmp_path / "result.txt").read_text() == "figures"


@pytest.mark.parametrize("closed", ["2>&-", "2>/dev/full"])
def test_error_line_that_cannot_be_written_goes_nowhere_else(run_in_shell, closed):
    process = run_in_shell('raise InputError("a.npz: is bad")', f"$script {closed}")
    assert (process.returncode, process.stdout, process.stderr) == (2, b"", b"")


OUTPUTS = {
    "written at the end": "print('x' * 10)",
    "written before": "print('x' * 100_000)",
    "--help": "command_line.ArgumentParser('x').parse_args(['--help'])",
    "with another error": "print('x' * 10); raise InputError('a.npz: is bad')",
}


@pytest.mark.parametrize("output", OUTPUTS)
def test_reader_that_goes_away_ends_a_script_quietly(run_in_shell, output):
    reader, writer = os.pipe()
    os.close(reader)
    process = run_in_shell(OUTPUTS[output], stdout=writer)
    os.close(writer)
    expected = (2, b"error: a.npz: is bad\n") if "error" in output else (128 + signal.SIGPIPE, b"")
    assert (process.returncode, process.stderr) == expected


@pytest.mark.parametrize("output", OUTPUTS)
def test_full_disk_that_takes_no_output_is_one_line(run_in_shell, output):
    process = run_in_shell(OUTPUTS[output], "$script > /dev/full")
    expected = b"a.npz: is bad" if "error" in output else b"No space left on device"
    assert (process.returncode, process.stderr) == (2, b"error: " + expected + b"\n")


@pytest.mark.parametrize("encoding", ["gbk", "ascii", "latin-1:strict"])
def test_encoding_of_the_output_costs_no_figure(run_in_shell, encoding):
    process = run_in_shell("print('12 \\u00b5s, \\u2212 3, \\udcff')", PYTHONIOENCODING=encoding)
    expected = "12 \u00b5s, \u2212 3, \udcff\n".encode(encoding.partition(":")[0], "backslashreplace")
    assert (process.returncode, process.stderr, process.stdout) == (0, b"", expected)


def test_second_ctrl_c_while_python_ends_is_no_traceback(run_in_shell):
    interrupt = "os.kill(os.getpid(), signal.SIGINT)"
    process = run_in_shell(f"atexit.register(lambda: {interrupt}); {interrupt}")
    assert (process.returncode, process.stderr) == (128 + signal.SIGINT, b"interrupted\n")


NO_ROOM_FOR_A_THREAD = """
resource.setrlimit(resource.RLIMIT_AS, (1 << 30, 1 << 30))
threading.stack_size(1 << 30)
threading.Thread(target=print).start()
"""


def test_thread_that_cannot_be_started_is_one_line(run_in_shell):
    process = run_in_shell(NO_ROOM_FOR_A_THREAD)
    assert process.returncode == 2
    assert process.stderr == b"error: cannot start another thread, expected room for one more (see ulimit -u)\n"


def test_command_of_a_benchmark_that_fails_is_one_line(run_in_shell):
    process = run_in_shell("import subprocess; subprocess.run(['false'], check=True)")
    line = b"error: Command '['false']' returned non-zero exit status 1.\n"
    assert (process.returncode, process.stderr) == (2, line)


ENDS = {
    "end": "pass",
    "bad input": "raise InputError('a.npz: is bad')",
    "exit": "sys.exit(1)",
    "Ctrl-C": "os.kill(os.getpid(), signal.SIGINT)",
    "SIGTERM": "os.kill(os.getpid(), signal.SIGTERM)",
    "bug": "0 / 0",
}


def found():
    """The state of a program that a script run inside it might change."""
    handlers = [signal.getsignal(signum) for signum in (signal.SIGINT, signal.SIGTERM, signal.SIGALRM)]
    return handlers, sys.stdout, sys.stdout.errors, sys.stderr


@pytest.mark.parametrize("body", ENDS.values(), ids=ENDS)
def test_program_around_a_script_finds_everything_as_it_was(script, body):
    """IPython's %run runs scripts in this way."""
    path, before = script(body), found()
    with suppress(SystemExit, ZeroDivisionError):
        runpy.run_path(str(path), run_name="__main__")
    assert found() == before
    assert signal.alarm(0) == 0


def test_alarm_of_the_program_around_a_script_stays_set():
    signal.alarm(1000)
    try:
        command_line.run(lambda: None)
    finally:
        left = signal.alarm(0)
    assert left > 900


@pytest.mark.parametrize(
    ("end", "line"),
    [("pass", b""), ("raise InputError('a.npz: is bad')", b"error: a.npz: is bad\n"), ("sys.exit(1)", b"")],
)
def test_script_runs_in_any_thread(run_in_shell, end, line):
    work = f"""
def work():
    print("at work")
    {end}

thread = threading.Thread(target=command_line.run, args=[work])
thread.start()
thread.join()
"""
    process = run_in_shell(work)
    assert (process.returncode, process.stdout, process.stderr) == (0, b"at work\n", line)


def test_bar_is_shown_in_a_terminal_and_disappears_at_the_end(script):
    ours, theirs = pty.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("4H", 24, 80, 0, 0))  # rows and columns
    body = "for _ in command_line.progress([1, 2], total=2, unit='batch'): pass"
    with subprocess.Popen([sys.executable, script(body)], stdout=subprocess.PIPE, stderr=theirs) as process:
        os.close(theirs)
        shown = b""
        try:
            while part := os.read(ours, 1000):
                shown += part
        except OSError:  # the terminal's other side is closed
            os.close(ours)
    assert process.returncode == 0
    assert b"0/2" in shown
    assert b"batch" in shown
    assert shown.rpartition(b"\r")[0].rpartition(b"\r")[2].strip() == b""


def test_no_bar_without_a_terminal(run_in_shell):
    process = run_in_shell("for _ in command_line.progress([1, 2], total=2, unit='batch'): pass")
    assert (process.returncode, process.stdout, process.stderr) == (0, b"", b"")


def test_cores_that_belong_to_others_are_not_counted(run_in_shell):
    one = min(os.sched_getaffinity(0))
    process = run_in_shell("print(command_line.usable_cores())", f"taskset --cpu-list {one} $script")
    assert process.stdout == b"1\n"


@pytest.mark.parametrize(
    ("group", "limits", "cores"),
    [
        ("/", {}, 64),
        ("/", {"": "200000 100000"}, 2),
        ("/", {"": "max 100000"}, 64),
        ("/", {"": "50000 100000"}, 1),
        ("/", {"": "150000 100000"}, 2),
        ("/", {"": "9900000 100000"}, 64),
        ("/user.slice/job.scope", {"user.slice": "300000 100000", "user.slice/job.scope": "400000 100000"}, 3),
    ],
)
def test_limit_of_a_container_is_respected(group, limits, cores, tmp_path, monkeypatch):
    (tmp_path / "proc/self").mkdir(parents=True)
    (tmp_path / "proc/self/cgroup").write_text(f"0::{group}\n")
    for name, limit in limits.items():
        folder = tmp_path / "sys/fs/cgroup" / name
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "cpu.max").write_text(f"{limit}\n")
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: set(range(64)))
    assert command_line.usable_cores(tmp_path) == cores
