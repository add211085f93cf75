"""The log files of an evaluation: written by the LeNet scripts, read by the figures.

A log has one integer per line: for each batch of images in order, for each time step.

    accuracy.txt        images predicted right
    spike_num.txt       spikes of the five blocks, |+1| + |-1|, up to this time step
    spike_collect.txt   their signed sum
    sop_num.txt         synaptic operations up to this time step
    run.json            sizes and results of the run
"""

import io
import json
import re
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from LeNet import input_files
from experiment import InputError
from spiking.network import FULL_PRECISION, HIGHEST_NOISE_RATIO
from experiment.disk import settle
from experiment.model import log_folder, short, shown
from experiment.recipes import PAPER, RECIPES

RUN, ACCURACY = "run.json", "accuracy.txt"
SPIKE_LOGS = ("spike_num.txt", "spike_collect.txt", "sop_num.txt")
FILES = (ACCURACY, *SPIKE_LOGS, RUN)
FOREIGN_ACCURACY = "SNN_accuracy.txt"  # as the authors' published logs call it
FOREIGN_SIZES = {"batch_size": 200, "time_steps": 20}  # of logs without a run.json
LARGEST_LOG = 64 << 20  # bytes
LOG = "a log of LeNet/Spiking_LeNet_MNIST.py"  # as error messages call it
LARGEST_SIZE = 10**9  # of images, batch_size and time_steps in run.json
LARGEST_NUMBER = 10**12  # of spikes or operations in a batch: sums over all batches stay far inside int64
INTEGER = re.compile(rb"(-?\d{1,18})(?:\.0)?\r?\n?")


@dataclass(frozen=True)
class Logs:
    """What an evaluation has logged; arrays of (time steps,), summed over all images."""

    folder: Path
    run: dict  # of run.json; {} without one
    images: int
    right: np.ndarray
    spike_num: np.ndarray
    spike_collect: np.ndarray
    sop_num: np.ndarray

    @property
    def name(self):
        """For legends and tables; with the folder's own name where it is not the default one."""
        folder = self.folder.resolve().name
        if "k" not in self.run:
            return folder
        k, recipe, noise_ratio = self.run["k"], recipe_of(self.run), self.run.get("noise_ratio", 0)
        name = network_label(k, recipe)
        name += f", noise {short(noise_ratio)}" if noise_ratio > 0 else ""
        return name if folder == log_folder(k, recipe, noise_ratio).name else f"{name} ({folder})"

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


def network_label(k, recipe):
    """full precision, k=0, ..., or of another recipe than the paper's k=0, augmented."""
    network = "full precision" if k == FULL_PRECISION else f"k={k}"
    return network + ("" if recipe == PAPER.name else f", {recipe}")


def time_steps_needed(right):
    """The first time step, counted from 1, from which the number of right predictions stays at its last value."""
    different = np.flatnonzero(right != right[-1])
    return int(different[-1]) + 2 if len(different) else 1


def recipe_entry(recipe):
    """What run.json says of the recipe of a network's training: nothing if it is the paper's."""
    return {} if recipe == PAPER.name else {"recipe": recipe}


def recipe_of(run):
    """The recipe that recipe_entry has written."""
    return run.get("recipe", PAPER.name)


def write(output, run, right, statistics):
    """Writes the logs of a spiking evaluation into an OutputFolder, all together.

    Parameters
    ----------
    output : OutputFolder
    run : dict, for run.json
    right : int array (batches, time steps)
    statistics : int array (batches, blocks, time steps, 3)
        Spikes, negative spikes and synaptic operations in each time step.

    Returns
    -------
    The paths of the files.
    """
    spikes, negative, sops = np.moveaxis(statistics.sum(axis=1).cumsum(axis=1), -1, 0)
    with output.replacing() as staging:
        for name, numbers in zip(SPIKE_LOGS, (spikes, spikes - 2 * negative, sops), strict=True):
            write_integers(staging / name, numbers)
        write_accuracy(staging, run, right)
        names = sorted(path.name for path in staging.iterdir())
    return [output.path / name for name in names]


def write_accuracy(folder, run, right):
    """Writes accuracy.txt, from (batches, time steps), and run.json."""
    write_integers(folder / ACCURACY, right)
    (folder / RUN).write_text(json.dumps(run, indent=2) + "\n")


def write_integers(path, numbers):
    """Writes an array as a log: an integer per line, the last axis fastest."""
    path.write_text("".join(f"{number}\n" for number in np.ravel(numbers)))


