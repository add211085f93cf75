"""Imports: the library stands alone, and what scripts share loads without TensorFlow."""

import subprocess
import sys

import pytest

from tests.helpers import ROOT


def modules_after(statement):
    """The names of the modules that a new process has loaded after a statement, without their submodules."""
    code = f"import sys; {statement}; print(*{{name.partition('.')[0] for name in sys.modules}})"
    return set(subprocess.check_output([sys.executable, "-c", code], cwd=ROOT, text=True).split())


def test_the_library_needs_nothing_else_of_the_project_and_only_numpy_and_numba():
    loaded = modules_after("import spiking_utils")
    assert {"spiking", "spiking_utils", "numpy", "numba"} <= loaded
    assert not loaded & {"experiment", "LeNet", "figs", "tqdm", "matplotlib", "keras", "tensorflow"}


@pytest.mark.parametrize("module", ["experiment.logs", "experiment.weights", "experiment.images", "spiking.network"])
def test_what_scripts_and_figures_share_needs_neither_tensorflow_nor_numba(module):
    assert not modules_after(f"import {module}") & {"keras", "tensorflow", "numba"}


@pytest.mark.parametrize("script", ["Quant_LeNet_MNIST", "FP32_LeNet_MNIST", "Spiking_LeNet_MNIST"])
def test_a_script_loads_without_tensorflow_and_numba(script):
    assert not modules_after(f"import LeNet.{script}") & {"keras", "tensorflow", "numba"}
