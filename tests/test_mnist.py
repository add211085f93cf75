"""The MNIST files: what is read is right, or it is refused with the reason."""

import gzip
import shutil
import socket
import threading
from contextlib import contextmanager

import numpy as np
import pytest
from hypothesis import given, settings

from experiment import InputError
from experiment import images as files
from experiment.model import MNIST
from tests.damage import damaged, damages, flip_bit, little_memory

NAMES = sorted(f"{name}.gz" for name in files.MNIST_FILES)
LABELS = "t10k-labels-idx1-ubyte.gz"  # the smallest of the four


@pytest.fixture(scope="module")
def dataset():
    return files.load_mnist_dataset()


@pytest.fixture
def mnist(tmp_path):
    """A folder with copies of the four files."""
    return shutil.copytree(MNIST, tmp_path / "mnist")


def test_dataset_shapes_and_range(dataset):
    for images, labels, number in zip(dataset[::2], dataset[1::2], (50_000, 10_000, 10_000), strict=True):
        assert (images.shape, images.dtype) == ((number, 28, 28, 1), np.float32)
        assert (images.min(), images.max()) == (0, 255 / 256)
        assert (labels.shape, labels.dtype) == ((number,), np.uint8)
        assert np.unique(labels).tolist() == list(range(10))


def test_dataset_is_split_in_order(dataset):
    X_train, y_train, X_val, y_val, X_test, y_test = dataset
    pixels, labels = files.load_mnist_split("train")
    assert pixels.dtype == np.uint8
    np.testing.assert_array_equal(256 * X_train, pixels[:50_000])
    np.testing.assert_array_equal(256 * X_val, pixels[50_000:])
    np.testing.assert_array_equal(np.concatenate([y_train, y_val]), labels)
    test_pixels, test_labels = files.load_mnist_split("t10k")
    np.testing.assert_array_equal(256 * X_test, test_pixels)
    np.testing.assert_array_equal(y_test, test_labels)


def test_first_digits(dataset):
    assert dataset[1][:10].tolist() == [5, 0, 4, 1, 9, 2, 1, 3, 1, 4]
    assert dataset[5][:10].tolist() == [7, 2, 1, 0, 4, 1, 4, 9, 5, 9]
    first = dataset[0][0, ..., 0]  # the 5: bright in the middle, empty at the edges
    assert first[5, 12] == 3 / 256
    assert not first[:5].any()
    assert not first[:, 24:].any()


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (lambda content: content[:-100], "damaged gzip file"),
        (lambda content: content + b"tail", "damaged gzip file"),
        (lambda content: b"text", "damaged gzip file"),
        (lambda content: flip_bit(content, 0.5), "damaged gzip file|content has SHA-256"),
        (lambda content: gzip.compress(b"other"), "content has SHA-256 [0-9a-f]{64}, expected ff7bcfd416de"),
        (lambda content: gzip.compress(gzip.decompress(content) + b"\0"), "content has SHA-256"),
        (lambda content: b"", "content has SHA-256"),
    ],
)
def test_damaged_mnist_file_is_refused(mnist, damage, message):
    path = mnist / LABELS
    path.write_bytes(damage(path.read_bytes()))
    content = path.read_bytes()
    with pytest.raises(InputError, match=f"{LABELS}: ({message})"):
        files.load_mnist_split("t10k", mnist)
    assert path.read_bytes() == content


def test_gzip_bomb_is_refused_before_it_expands(mnist):
    (mnist / LABELS).write_bytes(gzip.compress(bytes(100 << 20), compresslevel=1))
    with little_memory(), pytest.raises(InputError, match="content has SHA-256"):
        files.load_mnist_split("t10k", mnist)


@settings(max_examples=30)
@given(damage=damages)
def test_any_damage_to_a_mnist_file_is_harmless(tmp_path_factory, dataset, damage):
    folder = tmp_path_factory.mktemp("mnist")
    for name in NAMES:
        (folder / name).symlink_to(MNIST / name)
    (folder / LABELS).unlink()
    (folder / LABELS).write_bytes(damaged((MNIST / LABELS).read_bytes(), damage))
    try:
        _, labels = files.load_mnist_split("t10k", folder)
    except InputError as error:
        assert "\n" not in str(error)  # noqa: PT017 - both outcomes are right
    else:
        np.testing.assert_array_equal(labels, dataset[5])


def use_mirrors(monkeypatch, *mirrors):
    monkeypatch.setattr(files, "MIRRORS", [f"{mirror}/" for mirror in mirrors])


def test_missing_file_comes_from_the_first_good_mirror(mnist, tmp_path, monkeypatch):
    (mnist / LABELS).unlink()
    (tmp_path / LABELS).write_bytes(gzip.compress(b"other"))
    use_mirrors(monkeypatch, (tmp_path / "absent").as_uri(), tmp_path.as_uri(), MNIST.as_uri())
    files.load_mnist_split("t10k", mnist)
    assert sorted(path.name for path in mnist.iterdir()) == NAMES
    assert (mnist / LABELS).read_bytes() == (MNIST / LABELS).read_bytes()


def test_files_that_are_there_need_no_network(monkeypatch):
    use_mirrors(monkeypatch)
    assert len(files.load_mnist_split("t10k")[0]) == 10_000


@contextmanager
def answering(reply):
    """Address of a server that gives these bytes to whoever asks first."""

    def answer():
        connection, _ = server.accept()
        with connection:
            connection.recv(4096)
            connection.sendall(reply)

    with socket.create_server(("127.0.0.1", 0)) as server:
        thread = threading.Thread(target=answer)
        thread.start()
        yield f"http://127.0.0.1:{server.getsockname()[1]}"
        thread.join()


@pytest.mark.parametrize(
    "reply",
    [
        b"HTTP/1.0 404 Not Found\r\n\r\n",
        b"HTTP/1.0 200 OK\r\n\r\n<html>please log in</html>",
        b"HTTP/1.0 200 OK\r\nContent-Length: 4500\r\n\r\ncut off",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n100\r\ncut off",
        b"220 this is a mail server\r\n",
        b"",
    ],
)
def test_bad_download_leaves_nothing_behind(mnist, monkeypatch, reply):
    (mnist / LABELS).unlink()
    with answering(reply) as mirror:
        use_mirrors(monkeypatch, mirror)
        with pytest.raises(InputError, match=f"{LABELS}: not found, and no mirror gave it .*{mirror}"):
            files.load_mnist_split("t10k", mnist)
    assert sorted(path.name for path in mnist.iterdir()) == sorted({*NAMES} - {LABELS})


def test_without_network_nothing_is_created(tmp_path, monkeypatch):
    with socket.create_server(("127.0.0.1", 0)) as server:
        closed = f"http://127.0.0.1:{server.getsockname()[1]}"
    use_mirrors(monkeypatch, closed, closed)
    with pytest.raises(InputError, match=r"t10k-images-idx3-ubyte\.gz: not found, and no mirror gave it .*refused"):
        files.load_mnist_split("t10k", tmp_path / "absent" / "mnist")
    assert list(tmp_path.iterdir()) == []
