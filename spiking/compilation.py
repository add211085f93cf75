"""How the kernels are compiled, and where what they compile to is kept for the next run."""

import hashlib
import os
from pathlib import Path

from numba import config, njit

FOLDER = Path(__file__).parent


def _cache_folder():
    """A folder for the compiled kernels that can be written to; None if there is none.

    Its name is a digest of all sources here: Numba looks only at the file of a kernel itself, and would go on using
    code into which an older constant or function of another file is compiled.
    """
    try:
        sources = b"".join(path.read_bytes() for path in sorted(FOLDER.glob("*.py")))
    except OSError:
        return None
    digest = hashlib.sha256(sources).hexdigest()[:16]
    chosen_by_user = [config.CACHE_DIR] if config.CACHE_DIR else []
    for parent in [*chosen_by_user, FOLDER / "__pycache__", os.path.expanduser("~/.cache/spiking")]:
        folder = Path(parent, digest)
        try:
            folder.mkdir(parents=True, exist_ok=True)
        except OSError:
            continue
        if os.access(folder, os.W_OK | os.X_OK):
            return str(folder)
    return None


CACHE_FOLDER = _cache_folder()


def compiled(function):
    """The function compiled by Numba, without Python's lock; kept where there is room for it."""
    if CACHE_FOLDER is None:
        return njit(nogil=True, _nrt=False)(function)
    before = config.CACHE_DIR  # read by Numba when it decorates
    config.CACHE_DIR = CACHE_FOLDER
    try:
        return njit(nogil=True, cache=True, _nrt=False)(function)
    finally:
        config.CACHE_DIR = before
