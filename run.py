"""Does it all: evaluates the published networks, draws the figures, prints the results.

python run.py              about a minute
python run.py --train      trains the four networks first, for hours; started again, it goes on where it was

--recipe augmented does the same with the networks of that recipe.
"""

import shutil
import signal
import subprocess
import sys

from experiment import command_line
from spiking.network import FULL_PRECISION
from experiment.disk import OutputFolder, settle
from experiment.model import (
    HISTORY_NAME,
    NPZ_NAME,
    PUBLISHED_LEVELS,
    ROOT,
    checkpoint_folder,
    published_history,
    published_weights,
    shown,
)

FIGURES = ("accuracy_speed.py", "sparsity.py", "sops.py")
PICTURED_LEVEL = 0  # whose network figs/raster.py shows in README_MNIST.md


def main():
    parser = command_line.ArgumentParser(__doc__)
    parser.add_argument("--train", action="store_true", help="train the networks and publish their weights first")
    options.add_recipe(parser, "of the networks' training")
    args = parser.parse_args()

    if args.train:
        for k in (FULL_PRECISION, *PUBLISHED_LEVELS):
            train(k, args.recipe)
    recipe_option = ("--recipe", args.recipe)
    full_precision = published_weights(FULL_PRECISION, args.recipe)
    python("LeNet/FP32_LeNet_MNIST.py", "--mode", "inference", *recipe_option, "--weights", full_precision)
    for k in PUBLISHED_LEVELS:
        evaluated = published_weights(k, args.recipe)
        python("LeNet/Spiking_LeNet_MNIST.py", "--k", k, *recipe_option, "--weights", evaluated)
    for figure in FIGURES:
        python(f"figs/{figure}", *recipe_option)
    pictured = published_weights(PICTURED_LEVEL, args.recipe)
    python("figs/raster.py", "--k", PICTURED_LEVEL, *recipe_option, "--weights", pictured)
    python("figs/results.py", *recipe_option)


def train(k, recipe):
    """Trains a network to the end, from where an earlier run was interrupted, and publishes its weights."""
    script = ["LeNet/FP32_LeNet_MNIST.py"] if k == FULL_PRECISION else ["LeNet/Quant_LeNet_MNIST.py", "--k", k]
    script += ["--recipe", recipe]
    folder = checkpoint_folder(k, recipe)
    settle(folder)
    python(*script, "--mode", "training", "--resume", (folder / NPZ_NAME).exists())
    published = published_weights(k, recipe)
    with OutputFolder(published.parent) as output, output.replacing() as staging:
        shutil.copyfile(folder / NPZ_NAME, staging / published.name)
        shutil.copyfile(folder / HISTORY_NAME, staging / published_history(k, recipe).name)
    python(*script, "--mode", "inference", "--weights", published)


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
