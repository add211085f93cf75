"""Times the spiking simulation against the usual ways to do the same, in one run, on the same weights and images.

python benchmarks/simulation.py                 the published k=0, 1 and 2
python benchmarks/simulation.py --k 0           one of them

(a) a dense simulation of the same steps in NumPy float64: im2col and matrix product in every step
(b) spiking_utils
(c) Keras's inference of the artificial network in float32
(d) the command Spiking_LeNet_MNIST.py from start to exit

Every figure is the median of --runs runs, of (a) of 2, after a warm-up.
"""

import os
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import numpy as np

from experiment import command_line
from experiment import images as files
from experiment.model import ROOT, existing_published_weights, published_weights
from spiking.network import BN_EPSILON, LENET, ROUNDING_OFFSET

TIME_STEPS = 20
BATCH_SIZE = 200
DENSE_IMAGES = 400


def main():
    parser = command_line.ArgumentParser(__doc__)
    parser.add_argument("--k", type=options.LEVEL, nargs="+", default=[0, 1, 2], help="published levels")
    parser.add_argument("--threads", type=options.POSITIVE, default=2, help="of (b) and (d)")
    parser.add_argument("--runs", type=options.POSITIVE, default=5, help="of each but (a), which has 2")
    args = parser.parse_args()

    for k in args.k:
        existing_published_weights(k)
    pixels, _ = files.load_mnist_split("t10k")
    # first, as the memory of a child process counts from that of this one, still without TensorFlow
    commands = {k: time_command(k, args.threads, args.runs, len(pixels)) for k in args.k}
    print(f"{'':6}{'ms per image':>40}{'ratios':>34}{'ns per':>10}")
    print(f"{'':6}{'dense (a)':>10}{'ours (b)':>10}{'Keras (c)':>10}{'whole (d)':>10}", end="")
    print(f"{'a / b':>10}{'b / c':>12}{'d / b':>12}{'SOP':>10}")
    for k in args.k:
        weights = files.load_npz(published_weights(k), LENET, k)
        ours, sops = time_ours(weights, k, pixels, args.threads, args.runs)
        dense = time_dense(weights, k, pixels[:DENSE_IMAGES])
        keras_inference = time_keras(weights, k, pixels, args.runs)
        whole, peak_memory = commands[k]
        print(f"k={k:<4}{dense:10.3f}{ours:10.4f}{keras_inference:10.4f}{whole:10.4f}", end="")
        print(f"{dense / ours:10.1f}{ours / keras_inference:12.2f}{whole / ours:12.2f}{1e6 * ours / sops:10.3f}")
    numba = median_seconds(lambda: run_python("-c", "import numba"), args.runs)
    print(f"import numba: {numba:.2f} s; peak memory of the command: {peak_memory / 1024:.0f} MB")
    first, second = time_first_runs(args.k[0])
    print(f"first run after a clone: {first:.2f} s on one image, {first - second:.2f} s of it compilation")


def median_seconds(run, runs):
    """The median duration of run(), after one that does not count."""
    run()
    durations = []
    for _ in range(runs):
        start = time.perf_counter()
        run()
        durations.append(time.perf_counter() - start)
    return statistics.median(durations)


def time_ours(weights, k, pixels, threads, runs):
    """Milliseconds and synaptic operations per image of spiking_utils."""
    from spiking_utils import SpikingNetwork

    network = SpikingNetwork(weights, LENET, k, TIME_STEPS)
    batches = [pixels[start : start + BATCH_SIZE] for start in range(0, len(pixels), BATCH_SIZE)]

    def simulate():
        with ThreadPoolExecutor(threads) as pool:
            return sum(activity.statistics[:, :, 2].sum() for activity in pool.map(network.run, batches))

    return 1e3 * median_seconds(simulate, runs) / len(pixels), simulate() / len(pixels)


def time_dense(weights, k, pixels):
    """Milliseconds per image of the dense simulation."""
    batches = [pixels[start : start + BATCH_SIZE] for start in range(0, len(pixels), BATCH_SIZE)]
    seconds = median_seconds(lambda: [simulate_densely(weights, k, batch) for batch in batches], runs=2)
    return 1e3 * seconds / len(pixels)


def simulate_densely(weights, k, pixels):
    """The classifier's potentials after TIME_STEPS steps, (images, classes)."""
    scale = 2**k
    potentials, counts = {}, {}
    output = 0.0
    for t in range(TIME_STEPS):
        spikes = scale * pixels / 256 * (t == 0)
        for block in LENET.blocks:
            kernel = weights[f"conv{block.name}/W"].astype(np.float64)
            windows = np.lib.stride_tricks.sliding_window_view(spikes, block.kernel_size, axis=(1, 2))
            windows = windows[:, :: block.stride, :: block.stride]  # (images, h, w, in, kernel h, kernel w)
            columns = windows.reshape(-1, kernel[..., 0].size)
            current = columns @ kernel.transpose(2, 0, 1, 3).reshape(-1, block.filters)
            current = current.reshape(len(pixels), *block.output_shape)
            potentials[block] = potentials.get(block, 0.0) + current
            gamma, beta, mean, variance = (
                weights[f"bn{block.name}/{name}"].astype(np.float64)
                for name in ("gamma", "beta", "moving_mean", "moving_var")
            )
            normalized = gamma * (potentials[block] / scale - mean) / np.sqrt(variance + BN_EPSILON) + beta
            justified = np.floor(scale * np.maximum(normalized, 0) + (0.5 + ROUNDING_OFFSET))
            spikes = np.sign(justified - counts.get(block, 0.0))
            counts[block] = counts.get(block, 0.0) + spikes
        output = output + spikes.reshape(len(pixels), -1) @ weights["fc/W"].astype(np.float64)
    return output


def time_keras(weights, k, pixels, runs):
    """Milliseconds per image of Keras's inference."""
    from LeNet.experiment import prepare_tensorflow

    prepare_tensorflow()
    from LeNet.tensorlayer import models

    model = models.build(LENET, k)
    models.assign(LENET, model, weights)
    images = files.scaled(pixels)
    seconds = median_seconds(lambda: model.predict(images, batch_size=BATCH_SIZE, verbose=0), runs)
    return 1e3 * seconds / len(pixels)


def time_command(k, threads, runs, images):
    """Milliseconds per image of the whole command, and the largest memory of such a process so far in KB."""
    with tempfile.TemporaryDirectory() as logs:
        options = ["--k", str(k), "--weights", str(published_weights(k)), "--threads", str(threads), "--logs", logs]
        seconds = median_seconds(lambda: run_python("LeNet/Spiking_LeNet_MNIST.py", *options), runs)
    return 1e3 * seconds / images, resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss


def time_first_runs(k):
    """Seconds of the command on one image with an empty compilation cache, and once more with what that left."""
    with tempfile.TemporaryDirectory() as folder:
        options = ["--k", str(k), "--weights", str(published_weights(k)), "--limit", "1", "--logs", f"{folder}/logs"]
        durations = []
        for _ in range(2):
            start = time.perf_counter()
            run_python("LeNet/Spiking_LeNet_MNIST.py", *options, environment={"NUMBA_CACHE_DIR": folder})
            durations.append(time.perf_counter() - start)
        return durations


def run_python(*arguments, environment=None):
    """Runs a Python command in the repository's root, silently."""
    command = [sys.executable, *arguments]
    subprocess.run(command, cwd=ROOT, env=os.environ | (environment or {}), capture_output=True, check=True)


if __name__ == "__main__":
    command_line.run(main)
