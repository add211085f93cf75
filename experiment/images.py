"""Files without TensorFlow: the MNIST images and the weights in npz files."""

import gzip
import hashlib
import http.client
import io
import urllib.request
import zipfile
import zlib
from pathlib import Path

import numpy as np

from LeNet import input_files
from experiment import InputError
from spiking.network import PIXEL_LEVELS
from experiment.disk import OutputFolder
from experiment.model import MNIST, network_name, shown
from spiking.weight_grid import round_to_grid

MIRRORS = (
    "https://storage.googleapis.com/cvdf-datasets/mnist/",
    "https://ossci-datasets.s3.amazonaws.com/mnist/",
)
VALIDATION_IMAGES = 10_000  # the last ones of the training set
LARGEST_MNIST = 64 << 20  # bytes, of a compressed file
IMAGE_HEADER, LABEL_HEADER = 16, 8  # bytes before the data of an IDX file
NPZ = "a npz file of network weights"  # as error messages call it
LARGEST_NPZ = 16 << 20  # bytes; that of the LeNet has 2
# of the uncompressed files: size in bytes, SHA-256
MNIST_FILES = {
    "train-images-idx3-ubyte": (
        IMAGE_HEADER + 60_000 * 784,
        "ba891046e6505d7aadcbbe25680a0738ad16aec93bde7f9b65e87a2fc25776db",
    ),
    "train-labels-idx1-ubyte": (
        LABEL_HEADER + 60_000,
        "65a50cbbf4e906d70832878ad85ccda5333a97f0f4c3dd2ef09a8a9eef7101c5",
    ),
    "t10k-images-idx3-ubyte": (
        IMAGE_HEADER + 10_000 * 784,
        "0fa7898d509279e482958e8ce81c8e77db3f2f8254e26661ceb7762c4d494ce7",
    ),
    "t10k-labels-idx1-ubyte": (
        LABEL_HEADER + 10_000,
        "ff7bcfd416de33731a308c3f266cc351222c34898ecbeaf847f06e48f7ec33f2",
    ),
}


def load_mnist_split(split, path=MNIST):
    """MNIST as integers: the 60,000 images of split "train" or the 10,000 of "t10k".

    A missing file is downloaded, checked against its SHA-256 and moved into place.
    MNIST is by LeCun, Cortes and Burges; CC BY-SA 3.0.

    Returns
    -------
    pixels : uint8 array (images, 28, 28, 1), 0 to 255
    labels : uint8 array (images,), 0 to 9

    Raises
    ------
    InputError
        A file is damaged, or missing and cannot be downloaded.
    """
    pixels = _read_idx(f"{split}-images-idx3-ubyte", Path(path))[IMAGE_HEADER:]
    labels = _read_idx(f"{split}-labels-idx1-ubyte", Path(path))[LABEL_HEADER:]
    return pixels.reshape(-1, 28, 28, 1), labels


def load_mnist_dataset(path=MNIST):
    """MNIST as the networks take it.

    Returns
    -------
    X_train, y_train, X_val, y_val, X_test, y_test : arrays
        50,000 training, 10,000 validation (the last of the training set) and 10,000 test images;
        X float32 (images, 28, 28, 1), pixel / 256, so from 0 to 255/256; y uint8 (images,), 0 to 9.
    """
    pixels, labels = load_mnist_split("train", path)
    test_pixels, test_labels = load_mnist_split("t10k", path)
    images, test_images = scaled(pixels), scaled(test_pixels)
    split = len(images) - VALIDATION_IMAGES
    return images[:split], labels[:split], images[split:], labels[split:], test_images, test_labels


def scaled(pixels):
    """Integer pixels as inputs of the artificial network: float32, pixel / 256."""
    return pixels.astype(np.float32) / PIXEL_LEVELS


def _read_idx(name, folder):
    path = folder / f"{name}.gz"
    if not path.exists():
        _download(path)
    return np.frombuffer(_checked_content(path, name), np.uint8)


def _checked_content(path, name):
    size, expected = MNIST_FILES[name]
    compressed = input_files.read(path, f"MNIST's {name}", LARGEST_MNIST)
    try:
        with gzip.open(io.BytesIO(compressed)) as file:
            content = file.read(size + 1)  # no more, whatever the file would expand to
    except (EOFError, gzip.BadGzipFile, zlib.error) as error:
        raise InputError(f"{shown(path)}: damaged gzip file ({error}), expected MNIST's {name}") from None
    found = hashlib.sha256(content).hexdigest()
    if found != expected:
        raise InputError(f"{shown(path)}: content has SHA-256 {found}, expected {expected}")
    return content


def _download(path):
    with OutputFolder(path.parent) as folder, folder.replacing() as staging:
        file = staging / path.name
        failures = []
        for mirror in MIRRORS:
            try:
                with urllib.request.urlopen(mirror + path.name, timeout=30) as response:
                    file.write_bytes(response.read(LARGEST_MNIST))
                _checked_content(file, path.stem)
                return
            except (OSError, http.client.HTTPException, InputError) as error:
                failures.append(f"{mirror}: {error}")
        raise InputError(f"{shown(path)}: not found, and no mirror gave it ({'; '.join(failures)})")


