"""MNIST and Fashion-MNIST in data/: their official addresses and the SHA-256 sums of their files.

MNIST is by Yann LeCun, Corinna Cortes and Christopher J. C. Burges, CC BY-SA 3.0. Fashion-MNIST is by Zalando SE (Han
Xiao, Kashif Rasul and Roland Vollgraf), MIT licence, whose text lies beside it. Git has all files except
Fashion-MNIST's training images.
"""

import gzip
import tempfile
import zlib
from contextlib import suppress

from experiment import ROOT, InputError, disk, shown

FOLDER = ROOT / "data"
ADDRESSES = {
    "mnist": "http://yann.lecun.com/exdb/mnist",
    "fashion-mnist": "http://fashion-mnist.s3-website.eu-central-1.amazonaws.com",
}
SHA256 = {  # of the decompressed files, as the same content can be compressed in more than one way
    "mnist": {
        "train-images-idx3-ubyte": "ba891046e6505d7aadcbbe25680a0738ad16aec93bde7f9b65e87a2fc25776db",
        "train-labels-idx1-ubyte": "65a50cbbf4e906d70832878ad85ccda5333a97f0f4c3dd2ef09a8a9eef7101c5",
        "t10k-images-idx3-ubyte": "0fa7898d509279e482958e8ce81c8e77db3f2f8254e26661ceb7762c4d494ce7",
        "t10k-labels-idx1-ubyte": "ff7bcfd416de33731a308c3f266cc351222c34898ecbeaf847f06e48f7ec33f2",
    },
    "fashion-mnist": {
        "train-images-idx3-ubyte": "c59f468a2f672dc815687fe0f83887768d799fd8a3f3276145d20f83aa44d888",
        "train-labels-idx1-ubyte": "bad3541b69d912435c50bb6ba87bec294ff4f6a2e1246121d8633921760443d9",
        "t10k-images-idx3-ubyte": "5b4141f0afbad91edebe8549f8fcffe087ea10ca49f1dbef5c9a5cd8815ce37b",
        "t10k-labels-idx1-ubyte": "0402a96d92fd2663957122ceb108a494c5af83dab82d92729df917d7dec38c34",
    },
}
LARGEST = 64 << 20  # bytes of a decompressed file


def sums(folder):
    """The SHA-256 of each decompressed file of a public folder, by name without .gz; None for other folders."""
    folder = folder.resolve()
    return SHA256.get(folder.name) if folder.parent == FOLDER else None


def fetch(path):
    """Downloads a file of a public folder from its official address and decompresses it to the path.

    Raises
    ------
    InputError
        It could not be downloaded, or its SHA-256 is wrong. Nothing is left behind.
    """
    import pooch  # slower to import than all else here, and seldom needed

    pooch.get_logger().setLevel("ERROR")
    data = path.parent.resolve().name
    url = f"{ADDRESSES[data]}/{path.name}.gz"
    print(f"fetching   {url}", flush=True)
    try:
        pooch.retrieve(url, SHA256[data][path.name], path.name, path.parent, downloader=_decompressed)
    except (OSError, EOFError, ValueError, zlib.error) as error:
        with suppress(OSError):  # the folder has other files
            path.parent.rmdir()
        raise InputError(f"{shown(path)}: not found, and downloading {url} failed ({error})") from None


def _decompressed(url, path, owner):
    """A downloader for pooch that decompresses a gzip file, so that pooch checks and keeps its content."""
    import pooch

    with tempfile.TemporaryFile() as compressed:
        pooch.HTTPDownloader()(url, compressed, owner)
        compressed.seek(0)
        with gzip.open(compressed) as content, open(path, "wb") as file:
            for part in disk.parts(content, LARGEST):
                file.write(part)
