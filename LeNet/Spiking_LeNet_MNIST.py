"""Runs a trained LeNet as a spiking network on the MNIST test images and logs its activity.

python Spiking_LeNet_MNIST.py --k 0                       all 10,000 images, 20 time steps
python Spiking_LeNet_MNIST.py --k 2 --time_steps 60       longer
python Spiking_LeNet_MNIST.py --k 0 --verify              compares every neuron with the artificial network
python Spiking_LeNet_MNIST.py --k 0 --max_spikes 4        up to 4 spikes of a neuron in a time step
python Spiking_LeNet_MNIST.py --k 0 --noise_ratio 0.5     noisy pixels
python Spiking_LeNet_MNIST.py --k 0 --recipe augmented    the network of our own recipe
python Spiking_LeNet_MNIST.py --k 0 --export k0_int.npz   the network as integers, for hardware
python Spiking_LeNet_MNIST.py --weights my.keras          a Keras network of your own, converted
python Spiking_LeNet_MNIST.py --weights my.onnx --k 4 --scale 1/255    one of PyTorch, say, as an ONNX file
python Spiking_LeNet_MNIST.py --weights my.keras --dry_run    only checks it: what becomes of each layer
python Spiking_LeNet_MNIST.py --weights my.keras --save my.npz    writes it for figs/raster.py and other scripts
python Spiking_LeNet_MNIST.py --k 0 --golden k0_golden.npz    every spike and potential of 10 images, to compare with
python Spiking_LeNet_MNIST.py --k 0 --sizes               also the ranges and sizes that hardware needs
"""

import sys
import time
from dataclasses import replace
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from experiment import InputError, command_line, images, logs, model, runs, shown, weights
from experiment.disk import OutputFolder
from experiment.runs import Run, Variation
from experiment.trained import read_npz, write_npz
from LeNet import hardware, own_network

