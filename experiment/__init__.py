"""What scripts and figures share, free of TensorFlow and Numba."""

import hashlib
import os
from pathlib import Path

# Settings that a user has elsewhere: with some, trainings end in other bytes, with some no kernel runs.
LIBRARIES = ("DNNL_", "KERAS_", "NPY_", "NUMBA_", "ONEDNN_", "TF_", "XLA_")
for _name in [name for name in os.environ if name.startswith(LIBRARIES) and name != "NUMBA_CACHE_DIR"]:
    del os.environ[_name]

ROOT = Path(__file__).resolve().parents[1]  # of the repository: every default place lies below it


class InputError(ValueError):
    """Something from outside is not as expected; the text says what was found and what was expected."""


def shown(path):
    """The path as a message gives it: printable, and relative to the repository's root where it lies inside."""
    path = Path(os.path.realpath(path))  # Path.resolve may fail where links lead round in a circle
    return printable(path.relative_to(ROOT) if path.is_relative_to(ROOT) else path)


def digest(*texts):
    """Twelve letters that tell texts from others."""
    return hashlib.sha256(repr(texts).encode()).hexdigest()[:12]


def printable(text):
    """The text of an object on one line: line breaks, bytes that are no UTF-8 and the like as Python escapes."""
    return "".join(letter if letter.isprintable() else repr(letter)[1:-1] for letter in str(text))
