"""Bad input of Spiking_LeNet_MNIST.py: one line on stderr, exit status 2, nothing changed on disk."""

import numpy as np
import pytest

from LeNet import Spiking_LeNet_MNIST
from tests.helpers import assert_refused, run_script, save_model
from tests.networks import LENET, random_weights
from tests.script_helpers import forbid_imports, idx, snapshot, with_usual, write_images

SCRIPT = "LeNet/Spiking_LeNet_MNIST.py"
OLDER_LOGS = ("accuracy.txt", "spike_num.txt", "spike_collect.txt", "sop_num.txt", "run.json")


@pytest.fixture
def folder(tmp_path):
    """A folder with weights of k=0 and older logs."""
    save_model(tmp_path / "k0.npz", random_weights(LENET, seed=0), 0)
    (tmp_path / "logs").mkdir()
    for name in OLDER_LOGS:
        (tmp_path / "logs" / name).write_text("of an older run\n")
    return tmp_path


@pytest.fixture
def refuses(folder, run_here, monkeypatch):
    """Checks that the script refuses options with one line, and leaves the folder as it was.

    With those that it is called with beside them the script would succeed.
    """
    monkeypatch.chdir(folder)

    def check(*options, expected):
        before = snapshot(folder)
        usual = {"--weights": folder / "k0.npz", "--logs": folder / "logs", "--limit": 1}
        assert_refused(run_here(Spiking_LeNet_MNIST.main, *with_usual(usual, options)), *expected)
        assert snapshot(folder) == before

    return check


BAD_OPTIONS = {
    "--k": (["-1", "one", "0.5", "17"], "an integer of at least 0 and at most 16"),
    "--seed": (["-1", "4294967296"], "an integer of at least 0 and at most 4294967295"),
    "--noise_seed": (["-1", "x"], "an integer of at least 0 and at most 4294967295"),
    "--time_steps": (["0", "", "10001"], "an integer of at least 1 and at most 10000"),
    "--batch_size": (["0", "2000000000"], "an integer of at least 1 and at most 1000000"),
    "--threads": (["0", "2147483647", "9" * 11], "an integer of at least 1 and at most 1024"),
    "--limit": (["-5", "9" * 20], "an integer of at least 1 and at most 1000000"),
    "--max_spikes": (["0", "1.5", "all", "9" * 20], "an integer of at least 1 and at most 1000000, or unbounded"),
    "--negative_spikes": (["no", "0"], "True or False"),
}


@pytest.mark.parametrize("option", BAD_OPTIONS)
def test_bad_values_of_options(refuses, option):
    values, expected = BAD_OPTIONS[option]
    for value in values:
        refuses(f"{option}={value}", expected=[f"argument {option}: found {value!r}, expected {expected}"])


@pytest.mark.parametrize(
    ("option", "value", "expected"),
    [
        ("--network", "20C5-P0x", "found '20C5-P0x': layer 2 (P0x): not a layer, expected nCk"),
        ("--data", "/", "data is '', expected the name of a folder"),
        ("--weights", "none.npz", "none.npz: not found, expected an npz"),
    ],
)
def test_what_needs_no_simulation_is_refused_before_numba_is_imported(tmp_path, monkeypatch, option, value, expected):
    forbid_imports(monkeypatch, tmp_path / "modules", "numba", "tensorflow")
    assert_refused(run_script(SCRIPT, option, value, cwd=tmp_path), expected)


@pytest.mark.parametrize("options", [["--unknown"], ["--weights"], ["k0.npz"]])
def test_unknown_options(refuses, options):
    refuses(*options, expected=[options[0]])


@pytest.mark.parametrize(
    ("mode", "option", "value"),
    [
        *[("verify", option, 3) for option in ("time_steps", "threads")],
        *[("export", option, 3) for option in ("batch_size", "limit", "threads", "noise_ratio", "noise_seed")],
        *[(mode, "logs", "folder") for mode in ("verify", "export")],
        ("verify", "negative_spikes", False),
    ],
)
def test_options_that_a_mode_ignores_are_refused(tmp_path, run_here, mode, option, value):
    modes = {"verify": ["--verify"], "export": ["--export", tmp_path / "integers.npz"]}
    process = run_here(Spiking_LeNet_MNIST.main, *modes[mode], f"--{option}", value)
    assert_refused(process, f"argument --{option}: not allowed with --{mode}, which ignores it")
    assert list(tmp_path.iterdir()) == []


def test_impossible_weights(folder, refuses):
    with np.load(folder / "k0.npz") as archive:
        arrays = dict(archive)
    arrays["conv3/W"] = arrays["conv3/W"][..., :40]
    np.savez(folder / "bad.npz", **arrays)
    expected = ["bad.npz: conv3/W has shape (5, 5, 20, 40), expected (5, 5, 20, 50)"]
    refuses("--weights", "bad.npz", expected=expected)


def test_potentials_beyond_int32(folder, refuses):
    """Every neuron fires in every step: block 3 could reach 500 * 32767 * 150 > 2^31."""
    values = {"W": 32767 / 2**14, "gamma": 1, "beta": 200, "moving_mean": 0, "moving_var": 1}
    weights = {key: np.full(shape, values[key.split("/")[1]]) for key, shape in LENET.weight_shapes.items()}
    save_model(folder / "k7.npz", weights, 7)
    options = ["--weights", "k7.npz", "--k", 7, "--time_steps", 150]
    refuses(*options, expected=["potentials could reach 2457525000", "int32"])
    refuses(*options, "--logs", folder / "new/deep", expected=["int32"])


def test_damaged_images(folder, refuses):
    save_model(folder / "digits.npz", random_weights(LENET, seed=0), 0, data="digits")
    data = write_images(folder / "digits", (28, 28), classes=10)
    (data / "test-images-idx3-ubyte").write_bytes(idx(np.zeros((20, 28, 28)))[:-1])
    expected = ["digits/test-images-idx3-ubyte: has 15679 bytes of data, expected the product"]
    refuses("--weights", folder / "digits.npz", "--data", data, expected=expected)
