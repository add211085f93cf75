"""MNIST and Fashion-MNIST: their files are the published ones, or else downloaded, or refused with the reason."""

import gzip
import shutil
import socket
import threading
from contextlib import ExitStack

import numpy as np
import pytest
from hypothesis import given, settings
from numpy.testing import assert_array_equal

from experiment import InputError, images, public_data
from experiment.images import MNIST, load_split, load_training
from tests.damage import damaged, damages, little_memory
from tests.script_helpers import write_images

PUBLIC = public_data.FOLDER
NAMES = {
    "mnist": sorted(f"{name}.gz" for name in public_data.SHA256["mnist"]),
    "fashion-mnist": ["t10k-images-idx3-ubyte.gz", "t10k-labels-idx1-ubyte.gz", "train-labels-idx1-ubyte.gz"],
}
LABELS = "t10k-labels-idx1-ubyte.gz"  # the smallest of the four


@pytest.fixture
def public(tmp_path, monkeypatch):
    """A folder with copies of the files in git, used instead of data/."""
    for data, names in NAMES.items():
        (tmp_path / data).mkdir()
        for name in names:
            shutil.copyfile(PUBLIC / data / name, tmp_path / data / name)
    monkeypatch.setattr(public_data, "FOLDER", tmp_path)
    return tmp_path


@pytest.fixture
def mnist(public):
    return public / "mnist"


def names(folder):
    return sorted(path.name for path in folder.iterdir())


def test_mnist_is_split_in_order():
    train, validation = load_training(MNIST)
    test = load_split("test", MNIST)
    for split, number in ((train, 50_000), (validation, 10_000), (test, 10_000)):
        assert split.pixels.shape == (number, 28, 28, 1)
        assert (split.pixels.min(), split.pixels.max()) == (0, 255)
        assert np.unique(split.labels).tolist() == list(range(10))
        assert split.classes == 10
    whole = load_split("train", MNIST)
    assert_array_equal(np.concatenate([train.pixels, validation.pixels]), whole.pixels)
    assert_array_equal(np.concatenate([train.labels, validation.labels]), whole.labels)
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
        (lambda content: gzip.compress(gzip.decompress(content)[:-1] + b"\x09"), "content has SHA-256 [0-9a-f]{64}"),
        (lambda content: gzip.compress(gzip.decompress(content) + b"\0"), "has at least 10001 bytes of data"),
    ],
    ids=["cut", "label", "byte"],
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
    with little_memory(), pytest.raises(InputError, match="has at least 10 bytes of data"):
        images._read(mnist, "test", "labels")


@settings(max_examples=30)
@given(damage=damages)
def test_any_damage_to_a_mnist_file_is_harmless(tmp_path_factory, damage):
    folder = tmp_path_factory.mktemp("data") / "mnist"
    folder.mkdir()
    (folder / LABELS).write_bytes(damaged((MNIST / LABELS).read_bytes(), damage))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(public_data, "FOLDER", folder.parent)
        try:
            labels = images._read(folder, "test", "labels")
        except InputError as error:
            assert "\n" not in str(error)  # noqa: PT017 - both outcomes are right
        else:
            assert_array_equal(labels, images._read(MNIST, "test", "labels"))


@pytest.fixture
def server(monkeypatch):
    """A function that redirects the official addresses to a local server, which answers with the given bytes."""
    with ExitStack() as running:

        def serve(reply):
            server = running.enter_context(socket.create_server(("127.0.0.1", 0)))
            address = f"http://127.0.0.1:{server.getsockname()[1]}"
            requests = []

            def answer():
                connection, _ = server.accept()
                with connection:
                    requests.append(connection.recv(4096).decode().split()[1])
                    connection.sendall(reply)

            thread = threading.Thread(target=answer, daemon=True)
            thread.start()
            for data in public_data.ADDRESSES:
                monkeypatch.setitem(public_data.ADDRESSES, data, f"{address}/{data}")
            return address, requests

        yield serve


