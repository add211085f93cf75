"""Runs a trained LeNet as a spiking network on the MNIST test images and logs its activity.

python Spiking_LeNet_MNIST.py --k 0                       all 10,000 images, 20 time steps
python Spiking_LeNet_MNIST.py --k 2 --time_steps 60       longer
python Spiking_LeNet_MNIST.py --k 0 --verify              compares every neuron with the artificial network
python Spiking_LeNet_MNIST.py --k 0 --noise_ratio 0.5     noisy pixels
python Spiking_LeNet_MNIST.py --k 0 --recipe augmented    the network that was trained on shifted images
python Spiking_LeNet_MNIST.py --k 0 --export k0_int.npz   the network as integers, for hardware
"""

import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from experiment import command_line
from spiking.network import HIGHEST_NOISE_RATIO, LENET
from experiment.disk import OutputFolder
from experiment.model import (
    checkpoint_weights,
    default_weights,
    log_folder,
    published_weights,
    refuse_other_recipe,
    shown,
)

UNUSED_OPTIONS = {
    "verify": ("time_steps", "logs", "threads"),
    "export": ("batch_size", "logs", "data", "limit", "threads", "noise_ratio", "seed"),
}


def parse_arguments():
    parser = command_line.ArgumentParser(__doc__)
    options.add_level(parser, default=1)
    options.add_recipe(parser, "of the network's training; decides on the default weights and logs")
    add = parser.add_argument
    add("--time_steps", type=command_line.integer_from(1, 10_000), default=20, help="time steps per image")
    add("--batch_size", type=options.POSITIVE, default=200, help="images per line of the logs")
    options.add_weights(parser)
    add(
        "--logs",
        type=Path,
        help="folder of the logs (default: figs/k<K>, with another recipe figs/k<K>-<RECIPE>, with noise -noise<R>)",
    )
    options.add_data(parser)
    options.add_limit(parser)
    options.add_threads(parser)
    add(
        "--noise_ratio",
        type=command_line.number_from(0, HIGHEST_NOISE_RATIO),
        default=0.0,
        shown_default="0",
        metavar="R",
        help="scale pixels by 1 + R * (z - 1/2), z uniform in [0, 1), and round them to whole numbers from 0 on",
    )
    options.add_seed(parser, "the noise")
    instead = parser.add_mutually_exclusive_group()
    instead.add_argument(
        "--verify",
        action="store_true",
        help="compare every neuron, once quiescent, with Keras's artificial network; writes no logs",
    )
    instead.add_argument(
        "--export",
        type=Path,
        metavar="FILE.npz",
        help="write the network as integers, with thresholds for --time_steps, and evaluate nothing",
    )
    args = parser.parse_args()
    for mode, unused in UNUSED_OPTIONS.items():
        for name in unused:
            if getattr(args, mode) and getattr(args, name) != parser.get_default(name):
                parser.error(f"argument --{name}: not allowed with --{mode}, which has no use for it")
    if args.export and args.export.is_dir():
        parser.error(f"argument --export: {args.export} is a folder, expected the name of a file")
    return args


def main():
    args = parse_arguments()
    weights_path = args.weights or default_weights(args.k, args.recipe)
    refuse_other_recipe(weights_path, args.k, args.recipe, published_weights, checkpoint_weights)
    log_path = args.logs or log_folder(args.k, args.recipe, args.noise_ratio)
    refuse_other_recipe(log_path, args.k, args.recipe, log_folder)

    from experiment import logs
    from LeNet.evaluation import evaluate, load_weights, noisy
    from experiment import images as files
    from spiking_utils import SpikingNetwork

    weights, weights_sha256 = load_weights(weights_path, args.k)
    if args.export:
        export(weights, args)
        return
    pixels, labels = files.load_mnist_split("t10k", args.data)
    pixels, labels = pixels[: args.limit], labels[: args.limit]
    if args.noise_ratio > 0:
        pixels = noisy(pixels, args.noise_ratio, args.seed)

    if args.verify:
        sys.exit(0 if verify(weights, args.k, pixels, args.batch_size) else 1)

    network = SpikingNetwork(weights, LENET, args.k, args.time_steps)
    with OutputFolder(log_path) as output:
        start = time.perf_counter()
        right, statistics, quiescent = evaluate(network, pixels, labels, args.batch_size, args.threads)
        seconds = time.perf_counter() - start
        run = describe(args, weights_path, weights_sha256, right, statistics, quiescent, len(pixels))
        written = logs.write(output, run, right, statistics)
    report(run, seconds, written)


