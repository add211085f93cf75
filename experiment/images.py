"""Images and labels from the four IDX files of a folder, whose name is the name of the data; noise on pixels.

    *train*-images-idx3-ubyte.gz    training images, (images, h, w), or idx4: (images, h, w, channels)
    *train*-labels-idx1-ubyte.gz    their classes, counted from 0 or 1
    *t10k* or *test*                the same for testing

Names in `.idx3-ubyte` instead of `-idx3-ubyte` and uncompressed files are read as well. Folders named as in
public_data.py are checked against SHA-256 sums; in data/, a missing file is fetched from its official address.
"""

import gzip
import hashlib
import math
import re
import zlib
from pathlib import Path
from typing import NamedTuple

import numpy as np

from experiment import ROOT, InputError, disk, public_data, shown
from experiment.recipes import validation_images
from spiking.network import PIXEL_LEVELS

MAX_NOISE_RATIO = 100  # keeps pixels below 2^14, which int32 and float32 hold exactly
MNIST = ROOT / "data" / "mnist"
SPLITS = {"train": "train", "t10k": "test", "test": "test"}  # by the word in a file's name
DIMENSIONS = {"images": (3, 4), "labels": (1,)}
OFFICIAL_NAMES = {  # those of MNIST and Fashion-MNIST
    ("train", "images"): "train-images-idx3-ubyte",
    ("train", "labels"): "train-labels-idx1-ubyte",
    ("test", "images"): "t10k-images-idx3-ubyte",
    ("test", "labels"): "t10k-labels-idx1-ubyte",
}
UNSIGNED_BYTES = 8  # third byte of an IDX file


class Split(NamedTuple):
    """The training or the test images of a folder."""

    pixels: np.ndarray  # uint8 (images, h, w, channels)
    labels: np.ndarray  # int64 (images,), counted from 0
    classes: int  # number of classes among the training labels

    def first(self, limit):
        """Its first `limit` images, or all of them for None."""
        return self.where(slice(limit))

    def where(self, chosen):
        """The images that a slice or a bool per image selects."""
        return Split(self.pixels[chosen], self.labels[chosen], self.classes)


def load_split(split, folder=MNIST):
    """The "train" or the "test" images of a folder.

    Raises
    ------
    InputError
        A file is missing, damaged or inconsistent with the others.
    """
    folder = Path(folder)
    training_labels = _read(folder, "train", "labels")
    labels = training_labels if split == "train" else _read(folder, split, "labels")
    pixels = _read(folder, split, "images")
    if len(pixels) != len(labels) or len(pixels) == 0:
        found = f"{len(pixels)} {split} images and {len(labels)} labels"
        raise InputError(f"{shown(folder)}: has {found}, expected equal numbers, at least one")
    lowest = int(training_labels.min(initial=1))  # 0 or 1
    classes = int(training_labels.max(initial=0)) - lowest + 1
    labels = labels.astype(np.int64) - lowest
    wrong = np.flatnonzero((labels < 0) | (labels >= classes))
    if len(wrong):
        raise InputError(
            f"{shown(folder)}: {split} label {wrong[0]} is {labels[wrong[0]] + lowest}, "
            f"expected {lowest} to {classes - 1 + lowest} as in the training labels"
        )
    if pixels.ndim == 3:
        pixels = pixels[..., None]
    return Split(pixels, labels, classes)


def load_test(folder, network):
    """The test images of a folder; raises InputError unless their size and classes are those of the network."""
    test = load_split("test", folder)
    found, expected = (*test.pixels.shape[1:], test.classes), (*network.input_shape, network.classifier.classes)
    if found != expected:
        expected = f"{expected} as the network has"
        raise InputError(f"{shown(folder)}: has images (h, w, channels) and classes {found}, expected {expected}")
    return test


def load_training(folder):
    """Training and validation images of a folder, two Splits; the last of its training images are for validation."""
    train, test = load_split("train", folder), load_split("test", folder)
    if train.pixels.shape[1:] != test.pixels.shape[1:]:
        shapes = f"{train.pixels.shape[1:]} and test images {test.pixels.shape[1:]}"
        raise InputError(f"{shown(folder)}: has training images (h, w, channels) {shapes}, expected the same")
    split = len(train.pixels) - validation_images(len(train.pixels), len(test.pixels))
    if split == len(train.pixels):
        raise InputError(f"{shown(folder)}: has {split} training images, expected at least 6, a sixth for validation")
    return train.first(split), train.where(slice(split, None))


def scaled(pixels):
    """Integer pixels as inputs of the artificial network: pixel / 256 in float32."""
    return pixels.astype(np.float32) / PIXEL_LEVELS