def found(content):
    return b"HTTP/1.0 200 OK\r\nContent-Length: %d\r\n\r\n" % len(content) + content


@pytest.mark.parametrize("data", public_data.SHA256)
def test_missing_file_comes_from_its_address_however_it_is_compressed(data, public, server):
    labels = (PUBLIC / data / LABELS).read_bytes()
    (public / data / LABELS).unlink()
    _, requests = server(found(gzip.compress(gzip.decompress(labels), 1)))
    assert_array_equal(load_split("test", public / data).labels, load_split("test", PUBLIC / data).labels)
    assert requests == [f"/{data}/{LABELS}"]
    name = LABELS.removesuffix(".gz")
    assert names(public / data) == sorted({*NAMES[data], name} - {LABELS})
    assert (public / data / name).read_bytes() == gzip.decompress(labels)
    load_split("test", public / data)  # the address has no more to give


def test_training_images_of_fashion_mnist_are_asked_for_when_they_are_needed(public, server):
    folder = public / "fashion-mnist"
    address, requests = server(found(gzip.compress(b"other images")))
    assert len(load_split("test", folder).labels) == 10_000
    assert requests == []
    url = f"{address}/fashion-mnist/train-images-idx3-ubyte.gz"
    with pytest.raises(InputError, match=f"images-idx3-ubyte: not found, and downloading {url} failed .*SHA256"):
        load_split("train", folder)
    assert names(folder) == NAMES["fashion-mnist"]


@pytest.mark.parametrize(
    "reply",
    [
        b"HTTP/1.0 404 Not Found\r\n\r\n",
        found(b"<html>please log in</html>"),
        found(gzip.compress(b"other labels")),
        b"HTTP/1.0 200 OK\r\nContent-Length: 4500\r\n\r\ncut off",
        found((PUBLIC / "mnist" / LABELS).read_bytes()[:-100]),
        b"220 this is a mail server\r\n",
        b"",
    ],
    ids=["404", "page", "other", "cut", "cut gzip", "mail", "nothing"],
)
def test_bad_download_leaves_nothing_behind(public, server, reply):
    (public / "mnist" / LABELS).unlink()
    address, _ = server(reply)
    with pytest.raises(
        InputError, match=f"{LABELS[:-3]}: not found, and downloading {address}/mnist/{LABELS} failed"
    ):
        load_split("test", public / "mnist")
    assert names(public / "mnist") == sorted({*NAMES["mnist"]} - {LABELS})


def test_without_network_nothing_is_created(tmp_path, monkeypatch):
    with socket.create_server(("127.0.0.1", 0)) as server:
        closed = f"http://127.0.0.1:{server.getsockname()[1]}"
    monkeypatch.setitem(public_data.ADDRESSES, "mnist", closed)
    monkeypatch.setattr(public_data, "FOLDER", tmp_path)
    with pytest.raises(InputError, match=r"-labels-idx1-ubyte: not found, and downloading .*\.gz failed .*refused"):
        load_split("test", tmp_path / "mnist")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("data", public_data.SHA256)
def test_other_images_in_a_folder_of_the_same_name_are_refused(data, tmp_path):
    """Models trained on them would have the names of models trained on the public images, and replace them."""
    folder = write_images(tmp_path / data, (28, 28), classes=10)
    with pytest.raises(InputError, match=f"; a folder of other images needs a name other than {data}$"):
        load_split("test", folder)


def test_the_same_images_in_a_folder_of_the_same_name_are_read_whatever_the_files_are_called(tmp_path):
    for path in MNIST.iterdir():
        (tmp_path / "mnist").mkdir(exist_ok=True)
        shutil.copyfile(path, tmp_path / "mnist" / path.name.replace("-idx", ".idx").replace("t10k", "test"))
    assert_array_equal(load_split("test", tmp_path / "mnist").labels, load_split("test", MNIST).labels)
