"""Times networks with branches, max pooling and depthwise convolutions against the LeNet and against Keras.

python benchmarks/networks.py                       the three networks below with random weights, at k=1
python benchmarks/networks.py FILE.npz              trained networks
python benchmarks/networks.py --threads 1

Does a synaptic operation in 20 time steps cost the same in all of them? And how does one time step without a bound on
the spikes, which computes the same as the artificial network, compare with Keras's predict in float32? All take turns
in one run, on the first test images of MNIST, or of a FILE's own data; ratios are medians over the rounds.
"""

import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import numpy as np

from experiment import command_line, images, printable, runs
from experiment.model import Choice, Model
from experiment.weights import load, read_published
from spiking.notation import parse
from spiking.trains import SOPS
from spiking.weight_grid import on_grid
from spiking_utils import SpikingNetwork, evaluate

K = 1  # level of the random networks and of the LeNet that they are compared with
ADAPTED_IMAGES = 200  # to which the batch normalisation of the random networks is adapted
BETA = 0.4  # of this normalisation, so that a neuron fires about once per image, as in the LeNet


def residual_stage(filters, first, layers, stride):
    """The notation of three residual blocks; `layers` is the number of layers before them."""
    shortcut = f"{filters}C1s{stride}" if first != filters else "I"
    blocks = [f"{filters}C3p" + (f"s{stride}" if stride > 1 else ""), f"{filters}C3p+{shortcut}@{layers}"]
    for block in (1, 2):
        blocks += [f"{filters}C3p", f"{filters}C3p+I@{layers + 2 * block}"]
    return "-".join(blocks)


RESNET_20 = "-".join(
    ["16C3p", residual_stage(16, 16, 1, 1), residual_stage(32, 16, 7, 2), residual_stage(64, 32, 13, 2)]
)
VGG_11 = "64C3p-M2-128C3p-M2-256C3p-256C3p-M2-512C3p-512C3p-512"
DEPTHWISE = "32C3ps2-32C3pg32-64C1-64C3pg64s2-128C1-128C3pg128-128C1-128C3pg128s2-256C1"
NETWORKS = {"ResNet-20": RESNET_20, "VGG-11": VGG_11, "depthwise": DEPTHWISE}


def main():
    parser = command_line.ArgumentParser(__doc__)
    files = {"type": command_line.path, "nargs": "*", "metavar": "FILE"}
    parser.add_argument("weights", **files, help="npz file of a quantised network")
    command_line.add_threads(parser, "threads of the simulation, and of Keras")
    parser.add_argument("--rounds", type=command_line.POSITIVE, default=5, help="how often each network is timed")
    parser.add_argument("--limit", type=command_line.POSITIVE, default=400, help="use only the first N test images")
    args = parser.parse_args()

    from LeNet.tensorlayer import use_threads

    use_threads(args.threads)
    lenet = read_published(Model(K))
    networks = {"LeNet": (lenet.network, lenet.weights, K, lenet.model.images)}
    networks |= {path.name: trained(path) for path in args.weights} if args.weights else random_networks()
    runs = {name: Runs(*network, args) for name, network in networks.items()}
    in_turn = [{name: run.seconds() for name, run in runs.items()} for _ in range(args.rounds)]
    rounds = {name: np.array([found[name] for found in in_turn]) for name in runs}  # (rounds, 3)
    report(runs, rounds)


def trained(path):
    """The Network, weights, level and folder of images of a file."""
    found = load(Choice(weights=path), K)
    return found.network, found.weights, found.model.k, found.model.images


def random_networks():
    """The NETWORKS with initial weights and with batch normalisation that is adapted to some images."""
    import keras

    from LeNet.tensorlayer import models

    pixels = images.scaled(images.load_split("train").first(ADAPTED_IMAGES).pixels)
    found = {}
    for name, layers in NETWORKS.items():
        network = parse(f"28x28x1-{layers}-10")
        keras.utils.set_random_seed(0)
        keras_model = models.build(network, K)
        for key, variable in models.variables(network, keras_model).items():
            if key.endswith("/beta"):
                variable.assign(np.full(variable.shape, BETA))
        for _ in range(50):  # the moving averages follow about the last ten
            keras_model(pixels, training=True)
        weights = {key: np.asarray(variable) for key, variable in models.variables(network, keras_model).items()}
        found[name] = network, on_grid(weights, network)[0], K, images.MNIST
    return found


class Runs:
    """The runs of a network that are timed."""

    def __init__(self, network, weights, k, folder, args):
        from LeNet.tensorlayer import models

        self.test = images.load_test(folder, network).first(args.limit)
        self.threads, self.scaled = args.threads, images.scaled(self.test.pixels)
        self.spiking = SpikingNetwork(weights, network, k, runs.TIME_STEPS)
        self.one_step = SpikingNetwork(weights, network, k, time_steps=1, max_spikes=None)
        self.keras_model = models.build(network, k)
        models.assign(network, self.keras_model, weights)
        self.operations = self.evaluate(self.spiking)  # also compiles
        self.seconds()

    def evaluate(self, snn):
        """Runs a SpikingNetwork on all images; returns its synaptic operations."""
        test = self.test
        found = evaluate(snn, test.pixels, test.labels, runs.BATCH_SIZE, self.threads)
        return int(found.statistics[..., SOPS].sum())

    def seconds(self):
        """Times the time steps, the single step without bound, and Keras's predict."""
        return [
            seconds(lambda: self.evaluate(self.spiking)),
            seconds(lambda: self.evaluate(self.one_step)),
            seconds(lambda: self.keras_model.predict(self.scaled, batch_size=runs.BATCH_SIZE, verbose=0)),
        ]


def seconds(run):
    start = time.perf_counter()
    run()
    return time.perf_counter() - start


def report(runs, rounds):
    """Prints one line per network."""
    first = next(iter(runs))
    print(f"{'':24}{'time steps':>36}{'one step without bound':>34}")
    print(f"{'network':24}{'SOPs an image':>14}{'ns a SOP':>10}{'ratio':>12}", end="")
    print(f"{'ms an image':>14}{'Keras':>10}{'ratio':>10}")
    for name, run in runs.items():
        count = len(run.test.pixels)
        per_operation = 1e9 * rounds[name][:, 0] / run.operations
        ratio = np.median(per_operation / (1e9 * rounds[first][:, 0] / runs[first].operations))
        one_step, keras = 1e3 * np.median(rounds[name][:, 1:], axis=0) / count
        of_keras = np.median(rounds[name][:, 1] / rounds[name][:, 2])
        print(
            f"{printable(name):24}{run.operations / count:14,.0f}{np.median(per_operation):10.3f}{ratio:12.2f}",
            end="",
        )
        print(f"{one_step:14.3f}{keras:10.3f}{of_keras:10.2f}")


if __name__ == "__main__":
    command_line.run(main)
