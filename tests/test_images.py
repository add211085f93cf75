"""Images and labels of any folder: what is read is right, or it is refused with the reason."""

import gzip
import struct

import numpy as np
import pytest
from hypothesis import given, settings

from experiment import InputError, public_data
from experiment.images import load_split, load_test, load_training, scaled
from spiking.notation import parse
from tests.damage import damaged, damages, little_memory

SHAPE = (20, 12, 3)


def idx(array, sizes=None, kind=8):
    """The bytes of an IDX file, whose header may claim wrong `sizes` and `kind`."""
    sizes = array.shape if sizes is None else sizes
    return bytes((0, 0, kind, len(sizes))) + struct.pack(f">{len(sizes)}I", *sizes) + array.astype(np.uint8).tobytes()


def some_arrays(shape=SHAPE, train=12, test=5, first_label=0):
    """The arrays of the four files by kind: random pixels, labels of 3 classes."""
    rng = np.random.default_rng(0)
    arrays = {}
    for split, number in (("train", train), ("test", test)):
        arrays[f"{split}-images"] = rng.integers(0, 256, (number, *shape))
        arrays[f"{split}-labels"] = np.arange(number) % 3 + first_label
    return arrays


def write(folder, arrays, pattern="{}-idx{}-ubyte"):
    """Writes arrays, or bytes in their place, as IDX files, compressed where the pattern says so."""
    folder.mkdir(exist_ok=True)
    for kind, array in arrays.items():
        content = array if isinstance(array, bytes) else idx(array)
        path = folder / pattern.format(kind, 1 if "labels" in kind else getattr(array, "ndim", 3))
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(gzip.compress(content) if path.suffix.lower() == ".gz" else content)
    return folder


def assert_split(found, pixels, labels, classes=3):
    assert (found.pixels.dtype, found.labels.dtype, found.classes) == (np.uint8, np.int64, classes)
    np.testing.assert_array_equal(found.pixels, pixels)
    np.testing.assert_array_equal(found.labels, labels)


@pytest.mark.parametrize("shape", [(28, 28), (20, 12), (20, 12, 1), SHAPE])
@pytest.mark.parametrize(
    "pattern",
    [
        "{}-idx{}-ubyte",
        "{}.idx{}-ubyte",
        "{}-idx{}-ubyte.gz",
        "emnist-letters-{}.idx{}-ubyte.gz",
        "contest-{}.idx{}-ubyte",
        "latest-{}-idx{}-ubyte",
        "train-test-trains-{}-idx{}-ubyte",
        "my{}-idx{}-ubyte",
        "MY-{}-IDX{}-UBYTE.GZ",
        "{0}-idx{1}-ubyte/{0}-idx{1}-ubyte",
        "a\n{}-idx{}-ubyte",
    ],
)
def test_images_of_any_shape_are_read(tmp_path, shape, pattern):
    arrays = some_arrays(shape)
    folder = write(tmp_path / "stripes", arrays, pattern)
    for split in ("train", "test"):
        pixels = arrays[f"{split}-images"].reshape(-1, *(*shape, 1)[:3])
        assert_split(load_split(split, folder), pixels, arrays[f"{split}-labels"])


@pytest.mark.parametrize("first", [1, 2, 5])
def test_labels_that_do_not_begin_at_0_are_counted_from_1(tmp_path, first):
    found = load_split("test", write(tmp_path, some_arrays(first_label=first)))
    np.testing.assert_array_equal(found.labels, np.arange(5) % 3 + first - 1)
    assert found.classes == first + 2


@pytest.mark.parametrize(("train", "test", "validation"), [(12, 5, 2), (12, 1, 1), (6, 9, 1), (17, 9, 2)])
def test_last_sixth_is_for_validation_but_no_more_than_for_testing(tmp_path, train, test, validation):
    arrays = some_arrays(train=train, test=test)
    found = load_training(write(tmp_path, arrays))
    for split, part in zip(found, (slice(train - validation), slice(train - validation, None)), strict=True):
        assert_split(split, arrays["train-images"][part], arrays["train-labels"][part])


def test_limit_takes_the_first_images(tmp_path):
    arrays = some_arrays()
    found = load_split("train", write(tmp_path, arrays))
    assert_split(found.first(4), arrays["train-images"][:4], arrays["train-labels"][:4])
    assert_split(found.first(None), arrays["train-images"], arrays["train-labels"])


