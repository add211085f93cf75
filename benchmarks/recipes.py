"""Compares candidates for the augmented recipe on the validation images; the test images are not looked at.

python benchmarks/recipes.py                            all candidates, 30 epochs each: hours
python benchmarks/recipes.py --only shift --threads 1   one of them, on one thread
python benchmarks/recipes.py --states FOLDER            keeps the trainings there; started again, it goes on

Each trains the network of k=0 with seed 0, its learning rate decaying within these epochs. Given are the artificial
network's loss and accuracy, and what the spiking network takes for the same predictions.
"""

import sys
import tempfile
from contextlib import nullcontext
from dataclasses import replace
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from experiment import InputError, command_line, disk, images, runs, shown
from experiment.model import NPZ_NAME, Model
from experiment.recipes import AUGMENTED
from experiment.trained import read_npz
from experiment.weights import network_for
from spiking.trains import SOPS
from spiking_utils import SpikingNetwork, evaluate

K = 0
AFFINE = replace(AUGMENTED, name="affine", sop_penalty=0.0)
SHIFT = replace(AFFINE, name="shift", rotation=0.0, zoom=0.0)
CANDIDATES = {
    recipe.name: recipe
    for recipe in (
        SHIFT,
        replace(SHIFT, name="shift-penalty", sop_penalty=0.01),
        AFFINE,
        replace(AFFINE, name="affine-low-penalty", sop_penalty=0.003),
        replace(AFFINE, name="affine-penalty", sop_penalty=0.01),
        replace(AFFINE, name="affine-high-penalty", sop_penalty=0.03),
    )
}


def main():
    parser = command_line.ArgumentParser(__doc__)
    parser.add_argument("--epochs", type=command_line.POSITIVE, default=30, help="of each training")
    parser.add_argument("--only", choices=tuple(CANDIDATES), nargs="+", help="these candidates (default: all)")
    states = "folder of the training states (default: none)"
    parser.add_argument("--states", type=command_line.path, metavar="DIR", help=states)
    command_line.add_threads(parser, "of TensorFlow")
    command_line.add_limit(parser, "images of each set")
    args = parser.parse_args()

    from LeNet.tensorlayer import use_threads

    use_threads(args.threads)
    train, validation = (part.first(args.limit) for part in images.load_training(Model(K).images))
    heads = ("loss", "accuracy", "SNN", "time steps", "SOPs", "seconds")
    print(f"{'candidate':24}" + "".join(f"{head:>11}" for head in heads))
    for name in args.only or CANDIDATES:
        with tempfile.TemporaryDirectory() if args.states is None else nullcontext(args.states) as states:
            training = finished(CANDIDATES[name], train, validation, Path(states, name), args)
        numbers = artificial_results(training, validation) + spiking_results(training, validation, args.threads)
        seconds = sum(float(row[-1]) for row in training.history)
        row = "{:24}{:11.4f}{:9.2f} %{:9.2f} %{:11}{:11,.0f}{:11.0f}"
        print(row.format(name, *numbers, seconds), flush=True)


def finished(recipe, train, validation, folder, args):
    """The Training of a candidate to the end, from where an earlier one in its folder was interrupted."""
    from LeNet.tensorlayer.training import Training

    model, count = Model(K, recipe=recipe.name), len(train.pixels)
    network = network_for(model.network, train.pixels.shape[1:], train.classes)
    training = Training(model, recipe, network, args.epochs, count, count, args.threads)
    with disk.OutputFolder(folder) as output:
        if disk.exists(folder / disk.SUMS):
            state = read_npz(folder / NPZ_NAME)
            if state.threads != args.threads:  # on which the last bits depend
                threads = f"{state.threads}, expected {args.threads} as --threads says"
                raise InputError(f"{shown(folder)}: was trained with threads={threads}")
            training.resume(folder, state)
        training.fit(train, validation, output, verbose=0)
    return training


def artificial_results(training, validation):
    """Loss, without penalty, and accuracy in percent of the artificial network."""
    import keras

    logits = training.keras_model.predict(images.scaled(validation.pixels), verbose=0)
    loss = keras.losses.sparse_categorical_crossentropy(validation.labels, logits, from_logits=True)
    return float(keras.ops.mean(loss)), 100 * (logits.argmax(axis=1) == validation.labels).mean()


def spiking_results(training, validation, threads):
    """Accuracy in percent, time steps and synaptic operations per image of the spiking network."""
    weights = {key: variable.numpy() for key, variable in training.weights().items()}
    network = SpikingNetwork(weights, training.network, K, runs.TIME_STEPS)
    evaluation = evaluate(network, validation.pixels, validation.labels, runs.BATCH_SIZE, threads)
    right, count = evaluation.right.sum(axis=0), len(validation.labels)
    return 100 * right[-1] / count, runs.time_steps_needed(right), evaluation.statistics[..., SOPS].sum() / count


if __name__ == "__main__":
    command_line.run(main)
