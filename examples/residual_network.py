"""Trains a residual network with max pooling in Keras, runs it as a spiking network, and draws its accuracy.

python examples/residual_network.py                    MNIST, takes a few minutes
python examples/residual_network.py --data FOLDER      four IDX files, as docs/your-own-network.md describes them
"""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import numpy as np

from experiment import command_line, images
from experiment.disk import output_folder, replacing
from figs import plotting
from spiking.trains import SPIKES

K = 2  # activations are multiples of 1/4
BURSTS = {1: "B = 1", 4: "B = 4", None: "unbounded"}
TIME_STEPS = 60
PICTURE = "residual_network.png"


def main(epochs=2):
    parser = command_line.ArgumentParser(__doc__)
    folder = {"type": command_line.path, "default": images.MNIST, "default_text": "data/mnist", "metavar": "DIR"}
    parser.add_argument("--data", **folder, help="folder of the images")
    command_line.add_limit(parser, "training and test images")
    command_line.add_threads(parser)
    args = parser.parse_args()
    train, test = (images.load_split(split, args.data).first(args.limit) for split in ("train", "test"))

    with output_folder(Path.cwd()) as output:  # an unwritable folder fails here, before the training
        from LeNet import tensorlayer  # noqa: F401, starts TensorFlow, after --help and errors
        from spiking.conversion import convert

        model = trained(residual_network(train.pixels.shape[1:], train.classes), train, epochs)
        with replacing(output) as staging:
            model.save(staging / "residual_network.keras")  # for LeNet/Spiking_LeNet_MNIST.py --weights
    converted = convert(model, calibration=train.pixels[:1000])
    expected = model.predict(test.pixels, verbose=0).argmax(axis=1)
    print(converted.network.notation)
    print(f"model: {100 * np.mean(expected == test.labels):.2f} % of {len(expected):,} test images")
    curves = {label: simulate(converted, most, expected, test, args.threads) for most, label in BURSTS.items()}
    draw(curves, np.mean(expected == test.labels))


def residual_network(shape, classes):
    """A convolution, a max pooling and three residual blocks, with a quantiser after each ReLU."""
    import keras
    from keras import layers

    from spiking.conversion import with_quantizers

    def normalized(x):
        return layers.BatchNormalization(momentum=0.9)(x)  # so that the moving averages settle in few epochs

    keras.utils.set_random_seed(0)
    image = keras.Input(shape)
    x = layers.Rescaling(1 / 255)(image)
    x = layers.Conv2D(16, 3, padding="same", use_bias=False)(x)
    x = layers.ReLU()(normalized(x))
    x = layers.MaxPooling2D(2)(x)
    for filters, strides in ((16, 1), (32, 2), (32, 1)):
        y = layers.Conv2D(filters, 3, strides, padding="same", use_bias=False)(x)
        y = layers.ReLU()(normalized(y))
        y = layers.Conv2D(filters, 3, padding="same", use_bias=False)(y)
        y = normalized(y)
        if strides > 1:
            x = normalized(layers.Conv2D(filters, 1, strides, use_bias=False)(x))
        x = layers.ReLU()(layers.Add()([x, y]))
    scores = layers.Dense(classes)(layers.GlobalAveragePooling2D()(x))
    return with_quantizers(keras.Model(image, scores), K)


def trained(model, train, epochs):
    """Trains the model for some epochs and rounds its kernels to 16 bits, so that the conversion changes little."""
    import keras

    from spiking.weight_grid import round_to_grid

    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    model.compile(keras.optimizers.Adam(2e-3), loss, metrics=["accuracy"], jit_compile=False)
    model.fit(train.pixels, train.labels, batch_size=128, epochs=epochs, verbose=2)
    model.set_weights([round_to_grid(values) if values.ndim > 1 else values for values in model.get_weights()])
    return model


def simulate(converted, max_spikes, expected, test, threads):
    """Runs the spiking network, prints how it compares with the model, and returns the accuracy after each step."""
    from spiking_utils import SpikingNetwork, evaluate

    snn = SpikingNetwork(converted.weights, converted.network, converted.k, TIME_STEPS, max_spikes)
    evaluation = evaluate(snn, test.pixels, test.labels, batch_size=100, threads=threads)
    accuracy = 100 * evaluation.right.sum(axis=0) / len(expected)
    spikes = evaluation.statistics[..., SPIKES].sum() / len(expected)
    agreeing = np.sum(evaluation.predictions == expected)
    print(f"{BURSTS[max_spikes]:10} {accuracy[-1]:.2f} %, {agreeing:,} predictions are the model's")
    print(f"{'':10} {evaluation.quiescent.sum():,} images are quiescent, {spikes:,.0f} spikes per image")
    return accuracy


def draw(curves, accuracy):
    """Draws the accuracy over time steps and writes the picture."""
    figure, axes = plotting.new_figure()
    for label, curve in curves.items():
        axes.plot(1 + np.arange(len(curve)), curve, label=label)
    axes.axhline(100 * accuracy, color="gray", linestyle="dotted", label="the model")
    axes.set(xlabel="time step", ylabel="accuracy (%)", ylim=(0, 100))
    axes.legend()
    with output_folder(Path.cwd()) as output, replacing(output) as staging:
        figure.savefig(staging / PICTURE, dpi=150)
    print(f"written    {PICTURE}")


if __name__ == "__main__":
    command_line.run(main)
