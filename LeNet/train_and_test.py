"""What training and testing have in common for all networks, as the steps of a script."""

import ctypes
import os
import sys
from contextlib import contextmanager
from pathlib import Path

from LeNet import options
from experiment.command_line import InputError, boolean
from spiking.network import FULL_PRECISION, LENET
from experiment.disk import OutputFolder
from experiment.model import (
    HISTORY_NAME,
    NPZ_NAME,
    checkpoint_folder,
    checkpoint_weights,
    epochs_in,
    existing_published_weights,
    published_weights,
    refuse_other_recipe,
    settled,
    shown,
)
from experiment.recipes import RECIPES

M_TOP_PAD = -2  # of malloc.h


def add_arguments(parser):
    """The options of the two training scripts."""
    options.add_recipe(parser, "of the training; decides on the default places of weights and logs as well")
    parser.add_argument("--mode", choices=("training", "inference"), default="training", help="what to do")
    parser.add_argument(
        "--resume",
        type=boolean,
        default=False,
        help="training: True goes on from the last finished epoch, False starts anew",
    )
    parser.add_argument(
        "--epochs",
        type=options.POSITIVE,
        shown_default=", ".join(f"{recipe.name} {recipe.epochs}" for recipe in RECIPES.values()),
        help="finished epochs to train up to; a learning rate that decays does so within them",
    )
    options.add_seed(parser, "initial values, shuffling and augmentation")
    options.add_limit(parser, "images of each set")
    options.add_data(parser)
    parser.add_argument(
        "--checkpoint",
        type=Path,
        shown_default="LeNet/checkpoints/fp32, k0, k0-augmented etc.",
        help="folder of the training state",
    )
    options.add_weights(parser, when="inference: ")


def prepare_tensorflow():
    """Imports TensorFlow for Keras, without its banner and at full speed; to be called before Keras is imported."""
    os.environ["KERAS_BACKEND"] = "tensorflow"
    os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"
    # oneDNN convolves in half of the time of Eigen, but TensorFlow chooses it on its own on some processors only
    os.environ["TF_ENABLE_ONEDNN_OPTS"] = "1"
    _keep_freed_memory()
    with _muted_stderr():
        import tensorflow  # noqa: F401


@contextmanager
def _muted_stderr():
    """Hides what C++ code writes; TensorFlow has no other switch for its first lines."""
    stderr = os.dup(2)
    with open(os.devnull, "wb") as null:
        os.dup2(null.fileno(), 2)
    try:
        yield
    finally:
        os.dup2(stderr, 2)
        os.close(stderr)


def _keep_freed_memory():
    """Lets malloc keep what a training step frees for the next step, as long as it is below 512 MiB.

    By default glibc may return it to the system, which hands it back page by page: half of a step's time.
    """
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)  # glibc has it, other C libraries do not
    if mallopt is not None:
        mallopt(M_TOP_PAD, 512 << 20)


def train(k, args):
    """Trains the network of level k as the options say."""
    if args.weights:
        raise InputError(f"argument --weights: found {args.weights}, expected none in training; it is for inference")
    recipe = RECIPES[args.recipe]
    epochs = args.epochs or recipe.epochs
    folder = args.checkpoint or checkpoint_folder(k, recipe.name)
    refuse_other_recipe(folder, k, recipe.name, checkpoint_folder)
    prepare_tensorflow()
    from experiment import images as files, utils

    data = [part[: args.limit] for part in files.load_mnist_dataset(args.data)]
    X_train, y_train, X_val, y_val, _, _ = data
    training = utils.Training(LENET, k, recipe, epochs, args.seed, len(X_train))
    with OutputFolder(folder) as output:
        if args.resume:
            training.resume(folder)
            if len(training.history) >= epochs:
                print(f"nothing to train: {len(training.history)} epochs are finished, --epochs is {epochs}")
        elif (folder / NPZ_NAME).exists():
            finished = epochs_in(folder / HISTORY_NAME)
            replaced = f"{shown(folder)} (finished epochs: {'unknown' if finished is None else finished})"
            print(f"replacing the training in {replaced} after the first epoch")
        verbose = 1 if sys.stdout.isatty() else 2
        training.fit(X_train, y_train, X_val, y_val, output, verbose)
    report(training, folder)


def report(training, folder):
    """Prints the last epoch and where the result lies."""
    epoch, loss, accuracy, val_loss, val_accuracy, _ = training.history[-1]
    seconds = sum(float(row[-1]) for row in training.history)
    print(f"{'':12}{'loss':>12}{'accuracy':>12}")
    print(f"{'training':12}{float(loss):12.6f}{100 * float(accuracy):10.2f} %")
    print(f"{'validation':12}{float(val_loss):12.6f}{100 * float(val_accuracy):10.2f} %")
    print(f"{epoch} epochs in {seconds:.0f} s, written to {shown(folder)}")


def test(k, args):
    """Tests the network of level k.

    Returns
    -------
    right : bool array (images,)
    weights_path : of the npz file that was tested
    weights_sha256 : str, of what was read from it
    """
    path = args.weights or _trained_weights(k, args.recipe, args.checkpoint)
    refuse_other_recipe(path, k, args.recipe, published_weights, checkpoint_weights)
    from LeNet.evaluation import load_weights
    from experiment import images as files

    weights, sha256 = load_weights(path, k)
    pixels, labels = files.load_mnist_split("t10k", args.data)
    prepare_tensorflow()
    from LeNet.tensorlayer import utils

    images = files.scaled(pixels[: args.limit])
    bar = int(sys.stdout.isatty())
    right = utils.test(LENET, k, weights, images, labels[: args.limit], verbose=bar)
    print(f"{'test images right':18}{right.sum()} of {len(right)}")
    print(f"{'test accuracy':18}{100 * right.mean():.2f} %")
    return right, path, sha256


def _trained_weights(k, recipe, checkpoint):
    """The npz file of a checkpoint folder; the published one, and says so, if the usual folder has none."""
    path = settled((checkpoint or checkpoint_folder(k, recipe)) / NPZ_NAME)
    if checkpoint is not None or path.exists():
        return path
    published = existing_published_weights(k, recipe)
    print(f"no checkpoint in {shown(path.parent)}: testing the published weights")
    return published


def write_accuracy(recipe, right, weights_path, weights_sha256, output):
    """Writes which images full precision gets right, (images,) bool, into an OutputFolder, as logs of figures."""
    from experiment import logs
    from LeNet.tensorlayer.training import BATCH_SIZE

    batches = [right[start : start + BATCH_SIZE] for start in range(0, len(right), BATCH_SIZE)]
    run = {
        "k": FULL_PRECISION,
        "time_steps": 1,
        "batch_size": BATCH_SIZE,
        "images": len(right),
        **logs.recipe_entry(recipe),
        "ann_accuracy": float(right.mean()),
        "weights": shown(weights_path),
        "weights_sha256": weights_sha256,
    }
    with output.replacing() as staging:
        logs.write_accuracy(staging, run, [batch.sum() for batch in batches])
    print(f"{'written':18}{shown(output.path)}")
