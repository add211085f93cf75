"""MNIST: its files are the published ones, or they are downloaded, or refused with the reason."""

import gzip
import shutil
import socket
import threading
from contextlib import contextmanager

import numpy as np
import pytest
from hypothesis import given, settings

from experiment import InputError, images
from experiment.images import MNIST, MNIST_SHA256, load_split, load_training
from tests.damage import damaged, damages, flip_bit, little_memory

NAMES = sorted(f"{name}.gz" for name in MNIST_SHA256)
LABELS = "t10k-labels-idx1-ubyte.gz"  # the smallest of the four


@pytest.fixture
def mnist(tmp_path, monkeypatch):
    """A folder with copies of the four files, in the place of MNIST."""
    folder = shutil.copytree(MNIST, tmp_path / "mnist")
    monkeypatch.setattr(images, "MNIST", folder)
    return folder


def test_mnist_is_split_in_order():
    train, validation = load_training(MNIST)
    test = load_split("test", MNIST)
    for split, number in ((train, 50_000), (validation, 10_000), (test, 10_000)):
        assert split.pixels.shape == (number, 28, 28, 1)
        assert (split.pixels.min(), split.pixels.max()) == (0, 255)
        assert np.unique(split.labels).tolist() == list(range(10))
        assert split.classes == 10
    whole = load_split("train", MNIST)
    np.testing.assert_array_equal(np.concatenate([train.pixels, validation.pixels]), whole.pixels)
    np.testing.assert_array_equal(np.concatenate([train.labels, validation.labels]), whole.labels)
    assert train.labels[:10].tolist() == [5, 0, 4, 1, 9, 2, 1, 3, 1, 4]
    assert test.labels[:10].tolist() == [7, 2, 1, 0, 4, 1, 4, 9, 5, 9]
    first = train.pixels[0, ..., 0]  # the 5: bright in the middle, empty at the edges
    assert first[5, 12] == 3
    assert not first[:5].any()
    assert not first[:, 24:].any()


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (lambda content: content[:-100], "damaged gzip file"),
        (lambda content: content + b"tail", "damaged gzip file|has 10000 bytes of data"),
        (lambda content: b"text", "damaged gzip file"),
        (lambda content: flip_bit(content, 0.5), "damaged gzip file|content has SHA-256"),
        (lambda content: gzip.compress(b"other"), "begins with 6f 74 68 65"),
        (lambda content: gzip.compress(gzip.decompress(content)[:-1] + b"\x09"), "content has SHA-256 [0-9a-f]{64}"),
        (lambda content: gzip.compress(gzip.decompress(content) + b"\0"), "has 10001 bytes of data or more"),
        (
            lambda content: gzip.compress(gzip.decompress(content) + bytes(100 << 20), 1),
            "has 10001 bytes of data or m",
        ),
        (lambda content: b"", "begins with nothing"),
    ],
    ids=["cut", "tail", "text", "bit", "other", "label", "byte", "bomb", "empty"],
)
def test_damaged_mnist_file_is_refused(mnist, damage, message):
    path = mnist / LABELS
    path.write_bytes(damage(path.read_bytes()))
    content = path.read_bytes()
    with pytest.raises(InputError, match=f"{LABELS}: ({message})"):
        load_split("test", mnist)
    assert path.read_bytes() == content


def test_gzip_bomb_is_refused_before_it_expands(mnist):
    (mnist / LABELS).write_bytes(gzip.compress(bytes((0, 0, 8, 1, 0, 0, 0, 9)) + bytes(100 << 20), 1))
    with little_memory(), pytest.raises(InputError, match="has 10 bytes of data or more"):
        images._read(mnist, "test", "labels")


@settings(max_examples=30)
@given(damage=damages)
def test_any_damage_to_a_mnist_file_is_harmless(tmp_path_factory, damage):
    folder = tmp_path_factory.mktemp("mnist")
    (folder / LABELS).write_bytes(damaged((MNIST / LABELS).read_bytes(), damage))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(images, "MNIST", folder)
        try:
            labels = images._read(folder, "test", "labels")
        except InputError as error:
            assert "\n" not in str(error)  # noqa: PT017 - both outcomes are right
        else:
            np.testing.assert_array_equal(labels, images._read(MNIST, "test", "labels"))


def use_mirrors(monkeypatch, *mirrors):
    monkeypatch.setattr(images, "MIRRORS", [f"{mirror}/" for mirror in mirrors])


def test_missing_file_comes_from_the_first_good_mirror(mnist, tmp_path, monkeypatch):
    (mnist / LABELS).unlink()
    (tmp_path / LABELS).write_bytes(gzip.compress(b"other"))
    use_mirrors(monkeypatch, (tmp_path / "absent").as_uri(), tmp_path.as_uri(), MNIST.as_uri())
    load_split("test", mnist)
    assert sorted(path.name for path in mnist.iterdir()) == NAMES
    assert (mnist / LABELS).read_bytes() == (MNIST / LABELS).read_bytes()


def test_files_that_are_there_need_no_network(monkeypatch):
    use_mirrors(monkeypatch)
    assert len(load_split("test", MNIST).labels) == 10_000


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
            load_split("test", mnist)
    assert sorted(path.name for path in mnist.iterdir()) == sorted({*NAMES} - {LABELS})


def test_without_network_nothing_is_created(tmp_path, monkeypatch):
    with socket.create_server(("127.0.0.1", 0)) as server:
        closed = f"http://127.0.0.1:{server.getsockname()[1]}"
    use_mirrors(monkeypatch, closed, closed)
    folder = tmp_path / "absent" / "mnist"
    monkeypatch.setattr(images, "MNIST", folder)
    with pytest.raises(InputError, match=r"-labels-idx1-ubyte\.gz: not found, and no mirror gave it .*refused"):
        load_split("test", folder)
    assert list(tmp_path.iterdir()) == []
