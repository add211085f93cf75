"""--export: the network rebuilt from the exported file alone, in plain NumPy integers, against the script's logs."""

import gzip

import numpy as np
import pytest
from numpy.testing import assert_array_equal

from experiment.images import save_npz
from spiking.network import LENET
from tests.helpers import ROOT, assert_refused, random_weights, run_script
from tests.script_helpers import forbid_imports, snapshot

SCRIPT = "LeNet/Spiking_LeNet_MNIST.py"
IMAGES, TIME_STEPS = 200, 6


@pytest.fixture(scope="module")
def weights_path(tmp_path_factory):
    """Weights of k=1; every fourth channel has a negative gamma, and one has none."""
    weights = random_weights(LENET, seed=4)
    for key in weights:
        if key.endswith("gamma"):
            weights[key][::4] *= -1
            weights[key][1] = 0
    path = tmp_path_factory.mktemp("weights") / "k1.npz"
    save_npz(weights, 1, path)
    return path


@pytest.fixture(scope="module")
def exported(weights_path, tmp_path_factory):
    path = tmp_path_factory.mktemp("exported") / "network.npz"
    process = run_script(SCRIPT, "--k", 1, "--weights", weights_path, "--time_steps", TIME_STEPS, "--export", path)
    assert process.returncode == 0, process.stderr
    return path, process.stdout


@pytest.fixture(scope="module")
def arrays(exported):
    with np.load(exported[0], allow_pickle=False) as archive:
        return dict(archive)


def simulate(arrays, pixels, time_steps):
    """The network of an exported file as README_MNIST.md describes it: nothing of the project, integers only.

    Returns each block's spikes, (images, time steps, neurons), and the potentials, (images, time steps, classes).
    """
    blocks = range(1, 1 + sum(key.endswith("/thresholds") for key in arrays))
    potentials, counts, trains = {}, {}, {block: [] for block in blocks}
    output, outputs = 0, []
    for t in range(time_steps):
        x = pixels.astype(np.int32) * (t == 0)
        for block in blocks:
            kernel, thresholds = arrays[f"conv{block}/kernel"], arrays[f"conv{block}/thresholds"]
            current = convolve(x, kernel.astype(np.int32), int(arrays[f"conv{block}/stride"]))
            u = potentials[block] = potentials.get(block, 0) + current
            n = counts.setdefault(block, np.zeros_like(u))
            channel = np.arange(len(thresholds))
            x = (u >= thresholds[channel, n + 1]).astype(np.int32) - (u < thresholds[channel, n])
            counts[block] = n + x
            trains[block].append(x.reshape(len(x), -1))
        output = output + x.reshape(len(x), -1) @ arrays["fc/kernel"].astype(np.int32)
        outputs.append(output)
    return [np.stack(train, axis=1) for train in trains.values()], np.stack(outputs, axis=1)


def convolve(x, kernel, stride):
    """VALID convolution of integers, (images, h, w, in) with (h, w, in, out)."""
    height, width, channels, filters = kernel.shape
    windows = np.lib.stride_tricks.sliding_window_view(x, (height, width), axis=(1, 2))[:, ::stride, ::stride]
    patches = windows.transpose(0, 1, 2, 4, 5, 3).reshape(-1, height * width * channels)
    result = np.zeros((len(patches), filters), np.int32)
    used = patches.any(axis=1)  # integer products are slow, and most windows see no spike
    result[used] = patches[used] @ kernel.reshape(-1, filters)
    return result.reshape(*windows.shape[:3], filters)


