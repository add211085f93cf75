"""Does it all: evaluates the published networks, draws the figures, prints the results.

python run.py                              about a minute
python run.py --train                      trains the four networks first, for hours; started again, it goes on
python run.py --train --seeds 0 1 2        the same with several seeds, and figs/seeds.py with their spread

--recipe augmented does the same with the networks of that recipe.
"""

import shutil
import signal
import subprocess
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent))

from experiment import ROOT, command_line, disk, shown
from experiment.model import HISTORY_NAME, NPZ_NAME, PUBLISHED_LEVELS, Model
from experiment.recipes import PAPER, RECIPES
from spiking.network import FULL_PRECISION

FIGURES = ("accuracy_speed.py", "sparsity.py", "sops.py")
SEED = 0  # of the networks whose weights are in the repository


def main():
    parser = command_line.ArgumentParser(__doc__)
    parser.add_argument("--train", action="store_true", help="train the networks and publish their weights first")
    parser.add_argument("--recipe", choices=tuple(RECIPES), default=PAPER.name, help="how they are trained, or were")
    parser.add_argument(
        "--seeds", type=command_line.SEED, nargs="+", default=[SEED], default_text="0", help="of the trainings"
    )
    args = parser.parse_args()
    levels = (FULL_PRECISION, *PUBLISHED_LEVELS)
    models = [Model(k, recipe=args.recipe, seed=seed) for seed in args.seeds for k in levels]

    if args.train:
        for model in models:
            train(model)
    for model in models:
        evaluate(model)
    recipe = ("--recipe", args.recipe)
    if SEED in args.seeds:
        for figure in FIGURES:
            python(f"figs/{figure}", *recipe)
        pictured = Model(PUBLISHED_LEVELS[0], recipe=args.recipe)
        python("figs/raster.py", "--k", pictured.k, *recipe, "--weights", pictured.published)
        python("figs/results.py", *recipe)
    if len(args.seeds) > 1:
        python("figs/seeds.py", *recipe)


def train(model):
    """Trains a network to the end, from where an earlier run was interrupted, and publishes its weights."""
    state = model.checkpoint / NPZ_NAME
    python(*script(model), "--mode", "training", "--resume", disk.exists(state))
    if model.seed == SEED:
        publish({state: model.published, model.checkpoint / HISTORY_NAME: model.history})
        python(*script(model), "--mode", "inference", "--weights", model.published)


def evaluate(model):
    """Writes the logs of a network; those of other seeds lie beside the history of their training."""
    weights = model.published if model.seed == SEED else model.checkpoint / NPZ_NAME
    if model.k == FULL_PRECISION:
        python(*script(model), "--mode", "inference", "--weights", weights)
    else:
        command = ("LeNet/Spiking_LeNet_MNIST.py", "--k", model.k, "--recipe", model.recipe, "--seed", model.seed)
        python(*command, "--weights", weights)
    if model.seed != SEED:
        publish({model.checkpoint / HISTORY_NAME: model.logs / HISTORY_NAME})


def script(model):
    """The command that trains or tests an artificial network."""
    level = ["FP32"] if model.k == FULL_PRECISION else ["Quant", "--k", model.k]
    return (f"LeNet/{level[0]}_LeNet_MNIST.py", *level[1:], "--recipe", model.recipe, "--seed", model.seed)


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
