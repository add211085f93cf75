"""Times an epoch of the training against plain Keras: the same network, data and optimizer through model.fit.

python benchmarks/training.py                   two epochs each, in turn, of which the second counts

Plain Keras has a Conv2D for each block, lets fit shuffle the arrays, rounds and saves nothing, and leaves malloc and
oneDNN at their defaults. Each training runs in its own process, so that neither profits from the other.
"""

import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from experiment import command_line, images
from experiment.disk import output_folder
from experiment.model import Model
from experiment.recipes import ADAM_EPSILON, BATCH_SIZE, BN_DECAY, PAPER
from experiment.weights import network_for
from spiking.network import BN_EPSILON

PLAIN, OURS = "plain", "ours"


def main():
    parser = command_line.ArgumentParser(__doc__)
    parser.add_argument("--k", type=command_line.LEVEL, default=0, help="quantisation level")
    parser.add_argument("--rounds", type=command_line.POSITIVE, default=3, help="how often both are timed")
    parser.add_argument("--only", choices=(PLAIN, OURS), help="time one of them in this process")
    args = parser.parse_args()

    if args.only:
        print(f"{time_plain(args.k) if args.only == PLAIN else time_ours(args.k):.2f}")
        return
    print(f"{'seconds per epoch':20}{'plain Keras':>14}{'ours':>10}{'ratio':>10}")
    for number in range(1, args.rounds + 1):
        plain, ours = (measure(which, args.k) for which in (PLAIN, OURS))
        print(f"{f'round {number}':20}{plain:14.2f}{ours:10.2f}{ours / plain:10.2f}", flush=True)


def measure(which, k):
    """The seconds of an epoch, measured in a new process."""
    command = [sys.executable, __file__, "--only", which, "--k", str(k)]
    return float(subprocess.run(command, capture_output=True, text=True, check=True).stdout.split()[-1])


def load(k):
    """What both trainings share: the Model, its Network, training and validation images."""
    model = Model(k)
    train, validation = images.load_training(model.images)
    return model, network_for(model.network, train.pixels.shape[1:], train.classes), train, validation


def time_plain(k):
    """Seconds of the second epoch of Keras's own model.fit, validation included."""
    os.environ["KERAS_BACKEND"] = "tensorflow"
    import keras

    _, network, train, validation = load(k)
    keras_model = build_plain(network, k)
    keras_model.compile(
        keras.optimizers.Adam(PAPER.learning_rate, epsilon=ADAM_EPSILON),
        loss=keras.losses.SparseCategoricalCrossentropy(from_logits=True),
        metrics=["accuracy"],
    )
    ends = []
    clock = keras.callbacks.LambdaCallback(on_epoch_end=lambda epoch, logs: ends.append(time.perf_counter()))
    keras_model.fit(
        images.scaled(train.pixels),
        train.labels,
        batch_size=BATCH_SIZE,
        validation_data=(images.scaled(validation.pixels), validation.labels),
        epochs=2,
        verbose=0,
        callbacks=[clock],
    )
    return ends[1] - ends[0]


def build_plain(network, k):
    """The network made of Keras's own layers and a quantiser of one line."""
    import keras
    import tensorflow as tf
    from keras.layers import BatchNormalization, Conv2D, Dense, Flatten, Lambda, ReLU

    def quantize(x):
        return x + tf.stop_gradient(tf.floor(2**k * x + 0.5) / 2**k - x)

    layers = [keras.Input(network.input_shape)]
    for block in network.blocks:
        (edge,) = block.inputs
        layers.append(Conv2D(edge.filters, edge.kernel_size, edge.stride, use_bias=False))
        layers += [BatchNormalization(momentum=BN_DECAY, epsilon=BN_EPSILON), ReLU(), Lambda(quantize)]
    return keras.Sequential([*layers, Flatten(), Dense(network.classes, use_bias=False)])


def time_ours(k):
    """Seconds of the second epoch of the training script's steps, validation, rounding and saving included."""
    model, network, train, validation = load(k)
    from LeNet.tensorlayer.training import Training

    count = len(train.pixels)
    training = Training(model, PAPER, network, epochs=2, images=count, all_images=count, threads=0)
    with tempfile.TemporaryDirectory() as folder, output_folder(folder) as output:
        training.fit(train, validation, output, verbose=0)
    return float(training.history[-1][-1])


if __name__ == "__main__":
    command_line.run(main)
