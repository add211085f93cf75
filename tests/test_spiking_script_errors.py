"""Bad input of Spiking_LeNet_MNIST.py: one line on stderr, exit status 2, nothing changed on disk."""

import gzip
import os
import shutil
import socketserver
from threading import Thread

import numpy as np
import pytest

from experiment.images import save_npz
from spiking.network import LENET
from tests.helpers import ROOT, assert_refused, random_weights, run_script
from tests.script_helpers import forbid_imports, snapshot

SCRIPT = "LeNet/Spiking_LeNet_MNIST.py"
OLDER_LOGS = ("accuracy.txt", "spike_num.txt", "spike_collect.txt", "sop_num.txt", "run.json")


@pytest.fixture
def folder(tmp_path):
    """A folder with weights of k=0 and older logs."""
    save_npz(random_weights(LENET, seed=0), 0, tmp_path / "k0.npz")
    (tmp_path / "logs").mkdir()
    for name in OLDER_LOGS:
        (tmp_path / "logs" / name).write_text("of an older run\n")
    return tmp_path


def assert_changes_nothing(folder, *options, expected):
    """Later options override the earlier ones, with which the script would succeed."""
    before = snapshot(folder)
    usual = ["--k", 0, "--weights", folder / "k0.npz", "--logs", folder / "logs", "--limit", 1]
    assert_refused(run_script(SCRIPT, *usual, *options, cwd=folder), *expected)
    assert snapshot(folder) == before


@pytest.mark.parametrize(
    ("option", "value", "minimum"),
    [
        ("--k", "-1", 0),
        ("--k", "one", 0),
        ("--k", "0.5", 0),
        ("--time_steps", "0", 1),
        ("--time_steps", "", 1),
        ("--batch_size", "0", 1),
        ("--threads", "0", 1),
        ("--limit", "-5", 1),
    ],
)
def test_bad_options_are_refused_before_numba_is_imported(folder, monkeypatch, option, value, minimum):
    forbid_imports(monkeypatch, folder / "modules", "numba")
    expected = [option, f"found {value!r}, expected an integer of at least {minimum}"]
    assert_changes_nothing(folder, f"{option}={value}", expected=expected)


@pytest.mark.parametrize("options", [["--unknown"], ["--weights"], ["k0.npz"]])
def test_unknown_options(folder, options):
    assert_changes_nothing(folder, *options, expected=[options[0]])


@pytest.mark.parametrize(
    ("mode", "option", "value"),
    [
        *[("verify", option, 3) for option in ("time_steps", "threads")],
        *[("export", option, 3) for option in ("batch_size", "limit", "threads", "noise_ratio", "seed")],
        *[("export", option, "data") for option in ("data", "logs")],
        ("verify", "logs", "data"),
    ],
)
def test_options_that_a_mode_has_no_use_for(tmp_path, mode, option, value):
    modes = {"verify": ["--verify"], "export": ["--export", "integers.npz"]}
    process = run_script(SCRIPT, *modes[mode], f"--{option}", value, cwd=tmp_path)
    assert_refused(process, f"argument --{option}: not allowed with --{mode}, which has no use for it")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("none.npz", "not found, expected a npz"),
        ("logs", "is a folder, expected a npz file of network weights"),
        ("logs/run.json/k0.npz", "not found, expected a npz"),
    ],
)
def test_weights_that_are_no_file(folder, name, expected):
    assert_changes_nothing(folder, "--weights", folder / name, expected=[str(folder / name), expected])


def test_pipe_as_weights_does_not_hang(folder):
    os.mkfifo(folder.parent / "pipe.npz")
    expected = ["pipe.npz: is a pipe, expected a npz file of network weights"]
    assert_changes_nothing(folder, "--weights", folder.parent / "pipe.npz", expected=expected)


@pytest.mark.parametrize("size", [0, 1000, -1])
def test_truncated_weights(folder, size):
    content = (folder / "k0.npz").read_bytes()
    (folder / "damaged.npz").write_bytes(content[:size])
    assert_changes_nothing(folder, "--weights", "damaged.npz", expected=["damaged.npz: damaged"])


def test_weights_of_another_level(folder):
    expected = ["k0.npz: is a model of k0 (k=0), expected k1 (k=1)"]
    assert_changes_nothing(folder, "--k", 1, expected=expected)


