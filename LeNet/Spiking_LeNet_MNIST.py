"""Runs a trained LeNet as a spiking network on the MNIST test images and logs its activity.

python Spiking_LeNet_MNIST.py --k 0                       all 10,000 images, 20 time steps
python Spiking_LeNet_MNIST.py --k 2 --time_steps 60       longer
python Spiking_LeNet_MNIST.py --k 0 --verify              compares every neuron with the artificial network
"""

import os
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from LeNet import command_line
from LeNet.network import HIGHEST_LEVEL, LENET
from LeNet.output_folder import OutputFolder, settle
from LeNet.paths import MNIST, NPZ_NAME, checkpoint_folder, existing_published_weights, log_folder, shown

MOST_SPIKES = 64 << 20  # in memory at once, should every neuron fire in every step: 4 bytes each


def parse_arguments():
    parser = command_line.ArgumentParser(__doc__)
    positive, level = command_line.integer_from(1), command_line.integer_from(0, HIGHEST_LEVEL)
    add = parser.add_argument
    add("--k", type=level, default=1, help="quantisation level of the network")
    add("--time_steps", type=command_line.integer_from(1, 10_000), default=20, help="time steps per image")
    add("--batch_size", type=positive, default=200, help="images per line of the logs")
    add(
        "--weights",
        type=Path,
        help="npz file (default: the checkpoint's if there is one, else the published)",
    )
    add("--logs", type=Path, help="folder of the logs (default: figs/k<K>)")
    add("--data", type=Path, default=MNIST, shown_default="data/mnist", help="folder of the MNIST files")
    add("--limit", type=positive, help="only the first N test images (default: all)")
    add("--threads", type=positive, default=os.cpu_count(), help="batches simulated at a time")
    add(
        "--verify",
        action="store_true",
        help="compare every neuron, once quiescent, with Keras's artificial network; writes no logs",
    )
    return parser.parse_args()


def main():
    args = parse_arguments()
    weights_path = args.weights or default_weights(args.k)

    from figs import logs
    from LeNet.tensorlayer import files
    from LeNet.weight_grid import on_grid
    from spiking_utils import SpikingNetwork

    weights, weights_sha256 = files.load_npz_and_sha256(weights_path, LENET, args.k)
    pixels, labels = files.load_mnist_split("t10k", args.data)
    pixels, labels = pixels[: args.limit], labels[: args.limit]
    print(f"weights: {shown(weights_path)}")
    weights, rounding = on_grid(weights)
    if rounding > 0:
        print(f"rounded to the weight grid, which changed them by {rounding:.2g} at most")

    if args.verify:
        sys.exit(0 if verify(weights, args.k, pixels, args.batch_size) else 1)

    network = SpikingNetwork(weights, LENET, args.k, args.time_steps)
    with OutputFolder(args.logs or log_folder(args.k)) as output:
        start = time.perf_counter()
        right, statistics, quiescent = evaluate(network, pixels, labels, args.batch_size, args.threads)
        seconds = time.perf_counter() - start
        run = describe(args, weights_path, weights_sha256, right, statistics, quiescent, len(pixels))
        written = logs.write(output, run, right, statistics)
    report(run, seconds, written)


def default_weights(k):
    """The npz file of the checkpoint if there is one, else the published one."""
    checkpoint = checkpoint_folder(k) / NPZ_NAME
    settle(checkpoint.parent)
    return checkpoint if checkpoint.exists() else existing_published_weights(k)


def verify(weights, k, pixels, batch_size):
    """Whether the spiking network, once quiescent, equals the artificial one; prints how far."""
    from LeNet.experiment import prepare_tensorflow

    prepare_tensorflow()
    from LeNet import verification

    comparison = verification.compare(weights, LENET, k, pixels, batch_size)
    verification.report(comparison)
    return comparison.lossless


def evaluate(network, pixels, labels, batch_size, threads):
    """Runs the spiking network over all images, batches in parallel.

    Returns
    -------
    right : int array (batches, time steps), images predicted right after each step
    statistics : int64 array (batches, blocks, time steps, 3)
        Spikes, negative spikes and synaptic operations in each step.
    quiescent : int, images in which nothing fired in the last step
    """
    import numpy as np
    from tqdm import tqdm

    part_size = max(1, MOST_SPIKES // (threads * network.blocks[0].time_steps * LENET.neurons))

    def run_part(images):
        activity = network.run(pixels[images])
        right = activity.predictions() == labels[images, None]
        return right.sum(axis=0), activity.statistics, activity.quiescent().sum()

    def run_batch(start):
        end = min(start + batch_size, len(pixels))
        parts = [run_part(slice(first, min(first + part_size, end))) for first in range(start, end, part_size)]
        return [sum(numbers) for numbers in zip(*parts, strict=True)]

    starts = range(0, len(pixels), batch_size)
    pool = ThreadPoolExecutor(threads)
    try:
        # disable=None: no bar where nobody watches
        results = list(tqdm(pool.map(run_batch, starts), total=len(starts), unit="batch", disable=None, leave=False))
    finally:
        pool.shutdown(cancel_futures=True)  # an interruption does not wait for batches that have not begun
    right, statistics, quiescent = zip(*results, strict=True)
    return np.stack(right), np.stack(statistics), int(sum(quiescent))


def describe(args, weights_path, weights_sha256, right, statistics, quiescent, images):
    """What run.json holds: the settings and the results, the same on any machine."""
    from figs.logs import time_steps_needed

    right = right.sum(axis=0)
    spikes, negative, sops = statistics.sum(axis=(0, 2)).T  # (blocks,) each
    accuracy = int(right[-1]) / images
    return {
        "k": args.k,
        "time_steps": args.time_steps,
        "batch_size": args.batch_size,
        "images": images,
        # lossless: when nothing fires any more, the artificial network's activations have been emitted
        "ann_accuracy": accuracy if quiescent == images else None,
        "snn_accuracy": accuracy,
        "quiescent_images": quiescent,
        "time_steps_needed": time_steps_needed(right),
        "weights": shown(weights_path),
        "weights_sha256": weights_sha256,
        "blocks": [
            {
                "neurons": block.neurons,
                "positive_spikes_per_image": int(spikes[index] - negative[index]) / images,
                "negative_spikes_per_image": int(negative[index]) / images,
                "sops_per_image": int(sops[index]) / images,
            }
            for index, block in enumerate(LENET.blocks)
        ],
    }


def report(run, seconds, written):
    """Prints the results."""
    print(f"{'':10}{'neurons':>10}{'+ spikes':>12}{'- spikes':>12}{'SOPs':>14}   per image")
    columns = list(run["blocks"][0])
    rows = [(f"block {number}", block) for number, block in enumerate(run["blocks"], start=1)]
    rows.append(("total", {name: sum(block[name] for block in run["blocks"]) for name in columns}))
    for name, row in rows:
        neurons, positive, negative, sops = row.values()
        print(f"{name:10}{neurons:10,}{positive:12,.1f}{negative:12,.1f}{sops:14,.0f}")
    images, needed = run["images"], run["time_steps_needed"]
    print(
        f"accuracy   {100 * run['snn_accuracy']:.2f} % of {images:,} images, reached for good at time step {needed}"
    )
    print(f"quiescent  {run['quiescent_images']:,} images after {run['time_steps']} time steps")
    print(f"time       {seconds:.1f} s, {1e3 * seconds / images:.3f} ms per image")
    print(f"written    {', '.join(shown(path) for path in written)}")


if __name__ == "__main__":
    command_line.run(main)
