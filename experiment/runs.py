"""run.json, which tells which model was run, how, and with which results; and the folder that is named after it."""

import json
from dataclasses import asdict, dataclass, replace

import numpy as np

from experiment import ROOT, InputError, disk, shown
from experiment.command_line import MAX_SEED
from experiment.identity import Identity, identified, integer
from experiment.images import MAX_NOISE_RATIO
from experiment.model import PUBLISHED_LEVELS, Model
from spiking.network import FULL_PRECISION, MAX_LEVEL

RUN, ACCURACY = "run.json", "accuracy.txt"
SPIKE_LOGS = ("spike_num.txt", "spike_collect.txt", "sop_num.txt")
TIME_STEPS, BATCH_SIZE = 20, 200  # default of an evaluation
LOG = "a log of LeNet/Spiking_LeNet_MNIST.py"  # as error messages call it
UNBOUNDED = "unbounded"  # max_spikes in run.json
PROMINENT = tuple(Model(k) for k in (FULL_PRECISION, *PUBLISHED_LEVELS))  # models whose logs lie in figs/ itself


@dataclass(frozen=True)
class Variation:
    """How a run differs from one of its model as it was trained, with default options."""

    k: int | None = None  # level that a full-precision network is converted to
    noise_ratio: float = 0.0
    noise_seed: int = 0
    max_spikes: int | None = 1  # None if unbounded
    negative_spikes: bool = True
    limit: int | None = None  # of test images

    @property
    def parts(self):
        """For each difference, its part of the folder's name and its words in a label."""
        found = []
        if self.k is not None:
            found.append((f"k{self.k}", f"converted to k={self.k}"))
        if self.noise_ratio:
            ratio = short(self.noise_ratio)
            seed = self.noise_seed
            words = f", noise seed {seed}" if seed else ""
            found.append((f"noise{ratio}" + (f"-noise_seed{seed}" if seed else ""), f"noise {ratio}{words}"))
        if self.max_spikes is None:
            found.append((f"burst-{UNBOUNDED}", "unbounded bursts"))
        elif self.max_spikes > 1:
            found.append((f"burst-{self.max_spikes}", f"bursts of {self.max_spikes}"))
        if not self.negative_spikes:
            found.append(("positive", "no negative spikes"))
        if self.limit:
            found.append((f"first{self.limit}", f"first {self.limit} images"))
        return found


@dataclass(frozen=True)
class BlockResults:
    """What some neurons did, per image."""

    neurons: int
    positive_spikes_per_image: float
    negative_spikes_per_image: float
    sops_per_image: float


@dataclass(frozen=True)
class Results:
    """The results of a run; those of an artificial network are just its accuracy."""

    ann_accuracy: float | None  # None if it is not known
    snn_accuracy: float | None = None
    quiescent_images: int | None = None
    time_steps_needed: int | None = None
    weights: str | None = None  # path of the file
    weights_sha256: str | None = None
    blocks: list[BlockResults] | None = None
    total: BlockResults | None = None
    files: list[str] | None = None
    sizes: list[dict] | None = None  # that hardware needs, if they were measured


@dataclass(frozen=True)
class Run:
    """A run of a model over test images."""

    identity: Identity  # of the model
    variation: Variation
    time_steps: int
    batch_size: int  # images per line of the logs
    images: int
    results: Results | None = None

    @property
    def k(self):
        """The level at which the network ran."""
        return self.identity.model.k if self.variation.k is None else self.variation.k

    @property
    def label(self):
        """The name in legends and tables."""
        trial = ["trial"] if self.identity.shortfall else []
        return ", ".join([self.identity.model.label, *trial, *(words for _, words in self.variation.parts)])

    @property
    def folder(self):
        """The default folder of its logs."""
        return default_folder(self.identity.model, self.variation)

    @property
    def entries(self):
        """The content of run.json, which leaves out what is as usual."""
        sizes = {"k": self.k, "time_steps": self.time_steps, "batch_size": self.batch_size, "images": self.images}
        varied = self.variation
        noise = {"noise_ratio": varied.noise_ratio, "noise_seed": varied.noise_seed} if varied.noise_ratio else {}
        burst = {} if varied.max_spikes == 1 else {"max_spikes": varied.max_spikes or UNBOUNDED}
        positive = {} if varied.negative_spikes else {"negative_spikes": False}
        limit = {"limit": varied.limit} if varied.limit else {}
        results = {} if self.results is None else asdict(self.results)
        known = {name: value for name, value in results.items() if value is not None or name == "ann_accuracy"}
        return sizes | {"model": self.identity.entries} | noise | burst | positive | limit | known


