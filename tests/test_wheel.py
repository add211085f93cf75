"""What pip installs: the library alone, which works without the repository."""

import json
import os
import shutil
import subprocess
import sys
import zipfile
from email import message_from_bytes

import numpy as np
import pytest

from spiking.conversion import convert
from tests import reference
from tests.helpers import ROOT
from tests.onnx_graphs import Net

TOP = ["pyproject.toml", "README_MNIST.md", "LICENSE", "spiking_utils.py", "run.py"]
FOLDERS = ["requirements", "spiking", "experiment", "LeNet", "figs", "tests"]  # the last four are not to be found
CONVERT_AND_RUN = """
import json, sys
import numpy as np
import spiking, spiking_utils
from spiking.conversion import convert

converted = convert("my.onnx", k=2, scale=1 / 255)
network = spiking_utils.SpikingNetwork(converted.weights, converted.network, converted.k, time_steps=40)
activity = network.run(np.load("pixels.npy"))
print(json.dumps([spiking.__file__, activity.trains[0].counts().tolist(), activity.potentials[:, -1].tolist()]))
"""


def pip(*arguments, cwd):
    """Runs pip, which looks nothing up."""
    command = [sys.executable, "-m", "pip", "--disable-pip-version-check", *arguments]
    process = subprocess.run(command, cwd=cwd, capture_output=True, text=True, timeout=120)
    assert process.returncode == 0, process.stderr


@pytest.fixture(scope="module")
def wheel(tmp_path_factory):
    """The wheel, built of a copy: building leaves folders behind."""
    copy, folder = (tmp_path_factory.mktemp(name) for name in ("copy", "wheel"))
    for name in TOP:
        shutil.copy(ROOT / name, copy)
    for name in FOLDERS:
        nothing_large = shutil.ignore_patterns("__pycache__", "logs", "data", "pretrained", "checkpoints", "*.svg")
        shutil.copytree(ROOT / name, copy / name, ignore=nothing_large)
    pip("wheel", "--no-build-isolation", "--no-deps", "--no-index", "--wheel-dir", folder, ".", cwd=copy)
    (path,) = folder.glob("*.whl")
    return path


def test_wheel_holds_the_library_and_nothing_else(wheel):
    sources = [path.relative_to(ROOT).as_posix() for path in (ROOT / "spiking").rglob("*.py")]
    with zipfile.ZipFile(wheel) as archive:
        names = [name for name in archive.namelist() if ".dist-info/" not in name]
    assert sorted(names) == sorted([*sources, "spiking_utils.py"])


def test_wheel_needs_numpy_and_numba_and_has_extras_for_other_peoples_networks(wheel):
    with zipfile.ZipFile(wheel) as archive:
        (name,) = [name for name in archive.namelist() if name.endswith("/METADATA")]
        needs = message_from_bytes(archive.read(name)).get_all("Requires-Dist")
    found = {}
    for need in needs:
        requirement, _, extra = need.partition("; extra == ")
        found.setdefault(extra.strip('"'), set()).add(requirement.partition("<")[0])
    assert found[""] == {"numpy", "numba"}
    assert (found["keras"], found["onnx"]) == ({"tensorflow", "keras"}, {"onnx"})
    assert found["cluster"] > found["keras"] | {"tqdm", "matplotlib", "pooch", "dask"}  # all that the scripts import


def test_installed_library_converts_and_runs_a_network_in_an_empty_folder(wheel, tmp_path):
    site, folder = tmp_path / "site", tmp_path / "folder"
    folder.mkdir()
    pip("install", "--no-deps", "--no-index", "--target", site, wheel, cwd=tmp_path)
    net = Net((1, 6, 6))
    x = net.add("Relu", net.convolve("image", 3, (3, 3)))
    scores = net.product(net.add("Flatten", x), 4)
    (folder / "my.onnx").write_bytes(net.model(scores).SerializeToString())
    pixels = np.random.default_rng(1).integers(0, 256, (5, 6, 6, 1))
    np.save(folder / "pixels.npy", pixels)

    command = [sys.executable, "-W", "ignore", "-c", CONVERT_AND_RUN]
    environment = os.environ | {"PYTHONPATH": str(site)}
    output = subprocess.check_output(command, cwd=folder, env=environment, text=True, timeout=120)
    place, counts, potentials = json.loads(output)
    assert place == str(site / "spiking" / "__init__.py")
    with pytest.warns(UserWarning, match="calibration"):
        converted = convert(folder / "my.onnx", k=2, scale=1 / 255)
    (expected,), expected_scores = reference.artificial(converted.weights, converted.network, 2, pixels)
    assert len(np.unique(expected)) > 2
    np.testing.assert_array_equal(counts, expected)
    np.testing.assert_array_equal(np.argmax(potentials, axis=1), expected_scores.argmax(axis=1))
