"""What the command lines of all scripts share: option types, one-line errors, exit statuses, tables."""

import argparse
import math
import signal
import sys

BAD_INPUT = 2  # exit status
INSIST_AFTER = 5  # seconds, from one attempt to interrupt the program to the next


class InputError(ValueError):
    """Something from outside is not as expected; the text says what was found and what was expected."""


class ArgumentParser(argparse.ArgumentParser):
    """argparse, with its errors on one line."""

    def __init__(self, docstring):
        super().__init__(description=docstring, formatter_class=argparse.RawDescriptionHelpFormatter)

    def add_argument(self, *names, help, default=None, shown_default=None, **settings):
        """As in argparse; `help` ends in the default, or in `shown_default` where that is computed."""
        if shown_default is not None or default not in (None, argparse.SUPPRESS):
            help = f"{help} (default: {shown_default or default})"
        return super().add_argument(*names, help=help, default=default, **settings)

    def error(self, message):
        self.exit(BAD_INPUT, f"error: {message}\n")


def boolean(text):
    """Option type: True or False."""
    if text.lower() not in ("true", "false"):
        raise argparse.ArgumentTypeError(f"found {text!r}, expected True or False")
    return text.lower() == "true"


def integer_from(minimum, maximum=None):
    """Option type: an integer of at least `minimum` and, if given, at most `maximum`."""
    expected = f"an integer of at least {minimum}" + (f" and at most {maximum}" if maximum is not None else "")

    def integer(text):
        try:
            number = int(text)
        except ValueError:
            number = minimum - 1
        if number < minimum or (maximum is not None and number > maximum):
            raise argparse.ArgumentTypeError(f"found {text!r}, expected {expected}")
        return number

    return integer


def number_from(minimum, maximum):
    """Option type: a float from `minimum` to `maximum`."""

    def number(text):
        try:
            value = float(text)
        except ValueError:
            value = math.nan
        if not minimum <= value <= maximum:
            raise argparse.ArgumentTypeError(f"found {text!r}, expected a number from {minimum} to {maximum}")
        return value

    return number


def run(main):
    """Runs a script; bad input, a full disk, too little memory and an interruption end it with one line."""
    for signum in (signal.SIGINT, signal.SIGTERM):
        if signal.getsignal(signum) != signal.SIG_IGN:  # as nohup and shells in the background set it
            signal.signal(signum, _interrupt)
    try:
        main()
        print(end="", flush=True)  # a full disk may show only here
    except InputError as error:
        _stop(f"error: {error}", BAD_INPUT)
    except OSError as error:
        place = f"{error.filename}: " if error.filename is not None else ""
        _stop(f"error: {place}{error.strerror or error}", BAD_INPUT)
    except MemoryError as error:
        _stop(": ".join(filter(None, ["error: out of memory", str(error)])), BAD_INPUT)
    except KeyboardInterrupt:
        _stop("interrupted", 128 + signal.SIGINT)
    except Terminated:
        _stop("terminated", 128 + signal.SIGTERM)
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


def _stop(line, status):
    try:
        print(end="", flush=True)
    except OSError:  # Python would try again at the end, and complain
        sys.stdout = None
    print(" ".join(line.splitlines()), file=sys.stderr)
    sys.exit(status)
