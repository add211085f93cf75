"""Prints the results of the spiking networks as tables from their logs, with the published ones.

python results.py                           figs/k0, k1 and k2
python results.py --recipe augmented        figs/logs/k0-augmented etc.
python results.py --logs k0 k2              these folders
"""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from experiment import command_line, published
from experiment.recipes import RECIPES
from figs import plotting

COLUMNS = (
    "network",
    "trained for",
    "ANN",
    "SNN",
    "time steps",
    "+ spikes/image",
    "- spikes/image",
    "SOPs/image",
    "of the ANN's operations",
)


def main():
    args = plotting.parse_arguments(__doc__, draws=False)
    logs = plotting.read_logs(args)

    print(plotting.table_row(COLUMNS))
    print("|---" * len(COLUMNS) + "|")
    for log in [*plotting.full_precision(logs), *logs]:
        print(plotting.table_row(results(log)))
        if theirs := plotting.published_of(log).results:
            print(plotting.table_row(published_results(log, theirs)))
    curves = [plotting.published_of(log).accuracy for log in logs]
    steps = list(next(filter(None, curves), published.STEPS))
    print("\naccuracy (%) after time step")
    print(plotting.table_row(["network", *map(str, steps)]))
    print("|---" * (1 + len(steps)) + "|")
    for log, curve in zip(logs, curves):
        reached = [step for step in steps if step <= len(log.accuracy)]
        print(plotting.table_row([log.label, *(f"{log.accuracy[step - 1]:.2f}" for step in reached)]))
        if curve:
            print(plotting.table_row([f"{log.label}, published", *(f"{curve[step]:.2f}" for step in steps)]))


def results(log):
    """The cells of a network's row, one for each of COLUMNS."""
    if log.spike_num is None:
        return [log.label, training(log), f"{log.accuracy[-1]:.2f} %", *[""] * (len(COLUMNS) - 3)]
    ann_accuracy = log.run and log.run.results.ann_accuracy
    return [
        log.label,
        training(log),
        "" if ann_accuracy is None else f"{100 * ann_accuracy:.2f} %",
        f"{log.accuracy[-1]:.2f} %",
        f"{log.time_steps_needed}",
        f"{log.positive_spikes[-1]:,.0f}",
        f"{log.negative_spikes[-1]:,.0f}",
        f"{log.sops[-1]:,.0f}",
        f"{100 * log.sops[-1] / log.network.ann_operations:.1f} %",
    ]


def published_results(log, theirs):
    """The cells of a network's published results, given as values by the name of the quantity."""
    accuracies = [f"{theirs[name]:.2f} %" for name in ("ANN accuracy (%)", "SNN accuracy (%)") if name in theirs]
    numbers = [f"{theirs[name]:,}" for name in ("time steps", "+ spikes", "- spikes", "SOPs") if name in theirs]
    share = [f"{100 * theirs['SOPs'] / log.network.ann_operations:.1f} %"] if "SOPs" in theirs else []
    cells = [f"{log.label}, published", "", *accuracies, *numbers, *share]
    return cells + [""] * (len(COLUMNS) - len(cells))


def training(log):
    """How long the network was trained, or that it is a trial, as text; empty for logs that do not say."""
    if not log.run or log.model.recipe not in RECIPES:  # the authors' logs, or a user's own network
        return ""
    identity = log.run.identity
    return f"a trial: {identity.shortfall}" if identity.shortfall else f"{identity.epochs} epochs"


if __name__ == "__main__":
    command_line.run(main)
