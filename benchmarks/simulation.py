"""Times the spiking simulation against common alternatives, in one run, on the same weights and images.

python benchmarks/simulation.py                 the published k=0, 1 and 2
python benchmarks/simulation.py --k 0           one of them

(a) a dense simulation of the same steps in NumPy float64: im2col and matrix product in every step
(b) spiking_utils
(c) Keras's predict of the artificial network in float32, in batches of 200
(c') the same network called in a tf.function, in batches of the fastest size
(d) the command Spiking_LeNet_MNIST.py from start to exit

Every figure is the median of --runs runs, 2 for (a), after a warm-up. docs/performance.md has the table and says what
was tried to make (b) faster.
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

from experiment import ROOT, command_line
from experiment.images import load_split, scaled
from experiment.model import PAPER_NETWORK, Model
from experiment.runs import BATCH_SIZE, TIME_STEPS
from experiment.weights import read_published
from spiking.network import BN_EPSILON, ROUNDING_OFFSET
from spiking.trains import SOPS

KERAS_BATCH_SIZES = (50, 100, 200, 500, 1000, 2000)
DENSE_IMAGES = 400


def main():
    parser = command_line.ArgumentParser(__doc__)
    parser.add_argument("--k", type=command_line.LEVEL, nargs="+", default=[0, 1, 2], help="published levels")
    parser.add_argument("--threads", type=command_line.THREADS, default=2, help="threads of (b) and (d)")
    parser.add_argument("--runs", type=command_line.POSITIVE, default=5, help="runs of each but (a), which has 2")
    args = parser.parse_args()

    trained = {k: read_published(Model(k)) for k in args.k}
    pixels = load_split("test").pixels
    # first, as a child's peak memory includes what this process has at its start, so far without TensorFlow
    commands = {k: time_command(k, args.threads, args.runs, len(pixels)) for k in args.k}
    print(f"{processor()}, {args.threads} threads; ms per image")
    columns = ("dense (a)", "ours (b)", "Keras (c)", "Keras (c')", "whole (d)", "a / b", "b / c", "b / c'", "d / b")
    print(" " * 6 + "".join(f"{column:>11}" for column in columns) + f"{'ns per SOP':>12}{'batch of c':>12}")
    for k in args.k:
        weights = trained[k].weights
        ours, sops = time_ours(weights, k, pixels, args.threads, args.runs)
        dense = time_dense(weights, k, pixels[:DENSE_IMAGES])
        predict, called, batch_size = time_keras(weights, k, pixels, args.runs)
        whole, peak_memory = commands[k]
        times = (dense, ours, predict, called, whole)
        ratios = (dense / ours, ours / predict, ours / called, whole / ours)
        print(f"k={k:<4}" + "".join(f"{number:11.3f}" for number in times + ratios), end="")
        print(f"{1e6 * ours / sops:12.3f}{batch_size:12}")
    numba = median_seconds(lambda: run_python("-c", "import numba"), args.runs)
    print(f"import numba: {numba:.2f} s; peak memory of the command: {peak_memory / 1024:.0f} MB")
    first, second = time_first_runs(args.k[0])
    print(f"first run after a clone: {first:.2f} s on one image, {first - second:.2f} s of it compilation")


def processor():
    """The CPU's name and its widest vector instructions, as Linux reports them."""
    lines = Path("/proc/cpuinfo").read_text().splitlines()
    found = dict([part.strip() for part in line.split(":", 1)] for line in lines if ":" in line)
    flags = found.get("flags", "").split()
    widest = next((name for name in ("avx512f", "avx2", "avx") if name in flags), "no AVX")
    return f"{found.get('model name', 'CPU')} (family {found.get('cpu family', '?')}, {widest})"


def median_seconds(run, runs):
    """The median duration of run() in seconds, after a warm-up."""
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

    snn = SpikingNetwork(weights, PAPER_NETWORK, k, TIME_STEPS)
    batches = [pixels[start : start + BATCH_SIZE] for start in range(0, len(pixels), BATCH_SIZE)]

    def simulate():
        with ThreadPoolExecutor(threads) as pool:
            return sum(activity.statistics[:, :, SOPS].sum() for activity in pool.map(snn.run, batches))

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
        for block in PAPER_NETWORK.blocks:
            kernel, (edge,) = weights[f"conv{block.name}/W"].astype(np.float64), block.inputs
            windows = np.lib.stride_tricks.sliding_window_view(spikes, edge.kernel_size, axis=(1, 2))
            windows = windows[:, :: edge.stride[0], :: edge.stride[1]]  # (images, h, w, in, kernel h, kernel w)
            columns = windows.reshape(-1, kernel[..., 0].size)
            current = columns @ kernel.transpose(2, 0, 1, 3).reshape(-1, edge.filters)
            current = current.reshape(len(pixels), *block.output_shape)
            potentials[block] = potentials.get(block, 0.0) + current
            gamma, beta, mean, variance = (
                weights[f"bn{block.name}/{name}"].astype(np.float64)
                for name in ("gamma", "beta", "moving_mean", "moving_var")
            )
            normalized = gamma * (potentials[block] / scale - mean) / np.sqrt(variance + BN_EPSILON) + beta
            target_count = np.floor(scale * np.maximum(normalized, 0) + (0.5 + ROUNDING_OFFSET))
            spikes = np.sign(target_count - counts.get(block, 0.0))
            counts[block] = counts.get(block, 0.0) + spikes
        output = output + spikes.reshape(len(pixels), -1) @ weights["fc/W"].astype(np.float64)
    return output


def time_keras(weights, k, pixels, runs):
    """Milliseconds per image of Keras's predict and of a tf.function, and the best batch size for the latter."""
    from LeNet.tensorlayer import models, tf

    keras_model = models.build(PAPER_NETWORK, k)
    models.assign(PAPER_NETWORK, keras_model, weights)
    images = scaled(pixels)
    predict = median_seconds(lambda: keras_model.predict(images, batch_size=BATCH_SIZE, verbose=0), runs)
    call = tf.function(lambda batch: keras_model(batch, training=False), reduce_retracing=True)

    def in_batches(size):
        return [call(tf.constant(images[start : start + size])) for start in range(0, len(images), size)]

    seconds = {size: median_seconds(lambda size=size: in_batches(size), runs) for size in KERAS_BATCH_SIZES}
    best = min(seconds, key=seconds.get)
    return 1e3 * predict / len(pixels), 1e3 * seconds[best] / len(pixels), best


def options_of(k):
    return ["--k", str(k), "--weights", str(Model(k).published)]


def time_command(k, threads, runs, images):
    """Milliseconds per image of the whole command, and the highest peak memory of its processes so far in KB."""
    with tempfile.TemporaryDirectory() as logs:
        options = [*options_of(k), "--threads", str(threads), "--logs", logs]
        seconds = median_seconds(lambda: run_python("LeNet/Spiking_LeNet_MNIST.py", *options), runs)
    return 1e3 * seconds / images, resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss


def time_first_runs(k):
    """Seconds of the command on one image with an empty compilation cache, and again with the filled one."""
    with tempfile.TemporaryDirectory() as folder:
        options = [*options_of(k), "--limit", "1", "--logs", f"{folder}/logs"]
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
