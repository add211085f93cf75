"""Draws the accuracy of the spiking networks on noisy test images, over the noise ratio R.

python noise.py                                k=0, 1 and 2: about a minute each
python noise.py --k 0 --limit 1000             one of them, on fewer images

A pixel is scaled by 1 + R * (z - 1/2), z uniform in [0, 1), as --noise_ratio of Spiking_LeNet_MNIST.py does it.
"""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import numpy as np
from tqdm import tqdm

from figs import plotting
from experiment.logs import network_label
from experiment import command_line
from spiking.network import LENET
from experiment.disk import OutputFolder
from experiment.model import PUBLISHED_LEVELS, existing_published_weights

NOISE_RATIOS = np.arange(0, 2.25, 0.25)
TIME_STEPS, BATCH_SIZE = 20, 200  # the defaults of Spiking_LeNet_MNIST.py


def parse_arguments():
    parser = command_line.ArgumentParser(__doc__)
    parser.add_argument(
        "--k", type=options.LEVEL, nargs="+", help="quantisation levels (default: the published ones)"
    )
    options.add_recipe(parser, "of the networks' training; decides on the weights and the figure's name")
    options.add_seed(parser, "the noise")
    options.add_limit(parser)
    options.add_data(parser)
    options.add_threads(parser)
    plotting.add_output(parser)
    return parser.parse_args()


def main():
    args = parse_arguments()
    levels = args.k or PUBLISHED_LEVELS
    paths = {k: existing_published_weights(k, args.recipe) for k in levels}
    with OutputFolder(args.output):
        pass  # an unwritable folder fails here, before minutes of work

    from LeNet.evaluation import evaluate, load_weights, noisy
    from experiment import images as files
    from spiking_utils import SpikingNetwork

    networks = {k: SpikingNetwork(load_weights(path, k)[0], LENET, k, TIME_STEPS) for k, path in paths.items()}
    pixels, labels = files.load_mnist_split("t10k", args.data)
    pixels, labels = pixels[: args.limit], labels[: args.limit]
    accuracy = {k: [] for k in networks}  # in percent, for each noise ratio
    for noise_ratio in tqdm(NOISE_RATIOS, unit="noise ratio", disable=None, leave=False):
        noisy_pixels = noisy(pixels, noise_ratio, args.seed)
        for k, network in networks.items():
            right, _, _ = evaluate(network, noisy_pixels, labels, BATCH_SIZE, args.threads)
            accuracy[k].append(100 * right[:, -1].sum() / len(pixels))

    accuracy = {network_label(k, args.recipe): percent for k, percent in accuracy.items()}
    report(accuracy)
    plotting.save(draw(accuracy), "scnn_noise_mnist", args.recipe, args.output)


def report(accuracy):
    """Prints the accuracies in percent, a list over the noise ratios for each network."""
    print(f"{'noise ratio':12}{''.join(f'{name:>16}' for name in accuracy)}")
    for noise_ratio, *row in zip(NOISE_RATIOS, *accuracy.values()):
        print(f"{noise_ratio:<12.2f}{''.join(f'{percent:14.2f} %' for percent in row)}")


def draw(accuracy):
    figure, axes = plotting.new_figure()
    for (name, percent), style in zip(accuracy.items(), plotting.styles()):
        axes.plot(NOISE_RATIOS, percent, label=f"{name}: {percent[0]:.2f} % to {percent[-1]:.2f} %", **style)
    axes.set(
        title="Accuracy of the spiking LeNet on MNIST with noise",
        xlabel="noise ratio R: each pixel times 1 + R (z − 1/2), z uniform in [0, 1)",
        ylabel="accuracy (%)",
        xticks=NOISE_RATIOS,
    )
    axes.legend(title=f"from R = {NOISE_RATIOS[0]:g} to {NOISE_RATIOS[-1]:g}", loc="lower left")
    return figure


if __name__ == "__main__":
    command_line.run(main)
