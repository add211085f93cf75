"""What the tests of logs and scripts share: logs by hand, histories, the state of a folder, forbidden modules."""

import json
import subprocess
import sys

import numpy as np

from experiment import logs
from experiment.disk import output_folder
from experiment.identity import Identity
from experiment.model import HISTORY_NAME
from experiment.runs import Run, Variation
from tests.networks import LENET


def write_logs(folder, model, images, batch_size, right, statistics=None, network=LENET, **variation):
    """Writes logs from (batches, time steps) and (batches, blocks, time steps, 3) as the scripts do."""
    right, statistics = (None if numbers is None else np.array(numbers) for numbers in (right, statistics))
    identity = Identity(model, network, epochs=150, images=50_000, all_images=50_000, threads=1)
    run = Run(identity, Variation(**variation), right.shape[1], batch_size, images)
    with output_folder(folder) as output:
        logs.write(output, run, right, statistics)


def change_run(folder, identity=None, **entries):
    """Changes entries of run.json, and of the model in it."""
    run = json.loads((folder / "run.json").read_text())
    run["model"] |= identity or {}
    (folder / "run.json").write_text(json.dumps(run | entries))


def history_without_seconds(folder):
    """The lines of a training's CSV, which are the same in every run but for their last column, the seconds."""
    return [line.rpartition(",")[0] for line in (folder / HISTORY_NAME).read_text().splitlines()]


def with_usual(usual, options):
    """The given options, followed by those of the usual ones, values by name, that are not among them."""
    given = {str(option).partition("=")[0] for option in options}
    return [part for name, value in usual.items() if name not in given for part in (name, value)] + list(options)


def snapshot(folder):
    """Every file and folder below a folder, with the files' contents but without Python's caches."""
    return {
        path.relative_to(folder): path.read_bytes() if path.is_file() else None
        for path in folder.rglob("*")
        if "__pycache__" not in path.parts
    }


def forbid_imports(monkeypatch, folder, *modules):
    """Makes every Python process that is started from now on fail if it imports one of the modules."""
    folder.mkdir()
    monkeypatch.setenv("PYTHONPATH", str(folder))
    for module in modules:
        (folder / f"{module}.py").write_text(f"raise AssertionError('{module} is imported')\n")
        attempt = subprocess.run([sys.executable, "-c", f"import {module}"], capture_output=True, text=True)
        assert f"{module} is imported" in attempt.stderr


def idx(array):
    """The bytes of an IDX file of an array of uint8."""
    return bytes((0, 0, 8, array.ndim)) + np.array(array.shape, ">u4").tobytes() + array.astype(np.uint8).tobytes()


def write_images(folder, shape, classes, first_label=0):
    """Writes a folder of other data: 60 training and 20 test images, random, of shape (h, w) or (h, w, channels)."""
    folder.mkdir(parents=True)
    rng = np.random.default_rng(0)
    for split, number in {"train": 60, "test": 20}.items():
        images, labels = rng.integers(0, 256, (number, *shape)), np.arange(number) % classes + first_label
        (folder / f"{split}-images-idx{images.ndim}-ubyte").write_bytes(idx(images))
        (folder / f"{split}-labels.idx1-ubyte").write_bytes(idx(labels))
    return folder
