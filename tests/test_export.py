"""--export: a network rebuilt from the exported file alone, in NumPy integers, is compared with the script's logs."""

import numpy as np
import pytest
from numpy.testing import assert_array_equal

from experiment.images import load_split
from LeNet import Spiking_LeNet_MNIST
from spiking.network import FULL_PRECISION
from spiking.notation import parse
from spiking_utils import SpikingNetwork
from tests.helpers import assert_refused, run_script, save_model
from tests.integer_replay import replay
from tests.networks import LENET, random_weights, with_gammas
from tests.script_helpers import forbid_imports, snapshot, write_images

SCRIPT = "LeNet/Spiking_LeNet_MNIST.py"
TIME_STEPS = 6
OTHER = parse("12x20x3-6C3x2p-M2-6C3pg3b+I@2-5C4s2x1p-9-4b")


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


def assert_logged(folder, arrays, pixels, labels):
    """The logs, of batches of one image, are those of the replay; returns all spikes."""
    *blocks, classifier = replay(arrays, pixels, TIME_STEPS).values()
    spikes = np.concatenate([block.spikes.reshape(len(pixels), TIME_STEPS, -1) for block in blocks], axis=2)
    potentials = classifier.potentials[:, :, 0, 0]
    expected = {
        "accuracy": potentials.argmax(axis=2) == labels[:, None],
        "spike_num": np.abs(spikes).sum(axis=2).cumsum(axis=1),
        "spike_collect": spikes.sum(axis=2).cumsum(axis=1),
    }
    for name, numbers in expected.items():
        lines = np.array((folder / f"{name}.txt").read_text().split(), int)
        assert_array_equal(lines, numbers.ravel(), err_msg=name)
    return spikes


@pytest.mark.parametrize(
    ("level", "options"),
    [
        (0, ["--max_spikes", 3]),
        (1, ["--negative_spikes", False, "--max_spikes", 2]),
        (FULL_PRECISION, ["--k", 2]),
    ],
)
def test_other_networks_and_ways_of_firing_are_rebuilt_too(level, options, tmp_path, run_here):
    folder = write_images(tmp_path / "other", OTHER.input_shape, OTHER.classifier.classes)
    save_model(tmp_path / "weights.npz", random_weights(OTHER, seed=1), level, OTHER, data="other")
    options = ["--weights", tmp_path / "weights.npz", "--data", folder, "--time_steps", TIME_STEPS, *options]
    for more in (["--export", tmp_path / "integers.npz"], ["--logs", tmp_path / "logs", "--batch_size", 1]):
        process = run_here(Spiking_LeNet_MNIST.main, *options, *more)
        assert process.returncode == 0, process.stderr
    test = load_split("test", folder)
    with np.load(tmp_path / "integers.npz", allow_pickle=False) as archive:
        spikes = assert_logged(tmp_path / "logs", dict(archive), test.pixels, test.labels)
    assert len(np.unique(spikes)) >= 3  # several numbers at a time


def test_file_has_int16_kernels_and_int32_thresholds_and_no_pickle(arrays):
    found = {key: (array.dtype, array.shape) for key, array in arrays.items()}
    number = (np.int64, ())
    expected = dict.fromkeys(("k", "pixel_levels", "max_spikes", "negative_spikes"), number)
    for block in LENET.blocks:
        (edge,) = block.inputs
        expected |= {f"conv{block.name}/{key}": number for key in ("source", "groups", "factor", "exponent")}
        expected |= {
            f"conv{block.name}/kernel": (np.int16, edge.kernel_shape),
            f"conv{block.name}/thresholds": (np.int32, (edge.filters, TIME_STEPS + 1)),
            f"conv{block.name}/stride": (np.int64, (2,)),
            f"conv{block.name}/padding": (np.int64, (2, 2)),
        }
        assert np.all(arrays[f"conv{block.name}/thresholds"][:, 0] == -(2**31))
    expected |= {"fc/source": number, "fc/exponent": number}
    expected |= {"fc/kernel": (np.int16, (500, 10)), "fc/bias": (np.int32, (10,))}
    assert found == expected
    assert [arrays[name] for name in ("k", "pixel_levels", "max_spikes", "negative_spikes")] == [1, 256, 1, 1]


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
    process = run_script(SCRIPT, *options, "--export", "new/folder/file.npz", cwd=tmp_path)
    assert process.returncode == 0, process.stderr
    assert snapshot(tmp_path / "new") == {
        (tmp_path / "new/folder").relative_to(tmp_path / "new"): None,
        (tmp_path / "new/folder/file.npz").relative_to(tmp_path / "new"): exported[0].read_bytes(),
    }
    assert {path.name for path in tmp_path.iterdir()} == {"modules", "new"}


@pytest.mark.parametrize(
    ("file", "more", "expected"),
    [
        ("folder", [], "folder is a folder, expected the name of an npz file"),
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


def test_thresholds_that_would_fill_the_memory_are_refused():
    snn = SpikingNetwork(random_weights(LENET, 0), LENET, 0, time_steps=1000, max_spikes=1000)
    expected = r"^1000 time steps of 1000 spikes, for 500 filters, need more than 16,777,216 thresholds$"
    with pytest.raises(OverflowError, match=expected):
        snn.integer_arrays()
