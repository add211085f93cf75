"""--export: the network rebuilt from the exported file alone, in plain NumPy integers, against the script's logs."""

import gzip

import numpy as np
import pytest
from numpy.testing import assert_array_equal

from experiment.images import load_split
from LeNet import Spiking_LeNet_MNIST
from spiking.network import FULL_PRECISION
from spiking.notation import parse
from tests.helpers import ROOT, assert_refused, run_script, save_model
from tests.networks import LENET, random_weights, with_gammas
from tests.script_helpers import forbid_imports, snapshot, write_images

SCRIPT = "LeNet/Spiking_LeNet_MNIST.py"
IMAGES, TIME_STEPS = 60, 6
OTHER = parse("12x20x3-6C3x2p-P2-5C4s2x1p-9-4b")


@pytest.fixture(scope="module")
def weights_path(tmp_path_factory):
    """Weights of k=1; every fourth channel has a negative gamma, and one has none."""
    path = tmp_path_factory.mktemp("weights") / "k1.npz"
    weights = with_gammas(random_weights(LENET, seed=4), lambda shape: np.where(np.arange(*shape) == 1, 0, 1))
    save_model(path, with_gammas(weights, lambda shape: np.where(np.arange(*shape) % 4, 1, -1)), 1)
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
    output, outputs = arrays["fc/bias"], []
    for t in range(time_steps):
        x = pixels.astype(np.int32) * (t == 0)
        for block in blocks:
            kernel, thresholds, stride, padding = (
                arrays[f"conv{block}/{name}"] for name in ("kernel", "thresholds", "stride", "padding")
            )
            current = convolve(x, kernel.astype(np.int32), stride, padding)
            u = potentials[block] = potentials.get(block, 0) + current
            n = counts.setdefault(block, np.zeros_like(u))
            justified = sum(
                u >= thresholds[:, count] for count in range(1, thresholds.shape[1])
            )  # m of the equations
            x = np.clip(justified - n, -arrays["max_spikes"] * arrays["negative_spikes"], arrays["max_spikes"])
            counts[block] = n + x
            trains[block].append(x.reshape(len(x), -1))
        output = output + x.reshape(len(x), -1) @ arrays["fc/kernel"].astype(np.int32)
        outputs.append(output)
    return [np.stack(train, axis=1) for train in trains.values()], np.stack(outputs, axis=1)


def convolve(x, kernel, stride, padding):
    """Convolution of integers, (images, h, w, in) with (h, w, in, out), over an input with zeros around it."""
    height, width, channels, filters = kernel.shape
    x = np.pad(x, [(0, 0), *padding, (0, 0)])
    windows = np.lib.stride_tricks.sliding_window_view(x, (height, width), axis=(1, 2))[:, :: stride[0], :: stride[1]]
    patches = windows.transpose(0, 1, 2, 4, 5, 3).reshape(-1, height * width * channels)
    result = np.zeros((len(patches), filters), np.int32)
    used = patches.any(axis=1)  # integer products are slow, and most windows see no spike
    result[used] = patches[used] @ kernel.reshape(-1, filters)
    return result.reshape(*windows.shape[:3], filters)


def assert_logged(folder, trains, potentials, labels):
    """The logs, of batches of one image, are those of the simulation."""
    spikes = np.concatenate(trains, axis=2)
    expected = {
        "accuracy": potentials.argmax(axis=2) == labels[:, None],
        "spike_num": np.abs(spikes).sum(axis=2).cumsum(axis=1),
        "spike_collect": spikes.sum(axis=2).cumsum(axis=1),
    }
    for name, numbers in expected.items():
        lines = np.array((folder / f"{name}.txt").read_text().split(), int)
        assert_array_equal(lines, numbers.ravel(), err_msg=name)


