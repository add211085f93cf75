"""Converts three networks that were trained without quantiser: which scale of activations is best, at which level.

python benchmarks/conversion.py                     trains each for some epochs: minutes
python benchmarks/conversion.py --limit 2000        on fewer images

The networks are Keras models as people have them: an MLP whose weights were rescaled between its layers, a CNN with
max pooling, and a residual network. A rule is the quantile of the positive activations that 2^k counts stand for;
without a rule, they stand for 1. Accuracy is that of the quantised network, which the spiking network reaches, on
images of the training set that are kept for validation: the test images choose nothing.
"""

import sys
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from experiment import command_line, images, runs

LEVELS = (2, 3, 4, 5, 6)
RULES = {"without": None, "99 %": 0.99, "99.9 %": 0.999, "99.99 %": 0.9999, "largest": 1.0}
CALIBRATION_IMAGES = 1000
EPOCHS = 2
BEYOND, NOTHING = "int32", "–"  # where potentials may need more than 32 bits, and what is unknown then


def main():
    parser = command_line.ArgumentParser(__doc__)
    command_line.add_limit(parser, "training and validation images")
    command_line.add_threads(parser)
    args = parser.parse_args()
    train, validation = (split.first(args.limit) for split in images.load_training(images.MNIST))

    import LeNet.tensorlayer  # noqa: F401, it starts TensorFlow
    from LeNet.own_network import predict

    for name, build in NETWORKS.items():
        model = trained_model(build, train)
        own = predict(model, validation.pixels)
        print(f"{name}: {100 * np.mean(own == validation.labels):.2f} % of {len(own):,} images, without quantiser")
        print(f"{'':8}" + "".join(f"{rule:>10}" for rule in RULES) + f"{'agree':>10}{'steps':>8}{'settled':>10}")
        for k in LEVELS:
            print(f"{f'k={k}':8}{row(model, k, own, train, validation, args.threads)}", flush=True)
    print(f"{BEYOND}: the potentials of a block could need more than 32 bits, so that the network is refused")


def mlp():
    """Its first layer is a hundredth and its last one a hundred times of what they were: the same function."""
    from keras import layers

    return [layers.Flatten(), layers.Dense(100, "relu"), layers.Dense(50, "relu"), layers.Dense(10)]


def cnn():
    from keras import layers

    return [
        *(layers.Conv2D(16, 3, activation="relu"), layers.MaxPooling2D(2)),
        *(layers.Conv2D(32, 3, activation="relu"), layers.MaxPooling2D(2)),
        *(layers.Flatten(), layers.Dense(10)),
    ]


def resnet():
    import keras
    from keras import layers

    image = keras.Input((28, 28, 1))
    x = layers.Conv2D(8, 3, padding="same", activation="relu")(image)
    x = layers.MaxPooling2D(2)(x)
    for filters, strides in ((8, 1), (16, 2)):
        y = layers.Conv2D(filters, 3, strides, padding="same")(x)
        y = layers.ReLU()(layers.BatchNormalization(momentum=0.9)(y))
        y = layers.BatchNormalization(momentum=0.9)(layers.Conv2D(filters, 3, padding="same")(y))
        shortcut = x if strides == 1 else layers.Conv2D(filters, 1, strides)(x)
        x = layers.ReLU()(y + shortcut)
    return [keras.Model(image, x), layers.GlobalAveragePooling2D(), layers.Dense(10)]


NETWORKS = {"MLP": mlp, "CNN": cnn, "ResNet": resnet}


def trained_model(build, train):
    """A network, trained with Adam."""
    import keras

    keras.utils.set_random_seed(0)
    model = keras.Sequential([keras.Input(train.pixels.shape[1:]), keras.layers.Rescaling(1 / 255), *build()])
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    model.compile(keras.optimizers.Adam(2e-3), loss, jit_compile=False)
    model.fit(train.pixels, train.labels, batch_size=128, epochs=EPOCHS, verbose=0)
    if build is mlp:
        first, *_, last = (layer for layer in model.layers if layer.weights)
        first.set_weights([values / 100 for values in first.get_weights()])
        kernel, bias = last.get_weights()
        middle = model.layers[-2]
        middle.set_weights([middle.get_weights()[0], middle.get_weights()[1] / 100])
        last.set_weights([kernel * 100, bias])
    return model


def row(model, k, own, train, validation, threads):
    """The accuracy in percent by each rule; by the chosen one also how it compares, and after how many steps."""
    from spiking.conversion import calibration
    from spiking.conversion.converted import convert_graph
    from spiking.conversion.from_keras import fold

    graph, cells, of_chosen = fold(model), "", f"{NOTHING:>10}{NOTHING:>8}{NOTHING:>10}"
    for quantile in RULES.values():
        settings = {} if quantile is None else {"quantile": quantile}
        pixels = None if quantile is None else train.pixels[:CALIBRATION_IMAGES]
        converted = convert_graph(graph, k, pixels, **settings)
        try:
            predictions = evaluated(converted, validation, threads, 1, max_spikes=None).predictions
            cell = f"{100 * np.mean(predictions == validation.labels):10.2f}"
            if quantile == calibration.QUANTILE:
                few = validation.first(runs.BATCH_SIZE)
                evaluation = evaluated(converted, few, threads, 16 * 2**k)
                steps = runs.time_steps_needed(evaluation.right.sum(axis=0))
                settled = f"{evaluation.quiescent.sum()}/{len(few.labels)}"
                of_chosen = f"{np.sum(predictions == own):10,}{steps:8,}{settled:>10}"
        except OverflowError:
            cell = f"{BEYOND:>10}"
        cells += cell
    return cells + of_chosen


def evaluated(converted, validation, threads, time_steps, **bound):
    """The Evaluation of a converted network."""
    from spiking_utils import SpikingNetwork, evaluate

    network = SpikingNetwork(converted.weights, converted.network, converted.k, time_steps, **bound)
    return evaluate(network, validation.pixels, validation.labels, runs.BATCH_SIZE, threads)


if __name__ == "__main__":
    command_line.run(main)
