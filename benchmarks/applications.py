"""Converts networks of keras.applications; measures what that takes, and whether every neuron is equal.

python benchmarks/applications.py                                               the five below at 64 x 64: two minutes
python benchmarks/applications.py --size 224 --classes 1000 --only MobileNet

Weights are random; batch normalisation is adapted to four images, which are also used for calibration. A neuron is
equal if its spikes, after one time step without a bound, are what Keras's layers give in float64 on the rounded
weights. Times are wall-clock times: of folding, of calibration and rounding, and of that step for one image. Each
network has its own process, whose peak memory before the comparison is given. docs/performance.md has the table.
"""

import resource
import subprocess
import sys
import time
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from experiment import command_line

APPLICATIONS = "MobileNet", "MobileNetV2", "ResNet50V2", "ResNet50", "VGG16"
COLUMNS = "blocks", "neurons", "equal", "weights", "folding", "rounding", "one image", "memory"
LEVEL, IMAGES = 2, 4
SMALLEST = 32  # rows and columns that keras.applications accepts


def main():
    parser = command_line.ArgumentParser(__doc__)
    parser.add_argument("--size", type=command_line.POSITIVE, default=64, help="rows and columns of an image")
    parser.add_argument("--classes", type=command_line.POSITIVE, default=10, help="how many classes a network has")
    parser.add_argument("--only", choices=APPLICATIONS, help="convert only this network (default: all)")
    args = parser.parse_args()
    if args.size < SMALLEST:
        parser.error(f"argument --size: found {args.size}, expected at least {SMALLEST}, as these networks need")

    if args.only:
        print(row(args.only, args.size, args.classes))
        return
    print(f"| {args.size} x {args.size} x 3 | {' | '.join(COLUMNS)} |")
    print("|---" * (1 + len(COLUMNS)) + "|", flush=True)
    for name in APPLICATIONS:
        options = "--only", name, "--size", str(args.size), "--classes", str(args.classes)
        subprocess.run([sys.executable, __file__, *options], stderr=subprocess.DEVNULL, check=True)


def adapted(name, size, classes):
    """A network of keras.applications with random weights, and the images that its normalisation is adapted to."""
    import keras
    from keras import layers

    keras.utils.set_random_seed(0)
    body = getattr(keras.applications, name)(weights=None, input_shape=(size, size, 3), classes=classes)
    model = keras.Sequential([keras.Input((size, size, 3)), layers.Rescaling(1 / 127.5, -1), body])
    pixels = np.random.default_rng(0).integers(0, 256, (IMAGES, size, size, 3), np.uint8)
    for layer in body.layers:
        if isinstance(layer, layers.BatchNormalization):
            layer.momentum = 0.0
    model(pixels, training=True)
    return model, pixels


def row(name, size, classes):
    """The table row of a network."""
    from LeNet.verification import compare  # starts TensorFlow
    from spiking.conversion.converted import convert_graph
    from spiking.conversion.from_keras import fold
    from spiking_utils import SpikingNetwork

    model, pixels = adapted(name, size, classes)
    image = pixels[:1]
    graph, folding = timed(lambda: fold(model))
    converted, rounding = timed(lambda: convert_graph(graph, LEVEL, pixels))
    weights, network = converted.weights, converted.network
    spiking = SpikingNetwork(weights, network, LEVEL, time_steps=1, max_spikes=None)
    spiking.run(image)  # compiles
    _, running = timed(lambda: spiking.run(image))
    memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6  # from KiB
    found = compare(weights, network, LEVEL, image, batch_size=1, max_spikes=None)
    numbers = sum(array.size for array in weights.values())
    counts = len(network.blocks), found.compared.sum(), found.equal.sum(), numbers
    seconds = f"{folding:.1f} s | {rounding:.1f} s | {running:.2f} s"
    return f"| {name} | {' | '.join(f'{count:,}' for count in counts)} | {seconds} | {memory:.1f} GB |"


def timed(run):
    """What a function returns, and how many seconds it took."""
    start = time.perf_counter()
    return run(), time.perf_counter() - start


if __name__ == "__main__":
    command_line.run(main)
