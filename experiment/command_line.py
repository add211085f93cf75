"""What all command lines share: options, progress bars, one-line errors, interruptions and exit statuses."""

import argparse
import atexit
import io
import math
import os
import re
import signal
import subprocess
import sys
import threading
from contextlib import ExitStack, contextmanager, redirect_stderr, redirect_stdout, suppress
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

from experiment import InputError, printable
from spiking.network import MAX_LEVEL

BAD_INPUT = 2  # exit status
MAX_SEED = 2**32 - 1
MAX_OPTION = 1_000_000  # of images, epochs, spikes: far above what makes sense, far below what overflows
MAX_THREADS = 1024  # a million would take 21 GB, and a number that overflows an int crashes TensorFlow
INSIST_AFTER = 5  # seconds between attempts to interrupt the program


class _Once(argparse.Action):
    """Stores an option's value and refuses a second one; argparse would silently keep the last."""

    namespace = None  # the one it has stored a value in

    def __call__(self, parser, namespace, values, option_string=None):
        if self.namespace is namespace:
            raise argparse.ArgumentError(self, "found twice, expected once")
        self.namespace = namespace
        if self.nargs == "+":
            for value in values:
                if values.count(value) > 1:
                    raise argparse.ArgumentError(self, f"found {value} twice, expected each once")
        setattr(namespace, self.dest, values if self.nargs != 0 else True)


class ArgumentParser(argparse.ArgumentParser):
    """argparse with one-line errors, defaults in the help, and no option accepted twice."""

    def __init__(self, docstring):
        super().__init__(description=docstring, formatter_class=argparse.RawDescriptionHelpFormatter)
        self.register("action", None, _Once)
        self.register("action", "store_true", partial(_Once, nargs=0))

    def add_argument(self, *names, help, default=None, default_text=None, **settings):
        """Adds an argument as argparse does; its help ends in the default, or in `default_text` if that is given."""
        if default_text is not None or default not in (None, argparse.SUPPRESS):
            help = f"{help} (default: {default_text or default})"
        return super().add_argument(*names, help=help, default=default, **settings)

    def error(self, message):
        _stop(BAD_INPUT, f"error: {printable(message)}")


def boolean(text):
    """Option type: True or False."""
    if text.lower() not in ("true", "false"):
        raise argparse.ArgumentTypeError(f"found {text!r}, expected True or False")
    return text.lower() == "true"


def text(found):
    """Option type: a text that is not empty, as an unset variable of the shell would be."""
    if not found:
        raise argparse.ArgumentTypeError("found '', expected a text that is not empty")
    return found


def path(found):
    """Option type: a Path; an empty text is refused, as it would mean the current folder."""
    return Path(text(found))


@dataclass(frozen=True)
class Number:
    """Option type: an int or a float in a range, or what a word stands for; others raise ArgumentTypeError."""

    kind: type
    minimum: float
    maximum: float = MAX_OPTION
    words: dict = field(default_factory=dict, hash=False)  # what each stands for; argparse hashes option types

    def __call__(self, found):
        if found in self.words:
            return self.words[found]
        try:
            value = self.kind(found)
        except ValueError:
            value = math.nan
        if not self.minimum <= value <= self.maximum:
            expected = f"{'an integer' if self.kind is int else 'a number'} of at least {self.minimum}"
            expected = ", or ".join([f"{expected} and at most {self.maximum}", *self.words])
            raise argparse.ArgumentTypeError(f"found {found!r}, expected {expected}")
        return value


POSITIVE = Number(int, 1)
SPIKES = Number(int, 1, words={"unbounded": None})
THREADS = Number(int, 1, MAX_THREADS)
LEVEL = Number(int, 0, MAX_LEVEL)
SEED = Number(int, 0, MAX_SEED)


def add_limit(parser, of="test images"):
    parser.add_argument("--limit", type=POSITIVE, default_text="all", help=f"use only the first N {of}, for trials")


def add_threads(parser, meaning="how many batches are simulated at a time"):
    cores = "the number of cores that it may use"
    parser.add_argument("--threads", type=THREADS, default=usable_cores(), default_text=cores, help=meaning)


def add_noise_seed(parser):
    parser.add_argument("--noise_seed", type=SEED, default=0, help="seed of the noise")


def usable_cores(root=Path("/")):
    """How many cores this process may use: those of its affinity, within the limits of its container.

    `root` is the folder that holds proc and sys. A limit of 1.5 cores counts as 2.
    """
    affinity = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()  # else macOS
    limits, group = [affinity, MAX_THREADS], None
    with suppress(OSError):  # elsewhere than on Linux
        # of its control groups, version 2, the one that this process is in
        group = re.search(r"^0::/(.*)$", (root / "proc/self/cgroup").read_text(), re.MULTILINE)
    innermost = root / "sys/fs/cgroup" / (group[1] if group else "")
    for folder in (innermost, *innermost.parents):  # inside a container, only the outer groups may be visible
        with suppress(OSError):
            limit = re.fullmatch(r"(\d+) ([1-9]\d*)\n?", (folder / "cpu.max").read_text())
            if limit:  # "max 100000" means that there is none
                limits.append(math.ceil(int(limit[1]) / int(limit[2])))
    return min(limits)


def watched(stream):
    """Whether somebody watches a stream, that is, whether it is a terminal."""
    return stream is not None and not stream.closed and stream.isatty()


