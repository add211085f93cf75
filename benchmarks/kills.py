"""Kills a short training with SIGKILL again and again, and compares its end with one that was never interrupted.

python benchmarks/kills.py                      20 kills
python benchmarks/kills.py --kills 6 --seed 1

A kill falls, in turn, at a random moment of the writing of a checkpoint, of an epoch and of the start, and while the
files of a checkpoint move to their places. After each, what is on disk must load and hold no epoch less than before.
At the end every file must have the bytes of the uninterrupted training, but for the seconds in training.csv. Exit
status 1 if one has not.
"""

import csv
import os
import random
import subprocess
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from experiment import ROOT, InputError, command_line, disk
from experiment.disk import COMPLETE, STAGING
from experiment.model import HISTORY_NAME, NPZ_NAME
from experiment.recipes import PAPER, RECIPES
from experiment.trained import read_npz

K, IMAGES = 0, 600
EPOCHS_PER_KILL = 4  # so that the training does not end before the last kill
MOMENTS = {"writing": 0.1, "epoch": 1.5, "start": 8.0, "moving": 0.0}  # seconds that a kill waits at most
LEFT = ("nothing", "half written", "half moved")


def main():
    parser = command_line.ArgumentParser(__doc__)
    parser.add_argument("--kills", type=command_line.POSITIVE, default=20, help="number of kills")
    parser.add_argument("--recipe", choices=tuple(RECIPES), default=PAPER.name, help="of the trainings")
    parser.add_argument("--seed", type=command_line.SEED, default=0, help="fixes the moments")
    args = parser.parse_args()

    epochs = EPOCHS_PER_KILL * args.kills
    rng = random.Random(args.seed)
    left = Counter()
    with tempfile.TemporaryDirectory() as temporary:
        whole, killed = Path(temporary) / "whole", Path(temporary) / "killed"
        finish(train(whole, args.recipe, epochs))
        finished = 0
        for number in command_line.progress(range(args.kills), args.kills, "kill"):
            moment = list(MOMENTS)[number % len(MOMENTS)]
            kill(train(killed, args.recipe, epochs), killed, moment, rng.uniform(0, MOMENTS[moment]))
            left[moment, left_on_disk(killed)] += 1
            finished = check(killed, finished)
        finish(train(killed, args.recipe, epochs))
        different = sorted(path.name for path in whole.iterdir() if not same(path, killed / path.name))
    report(left, epochs, finished, different)
    sys.exit(1 if different else 0)


def train(folder, recipe, epochs):
    """The process of a training that goes on from what is in the folder."""
    script, resume = ROOT / "LeNet/Quant_LeNet_MNIST.py", (folder / NPZ_NAME).exists()
    command = [sys.executable, script, "--k", K, "--recipe", recipe, "--limit", IMAGES, "--epochs", epochs]
    command += ["--checkpoint", folder, "--resume", resume]
    return subprocess.Popen(list(map(str, command)), stdout=subprocess.DEVNULL)


def finish(process):
    """Waits for a training, and ends with its exit status if it fails."""
    status = process.wait()
    if status:
        sys.exit(status)


def kill(process, folder, moment, delay):
    """Kills the training `delay` seconds after a moment has begun, but for the start after a first checkpoint."""
    start = time.time()
    begun = {
        "writing": lambda: left_on_disk(folder) == "half written",
        "epoch": lambda: True,
        "moving": lambda: left_on_disk(folder) == "half moved",
    }
    if moment != "start":
        wait_until(lambda: last_written(folder) > start, process)
        wait_until(begun[moment], process)
    time.sleep(delay)
    if process.poll() is not None:
        raise InputError(f"the training had ended with status {process.poll()}, expected it to run")
    process.kill()
    process.wait()


def wait_until(condition, process):
    while not condition() and process.poll() is None:
        time.sleep(1e-4)


def last_written(folder):
    """When a checkpoint was last moved into place, in seconds."""
    try:
        return (folder / NPZ_NAME).stat().st_ctime
    except FileNotFoundError:
        return 0


def left_on_disk(folder):
    """What a kill at this moment leaves of a checkpoint that is being written."""
    if (folder / COMPLETE).exists():
        return "half moved"
    try:
        return "half written" if os.listdir(folder / STAGING) else "nothing"
    except FileNotFoundError:
        return "nothing"


def check(folder, finished):
    """The number of epochs on disk, all of whose files must load; at least as many as were finished before."""
    from LeNet.tensorlayer.training import STATE_FILES

    epochs = 0
    if disk.exists(folder / disk.SUMS):
        disk.check_sums(folder, STATE_FILES)
        epochs = read_npz(folder / NPZ_NAME).epochs
    if epochs < finished:
        raise InputError(f"{folder}: has {epochs} epochs, expected the {finished} of before the kill")
    return epochs


def read_history(path):
    """The rows of a training.csv without their seconds."""
    with open(path, newline="") as file:
        return [row[:-1] for row in list(csv.reader(file))[1:]]


def same(path, other):
    """Whether two files of a training state hold the same, apart from durations."""
    if path.name == HISTORY_NAME:
        return read_history(path) == read_history(other)
    if path.name == "SHA256SUMS":  # with the sum of training.csv, and so of its durations
        return lines_without(path, HISTORY_NAME) == lines_without(other, HISTORY_NAME)
    return path.read_bytes() == other.read_bytes()


def lines_without(path, word):
    return [line for line in path.read_text().splitlines() if word not in line]


def report(left, epochs, finished, different):
    """Prints where the kills fell and how it ended."""
    print(f"{'killed during':16}{'kills':>8}" + "".join(f"{what:>16}" for what in LEFT))
    for moment in MOMENTS:
        counts = [left[moment, what] for what in LEFT]
        print(f"{moment:16}{sum(counts):8}" + "".join(f"{count:16}" for count in counts))
    print(f"{sum(left.values())} kills within {finished} of {epochs} epochs; after each, what was on disk loaded")
    print(f"different from the uninterrupted training: {', '.join(different) or 'no file'}")


if __name__ == "__main__":
    command_line.run(main)
