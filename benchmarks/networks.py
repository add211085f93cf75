"""Times trained networks against the first of them, in turn in one run: does an operation cost the same in each?

python benchmarks/networks.py LeNet/pretrained/k0.npz LeNet/checkpoints/k0-32C5-P2-64C5-P2-1024/model_MNIST.npz

Every network runs its own data's test images. A ratio is the median over the rounds, of two runs side by side.
"""

import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import numpy as np

from experiment import InputError, command_line, printable, runs, shown
from experiment.images import load_test
from experiment.weights import announce, read_npz
from spiking.network import FULL_PRECISION
from spiking.trains import SOPS
from spiking_utils import SpikingNetwork, evaluate


def main():
    parser = command_line.ArgumentParser(__doc__)
    files = {"type": command_line.path, "nargs": "+", "metavar": "FILE"}
    parser.add_argument("weights", **files, help="npz file of a quantised network")
    parser.add_argument("--threads", type=command_line.THREADS, default=1, help="batches simulated at a time")
    parser.add_argument("--rounds", type=command_line.POSITIVE, default=5, help="of each network in turn")
    command_line.add_limit(parser)
    args = parser.parse_args()

    runs = [prepare(path, args.threads, args.limit) for path in args.weights]
    operations = [run() for run in runs]  # also compiles
    rounds = np.array([[seconds(run) for run in runs] for _ in range(args.rounds)])
    per_operation = 1e9 * rounds / operations
    ratios = np.median(per_operation / per_operation[:, :1], axis=0)
    print(f"{'s':>8}{'SOPs':>16}{'ns per SOP':>12}{'of the first':>14}   network")
    for path, *row in zip(
        args.weights, np.median(rounds, axis=0), operations, np.median(per_operation, axis=0), ratios
    ):
        print("{:8.2f}{:16,}{:12.3f}{:14.2f}".format(*row), f"  {printable(str(path))}")


def prepare(path, threads, limit):
    """A function that runs the network over its data's test images and returns the synaptic operations of all."""
    trained = read_npz(path)
    if trained.model.k == FULL_PRECISION:
        raise InputError(f"{shown(path)}: is of full precision, expected a quantised network")
    announce(trained)
    network = SpikingNetwork(trained.weights, trained.network, trained.model.k, runs.TIME_STEPS)
    test = load_test(trained.model.images, trained.network).first(limit)

    def run():
        return evaluate(network, test.pixels, test.labels, runs.BATCH_SIZE, threads).statistics[..., SOPS].sum()

    return run


def seconds(run):
    start = time.perf_counter()
    run()
    return time.perf_counter() - start


if __name__ == "__main__":
    command_line.run(main)
