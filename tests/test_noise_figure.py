"""figs/noise.py: the accuracies that it prints and draws, against runs of Spiking_LeNet_MNIST.py."""

import json

import numpy as np
import pytest
from numpy.testing import assert_allclose

from experiment.model import published_weights
from figs import noise
from LeNet import Spiking_LeNet_MNIST
from tests.helpers import assert_refused, run_script
from tests.script_helpers import forbid_imports, snapshot

SCRIPT = "figs/noise.py"
LEVELS, IMAGES, SEED = (0, 1), 250, 5
OPTIONS = ["--k", *LEVELS, "--limit", IMAGES, "--seed", SEED]
RATIOS = ("0.00", "0.25", "0.50", "0.75", "1.00", "1.25", "1.50", "1.75", "2.00")


@pytest.fixture(scope="module")
def drawn(tmp_path_factory):
    """What the script prints and the folder that it writes, without TensorFlow."""
    folder = tmp_path_factory.mktemp("drawn")
    with pytest.MonkeyPatch.context() as monkeypatch:
        forbid_imports(monkeypatch, folder / "modules", "tensorflow", "keras")
        process = run_script(SCRIPT, *OPTIONS, "--output", "figs", cwd=folder)
    assert (process.returncode, process.stderr) == (0, "")
    return process.stdout, folder / "figs"


@pytest.fixture(scope="module")
def table(drawn):
    """The printed accuracies by noise ratio, a text for each level."""
    rows = [line.split() for line in drawn[0].splitlines()]
    return {row[0]: row[1::2] for row in rows if row[0] in RATIOS}


def test_table_covers_all_ratios_and_shows_what_noise_does(table):
    assert tuple(table) == RATIOS
    for level in range(len(LEVELS)):
        assert float(table["0.00"][level]) > float(table["2.00"][level])


@pytest.mark.parametrize("ratio", ["0.00", "1.00", "2.00"])
@pytest.mark.parametrize("k", LEVELS)
def test_accuracies_are_those_of_the_spiking_script(ratio, k, table, tmp_path, run_here):
    options = ["--k", k, "--weights", published_weights(k), "--limit", IMAGES, "--seed", SEED, "--logs", tmp_path]
    assert run_here(Spiking_LeNet_MNIST.main, *options, "--noise_ratio", ratio).returncode == 0
    run = json.loads((tmp_path / "run.json").read_text())
    assert table[ratio][LEVELS.index(k)] == f"{100 * run['snn_accuracy']:.2f}"


def test_lines_are_the_accuracies():
    accuracy = {"k=0": list(np.linspace(99, 91, 9)), "k=2": list(np.linspace(98, 94, 9))}
    (axes,) = noise.draw(accuracy).axes
    for line, (name, percent) in zip(axes.lines, accuracy.items(), strict=True):
        assert_allclose(line.get_xdata(), [float(ratio) for ratio in RATIOS])
        assert_allclose(line.get_ydata(), percent)
        assert line.get_label() == f"{name}: {percent[0]:.2f} % to {percent[-1]:.2f} %"


def test_every_run_on_any_number_of_threads_gives_the_same_bytes(drawn, tmp_path):
    process = run_script(SCRIPT, *OPTIONS, "--threads", 3, "--output", tmp_path)
    assert process.returncode == 0
    assert {path.name for path in tmp_path.iterdir()} == {"scnn_noise_mnist.png", "scnn_noise_mnist.svg"}
    assert snapshot(tmp_path) == snapshot(drawn[1])


def test_bad_options_and_places_are_refused_before_numba_is_imported(tmp_path, monkeypatch):
    forbid_imports(monkeypatch, tmp_path / "modules", "numba", "tensorflow")
    (tmp_path / "file").write_text("a regular file")
    assert_refused(run_script(SCRIPT, "--limit", 0), "--limit", "found '0'")
    assert_refused(run_script(SCRIPT, "--k", 0, 9), "LeNet/pretrained/k9.npz: not found, expected published weights")
    assert_refused(run_script(SCRIPT, "--output", tmp_path / "file"), str(tmp_path / "file"))
