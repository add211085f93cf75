"""Which model Spiking_LeNet_MNIST.py runs: options, files and folders must agree, and it says what is special."""

import json

import numpy as np
import pytest

from experiment import logs, public_data
from experiment.disk import COMPLETE
from experiment.images import load_split
from experiment.model import NPZ_NAME, Model
from LeNet import Spiking_LeNet_MNIST
from spiking.network import FULL_PRECISION
from spiking.notation import parse
from tests import reference
from tests.helpers import assert_refused, save_model
from tests.networks import LENET, random_weights
from tests.script_helpers import snapshot, write_images

SMALL = parse("20x12x3-6C3-P2-9-4")
SMALL_NAME = "6C3-P2-9-other"
WEIGHTS = random_weights(SMALL, seed=5)


@pytest.fixture
def root(empty_repository):
    """A repository with data of 20 x 12 pixels, 3 channels and labels from 1, and with nothing else."""
    write_images(empty_repository / "data/other", (20, 12, 3), classes=4, first_label=1)
    return empty_repository


@pytest.fixture
def run(root, run_here):
    """Runs the script, which must succeed; returns what it printed."""

    def run(*options):
        process = run_here(Spiking_LeNet_MNIST.main, *options)
        assert (process.returncode, process.stderr) == (0, "")
        return process.stdout

    return run


def save(path, k=0, **identity):
    """Weights of the small network for the other data; returns the path."""
    path.parent.mkdir(parents=True, exist_ok=True)
    save_model(path, WEIGHTS, k, SMALL, **{"data": "other"} | identity)
    return path


@pytest.mark.parametrize("k", [0, 2])
def test_file_says_network_data_and_level(root, run, k):
    """Its logs are those of the equations, in the folder of its name."""
    stdout = run("--weights", save(root / "mine.npz", k), "--batch_size", 20, "--time_steps", 20)
    test = load_split("test", root / "data/other")
    assert test.labels.min() == 0  # 1 in the file
    trains, potentials = reference.spiking(WEIGHTS, SMALL, k, 20, test.pixels.astype(float))
    log = logs.read(root / f"figs/logs/k{k}-{SMALL_NAME}")
    np.testing.assert_array_equal(log.right, np.sum(potentials.argmax(axis=2) == test.labels[:, None], axis=0))
    np.testing.assert_array_equal(log.spike_num, np.cumsum(sum(np.abs(t).sum(axis=(0, 2, 3, 4)) for t in trains)))
    np.testing.assert_array_equal(log.sop_num, reference.synaptic_operations(SMALL, trains).sum(axis=0).cumsum())
    assert log.model == Model(k, "6C3-P2-9", "other")
    assert "weights    mine.npz\n" in stdout
    assert "trial" not in stdout


def test_option_that_contradicts_the_file(root, run_here):
    weights = save(root / "mine.npz")
    before = snapshot(root)
    process = run_here(Spiking_LeNet_MNIST.main, "--weights", weights, "--k", 1)
    assert_refused(process, "mine.npz: has k=0, expected k=1")
    assert snapshot(root) == before


def test_options_that_agree_with_the_file(root, run, tmp_path_factory):
    folder = write_images(tmp_path_factory.mktemp("elsewhere") / "other", (20, 12, 3), classes=4)
    options = ["--k", 0, "--network", "6C3-P2-9", "--data", folder, "--recipe", "augmented", "--seed", 3]
    run("--weights", save(root / "mine.npz", recipe="augmented", seed=3), *options)
    assert [path.name for path in (root / "figs/logs").iterdir()] == [f"k0-{SMALL_NAME}-augmented-seed3"]


@pytest.mark.parametrize("folder", [f"LeNet/checkpoints/k0-{SMALL_NAME}", "LeNet/pretrained"])
def test_default_weights_are_those_of_a_killed_run_too(root, run, folder):
    name = NPZ_NAME if "checkpoints" in folder else f"k0-{SMALL_NAME}.npz"
    save(root / folder / COMPLETE / name)
    options = ["--k", 0, "--network", "6C3-P2-9", "--data", root / "data/other"]
    assert f"weights    {folder}/{name}\n" in run(*options)
    assert [path.name for path in (root / folder).iterdir()] == [name]


def test_full_precision_is_converted_to_the_level_of_the_option(root, run):
    stdout = run("--weights", save(root / "fp32.npz", FULL_PRECISION), "--k", 2)
    assert "of full precision: the conversion inserts the quantiser of k=2" in stdout
    run("--weights", save(root / "k2.npz", 2))
    converted, trained = root / f"figs/logs/fp32-{SMALL_NAME}-k2", root / f"figs/logs/k2-{SMALL_NAME}"
    for name in ("accuracy.txt", "spike_num.txt", "spike_collect.txt", "sop_num.txt"):
        assert (converted / name).read_bytes() == (trained / name).read_bytes()
    run_json = json.loads((converted / "run.json").read_text())
    assert (run_json["k"], run_json["model"]["k"]) == (2, FULL_PRECISION)
    assert logs.read(converted).label == "full precision, 6C3-P2-9, other, converted to k=2"


@pytest.mark.parametrize(
    ("shape", "classes", "found"),
    [
        ((12, 20, 3), 4, "(12, 20, 3, 4)"),
        ((20, 12), 4, "(20, 12, 1, 4)"),
        ((20, 12, 3), 5, "(20, 12, 3, 5)"),
    ],
)
def test_images_inconsistent_with_the_network(root, run_here, shape, classes, found, tmp_path_factory):
    folder = write_images(tmp_path_factory.mktemp("elsewhere") / "other", shape, classes)
    before = snapshot(root)
    process = run_here(Spiking_LeNet_MNIST.main, "--weights", save(root / "mine.npz"), "--data", folder)
    assert_refused(
        process, f"has images (h, w, channels) and classes {found}, expected (20, 12, 3, 4) as the network has"
    )
    (root / "mine.npz").unlink()
    assert snapshot(root) == before


def test_mnist_without_files_or_network(root, run_here, monkeypatch):
    monkeypatch.setattr(public_data, "FOLDER", root / "data")
    monkeypatch.setitem(public_data.ADDRESSES, "mnist", "http://127.0.0.1:9")  # where nothing listens
    save_model(root / "k0.npz", random_weights(LENET, seed=0), 0)
    before = snapshot(root)
    process = run_here(Spiking_LeNet_MNIST.main, "--weights", root / "k0.npz")
    assert_refused(process, "labels-idx1-ubyte: not found, and downloading http://127.0.0.1:9/", "Connection refused")
    assert snapshot(root) == before
