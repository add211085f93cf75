"""Prints the results of the spiking networks as tables, from their logs.

python results.py                           figs/k0, k1 and k2
python results.py --recipe augmented        figs/k0-augmented etc.
python results.py --logs k0 k2              these folders

The ANN's accuracy is known where every image became quiescent, the epochs where the weights are the published ones.
"""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from experiment import logs
from figs import plotting
from experiment import command_line
from spiking.network import FULL_PRECISION, LENET
from experiment.model import epochs_in, published_history, published_weights, shown

SHOWN_STEPS = (1, 2, 3, 4, 6, 8, 10, 13, 18, 20)


COLUMNS = (
    "network",
    "epochs",
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
    full_precision = logs.read_full_precision(args.recipe)

    print(table_row(COLUMNS))
    print("|---" * len(COLUMNS) + "|")
    if full_precision is not None:
        run, accuracy = full_precision
        name = logs.network_label(FULL_PRECISION, args.recipe)
        print(table_row([name, epochs(run), f"{accuracy:.2f} %", *[""] * (len(COLUMNS) - 3)]))
    for log in args.logs:
        print(table_row(results(log)))
    print("\naccuracy (%) after time step")
    print(table_row(["network", *map(str, SHOWN_STEPS)]))
    print("|---" * (1 + len(SHOWN_STEPS)) + "|")
    for log in args.logs:
        steps = [step for step in SHOWN_STEPS if step <= len(log.accuracy)]
        print(table_row([log.name, *(f"{log.accuracy[step - 1]:.2f}" for step in steps)]))


def results(log):
    """A network's cells, one for each of COLUMNS."""
    ann_accuracy = log.run.get("ann_accuracy")
    return [
        log.name,
        epochs(log.run),
        "" if ann_accuracy is None else f"{100 * ann_accuracy:.2f} %",
        f"{log.accuracy[-1]:.2f} %",
        f"{log.time_steps_needed}",
        f"{log.positive_spikes[-1]:,.0f}",
        f"{log.negative_spikes[-1]:,.0f}",
        f"{log.sops[-1]:,.0f}",
        f"{100 * log.sops[-1] / LENET.ann_operations:.1f} %",
    ]


def epochs(run):
    """How long the weights of a run were trained, as text; empty where they are not the published ones."""
    network = run.get("k"), logs.recipe_of(run)
    if "k" not in run or run.get("weights") != shown(published_weights(*network)):
        return ""
    number = epochs_in(published_history(*network))
    return "" if number is None else str(number)


def table_row(cells):
    return f"| {' | '.join(cells)} |"


if __name__ == "__main__":
    command_line.run(main)
