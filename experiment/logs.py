"""The log files of an evaluation: written by the LeNet scripts, read by the figures.

A log has one integer per line: for each batch of images in order, for each time step.

    accuracy.txt        images predicted right
    spike_num.txt       spikes of all blocks, |+1| + |-1|, up to this time step
    spike_collect.txt   their signed sum
    sop_num.txt         synaptic operations up to this time step
    run.json            settings, model and results of the run, as runs.py says

All but run.json are as Zou et al. published theirs; logs without it are read as theirs of MNIST, of which each has
50 batches of 200 images x 20 time steps.
"""

import io
import json
import re
from collections import Counter
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from experiment import InputError, disk, printable, runs, shown
from experiment.model import Model
from experiment.runs import ACCURACY, LARGEST_LINES, LOG, RUN, SPIKE_LOGS
from experiment.trained import shortfall
from spiking.network import FULL_PRECISION, Network

FOREIGN_ACCURACY = "SNN_accuracy.txt"  # as the authors' published logs call it
FOREIGN_RUN = {"images": 10_000, "batch_size": 200, "time_steps": 20}
LARGEST_LOG = 16 * LARGEST_LINES  # bytes
LARGEST_SUM = 10**18  # of spikes or operations of all batches, inside int64
LONGEST_LABEL = 100  # names of folders
INTEGER = re.compile(rb"(-?\d{1,18})(?:\.0)?\r?\n?")


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
    names: int = 1  # of folders in the label, from the end of the path, where it is not the default one

    @property
    def label(self):
        """For legends and tables; with the folder's own name where it is not the default one."""
        folder = printable("/".join(self.folder.resolve().parts[-self.names :]))
        if self.model is None:
            return folder
        trial = ["trial"] if self.shortfall else []
        label = ", ".join([self.model.label, *trial, *(words for _, words in runs.variations(self.run))])
        return label if folder == runs.default_folder(self.model, self.run).name else f"{label} ({folder})"

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
        return runs.time_steps_needed(self.right)

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


def told_apart(found):
    """The Logs, with as many names of their folders in the labels as tell them from each other."""
    labels = Counter(log.label for log in found)
    if max(labels.values()) == 1 or max(log.names for log in found) > LONGEST_LABEL:
        return found
    return told_apart([replace(log, names=log.names + (labels[log.label] > 1)) for log in found])


@contextmanager
def opened(folder, model, run):
    """The OutputFolder of a run of a model, in the default place if folder is None.

    Raises InputError where there are logs of another model, or that do not say of which.
    """
    with disk.OutputFolder(folder or runs.default_folder(model, run)) as output:
        try:
            _, _, found = runs.read(output.path / RUN)
        except InputError:  # damaged
            found = model
        exist = any(disk.exists(output.path / name) for name in (ACCURACY, *SPIKE_LOGS))
        if found != model and (found or exist):
            held = f"logs of {found.label}" if found else f"logs without a {RUN}"
            raise InputError(f"{shown(output.path)}: has {held}, expected none, or those of {model.label}")
        yield output


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
    run, network, model = runs.read(folder / RUN)
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
