"""Where compiled kernels are kept: never older than the sources, and never needed."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from spiking import compilation

ROOT = Path(__file__).resolve().parents[1]

# three neurons of thresholds 2, 4, 6 with potentials 2, 5, 6
SCRIPT = """
import numpy as np
from spiking_utils import SpikingConv
layer = SpikingConv(np.ones((1, 1, 1, 1), int), 2 * np.arange(5)[None], (1, 3, 1))
print(layer.encode(np.array([[[[2], [5], [6]]]]), 3).to_dense().ravel().tolist())
"""
SPIKES = "[1, 1, 1, 0, 1, 1, 0, 0, 1]\n"


@pytest.fixture
def library(tmp_path):
    """A folder with a copy of the library, without anything compiled."""
    shutil.copytree(ROOT / "spiking", tmp_path / "spiking", ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(ROOT / "spiking_utils.py", tmp_path)
    return tmp_path


def run(library, script=SCRIPT, **environment):
    environment = {key: value for key, value in os.environ.items() if key != "NUMBA_CACHE_DIR"} | environment
    command = [sys.executable, "-c", script]
    process = subprocess.run(command, cwd=library, env=environment, capture_output=True, text=True, timeout=120)
    assert (process.returncode, process.stderr) == (0, "")
    return process.stdout


def cache_folder(library, **environment):
    return run(library, "from spiking import compilation; print(compilation.CACHE_FOLDER)", **environment).strip()


def kept(folder):
    return sorted(folder.rglob("*.nbc"))


def test_kernels_are_kept_for_the_next_run_and_compiled_anew_when_a_constant_elsewhere_changes(library):
    cache = library / "spiking/__pycache__"
    assert run(library) == SPIKES
    first = kept(cache)
    assert first
    assert run(library) == SPIKES
    assert kept(cache) == first
    trains = library / "spiking/trains.py"
    source = trains.read_text()
    assert "POSITION_SHIFT = 16" in source
    trains.write_text(source.replace("POSITION_SHIFT = 16", "POSITION_SHIFT = 14"))
    assert run(library) == SPIKES
    assert len(kept(cache)) > len(first)


def test_runs_where_nothing_can_be_kept(library):
    """A file in the place of the folder refuses everybody, root too, as a read-only checkout refuses a user."""
    (library / "spiking/__pycache__").write_text("")
    assert run(library, HOME=os.devnull) == SPIKES
    assert cache_folder(library, HOME=os.devnull) == "None"


def test_first_folder_that_can_be_written_to_is_taken(library):
    home, chosen = library / "home", library / "chosen"
    assert cache_folder(library, HOME=str(home)).startswith(f"{library}/spiking/__pycache__/")
    assert cache_folder(library, HOME=str(home), NUMBA_CACHE_DIR=str(chosen)).startswith(f"{chosen}/")
    shutil.rmtree(library / "spiking/__pycache__")
    (library / "spiking/__pycache__").write_text("")
    assert cache_folder(library, HOME=str(home)).startswith(f"{home}/.cache/spiking/")


def test_numba_without_the_undocumented_option_is_enough(monkeypatch):
    assert compilation.OPTIONS == {"nogil": True, "_nrt": False}
    monkeypatch.setattr("numba.core.cpu.CPUTargetOptions", object)
    monkeypatch.setattr(compilation, "OPTIONS", compilation.options())
    monkeypatch.setattr(compilation, "CACHE_FOLDER", None)
    assert compilation.OPTIONS == {"nogil": True}
    doubled = compilation.compiled(lambda x: 2 * x)
    assert doubled(np.int64(21)) == 42
