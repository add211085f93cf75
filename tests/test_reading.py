"""Files are read completely, or refused with the reason."""

import hashlib
import os
import subprocess

import pytest

from experiment import InputError
from experiment.disk import SUMS, check_sums, opened, read, sha256, write_sums
from tests.damage import little_memory


def test_file_is_read_up_to_its_limit(tmp_path):
    (tmp_path / "file").write_bytes(bytes(range(256)) * 5000)
    assert read(tmp_path / "file", "bytes", 1_280_000) == bytes(range(256)) * 5000
    with pytest.raises(InputError, match=r"/file: larger than 1279999 bytes, expected bytes$"):
        read(tmp_path / "file", "bytes", 1_279_999)
    with little_memory(), pytest.raises(InputError, match=r"^/dev/zero: larger than 1048576 bytes, expected bytes$"):
        read("/dev/zero", "bytes")


def test_what_is_no_file_is_not_read(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "file").touch()
    for name, found in [("pipe", "is a pipe"), (".", "is a folder"), ("a", "not found"), ("file/a", "not found")]:
        for reading in (lambda path: read(path, "a file"), lambda path: opened(path, "a file").__enter__()):
            with pytest.raises(InputError, match=f": {found}, expected a file$"):
                reading(tmp_path / name)


def test_failed_read_names_the_file():
    with pytest.raises(OSError, match=r"Input/output error: '/proc/\d+/mem'"):
        read("/proc/self/mem", "a file")


def test_sha256_is_that_of_the_content(tmp_path):
    (tmp_path / "file").write_bytes(bytes(3_000_000))
    with opened(tmp_path / "file", "a file") as file:
        found = sha256(file)
    assert found == hashlib.sha256(bytes(3_000_000)).hexdigest()


@pytest.fixture
def folder(tmp_path):
    for name in ("a.txt", "b.txt"):
        (tmp_path / name).write_text(name)
    return tmp_path


def test_sums_are_those_of_sha256sum(folder):
    write_sums(folder)
    subprocess.run(["sha256sum", "--check", "--strict", "--quiet", SUMS], cwd=folder, check=True)
    check_sums(folder, ["a.txt", "b.txt"])


@pytest.mark.parametrize(
    ("name", "text", "expected"),
    [
        ("a.txt", "other", r"/a\.txt: damaged or of another epoch, expected the file listed in SHA256SUMS$"),
        ("a.txt", None, r"/a\.txt: missing, expected the one listed in SHA256SUMS$"),
        (SUMS, "", r"/a\.txt: damaged or of another epoch, expected the file listed in SHA256SUMS$"),
        (SUMS, "text", "/SHA256SUMS: damaged, expected lines of a SHA-256 and a file name$"),
        (SUMS, "\udcff  a.txt", "/SHA256SUMS: damaged, expected lines of a SHA-256 and a file name$"),
        (SUMS, None, "/SHA256SUMS: not found, expected lines of a SHA-256 and a file name$"),
    ],
)
def test_files_that_do_not_belong_together_are_named(name, text, expected, folder):
    write_sums(folder)
    (folder / name).unlink()
    if text is not None:
        (folder / name).write_bytes(os.fsencode(text))
    with pytest.raises(InputError, match=expected):
        check_sums(folder, ["a.txt"])