@pytest.mark.parametrize(
    ("key", "change", "expected"),
    [
        ("conv3/W", lambda array: array[..., :40], "has shape (5, 5, 20, 40), expected (5, 5, 20, 50)"),
        ("conv2/W", lambda array: array + np.nan, "has NaN or infinite values"),
        ("bn5/gamma", lambda array: array * -np.inf, "has NaN or infinite values"),
        ("fc/W", lambda array: array.astype(np.float64) + 1e300, "has NaN or infinite values"),
        ("bn4/moving_var", lambda array: array - 0.5, "expected 0 or above"),
        ("bn1/beta", lambda array: array.astype(int), "has dtype int64, expected floats"),
    ],
    ids=["shape", "nan", "infinite", "beyond float32", "negative variance", "integers"],
)
def test_weights_that_cannot_be(folder, key, change, expected):
    with np.load(folder / "k0.npz") as archive:
        arrays = dict(archive)
    arrays[key] = change(arrays[key])
    np.savez(folder / "bad.npz", **arrays)
    assert_changes_nothing(folder, "--weights", "bad.npz", expected=[f"bad.npz: {key}", expected])


def test_missing_key(folder):
    with np.load(folder / "k0.npz") as archive:
        arrays = {key: archive[key] for key in archive if key != "bn2/gamma"}
    np.savez(folder / "bad.npz", **arrays)
    assert_changes_nothing(folder, "--weights", "bad.npz", expected=["bad.npz: 1 keys missing (bn2/gamma"])


def test_potentials_beyond_int32(folder):
    """Every neuron fires in every step: block 3 could reach 500 * 32767 * 150 > 2^31."""
    values = {"W": 32767 / 2**14, "gamma": 1, "beta": 200, "moving_mean": 0, "moving_var": 1}
    weights = {key: np.full(shape, values[key.split("/")[1]]) for key, shape in LENET.weight_shapes.items()}
    save_npz(weights, 7, folder / "k7.npz")
    options = ["--weights", "k7.npz", "--k", 7, "--time_steps", 150]
    assert_changes_nothing(folder, *options, expected=["potentials could reach 2457525000", "int32"])
    assert_changes_nothing(folder, *options, "--logs", folder / "new/deep", expected=["int32"])


@pytest.mark.parametrize("name", ["k0.npz", "k0.npz/deep/logs"])
def test_logs_that_cannot_be_a_folder(folder, name):
    assert_changes_nothing(folder, "--logs", folder / name, expected=[str(folder / "k0.npz")])


@pytest.mark.parametrize(
    ("name", "damage", "expected"),
    [
        ("t10k-images-idx3-ubyte.gz", lambda content: content[:-100], "damaged gzip file"),
        ("t10k-images-idx3-ubyte.gz", lambda content: b"", "has SHA-256"),
        ("t10k-labels-idx1-ubyte.gz", lambda content: b"no gzip", "damaged gzip file"),
        ("t10k-labels-idx1-ubyte.gz", lambda content: gzip.compress(gzip.decompress(content)[:-1]), "has SHA-256"),
    ],
    ids=["truncated", "empty", "no gzip", "other content"],
)
def test_damaged_mnist_file(folder, name, damage, expected):
    data = folder / "mnist"
    data.mkdir()
    for path in (ROOT / "data/mnist").glob("t10k-*.gz"):
        shutil.copyfile(path, data / path.name)
    (data / name).write_bytes(damage((data / name).read_bytes()))
    assert_changes_nothing(folder, "--data", data, expected=[f"mnist/{name}", expected])


@pytest.fixture
def garbage_server():
    """The port of a server on this machine that answers, but not in HTTP."""

    class Handler(socketserver.BaseRequestHandler):
        def handle(self):
            self.request.recv(4096)
            self.request.sendall(b"garbage\r\n\r\n")

    with socketserver.TCPServer(("127.0.0.1", 0), Handler) as server:
        Thread(target=server.serve_forever, daemon=True).start()
        yield server.server_address[1]
        server.shutdown()


def divert_mirrors(monkeypatch, port):
    """Lets downloads of scripts started from now on go to a port of this machine."""
    monkeypatch.setenv("https_proxy", f"http://127.0.0.1:{port}")
    monkeypatch.setenv("no_proxy", "")


@pytest.mark.parametrize("exists", [True, False])
def test_missing_mnist_file_without_network(folder, monkeypatch, exists):
    divert_mirrors(monkeypatch, 9)  # where nothing listens
    data = folder / "mnist"
    if exists:
        data.mkdir()
    expected = ["t10k-images-idx3-ubyte.gz: not found, and no mirror gave it", "Connection refused"]
    assert_changes_nothing(folder, "--data", data, expected=expected)


def test_missing_mnist_file_and_mirrors_that_speak_no_http(folder, monkeypatch, garbage_server):
    divert_mirrors(monkeypatch, garbage_server)
    expected = ["t10k-images-idx3-ubyte.gz: not found, and no mirror gave it"]
    assert_changes_nothing(folder, "--data", folder / "mnist", expected=expected)