def test_network_rebuilt_from_the_file_alone_classifies_and_fires_as_the_script_logs(arrays, weights_path, tmp_path):
    mnist = {
        name: np.frombuffer(
            gzip.decompress((ROOT / f"data/mnist/t10k-{name}.gz").read_bytes()), np.uint8, offset=start
        )
        for name, start in {"images-idx3-ubyte": 16, "labels-idx1-ubyte": 8}.items()
    }
    pixels = mnist["images-idx3-ubyte"].reshape(-1, 28, 28, 1)[:IMAGES]
    labels = mnist["labels-idx1-ubyte"][:IMAGES]
    trains, potentials = simulate(arrays, pixels, TIME_STEPS)
    right = potentials.argmax(axis=2) == labels[:, None]
    spikes = np.concatenate(trains, axis=2)
    expected = {
        "accuracy": right,  # of each image, as batches have one
        "spike_num": np.abs(spikes).sum(axis=2).cumsum(axis=1),
        "spike_collect": spikes.sum(axis=2).cumsum(axis=1),
    }
    options = ["--k", 1, "--weights", weights_path, "--time_steps", TIME_STEPS, "--limit", IMAGES, "--batch_size", 1]
    process = run_script(SCRIPT, *options, "--logs", tmp_path)
    assert process.returncode == 0, process.stderr
    for name, numbers in expected.items():
        lines = np.array((tmp_path / f"{name}.txt").read_text().split(), int)
        assert_array_equal(lines, numbers.ravel(), err_msg=name)
    assert all(np.sum(train < 0) > 100 for train in trains[1:])  # else the comparison would show little
    assert len(np.unique(potentials.argmax(axis=2))) > 3


def test_file_has_int16_kernels_and_int32_thresholds_and_no_pickle(arrays):
    for number, block in enumerate(LENET.blocks, start=1):
        kernel, thresholds = arrays[f"conv{number}/kernel"], arrays[f"conv{number}/thresholds"]
        assert (kernel.dtype, kernel.shape) == (np.int16, block.kernel_shape)
        assert (thresholds.dtype, thresholds.shape) == (np.int32, (block.filters, TIME_STEPS + 1))
        assert np.all(thresholds[:, 0] == -(2**31))
        assert arrays[f"conv{number}/stride"] == block.stride
    assert (arrays["fc/kernel"].dtype, arrays["fc/kernel"].shape) == (np.int16, (500, 10))
    assert (arrays["k"], arrays["pixel_levels"]) == (1, 256)
    assert len(arrays) == 2 + 5 * 4 + 2


def test_kernels_are_the_weights_times_two_to_the_exponent_with_the_sign_of_gamma(arrays, weights_path):
    with np.load(weights_path, allow_pickle=False) as archive:
        weights = dict(archive)
    for number in range(1, 6):
        sign = np.where(weights[f"bn{number}/gamma"] < 0, -1, 1)
        unit = 2.0 ** -arrays[f"conv{number}/exponent"]
        assert_array_equal(arrays[f"conv{number}/kernel"] * unit, weights[f"conv{number}/W"] * sign)
    assert_array_equal(arrays["fc/kernel"] * 2.0 ** -arrays["fc/exponent"], weights["fc/W"])


def test_says_what_it_has_written(exported, arrays):
    path, stdout = exported
    assert stdout.endswith(f"\nwritten    {path}\n")
    for key, array in arrays.items():
        pattern = [key, str(array.dtype), *str(array.shape).split()]
        assert pattern in [line.split()[: len(pattern)] for line in stdout.splitlines()]


def test_same_bytes_in_a_new_folder_without_tensorflow_or_logs(exported, weights_path, tmp_path, monkeypatch):
    forbid_imports(monkeypatch, tmp_path / "modules", "tensorflow", "keras")
    options = ["--k", 1, "--weights", weights_path, "--time_steps", TIME_STEPS]
    process = run_script(SCRIPT, *options, "--export", "new/folder/file", cwd=tmp_path)
    assert process.returncode == 0, process.stderr
    assert snapshot(tmp_path / "new") == {
        (tmp_path / "new/folder").relative_to(tmp_path / "new"): None,
        (tmp_path / "new/folder/file").relative_to(tmp_path / "new"): exported[0].read_bytes(),
    }
    assert {path.name for path in tmp_path.iterdir()} == {"modules", "new"}


@pytest.mark.parametrize(
    ("file", "more", "expected"),
    [
        ("folder", [], "folder is a folder, expected the name of a file"),
        ("older.npz/new.npz", [], "older.npz"),
        ("new.npz", ["--verify"], "not allowed with argument"),
    ],
)
def test_bad_place_changes_nothing(file, more, expected, weights_path, tmp_path):
    (tmp_path / "folder").mkdir()
    (tmp_path / "older.npz").write_text("the user's own")
    before = snapshot(tmp_path)
    process = run_script(SCRIPT, "--k", 1, "--weights", weights_path, "--export", file, *more, cwd=tmp_path)
    assert_refused(process, expected)
    assert snapshot(tmp_path) == before
