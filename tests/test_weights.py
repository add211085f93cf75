"""Weight files are read correctly, or refused with the reason, also where they contradict the options."""

import hashlib
import io
import struct
import warnings
import zipfile
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings

from experiment import InputError, trained
from experiment.identity import Identity
from experiment.model import Model
from experiment.trained import Trained, read_npz, save_npz
from spiking.network import FULL_PRECISION
from spiking.notation import parse
from spiking.weight_grid import on_grid
from tests.damage import damaged, damages, little_memory
from tests.networks import random_weights

NETWORK = parse("4x5x1-2C2x3-3")
WEIGHTS = random_weights(NETWORK, seed=0)
MODEL = Model(0, NETWORK.layer_notation, data="stripes", recipe="augmented", seed=7)
TRAINED = Trained(Identity(MODEL, NETWORK, epochs=60, images=300, all_images=300, threads=2), WEIGHTS)


def write_npz(path, arrays, compression=zipfile.ZIP_STORED):
    """An npz file of arrays, or of raw bytes in their place."""
    with zipfile.ZipFile(path, "w", compression) as archive:
        for key, array in arrays.items():
            archive.writestr(f"{key}.npy", array if isinstance(array, bytes) else npy(array))
    return path


def npy(array, shape=None):
    """The bytes of an npy file, whose header may claim a wrong `shape`."""
    file = io.BytesIO()
    array = np.asarray(array)
    if shape is None:
        np.lib.format.write_array(file, array, allow_pickle=True)
    else:
        header = {"descr": array.dtype.str, "fortran_order": False, "shape": shape}
        np.lib.format.write_array_header_1_0(file, header)
        file.write(array.tobytes())
    return file.getvalue()


def with_changes(changes):
    """The arrays of a valid file with some of them changed, or left out if None is given."""
    arrays = TRAINED.identity.entries | WEIGHTS | changes
    return {key: array for key, array in arrays.items() if array is not None}


def changed(key, value):
    """A weight array with one value changed."""
    array = WEIGHTS[key].copy()
    array.flat[1] = value
    return {key: array}


def assert_equal(found, expected=TRAINED):
    """Asserts that two Trained models are the same, apart from their files."""
    assert found.weights.keys() == expected.weights.keys()
    for key, weight in expected.weights.items():
        assert found.weights[key].dtype == np.float32
        np.testing.assert_array_equal(found.weights[key], weight)
    assert replace(found, weights={}, path=None, sha256="") == replace(expected, weights={})
    assert found.identity == expected.identity


@pytest.mark.parametrize("k", [FULL_PRECISION, 0, 16])
@pytest.mark.parametrize("notation", ["4x5x1-2C2x3-3", "9x7x3-4C3ps2x1m6-P2-5-2b"])
def test_round_trip(tmp_path, k, notation):
    network = parse(notation)
    model = Model(k, network.layer_notation, data="\u00e4 b", seed=2**32 - 1)
    identity = Identity(model, network, epochs=0, images=1, all_images=2, threads=0)
    written = Trained(identity, random_weights(network, 1))
    save_npz(written, tmp_path / "weights.npz")
    assert_equal(read_npz(tmp_path / "weights.npz"), written)


def test_file_is_readable_with_numpy_alone(tmp_path):
    save_npz(TRAINED, tmp_path / "weights.npz")
    with np.load(tmp_path / "weights.npz", allow_pickle=False) as archive:
        content = dict(archive)
    identity = {key: content.pop(key).item() for key in list(content) if "/" not in key}
    assert identity == {
        "k": 0,
        "network": "4x5x1-2C2x3-3",
        "data": "stripes",
        "recipe": "augmented",
        "seed": 7,
        "epochs": 60,
        "images": 300,
        "all_images": 300,
        "threads": 2,
    }
    assert_equal(replace(TRAINED, weights=content))


