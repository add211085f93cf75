"""Files appear whole and together, or nothing changes."""

import errno
import os
from pathlib import Path

import pytest

from experiment import InputError
from experiment.disk import COMPLETE, STAGING, exists, opened, output_folder, read, replacing

OLD = {"a.txt": "old a", "b.txt": "old b", "other.txt": "stays"}
NEW = {"a.txt": "new a", "b.txt": "new b"}


@pytest.fixture
def folder(tmp_path):
    """A folder with the old files."""
    return filled(tmp_path / "output", OLD)


def filled(path, files):
    path.mkdir(exist_ok=True)
    for name, text in files.items():
        (path / name).write_text(text)
    return path


def write(path, files, error=None):
    """Replaces files as the scripts do; the body fails with the error after it has written them."""
    with output_folder(path) as output:
        replace(output, files, error)


def replace(output, files, error=None):
    with replacing(output) as staging:
        filled(staging, files)
        if error is not None:
            raise error


def content(path):
    """The text of every file below a folder, by name."""
    return {str(file.relative_to(path)): file.read_text() for file in path.rglob("*") if file.is_file()}


def test_new_files_replace_those_of_their_names(folder):
    with output_folder(folder) as output, replacing(output) as staging:
        filled(staging, NEW)
        assert {name: content(folder)[name] for name in OLD} == OLD
    assert content(folder) == OLD | NEW
    assert sorted(path.name for path in folder.iterdir()) == sorted(OLD)


def test_folder_can_be_written_again_and_again(folder):
    with output_folder(folder) as output:
        for text in ("first", "second"):
            replace(output, {"a.txt": text})
            assert content(folder) == OLD | {"a.txt": text}


@pytest.mark.parametrize("error", [OSError("disk full"), KeyboardInterrupt(), ValueError("bug")])
def test_failing_body_changes_nothing(folder, error):
    with pytest.raises(type(error)) as raised:
        write(folder, NEW, error)
    assert raised.value is error
    assert content(folder) == OLD
    assert sorted(path.name for path in folder.iterdir()) == sorted(OLD)


def test_files_of_a_failing_body_do_not_come_with_the_next(folder):
    with output_folder(folder) as output:
        with pytest.raises(OSError, match="disk full"):
            replace(output, {"half.txt": ""}, OSError("disk full"))
        replace(output, NEW)
    assert content(folder) == OLD | NEW


def test_files_are_flushed_before_the_first_one_moves(folder, monkeypatch):
    events = []
    fsync, move = os.fsync, os.replace
    monkeypatch.setattr(os, "fsync", lambda file: (events.append("flush"), fsync(file)))
    monkeypatch.setattr(os, "replace", lambda *paths: (events.append("move"), move(*paths)))
    write(folder, NEW)
    assert events == ["flush", "flush", "move", "move"]


def test_interruption_between_two_moves_ends_with_all_new_files(folder, monkeypatch):
    move, calls = os.replace, []

    def interrupted(*paths):
        calls.append(paths)
        if len(calls) == 2:
            raise KeyboardInterrupt
        move(*paths)

    monkeypatch.setattr(os, "replace", interrupted)
    with pytest.raises(KeyboardInterrupt):
        write(folder, NEW)
    assert content(folder) == OLD | NEW


def half_moved(folder):
    """Leaves a folder as a process does that is killed after the first of its two moves."""
    filled(folder, {"a.txt": NEW["a.txt"]})
    filled(folder / COMPLETE, {"b.txt": NEW["b.txt"]})


def enter(path):
    with output_folder(path):
        pass


FINISHING = {
    "enter": enter,
    "exists": lambda path: exists(path / "b.txt"),
    "read": lambda path: read(path / "b.txt", "a text"),
    "opened": lambda path: opened(path / "b.txt", "a text").__enter__(),
}


@pytest.mark.parametrize("finish", FINISHING.values(), ids=FINISHING)
def test_move_of_a_killed_process_is_finished(folder, finish):
    half_moved(folder)
    finish(folder)
    assert content(folder) == OLD | NEW
    assert not (folder / COMPLETE).exists()


def test_files_begun_by_a_killed_process_are_removed(folder):
    filled(folder / STAGING, {"a.txt": "half"})
    with output_folder(folder) as output:
        assert content(folder) == OLD
        with replacing(output) as staging:
            assert list(staging.iterdir()) == []
    assert content(folder) == OLD
    assert not (folder / STAGING).exists()


def test_what_a_killed_process_has_completed_exists_and_nothing_else(folder):
    (folder / "b.txt").unlink()
    half_moved(folder)
    assert exists(folder / "b.txt")
    assert not exists(folder / "c.txt")
    assert not exists(folder / "absent" / "c.txt")
    assert content(folder) == OLD | NEW


