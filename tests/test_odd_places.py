"""Unusual output folders: links, odd names, file systems without locks."""

import errno
import fcntl
import os
from pathlib import Path

import pytest

from experiment import InputError
from experiment.disk import SUMS, check_sums, output_folder, read, replacing, write_sums

NEW = {"a.txt": "new a", "b.txt": "new b"}


def write(path, files):
    with output_folder(path) as output, replacing(output) as staging:
        for name, text in files.items():
            (staging / name).write_text(text)


def content(path):
    return {file.name: file.read_text() for file in Path(path).iterdir()}


@pytest.mark.parametrize("number", [errno.ENOLCK, errno.ENOSYS, errno.EOPNOTSUPP])
def test_file_system_without_locks_is_written_all_the_same(number, tmp_path, monkeypatch, capsys):
    def no_locks(*arguments):
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(fcntl, "flock", no_locks)
    write(tmp_path, NEW)
    assert content(tmp_path) == NEW
    expected = (
        f"warning: {tmp_path}: cannot be locked ({os.strerror(number)}), expected no other run to write there\n"
    )
    assert capsys.readouterr().err == expected


@pytest.mark.parametrize("number", [errno.EAGAIN, errno.EACCES])
def test_lock_of_another_run_is_respected_whatever_the_file_system_calls_it(number, tmp_path, monkeypatch):
    def locked(*arguments):
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(fcntl, "flock", locked)
    with pytest.raises(InputError, match=r"another run is writing into this folder, expected none$"):
        write(tmp_path, NEW)
    assert content(tmp_path) == {}


def test_link_to_a_folder_that_is_not_there_yet_creates_it(tmp_path):
    scratch, link = tmp_path / "scratch" / "output", tmp_path / "link"
    link.symlink_to(scratch)
    write(link, {})
    assert list(tmp_path.iterdir()) == [link]
    write(link, NEW)
    assert content(scratch) == NEW
    assert link.is_symlink()


def test_links_that_lead_round_in_a_circle_are_refused(tmp_path):
    (tmp_path / "one").symlink_to("two")
    (tmp_path / "two").symlink_to("one")
    with pytest.raises(InputError, match=r"/(one|two): is a link to itself, expected a folder$"):
        write(tmp_path / "one", NEW)
    with pytest.raises(OSError, match=r"Too many levels of symbolic links: .*/one"):
        read(tmp_path / "one", "a text")


NAMES = ["run [1]", "a\nb", os.fsdecode(b"\xff"), "-x", " ", "*", "~", "$HOME", "%s {0}", "\u00b5 \u2212", "x" * 255]


@pytest.mark.parametrize("name", NAMES)
def test_folder_of_any_name_is_written_and_read(name, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    write(name, NEW)
    write_sums(Path(name))
    check_sums(Path(name), NEW)
    assert content(tmp_path / name).keys() == {*NEW, SUMS}
    with pytest.raises(InputError) as refused:
        read(Path(name) / "c.txt", "a text")
    assert str(refused.value).isprintable()
    assert str(refused.value).endswith("c.txt: not found, expected a text")
