"""Times the spiking simulation of this checkout against that of another commit, alternating in one run.

git worktree add ../before cd9ddd3
python benchmarks/against.py ../before

Each runs in its own process on one thread: the published k=0, 1 and 2 on the first 200 MNIST test images, in 20 time
steps and batches of 100. The table has the shortest time of all rounds, and the ratio of the two.
"""

import json
import subprocess
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import numpy as np

from experiment import ROOT, InputError, command_line, shown
from experiment.model import PUBLISHED_LEVELS

# runs in either checkout and answers each line on stdin with microseconds of CPU time per image, and peak memory
WORKER = """
import json, resource, sys, time
sys.path.insert(0, ".")
from experiment.images import load_split
from experiment.model import Model
from experiment.weights import read_published
from spiking_utils import SpikingNetwork
pixels = load_split("test").pixels[:200]
snns = []
for k in json.loads(sys.argv[1]):
    trained = read_published(Model(k))
    snns.append(SpikingNetwork(trained.weights, trained.network, k, 20))
    snns[-1].run(pixels)  # compiles
for _ in sys.stdin:
    durations = []
    for snn in snns:
        begin = time.process_time()
        for first in (0, 100):
            snn.run(pixels[first : first + 100])
        durations.append(1e6 * (time.process_time() - begin) / len(pixels))
    print(json.dumps([durations, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024]), flush=True)
"""


def main():
    parser = command_line.ArgumentParser(__doc__)
    parser.add_argument("checkout", type=command_line.path, help="folder of the other commit's files")
    parser.add_argument("--rounds", type=command_line.POSITIVE, default=20, help="how often both are timed")
    args = parser.parse_args()
    if not (args.checkout / "spiking_utils.py").is_file():
        raise InputError(f"{shown(args.checkout)}: has no spiking_utils.py, expected a checkout of this repository")

    workers = [worker(folder) for folder in (args.checkout, ROOT)]
    rounds = [[answer(process) for process in workers] for _ in range(args.rounds)]
    for process in workers:
        process.stdin.close()
        process.wait()
    before, now = (np.min([durations[index][0] for durations in rounds], axis=0) for index in (0, 1))
    print(f"{'us an image':14}{'before':>10}{'now':>10}{'ratio':>10}")
    for k, *times in zip(PUBLISHED_LEVELS, before, now, now / before):
        print("{:14}{:10.1f}{:10.1f}{:10.3f}".format(f"k={k}", *times))
    memory = [rounds[-1][index][1] for index in (0, 1)]
    print("{:14}{:10.0f}{:10.0f}{:10.3f}".format("MB at the peak", *memory, memory[1] / memory[0]))


def worker(folder):
    """A process that answers each line with the time and memory of its checkout."""
    command = [sys.executable, "-c", WORKER, json.dumps(PUBLISHED_LEVELS)]
    return subprocess.Popen(command, cwd=folder, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)


def answer(process):
    process.stdin.write("\n")
    process.stdin.flush()
    line = process.stdout.readline()
    if not line:
        raise InputError(f"the benchmark of a checkout ended with exit status {process.wait()}, expected its times")
    return json.loads(line)


if __name__ == "__main__":
    command_line.run(main)
