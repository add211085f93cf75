"""The name of a trained network, the default places of its files, and the options that choose it."""

import re
from argparse import ArgumentTypeError
from dataclasses import dataclass, fields, replace
from pathlib import Path

from experiment import ROOT, InputError, digest
from experiment.command_line import LEVEL, SEED, path
from experiment.recipes import PAPER, RECIPES
from spiking.network import FULL_PRECISION
from spiking.notation import check_layers, parse

LENET = "20C5-P2-50C5-P2-500"
PAPER_NETWORK = parse(f"28x28x1-{LENET}-10")
MNIST = "mnist"
PUBLISHED_LEVELS = (0, 1, 2)  # k of the quantised networks that the repository is about
# files that a training writes into its checkpoint folder, beside the checkpoint itself
NPZ_NAME = "model_MNIST.npz"
HISTORY_NAME = "training.csv"
OWN = "own"  # recipe of a user's own network, whose training is unknown
OPTIONS = ("k", "network", "data", "recipe", "seed")  # that name a model
# names of data that cannot be mistaken for a network (32C5-P2), a recipe, a seed, or anything else in a name
PLAIN = re.compile(r"[a-z]{2}[a-z0-9_]*(-[a-z]{2}[a-z0-9_]*)*")
PLAIN_ORIGIN = r"|[a-z][a-z0-9_]*-[0-9a-f]{8}"
TAKEN = re.compile(rf"(seed|first|image|steps|shown)\d*|noise.*|burst|positive|{OWN}")
MAX_WORDS = 100  # letters of a name that is not shortened; file systems have room for 255 bytes
SHORTENED = 40  # letters that are left of one that is


@dataclass(frozen=True)
class Model:
    """What distinguishes one trained network from another. Its files hold it; it is never guessed from their path."""

    k: int  # quantisation level; FULL_PRECISION if there is no quantiser
    network: str = LENET  # notation of the layers, as spiking/notation.py describes it
    data: str = MNIST  # name of the folder of images that it was trained on
    recipe: str = PAPER.name  # how it was trained
    seed: int = 0  # of initial values, order of the images and augmentation
    origin: str = ""  # name of the user's own file that it was converted from, digest of it and of options

    def __post_init__(self):
        check_layers(self.network)
        for what, name in (("data", self.data), ("recipe", self.recipe), ("origin", self.origin or "none")):
            if not name.isprintable() or "/" in name or name in ("", ".", "..") or len(name) > 100:
                raise ValueError(f"{what} is {name[:100]!r}, expected the name of a folder or recipe")

    @property
    def level(self):
        """fp32, k0, k1, ..."""
        return "fp32" if self.k == FULL_PRECISION else f"k{self.k}"

    @property
    def differences(self):
        """Where it differs from the paper's model of this level, in words: network, data, recipe, origin, seed."""
        words = {name: f"{name} " for name in self._unclear()} | {"origin": "from "}
        differing = [f"{words.get(name, '')}{value}" for name, value in self._differing().items()]
        return (*differing, *([f"seed{self.seed}"] if self.seed else []))

    @property
    def name(self):
        """The unique name of its files and folders: fp32, k0, k1-augmented, k0-usps-seed3."""
        return self._unique(self.level, self._differing())

    def figure_name(self, figure):
        """The unique name of a figure of its levels: scnn_sop_mnist, scnn_sop_mnist-augmented."""
        differing = self._differing()
        differing.pop("data", None)
        return self._unique(f"{figure}_{self.data}", differing)

    def _differing(self):
        """Those of network, data, recipe and origin that differ from the paper's, by name."""
        values = {name: getattr(self, name) for name in ("network", "data", "recipe", "origin")}
        return {name: value for name, value in values.items() if value != getattr(Model, name)}

    def _unclear(self):
        """Which of data and recipe could be mistaken for something else in a name, capitals ignored."""
        is_recipe = any(f"-{recipe}-" in f"-{self.data}-" for recipe in RECIPES)
        taken = is_recipe or any(map(TAKEN.fullmatch, self.data.split("-")))
        found = ["data"] if taken or not PLAIN.fullmatch(self.data) else []
        if self.recipe in RECIPES:
            plain = not self.origin
        else:
            plain = self.recipe == OWN and re.fullmatch(PLAIN_ORIGIN, self.origin)
        return found if plain else [*found, "recipe"]

    def _unique(self, start, differing):
        """A name of this start and these values, with a digest if it could also name another model."""
        name, texts = "-".join([start, *differing.values()]), [self.network, self.data, self.recipe]
        texts += [self.origin] if self.origin else []
        if self._unclear() or sum(map(len, texts)) > MAX_WORDS:
            name = f"{name[:SHORTENED]}~{digest(*texts)}"
        return f"{name}-seed{self.seed}" if self.seed else name

    @property
    def label(self):
        """Its name in legends and tables: full precision; k=0; k=1, augmented."""
        return ", ".join(("full precision" if self.k == FULL_PRECISION else f"k={self.k}", *self.differences))

    @property
    def checkpoint(self):
        """The folder of its training state."""
        return ROOT / "LeNet" / "checkpoints" / self.name

    @property
    def published(self):
        """The npz file of its weights in the repository."""
        return ROOT / "LeNet" / "pretrained" / f"{self.name}.npz"

    @property
    def history(self):
        """The CSV file of its training beside the published weights, with one line per epoch."""
        return ROOT / "LeNet" / "pretrained" / f"{self.name}.csv"

    @property
    def images(self):
        """The folder of the images that it was trained on, if they are in the repository."""
        return ROOT / "data" / self.data

    def at(self, k):
        """The same model at another level."""
        return replace(self, k=k)