def test_reading_leaves_files_that_are_being_written(folder):
    """Where a file system has no locks, another process may still write them."""
    half_moved(folder)
    filled(folder / STAGING, {"a.txt": "half"})
    assert read(folder / "b.txt", "a text") == b"new b"
    assert content(folder / STAGING) == {"a.txt": "half"}


def test_reading_leaves_a_running_process_alone(folder):
    with output_folder(folder) as output, replacing(output) as staging:
        filled(staging, NEW)
        assert read(folder / "a.txt", "a text") == b"old a"
        assert exists(folder / "a.txt")
        assert content(staging) == NEW


def test_second_writer_is_refused(folder):
    with output_folder(folder) as output:
        with pytest.raises(InputError, match=r"output: another run is writing into this folder, expected none$"):
            output_folder(folder).__enter__()
        replace(output, NEW)
    assert content(folder) == OLD | NEW
    enter(folder)  # the lock is free again


def test_created_folders_that_stay_empty_are_removed(tmp_path):
    write(tmp_path / "new" / "output", {})
    with pytest.raises(OSError, match="disk full"):
        write(tmp_path / "new" / "output", NEW, OSError("disk full"))
    assert list(tmp_path.iterdir()) == []


def test_empty_folder_that_was_there_stays(tmp_path):
    write(tmp_path, {})
    assert list(tmp_path.iterdir()) == []


def test_missing_folders_are_created(tmp_path):
    write(tmp_path / "new" / "output", NEW)
    assert content(tmp_path / "new" / "output") == NEW


def test_unwritable_place_is_an_error_at_once(tmp_path):
    # not a read-only folder: root may write there all the same
    (tmp_path / "file").write_text("content")
    for path in (tmp_path / "file", tmp_path / "file" / "below"):
        with pytest.raises(InputError, match=r"/file: is a file, expected a folder$"):
            output_folder(path).__enter__()
    assert content(tmp_path) == {"file": "content"}


def test_full_disk_at_the_start_leaves_nothing_behind(tmp_path, monkeypatch):
    mkdir = Path.mkdir

    def full(path, *arguments, **settings):
        if path.name == STAGING:
            raise OSError(errno.ENOSPC, "No space left on device", str(path))
        mkdir(path, *arguments, **settings)

    monkeypatch.setattr(Path, "mkdir", full)
    with pytest.raises(OSError, match="No space left on device"):
        output_folder(tmp_path / "new" / "output").__enter__()
    assert list(tmp_path.iterdir()) == []


def test_read_only_place_is_an_error_at_once():
    with pytest.raises(OSError, match=f"/sys/{STAGING}"):  # where not even root may create a folder
        output_folder("/sys").__enter__()


def test_folder_with_the_name_of_a_file_is_refused_before_anything_changes(folder):
    (folder / "b.txt").unlink()
    filled(folder / "b.txt", {"notes.txt": "the user's own"})
    before = content(folder)
    with pytest.raises(InputError, match=r"output/b\.txt: is a folder, expected a file or nothing$"):
        write(folder, NEW)
    assert content(folder) == before
    (folder / "b.txt").rename(folder / "moved away")
    write(folder, NEW)  # nothing is left that would stop it
    assert {name: content(folder)[name] for name in NEW} == NEW


def test_folder_in_the_way_of_a_killed_process_is_named_until_it_is_gone(folder):
    half_moved(folder)
    (folder / "b.txt").unlink()
    (folder / "b.txt").mkdir()
    for finish in FINISHING.values():
        with pytest.raises(InputError, match=r"output/b\.txt: is a folder, expected a file or nothing$"):
            finish(folder)
    (folder / "b.txt").rmdir()
    assert exists(folder / "b.txt")
    assert content(folder) == OLD | NEW


def test_failed_write_names_the_folder(folder):
    error = OSError(errno.ENOSPC, "No space left on device")  # as file.write raises it
    with pytest.raises(OSError, match=f"No space left on device: '{folder}'$"):
        write(folder, NEW, error)


@pytest.mark.parametrize("before_the_body", [True, False])
def test_vanished_folder_is_named(folder, before_the_body):
    moved = Path(f"{folder}_moved")

    def write_into_a_vanishing_folder():
        with output_folder(folder) as output:
            if before_the_body:
                folder.rename(moved)
            with replacing(output) as staging:
                folder.rename(moved)
                filled(staging, NEW)

    with pytest.raises(InputError, match=r"output: has vanished, expected the folder to stay$"):
        write_into_a_vanishing_folder()
    assert not folder.exists()
    assert {name: content(moved)[name] for name in OLD} == OLD


def test_folder_that_cannot_be_written_to_is_named_in_full(monkeypatch):
    monkeypatch.chdir("/proc")
    with pytest.raises(OSError, match=r"'/proc/\.staging'$"), output_folder("."):
        pass
