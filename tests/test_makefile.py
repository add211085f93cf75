"""make, in a clone that has been moved."""

import shutil
import subprocess
import sys

from tests.helpers import ROOT


def make(folder, target):
    """Runs a target of the Makefile; returns what it wrote to stderr."""
    command = ["make", target, f"PYTHON={sys.executable}"]
    process = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=120)
    assert process.returncode == 0, process.stderr
    return process.stderr


def test_clone_that_was_moved_goes_on_and_says_that_its_environment_did_not_move(tmp_path):
    old, new = tmp_path / "old", tmp_path / "new place"
    (old / "tests").mkdir(parents=True)
    shutil.copy(ROOT / "Makefile", old)
    for name in ("requirements.txt", "tests/requirements.txt", "run.py"):
        (old / name).write_text("# nothing\n")
    for _ in range(2):
        assert "warning: .venv" not in make(old, "run")
    old.rename(new)
    for target in (".venv/test", "run"):  # the first installs with pip
        assert "warning: .venv was set up in another place" in make(new, target)


def test_environment_of_a_clone_behind_a_link_is_its_own(tmp_path):
    real, link = tmp_path / "real", tmp_path / "link"
    (real / ".venv/bin").mkdir(parents=True)
    shutil.copy(ROOT / "Makefile", real)
    (real / ".venv/bin/activate").write_text(f"VIRTUAL_ENV='{real}/.venv'\n")
    link.symlink_to(real)
    command = f"cd '{link}' && make place"  # the shell tells make its folder by the link's name
    process = subprocess.run(["sh", "-c", command], capture_output=True, text=True, timeout=60)
    assert (process.returncode, process.stderr) == (0, "")