def sha256(path):
    """Of a file, in hexadecimal."""
    digest = hashlib.sha256()
    with open(path, "rb") as file:
        while part := file.read(input_files.PART):  # a damaged file may be of any size
            digest.update(part)
    return digest.hexdigest()


def save_npz(weights, k, path):
    """Writes float32 weights, by key, and the level k (-1 for full precision) as a npz file."""
    write_npz({"k": np.int64(k)} | {key: np.asarray(weight, np.float32) for key, weight in weights.items()}, path)


def write_npz(arrays, path):
    """Writes arrays, by key, as a npz file, without pickle."""
    content = io.BytesIO()  # NumPy 2.0's unfinished archive complains on stderr where its file has been closed
    np.savez(content, **arrays)
    Path(path).write_bytes(content.getvalue())


def load_npz(path, network, k):
    """The weights of a npz file, checked against the network and the level that they are meant for.

    Parameters
    ----------
    path : path of a file that save_npz has written
    network : Network
    k : int
        The expected level; -1 for full precision.

    Returns
    -------
    dict of float32 arrays with the keys and shapes of network.weight_shapes

    Raises
    ------
    InputError
        Missing, or not such a file, or of another network or level, or with weights that cannot be.
    OSError
        The file is unreadable.
    """
    return load_npz_and_sha256(path, network, k)[0]


def load_npz_and_sha256(path, network, k):
    """As load_npz; and the SHA-256 of the bytes that were read, since a training may replace the file meanwhile."""
    content = input_files.read(path, NPZ, LARGEST_NPZ)
    weights = _read_arrays(path, io.BytesIO(content), {"k": ()} | network.weight_shapes)
    found_k = int(weights.pop("k"))
    if found_k != k:
        raise InputError(
            f"{shown(path)}: is a model of {_level(found_k)} (k={found_k}), expected {_level(k)} (k={k})"
        )
    for key, weight in weights.items():
        if not np.all(np.isfinite(weight)):
            raise InputError(f"{shown(path)}: {key} has NaN or infinite values, expected finite ones")
        if key.endswith("/W") and not np.all(np.isfinite(round_to_grid(weight))):
            raise InputError(f"{shown(path)}: {key} has weights that float32 cannot hold on the weight grid")
        if key.endswith("moving_var") and np.any(weight < 0):
            raise InputError(f"{shown(path)}: {key} is {weight.min():g} at its lowest, expected 0 or above")
    return weights, hashlib.sha256(content).hexdigest()


def _level(k):
    return network_name(k) if k >= -1 else "no known level"


def _read_arrays(path, file, shapes):
    """The arrays of a npz file; keys, sizes, shapes and dtypes are checked before any array is read."""
    try:
        with zipfile.ZipFile(file) as archive:
            _check_members(path, archive, shapes)
            return {key: _read_array(path, archive, key, shape) for key, shape in shapes.items()}
    except InputError:
        raise
    except Exception as error:  # a damaged archive raises whatever its bytes lead to
        raise InputError(f"{shown(path)}: damaged ({error}), expected {NPZ}") from None


def _check_members(path, archive, shapes):
    members = archive.infolist()
    names, expected = {info.filename for info in members}, {f"{key}.npy" for key in shapes}
    missing, unknown = sorted(expected - names), sorted(names - expected)
    if missing or unknown or len(members) > len(names):
        found = f"{_some(missing, 'keys missing')}, {_some(unknown, 'unknown')}"
        raise InputError(f"{shown(path)}: {found}, expected the keys {', '.join(shapes)}, once each")
    header = 1024  # bytes at most
    for info in members:
        key = info.filename.removesuffix(".npy")
        limit = 8 * int(np.prod(shapes[key])) + header
        if info.file_size > limit:
            raise InputError(f"{shown(path)}: {key} takes {info.file_size} bytes, expected at most {limit}")


def _some(names, what):
    """How many there are, and the first of them."""
    return f"{len(names)} {what}" + (f" ({names[0].removesuffix('.npy')} ...)" if names else "")


def _read_array(path, archive, key, shape):
    kind = "i" if key == "k" else "f"
    with archive.open(f"{key}.npy") as member:
        version = np.lib.format.read_magic(member)
        read_header = {
            (1, 0): np.lib.format.read_array_header_1_0,
            (2, 0): np.lib.format.read_array_header_2_0,
        }[version]
        found_shape, _, dtype = read_header(member)
        if found_shape != shape:
            raise InputError(f"{shown(path)}: {key} has shape {found_shape}, expected {shape}")
        if dtype.kind != kind:
            expected = "an integer" if kind == "i" else "floats"
            raise InputError(f"{shown(path)}: {key} has dtype {dtype}, expected {expected}")
    with archive.open(f"{key}.npy") as member:
        array = np.lib.format.read_array(member, allow_pickle=False)
    if kind == "i":
        return array
    with np.errstate(over="ignore"):  # what float32 cannot hold becomes infinite, and is refused as that
        return array.astype(np.float32)
