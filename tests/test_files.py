"""Weight files: what is read is right, or it is refused with the reason."""

import hashlib
import io
import struct
import warnings
import zipfile

import numpy as np
import pytest
from hypothesis import given, settings

from experiment import InputError
from experiment import images as files
from spiking.network import FULL_PRECISION, chain
from spiking.weight_grid import round_to_grid
from tests.damage import damaged, damages, little_memory
from tests.helpers import random_weights

NETWORK = chain((4, 5, 1), [((2, 3), 1, 2)], classes=3)
WEIGHTS = random_weights(NETWORK, seed=0)


def write_npz(path, arrays, compression=zipfile.ZIP_STORED):
    """A npz file of arrays, or of raw bytes in their place."""
    with zipfile.ZipFile(path, "w", compression) as archive:
        for key, array in arrays.items():
            archive.writestr(f"{key}.npy", array if isinstance(array, bytes) else npy(array))
    return path


def npy(array, shape=None):
    """A npy file's bytes; `shape` is what its header claims instead of the truth."""
    file = io.BytesIO()
    array = np.asarray(array)
    if shape is None:
        np.lib.format.write_array(file, array, allow_pickle=True)
    else:
        header = {"descr": array.dtype.str, "fortran_order": False, "shape": shape}
        np.lib.format.write_array_header_1_0(file, header)
        file.write(array.tobytes())
    return file.getvalue()


def assert_weights(found, expected=WEIGHTS):
    assert found.keys() == expected.keys()
    for key, weight in expected.items():
        assert found[key].dtype == np.float32
        np.testing.assert_array_equal(found[key], weight)


@pytest.mark.parametrize("k", [FULL_PRECISION, 0, 6])
def test_round_trip(tmp_path, k):
    files.save_npz(WEIGHTS, k, tmp_path / "weights.npz")
    assert_weights(files.load_npz(tmp_path / "weights.npz", NETWORK, k))


def test_file_is_readable_with_numpy_alone(tmp_path):
    files.save_npz(WEIGHTS, 2, tmp_path / "weights.npz")
    with np.load(tmp_path / "weights.npz", allow_pickle=False) as archive:
        content = dict(archive)
    assert content.pop("k") == 2
    assert_weights(content)


@pytest.mark.parametrize("dtype", [np.float16, np.float64, ">f4"])
def test_other_floats_are_read_as_float32(tmp_path, dtype):
    weights = {key: weight.astype(np.float16) for key, weight in WEIGHTS.items()}  # float32 holds them exactly
    written = {key: np.asfortranarray(weight.astype(dtype)) for key, weight in weights.items()}
    path = write_npz(tmp_path / "weights.npz", {"k": np.int32(0), **written}, zipfile.ZIP_DEFLATED)
    assert_weights(
        files.load_npz(path, NETWORK, 0), {key: weight.astype(np.float32) for key, weight in weights.items()}
    )


def with_changes(changes):
    """The arrays of a right file of level 0 with some of them changed, or left out where None is given."""
    arrays = {"k": 0} | WEIGHTS | changes
    return {key: array for key, array in arrays.items() if array is not None}


def changed(key, value):
    """A weight array with one value changed."""
    array = WEIGHTS[key].copy()
    array.flat[1] = value
    return {key: array}


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"k": 1}, r"is a model of k1 \(k=1\), expected k0 \(k=0\)"),
        ({"k": -1}, r"is a model of fp32 \(k=-1\), expected k0 \(k=0\)"),
        ({"k": -7}, r"is a model of no known level \(k=-7\), expected k0 \(k=0\)"),
        ({"k": 0.0}, "k has dtype float64, expected an integer"),
        ({"k": [0]}, r"k has shape \(1,\), expected \(\)"),
        ({"k": None}, r"1 keys missing \(k ...\), 0 unknown, expected the keys k, conv1/W, bn1/beta"),
        ({"fc/W": None, "fc/w": WEIGHTS["fc/W"]}, r"1 keys missing \(fc/W ...\), 1 unknown \(fc/w ...\), expected"),
        ({"conv2/W": WEIGHTS["conv1/W"]}, r"0 keys missing, 1 unknown \(conv2/W ...\), expected"),
        ({"fc/W": WEIGHTS["fc/W"].T}, r"fc/W has shape \(3, 18\), expected \(18, 3\)"),
        ({"fc/W": npy(WEIGHTS["fc/W"], (10**12,))}, r"fc/W has shape \(1000000000000,\), expected \(18, 3\)"),
        ({"bn1/beta": npy(np.float32([0]), (2,))}, "damaged .*expected a npz file of network weights"),
        ({"bn1/beta": npy(np.float32([0, 0]))[:-1]}, "damaged"),
        ({"bn1/beta": b"text"}, "damaged"),
        ({"bn1/beta": np.array([1, 2])}, "bn1/beta has dtype int64, expected floats"),
        ({"bn1/beta": np.array([True, True])}, "bn1/beta has dtype bool, expected floats"),
        ({"bn1/beta": np.array([1j, 0])}, "bn1/beta has dtype complex128, expected floats"),
        (changed("conv1/W", np.nan), "conv1/W has NaN or infinite values, expected finite ones"),
        (changed("fc/W", np.inf), "fc/W has NaN or infinite values, expected finite ones"),
        (changed("bn1/moving_var", -0.25), "bn1/moving_var is -0.25 at its lowest, expected 0 or above"),
    ],
)
def test_wrong_content_is_refused(tmp_path, changes, message):
    path = write_npz(tmp_path / "weights.npz", with_changes(changes))
    with pytest.raises(InputError, match=f"weights.npz: {message}"):
        files.load_npz(path, NETWORK, 0)


