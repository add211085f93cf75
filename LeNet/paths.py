"""Where things lie: every default path is relative to the repository's root."""

from pathlib import Path

from LeNet.command_line import InputError
from LeNet.network import FULL_PRECISION

ROOT = Path(__file__).resolve().parents[1]
MNIST = ROOT / "data" / "mnist"
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


def existing_published_weights(k):
    """published_weights(k); raises InputError if the repository does not have them."""
    path = published_weights(k)
    if not path.exists():
        raise InputError(f"{shown(path)}: not found, expected published weights; train {network_name(k)} first")
    return path


def log_folder(k):
    return ROOT / "figs" / network_name(k)


def shown(path):
    """The path as a message gives it: relative to the repository's root where it lies inside."""
    path = Path(path).resolve()
    return str(path.relative_to(ROOT)) if path.is_relative_to(ROOT) else str(path)
