"""The log files of an evaluation: written by the LeNet scripts, read by the figures.

A log has one integer per line: for each batch of images in order, for each time step.

    accuracy.txt        images predicted right
    spike_num.txt       spikes of all blocks, |+1| + |-1|, up to this time step
    spike_collect.txt   their signed sum
    sop_num.txt         synaptic operations up to this time step
    run.json            settings, model and results of the run: `describe` and `describe_artificial` say what

All but run.json are as Zou et al. published theirs; logs without it are read as theirs of MNIST, of which each has
50 batches of 200 images x 20 time steps.
"""

import io
import json
import re
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from experiment import InputError, disk, printable, shown
from experiment.command_line import HIGHEST_SEED
from experiment.images import HIGHEST_NOISE_RATIO
from experiment.model import PAPER_NETWORK, Model
from experiment.weights import COUNTS, LARGEST_COUNT, LARGEST_OWN, NUMBERS, OWN, shortfall
from spiking.network import FULL_PRECISION, HIGHEST_LEVEL, Network
from spiking.notation import parse

RUN, ACCURACY = "run.json", "accuracy.txt"
SPIKE_LOGS = ("spike_num.txt", "spike_collect.txt", "sop_num.txt")
FOREIGN_ACCURACY = "SNN_accuracy.txt"  # as the authors' published logs call it
FOREIGN_RUN = {"images": 10_000, "batch_size": 200, "time_steps": 20}
TIME_STEPS, BATCH_SIZE = 20, 200  # of an evaluation where no option says otherwise
LARGEST_LINES = 1 << 22  # of a log
LARGEST_LOG = 16 * LARGEST_LINES  # bytes
LOG = "a log of LeNet/Spiking_LeNet_MNIST.py"  # as error messages call it
LARGEST_SUM = 10**18  # of spikes or operations of all batches, inside int64
INTEGER = re.compile(rb"(-?\d{1,18})(?:\.0)?\r?\n?")
UNBOUNDED = "unbounded"  # max_spikes in run.json


@dataclass(frozen=True)
class Logs:
    """What an evaluation has logged; arrays of (time steps,), summed over all images."""

    folder: Path
    run: dict  # of run.json; {} without one
    model: Model | None  # None without a run.json
    network: Network
    images: int
    right: np.ndarray
    spike_num: np.ndarray | None = None  # None of an artificial network, like the two below
    spike_collect: np.ndarray | None = None
    sop_num: np.ndarray | None = None

    @property
    def label(self):
        """For legends and tables; with the folder's own name where it is not the default one."""
        folder = printable(self.folder.resolve().name)
        if self.model is None:
            return folder
        trial = ["trial"] if self.shortfall else []
        label = ", ".join([self.model.label, *trial, *(words for _, words in variations(self.run))])
        return label if folder == default_folder(self.model, self.run).name else f"{label} ({folder})"

    @property
    def shortfall(self):
        """How much less of training the model has seen than its recipe says, in words."""
        return shortfall(self.run["model"]) if self.run else ""

    @property
    def accuracy(self):
        """In percent, after each time step."""
        return 100 * self.right / self.images

    @property
    def time_steps_needed(self):
        """The first time step from which the accuracy stays at its final value, counted from 1."""
        return time_steps_needed(self.right)

    @property
    def positive_spikes(self):
        """Per image, up to each time step."""
        return (self.spike_num + self.spike_collect) / 2 / self.images

    @property
    def negative_spikes(self):
        """Per image, up to each time step."""
        return (self.spike_num - self.spike_collect) / 2 / self.images

    @property
    def sops(self):
        """Synaptic operations per image, up to each time step."""
        return self.sop_num / self.images


def short(number):
    """A float in as few digits as tell it from all others: 0.5, 1, 1e-05."""
    return repr(float(number)).removesuffix(".0")


def variations(run):
    """What sets a run apart from that of its model as it was trained: (part of the folder's name, words) each."""
    found = []
    if run["k"] != run["model"]["k"]:
        found.append((f"k{run['k']}", f"converted to k={run['k']}"))
    if run.get("noise_ratio"):
        ratio = short(run["noise_ratio"])
        found.append((f"noise{ratio}", f"noise {ratio}"))
    if burst := run.get("max_spikes"):
        found.append((f"burst-{burst}", f"bursts of {burst}" if burst != UNBOUNDED else "unbounded bursts"))
    if not run.get("negative_spikes", True):
        found.append(("positive", "no negative spikes"))
    if limit := run.get("limit"):
        found.append((f"first{limit}", f"first {limit} images"))
    return found


