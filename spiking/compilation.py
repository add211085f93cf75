"""How the kernels are compiled, and where what they compile to is kept for the next run."""

import hashlib
import os
from pathlib import Path

from numba import config, njit

FOLDER = Path(__file__).parent


def compiled(function):
    """The function compiled by Numba, without Python's lock; kept where there is room for it."""
    if CACHE_FOLDER is None:
        return njit(**OPTIONS)(function)
    before = config.CACHE_DIR  # read by Numba when it decorates
    config.CACHE_DIR = CACHE_FOLDER
    try:
        return njit(cache=True, **OPTIONS)(function)
    finally:
        config.CACHE_DIR = before


def cache_folder():
    """A folder for the compiled kernels that can be written to; None if there is none.

    Its name is a digest of all sources here: Numba looks only at the file of a kernel itself, and would go on using
    code into which an older constant or function of another file is compiled.
    """
    sources = b"".join(path.read_bytes() for path in sorted(FOLDER.glob("*.py")))
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


def options():
    """Numba's options for the kernels.

    They allocate nothing: without Numba's run time (_nrt) they do not count references to their arrays, which takes
    a third to a half of their time. Numba does not document it, so we do without where it is gone.
    """
    try:
        from numba.core.cpu import CPUTargetOptions

        known = hasattr(CPUTargetOptions, "_nrt")
    except ImportError:
        known = False
    return {"nogil": True} | ({"_nrt": False} if known else {})


CACHE_FOLDER = cache_folder()
OPTIONS = options()