def read_logs(folder):
    """The four logs of a spiking evaluation.

    Without a run.json, in a folder of someone else's logs, the batches are of 200 images and 20 time steps.

    Raises
    ------
    InputError
        A file is missing, damaged or does not fit to the others.
    """
    folder = Path(folder)
    settle(folder)
    run = _read_run(folder / RUN)
    accuracy = folder / ACCURACY
    if not run and not accuracy.exists() and (folder / FOREIGN_ACCURACY).exists():
        accuracy = folder / FOREIGN_ACCURACY
    sizes = run or FOREIGN_SIZES
    right, *spikes = (_read_log(path, sizes) for path in [accuracy, *(folder / name for name in SPIKE_LOGS)])
    images = run.get("images", len(right) * sizes["batch_size"])
    for name, log in zip(SPIKE_LOGS, spikes, strict=True):
        if len(log) != len(right):
            raise InputError(
                f"{shown(folder / name)}: has {len(log)} batches, expected the {len(right)} of {accuracy.name}"
            )
    spike_num, spike_collect, sop_num = spikes
    _check_range(accuracy, right, 0, _batch_sizes(len(right), images, sizes["batch_size"]))
    _check_range(folder / SPIKE_LOGS[0], spike_num, 0, LARGEST_NUMBER)
    _check_range(folder / SPIKE_LOGS[1], spike_collect, -spike_num, spike_num)
    _check_range(folder / SPIKE_LOGS[2], sop_num, 0, LARGEST_NUMBER)
    return Logs(folder, run, images, *(log.sum(axis=0) for log in [right, *spikes]))


def read_accuracy(folder):
    """The accuracy of an artificial network, from a folder with accuracy.txt and run.json.

    Returns
    -------
    run : dict, of run.json
    accuracy : float, in percent
    """
    folder = Path(folder)
    settle(folder)
    run = _read_run(folder / RUN)
    if not run:
        raise InputError(f"{shown(folder / RUN)}: not found, expected the sizes of the run")
    right = _read_log(folder / ACCURACY, run)
    _check_range(folder / ACCURACY, right, 0, _batch_sizes(len(right), run["images"], run["batch_size"]))
    return run, 100 * right.sum() / run["images"]


def read_full_precision(recipe):
    """read_accuracy of figs/fp32, or that of another recipe; None where there is none."""
    folder = log_folder(FULL_PRECISION, recipe)
    if not exist(folder):
        return None
    run, accuracy = read_accuracy(folder)
    check_recipe(run, folder, recipe)
    if run["k"] != FULL_PRECISION:
        raise InputError(f"{shown(folder)}: is of k={run['k']}, expected full precision, {FULL_PRECISION}")
    return run, accuracy


def exist(folder):
    """Whether there are logs in a folder."""
    settle(folder)
    return (folder / ACCURACY).exists()


def check_recipe(run, folder, recipe):
    """Raises InputError if the run.json of a folder names another recipe."""
    if recipe_of(run) != recipe:
        raise InputError(f"{shown(folder)}: is of --recipe {recipe_of(run)}, expected one of --recipe {recipe}")


def _read_run(path):
    if not path.exists():
        return {}
    content = input_files.read(path, LOG)
    try:
        run = json.loads(content)
        positive = ("images", "batch_size", "time_steps")
        valid = all(type(run[name]) is int and 1 <= run[name] <= LARGEST_SIZE for name in positive)
        valid = valid and type(run["k"]) is int and recipe_of(run) in RECIPES
        valid = valid and 0 <= run.get("noise_ratio", 0) <= HIGHEST_NOISE_RATIO
        valid = valid and 0 <= (run.get("ann_accuracy") or 0) <= 1
    except (ValueError, KeyError, TypeError, RecursionError):
        valid = False
    if not valid:
        raise InputError(
            f"{shown(path)}: damaged, expected JSON with integers k, images, batch_size, time_steps "
            f"(at most {LARGEST_SIZE}), and where they are given, noise_ratio from 0 to {HIGHEST_NOISE_RATIO}, "
            f"ann_accuracy from 0 to 1, recipe {' or '.join(RECIPES)}"
        )
    return run


def _read_log(path, sizes):
    """An integer array (batches, time steps)."""
    content = input_files.read(path, LOG, LARGEST_LOG)
    lines = content.count(b"\n") + (content[-1:] not in (b"", b"\n"))
    time_steps = sizes["time_steps"]
    if "images" in sizes:
        batches = -(-sizes["images"] // sizes["batch_size"])
        expected = f"{batches} batches x {time_steps} time steps"
        fits = lines == batches * time_steps
    else:
        expected = f"a multiple of {time_steps} time steps"
        fits = lines > 0 and lines % time_steps == 0
    if not fits:
        raise InputError(f"{shown(path)}: has {lines} lines, expected {expected}")
    numbers = np.empty(lines, np.int64)  # a list would take several times the memory
    for index, line in enumerate(io.BytesIO(content)):
        match = INTEGER.fullmatch(line)
        if match is None:
            raise InputError(f"{shown(path)}: line {index + 1} is {line[:20]!r}, expected an integer")
        numbers[index] = int(match[1])
    return numbers.reshape(-1, time_steps)


def _batch_sizes(batches, images, batch_size):
    """Images in each batch, (batches, 1); the last one has what is left."""
    return np.minimum(batch_size, images - batch_size * np.arange(batches))[:, None]


def _check_range(path, log, lowest, highest):
    lowest, highest = np.broadcast_to(lowest, log.shape), np.broadcast_to(highest, log.shape)
    outside = np.argwhere((log < lowest) | (log > highest))
    if len(outside):
        place = tuple(outside[0])
        line = np.ravel_multi_index(place, log.shape) + 1
        raise InputError(f"{shown(path)}: line {line} is {log[place]}, expected {lowest[place]} to {highest[place]}")
