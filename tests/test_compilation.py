"""Where compiled kernels are kept: never older than the sources, and never needed."""

import os
import shutil
import subprocess
import sys
from pathlib import Path
from resource import RLIMIT_FSIZE, setrlimit

import numpy as np
import pytest

from spiking import compilation
from tests.helpers import run_script
from tests.script_helpers import snapshot

ROOT = Path(__file__).resolve().parents[1]

# twelve kernels that compile in a moment, of different bytecode, with a constant of another file
KERNELS = "from spiking.compilation import compiled\nfrom spiking.trains import SOPS\n" + "".join(
    f"@compiled\ndef plus{number}(x):\n    return x{' + SOPS' * number}\n" for number in range(12)
)
SCRIPT = "from spiking import toy; print([getattr(toy, f'plus{number}')(1) for number in range(12)])"
SUMS = f"{[1 + 2 * number for number in range(12)]}\n"  # with SOPS = 2


@pytest.fixture
def library(tmp_path):
    """A folder with a copy of the library and the toy kernels, without anything compiled."""
    shutil.copytree(ROOT / "spiking", tmp_path / "spiking", ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(ROOT / "spiking_utils.py", tmp_path)
    (tmp_path / "spiking/toy.py").write_text(KERNELS)
    return tmp_path


def run(library, script=SCRIPT, **settings):
    """What a script prints that must succeed, started as below."""
    process = start(library, script, **settings)
    assert (process.returncode, process.stderr) == (0, "")
    return process.stdout


def start(library, script, largest_file=None, **environment):
    """The finished process of a script; a variable of the environment that is None is not there."""
    environment = os.environ | {"NUMBA_CACHE_DIR": None} | environment
    return subprocess.run(
        [sys.executable, "-c", script],
        cwd=library,
        env={key: value for key, value in environment.items() if value is not None},
        preexec_fn=largest_file and (lambda: setrlimit(RLIMIT_FSIZE, (largest_file, largest_file))),
        capture_output=True,
        text=True,
        timeout=120,
    )


def cache_folder(library, before="", **environment):
    script = f"{before}\nfrom spiking import compilation; print(compilation.CACHE_FOLDER)"
    return run(library, script, **environment).strip()


def kept(folder):
    return sorted(folder.rglob("*.nbc"))


def test_kernels_are_kept_for_the_next_run_and_compiled_anew_when_a_constant_elsewhere_changes(library):
    cache = library / "spiking/__pycache__"
    assert run(library) == SUMS
    first = kept(cache)
    assert len(first) == 12
    assert run(library) == SUMS
    assert kept(cache) == first
    trains = library / "spiking/trains.py"
    source = trains.read_text()
    assert "\nSPIKES, NEGATIVE, SOPS = range(3)\n" in source
    trains.write_text(source.replace("SPIKES, NEGATIVE, SOPS =", "SOPS, NEGATIVE, SPIKES ="))
    assert run(library) == f"{12 * [1]}\n"
    assert len(kept(cache)) == 2 * len(first)


def test_runs_where_nothing_can_be_kept(library):
    """A file in the place of the folder refuses everybody, root too, as a read-only checkout refuses a user."""
    (library / "spiking/__pycache__").write_text("")
    assert run(library, HOME=os.devnull) == SUMS
    assert cache_folder(library, HOME=os.devnull) == "None"


def replace_by_folder(path):
    path.unlink()
    path.mkdir()


def flip_bit(path):
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)


DAMAGES = (
    # first, as long as all others are whole
    lambda path: shutil.copy(next(other for other in path.parent.glob(f"*{path.suffix}") if other != path), path),
    lambda path: path.write_bytes(b""),
    lambda path: path.write_bytes(path.read_bytes()[:-100]),
    lambda path: path.write_bytes(b"no pickle"),
    flip_bit,
    replace_by_folder,
)


def test_damaged_cache_is_compiled_anew_and_mended(library):
    run(library)
    indices, kernels = (sorted(library.rglob(f"*{suffix}")) for suffix in (".nbi", ".nbc"))
    assert len(indices) == len(kernels) == 2 * len(DAMAGES)
    # each kernel is damaged in one of its files, as one without an index would not be read
    for path, damage in zip(indices[: len(DAMAGES)] + kernels[len(DAMAGES) :], 2 * DAMAGES, strict=True):
        damage(path)
    assert run(library) == SUMS
    mended = {path: path.stat().st_mtime_ns for path in library.rglob("*.nb*")}
    assert run(library) == SUMS
    assert {path: path.stat().st_mtime_ns for path in library.rglob("*.nb*")} == mended


def test_runs_where_the_disk_is_full(library):
    """An empty file has room, the compiled kernels have not."""
    assert run(library, largest_file=1000) == SUMS
    assert [path for path in library.rglob("*.nb[ic]*") if path.stat().st_size > 1000] == []


NOBODY = """
import pwd
def nobody(uid):
    raise KeyError(uid)
pwd.getpwuid = nobody
"""


@pytest.mark.parametrize("home", [None, ".", "~"])
def test_without_a_home_nothing_is_written_into_the_working_folder(library, home):
    (library / "spiking/__pycache__").write_text("")
    before = snapshot(library)
    assert cache_folder(library, NOBODY, HOME=home) == "None"
    assert snapshot(library) == before


def test_numba_that_must_not_compile_is_an_error_of_one_line(library):
    process = start(library, "import spiking_utils", NUMBA_DISABLE_JIT="1")
    assert process.stderr.splitlines()[-1].startswith("ImportError: NUMBA_DISABLE_JIT is set, expected unset")


def test_scripts_run_with_any_settings_of_numba(tmp_path, monkeypatch):
    """Each of which would be an error, or stop the script."""
    for name, value in {"DISABLE_JIT": "1", "NUM_THREADS": "0", "CPU_FEATURES": "none"}.items():
        monkeypatch.setenv(f"NUMBA_{name}", value)
    process = run_script("LeNet/Spiking_LeNet_MNIST.py", "--k", 0, "--limit", 1, "--logs", tmp_path)
    assert (process.returncode, process.stderr) == (0, "")


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
