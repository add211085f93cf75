"""A network of one's own: builds a small CNN in Keras, trains it (a minute), and runs it as a spiking network.

python examples/own_network.py [EPOCHS [IMAGES]]
"""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from experiment.images import load_split
from LeNet.tensorlayer.keras_network import keras_network  # before Keras, whose settings it makes
from LeNet.tensorlayer.layers import MedianQuantizer
from spiking_utils import SpikingNetwork, evaluate

import keras  # isort: skip
from keras.layers import AveragePooling2D, Conv2D, Dense, Flatten, Rescaling, ReLU  # isort: skip

epochs, images = (int(text) for text in (sys.argv[1:] + ["3", "60000"][len(sys.argv) - 1 :]))
train, test = load_split("train").first(images), load_split("test").first(images)

keras.utils.set_random_seed(0)
model = keras.Sequential([keras.Input((28, 28, 1)), Rescaling(1 / 255)])
for filters in (8, 16):
    model.add(Conv2D(filters, 3, padding="same"))  # with a bias, which becomes part of the thresholds
    model.add(ReLU())
    model.add(MedianQuantizer(k=2))
    model.add(AveragePooling2D(2))  # folded into the next layer
for layer in (Flatten(), Dense(64), ReLU(), MedianQuantizer(k=2), Dense(10, activation="softmax")):
    model.add(layer)
model.compile("adam", "sparse_categorical_crossentropy", jit_compile=False)
model.fit(train.pixels, train.labels, batch_size=128, epochs=epochs, verbose=2)
model.save("own_network.keras")  # python LeNet/Spiking_LeNet_MNIST.py --weights own_network.keras --verify

trained, rounding = keras_network(model)
print(f"{trained.network.notation}, weights rounded by {rounding:.2g} at most")
network = SpikingNetwork(trained.weights, trained.network, trained.model.k, time_steps=40)
own = model.predict(test.pixels, batch_size=200, verbose=0).argmax(axis=1)
evaluation = evaluate(network, test.pixels, test.labels, batch_size=200, threads=2)
agreeing = evaluate(network, test.pixels, own, batch_size=200, threads=2)
print(f"Keras {100 * (own == test.labels).mean():.2f} %")
print(f"SNN   {100 * evaluation.right[:, -1].sum() / len(own):.2f} %, {evaluation.quiescent:,} images quiescent")
print(f"{agreeing.right[:, -1].sum():,} of {len(own):,} predictions agree")
