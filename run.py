"""Does it all: evaluates the published networks, draws the figures, prints the results.

python run.py                              about a minute
python run.py --data fashion-mnist         the networks of Fashion-MNIST, likewise
python run.py --train                      trains the networks first, for hours; started again, it goes on
python run.py --train --seeds 0 1 2        the same with several seeds, and figs/seeds.py with their spread
python run.py --train --jobs 4             trains four at a time
python run.py --train --dask tcp://HOST:8786     trains on a cluster whose workers share this folder

--recipe augmented does the same with the networks of that recipe.
"""

import shutil
import signal
import subprocess
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent))

from experiment import ROOT, command_line, disk, published, shown, trainings
from experiment.model import HISTORY_NAME, MNIST, NPZ_NAME, PUBLISHED_LEVELS, Model
from experiment.recipes import PAPER, RECIPES
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
        help="images, and networks published of them",
    )
    add("--recipe", choices=tuple(RECIPES), default=PAPER.name, help="how they are trained, or were")
    add("--seeds", type=command_line.SEED, nargs="+", default=[SEED], default_text="0", help="of the trainings")
    where = parser.add_mutually_exclusive_group().add_argument
    where("--jobs", type=command_line.THREADS, metavar="N", help="trainings at a time (default: 1)")
    where(
        "--dask",
        type=command_line.text,
        metavar="ADDRESS",
        help="scheduler of a Dask cluster that trains, tcp://HOST:8786",
    )
    shared = "the cores that it may use, shared among the jobs; with --dask 1"
    add("--threads", type=command_line.THREADS, default_text=shared, help="of TensorFlow, for each training")
    args = parser.parse_args()
    for option in ("jobs", "dask", "threads"):
        if getattr(args, option) is not None and not args.train:
            parser.error(f"argument --{option}: not allowed without --train, it is for trainings")
    return args


def main():
    args = parse_arguments()
    levels = (FULL_PRECISION, *PUBLISHED_LEVELS)
    models = [
        Model(k, network, args.data, args.recipe, seed)
        for network in published.networks(args.data)
        for seed in args.seeds
        for k in levels
    ]
    if args.train:
        train(models, args)
    for model in models:
        if disk.exists(weights(model)):
            evaluate(model)
        else:
            print(f"\n{model.name}: no weights in {shown(weights(model))} yet; --train trains it")
    for network in published.networks(args.data):
        draw(Model(PUBLISHED_LEVELS[0], network, args.data, args.recipe), args.seeds)


def train(models, args):
    """Trains networks to the end, from where an earlier run was interrupted, and publishes the weights of seed 0."""
    jobs = args.jobs or 1
    with_weights = [model for model in models if model.seed == SEED]
    if with_weights:
        with disk.OutputFolder(with_weights[0].published.parent):
            pass  # an unwritable folder fails here, before hours of work
    threads = args.threads or (1 if args.dask else max(command_line.usable_cores() // jobs, 1))
    trainings.train_all(models, threads, jobs, args.dask)
    for model in with_weights:
        publish({model.checkpoint / NPZ_NAME: model.published, model.checkpoint / HISTORY_NAME: model.history})


def weights(model):
    """The npz file of a trained network: those of one seed are published."""
    return model.published if model.seed == SEED else model.checkpoint / NPZ_NAME


def evaluate(model):
    """Writes the logs of a network; those of other seeds lie beside the history of their training."""
    if model.k == FULL_PRECISION:
        python("LeNet/FP32_LeNet_MNIST.py", "--mode", "inference", "--weights", weights(model))
    else:
        python("LeNet/Spiking_LeNet_MNIST.py", "--weights", weights(model))
    if model.seed != SEED:
        publish({model.checkpoint / HISTORY_NAME: default_folder(model) / HISTORY_NAME})


def draw(model, seeds):
    """Draws the figures of a model's network, and prints its results."""
    names = trainings.naming(model)
    if SEED in seeds:
        for figure in FIGURES:
            python(f"figs/{figure}", *names)
        if disk.exists(model.published):
            python("figs/raster.py", "--weights", model.published)
        python("figs/results.py", *names)
    if len(seeds) > 1:
        python("figs/seeds.py", *names)


def publish(places):
    """Copies files, all into one folder, together."""
    with disk.OutputFolder(next(iter(places.values())).parent) as output, output.replacing() as staging:
        for source, place in places.items():
            shutil.copyfile(source, staging / place.name)


def python(*arguments):
    """Runs a command of the project, shown as a user would type it; ends with its exit status if it fails.

    An interruption is passed on, so that the command can clean up and say its line.
    """
    arguments = [str(argument) for argument in arguments]
    print("\n$ python", *(shown(a) if a.startswith("/") else a for a in arguments), flush=True)
    process = subprocess.Popen([sys.executable, *arguments], cwd=ROOT)
    try:
        status = process.wait()
    except (KeyboardInterrupt, command_line.Terminated):
        signal.alarm(0)  # it has arrived, and need not be repeated while the command cleans up
        process.terminate()
        status = process.wait()
    if status:
        sys.exit(status)


if __name__ == "__main__":
    command_line.run(main)
