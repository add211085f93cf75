"""What decides the accuracy after the first time steps? Variants of the paper's training, side by side.

python benchmarks/first_steps.py                        all variants, 12 epochs each: an hour
python benchmarks/first_steps.py --only paper seed-1    these
python benchmarks/first_steps.py --k 1                  of another level than 0

After each epoch the spiking network runs over the validation images; the test images are not looked at. The last
bits of a training depend on the number of threads: `--threads 2 --only paper` shows what those alone do.
"""

import sys
from functools import partial
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import numpy as np

from experiment import command_line, images
from experiment.model import Model
from experiment.recipes import BATCH_SIZE, CLASSIFIER_DEVIATION, KERNEL_DEVIATION, PAPER
from experiment.weights import network_for
from spiking.trains import SPIKES
from spiking.weight_grid import on_grid
from spiking_utils import SpikingNetwork, evaluate

TIME_STEPS = 3
SETTLED = 4  # epochs, after which the accuracy of the artificial network hardly rises
OTHER_DECAY = 0.99


def main():
    parser = command_line.ArgumentParser(__doc__)
    parser.add_argument("--k", type=command_line.LEVEL, default=0, help="quantisation level")
    parser.add_argument("--epochs", type=command_line.integer_from(SETTLED + 1), default=12, help="of each training")
    parser.add_argument("--only", choices=tuple(VARIANTS), nargs="+", help="these variants (default: all)")
    command_line.add_threads(parser, "of TensorFlow")
    command_line.add_limit(parser, "images of each set")
    args = parser.parse_args()

    from LeNet.tensorlayer import use_threads

    use_threads(args.threads)
    train, validation = (part.first(args.limit) for part in images.load_training(Model(args.k).images))
    heads = ("accuracy", "step 1", "lowest", "highest", "step 2", "step 3", "spikes")
    print(f"{'variant':16}" + "".join(f"{head:>9}" for head in heads))
    for name in args.only or VARIANTS:
        seed, vary = VARIANTS[name]
        model = Model(args.k, seed=seed)
        epochs = run_variant(model, vary, args.epochs, train, validation)
        artificial, first, second, third, spikes = epochs[-1]
        settled = epochs[SETTLED:, 1]
        row = (artificial, first, settled.min(), settled.max(), second, third)
        print(f"{name:16}" + "".join(f"{100 * number:9.2f}" for number in row) + f"{spikes:9,.0f}", flush=True)


def run_variant(model, vary, epochs, train, validation):
    """For each epoch both networks' accuracy, after steps 1, 2, 3, and the spikes per image in step 1."""
    from LeNet.tensorlayer.training import HISTORY_COLUMNS, Training

    network = network_for(model.network, train.pixels.shape[1:], train.classes)
    training = Training(model, PAPER, network, epochs, len(train.pixels), len(train.pixels), threads=0)
    vary(training)
    found = []

    def evaluate_epoch(output):
        weights = {key: np.asarray(variable) for key, variable in training.weights().items()}
        weights, _ = on_grid(weights, network)
        spiking = SpikingNetwork(weights, network, model.k, TIME_STEPS)
        evaluation = evaluate(spiking, validation.pixels, validation.labels, BATCH_SIZE, threads=1)
        artificial = float(dict(zip(HISTORY_COLUMNS, training.history[-1]))["val_accuracy"])
        count = len(validation.labels)
        spikes = evaluation.statistics[:, :, 0, SPIKES].sum() / count
        found.append([artificial, *evaluation.right.sum(axis=0) / count, spikes])

    training.save = evaluate_epoch  # in the place of writing its state
    training.fit(train, validation, output=None, verbose=0)
    return np.array(found)


# a variant: the seed, and what changes a Training before it begins


def as_it_is(training):
    pass


def without_rounding(training):
    """Its weights leave the grid, and are rounded for the spiking network only."""
    training.round_weights = lambda: None


def in_one_order(training):
    """The same order of the images in each epoch."""
    shuffled = training.batches

    def batches(train):
        in_order = shuffled(train)
        begin = in_order.on_epoch_begin

        def begin_first_epoch():
            in_order.epoch = 0
            begin()

        in_order.on_epoch_begin = begin_first_epoch
        return in_order

    training.batches = batches


def with_kernels(training, draw):
    """Other initial weights: draw(generator, deviation, shape)."""
    rng = np.random.default_rng(0)
    for key, variable in training.weights().items():
        if key.endswith("/W"):
            deviation = CLASSIFIER_DEVIATION if key == "fc/W" else KERNEL_DEVIATION
            variable.assign(draw(rng, deviation, variable.shape))


def with_slow_averages(training):
    """Batch normalisation's averages over ten times as many steps."""
    for layer in training.keras_model.layers:
        if hasattr(layer, "moving_mean"):
            layer.momentum = OTHER_DECAY


def with_plain_gammas(training):
    for key, variable in training.weights().items():
        if key.endswith("/gamma"):
            variable.assign(np.ones(variable.shape))


def untruncated(rng, deviation, shape):
    return rng.normal(0, deviation, shape)


def uniform(rng, deviation, shape):
    return rng.uniform(-(3**0.5) * deviation, 3**0.5 * deviation, shape)


VARIANTS = {
    "paper": (0, as_it_is),
    "seed-1": (1, as_it_is),
    "seed-2": (2, as_it_is),
    "unrounded": (0, without_rounding),
    "one-order": (0, in_one_order),
    "untruncated": (0, partial(with_kernels, draw=untruncated)),
    "uniform": (0, partial(with_kernels, draw=uniform)),
    "slow-averages": (0, with_slow_averages),
    "plain-gammas": (0, with_plain_gammas),
}

if __name__ == "__main__":
    command_line.run(main)
