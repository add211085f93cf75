"""Converts one network, trained here without quantiser, at several levels: accuracy over time steps.

python benchmarks/conversion.py                         trains for 2 epochs: some minutes
python benchmarks/conversion.py --epochs 1 --limit 1000

The network is a Keras model as people have it: "same" padding, biases, batch normalisation, average pooling and
pixel / 255.
"""

import sys
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from experiment import command_line, images, runs

LEVELS = (2, 3, 4)
TIME_STEPS = (1, 2, 4, 8, 16, 32, 64, 128)  # of the table


def main():
    parser = command_line.ArgumentParser(__doc__)
    parser.add_argument("--epochs", type=command_line.POSITIVE, default=2, help="of the training")
    command_line.add_limit(parser, "training and test images")
    command_line.add_threads(parser)
    args = parser.parse_args()
    train, test = (images.load_split(split).first(args.limit) for split in ("train", "test"))

    from LeNet.tensorlayer.own_network import predict

    model = trained_model(train, args.epochs)
    own = predict(model, test.pixels)
    print(f"{'time steps':12}" + "".join(f"{step:>8}" for step in TIME_STEPS) + f"{'agree':>10}{'quiescent':>12}")
    for k in LEVELS:
        accuracy, agreeing, quiescent = convert(model, k, own, test, args.threads)
        cells = "".join(f"{accuracy[step - 1]:8.2f}" for step in TIME_STEPS)
        print(f"{f'k={k}':12}{cells}{agreeing:10,}{quiescent:12,}", flush=True)
    print(f"{'Keras':12}{100 * np.mean(own == test.labels):8.2f} % of {len(own):,} images, without quantiser")


def trained_model(train, epochs):
    """A small CNN, trained with Adam."""
    import keras
    from keras.layers import AveragePooling2D, BatchNormalization, Conv2D, Dense, Flatten, ReLU, Rescaling

    keras.utils.set_random_seed(0)
    model = keras.Sequential([keras.Input(train.pixels.shape[1:]), Rescaling(1 / 255)])
    for filters in (8, 16):
        for layer in (Conv2D(filters, 3, padding="same"), BatchNormalization(), ReLU(), AveragePooling2D(2)):
            model.add(layer)
    for layer in (Conv2D(32, 3, activation="relu"), Flatten(), Dense(train.classes)):
        model.add(layer)
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    model.compile("adam", loss, jit_compile=False)
    model.fit(train.pixels, train.labels, batch_size=128, epochs=epochs, verbose=0)
    return model


def convert(model, k, own, test, threads):
    """Accuracy after each time step in percent; in the end, predictions equal to the model's and quiescent images."""
    from LeNet.tensorlayer.keras_network import keras_network
    from spiking_utils import SpikingNetwork, evaluate

    trained, _ = keras_network(model, k)
    network = SpikingNetwork(trained.weights, trained.network, k, max(TIME_STEPS))
    evaluation = evaluate(network, test.pixels, test.labels, runs.BATCH_SIZE, threads)
    accuracy = 100 * evaluation.right.sum(axis=0) / len(own)
    return accuracy, np.sum(evaluation.predictions == own), np.sum(evaluation.quiescent)


if __name__ == "__main__":
    command_line.run(main)
