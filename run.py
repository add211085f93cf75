"""Reproduces everything: evaluates the published networks, draws the figures and prints the results.

python run.py                              takes about a minute
python run.py --data fashion-mnist         does the same for the Fashion-MNIST networks
python run.py --train                      trains the networks first, for hours; after an interruption, continues
python run.py --train --seeds 0 1 2        the same with several seeds, and figs/seeds.py shows their spread
python run.py --train --jobs 4             trains four at a time
python run.py --train --dask tcp://HOST:8786     trains on a cluster whose workers share this folder

--recipe augmented does all this with the networks of that recipe, --data fashion-mnist --recipe flipped with the
residual network.
"""

import shutil
import signal
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent))

from experiment import ROOT, command_line, disk, published, shown, trainings
from experiment.model import HISTORY_NAME, MNIST, NPZ_NAME
from experiment.recipes import FLIPPED, PAPER, RECIPES
from experiment.runs import default_folder
from spiking.network import FULL_PRECISION

FIGURES = ("accuracy_speed.py", "sparsity.py", "sops.py")
SEED = 0  # of the networks whose weights are in the repository


def parse_arguments():
    parser = command_line.ArgumentParser(__doc__)
    add = parser.add_argument
    add("--train", action="store_true", help="train the networks and publish their weights first")
    add(
        "--data",
        choices=(MNIST, published.FASHION_MNIST),
        default=MNIST,
        help="images, with the networks that were published for them",
    )
    add("--recipe", choices=tuple(RECIPES), default=PAPER.name, help="how the networks are, or were, trained")
    add("--seeds", type=command_line.SEED, nargs="+", default=[SEED], default_text="0", help="seeds of the trainings")
    where = parser.add_mutually_exclusive_group().add_argument
    where("--jobs", type=command_line.THREADS, metavar="N", help="how many trainings run at a time (default: 1)")
    where(
        "--dask",
        type=command_line.text,
        metavar="ADDRESS",
        help="scheduler of a Dask cluster for the trainings, tcp://HOST:8786",
    )
    shared = "the number of cores that it may use, divided by the jobs; with --dask 1"
    add("--threads", type=command_line.THREADS, default_text=shared, help="TensorFlow's threads per training")
    args = parser.parse_args()
    if args.recipe == FLIPPED.name and args.data != published.FASHION_MNIST:
        parser.error(f"argument --recipe: found {args.recipe}, which is for --data {published.FASHION_MNIST}")
    for option in ("jobs", "dask", "threads"):
        if getattr(args, option) is not None and not args.train:
            parser.error(f"argument --{option}: not allowed without --train, as it is only for trainings")
    return args


def main():
    args = parse_arguments()
    models = published.models(args.data, args.recipe, args.seeds)
    if args.train:
        train(models, args)
    for model in models:
        if disk.exists(weights(model)):
            evaluate(model)
        else:
            print(f"\n{model.name}: no weights in {shown(weights(model))} yet; --train trains it")
    drawn = {}  # a spiking model of each network
    for model in models:
        if model.k != FULL_PRECISION:
            drawn.setdefault(model.network, replace(model, seed=SEED))
    for model in drawn.values():
        draw(model, args.seeds)


def train(models, args):
    """Trains Models to the end, starting where an earlier run was interrupted; publishes the weights of seed 0."""
    jobs = args.jobs or 1
    to_publish = [model for model in models if model.seed == SEED]
    if to_publish:
        with disk.output_folder(to_publish[0].published.parent):
            pass  # an unwritable folder fails here, before hours of work
    threads = args.threads or (1 if args.dask else max(command_line.usable_cores() // jobs, 1))
    trainings.train_all(models, threads, jobs, args.dask)
    for model in to_publish:
        publish({model.checkpoint / NPZ_NAME: model.published, model.checkpoint / HISTORY_NAME: model.history})


def weights(model):
    """The npz file of a Model's weights; only those of one seed are published."""
    return model.published if model.seed == SEED else model.checkpoint / NPZ_NAME


def evaluate(model):
    """Writes the logs of a Model, and beside those of other seeds than the published one the training's history."""
    if model.k == FULL_PRECISION:
        python("LeNet/FP32_LeNet_MNIST.py", "--mode", "inference", "--weights", weights(model))
    else:
        python("LeNet/Spiking_LeNet_MNIST.py", "--weights", weights(model))
    if model.seed != SEED:
        publish({model.checkpoint / HISTORY_NAME: default_folder(model) / HISTORY_NAME})


def draw(model, seeds):
    """Draws the figures of a Model and prints its results."""
    names = trainings.options_of(model)
    if SEED in seeds:
        for figure in FIGURES:
            python(f"figs/{figure}", *names)
        if disk.exists(model.published):
            python("figs/raster.py", "--weights", model.published)
        python("figs/results.py", *names)
    if len(seeds) > 1:
        python("figs/seeds.py", *names)


def publish(places):
    """Copies files together to places in a single folder."""
    with disk.output_folder(next(iter(places.values())).parent) as output, disk.replacing(output) as staging:
        for source, place in places.items():
            shutil.copyfile(source, staging / place.name)


def python(*arguments):
    """Prints and runs a Python command of the project; if it fails, exits with its status.

    An interruption is passed on, so that the command can clean up and print its line.
    """
    arguments = [str(argument) for argument in arguments]
    print("\n$ python", *(shown(a) if a.startswith("/") else a for a in arguments), flush=True)
    process = subprocess.Popen([sys.executable, *arguments], cwd=ROOT)
    try:
        status = process.wait()
    except (KeyboardInterrupt, command_line.Terminated):
        signal.alarm(0)  # the interruption has arrived: it must not be repeated while the command cleans up
        process.terminate()
        status = process.wait()
    if status:
        sys.exit(status)


if __name__ == "__main__":
    command_line.run(main)
