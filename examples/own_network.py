"""Your own network: a small CNN in Keras, trained on MNIST for a minute and run as a spiking network.

python examples/own_network.py
"""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from experiment import command_line, images
from experiment.disk import output_folder, replacing


def main(epochs=3, limit=None):
    command_line.ArgumentParser(__doc__).parse_args()
    from LeNet import tensorlayer  # noqa: F401, starts TensorFlow without its messages about GPUs
    from spiking.conversion import convert
    from spiking_utils import SpikingNetwork, evaluate

    with output_folder(Path.cwd()) as output:  # an unwritable folder fails here, before the training
        model, test = trained_model(epochs, limit)
        with replacing(output) as staging:
            model.save(staging / "own_network.keras")  # for LeNet/Spiking_LeNet_MNIST.py --weights own_network.keras

    converted = convert(model)
    snn = SpikingNetwork(converted.weights, converted.network, converted.k, time_steps=60)
    expected = model.predict(test.pixels, verbose=0).argmax(axis=1)
    evaluation = evaluate(snn, test.pixels, test.labels, batch_size=200, threads=2)
    print(f"{converted.network.notation}, its weights rounded by {converted.rounding:.2g} at most")
    print(f"Keras's accuracy is {100 * (expected == test.labels).mean():.2f} %")
    agreeing = (evaluation.predictions == expected).sum()
    print(f"{agreeing:,} of its {len(expected):,} predictions are the spiking network's")
    print(f"{evaluation.quiescent.sum():,} images are quiescent after {snn.time_steps} time steps")


def trained_model(epochs, limit):
    """The trained Keras model and the Split of test images."""
    import keras
    from keras.layers import Conv2D, Dense, Flatten, MaxPooling2D, ReLU, Rescaling

    from spiking.conversion import MedianQuantizer
    from spiking.weight_grid import round_to_grid

    train, test = (images.load_split(split).first(limit) for split in ("train", "test"))
    keras.utils.set_random_seed(0)
    model = keras.Sequential([keras.Input((28, 28, 1)), Rescaling(1 / 255)])
    for filters in (8, 16):
        model.add(Conv2D(filters, 3, padding="same"))  # its bias becomes part of the thresholds
        model.add(ReLU(max_value=4))
        model.add(MedianQuantizer(k=2))  # after each ReLU, to multiples of 1/4
        model.add(MaxPooling2D(2))
    for layer in (Flatten(), Dense(64), ReLU(max_value=4), MedianQuantizer(k=2), Dense(10, "softmax")):
        model.add(layer)
    model.compile("adam", "sparse_categorical_crossentropy", jit_compile=False)
    model.fit(train.pixels, train.labels, batch_size=128, epochs=epochs, verbose=2)
    # rounds kernels to 16 bits, so that the conversion need not
    model.set_weights([round_to_grid(values) if values.ndim > 1 else values for values in model.get_weights()])
    return model, test


if __name__ == "__main__":
    command_line.run(main)
