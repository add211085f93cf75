"""Writing without loss: files appear whole and together, or nothing changes."""

import fcntl
import os
import shutil
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path

from experiment import InputError
from experiment.model import shown

STAGING = ".staging"  # files being written; worth nothing after a crash
COMPLETE = ".complete"  # files written completely, on their way to their places


class OutputFolder:
    """A folder that one process at a time writes into, as a context manager.

    Entering creates the folder (leaving removes it again if it stayed empty), locks it, finishes the move that a
    killed process may have left half-done and removes what it had begun. Raises InputError where another process
    holds the lock or a file is in the way, OSError where the folder cannot be written.
    """

    def __init__(self, path):
        self.path = Path(path)

    def __enter__(self):
        created = [folder for folder in (self.path, *self.path.parents) if not folder.exists()]
        for place in (self.path, *self.path.parents):
            if place.exists() and not place.is_dir():
                raise InputError(f"{shown(place)}: is a file, expected a folder")
        with ExitStack() as leaving:
            leaving.callback(_remove_empty, created)
            self.path.mkdir(parents=True, exist_ok=True)
            self._lock = os.open(self.path, os.O_RDONLY)
            leaving.callback(os.close, self._lock)  # which unlocks
            self._acquire()
            self._settle()
            leaving.callback(self._settle)
            (self.path / STAGING).mkdir()  # an unwritable folder fails here, before hours of work
            self._leaving = leaving.pop_all()
        return self

    def __exit__(self, *exception):
        self._leaving.close()

    @contextmanager
    def replacing(self):
        """Gives an empty folder; the files that the body writes there replace those of their names together.

        They are on disk before the first of them moves. If the body fails, nothing has changed. Raises InputError
        where a folder has the name of one of the files, or where the output folder itself has vanished.
        """
        staging = self.path / STAGING
        try:
            staging.mkdir(exist_ok=True)
            yield staging
            for file in staging.iterdir():
                _flush(file)
            self._refuse_folders(staging)
            staging.rename(self.path / COMPLETE)
            self._settle()
        except BaseException as error:
            shutil.rmtree(staging, ignore_errors=True)
            if isinstance(error, Exception) and not self.path.exists():
                raise InputError(f"{shown(self.path)}: has vanished, expected the folder to stay") from error
            if isinstance(error, OSError) and error.errno is not None and error.filename is None:
                error.filename = shown(self.path)  # a write that fails does not say where
            raise

    def _acquire(self):
        try:
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise InputError(f"{shown(self.path)}: another run is writing into this folder, expected none") from None

    def _settle(self):
        complete = self.path / COMPLETE
        if complete.is_dir():
            self._refuse_folders(complete)
            for file in sorted(complete.iterdir()):
                os.replace(file, self.path / file.name)
            complete.rmdir()
        shutil.rmtree(self.path / STAGING, ignore_errors=True)

    def _refuse_folders(self, coming):
        """Raises InputError if a file that is to come would have to replace a folder."""
        for place in sorted(self.path / file.name for file in coming.iterdir()):
            if place.is_dir() and not place.is_symlink():
                raise InputError(f"{shown(place)}: is a folder, expected a file or nothing")


def settle(path):
    """Finishes the move that a killed process may have left half-done in a folder about to be read."""
    if (Path(path) / COMPLETE).is_dir():
        with OutputFolder(path):
            pass


def _remove_empty(folders):
    for folder in folders:
        with suppress(OSError):  # it is not empty, or it has vanished
            folder.rmdir()


def _flush(file):
    descriptor = os.open(file, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
