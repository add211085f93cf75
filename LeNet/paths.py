"""Where things lie: every default path is relative to the repository's root."""

from pathlib import Path

from LeNet.command_line import InputError
from LeNet.network import FULL_PRECISION

ROOT = Path(__file__).resolve().parents[1]
MNIST = ROOT / "data" / "mnist"
PUBLISHED_LEVELS = (0, 1, 2)  # k of the quantised networks that the repository is about
# what training writes into its checkpoint folder, beside the checkpoint itself
NPZ_NAME = "model_MNIST.npz"
HISTORY_NAME = "training.csv"


def network_name(k):
    """fp32, k0, k1, ..."""
    return "fp32" if k == FULL_PRECISION else f"k{k}"


def checkpoint_folder(k):
    return ROOT / "LeNet" / "checkpoints" / network_name(k)


def published_weights(k):
    return ROOT / "LeNet" / "pretrained" / f"{network_name(k)}.npz"


def published_history(k):
    """The CSV of the training of published_weights(k), an epoch per line."""
    return published_weights(k).with_suffix(".csv")


def epochs_in(history):
    """The number of epochs in the CSV of a training; None where there is no such file."""
    return history.read_bytes().count(b"\n") - 1 if history.is_file() else None


def existing_published_weights(k):
    """published_weights(k); raises InputError if the repository does not have them."""
    path = published_weights(k)
    if not path.exists():
        raise InputError(f"{shown(path)}: not found, expected published weights; train {network_name(k)} first")
    return path


def default_weights(k):
    """The npz file of the checkpoint if there is one, else the published one."""
    from LeNet.output_folder import settle  # which itself imports this module

    checkpoint = checkpoint_folder(k) / NPZ_NAME
    settle(checkpoint.parent)
    return checkpoint if checkpoint.exists() else existing_published_weights(k)


def log_folder(k, noise_ratio=0):
    return ROOT / "figs" / (network_name(k) + (f"-noise{short(noise_ratio)}" if noise_ratio > 0 else ""))


def short(number):
    """A float in as few digits as tell it from all others: 0.5, 1, 1e-05."""
    return repr(float(number)).removesuffix(".0")


def shown(path):
    """The path as a message gives it: relative to the repository's root where it lies inside."""
    path = Path(path).resolve()
    return str(path.relative_to(ROOT)) if path.is_relative_to(ROOT) else str(path)
