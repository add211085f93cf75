"""Where things lie: every default path is relative to the repository's root."""

from pathlib import Path

from experiment import InputError
from spiking.network import FULL_PRECISION
from experiment.recipes import PAPER, RECIPES

ROOT = Path(__file__).resolve().parents[1]
MNIST = ROOT / "data" / "mnist"
PUBLISHED_LEVELS = (0, 1, 2)  # k of the quantised networks that the repository is about
# what training writes into its checkpoint folder, beside the checkpoint itself
NPZ_NAME = "model_MNIST.npz"
HISTORY_NAME = "training.csv"


def network_name(k, recipe=PAPER.name):
    """fp32, k0, k1, ..., with another recipe than the paper's fp32-augmented, k0-augmented, ..."""
    return ("fp32" if k == FULL_PRECISION else f"k{k}") + recipe_suffix(recipe)


def recipe_suffix(recipe):
    """What tells the files of a recipe from the paper's."""
    return "" if recipe == PAPER.name else f"-{recipe}"


def checkpoint_folder(k, recipe=PAPER.name):
    return ROOT / "LeNet" / "checkpoints" / network_name(k, recipe)


def checkpoint_weights(k, recipe=PAPER.name):
    return checkpoint_folder(k, recipe) / NPZ_NAME


def published_weights(k, recipe=PAPER.name):
    return ROOT / "LeNet" / "pretrained" / f"{network_name(k, recipe)}.npz"


def published_history(k, recipe=PAPER.name):
    """The CSV of the training of published_weights(k, recipe), an epoch per line."""
    return published_weights(k, recipe).with_suffix(".csv")


def epochs_in(history):
    """The number of epochs in the CSV of a training; None where there is no such file."""
    return history.read_bytes().count(b"\n") - 1 if history.is_file() else None


def existing_published_weights(k, recipe=PAPER.name):
    """published_weights(k, recipe); raises InputError if the repository does not have them."""
    path = published_weights(k, recipe)
    if not settled(path).exists():
        name = network_name(k, recipe)
        raise InputError(f"{shown(path)}: not found, expected published weights; train {name} first")
    return path


def default_weights(k, recipe=PAPER.name):
    """The npz file of the checkpoint if there is one, else the published one."""
    checkpoint = settled(checkpoint_weights(k, recipe))
    return checkpoint if checkpoint.exists() else existing_published_weights(k, recipe)


def settled(path):
    """The path of a file, after finishing the move that a killed process may have left half-done in its folder."""
    from experiment.disk import settle  # which itself imports this module

    settle(path.parent)
    return path


def refuse_other_recipe(path, k, recipe, *places):
    """Raises InputError if a path is one of another recipe's default places, given as functions of k and recipe.

    What lies there would be taken for the results of this recipe, or be replaced by them.
    """
    for other in RECIPES:
        if other != recipe and Path(path).resolve() in [place(k, other).resolve() for place in places]:
            raise InputError(f"{shown(path)}: is of --recipe {other}, expected one of --recipe {recipe}")


def log_folder(k, recipe=PAPER.name, noise_ratio=0):
    return ROOT / "figs" / (network_name(k, recipe) + (f"-noise{short(noise_ratio)}" if noise_ratio > 0 else ""))


def short(number):
    """A float in as few digits as tell it from all others: 0.5, 1, 1e-05."""
    return repr(float(number)).removesuffix(".0")


def shown(path):
    """The path as a message gives it: relative to the repository's root where it lies inside."""
    path = Path(path).resolve()
    return str(path.relative_to(ROOT)) if path.is_relative_to(ROOT) else str(path)
