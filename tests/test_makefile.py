"""make, in a clone that has been moved."""

import shutil
import subprocess
import sys

from tests.helpers import ROOT


def make(folder, target):
    """Runs a target of the Makefile, which must succeed."""
    command = ["make", target, f"PYTHON={sys.executable}"]
    process = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=120)
    assert process.returncode == 0, process.stderr


def test_clone_that_was_moved_goes_on(tmp_path):
    old, new = tmp_path / "old", tmp_path / "new place"
    (old / "tests").mkdir(parents=True)
    shutil.copy(ROOT / "Makefile", old)
    for name in ("requirements.txt", "tests/requirements.txt", "run.py"):
        (old / name).write_text("# nothing\n")
    make(old, "run")
    old.rename(new)
    make(new, ".venv/test")  # installs with pip
    make(new, "run")
