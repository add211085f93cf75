"""Runs a trained LeNet as a spiking network on the MNIST test images and logs its activity.

python Spiking_LeNet_MNIST.py --k 0                       all 10,000 images, 20 time steps
python Spiking_LeNet_MNIST.py --k 2 --time_steps 60       more time steps
python Spiking_LeNet_MNIST.py --k 0 --verify              compares every neuron with the artificial network
python Spiking_LeNet_MNIST.py --k 0 --max_spikes 4        up to 4 spikes per neuron in a time step
python Spiking_LeNet_MNIST.py --k 0 --noise_ratio 0.5     noisy pixels
python Spiking_LeNet_MNIST.py --k 0 --recipe augmented    the network of our own recipe
python Spiking_LeNet_MNIST.py --k 0 --export k0_int.npz   the network as integers, for hardware
python Spiking_LeNet_MNIST.py --weights my.keras          a Keras network of your own, converted
python Spiking_LeNet_MNIST.py --weights my.onnx --k 4 --scale 1/255    an ONNX file, for example from PyTorch
python Spiking_LeNet_MNIST.py --weights my.keras --dry_run    only shows what becomes of each layer
python Spiking_LeNet_MNIST.py --weights my.keras --save my.npz    writes it for figs/raster.py and other scripts
python Spiking_LeNet_MNIST.py --k 0 --golden k0_golden.npz    writes every spike and potential of 10 images
python Spiking_LeNet_MNIST.py --k 0 --sizes               also measures the ranges and sizes that hardware needs
"""

import sys
import time
from dataclasses import replace
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from experiment import InputError, command_line, images, logs, model, published, runs, shown, weights
from experiment.disk import output_folder, replacing
from experiment.runs import Run, Variation
from experiment.trained import read_npz, write_npz
from LeNet import hardware, own_network

AUTO = "auto"  # as many time steps as it takes until nothing fires
K = 1  # if neither --k nor --weights gives it
GOLDEN_IMAGES = 10
UNUSED_OPTIONS = {
    "dry_run": (
        *("time_steps", "batch_size", "logs", "threads", "limit", "noise_ratio", "noise_seed", "sizes", "save"),
        *("max_spikes", "negative_spikes", "calibrate"),
    ),
    "verify": ("time_steps", "logs", "threads", "negative_spikes", "sizes"),
    "export": ("batch_size", "logs", "limit", "threads", "noise_ratio", "noise_seed", "sizes"),
    "golden": ("batch_size", "logs", "threads", "noise_ratio", "noise_seed"),
}


def parse_arguments():
    parser = command_line.ArgumentParser(__doc__)
    model.add_options(parser, k=K)
    model.add_weights(parser, files="npz file, or .keras or .onnx file,")
    add_simulation(parser)
    instead = parser.add_mutually_exclusive_group().add_argument
    verify = "compare every neuron, once quiescent, with Keras's artificial network; writes no logs"
    dry_run = "only print what becomes of each layer of your own network"
    instead("--dry_run", action="store_true", help=dry_run)
    instead("--verify", action="store_true", help=verify)
    export = "only write the network as integers, with thresholds for --time_steps"
    instead("--export", type=command_line.path, metavar="FILE.npz", help=export)
    golden = f"only write every spike and potential of the first {GOLDEN_IMAGES} images, or of --limit, for hardware"
    instead("--golden", type=command_line.path, metavar="FILE.npz", help=golden)
    sizes = "also measure the ranges and sizes that hardware needs, which takes minutes"
    parser.add_argument("--sizes", action="store_true", help=sizes)
    own_network.add_options(parser)
    args = parser.parse_args()
    for mode, unused in UNUSED_OPTIONS.items():
        for name in unused:
            if getattr(args, mode) and getattr(args, name) != parser.get_default(name):
                parser.error(f"argument --{name}: not allowed with --{mode}, which ignores it")
    for mode in ("export", "golden", "save"):
        path = getattr(args, mode)
        if path and (path.is_dir() or path.suffix != ".npz"):
            found = "is a folder" if path.is_dir() else "does not end in .npz"
            parser.error(f"argument --{mode}: {path} {found}, expected the name of an npz file")
    other = args.export or args.golden
    if args.save and other and args.save.resolve() == other.resolve():
        parser.error(f"argument --save: found {args.save} twice, expected another file than that of the other option")
    own_network.check_options(args)
    if args.time_steps is None and own_network.is_own(args.weights):
        args.time_steps = AUTO
    for name, found in (("time_steps", args.time_steps), ("max_spikes", args.max_spikes or runs.UNBOUNDED)):
        if args.export and isinstance(found, str):
            parser.error(f"argument --{name}: found {found}, expected a number with --export, for its last threshold")
    return args


