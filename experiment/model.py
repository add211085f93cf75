"""What names a model, where it lies by default, and the options that choose it."""

import zlib
from argparse import ArgumentTypeError
from dataclasses import dataclass, replace
from pathlib import Path

from experiment import ROOT, InputError
from experiment.command_line import HIGHEST_SEED, LEVEL, SEED, path
from experiment.recipes import PAPER, RECIPES
from spiking.network import FULL_PRECISION, HIGHEST_LEVEL
from spiking.notation import check_layers, parse

LENET = "20C5-P2-50C5-P2-500"
PAPER_NETWORK = parse(f"28x28x1-{LENET}-10")
MNIST = "mnist"
PUBLISHED_LEVELS = (0, 1, 2)  # k of the quantised networks that the repository is about
# what training writes into its checkpoint folder, beside the checkpoint itself
NPZ_NAME = "model_MNIST.npz"
LONGEST_NAME = 60  # of a network, in names of files and folders
HISTORY_NAME = "training.csv"


@dataclass(frozen=True)
class Model:
    """What tells one trained network from another. Its files hold it; nothing is guessed from a path."""

    k: int  # quantisation level; FULL_PRECISION without quantiser
    network: str = LENET  # notation of the layers, as spiking/notation.py describes it
    data: str = MNIST  # name of the folder of images that it was trained on
    recipe: str = PAPER.name  # how it was trained
    seed: int = 0  # of initial values, order of the images and augmentation

    def __post_init__(self):
        if not FULL_PRECISION <= self.k <= HIGHEST_LEVEL:
            raise ValueError(f"k is {self.k}, expected {FULL_PRECISION} (full precision) to {HIGHEST_LEVEL}")
        check_layers(self.network)
        for what, name in (("data", self.data), ("recipe", self.recipe)):
            if not name.isprintable() or "/" in name or name in ("", ".", "..") or len(name) > 100:
                raise ValueError(f"{what} is {name[:100]!r}, expected the name of a folder or recipe")
        if not 0 <= self.seed <= HIGHEST_SEED:
            raise ValueError(f"seed is {self.seed}, expected 0 to {HIGHEST_SEED}")

    @property
    def level(self):
        """fp32, k0, k1, ..."""
        return "fp32" if self.k == FULL_PRECISION else f"k{self.k}"

    @property
    def differences(self):
        """What differs from the paper's model of this level, for names: network, data, recipe, seed."""
        seed = f"seed{self.seed}" if self.seed else ""
        found = [
            self._network_name if self.network != LENET else "",
            self.data if self.data != MNIST else "",
            self.recipe if self.recipe != PAPER.name else "",
        ]
        return tuple(filter(None, [*found, seed]))

    @property
    def _network_name(self):
        """The notation of its layers; what is too long for a file's name is told apart by a sum."""
        if len(self.network) <= LONGEST_NAME:
            return self.network
        return f"{len(self.network.split('-'))}layers-{zlib.crc32(self.network.encode()):08x}"

    @property
    def name(self):
        """Of its files and folders: fp32, k0, k1-augmented, k0-usps, k0-seed3."""
        return "-".join((self.level, *self.differences))

    @property
    def label(self):
        """For legends and tables: full precision, k=0, k=1, augmented."""
        return ", ".join(("full precision" if self.k == FULL_PRECISION else f"k={self.k}", *self.differences))

    @property
    def checkpoint(self):
        """Folder of its training state."""
        return ROOT / "LeNet" / "checkpoints" / self.name

    @property
    def published(self):
        """Its weights in the repository, a npz file."""
        return ROOT / "LeNet" / "pretrained" / f"{self.name}.npz"

    @property
    def history(self):
        """The CSV of its training beside the published weights, an epoch per line."""
        return ROOT / "LeNet" / "pretrained" / f"{self.name}.csv"

    @property
    def logs(self):
        """Folder of its evaluation's logs."""
        return ROOT / "figs" / self.name

    @property
    def images(self):
        """Folder of the images that it was trained on, where they lie in the repository."""
        return ROOT / "data" / self.data

    def at(self, k):
        """The model of another level that has all else in common."""
        return replace(self, k=k)


def _network_option(text):
    """Option type: the notation of the layers."""
    try:
        check_layers(text)
    except ValueError as error:
        raise ArgumentTypeError(f"found {text!r}: {error}") from None
    return text


def add_options(parser, k=None, seed="initial values, shuffling and augmentation of the training"):
    """The options that name a model; they are None where they are not given, so that a file can answer instead.

    Parameters
    ----------
    parser : ArgumentParser
    k : int or None
        The level where neither the option nor a file says it; None for a script of all levels or of none.
    seed : str or None
        What the seed is of; None for a script of all seeds.
    """
    add = parser.add_argument
    if k is not None:
        add("--k", type=LEVEL, default_text=str(k), help="quantisation level: activations are multiples of 1 / 2^k")
    add("--network", type=_network_option, metavar="NOTATION", default_text=LENET, help="layers of the network")
    add("--data", type=path, metavar="DIR", default_text="data/mnist", help="folder of the images, four IDX files")
    add("--recipe", default_text=PAPER.name, choices=tuple(RECIPES), help="how the network is trained, or was")
    if seed is not None:
        add("--seed", type=SEED, default_text="0", help=f"of {seed}")


def add_weights(parser, when="", files="npz file"):
    meaning = f"{when}{files} of a trained model; the options above may only agree with it"
    default = "that of their checkpoint, if there is one, else the published one"
    parser.add_argument("--weights", type=path, metavar="FILE", default_text=default, help=meaning)


def named(args, k):
    """The Model that the options of a script name, with level k where they do not say."""
    given = {name: getattr(args, name, None) for name in ("k", "network", "recipe", "seed")}
    given["data"] = None if args.data is None else Path(args.data).resolve().name
    try:
        return Model(**{"k": k} | {name: value for name, value in given.items() if value is not None})
    except ValueError as error:
        raise InputError(f"argument --data: {error}") from None
