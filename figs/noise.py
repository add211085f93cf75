"""Draws the accuracy of the spiking networks on noisy test images over the noise ratio R.

python noise.py                                k=0, 1 and 2, about a minute each
python noise.py --k 0 --limit 1000             one of them, on fewer images
python noise.py --weights FILE.npz             a network of your own

Each pixel is scaled by 1 + R * (z - 1/2), z uniform in [0, 1), as by --noise_ratio of Spiking_LeNet_MNIST.py.
"""

import sys
from dataclasses import replace
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import numpy as np

from experiment import InputError, command_line, images, model, runs, weights
from experiment.disk import output_folder
from experiment.model import PUBLISHED_LEVELS
from figs import plotting

NOISE_RATIOS = np.arange(0, 2.25, 0.25)


def parse_arguments():
    parser = command_line.ArgumentParser(__doc__)
    levels = {"dest": "levels", "type": command_line.LEVEL, "nargs": "+", "metavar": "K", "default_text": "0 1 2"}
    parser.add_argument("--k", **levels, help="quantisation levels")
    model.add_options(parser, seed="the networks' trainings")
    model.add_weights(parser)
    command_line.add_noise_seed(parser)
    command_line.add_limit(parser)
    command_line.add_threads(parser)
    plotting.add_output(parser)
    return parser.parse_args()


def main():
    args = parse_arguments()
    with output_folder(args.output):
        pass  # an unwritable folder fails here, before minutes of work
    trained = load(args)
    test = images.load_test(args.data or trained[0].model.images, trained[0].network).first(args.limit)

    from spiking_utils import SpikingNetwork, evaluate

    snns = {t.model.label: SpikingNetwork(t.weights, t.network, t.model.k, runs.TIME_STEPS) for t in trained}
    accuracy = {label: [] for label in snns}  # in percent, for each noise ratio
    for noise_ratio in command_line.progress(NOISE_RATIOS, len(NOISE_RATIOS), "noise ratio"):
        noisy = images.noisy(test.pixels, noise_ratio, args.noise_seed)
        for label, snn in snns.items():
            right = evaluate(snn, noisy, test.labels, runs.BATCH_SIZE, args.threads).right
            accuracy[label].append(100 * right[:, -1].sum() / len(noisy))

    report(accuracy)
    levels = tuple(one.model.k for one in trained)
    settings = [] if levels == PUBLISHED_LEVELS else [one.model.level for one in trained]
    settings += [f"noise_seed{args.noise_seed}"] if args.noise_seed else []
    settings += [f"first{len(test.pixels)}"] if args.limit else []
    models = [one.model for one in trained]
    names = [one.label for one in plotting.distinct(models)]
    figure = draw(dict(zip(names, accuracy.values(), strict=True)), plotting.subject(models))
    plotting.save(figure, "-".join([models[0].figure_name("scnn_noise"), *settings]), args.output)


def load(args):
    """The Trained models: that of --weights, or one for each level."""
    choice = model.chosen(args)
    if args.weights is None:
        return [weights.load(replace(choice, k=k), k) for k in args.levels or PUBLISHED_LEVELS]
    if args.levels is not None and len(args.levels) > 1:
        raise InputError(f"argument --k: found {len(args.levels)} levels, expected at most one with --weights")
    level = args.levels[0] if args.levels else None  # None if the file decides
    return [weights.load(replace(choice, k=level), PUBLISHED_LEVELS[0])]


def report(accuracy):
    """Prints the accuracies in percent, given for each network as a list over the noise ratios."""
    print(f"{'noise ratio':12}{''.join(f'{name:>16}' for name in accuracy)}")
    for noise_ratio, *row in zip(NOISE_RATIOS, *accuracy.values()):
        print(f"{noise_ratio:<12.2f}{''.join(f'{percent:14.2f} %' for percent in row)}")


def draw(accuracy, subject):
    figure, axes = plotting.new_figure()
    for (name, percent), style in zip(accuracy.items(), plotting.styles()):
        axes.plot(NOISE_RATIOS, percent, label=f"{name}: {percent[0]:.2f} % to {percent[-1]:.2f} %", **style)
    axes.set(
        title=f"Accuracy of {subject} with noise",
        xlabel="noise ratio R: each pixel times 1 + R (z − 1/2), z uniform in [0, 1)",
        ylabel="accuracy (%)",
        xticks=NOISE_RATIOS,
    )
    lowest, highest = (extreme(map(extreme, accuracy.values())) for extreme in (min, max))
    if lowest > 1:
        plotting.cut_axis(axes, lowest - 0.25, highest + 0.25)
        axes.set_title(f"{axes.get_title()} (cut axis)")
    else:
        axes.set_ylim(bottom=0)
    axes.legend(title=f"from R = {NOISE_RATIOS[0]:g} to {NOISE_RATIOS[-1]:g}", loc="lower left")
    return figure


if __name__ == "__main__":
    command_line.run(main)