def test_variance_of_zero_and_negative_gammas_are_valid(tmp_path):
    arrays = with_changes({"bn1/moving_var": np.float32([0, 0]), "bn1/gamma": np.float32([0, -1])})
    path = write_npz(tmp_path / "weights.npz", arrays)
    assert files.load_npz(path, NETWORK, 0)["bn1/gamma"].tolist() == [0, -1]


def test_no_code_is_taken_from_a_file(tmp_path):
    class Touch:
        def __reduce__(self):
            return open, (str(tmp_path / "executed"), "w")

    objects = np.array([Touch(), Touch()], dtype=object)
    path = write_npz(tmp_path / "weights.npz", with_changes({"bn1/beta": objects}))
    with pytest.raises(InputError, match="bn1/beta has dtype object, expected floats"):
        files.load_npz(path, NETWORK, 0)
    assert not (tmp_path / "executed").exists()


def test_zip_bomb_is_refused_before_it_expands(tmp_path):
    path = tmp_path / "weights.npz"
    write_npz(path, with_changes({"fc/W": bytes(100 << 20)}), zipfile.ZIP_DEFLATED)
    with little_memory(), pytest.raises(InputError, match="fc/W takes 104857600 bytes, expected at most 1456"):
        files.load_npz(path, NETWORK, 0)


def test_zip_bomb_behind_a_second_name_of_its_key_is_refused(tmp_path):
    # a header of 100 MiB: without the suffix .npy the last member hides the size of the one before it
    bomb = np.lib.format.magic(2, 0) + struct.pack("<I", 100 << 20) + bytes(100 << 20)
    path = write_npz(tmp_path / "weights.npz", with_changes({"fc/W": bomb}), zipfile.ZIP_DEFLATED)
    with zipfile.ZipFile(path, "a") as archive:
        archive.writestr("fc/W", npy(WEIGHTS["fc/W"]))
    with little_memory(), pytest.raises(InputError, match=r"weights\.npz"):
        files.load_npz(path, NETWORK, 0)


@pytest.mark.filterwarnings("ignore:Duplicate name")  # of the zipfile module, when it writes the file
def test_key_that_is_there_twice_is_refused(tmp_path):
    path = write_npz(tmp_path / "weights.npz", with_changes({}))
    with zipfile.ZipFile(path, "a") as archive:
        archive.writestr("fc/W.npy", npy(WEIGHTS["fc/W"]))
    with pytest.raises(InputError, match=r"0 keys missing, 0 unknown, expected the keys .*, once each"):
        files.load_npz(path, NETWORK, 0)


@pytest.mark.parametrize("content", [b"", b"text", b"PK\5\6" + bytes(18)])
def test_what_is_no_weight_file_is_refused(tmp_path, content):
    (tmp_path / "weights.npz").write_bytes(content)
    with pytest.raises(InputError, match=r"weights.npz: .*expected"):
        files.load_npz(tmp_path / "weights.npz", NETWORK, 0)


def test_float64_beyond_float32_is_refused_in_one_line(tmp_path):
    path = write_npz(tmp_path / "weights.npz", with_changes({"bn1/beta": np.array([0, 1e300])}))
    with warnings.catch_warnings(record=True) as shown, pytest.raises(InputError, match="bn1/beta has NaN"):
        files.load_npz(path, NETWORK, 0)
    assert shown == []


def test_missing_weight_file(tmp_path):
    with pytest.raises(InputError, match=r"absent\.npz: not found, expected a npz file of network weights$"):
        files.load_npz(tmp_path / "absent.npz", NETWORK, 0)


def test_folder_is_no_weight_file(tmp_path):
    with pytest.raises(InputError, match="is a folder, expected a npz file"):
        files.load_npz(tmp_path, NETWORK, 0)


def test_endless_file_is_refused():
    message = "/dev/zero: larger than 16777216 bytes, expected a npz file of network weights$"
    with pytest.raises(InputError, match=message):
        files.load_npz("/dev/zero", NETWORK, 0)


def test_sum_is_that_of_what_was_read(tmp_path, monkeypatch):
    path = tmp_path / "weights.npz"
    files.save_npz(WEIGHTS, 0, path)
    expected = hashlib.sha256(path.read_bytes()).hexdigest()

    def replaced_meanwhile(weights):  # by a training
        path.write_bytes(b"of the next epoch")
        return round_to_grid(weights)

    monkeypatch.setattr(files, "round_to_grid", replaced_meanwhile)
    weights, found = files.load_npz_and_sha256(path, NETWORK, 0)
    assert_weights(weights)
    assert found == expected


@settings(max_examples=400)
@given(damage=damages)
def test_any_damage_to_a_weight_file_is_harmless(tmp_path_factory, damage):
    path = tmp_path_factory.getbasetemp() / "damaged.npz"
    files.save_npz(WEIGHTS, 0, path)
    path.write_bytes(damaged(path.read_bytes(), damage))
    with warnings.catch_warnings(record=True) as shown:
        try:
            assert_weights(files.load_npz(path, NETWORK, 0))
        except InputError as error:
            assert "\n" not in str(error)  # noqa: PT017 - both outcomes are right
    assert shown == []  # a warning would be a second line


def test_weights_that_float32_cannot_hold_on_the_grid_are_refused(tmp_path):
    path = write_npz(
        tmp_path / "weights.npz", with_changes({"fc/W": np.full_like(WEIGHTS["fc/W"], np.finfo("f4").max)})
    )
    with pytest.raises(
        InputError, match=r"weights\.npz: fc/W has weights that float32 cannot hold on the weight grid"
    ):
        files.load_npz(path, NETWORK, 0)
