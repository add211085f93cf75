"""MNIST's images shrunk to 8 x 8, as real images of another size: from four files to a verified spiking network."""

import re

import pytest

from experiment import ROOT, images, logs
from experiment.trained import read_npz
from figs import accuracy_speed, raster
from LeNet import Quant_LeNet_MNIST, Spiking_LeNet_MNIST

NETWORK = "12C3p-P2-16C3s2x1-32"
TRAINING_IMAGES, TEST_IMAGES = 1500, 297


@pytest.fixture(scope="module")
def shrunk(tmp_path_factory):
    """A folder of four IDX files, written by the page's code: pixels are means of 3 x 3 inside the margin of 2."""
    folder = tmp_path_factory.mktemp("data") / "shrunk"
    folder.mkdir()
    page = (ROOT / "docs/your-own-network.md").read_text()
    blocks = re.findall(r"^```python\n(.*?)^```$", page, re.DOTALL | re.MULTILINE)
    exec(next(block for block in blocks if "def write_idx" in block), code := {})
    write_idx = code["write_idx"]
    for split, number in {"train": TRAINING_IMAGES, "test": TEST_IMAGES}.items():
        pixels, labels, _ = images.load_split(split).first(number)
        means = pixels[:, 2:-2, 2:-2, 0].reshape(-1, 8, 3, 8, 3).mean(axis=(2, 4))
        write_idx(folder / f"{split}-images-idx3-ubyte", means)
        write_idx(folder / f"{split}-labels-idx1-ubyte", labels)
    return folder


def test_shrunk_images_become_a_lossless_spiking_network(shrunk, run_here, tmp_path):
    training = ("--k", 1, "--network", NETWORK, "--data", shrunk, "--epochs", 12, "--checkpoint", tmp_path / "state")
    assert run_here(Quant_LeNet_MNIST.main, *training).returncode == 0
    path = tmp_path / "state/model_MNIST.npz"
    trained = read_npz(path)
    assert trained.network.notation == f"8x8x1-{NETWORK}-10"
    assert (trained.model.data, trained.identity.images, trained.identity.all_images) == ("shrunk", 1250, 1250)

    options = ("--weights", path, "--data", shrunk)
    process = run_here(Spiking_LeNet_MNIST.main, *options, "--verify")
    neurons = trained.network.neurons * TEST_IMAGES
    assert re.search(rf"^total +{neurons:,} +{neurons:,} ", process.stdout, re.MULTILINE), process.stderr
    assert process.returncode == 0
    assert process.stdout.endswith("\nlossless\n")

    assert run_here(Spiking_LeNet_MNIST.main, *options, "--logs", tmp_path / "logs").returncode == 0
    log = logs.read(tmp_path / "logs")
    assert (log.network, log.images) == (trained.network, TEST_IMAGES)
    assert log.accuracy[-1] > 50  # of ten classes: it has learnt something
    for figure, chosen in ((accuracy_speed, ("--logs", tmp_path / "logs")), (raster, options)):
        process = run_here(figure.main, *chosen, "--output", tmp_path / "figs")
        assert process.returncode == 0, process.stderr
    assert "shrunk" in next((tmp_path / "figs").glob("scnn_accuracy*.svg")).read_text()
