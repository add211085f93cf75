"""Reads files that may be damaged; writes files that belong together completely, or not at all."""

import fcntl
import hashlib
import math
import os
import shutil
import stat
import sys
from contextlib import contextmanager, suppress
from pathlib import Path

from experiment import InputError, shown

STAGING = ".staging"  # folder of files that are being written; useless after a crash
COMPLETE = ".complete"  # folder of completely written files, about to be moved to their places
PART = 1 << 20  # bytes read at a time
SUMS = "SHA256SUMS"  # tells which files of a folder belong together; in the format of sha256sum


@contextmanager
def output_folder(path):
    """A folder that one process at a time writes into, as a context manager that gives its Path.

    Entering creates the folder (leaving removes it again if it stayed empty), locks it, finishes a move of files that
    a killed process left half-done, and removes files that it had begun to write. If the file system has no locks, a
    line on stderr says so. Raises InputError if another process holds the lock or a file is in the way, OSError if
    the folder is not writable.
    """
    folder = Path(path)
    target = Path(os.path.realpath(folder))  # follows a link even to a folder that does not exist yet
    places = (target, *target.parents)
    for place in places:
        if os.path.lexists(place) and not place.is_dir():
            found = "a link to itself" if place.is_symlink() else "a file"
            raise InputError(f"{shown(place)}: is {found}, expected a folder")
    missing = [place for place in places if not place.exists()]
    try:
        target.mkdir(parents=True, exist_ok=True)
        with _locked(folder):
            _tidy(folder)
            try:
                (target / STAGING).mkdir()  # an unwritable folder fails here, before hours of work
                yield folder
            finally:
                _tidy(folder)
    finally:
        for place in missing:
            with suppress(OSError):  # not empty, or vanished
                place.rmdir()


@contextmanager
def replacing(folder):
    """Gives an empty folder; the files that the body writes there replace those of the same names in `folder`.

    That is what `output_folder` gives, within its context. All files are on disk before the first one moves; if the
    body fails, nothing has changed. Raises InputError if a folder has the name of one of the files, or if the output
    folder itself has vanished.
    """
    staging = folder / STAGING
    try:
        staging.mkdir(exist_ok=True)
        yield staging
        for file in staging.iterdir():
            with open(file, "rb") as written:
                os.fsync(written.fileno())
        _refuse_folders(staging)
        staging.rename(folder / COMPLETE)
        _tidy(folder)
    except BaseException as error:
        shutil.rmtree(staging, ignore_errors=True)
        if isinstance(error, Exception) and not folder.exists():
            raise InputError(f"{shown(folder)}: has vanished, expected the folder to stay") from error
        _name(error, folder)
        raise


def exists(path):
    """Whether a file or folder exists; first finishes a move of files that a kill has interrupted there."""
    _settle(path)
    return Path(path).exists()


def read(path, expected, largest=1 << 20):
    """The content of a file as bytes; first finishes a move of files that a kill has interrupted in its folder.

    Raises
    ------
    InputError
        The file is missing, a folder, a pipe, or larger than `largest` bytes; the message ends in `expected`.
    OSError
        The file is unreadable.
    """
    with opened(path, expected) as file:
        small = os.fstat(file.fileno()).st_size <= largest
        content = b"".join(parts(file, largest + 1)) if small else b""
    if not small or len(content) > largest:  # /dev/zero says that it is empty
        raise InputError(f"{shown(path)}: larger than {largest} bytes, expected {expected}")
    return content


@contextmanager
def opened(path, expected):
    """An open file, to be read in pieces; raises what `read` raises, whatever the file's size."""
    _settle(path)
    try:
        if stat.S_ISFIFO(os.stat(path).st_mode):  # opening it would wait for a writer
            raise InputError(f"{shown(path)}: is a pipe, expected {expected}")
        with open(path, "rb") as file:
            yield file
    except (FileNotFoundError, NotADirectoryError):
        raise InputError(f"{shown(path)}: not found, expected {expected}") from None
    except IsADirectoryError:
        raise InputError(f"{shown(path)}: is a folder, expected {expected}") from None
    except OSError as error:
        _name(error, path)
        raise


def parts(file, largest=math.inf):
    """Yields at most `largest` bytes of an open file in parts, because a damaged file may be of any size."""
    while largest > 0 and (part := file.read(min(PART, largest))):
        largest -= len(part)
        yield part


def sha256(file):
    """The SHA-256 of the rest of an open file, in hexadecimal."""
    digest = hashlib.sha256()
    for part in parts(file):
        digest.update(part)
    return digest.hexdigest()


def write_sums(folder):
    """Writes the SHA256SUMS of the files in a folder."""
    lines = [f"{_sum(file)}  {file.name}\n" for file in sorted(folder.iterdir())]
    (folder / SUMS).write_text("".join(lines))


def check_sums(folder, names):
    """Raises InputError unless the named files are those that the folder's SHA256SUMS lists."""
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
    """Finishes the move that a killed process may have left half-done in the folder of a file to be read."""
    folder = Path(path).parent
    if os.path.isdir(folder / COMPLETE):
        with _locked(folder):
            _finish_move(folder)


@contextmanager
def _locked(folder):
    """Keeps other processes out of a folder; raises InputError if one already holds its lock."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except (BlockingIOError, PermissionError):  # either may mean that it is locked
            found = "another run is writing into this folder"
            raise InputError(f"{shown(folder)}: {found}, expected none") from None
        except OSError as error:  # some network file systems have no locks
            found = f"cannot be locked ({error.strerror})"
            print(f"warning: {shown(folder)}: {found}, expected no other run to write there", file=sys.stderr)
        yield
    finally:
        os.close(descriptor)  # which unlocks


def _tidy(folder):
    """Moves the completely written files of a folder to their places, and removes those that were only begun."""
    _finish_move(folder)
    shutil.rmtree(folder / STAGING, ignore_errors=True)


def _finish_move(folder):
    complete = folder / COMPLETE
    if complete.is_dir():
        _refuse_folders(complete)
        for file in sorted(complete.iterdir()):
            os.replace(file, folder / file.name)
        complete.rmdir()


def _refuse_folders(new):
    """Raises InputError if one of the new files would have to replace a folder."""
    for place in sorted(new.parent / file.name for file in new.iterdir()):
        if place.is_dir() and not place.is_symlink():
            raise InputError(f"{shown(place)}: is a folder, expected a file or nothing")


def _name(error, path):
    """Adds the path to an OSError that lacks it, as those of file.read and file.write do."""
    if isinstance(error, OSError) and error.errno is not None and error.filename is None:
        error.filename = shown(path)