AUTO = "auto"  # as many time steps as it takes until nothing fires
FIRST_TIME_STEPS = 16  # of that
K = 1  # where neither --k nor --weights says it
GOLDEN_IMAGES = 10
UNUSED_OPTIONS = {
    "dry_run": ("time_steps", "batch_size", "logs", "threads", "limit", "noise_ratio", "noise_seed", "sizes", "save"),
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
    dry_run = "print what becomes of each layer of a network of one's own, and end"
    instead("--dry_run", action="store_true", help=dry_run)
    instead("--verify", action="store_true", help=verify)
    export = "write the network as integers, with thresholds for --time_steps, and evaluate nothing"
    instead("--export", type=command_line.path, metavar="FILE.npz", help=export)
    golden = f"write every spike and potential of the first {GOLDEN_IMAGES} images (or of --limit), for hardware"
    instead("--golden", type=command_line.path, metavar="FILE.npz", help=golden)
    sizes = "measure the ranges and sizes that hardware needs, too; takes minutes"
    parser.add_argument("--sizes", action="store_true", help=sizes)
    own_network.add_options(parser)
    args = parser.parse_args()
    for mode, unused in UNUSED_OPTIONS.items():
        for name in unused:
            if getattr(args, mode) and getattr(args, name) != parser.get_default(name):
                parser.error(f"argument --{name}: not allowed with --{mode}, which has no use for it")
    for mode in ("export", "golden", "save"):
        path = getattr(args, mode)
        if path and (path.is_dir() or path.suffix != ".npz"):
            found = "is a folder" if path.is_dir() else "does not end in .npz"
            parser.error(f"argument --{mode}: {path} {found}, expected the name of an npz file")
    other = args.export or args.golden
    if args.save and other and args.save.resolve() == other.resolve():
        parser.error(f"argument --save: found {args.save} twice, expected another file than that of the other option")
    own_network.check_options(args)
    if args.time_steps is None and own_network.given(args.weights):
        args.time_steps = AUTO
    if args.export and args.time_steps == AUTO:
        parser.error("argument --time_steps: found auto, expected a number with --export: thresholds end there")
    args.time_steps = args.time_steps or runs.TIME_STEPS
    if args.export and args.max_spikes is None:
        parser.error("argument --max_spikes: found unbounded, expected a number with --export: thresholds end there")
    return args


def add_simulation(parser):
    """The options of the spiking network, its images and its logs."""
    add = parser.add_argument
    add(
        "--time_steps",
        type=time_steps,
        default_text=f"{runs.TIME_STEPS}; {AUTO} for a network of one's own",
        help=f"time steps per image, or {AUTO}: until no image fires any more",
    )
    bursts = "spikes of one sign that a neuron may fire in a time step: 1, 2, ... or unbounded"
    add("--max_spikes", type=command_line.spikes, default=1, metavar="B", help=bursts)
    negative = {"type": command_line.boolean, "default": True, "metavar": "True|False"}
    add("--negative_spikes", **negative, help="False takes the negative spikes away, to show what they are for")
    add("--batch_size", type=command_line.POSITIVE, default=runs.BATCH_SIZE, help="images per line of the logs")
    add("--logs", type=command_line.path, metavar="DIR", default_text="figs/k0 etc.", help="folder of the logs")
    command_line.add_limit(parser)
    command_line.add_threads(parser, "batches simulated at a time")
    ratio = {"type": command_line.number_from(0, images.HIGHEST_NOISE_RATIO), "default": 0.0, "default_text": "0"}
    noise = "scale pixels by 1 + R * (z - 1/2), z uniform in [0, 1), and round them to whole numbers from 0 on"
    add("--noise_ratio", **ratio, metavar="R", help=noise)
    command_line.add_noise_seed(parser)


def time_steps(text):
    """Option type: a number of them, or `auto`."""
    return AUTO if text == AUTO else command_line.integer_from(1, 10_000)(text)


def main():
    args = parse_arguments()
    if args.dry_run:
        own_network.describe(own_network.read(args.weights, *own_network.of_pixels(args)))
        return
    for path in filter(None, (args.export, args.golden, args.save)):
        check_place(path)
    trained, k, own = load(args)
    if args.save:
        own_network.save(trained, args.save)
    if args.export:
        write_arrays(spiking_network(trained, k, args).integer_arrays(), args.export)
        return
    test = read_images(trained, args)
    if args.verify:
        verify(trained, k, own, test, args)
    elif args.golden:
        pixels = test.pixels[: args.limit or GOLDEN_IMAGES]
        network = spiking_network(trained, k, args)
        if args.time_steps == AUTO:
            from LeNet.evaluation import run_until_quiescent

            run_until_quiescent(network, pixels)
        write_golden(network, trained, pixels, args)
    else:
        evaluation = evaluate_and_log(spiking_network(trained, k, args), trained, test, args)
        if own is not None:
            own_network.report(own, evaluation, test)


def check_place(path):
    """Refuses, before the work, a folder that cannot be written to, and a file that holds a trained model.

    What --save has written can be converted again, and is replaced.
    """
    with OutputFolder(path.parent):
        pass
    try:
        held = read_npz(path).model
    except InputError:
        return
    if held.recipe != model.OWN:
        raise InputError(f"{shown(path)}: holds the weights of {held.name}, expected another file or none")


def load(args):
    """The Trained that the options choose, the level to run it at, and the Own network that it was, else None."""
    own = None
    choice = model.chosen(args)
    if own_network.given(args.weights):
        trained, own = own_network.load(choice, args)
        k = trained.model.k
    else:
        trained, k = weights.load(choice, K, converts=True)
    return trained, k, own


def spiking_network(trained, k, args):
    """The SpikingNetwork that the options choose."""
    from spiking_utils import SpikingNetwork  # after --help and errors, as Numba takes a while

    steps = FIRST_TIME_STEPS if args.time_steps == AUTO else args.time_steps
    return SpikingNetwork(trained.weights, trained.network, k, steps, args.max_spikes, args.negative_spikes)


def read_images(trained, args):
    """The test images, with noise on their pixels if it is asked for."""
    test = images.load_test(args.data or trained.model.images, trained.network).first(args.limit)
    if args.noise_ratio > 0:
        test = test._replace(pixels=images.noisy(test.pixels, args.noise_ratio, args.noise_seed))
    return test


def evaluate_and_log(network, trained, test, args):
    """Runs the network over the test images, writes the logs and prints the results; returns the Evaluation."""
    from LeNet.evaluation import count_ann_right, simulate, simulate_until_quiescent

    varied = variation(trained, network.k, args)
    run = Run(trained.identity, varied, network.time_steps, args.batch_size, len(test.pixels))
    batches = args.batch_size, args.threads
    with logs.opened(args.logs, run) as output:
        start = time.perf_counter()
        evaluation = (simulate_until_quiescent if args.time_steps == AUTO else simulate)(network, test, *batches)
        seconds = time.perf_counter() - start
        run = replace(run, time_steps=evaluation.right.shape[1])
        ann_right = count_ann_right(evaluation, trained, network.k, test, args.negative_spikes, *batches)
        sizes = measure_sizes(network, test.pixels) if args.sizes else None
        run = runs.described(run, trained, evaluation, ann_right, sizes)
        logs.write(output, run, evaluation.right, evaluation.statistics)
    report(run, seconds, output.path)
    return evaluation


def measure_sizes(network, pixels):
    """What hardware needs, as run.json has it."""
    return hardware.table(network, hardware.measure(network, pixels))


def variation(trained, k, args):
    """What sets the run apart from that of the model as it was trained."""
    noise_seed = args.noise_seed if args.noise_ratio else 0
    converted = None if k == trained.model.k else k
    return Variation(converted, args.noise_ratio, noise_seed, args.max_spikes, args.negative_spikes, args.limit)


def write_arrays(arrays, path):
    """Writes arrays, by key, as an npz file and prints what is in it."""
    with OutputFolder(path.parent) as output, output.replacing() as staging:
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


def write_golden(network, trained, pixels, args):
    """Writes every spike and potential."""
    write_arrays(hardware.golden_vectors(network, trained, pixels), args.golden)
    if args.sizes:
        hardware.report(measure_sizes(network, pixels))


def verify(trained, k, own, test, args):
    """Compares every neuron with Keras's; ends with exit status 1 where one differs."""
    from LeNet import verification

    options = args.batch_size, args.max_spikes
    comparison = verification.compare(trained.weights, trained.network, k, test.pixels, *options)
    trained_so = own is None and trained.model.k == k and trained.model.recipe != model.OWN
    verification.report(comparison, trained_so)
    if own is not None:
        verification.report_own(comparison, own.predict(test.pixels), test.labels)
    sys.exit(0 if comparison.lossless else 1)


def report(run, seconds, folder):
    """Prints the results."""
    print(f"{'':10}{'neurons':>10}{'+ spikes':>12}{'- spikes':>12}{'SOPs':>14}   per image")
    results, count = run.results, run.images
    rows = [(f"block {number}", block) for number, block in enumerate(results.blocks, start=1)]
    for name, row in [*rows, ("total", results.total)]:
        positive, negative = row.positive_spikes_per_image, row.negative_spikes_per_image
        print(f"{name:10}{row.neurons:10,}{positive:12,.1f}{negative:12,.1f}{row.sops_per_image:14,.0f}")
    lasting = "for good" if results.quiescent_images == count else "so far"
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
