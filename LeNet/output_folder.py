"""Writing without loss: files appear whole and together, or nothing changes."""

import fcntl
import os
import shutil
from contextlib import contextmanager
from pathlib import Path

from LeNet.command_line import InputError
from LeNet.paths import shown

STAGING = ".staging"  # files being written; worth nothing after a crash
COMPLETE = ".complete"  # files written completely, on their way to their places


class OutputFolder:
    """A folder that one process at a time writes into, as a context manager.

    Entering creates the folder (leaving removes it again if it stayed empty), locks it, finishes the move that a
    killed process may have left half-done and removes what it had begun. Raises InputError where another process
    holds the lock, OSError where the folder cannot be written.
    """

    def __init__(self, path):
        self.path = Path(path)

    def __enter__(self):
        self._created = [folder for folder in (self.path, *self.path.parents) if not folder.exists()]
        self.path.mkdir(parents=True, exist_ok=True)
        self._lock = os.open(self.path, os.O_RDONLY)
        try:
            self._acquire()
            self._settle()
            (self.path / STAGING).mkdir()  # an unwritable folder fails here, before hours of work
        except BaseException:
            os.close(self._lock)
            raise
        return self

    def __exit__(self, *exception):
        try:
            self._settle()
            for folder in self._created:
                if any(folder.iterdir()):
                    break
                folder.rmdir()
        except FileNotFoundError:
            pass  # the folder has vanished: whatever failed because of it is already on its way up
        finally:
            os.close(self._lock)  # which unlocks

    @contextmanager
    def replacing(self):
        """Gives an empty folder; the files that the body writes there replace those of their names together.

        They are on disk before the first of them moves. If the body fails, nothing has changed.
        """
        staging = self.path / STAGING
        staging.mkdir(exist_ok=True)
        try:
            yield staging
            for file in staging.iterdir():
                _flush(file)
            staging.rename(self.path / COMPLETE)
            self._settle()
        except BaseException:
            shutil.rmtree(staging, ignore_errors=True)
            raise

    def _acquire(self):
        try:
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise InputError(f"{shown(self.path)}: another run is writing into this folder, expected none") from None

    def _settle(self):
        complete = self.path / COMPLETE
        if complete.is_dir():
            for file in sorted(complete.iterdir()):
                os.replace(file, self.path / file.name)
            complete.rmdir()
        shutil.rmtree(self.path / STAGING, ignore_errors=True)


def settle(path):
    """Finishes the move that a killed process may have left half-done in a folder about to be read."""
    if (Path(path) / COMPLETE).is_dir():
        with OutputFolder(path):
            pass


def _flush(file):
    descriptor = os.open(file, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