def default_folder(model, run):
    """Where the logs of a run lie unless --logs says otherwise: figs/k0, figs/k0-augmented-noise0.5, ..."""
    return model.logs.with_name("-".join([model.name, *(part for part, _ in variations(run))]))


def time_steps_needed(right):
    """The first time step, counted from 1, from which the number of right predictions stays at its last value."""
    different = np.flatnonzero(right != right[-1])
    return int(different[-1]) + 2 if len(different) else 1


def settings(trained, k, images, batch_size, time_steps, **variation):
    """The first part of run.json: what was run.

    Parameters
    ----------
    trained : Trained
    k : int, the level that it was run at
    images, batch_size, time_steps : int
    variation : noise_ratio and noise_seed, max_spikes, negative_spikes, limit: those that are not the default

    Raises InputError where the logs would be larger than what is read.
    """
    lines = -(-images // batch_size) * time_steps
    if lines > LARGEST_LINES:
        found = f"{batch_size} with {time_steps} time steps, logs of {lines:,} lines"
        raise InputError(f"argument --batch_size: found {found}, expected at most {LARGEST_LINES:,} lines")
    sizes = {"k": k, "time_steps": time_steps, "batch_size": batch_size, "images": images}
    return sizes | {"model": trained.identity} | variation


def describe(run, trained, evaluation, ann_right):
    """All of run.json after a spiking evaluation: `settings` and the results, the same on any machine.

    `ann_right` is the number of images that the artificial network predicts right, None if it is not known.
    """
    images = run["images"]
    right = evaluation.right.sum(axis=0)
    accuracy = int(right[-1]) / images
    by_block = evaluation.statistics.sum(axis=(0, 2))  # (blocks, 3)
    network = trained.network
    return run | {
        "ann_accuracy": None if ann_right is None else ann_right / images,
        "snn_accuracy": accuracy,
        "quiescent_images": int(evaluation.quiescent.sum()),
        "time_steps_needed": time_steps_needed(right),
        "weights": shown(trained.path),
        "weights_sha256": trained.sha256,
        "blocks": [_per_image(block.neurons, *row, images) for block, row in zip(network.blocks, by_block)],
        "total": _per_image(network.neurons, *by_block.sum(axis=0), images),
        "files": [ACCURACY, *SPIKE_LOGS, RUN],
    }


def _per_image(neurons, spikes, negative, sops, images):
    return {
        "neurons": neurons,
        "positive_spikes_per_image": int(spikes - negative) / images,
        "negative_spikes_per_image": int(negative) / images,
        "sops_per_image": int(sops) / images,
    }


def describe_artificial(run, trained, right):
    """All of run.json after a test of the artificial network; right : bool (images,)."""
    return run | {
        "ann_accuracy": float(right.mean()),
        "weights": shown(trained.path),
        "weights_sha256": trained.sha256,
    }


def write(output, run, right, statistics=None):
    """Writes the logs of an evaluation, all together.

    Parameters
    ----------
    output : OutputFolder
    run : dict, for run.json
    right : int array (batches, time steps)
    statistics : int array (batches, blocks, time steps, 3)
        Spikes, negative spikes and synaptic operations in each time step; None of an artificial network.
    """
    logs = {ACCURACY: right}
    if statistics is not None:
        spikes, negative, sops = np.moveaxis(statistics.sum(axis=1).cumsum(axis=1), -1, 0)
        logs |= dict(zip(SPIKE_LOGS, (spikes, spikes - 2 * negative, sops), strict=True))
    with output.replacing() as staging:
        for name, numbers in logs.items():
            (staging / name).write_text("".join(f"{number}\n" for number in np.ravel(numbers)))
        (staging / RUN).write_text(json.dumps(run, indent=2) + "\n")


def exist(folder):
    """Whether there are logs in a folder."""
    return disk.exists(Path(folder) / ACCURACY)


def read(folder):
    """The Logs of a folder: of a spiking evaluation with four logs, or of an artificial network with accuracy.txt.

    Raises
    ------
    InputError
        A file is missing, damaged or does not fit to the others.
    """
    folder = Path(folder)
    run, network, model = _read_run(folder / RUN)
    accuracy, sizes = folder / ACCURACY, run
    if not run:
        names, sizes = (ACCURACY, FOREIGN_ACCURACY), FOREIGN_RUN
        accuracy = next((folder / name for name in names if disk.exists(folder / name)), accuracy)
    right = _read_log(accuracy, sizes, bool(run))
    batches = sizes["batch_size"] * np.arange(len(right))
    _check_range(accuracy, right, 0, np.minimum(sizes["batch_size"], sizes["images"] - batches)[:, None])
    logs = Logs(folder, run, model, network, sizes["images"], right.sum(axis=0))
    if run and run["k"] == FULL_PRECISION:
        return logs
    spike_num, spike_collect, sop_num = (_read_log(folder / name, sizes, bool(run)) for name in SPIKE_LOGS)
    _check_range(folder / SPIKE_LOGS[0], spike_num, 0, LARGEST_SUM // len(right))
    _check_range(folder / SPIKE_LOGS[1], spike_collect, -spike_num, spike_num)
    _check_range(folder / SPIKE_LOGS[2], sop_num, 0, LARGEST_SUM // len(right))
    sums = {"spike_num": spike_num, "spike_collect": spike_collect, "sop_num": sop_num}
    return Logs(**vars(logs) | {name: log.sum(axis=0) for name, log in sums.items()})


def _read_run(path):
    """The content of run.json, and the Network and the Model that it names; those of foreign logs without one."""
    if not disk.exists(path):
        return {}, PAPER_NETWORK, None
    content = disk.read(path, LOG)
    try:
        run = json.loads(content)
        network, model = _identified(run["model"])
        ann_accuracy, burst = run.get("ann_accuracy"), run.get("max_spikes", 1)
        valid = all(_counts(run[name]) for name in ("images", "batch_size", "time_steps"))
        valid = valid and _counts(run["k"], FULL_PRECISION, HIGHEST_LEVEL)
        valid = valid and model.k in (run["k"], FULL_PRECISION)  # which is converted to any level
        valid = valid and 0 <= run.get("noise_ratio", 0) <= HIGHEST_NOISE_RATIO
        valid = valid and (ann_accuracy is None or 0 <= ann_accuracy <= 1)
        valid = valid and (burst == UNBOUNDED or _counts(burst)) and type(run.get("negative_spikes", True)) is bool
        valid = valid and _counts(run.get("limit", 1)) and _counts(run.get("noise_seed", 0), 0, HIGHEST_SEED)
        valid = valid and _counts(run.get("quiescent_images", 0), 0, run["images"])
        valid = valid and _counts(run.get("time_steps_needed", 1), 1, run["time_steps"])
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        valid = False
    if not valid:
        raise InputError(
            f"{shown(path)}: damaged or of an older version, expected JSON with k, images, batch_size, time_steps "
            "and model as the scripts in LeNet/ write them"
        )
    return run, network, model


def _counts(value, lowest=1, highest=LARGEST_COUNT):
    """Whether it is an integer, and neither too low nor too high."""
    return type(value) is int and lowest <= value <= highest


def _identified(identity):
    """The Network and the Model that run.json names; raises one of several errors if it names none."""
    counted = all(_counts(identity[name], 0, highest) for name, highest in COUNTS.items())
    counted = counted and _counts(identity.get(OWN, 0), 0, LARGEST_OWN)
    if not counted or any(type(identity[name]) is not int for name in NUMBERS):
        raise ValueError
    network = replace(parse(identity["network"]), own_multiply_accumulates=identity.get(OWN))
    return network, Model(identity["k"], network.layers, *(identity[name] for name in ("data", "recipe", "seed")))


def _read_log(path, sizes, described):
    """An integer array (batches, time steps)."""
    content = disk.read(path, LOG, LARGEST_LOG)
    lines = content.count(b"\n") + (content[-1:] not in (b"", b"\n"))
    batches, time_steps = -(-sizes["images"] // sizes["batch_size"]), sizes["time_steps"]
    if lines != batches * time_steps:
        expected = f"{batches} batches x {time_steps} time steps" + ("" if described else f" without a {RUN}")
        raise InputError(f"{shown(path)}: has {lines} lines, expected {expected}")
    numbers = np.empty(lines, np.int64)  # a list would take several times the memory
    for index, line in enumerate(io.BytesIO(content)):
        match = INTEGER.fullmatch(line)
        if match is None:
            raise InputError(f"{shown(path)}: line {index + 1} is {line[:20]!r}, expected an integer")
        numbers[index] = int(match[1])
    return numbers.reshape(-1, time_steps)


def _check_range(path, log, lowest, highest):
    lowest, highest = np.broadcast_to(lowest, log.shape), np.broadcast_to(highest, log.shape)
    outside = np.argwhere((log < lowest) | (log > highest))
    if len(outside):
        place = tuple(outside[0])
        line = np.ravel_multi_index(place, log.shape) + 1
        raise InputError(f"{shown(path)}: line {line} is {log[place]}, expected {lowest[place]} to {highest[place]}")
