"""Reads what may be damaged; writes files whole and together, or not at all."""

import fcntl
import hashlib
import math
import os
import shutil
import stat
import sys
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path

from experiment import InputError, shown

STAGING = ".staging"  # folder of files being written; worth nothing after a crash
COMPLETE = ".complete"  # folder of files written completely, on their way to their places
PART = 1 << 20  # bytes read at a time
SUMS = "SHA256SUMS"  # holds the files of a folder together; as sha256sum writes and checks it


class OutputFolder:
    """A folder that one process at a time writes into, as a context manager.

    Entering creates the folder (leaving removes it again if it stayed empty), locks it, finishes the move that a
    killed process may have left half-done and removes what that had begun. Where the file system has no locks, a
    line on stderr says so. Raises InputError where another process holds the lock or a file is in the way, OSError
    where the folder cannot be written.
    """

    def __init__(self, path):
        self.path = Path(path)

    def __enter__(self):
        target = Path(os.path.realpath(self.path))  # of a link, even one to a folder that is yet to be created
        places = (target, *target.parents)
        for place in places:
            if os.path.lexists(place) and not place.is_dir():
                found = "a link to itself" if place.is_symlink() else "a file"
                raise InputError(f"{shown(place)}: is {found}, expected a folder")
        with ExitStack() as leaving:
            leaving.callback(_remove_empty, [place for place in places if not place.exists()])
            target.mkdir(parents=True, exist_ok=True)
            leaving.enter_context(_locked(self.path))
            self._tidy()
            leaving.callback(self._tidy)
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
            with _naming(self.path):
                staging.mkdir(exist_ok=True)
                yield staging
                for file in staging.iterdir():
                    _flush(file)
                _refuse_folders(staging)
                staging.rename(self.path / COMPLETE)
                _move(self.path)
        except BaseException as error:
            shutil.rmtree(staging, ignore_errors=True)
            if isinstance(error, Exception) and not self.path.exists():
                raise InputError(f"{shown(self.path)}: has vanished, expected the folder to stay") from error
            raise

    def _tidy(self):
        _move(self.path)
        shutil.rmtree(self.path / STAGING, ignore_errors=True)


def exists(path):
    """Whether there is a file, or a folder, once a move that was cut off by a kill is finished in its folder."""
    _settle(path)
    return Path(path).exists()


def read(path, expected, largest=1 << 20):
    """The content of a file as bytes, once a move that was cut off by a kill is finished in its folder.

    Raises
    ------
    InputError
        It is missing, a folder, a pipe, or larger than `largest` bytes; the message ends in `expected`.
    OSError
        It is unreadable.
    """
    with opened(path, expected) as file:
        content = b"".join(parts(file, largest + 1))
    if len(content) > largest:
        raise InputError(f"{shown(path)}: larger than {largest} bytes, expected {expected}")
    return content


@contextmanager
def opened(path, expected):
    """An open file, for what is read in pieces; raises what `read` raises, apart from sizes."""
    _settle(path)
    try:
        with _naming(path):
            if stat.S_ISFIFO(os.stat(path).st_mode):  # opening it would wait for a writer
                raise InputError(f"{shown(path)}: is a pipe, expected {expected}")
            with open(path, "rb") as file:
                yield file
    except (FileNotFoundError, NotADirectoryError):
        raise InputError(f"{shown(path)}: not found, expected {expected}") from None
    except IsADirectoryError:
        raise InputError(f"{shown(path)}: is a folder, expected {expected}") from None


def parts(file, largest=math.inf):
    """Yields the content of an open file, at most `largest` bytes, in parts: it may be of any size, if damaged."""
    while largest > 0 and (part := file.read(min(PART, largest))):
        largest -= len(part)
        yield part


def sha256(file):
    """Of what is left of an open file, in hexadecimal."""
    digest = hashlib.sha256()
    for part in parts(file):
        digest.update(part)
    return digest.hexdigest()


def write_sums(folder):
    """Writes SHA256SUMS over the files in a folder."""
    lines = [f"{_sum(file)}  {file.name}\n" for file in sorted(folder.iterdir())]
    (folder / SUMS).write_text("".join(lines))


def check_sums(folder, names):
    """Raises InputError unless the named files belong together as SHA256SUMS says."""
    expected = "lines of a SHA-256 and a file name"
    lines = read(folder / SUMS, expected).splitlines()
    try:
        sums = dict(reversed(line.decode().split("  ", 1)) for line in lines)
    except ValueError:
        raise InputError(f"{shown(folder / SUMS)}: damaged, expected {expected}") from None
    for name in names:
        path = folder / name
        if not path.is_file():
            raise InputError(f"{shown(path)}: missing, expected the one listed in {SUMS}")
        if sums.get(name) != _sum(path):
            raise InputError(f"{shown(path)}: damaged or of another epoch, expected the file listed in {SUMS}")


def _sum(path):
    with opened(path, "a file") as file:
        return sha256(file)


def _settle(path):
    """Finishes the move that a killed process may have left half-done in the folder of a file about to be read."""
    folder = Path(path).parent
    if os.path.isdir(folder / COMPLETE):
        with _locked(folder):
            _move(folder)


@contextmanager
def _locked(folder):
    """Keeps other processes out; raises InputError if one is in there."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        _lock(descriptor, folder)
        yield
    finally:
        os.close(descriptor)  # which unlocks


def _lock(descriptor, folder):
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except (BlockingIOError, PermissionError):  # fcntl allows a file system either
        raise InputError(f"{shown(folder)}: another run is writing into this folder, expected none") from None
    except OSError as error:  # some network file systems have no locks
        text = f"warning: {shown(folder)}: cannot be locked ({error.strerror}), expected no other run to write there"
        print(text, file=sys.stderr)


def _move(folder):
    """Moves the complete files of a folder to their places."""
    complete = folder / COMPLETE
    if complete.is_dir():
        _refuse_folders(complete)
        for file in sorted(complete.iterdir()):
            os.replace(file, folder / file.name)
        complete.rmdir()


def _refuse_folders(coming):
    """Raises InputError if a file that is to come would have to replace a folder."""
    for place in sorted(coming.parent / file.name for file in coming.iterdir()):
        if place.is_dir() and not place.is_symlink():
            raise InputError(f"{shown(place)}: is a folder, expected a file or nothing")


@contextmanager
def _naming(path):
    """Lets an OSError say where: file.read and file.write raise it without."""
    try:
        yield
    except OSError as error:
        if error.errno is not None and error.filename is None:
            error.filename = shown(path)
        raise


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
