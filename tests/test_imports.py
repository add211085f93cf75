"""Imports: the library stands alone, and what scripts share loads without TensorFlow."""

import subprocess
import sys

import pytest

from tests.helpers import ROOT, run_script
from tests.script_helpers import forbid_imports


def modules_after(statement):
    """The names of the modules that a new process has loaded after a statement, without their submodules."""
    code = f"import sys; {statement}; print(*{{name.partition('.')[0] for name in sys.modules}})"
    return set(subprocess.check_output([sys.executable, "-c", code], cwd=ROOT, text=True).split())


def test_the_library_needs_nothing_else_of_the_project_and_only_numpy_and_numba():
    loaded = modules_after("import spiking_utils")
    assert {"spiking", "spiking_utils", "numpy", "numba"} <= loaded
    assert not loaded & {"experiment", "LeNet", "figs", "tqdm", "matplotlib", "keras", "tensorflow"}


@pytest.mark.parametrize("script", ["Quant_LeNet_MNIST", "FP32_LeNet_MNIST", "Spiking_LeNet_MNIST"])
def test_help_answers_without_tensorflow_and_numba(script, tmp_path, monkeypatch):
    forbid_imports(monkeypatch, tmp_path / "modules", "keras", "tensorflow", "numba")
    process = run_script(f"LeNet/{script}.py", "--help")
    assert (process.returncode, process.stderr) == (0, "")
    assert "--network NOTATION" in process.stdout
