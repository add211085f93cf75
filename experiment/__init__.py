"""What scripts and figures share, free of TensorFlow and Numba."""

from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]  # of the repository: every default place lies below it


class InputError(ValueError):
    """Something from outside is not as expected; the text says what was found and what was expected."""


def shown(path):
    """The path as a message gives it: relative to the repository's root where it lies inside."""
    path = Path(path).resolve()
    return str(path.relative_to(ROOT)) if path.is_relative_to(ROOT) else str(path)