def add_simulation(parser):
    """Adds the options of the spiking network, its images and its logs."""
    add = parser.add_argument
    add(
        "--time_steps",
        type=command_line.Number(int, 1, 10_000, {AUTO: AUTO}),
        default_text=f"{runs.TIME_STEPS} for the paper's networks, {AUTO} for all others",
        help=f"time steps per image, or {AUTO}: until no neuron fires any more",
    )
    bursts = "how many spikes a neuron may fire in a time step, all of one sign: 1, 2, ... or unbounded"
    add("--max_spikes", type=command_line.SPIKES, default=1, metavar="B", help=bursts)
    negative = {"type": command_line.boolean, "default": True, "metavar": "True|False"}
    add("--negative_spikes", **negative, help="False disables negative spikes, to show what they are for")
    add("--batch_size", type=command_line.POSITIVE, default=runs.BATCH_SIZE, help="images per line of the logs")
    add("--logs", type=command_line.path, metavar="DIR", default_text="figs/k0 etc.", help="folder of the logs")
    command_line.add_limit(parser)
    command_line.add_threads(parser)
    ratios = command_line.Number(float, 0, images.MAX_NOISE_RATIO)
    noise = "scale pixels by 1 + R * (z - 1/2), z uniform in [0, 1), and round them to integers >= 0"
    add("--noise_ratio", type=ratios, default=0.0, default_text="0", metavar="R", help=noise)
    command_line.add_noise_seed(parser)


def main():
    args = parse_arguments()
    if args.dry_run:
        own_network.describe(own_network.read(args.weights, *own_network.pixel_scaling(args)))
        return
    for path in filter(None, (args.export, args.golden, args.save)):
        check_place(path)
    choice, own = model.chosen(args), own_network.is_own(args.weights)
    trained, original = own_network.load(choice, args) if own else (weights.load(choice, K, converts=True), None)
    k = trained.level(args.k)
    args.time_steps = args.time_steps or default_time_steps(trained, args)
    if args.save:
        own_network.save(trained, args.save)
    if args.export:
        write_arrays(spiking_network(trained, k, args).integer_arrays(), args.export)
        return
    test = read_images(trained, args)
    if args.verify:
        verify(trained, k, original, test, args)
    elif args.golden:
        pixels = test.pixels[: args.limit or GOLDEN_IMAGES]
        snn = spiking_network(trained, k, args)
        if args.time_steps == AUTO:
            from LeNet.evaluation import run_until_quiescent

            run_until_quiescent(snn, pixels)
        write_arrays(hardware.golden_vectors(snn, trained, pixels), args.golden)
        if args.sizes:
            hardware.report(hardware.measure(snn, pixels))
    else:
        evaluation = evaluate_and_log(spiking_network(trained, k, args), trained, test, args)
        if original is not None:
            own_network.report(original, evaluation, test, lossless=args.negative_spikes)


def check_place(path):
    """Raises an error, before the work begins, if a file cannot be written or would replace a trained model.

    What --save wrote earlier may be replaced, as it can be converted again.
    """
    with output_folder(path.parent):
        pass
    try:
        held = read_npz(path).model
    except InputError:
        return
    if held.recipe != model.OWN:
        raise InputError(f"{shown(path)}: holds the weights of {held.name}, expected another file or none")


def default_time_steps(trained, args):
    """As many as the paper shows of its networks; until nothing fires any more for all others."""
    if trained.model.network in published.NETWORKS:
        return runs.TIME_STEPS
    if args.export:
        raise InputError("argument --time_steps: missing, expected a number with --export, for its last threshold")
    return AUTO


def spiking_network(trained, k, args):
    """The SpikingNetwork that the options choose."""
    from LeNet.evaluation import FIRST_TIME_STEPS  # after --help and errors, as Numba is slow to import
    from spiking_utils import SpikingNetwork

    steps = FIRST_TIME_STEPS if args.time_steps == AUTO else args.time_steps
    return SpikingNetwork(trained.weights, trained.network, k, steps, args.max_spikes, args.negative_spikes)