def test_network_rebuilt_from_the_file_alone_classifies_and_fires_as_the_script_logs(
    arrays, weights_path, tmp_path, run_here
):
    mnist = {
        name: np.frombuffer(
            gzip.decompress((ROOT / f"data/mnist/t10k-{name}.gz").read_bytes()), np.uint8, offset=start
        )
        for name, start in {"images-idx3-ubyte": 16, "labels-idx1-ubyte": 8}.items()
    }
    pixels = mnist["images-idx3-ubyte"].reshape(-1, 28, 28, 1)[:IMAGES]
    trains, potentials = simulate(arrays, pixels, TIME_STEPS)
    options = ["--weights", weights_path, "--time_steps", TIME_STEPS, "--limit", IMAGES, "--batch_size", 1]
    process = run_here(Spiking_LeNet_MNIST.main, *options, "--logs", tmp_path)
    assert process.returncode == 0, process.stderr
    assert_logged(tmp_path, trains, potentials, mnist["labels-idx1-ubyte"][:IMAGES])
    assert all(np.sum(train < 0) > 100 for train in trains[1:])  # else the comparison would show little
    assert len(np.unique(potentials.argmax(axis=2))) > 3


@pytest.mark.parametrize(
    ("level", "options"),
    [
        (0, ["--max_spikes", 3]),
        (1, ["--negative_spikes", False, "--max_spikes", 2]),
        (FULL_PRECISION, ["--k", 2]),
    ],
)
def test_other_networks_and_ways_of_firing_are_rebuilt_too(level, options, tmp_path, run_here):
    folder = write_images(tmp_path / "other", OTHER.input_shape, OTHER.classes)
    save_model(tmp_path / "weights.npz", random_weights(OTHER, seed=1), level, OTHER, data="other")
    options = ["--weights", tmp_path / "weights.npz", "--data", folder, "--time_steps", TIME_STEPS, *options]
    for more in (["--export", tmp_path / "integers.npz"], ["--logs", tmp_path / "logs", "--batch_size", 1]):
        process = run_here(Spiking_LeNet_MNIST.main, *options, *more)
        assert process.returncode == 0, process.stderr
    test = load_split("test", folder)
    with np.load(tmp_path / "integers.npz", allow_pickle=False) as archive:
        trains, potentials = simulate(dict(archive), test.pixels, TIME_STEPS)
    assert_logged(tmp_path / "logs", trains, potentials, test.labels)
    assert len(np.unique(np.concatenate(trains, axis=2))) >= 3  # several numbers of spikes at a time


def test_file_has_int16_kernels_and_int32_thresholds_and_no_pickle(arrays):
    for number, block in enumerate(LENET.blocks, start=1):
        kernel, thresholds = arrays[f"conv{number}/kernel"], arrays[f"conv{number}/thresholds"]
        assert (kernel.dtype, kernel.shape) == (np.int16, block.kernel_shape)
        assert (thresholds.dtype, thresholds.shape) == (np.int32, (block.filters, TIME_STEPS + 1))
        assert np.all(thresholds[:, 0] == -(2**31))
        assert tuple(arrays[f"conv{number}/stride"]) == block.stride
        assert_array_equal(arrays[f"conv{number}/padding"], 0)
    assert (arrays["fc/kernel"].dtype, arrays["fc/kernel"].shape) == (np.int16, (500, 10))
    assert_array_equal(arrays["fc/bias"], np.zeros(10, np.int32))
    assert [arrays[name] for name in ("k", "pixel_levels", "max_spikes", "negative_spikes")] == [1, 256, 1, 1]
    assert len(arrays) == 4 + 5 * 5 + 3


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
        ("new.npz", ["--max_spikes", "unbounded"], "argument --max_spikes: found unbounded, expected a number"),
    ],
)
def test_bad_place_changes_nothing(file, more, expected, weights_path, tmp_path):
    (tmp_path / "folder").mkdir()
    (tmp_path / "older.npz").write_text("the user's own")
    before = snapshot(tmp_path)
    process = run_script(SCRIPT, "--k", 1, "--weights", weights_path, "--export", file, *more, cwd=tmp_path)
    assert_refused(process, expected)
    assert snapshot(tmp_path) == before