def noisy(pixels, noise_ratio, seed):
    """Adds multiplicative noise to pixels and rounds them, so that the network's integers stay exact:

        pixel <- max(rint(pixel * (1 + R * (z - 1/2))), 0)    with z uniform in [0, 1), drawn for each pixel

    z is drawn image by image, so that an image's noise does not depend on how many images follow. R = 0 changes
    nothing. The code of Zou et al. (2023) has the same noise, but unseeded and without rounding.

    Parameters
    ----------
    pixels : uint8 array (images, h, w, c)
    noise_ratio : float
        R, from 0 to MAX_NOISE_RATIO.
    seed : int

    Returns
    -------
    int32 array (images, h, w, c), whose values may exceed 255
    """
    z = np.random.default_rng(seed).random(pixels.shape)
    return np.maximum(np.rint(pixels * (1 + noise_ratio * (z - 0.5))), 0).astype(np.int32)


def _read(folder, split, what):
    """The array of one of the four files; raises InputError if its content is not that of the data of its name."""
    path = _find(folder, split, what)
    header, shape, data = _read_idx(path, DIMENSIONS[what])
    name = folder.resolve().name  # of the data, wherever the folder lies
    if name in public_data.SHA256:
        expected = public_data.SHA256[name][OFFICIAL_NAMES[split, what]]
        found = hashlib.sha256(header + data).hexdigest()
        if found != expected:
            hint = f"a folder of other images needs a name other than {name}"
            raise InputError(f"{shown(path)}: content has SHA-256 {found}, expected {expected}; {hint}")
    return np.frombuffer(data, np.uint8).reshape(shape)


def _find(folder, split, what):
    """The path of one of the four files."""
    words = [word for word, meaning in SPLITS.items() if meaning == split]
    found = sorted(folder.iterdir()) if folder.is_dir() else []
    # unpacked archives leave folders of these names, perhaps with the files in them, and hidden files
    found = [path for path in found if _named(path.name) == (split, what)]
    inside = [path / path.name for path in found]
    found = [path for path in found if path.is_file()] or [path for path in inside if path.is_file()]
    if not found and public_data.sums(folder) is not None:
        found = [folder / OFFICIAL_NAMES[split, what]]
        public_data.fetch(found[0])
    if not found and not folder.is_dir():
        ours = ROOT / "data" / folder.name  # run.py takes the name alone
        hint = f", as {shown(ours)} is" if ours.is_dir() else ""
        expected = f"the folder of four IDX files that --data names{hint}"
        raise InputError(f"{shown(folder)}: no such folder, expected {expected}")
    if len({path.name.removesuffix(".gz") for path in found}) != 1:
        names = ", ".join(path.name for path in found) or "no file"
        ending = OFFICIAL_NAMES[split, what].partition("-")[2]
        expected = f"{' or '.join(f'*{word}*' for word in words)}-{ending}, .gz or not"
        raise InputError(f"{shown(folder)}: found {names}, expected one named {expected}")
    return found[0]


def _named(name):
    """The split and content in an IDX file's name, such as ("train", "images"); None for hidden and other files.

    The last of several words decides; one inside a longer word counts only if there is no other: contest-train is
    for training.
    """
    parts = re.fullmatch(r"([^.].*)(images|labels)[-.]idx\d-ubyte(\.gz)?", name.lower(), re.DOTALL)
    if parts is None:
        return None
    word = "|".join(SPLITS)
    found = re.findall(f"(?<![a-z])(?:{word})", parts[1]) or re.findall(word, parts[1])
    return (SPLITS[found[-1]], parts[2]) if found else None


def _read_idx(path, dimensions):
    """Header, shape and data of an IDX file of unsigned bytes; reads at most one byte more than the header says."""
    expected = "an IDX file of unsigned bytes with " + " or ".join(map(str, dimensions)) + " dimensions"
    with disk.opened(path, expected) as file:
        try:
            stream = gzip.GzipFile(fileobj=file) if path.suffix.lower() == ".gz" else file
            magic = stream.read(4)
            if len(magic) < 4 or magic[:3] != bytes((0, 0, UNSIGNED_BYTES)) or magic[3] not in dimensions:
                raise InputError(f"{shown(path)}: begins with {magic.hex(' ') or 'nothing'}, expected {expected}")
            sizes = stream.read(4 * magic[3])
            if len(sizes) < 4 * magic[3]:
                raise InputError(f"{shown(path)}: ends in its header, expected {expected}")
            shape = tuple(np.frombuffer(sizes, ">u4").tolist())
            data = b"".join(disk.parts(stream, math.prod(shape) + 1))
        except (EOFError, gzip.BadGzipFile, zlib.error) as error:
            raise InputError(f"{shown(path)}: damaged gzip file ({error}), expected {expected}") from None
    if len(data) != math.prod(shape):
        least = "at least " if len(data) > math.prod(shape) else ""
        raise InputError(f"{shown(path)}: has {least}{len(data)} bytes of data, expected the product of {shape}")
    return magic + sizes, shape, data