def read_images(trained, args):
    """The test images, with noise on their pixels if the options ask for it."""
    test = images.load_test(args.data or trained.model.images, trained.network).first(args.limit)
    if args.noise_ratio > 0:
        test = test._replace(pixels=images.noisy(test.pixels, args.noise_ratio, args.noise_seed))
    return test


def evaluate_and_log(snn, trained, test, args):
    """Runs a SpikingNetwork on the test images, writes its logs and prints the results; returns the Evaluation."""
    from LeNet.evaluation import count_ann_right, simulate, simulate_until_quiescent

    converted = None if snn.k == trained.model.k else snn.k
    noise = args.noise_ratio, args.noise_seed if args.noise_ratio else 0
    variation = Variation(converted, *noise, args.max_spikes, args.negative_spikes, args.limit)
    run = Run(trained.identity, variation, snn.time_steps, args.batch_size, len(test.pixels))
    batches = args.batch_size, args.threads
    with logs.opened(args.logs, run) as output:
        start = time.perf_counter()
        evaluation = (simulate_until_quiescent if args.time_steps == AUTO else simulate)(snn, test, *batches)
        seconds = time.perf_counter() - start
        run = replace(run, time_steps=evaluation.right.shape[1])
        ann_right = count_ann_right(evaluation, trained, snn.k, test, args.negative_spikes, *batches)
        sizes = hardware.measure(snn, test.pixels) if args.sizes else None
        run = runs.described(run, trained, evaluation, ann_right, sizes)
        logs.write(output, run, evaluation.right, evaluation.statistics)
    report(run, seconds, output)
    return evaluation


def write_arrays(arrays, path):
    """Writes arrays, given by key, to an npz file and lists them."""
    with output_folder(path.parent) as output, replacing(output) as staging:
        write_npz(arrays, staging / path.name)
    width, shape_width = 2 + max(map(len, arrays)), 2 + max(len(str(array.shape)) for array in arrays.values())
    print(f"{'key':{width}}{'dtype':8}{'shape':{shape_width}}values")
    for key, array in arrays.items():
        if array.dtype.kind == "U":
            kind, values = "text", str(array)
        else:
            kind, values = str(array.dtype), f"{array.min():,}" + (f" to {array.max():,}" if array.ndim else "")
        print(f"{key:{width}}{kind:8}{array.shape!s:{shape_width}}{values}")
    print(f"written    {shown(path)}")


def verify(trained, k, original, test, args):
    """Compares every neuron with Keras's network; ends with exit status 1 if any differs."""
    from LeNet import verification

    options = args.batch_size, args.max_spikes
    comparison = verification.compare(trained.weights, trained.network, k, test.pixels, *options)
    as_trained = trained.model.k == k and trained.model.recipe != model.OWN
    verification.report(comparison, as_trained)
    if original is not None:
        verification.report_original(comparison, original.predict(test.pixels), test.labels)
    sys.exit(0 if comparison.lossless else 1)


def report(run, seconds, folder):
    """Prints the results of a Run."""
    print(f"{'':10}{'neurons':>10}{'+ spikes':>12}{'- spikes':>12}{'SOPs':>14}   per image")
    results, count = run.results, run.images
    rows = [(f"block {number}", block) for number, block in enumerate(results.blocks, start=1)]
    for name, row in [*rows, ("total", results.total)]:
        positive, negative = row.positive_spikes_per_image, row.negative_spikes_per_image
        print(f"{name:10}{row.neurons:10,}{positive:12,.1f}{negative:12,.1f}{row.sops_per_image:14,.0f}")
    lasting = "for good" if results.quiescent_images == count else "so far: some images are not quiescent"
    print(
        f"accuracy   {100 * results.snn_accuracy:.2f} % of {count:,} images, "
        f"unchanged since time step {results.time_steps_needed}, {lasting}"
    )
    if results.ann_accuracy is not None:
        print(f"ANN        {100 * results.ann_accuracy:.2f} %")
    print(f"quiescent  {results.quiescent_images:,} of {count:,} images after {run.time_steps} time steps")
    print(f"time       {seconds:.1f} s, {1e3 * seconds / count:.3f} ms per image")
    print(f"written    {shown(folder)}")
    if results.sizes is not None:
        hardware.report(results.sizes)


if __name__ == "__main__":
    command_line.run(main)
