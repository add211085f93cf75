"""The examples, on a few images, and where they cannot write."""

import errno
import re
import subprocess
import sys
from functools import partial
from pathlib import Path

import pytest

from examples import own_network, residual_network
from tests.helpers import ROOT, assert_refused


@pytest.mark.parametrize("example", [own_network, residual_network])
def test_folder_that_cannot_be_written_to_is_refused_before_the_training(example, run_here, monkeypatch):
    monkeypatch.chdir("/proc")
    process = run_here(example.main)
    assert_refused(process, "/proc/.staging: ")
    assert process.stdout == ""


@pytest.mark.parametrize("example", ["own_network", "residual_network"])
def test_too_little_memory_is_one_line(example, tmp_path):
    command = f"ulimit -v 3000000; exec '{sys.executable}' '{ROOT}/examples/{example}.py'"
    process = subprocess.run(["bash", "-c", command], cwd=tmp_path, capture_output=True, text=True, timeout=200)
    assert_refused(process, "out of memory: expected 3584 MiB of address space for TensorFlow")
    assert list(tmp_path.iterdir()) == []


def test_picture_of_before_outlives_a_full_disk(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / residual_network.PICTURE).write_text("of before")

    def run_out_of_space(figure, path, **settings):
        Path(path).write_text("half")
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr("matplotlib.figure.Figure.savefig", run_out_of_space)
    with pytest.raises(OSError, match="No space left on device"):
        residual_network.draw({"B = 1": [10, 20]}, 0.2)
    assert (tmp_path / residual_network.PICTURE).read_text() == "of before"


def test_example_trains_converts_and_agrees(run_here, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    process = run_here(partial(own_network.main, epochs=1, limit=200))
    assert process.returncode == 0, process.stderr
    assert "28x28x1-8C3pm4-M2-16C3pm4-M2-64m4-10b, its weights rounded by " in process.stdout
    assert "200 of its 200 predictions are the spiking network's\n" in process.stdout
    assert "200 images are quiescent after 60 time steps\n" in process.stdout
    assert (tmp_path / "own_network.keras").exists()


def test_residual_example_is_the_models_network_for_any_bound_on_spikes(run_here, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    process = run_here(partial(residual_network.main, epochs=1), "--limit", 100)
    assert process.returncode == 0, process.stderr
    accuracies = re.findall(r" (\S+) %, (\d+) predictions are the model's\n", process.stdout)
    assert len(accuracies) == 3
    assert len(set(accuracies)) == 1  # the quantised network's, for any bound on spikes
    assert process.stdout.count("100 images are quiescent, ") == 3
    assert (tmp_path / "residual_network.png").stat().st_size > 10_000


def test_example_takes_no_options(run_here):
    assert_refused(run_here(own_network.main, "--epochs", 1), "unrecognized arguments: --epochs 1")
