"""What the tests of logs and scripts share: logs by hand, histories, the state of a folder, forbidden modules."""

import json
import subprocess
import sys

import numpy as np

from experiment import logs
from experiment.disk import OutputFolder
from experiment.model import HISTORY_NAME
from experiment.weights import Trained
from tests.helpers import LENET


def write_logs(folder, model, images, batch_size, right, statistics=None, network=LENET, **variation):
    """Writes logs from (batches, time steps) and (batches, blocks, time steps, 3) as the scripts do."""
    right, statistics = (None if numbers is None else np.array(numbers) for numbers in (right, statistics))
    trained = Trained(model, network, {}, epochs=150, images=50_000, all_images=50_000, threads=1)
    run = logs.settings(trained, model.k, images, batch_size, right.shape[1], **variation)
    with OutputFolder(folder) as output:
        return logs.write(output, run, right, statistics)


def change_run(folder, identity=None, **entries):
    """Changes entries of run.json, and of the model in it."""
    run = json.loads((folder / "run.json").read_text())
    run["model"] |= identity or {}
    (folder / "run.json").write_text(json.dumps(run | entries))


def history_without_seconds(folder):
    """The lines of a training's CSV, which are the same in every run but for their last column, the seconds."""
    return [line.rpartition(",")[0] for line in (folder / HISTORY_NAME).read_text().splitlines()]


def snapshot(folder):
    """Every file and folder below a folder, with the files' contents; Python's caches left out."""
    return {
        path.relative_to(folder): path.read_bytes() if path.is_file() else None
        for path in folder.rglob("*")
        if "__pycache__" not in path.parts
    }


def forbid_imports(monkeypatch, folder, *modules):
    """Lets every Python process that is started from now on fail if it imports one of the modules."""
    folder.mkdir()
    monkeypatch.setenv("PYTHONPATH", str(folder))
    for module in modules:
        (folder / f"{module}.py").write_text(f"raise AssertionError('{module} is imported')\n")
        attempt = subprocess.run([sys.executable, "-c", f"import {module}"], capture_output=True, text=True)
        assert f"{module} is imported" in attempt.stderr