def _network_option(text):
    """Option type: the notation of a network's layers."""
    try:
        check_layers(text)
    except ValueError as error:
        raise ArgumentTypeError(f"found {text!r}: {error}") from None
    return text


def add_options(parser, k=None, seed="initial values, shuffling and augmentation of the training"):
    """Adds the options that name a model; those that are not given stay None, so that a file can decide instead.

    Parameters
    ----------
    parser : ArgumentParser
    k : int or None
        The level if neither the option nor a file gives one; None for a script that has no such option.
    seed : str or None
        What depends on the seed; None for a script that has no such option.
    """
    add = parser.add_argument
    if k is not None:
        add("--k", type=LEVEL, default_text=str(k), help="quantisation level: activations are multiples of 1 / 2^k")
    add("--network", type=_network_option, metavar="NOTATION", default_text=LENET, help="layers of the network")
    add("--data", type=path, metavar="DIR", default_text="data/mnist", help="folder of the images, four IDX files")
    add("--recipe", default_text=PAPER.name, choices=tuple(RECIPES), help="how the network is, or was, trained")
    if seed is not None:
        add("--seed", type=SEED, default_text="0", help=f"seed of {seed}")


def add_weights(parser, when="", files="npz file"):
    meaning = f"{when}{files} of a trained model, which the options above must not contradict"
    default = "the checkpoint that they name, or else the published file"
    parser.add_argument("--weights", type=path, metavar="FILE", default_text=default, help=meaning)


@dataclass(frozen=True)
class Choice:
    """What the options of a script say about a model; None where they leave it open."""

    k: int | None = None
    network: str | None = None
    data: Path | None = None  # folder of the images
    recipe: str | None = None
    seed: int | None = None
    weights: Path | None = None  # npz file

    def model(self, k):
        """The Model that is named; where the level is open, it is k, and where anything else is, the paper's."""
        said = {name: getattr(self, name) for name in OPTIONS if getattr(self, name) is not None}
        if self.data is not None:
            said["data"] = self.data.resolve().name
        try:
            return Model(**{"k": k} | said)
        except ValueError as error:
            raise InputError(f"argument --data: {error}") from None


def chosen(args):
    """The Choice made by a script's options, which may lack some."""
    return Choice(*(getattr(args, field.name, None) for field in fields(Choice)))
