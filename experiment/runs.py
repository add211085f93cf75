"""run.json: what was run, of which model, and what came of it; and the name of its folder, which says the same."""

import json
from dataclasses import replace

import numpy as np

from experiment import InputError, disk, shown
from experiment.command_line import HIGHEST_SEED
from experiment.images import HIGHEST_NOISE_RATIO
from experiment.model import PAPER_NETWORK, Model
from experiment.trained import COUNTS, LARGEST_COUNT, LARGEST_OWN, NUMBERS, OWN
from spiking.network import FULL_PRECISION, HIGHEST_LEVEL
from spiking.notation import parse

RUN, ACCURACY = "run.json", "accuracy.txt"
SPIKE_LOGS = ("spike_num.txt", "spike_collect.txt", "sop_num.txt")
TIME_STEPS, BATCH_SIZE = 20, 200  # of an evaluation where no option says otherwise
LARGEST_LINES = 1 << 22  # of a log
LOG = "a log of LeNet/Spiking_LeNet_MNIST.py"  # as error messages call it
UNBOUNDED = "unbounded"  # max_spikes


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


def read(path):
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
    if not counted or any(type(identity[name]) is not int for name in NUMBERS):
        raise ValueError
    if not _counts(identity.get(OWN, 0), 0, LARGEST_OWN):
        raise ValueError
    network = replace(parse(identity["network"]), own_multiply_accumulates=identity.get(OWN))
    return network, Model(identity["k"], network.layers, *(identity[name] for name in ("data", "recipe", "seed")))
