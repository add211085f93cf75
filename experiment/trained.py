"""The npz file of a trained model: float32 arrays on the weight grid and its identity, without pickle."""

import io
import math
import zipfile
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from experiment import InputError, disk, shown
from experiment.identity import Identity, identified
from spiking.network import FULL_PRECISION
from spiking.weight_grid import check_weights, on_grid

NPZ = "an npz file of network weights"  # as error messages call it
HEADER = 1024  # bytes that an array's header in the file may take
MAX_ENTRY = 1 << 18  # bytes that a text may take


@dataclass(frozen=True)
class Trained:
    """A trained model: its identity and its weights; what a file holds is rounded to the weight grid."""

    identity: Identity
    weights: dict  # float32 arrays with the keys and shapes of network.weight_shapes
    path: Path | None = None
    sha256: str = ""  # of the file that was read
    rounding: float = 0.0  # the largest change of a weight that was read

    @property
    def model(self):
        return self.identity.model

    @property
    def network(self):
        return self.identity.network

    @property
    def source(self):
        """Which file the weights are from, as run.json says it."""
        return {"weights": shown(self.path), "weights_sha256": self.sha256}

    def level(self, k):
        """The level at which it runs: its own or, if it has full precision, the k to which it is converted."""
        return k if self.model.k == FULL_PRECISION else self.model.k


def save_npz(trained, path):
    """Writes a trained model's identity and weights to an npz file."""
    weights = {key: np.asarray(weight, np.float32) for key, weight in trained.weights.items()}
    write_npz({name: np.array(value) for name, value in trained.identity.entries.items()} | weights, path)


def write_npz(arrays, path):
    """Writes arrays, given by key, as an npz file without pickle."""
    content = io.BytesIO()  # written to a file and interrupted, NumPy 2.0 would complain on stderr
    np.savez(content, **arrays)
    Path(path).write_bytes(content.getvalue())


def read_npz(path):
    """Reads the Trained model in an npz file: first its identity, then the arrays that its network requires.

    The size of each array in the file is checked before it is read. The weights are rounded to the weight grid.

    Raises
    ------
    InputError
        The file is missing, not an npz file of a trained model, or has impossible weights.
    OSError
        The file is unreadable.
    """
    with disk.opened(path, NPZ) as file:
        try:
            with zipfile.ZipFile(file) as archive:
                identity, weights, rounding = _read_archive(archive)
            file.seek(0)
            return Trained(identity, weights, path, disk.sha256(file), rounding)
        except InputError as error:
            raise InputError(f"{shown(path)}: {error}") from None
        except (OSError, MemoryError):
            raise
        except Exception as error:  # a damaged archive can raise anything
            text = " ".join(str(error).split()) or type(error).__name__
            raise InputError(f"{shown(path)}: damaged ({text}), expected {NPZ}") from None


def _read_archive(archive):
    """The Identity and the rounded weights in an open npz file, and the largest change of a weight."""
    members = {info.filename.removesuffix(".npy"): info for info in archive.infolist()}
    if "model.weights.h5" in members:
        converts = "LeNet/Spiking_LeNet_MNIST.py --weights FILE.keras converts it"
        raise InputError(f"is a Keras model, expected {NPZ}; {converts}")
    if len(members) < len(archive.infolist()):
        raise InputError("has a key twice, expected each once")
    entries = {key: _read_array(archive, info, key, MAX_ENTRY) for key, info in members.items() if "/" not in key}
    try:
        identity = identified({key: array.tolist() for key, array in entries.items()})
    except ValueError as error:
        raise InputError(error) from None
    shapes = identity.network.weight_shapes
    missing, unknown = sorted({*shapes} - {*members}), sorted({*members} - {*shapes, *entries})
    if missing or unknown:
        found = f"{_some(missing, 'keys missing')}, {_some(unknown, 'unknown')}"
        raise InputError(f"{found}, expected {', '.join(shapes)}")
    weights = {}
    for key, shape in shapes.items():
        array = _read_array(archive, members[key], key, 8 * math.prod(shape))
        with np.errstate(over="ignore"):  # what float32 cannot hold becomes infinite, and is refused like other types
            weights[key] = array.astype(np.float32) if array.dtype.kind == "f" else array
    try:
        check_weights(weights, shapes)
        rounded, rounding = on_grid(weights, identity.network)
    except (ValueError, OverflowError) as error:
        raise InputError(error) from None
    for key, weight in rounded.items():
        if not np.all(np.isfinite(weight)):
            raise InputError(f"{key} has weights that float32 cannot hold on the weight grid")
    return identity, rounded, rounding


def _some(names, what):
    """How many names there are, and the first of them."""
    return f"{len(names)} {what}" + (f" ({names[0]} ...)" if names else "")


def _read_array(archive, info, key, largest):
    """Reads an array of at most `largest` bytes of data."""
    if info.file_size > largest + HEADER:
        raise InputError(f"{key} takes {info.file_size} bytes, expected at most {largest + HEADER}")
    content = io.BytesIO(archive.read(info))
    np.lib.format.read_magic(content)
    shape, _, dtype = np.lib.format.read_array_header_1_0(content)
    if math.prod(shape) * dtype.itemsize > info.file_size:  # NumPy would reserve memory for it before it reads
        raise InputError(f"{key} has the shape {shape}, expected one of its {info.file_size} bytes")
    content.seek(0)
    return np.lib.format.read_array(content, allow_pickle=False)