@pytest.mark.parametrize("dtype", [np.float16, np.float64, ">f4"])
def test_other_floats_are_read_as_float32(tmp_path, dtype):
    halves = {key: weight.astype(np.float16) for key, weight in WEIGHTS.items()}  # float32 holds them exactly
    written = {key: np.asfortranarray(weight.astype(dtype)) for key, weight in halves.items()}
    path = write_npz(tmp_path / "weights.npz", with_changes(written), zipfile.ZIP_DEFLATED)
    expected = {key: weight.astype(np.float32) for key, weight in halves.items()}
    assert_equal(read_npz(path), replace(TRAINED, weights=expected))


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"k": -2}, "k is -2, expected an integer from -1 to 16$"),
        ({"k": 17}, "k is 17, expected an integer from -1 to 16$"),
        ({"k": 0.0}, "k is 0.0, expected an integer from -1 to 16$"),
        ({"k": True}, "k is True, expected an integer from -1 to 16$"),
        ({"k": [0, 0]}, r"k is \[0, 0\], expected an integer from -1 to 16$"),
        ({"k": None}, "k is missing, expected an integer from -1 to 16$"),
        ({"network": None}, "network is None, expected a text$"),
        ({"network": 5}, "network is 5, expected a text$"),
        ({"network": np.array("4x5", object)}, r"damaged \(Object arrays cannot be loaded"),
        ({"network": ""}, "'' is no input, expected rows x columns x channels such as 28x28x1$"),
        ({"network": NETWORK.layer_notation}, "'2C2x3' is no input, expected rows x columns x channels"),
        ({"network": "4x5x1-2C5x3-3"}, r"layer 1 \(2C5x3\): kernel 5 does not fit into an axis of length 4$"),
        ({"network": "4x5x1-2D2-3"}, r"layer 1 \(2D2\): not a layer, expected nCk"),
        (
            {"network": "4x5x1-30000-30000-10"},
            "4x5x1-30000-30000-10 has 901,140,000 weights, expected at most 268,435,456$",
        ),
        ({"network": "4x5x1-2C2x3-" + 2**17 * "1"}, "network takes .* bytes, expected at most 263168$"),
        ({"network": "4x5x1-2C2x3-" + 4000 * "x"}, r"'x{100} \.\.\.' is no number of classes, expected an integer"),
        ({"network": "4x5x1-3C2x3-3"}, r"conv1/W has shape \(2, 3, 1, 2\), expected \(2, 3, 1, 3\)$"),
        ({"network": "4x5x1-2C2x3-3b"}, r"1 keys missing \(fc/b ...\), 0 unknown, expected"),
        ({"data": "a/b"}, "data is 'a/b', expected the name of a folder or recipe$"),
        ({"data": "a\nb"}, r"data is 'a\\nb', expected the name of a folder or recipe$"),
        ({"recipe": ""}, "recipe is '', expected the name of a folder or recipe$"),
        ({"recipe": 101 * "a"}, "recipe is 'a{100}', expected the name of a folder or recipe$"),
        ({"seed": -1}, "seed is -1, expected an integer from 0 to 4294967295$"),
        ({"seed": 2**32}, "seed is 4294967296, expected an integer from 0 to 4294967295$"),
        ({"epochs": -1}, "epochs is -1, expected an integer from 0 to 1000000000$"),
        ({"threads": 2**63}, "threads is 9223372036854775808, expected an integer from 0 to 1024$"),
        ({"threads": 1025}, "threads is 1025, expected an integer from 0 to 1024$"),
        ({"fc/W": None, "fc/w": WEIGHTS["fc/W"]}, r"1 keys missing \(fc/W ...\), 1 unknown \(fc/w ...\), expected"),
        ({"conv2/W": WEIGHTS["conv1/W"]}, r"0 keys missing, 1 unknown \(conv2/W ...\), expected"),
        ({"fc/W": WEIGHTS["fc/W"].T}, r"fc/W has shape \(3, 18\), expected \(18, 3\)"),
        ({"bn1/beta": npy(np.float32([0]), (3,))}, "damaged .*expected an npz file of network weights"),
        (
            {"bn1/beta": npy(np.float32([0]), (10**15,))},
            r"bn1/beta has the shape \(1000000000000000,\), expected one of its ",
        ),
        ({"bn1/beta": npy(np.float32([0, 0]))[:-1]}, "damaged"),
        ({"bn1/beta": b"text"}, "damaged"),
        ({"bn1/beta": np.array([1, 2])}, "bn1/beta has dtype int64, expected floats"),
        ({"bn1/beta": np.array([True, True])}, "bn1/beta has dtype bool, expected floats"),
        ({"bn1/beta": np.array([1j, 0])}, "bn1/beta has dtype complex128, expected floats"),
        (changed("conv1/W", np.nan), "conv1/W has NaN or infinite values, expected finite ones"),
        (changed("fc/W", np.inf), "fc/W has NaN or infinite values, expected finite ones"),
        (changed("fc/W", np.finfo("f4").max), "fc/W has weights that float32 cannot hold on the weight grid"),
        (changed("bn1/moving_var", -0.25), "bn1/moving_var is -0.25 at its lowest, expected 0 or above"),
    ],
)
def test_wrong_content_is_refused(tmp_path, changes, message):
    path = write_npz(tmp_path / "weights.npz", with_changes(changes))
    with pytest.raises(InputError, match=f"weights.npz: {message}"):
        read_npz(path)


def test_variance_of_zero_and_negative_gammas_are_valid(tmp_path):
    arrays = with_changes({"bn1/moving_var": np.float32([0, 0]), "bn1/gamma": np.float32([0, -1])})
    path = write_npz(tmp_path / "weights.npz", arrays)
    assert read_npz(path).weights["bn1/gamma"].tolist() == [0, -1]


