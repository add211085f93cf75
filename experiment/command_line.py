"""What the command lines of all scripts share: options, progress, one-line errors, interruptions, exit statuses."""

import argparse
import math
import os
import signal
import sys

from tqdm import tqdm

from experiment import InputError, printable
from spiking.network import HIGHEST_LEVEL

BAD_INPUT = 2  # exit status
HIGHEST_SEED = 2**32 - 1
INSIST_AFTER = 5  # seconds, from one attempt to interrupt the program to the next


class ArgumentParser(argparse.ArgumentParser):
    """argparse, with its errors on one line and defaults in its help."""

    def __init__(self, docstring):
        super().__init__(description=docstring, formatter_class=argparse.RawDescriptionHelpFormatter)

    def add_argument(self, *names, help, default=None, shown_default=None, **settings):
        """As in argparse; `help` ends in the default, or in `shown_default` where that is computed."""
        if shown_default is not None or default not in (None, argparse.SUPPRESS):
            help = f"{help} (default: {shown_default or default})"
        return super().add_argument(*names, help=help, default=default, **settings)

    def error(self, message):
        _stop(BAD_INPUT, f"error: {message}")


def boolean(text):
    """Option type: True or False."""
    if text.lower() not in ("true", "false"):
        raise argparse.ArgumentTypeError(f"found {text!r}, expected True or False")
    return text.lower() == "true"


def integer_from(minimum, maximum=None):
    """Option type: an integer of at least `minimum` and, if given, at most `maximum`."""
    limits = f"of at least {minimum}" + (f" and at most {maximum}" if maximum is not None else "")
    return _number(int, minimum, math.inf if maximum is None else maximum, f"an integer {limits}")


def number_from(minimum, maximum):
    """Option type: a float from `minimum` to `maximum`."""
    return _number(float, minimum, maximum, f"a number from {minimum} to {maximum}")


def _number(kind, minimum, maximum, expected):
    def number(text):
        try:
            value = kind(text)
        except ValueError:
            value = math.nan
        if not minimum <= value <= maximum:
            raise argparse.ArgumentTypeError(f"found {text!r}, expected {expected}")
        return value

    return number


def spikes(text):
    """Option type: a number of spikes, or None for unbounded."""
    return None if text == "unbounded" else _number(int, 1, math.inf, "an integer of at least 1, or unbounded")(text)


POSITIVE = integer_from(1)
LEVEL = integer_from(0, HIGHEST_LEVEL)
SEED = integer_from(0, HIGHEST_SEED)


def add_limit(parser, of="test images"):
    parser.add_argument("--limit", type=POSITIVE, shown_default="all", help=f"only the first N {of}, for trials")


def add_noise_seed(parser):
    parser.add_argument("--noise_seed", type=SEED, default=0, help="fixes the noise")


def add_threads(parser, meaning="batches simulated at a time"):
    parser.add_argument("--threads", type=POSITIVE, default=usable_cores(), help=meaning)


def usable_cores():
    """The number of cores that this process may use."""
    return os.cpu_count()


def watched(stream):
    """Whether somebody sees what is written to a stream: it is a terminal."""
    return stream is not None and not stream.closed and stream.isatty()


def progress(iterable, total, unit):
    """Goes through an iterable of `total` items behind a bar on stderr, which is gone in the end.

    Where nobody watches (stderr is no terminal) there is none.
    """
    return tqdm(iterable, total=total, unit=unit, disable=None, leave=False)


def run(main):
    """Runs a script; bad input, a full disk, too little memory and an interruption end it with one line."""
    for signum in (signal.SIGINT, signal.SIGTERM):
        if signal.getsignal(signum) != signal.SIG_IGN:  # as nohup and shells in the background set it
            signal.signal(signum, _interrupt)
    try:
        main()
        print(end="", flush=True)  # a full disk may show only here
    except InputError as error:
        _stop(BAD_INPUT, f"error: {error}")
    except OSError as error:
        place = f"{error.filename}: " if error.filename is not None else ""
        _stop(BAD_INPUT, f"error: {place}{error.strerror or error}")
    except MemoryError as error:
        _stop(BAD_INPUT, ": ".join(filter(None, ["error: out of memory", str(error)])))
    except KeyboardInterrupt:
        _stop(128 + signal.SIGINT, "interrupted")
    except Terminated:
        _stop(128 + signal.SIGTERM, "terminated")
    finally:
        signal.alarm(0)


class Terminated(BaseException):
    """SIGTERM, raised where the program was, so that what it had begun is cleaned up."""


def _interrupt(signum, frame):
    for further in (signal.SIGINT, signal.SIGTERM):
        signal.signal(further, signal.SIG_IGN)  # a second Ctrl-C would interrupt the cleaning up
    # TensorFlow's C++ code loses what is raised while it looks up an attribute: then it is raised again
    signal.signal(signal.SIGALRM, lambda *_: _interrupt(signum, None))
    signal.alarm(INSIST_AFTER)
    raise KeyboardInterrupt if signum == signal.SIGINT else Terminated


def _stop(status, line):
    try:
        print(end="", flush=True)
    except OSError:  # Python would try again at the end, and complain
        sys.stdout = None
    print(printable(" ".join(line.splitlines())), file=sys.stderr)
    sys.exit(status)