IMAGES = "an IDX file of unsigned bytes with 3 or 4 dimensions$"
PIXELS = some_arrays()["train-images"]


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"train-images": None}, r"found no file, expected one named \*train\*-images-idx3-ubyte, .gz or not$"),
        ({"test-labels": None}, r"found no file, expected one named \*t10k\* or \*test\*-labels-idx1-ubyte"),
        ({"train-images": b""}, f"train-images-idx3-ubyte: begins with nothing, expected {IMAGES}"),
        ({"train-images": b"PNG\r\n"}, f"train-images-idx3-ubyte: begins with 50 4e 47 0d, expected {IMAGES}"),
        ({"train-images": idx(PIXELS, kind=13)}, f"begins with 00 00 0d 04, expected {IMAGES}"),
        ({"train-images": idx(PIXELS[..., 0, 0])}, f"begins with 00 00 08 02, expected {IMAGES}"),
        ({"train-labels": idx(PIXELS)}, "begins with 00 00 08 04, expected an IDX file .* with 1 dimensions$"),
        ({"train-images": idx(PIXELS)[:10]}, f"train-images-idx3-ubyte: ends in its header, expected {IMAGES}"),
        ({"train-images": idx(PIXELS)[:-1]}, r"has 8639 bytes of data, expected the product of \(12, 20, 12, 3\)"),
        ({"train-images": idx(PIXELS) + b"\0"}, r"has at least 8641 bytes of data, expected the product of"),
        ({"train-images": idx(PIXELS, (2**32 - 1,) * 4)}, r"has 8640 bytes of data, expected the product of"),
        ({"train-images": PIXELS[:11]}, "has 11 train images and 12 labels, expected equal numbers, at least one$"),
        ({"train-images": PIXELS[:0], "train-labels": PIXELS[:0, 0, 0, 0]}, "has 0 train images and 0 labels"),
        ({"test-images": PIXELS[:0], "test-labels": PIXELS[:0, 0, 0, 0]}, "has 0 test images and 0 labels"),
        ({"test-labels": np.array([0, 1, 2, 3, 0])}, "test label 3 is 3, expected 0 to 2 as in the training labels$"),
        (
            {"test-images": PIXELS[:5, :19]},
            r"training images .* \(20, 12, 3\) and test images \(19, 12, 3\), expected",
        ),
        (
            {"train-images": PIXELS[:5], "train-labels": np.arange(5) % 3},
            "has 5 training images, expected at least 6",
        ),
    ],
)
def test_folder_of_other_files_is_refused(tmp_path, changes, message):
    arrays = {kind: array for kind, array in (some_arrays() | changes).items() if array is not None}
    folder = write(tmp_path / "stripes", arrays)
    with little_memory(), pytest.raises(InputError, match=f"^{folder}[:/].*{message}"):
        load_training(folder)


def test_label_below_the_first_of_training_is_refused(tmp_path):
    changes = {"test-labels": np.array([1, 2, 0, 3, 1])}
    with pytest.raises(InputError, match=r"test label 2 is 0, expected 1 to 3 as in the training labels$"):
        load_training(write(tmp_path, some_arrays(first_label=1) | changes))


@pytest.mark.parametrize("other", ["test-labels.idx1-ubyte", "mytest-labels-idx1-ubyte.gz", "t10k-labels-idx1-ubyte"])
def test_two_files_for_the_same_are_refused(tmp_path, other):
    (write(tmp_path, some_arrays()) / other).touch()
    with pytest.raises(InputError, match=rf": found {other}, test-labels-idx1-ubyte|, {other}, expected one named"):
        load_split("test", tmp_path)


def test_same_file_compressed_as_well_is_no_other(tmp_path):
    arrays = some_arrays()
    write(write(tmp_path, arrays), arrays, "{}-idx{}-ubyte.gz")
    assert_split(load_split("test", tmp_path), arrays["test-images"], arrays["test-labels"])


def test_what_archives_and_portals_leave_beside_the_files_is_not_read(tmp_path):
    """Resource forks of macOS, Kaggle's folders, unfinished and renamed downloads, checksums, links to nowhere."""
    arrays = some_arrays()
    write(tmp_path, arrays)
    for kind in arrays:
        name = f"{kind}-idx{1 if 'labels' in kind else 4}-ubyte"
        for stray in (f"._{name}", f".{name}.gz", f"{name}.gz.part", f"{name} (1).gz", f"{name}.sha256", f"{name}~"):
            (tmp_path / stray).write_bytes(b"no IDX file")
        (tmp_path / f"{kind}.idx3-ubyte").mkdir()
        (tmp_path / f"{kind}.idx3-ubyte" / name).write_bytes(b"no IDX file")
        (tmp_path / f"old-{name}").symlink_to("nowhere")
    (tmp_path / "__MACOSX").mkdir()
    for split in ("train", "test"):
        assert_split(load_split(split, tmp_path), arrays[f"{split}-images"], arrays[f"{split}-labels"])


@pytest.mark.parametrize(("name", "ours"), [("absent", ""), ("file", ""), ("mnist", ", as data/mnist is")])
def test_missing_folder_or_a_file_in_its_place_is_refused(tmp_path, name, ours):
    (tmp_path / "file").touch()
    expected = f"expected the folder of four IDX files that --data names{ours}$"
    with pytest.raises(InputError, match=f"{tmp_path}/{name}: no such folder, {expected}"):
        load_training(tmp_path / name)


@pytest.mark.parametrize("notation", ["20x12x1-2-3", "12x20x3-2-3", "20x12x3-2-4"])
def test_images_inconsistent_with_a_network_are_refused(tmp_path, notation):
    folder = write(tmp_path, some_arrays())
    assert len(load_test(folder, parse("20x12x3-2-3")).labels) == 5
    message = r"has images \(h, w, channels\) and classes \(20, 12, 3, 3\), expected \(.*\) as the network has$"
    with pytest.raises(InputError, match=message):
        load_test(folder, parse(notation))


@settings(max_examples=60)
@given(damage=damages)
def test_any_damage_to_an_image_file_is_refused_or_one_of_pixels(tmp_path_factory, damage):
    folder = tmp_path_factory.mktemp("damaged")
    arrays = some_arrays()
    content = damaged(idx(arrays["test-images"]), damage)
    write(folder, arrays | {"test-images": content}, "{}-idx{}-ubyte")
    try:
        found = load_split("test", folder)
    except InputError as error:
        assert "\n" not in str(error)  # noqa: PT017 - both outcomes are right
    else:
        assert found.pixels.size == arrays["test-images"].size
        assert content.endswith(found.pixels.tobytes())


def test_inputs_of_the_artificial_network_are_pixels_over_256():
    found = scaled(np.array([0, 1, 255, 300]))
    assert found.dtype == np.float32
    assert found.tolist() == [0, 1 / 256, 255 / 256, 300 / 256]


def test_files_of_other_data_are_not_downloaded(tmp_path, monkeypatch):
    monkeypatch.setattr(public_data, "fetch", None)
    with pytest.raises(InputError, match="found no file, expected one named"):
        load_split("test", tmp_path)
