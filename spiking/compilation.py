"""How the kernels are compiled, and where what they compile to is kept for the next run."""

import hashlib
import os
import pickle
import tempfile
from contextlib import suppress
from pathlib import Path

from numba import config, njit
from numba.core.caching import FunctionCache, IndexDataCacheFile

FOLDER = Path(__file__).parent

if config.DISABLE_JIT:
    raise ImportError("NUMBA_DISABLE_JIT is set, expected unset: Python lacks instructions that the kernels use")


def compiled(function):
    """The function compiled by Numba, without Python's lock; kept where there is room for it."""
    dispatcher = njit(**OPTIONS)(function)
    if CACHE_FOLDER is None:
        return dispatcher
    before = config.CACHE_DIR
    config.CACHE_DIR = CACHE_FOLDER
    try:
        dispatcher._cache = KernelCache(function)
    except RuntimeError:  # there is no room any more
        pass
    finally:
        config.CACHE_DIR = before
    return dispatcher


def inlined(function):
    """The function as a part of the kernels that call it: a call with a dozen arrays takes longer than a spike."""
    return njit(inline="always", **OPTIONS)(function)


class KernelCache(FunctionCache):
    """Numba's cache, but never needed: what is damaged is compiled anew, what cannot be written is not kept."""

    def __init__(self, function):
        super().__init__(function)
        stamp = self._impl.locator.get_source_stamp()
        self._cache_file = _CheckedFiles(self.cache_path, self._impl.filename_base, stamp)

    def load_overload(self, *arguments):
        try:
            return super().load_overload(*arguments)
        except Exception:  # damaged bytes raise whatever they lead to
            return None

    def save_overload(self, *arguments):
        with suppress(Exception):  # a full disk, or a folder in the place of a file
            super().save_overload(*arguments)


class _CheckedFiles(IndexDataCacheFile):
    """The files of a function's cache, with a digest: damaged machine code could do anything."""

    def save(self, key, data):
        content = pickle.dumps((key, self._dump(data)))
        super().save(key, (hashlib.sha256(content).digest(), content))

    def load(self, key):
        digest, content = super().load(key) or (None, b"")
        if hashlib.sha256(content).digest() != digest:
            return None
        found_key, data = pickle.loads(content)
        return pickle.loads(data) if found_key == key else None

    def _load_index(self):
        try:
            return dict(super()._load_index())
        except Exception:  # as above
            return {}


def cache_folder():
    """A folder for the compiled kernels that can be written to; None if there is none.

    Its name is a digest of all sources here: Numba looks only at the file of a kernel itself, and would go on using
    code into which an older constant or function of another file is compiled.
    """
    sources = b"".join(path.read_bytes() for path in sorted(FOLDER.glob("*.py")))
    digest = hashlib.sha256(sources).hexdigest()[:16]
    chosen_by_user = [config.CACHE_DIR] if config.CACHE_DIR else []
    home = os.path.expanduser("~")  # stays "~" if the home is unknown
    at_home = [Path(home, ".cache", "spiking")] if os.path.isabs(home) else []
    for parent in [*chosen_by_user, FOLDER / "__pycache__", *at_home]:
        folder = Path(parent, digest)
        try:
            folder.mkdir(parents=True, exist_ok=True)
            tempfile.TemporaryFile(dir=folder).close()
        except OSError:
            continue
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
