"""A network of one's own: builds a small CNN in Keras, trains it (a minute), and runs it as a spiking network.

python examples/own_network.py
python examples/own_network.py --epochs 1 --limit 1000
"""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from experiment import command_line, images


def main():
    parser = command_line.ArgumentParser(__doc__)
    parser.add_argument("--epochs", type=command_line.POSITIVE, default=3, help="of the training")
    command_line.add_limit(parser, "training and test images")
    args = parser.parse_args()
    train, test = (images.load_split(split).first(args.limit) for split in ("train", "test"))

    from LeNet.tensorlayer.keras_network import keras_network  # isort: skip, it sets Keras up
    import keras
    from keras.layers import AveragePooling2D, Conv2D, Dense, Flatten, ReLU, Rescaling

    from LeNet.tensorlayer.layers import MedianQuantizer
    from spiking_utils import SpikingNetwork, evaluate

    keras.utils.set_random_seed(0)
    model = keras.Sequential([keras.Input((28, 28, 1)), Rescaling(1 / 255)])
    for filters in (8, 16):
        model.add(Conv2D(filters, 3, padding="same"))  # its bias becomes part of the thresholds
        model.add(ReLU(max_value=4))
        model.add(MedianQuantizer(k=2))  # after each ReLU, to multiples of 1/4
        model.add(AveragePooling2D(2))  # is folded into the next layer
    for layer in (Flatten(), Dense(64), ReLU(max_value=4), MedianQuantizer(k=2), Dense(10, "softmax")):
        model.add(layer)
    model.compile("adam", "sparse_categorical_crossentropy", jit_compile=False)
    model.fit(train.pixels, train.labels, batch_size=128, epochs=args.epochs, verbose=2)
    model.save("own_network.keras")  # for LeNet/Spiking_LeNet_MNIST.py --weights own_network.keras

    trained, rounding = keras_network(model)
    print(f"{trained.network.notation}, its weights rounded by {rounding:.2g} at most")
    network = SpikingNetwork(trained.weights, trained.network, trained.model.k, time_steps=60)
    predictions = model.predict(test.pixels, batch_size=200, verbose=0).argmax(axis=1)
    evaluation = evaluate(network, test.pixels, test.labels, batch_size=200, threads=2)
    agreement = evaluate(network, test.pixels, predictions, batch_size=200, threads=2)
    print(f"Keras {100 * (predictions == test.labels).mean():.2f} %")
    print(f"SNN   {100 * evaluation.right[:, -1].sum() / len(predictions):.2f} %, ", end="")
    print(f"quiescent after 60 time steps: {evaluation.quiescent:,} images")
    print(f"{agreement.right[:, -1].sum():,} of {len(predictions):,} predictions agree")


if __name__ == "__main__":
    command_line.run(main)