def export(weights, args):
    """Writes the spiking network as a file of integers and prints what is in it."""
    from LeNet import export
    from experiment.images import write_npz
    from spiking_utils import SpikingNetwork

    network = SpikingNetwork(weights, LENET, args.k, args.time_steps)
    arrays = export.integer_arrays(network, LENET, args.k)
    with OutputFolder(args.export.parent) as output, output.replacing() as staging:
        write_npz(arrays, staging / args.export.name)
    export.report(arrays)
    print(f"written    {shown(args.export)}")


def verify(weights, k, pixels, batch_size):
    """Whether the spiking network, once quiescent, equals the artificial one; prints how far."""
    from LeNet.experiment import prepare_tensorflow

    prepare_tensorflow()
    from LeNet import verification

    comparison = verification.compare(weights, LENET, k, pixels, batch_size)
    verification.report(comparison)
    return comparison.lossless


def describe(args, weights_path, weights_sha256, right, statistics, quiescent, images):
    """What run.json holds: the settings and the results, the same on any machine."""
    from experiment.logs import FILES, recipe_entry, time_steps_needed

    right = right.sum(axis=0)
    accuracy = int(right[-1]) / images
    by_block = statistics.sum(axis=(0, 2))  # (blocks, 3)
    noise = {"noise_ratio": args.noise_ratio, "seed": args.seed} if args.noise_ratio > 0 else {}
    return {
        "k": args.k,
        "time_steps": args.time_steps,
        "batch_size": args.batch_size,
        "images": images,
        **recipe_entry(args.recipe),
        **noise,
        # lossless: when nothing fires any more, the artificial network's activations have been emitted
        "ann_accuracy": accuracy if quiescent == images else None,
        "snn_accuracy": accuracy,
        "quiescent_images": quiescent,
        "time_steps_needed": time_steps_needed(right),
        "weights": shown(weights_path),
        "weights_sha256": weights_sha256,
        "blocks": [per_image(block.neurons, *row, images) for block, row in zip(LENET.blocks, by_block)],
        "total": per_image(LENET.neurons, *by_block.sum(axis=0), images),
        "files": list(FILES),
    }


def per_image(neurons, spikes, negative, sops, images):
    """Activity as run.json gives it."""
    return {
        "neurons": neurons,
        "positive_spikes_per_image": int(spikes - negative) / images,
        "negative_spikes_per_image": int(negative) / images,
        "sops_per_image": int(sops) / images,
    }


def report(run, seconds, written):
    """Prints the results."""
    print(f"{'':10}{'neurons':>10}{'+ spikes':>12}{'- spikes':>12}{'SOPs':>14}   per image")
    rows = [(f"block {number}", block) for number, block in enumerate(run["blocks"], start=1)]
    for name, row in [*rows, ("total", run["total"])]:
        neurons, positive, negative, sops = row.values()
        print(f"{name:10}{neurons:10,}{positive:12,.1f}{negative:12,.1f}{sops:14,.0f}")
    images = run["images"]
    lasting = "for good" if run["quiescent_images"] == images else "but not every image is quiescent"
    print(
        f"accuracy   {100 * run['snn_accuracy']:.2f} % of {images:,} images, "
        f"unchanged since time step {run['time_steps_needed']}, {lasting}"
    )
    print(f"quiescent  {run['quiescent_images']:,} images after {run['time_steps']} time steps")
    print(f"time       {seconds:.1f} s, {1e3 * seconds / images:.3f} ms per image")
    print(f"written    {', '.join(shown(path) for path in written)}")


if __name__ == "__main__":
    command_line.run(main)