def short(number):
    """A float in as few digits as identify it: 0.5, 1, 1e-05."""
    return repr(float(number)).removesuffix(".0")


def default_folder(model, variation=Variation()):
    """The folder of logs unless --logs names another: figs/k0, figs/logs/k0-augmented-noise0.5, ..."""
    figs = ROOT / "figs"
    prominent = model in PROMINENT and not variation.parts
    return (figs if prominent else figs / "logs") / "-".join([model.name, *(part for part, _ in variation.parts)])


def time_steps_needed(right):
    """The first time step, counted from 1, from which the number of correct predictions no longer changes."""
    different = np.flatnonzero(right != right[-1])
    return int(different[-1]) + 2 if len(different) else 1


def last_step_with_spikes(spikes):
    """The last time step in which any neuron fires, counted from 1, or 0 if none does; spikes: (time steps, ...)."""
    fired = spikes.reshape(len(spikes), -1).any(axis=1)
    return int(np.flatnonzero(fired).max(initial=-1)) + 1


def described(run, trained, evaluation, ann_right, sizes=None):
    """The Run of a Trained model with the results of its spiking evaluation, which are the same on any machine.

    `ann_right` is the number of images that the artificial network predicts correctly, None if it is not known.
    """
    right, count = evaluation.right.sum(axis=0), run.images
    by_block = evaluation.statistics.sum(axis=(0, 2))  # (blocks, 3)
    rows = [(block.neurons, *row) for block, row in zip(trained.network.blocks, by_block, strict=True)]
    rows.append((trained.network.neurons, *by_block.sum(axis=0)))
    per_image = [
        BlockResults(neurons, int(spikes - negative) / count, int(negative) / count, int(sops) / count)
        for neurons, spikes, negative, sops in rows
    ]
    results = Results(
        None if ann_right is None else ann_right / count,
        snn_accuracy=int(right[-1]) / count,
        quiescent_images=int(evaluation.quiescent.sum()),
        time_steps_needed=time_steps_needed(right),
        **trained.source,
        blocks=per_image[:-1],
        total=per_image[-1],
        files=[ACCURACY, *SPIKE_LOGS, RUN],
        sizes=sizes,
    )
    return replace(run, results=results)


def read(path):
    """The Run in a run.json, with its results that figures show; None if there is no such file."""
    if not disk.exists(path):
        return None
    content = disk.read(path, LOG)
    try:
        return _run(json.loads(content))
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        raise InputError(
            f"{shown(path)}: damaged or of an older version, expected JSON with k, images, batch_size, time_steps "
            "and model as the scripts in LeNet/ write it"
        ) from None


def _run(entries):
    """The Run that such entries describe; raises one of several errors if they describe none."""
    identity, k = identified(entries["model"]), integer(entries, "k", FULL_PRECISION, MAX_LEVEL)
    if identity.model.k not in (k, FULL_PRECISION):  # full precision may have been converted to any level
        raise ValueError("k")
    variation = Variation(
        None if k == identity.model.k else k,
        _number(entries, "noise_ratio", MAX_NOISE_RATIO, 0.0),
        integer(entries, "noise_seed", 0, MAX_SEED, default=0),
        None if entries.get("max_spikes") == UNBOUNDED else integer(entries, "max_spikes", default=1),
        entries.get("negative_spikes", True),
        integer(entries, "limit", default=None),
    )
    if type(variation.negative_spikes) is not bool:
        raise TypeError("negative_spikes")
    time_steps, batch_size, images = (integer(entries, name) for name in ("time_steps", "batch_size", "images"))
    results = Results(_number(entries, "ann_accuracy", 1, None))
    return Run(identity, variation, time_steps, batch_size, images, results)


def _number(entries, name, highest, default):
    """An entry, which must be a number from 0 to `highest`; the default if it is missing or null."""
    number = entries.get(name, default)
    if number is not None and not 0 <= number <= highest:
        raise ValueError(name)
    return default if number is None else number