def test_weights_are_rounded_to_the_grid(tmp_path):
    unit = 2.0**-15  # where the largest weight is 1/2, as int16 holds 2^14 but not 2^15
    kernel = np.full_like(WEIGHTS["conv1/W"], 0.5)
    kernel.flat[1] = 0.75 * unit
    path = write_npz(tmp_path / "weights.npz", with_changes({"conv1/W": kernel}))
    found = read_npz(path)
    assert found.weights["conv1/W"].flat[1] == unit
    assert found.rounding == 0.25 * unit


def test_no_code_is_taken_from_a_file(tmp_path):
    class Touch:
        def __reduce__(self):
            return open, (str(tmp_path / "executed"), "w")

    objects = np.array([Touch(), Touch()], dtype=object)
    path = write_npz(tmp_path / "weights.npz", with_changes({"bn1/beta": objects}))
    with pytest.raises(InputError, match="Object arrays cannot be loaded"):
        read_npz(path)
    assert not (tmp_path / "executed").exists()


def test_zip_bomb_is_refused_before_it_expands(tmp_path):
    path = tmp_path / "weights.npz"
    write_npz(path, with_changes({"fc/W": bytes(100 << 20)}), zipfile.ZIP_DEFLATED)
    with little_memory(), pytest.raises(InputError, match="fc/W takes 104857600 bytes, expected at most 1456"):
        read_npz(path)


def test_zip_bomb_behind_a_second_name_of_its_key_is_refused(tmp_path):
    # a header of 100 MiB: without the suffix .npy the last member hides the size of the one before it
    bomb = np.lib.format.magic(2, 0) + struct.pack("<I", 100 << 20) + bytes(100 << 20)
    path = write_npz(tmp_path / "weights.npz", with_changes({"fc/W": bomb}), zipfile.ZIP_DEFLATED)
    with zipfile.ZipFile(path, "a") as archive:
        archive.writestr("fc/W", npy(WEIGHTS["fc/W"]))
    with little_memory(), pytest.raises(InputError, match=r"weights\.npz: has a key twice, expected each once$"):
        read_npz(path)


@pytest.mark.filterwarnings("ignore:Duplicate name")  # of the zipfile module, when it writes the file
@pytest.mark.parametrize("key", ["fc/W", "k"])
def test_key_that_is_there_twice_is_refused(tmp_path, key):
    path = write_npz(tmp_path / "weights.npz", with_changes({}))
    with zipfile.ZipFile(path, "a") as archive:
        archive.writestr(f"{key}.npy", npy(with_changes({})[key]))
    with pytest.raises(InputError, match="has a key twice, expected each once"):
        read_npz(path)


@pytest.mark.parametrize("content", [b"", b"text", b"PK\5\6" + bytes(18)])
def test_what_is_no_weight_file_is_refused(tmp_path, content):
    (tmp_path / "weights.npz").write_bytes(content)
    with pytest.raises(InputError, match=r"weights.npz: .*expected"):
        read_npz(tmp_path / "weights.npz")


def test_float64_beyond_float32_is_refused_in_one_line(tmp_path):
    path = write_npz(tmp_path / "weights.npz", with_changes({"bn1/beta": np.array([0, 1e300])}))
    with warnings.catch_warnings(record=True) as shown, pytest.raises(InputError, match="bn1/beta has NaN"):
        read_npz(path)
    assert shown == []


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("absent.npz", r"absent\.npz: not found, expected an npz file of network weights$"),
        (".", "is a folder, expected an npz file of network weights$"),
    ],
)
def test_missing_files_and_folders_are_refused(tmp_path, name, message):
    with pytest.raises(InputError, match=message):
        read_npz(tmp_path / name)


def test_sum_is_that_of_what_was_read(tmp_path, monkeypatch):
    path = tmp_path / "weights.npz"
    save_npz(TRAINED, path)
    expected = hashlib.sha256(path.read_bytes()).hexdigest()

    def replaced_meanwhile(*arguments):  # by a training
        save_npz(replace(TRAINED, identity=replace(TRAINED.identity, epochs=61)), tmp_path / "next.npz")
        (tmp_path / "next.npz").rename(path)
        return on_grid(*arguments)

    monkeypatch.setattr(trained, "on_grid", replaced_meanwhile)
    found = read_npz(path)
    assert_equal(found)
    assert found.sha256 == expected
    assert read_npz(path).identity.epochs == 61


@settings(max_examples=400)
@given(damage=damages)
def test_any_damage_to_a_weight_file_is_harmless(tmp_path_factory, damage):
    path = tmp_path_factory.getbasetemp() / "damaged.npz"
    save_npz(TRAINED, path)
    path.write_bytes(damaged(path.read_bytes(), damage))
    with warnings.catch_warnings(record=True) as shown:
        try:
            assert_equal(read_npz(path))
        except InputError as error:
            assert "\n" not in str(error)  # noqa: PT017 - both outcomes are right
    assert shown == []  # a warning would be a second line