def progress(iterable, total, unit):
    """Iterates over `total` items with a progress bar on stderr, which disappears at the end.

    There is no bar if stderr is not a terminal.
    """
    from tqdm import tqdm  # slower to import than all else here, and not every script has a bar

    return tqdm(iterable, total=total, unit=unit, disable=None, leave=False)


def run(main):
    """Runs a script, in any thread, and leaves signals and streams as it found them.

    Bad input, a full disk and too little memory end it with one line on stderr and exit status 2, Ctrl-C with 130 and
    SIGTERM with 143. If the reader of its output goes away, as head does, it ends silently with 141 like other tools.
    What is printed to a closed stdout or stderr is lost.
    """
    with _usable_streams(), _interruptible():
        try:
            try:
                main()
            except SystemExit:  # after --help, say
                sys.stdout.flush()
                raise
            sys.stdout.flush()  # a full disk may not be noticed before
        except BrokenPipeError:
            _stop(128 + signal.SIGPIPE)
        except (InputError, OverflowError, ImportError) as error:  # a package is missing, or has no memory
            _stop(BAD_INPUT, f"error: {error}")
        except OSError as error:
            place = f"{printable(error.filename)}: " if error.filename is not None else ""
            _stop(BAD_INPUT, f"error: {place}{error.strerror or error}")
        except subprocess.CalledProcessError as error:
            _stop(BAD_INPUT, f"error: {error}")
        except MemoryError as error:
            _stop(BAD_INPUT, ": ".join(filter(None, ["error: out of memory", str(error)])))
        except Exception as error:
            if "can't start new thread" in str(error):
                _stop(BAD_INPUT, "error: cannot start another thread, expected room for one more (see ulimit -u)")
            if "Symlink loop" in str(error):  # before Python 3.13
                _stop(BAD_INPUT, f"error: {error}, expected a file or a folder")
            if type(error).__name__ == "ResourceExhaustedError":  # TensorFlow's
                _stop(BAD_INPUT, "error: out of memory, expected room for the network and its images")
            raise
        except KeyboardInterrupt:
            _stop(128 + signal.SIGINT, "interrupted")
        except Terminated:
            _stop(128 + signal.SIGTERM, "terminated")


class Terminated(BaseException):
    """Raised on SIGTERM wherever the program is, so that it cleans up what it had begun."""


@contextmanager
def _interruptible():
    """Makes SIGINT and SIGTERM raise KeyboardInterrupt and Terminated, if signals can be handled here at all."""
    found = {signum: signal.getsignal(signum) for signum in (signal.SIGINT, signal.SIGTERM, signal.SIGALRM)}
    if threading.current_thread() is not threading.main_thread() or None in found.values():  # None: C code handles it
        yield
        return
    for signum in (signal.SIGINT, signal.SIGTERM):
        if found[signum] != signal.SIG_IGN:  # set by nohup, and by shells for background jobs
            signal.signal(signum, _interrupt)
    try:
        yield
    finally:
        if signal.getsignal(signal.SIGALRM) != found[signal.SIGALRM]:  # interrupted
            signal.alarm(0)
            # another Ctrl-C while Python exits would print a traceback
            atexit.register(signal.signal, signal.SIGINT, signal.SIG_IGN)
        for signum, handler in found.items():
            signal.signal(signum, handler)


def _interrupt(signum, frame):
    for further in (signal.SIGINT, signal.SIGTERM):
        signal.signal(further, signal.SIG_IGN)  # a second Ctrl-C would interrupt the cleanup
    # TensorFlow's C++ code swallows exceptions raised while it looks up an attribute, hence further attempts
    signal.signal(signal.SIGALRM, lambda *_: _interrupt(signum, None))
    signal.alarm(INSIST_AFTER)
    raise KeyboardInterrupt if signum == signal.SIGINT else Terminated


@contextmanager
def muted_stderr():
    """Hides what the C and C++ code of libraries writes to stderr; they offer no other way."""
    try:
        stderr = os.dup(2)
    except OSError:  # stderr is closed, so nothing can appear there
        yield
        return
    with open(os.devnull, "wb") as null:
        os.dup2(null.fileno(), 2)
    try:
        yield
    finally:
        os.dup2(stderr, 2)
        os.close(stderr)


@contextmanager
def _usable_streams():
    """Replaces closed streams, and makes stdout escape characters that its encoding lacks, as stderr does."""
    with ExitStack() as restoring:
        nowhere = restoring.enter_context(open(os.devnull, "w"))
        while nowhere.fileno() <= 2:  # a closed stream's number: libraries would print into the next file
            nowhere = restoring.enter_context(open(os.devnull, "w"))
        if sys.stdout is None:
            restoring.enter_context(redirect_stdout(nowhere))
        if sys.stderr is None:
            restoring.enter_context(redirect_stderr(nowhere))
        if isinstance(sys.stdout, io.TextIOWrapper):
            restoring.callback(sys.stdout.reconfigure, errors=sys.stdout.errors)
            sys.stdout.reconfigure(errors="backslashreplace")
        yield


def _stop(status, line=""):
    _print(sys.stdout)
    if line:
        _print(sys.stderr, printable(" ".join(line.splitlines())) + "\n")
    sys.exit(status)


def _print(stream, text=""):
    """Prints and flushes; drops what cannot be written, or Python would try again at exit and complain."""
    try:
        print(text, end="", file=stream, flush=True)
    except OSError:
        with open(os.devnull, "w") as nowhere:
            os.dup2(nowhere.fileno(), stream.fileno())
