"""Draws the spread of trainings that differ only in their seed, with the published figures.

python seeds.py                                 figs/k0, figs/logs/k0-seed1, k0-seed2, ..., likewise k1 and k2
python seeds.py --recipe augmented              figs/logs/k0-augmented, k0-augmented-seed1, ...

The table has the mean, sample standard deviation, minimum and maximum over the seeds, and whether the figure that Zou
et al. (2023) published for the paper's recipe lies between the last two.
"""

import glob
import statistics
import sys
from dataclasses import replace
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import numpy as np

from experiment import InputError, command_line, logs, model, published, shown
from experiment.model import PUBLISHED_LEVELS
from experiment.runs import default_folder
from figs import plotting
from spiking.network import FULL_PRECISION

DIGITS = {  # how many decimals each quantity has
    "ANN accuracy (%)": 2,
    "SNN accuracy (%)": 2,
    "accuracy after step 1 (%)": 2,
    "time steps": 1,
    "+ spikes": 0,
    "- spikes": 0,
    "SOPs": 0,
}
COLUMNS = ("network", "", "seeds", "mean", "standard deviation", "lowest", "highest", "published", "within")


def main():
    parser = command_line.ArgumentParser(__doc__)
    model.add_options(parser, seed=None)
    plotting.add_output(parser)
    args = parser.parse_args()
    named = [model.chosen(args).model(k) for k in (FULL_PRECISION, *PUBLISHED_LEVELS)]
    found = {one: read_seeds(one) for one in named}
    if not any(found.values()):
        expected = f"{shown(default_folder(named[1]))} etc.; run.py --train --seeds writes them"
        raise InputError(f"no logs found, expected {expected}")

    print(plotting.table_row(COLUMNS))
    print("|---" * len(COLUMNS) + "|")
    for one, seeds in found.items():
        reference = published.of(one).results
        for quantity, values in quantities(seeds).items():
            print(plotting.table_row([one.label, *row(quantity, values, reference.get(quantity))]))
    spiking = {one: seeds for one, seeds in found.items() if seeds and one.k != FULL_PRECISION}
    plotting.save(draw(spiking), named[1].figure_name("scnn_seeds"), args.output)


def read_seeds(one):
    """The Logs of all seeds of a Model, ordered by seed.

    Raises
    ------
    InputError
        They differ in more than their seeds.
    """
    first = replace(one, seed=0)
    others = default_folder(replace(first, seed=1)).parent
    folders = [default_folder(first), *others.glob(f"{glob.escape(first.name)}-seed[0-9]*")]
    seeds = [logs.read(folder) for folder in folders if logs.exist(folder)]
    same = [log for log in seeds if log.model is not None and replace(log.model, seed=0) == first]
    seeds = sorted((log for log in same if not log.run.variation.parts), key=lambda log: log.model.seed)
    for log in seeds[1:]:
        for name, expected in _settings(seeds[0]).items():
            found = _settings(log)[name]
            if found != expected:
                example = f"{expected:,} as in {shown(seeds[0].folder)}"
                raise InputError(f"{shown(log.folder)}: has {found:,} {name}, expected {example}")
    return seeds


def _settings(log):
    """What runs of different seeds must have in common to be compared, by its name in messages."""
    return {
        "time steps": log.run.time_steps,
        "test images": log.images,
        "epochs": log.run.identity.epochs,
        "training images": log.run.identity.images,
    }


def quantities(seeds):
    """The quantities in the table for one level: lists of values over the seeds, by name."""
    if not seeds:
        return {}
    artificial = [log.run.results.ann_accuracy for log in seeds]
    table = {} if None in artificial else {"ANN accuracy (%)": [100 * accuracy for accuracy in artificial]}
    if seeds[0].spike_num is None:
        return table
    return table | {
        "SNN accuracy (%)": [log.accuracy[-1] for log in seeds],
        "accuracy after step 1 (%)": [log.accuracy[0] for log in seeds],
        "time steps": [log.time_steps_needed for log in seeds],
        "+ spikes": [log.positive_spikes[-1] for log in seeds],
        "- spikes": [log.negative_spikes[-1] for log in seeds],
        "SOPs": [log.sops[-1] for log in seeds],
    }


def row(quantity, values, reference):
    """The cells of a quantity's row."""
    mean, deviation, lowest, highest = spread(quantity, values)
    cells = [quantity, str(len(values)), mean, deviation, lowest, highest]
    if reference is None:
        return [*cells, "", ""]
    # accuracies on 10,000 images differ by at least a hundredth of a point
    within = round(min(values), 2) <= reference <= round(max(values), 2)
    return [*cells, f"{reference:,.2f}" if "%" in quantity else f"{reference:,}", "yes" if within else "no"]


def spread(quantity, values):
    """Mean, standard deviation, minimum and maximum as texts; a single value has no deviation."""
    deviation = [statistics.stdev(values)] if len(values) > 1 else []
    numbers = [statistics.fmean(values), *deviation, min(values), max(values)]
    texts = [f"{number:,.{DIGITS[quantity]}f}" for number in numbers]
    return texts if deviation else [texts[0], "", *texts[1:]]


def draw(networks):
    """Draws accuracy over the time steps: the mean and range of the seeds, and the published curve."""
    figure, (whole, zoomed) = plotting.accuracy_axes()
    names = [one.label for one in plotting.distinct(networks)]
    for (one, seeds), name, style in zip(networks.items(), names, plotting.styles()):
        label = f"{name}: mean of {len(seeds)} seeds" if len(seeds) > 1 else f"{name}: one seed"
        accuracy = np.stack([log.accuracy for log in seeds])  # (seeds, time steps)
        steps = np.arange(1, accuracy.shape[1] + 1)
        for axes in (whole, zoomed):
            axes.fill_between(
                steps, accuracy.min(axis=0), accuracy.max(axis=0), color=style["color"], alpha=0.25, lw=0
            )
            axes.plot(steps, accuracy.mean(axis=0), label=label, **style)
            plotting.draw_published_accuracy(axes, published.of(one), name, style)
    finals = [log.accuracy[-1] for seeds in networks.values() for log in seeds]
    finals += filter(None, (published.of(one).results.get("SNN accuracy (%)") for one in networks))
    figure.suptitle(plotting.wrapped(f"Accuracy of {plotting.subject(networks)}"))
    plotting.cut_axis(zoomed, min(finals) - 1, max(finals) + 0.25)
    whole.legend(loc="lower right", fontsize="small", title="band: lowest to highest", title_fontsize="small")
    return figure


if __name__ == "__main__":
    command_line.run(main)
