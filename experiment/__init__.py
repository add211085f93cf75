"""What scripts and figures share, free of TensorFlow and Numba.

Importing it removes settings of these and other libraries from the environment of this process.
"""

import hashlib
import os
from pathlib import Path

# Settings made for other programs: some change the bytes that a training ends in, with some no kernel runs.
LIBRARIES = ("DNNL_", "KERAS_", "NPY_", "NUMBA_", "ONEDNN_", "TF_", "XLA_")
for _name in [name for name in os.environ if name.startswith(LIBRARIES) and name != "NUMBA_CACHE_DIR"]:
    del os.environ[_name]

ROOT = Path(__file__).resolve().parents[1]  # the repository; every default path lies below it


class InputError(ValueError):
    """The input is not as expected; the message says what was found and what was expected."""


def shown(path):
    """The path as messages show it: printable, and relative to the repository if it lies inside."""
    path = Path(os.path.realpath(path))  # Path.resolve may fail on links that form a loop
    return printable(path.relative_to(ROOT) if path.is_relative_to(ROOT) else path)


def digest(*texts):
    """The first 12 hexadecimal digits of the texts' SHA-256."""
    return hashlib.sha256(repr(texts).encode()).hexdigest()[:12]


def printable(text):
    """An object's text on one line; line breaks, bytes that are not UTF-8 and the like become Python escapes."""
    return "".join(letter if letter.isprintable() else repr(letter)[1:-1] for letter in str(text))
