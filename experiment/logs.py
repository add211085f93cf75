"""The log files of an evaluation: written by the LeNet scripts, read by the figures.

A log has one integer per line: for each batch of images in order, for each time step.

    accuracy.txt        images that are predicted correctly
    spike_num.txt       spikes of all blocks, |+1| + |-1|, up to this time step
    spike_collect.txt   their signed sum
    sop_num.txt         synaptic operations up to this time step
    run.json            settings, model and results of the run, described in docs/formats.md

The text files are in the format of those that Zou et al. published. Without a run.json they are read as the authors'
logs of MNIST: 50 batches of 200 images x 20 time steps.
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
from experiment.model import PAPER_NETWORK
from experiment.runs import ACCURACY, LOG, RUN, SPIKE_LOGS, Run
from spiking.network import FULL_PRECISION

AUTHORS_ACCURACY = "SNN_accuracy.txt"  # name of accuracy.txt in the authors' published logs
AUTHORS_SIZES = (10_000, 200, 20)  # images, batch size, time steps
MAX_LOG = 1 << 30  # bytes
MAX_SUM = 10**18  # of spikes or operations over all batches; int64 holds it
INTEGER = re.compile(rb"(-?\d{1,18})(?:\.0)?\r?\n?")


@dataclass(frozen=True)
class Logs:
    """What an evaluation has logged; arrays have shape (time steps,) and are sums over all images."""

    folder: Path
    run: Run | None  # None without a run.json
    images: int
    right: np.ndarray
    spike_num: np.ndarray | None = None  # None for an artificial network, like the two below
    spike_collect: np.ndarray | None = None
    sop_num: np.ndarray | None = None
    names: int = 1  # of the last folders of the path, in the label of a folder that is not the default one

    @property
    def model(self):
        """The Model; None without a run.json."""
        return self.run and self.run.identity.model

    @property
    def network(self):
        """The Network; the paper's if there is no run.json."""
        return self.run.identity.network if self.run else PAPER_NETWORK

    @property
    def label(self):
        """The name in legends and tables, with the folder's own name if it is not the default one."""
        folder = printable("/".join(self.folder.resolve().parts[-self.names :]))
        if self.run is None:
            return folder
        return self.run.label if folder == self.run.folder.name else f"{self.run.label} ({folder})"

    @property
    def accuracy(self):
        """The accuracy in percent, after each time step."""
        return 100 * self.right / self.images

    @property
    def time_steps_needed(self):
        """The first time step from which the accuracy stays at its final value, counted from 1."""
        return runs.time_steps_needed(self.right)

    @property
    def positive_spikes(self):
        """Positive spikes per image, up to each time step."""
        return (self.spike_num + self.spike_collect) / 2 / self.images

    @property
    def negative_spikes(self):
        """Negative spikes per image, up to each time step."""
        return (self.spike_num - self.spike_collect) / 2 / self.images

    @property
    def sops(self):
        """Synaptic operations per image, up to each time step."""
        return self.sop_num / self.images


def uniquely_labelled(found):
    """The Logs, with as many folders of their paths in the labels as make these unique."""
    labels = Counter(log.label for log in found)
    if max(labels.values()) == 1:
        return found
    return uniquely_labelled([replace(log, names=log.names + (labels[log.label] > 1)) for log in found])


@contextmanager
def opened(folder, run):
    """The output_folder for the logs of a Run, the default one if `folder` is None.

    Raises InputError if it holds logs of another model, or logs without a run.json.
    """
    model = run.identity.model
    with disk.output_folder(folder or run.folder) as output:
        try:
            there = runs.read(output / RUN)
        except InputError:  # a damaged run.json may be replaced
            there = run
        found = there and there.identity.model
        any_log = any(disk.exists(output / name) for name in (ACCURACY, *SPIKE_LOGS))
        if found != model and (found or any_log):
            held = f"logs of {found.label}" if found else f"logs without a {RUN}"
            raise InputError(f"{shown(output)}: has {held}, expected none, or those of {model.label}")
        if found and run.identity.shortfall and not there.identity.shortfall:
            held = f"logs of the whole training of {found.label}"
            raise InputError(f"{shown(output)}: has {held}, expected those of a trial; see --logs")
        yield output


def write(output, run, right, statistics=None):
    """Writes all logs of an evaluation together.

    Parameters
    ----------
    output : Path of an output_folder
    run : Run
    right : int array (batches, time steps)
    statistics : int array (batches, blocks, time steps, 3)
        Spikes, negative spikes and synaptic operations in each time step; None for an artificial network.
    """
    logs = {ACCURACY: right}
    if statistics is not None:
        spikes, negative, sops = np.moveaxis(statistics.sum(axis=1).cumsum(axis=1), -1, 0)
        logs |= dict(zip(SPIKE_LOGS, (spikes, spikes - 2 * negative, sops), strict=True))
    with disk.replacing(output) as staging:
        for name, numbers in logs.items():
            (staging / name).write_text("".join(f"{number}\n" for number in np.ravel(numbers)))
        (staging / RUN).write_text(json.dumps(run.entries, indent=2) + "\n")


def exist(folder):
    """Whether a folder holds logs."""
    return disk.exists(Path(folder) / ACCURACY)


def read(folder):
    """The Logs in a folder: the four of a spiking evaluation, or the accuracy.txt of an artificial network.

    Raises
    ------
    InputError
        A file is missing, damaged or inconsistent with the others.
    """
    folder = Path(folder)
    run = runs.read(folder / RUN)
    accuracy, sizes = folder / ACCURACY, AUTHORS_SIZES
    if run:
        sizes = run.images, run.batch_size, run.time_steps
    elif not disk.exists(accuracy) and disk.exists(folder / AUTHORS_ACCURACY):
        accuracy = folder / AUTHORS_ACCURACY
    images, batch_size, _ = sizes
    right = _read_log(accuracy, sizes, bool(run))
    _check_range(accuracy, right, 0, np.minimum(batch_size, images - batch_size * np.arange(len(right)))[:, None])
    logs = Logs(folder, run, images, right.sum(axis=0))
    if run and run.k == FULL_PRECISION:
        return logs
    spike_num, spike_collect, sop_num = (_read_log(folder / name, sizes, bool(run)) for name in SPIKE_LOGS)
    _check_range(folder / SPIKE_LOGS[0], spike_num, 0, MAX_SUM // len(right))
    _check_range(folder / SPIKE_LOGS[1], spike_collect, -spike_num, spike_num)
    _check_range(folder / SPIKE_LOGS[2], sop_num, 0, MAX_SUM // len(right))
    sums = {"spike_num": spike_num, "spike_collect": spike_collect, "sop_num": sop_num}
    return replace(logs, **{name: log.sum(axis=0) for name, log in sums.items()})


def _read_log(path, sizes, described):
    """The numbers of a log: int64 array (batches, time steps)."""
    content = disk.read(path, LOG, MAX_LOG)
    lines = content.count(b"\n") + (content[-1:] not in (b"", b"\n"))
    images, batch_size, time_steps = sizes
    batches = -(-images // batch_size)
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
