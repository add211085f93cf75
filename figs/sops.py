"""Draws the synaptic operations of the spiking networks over the time steps, with the ANN's operations.

python sops.py                                 figs/k0, k1 and k2
python sops.py --recipe augmented              figs/logs/k0-augmented etc.
python sops.py --logs k0 k1 --output .         these folders

Stars are what Zou et al. (2023) published.
Neither network counts block 1 (288,000 multiply-accumulates in the paper's), which both need to read the image. The
energies are estimates for 45 nm. "float" is 32-bit floating point, as in the paper: 0.9 pJ per addition (a synaptic
operation), 4.6 pJ per multiply-accumulate of the artificial network. "integer" has 32 bits as well: 0.1 pJ per
addition, 3.1 pJ per multiplication. Neither includes memory. Horowitz, "Computing's Energy Problem", ISSCC 2014.
"""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from experiment import command_line
from figs import plotting

MICROJOULE_PER_ADDITION = {"float": 0.9e-6, "integer": 0.1e-6}
MICROJOULE_PER_MULTIPLY_ACCUMULATE = {"float": 4.6e-6, "integer": 3.2e-6}


def main():
    args = plotting.parse_arguments(__doc__)
    logs = plotting.read_logs(args)
    artificial = list(dict.fromkeys(log.network for log in logs))  # without duplicates

    figure, (curves, bars) = plotting.new_figure(panels=2, width_ratios=(3, 2))
    print(f"{'network':20}{'SOPs/image':>12}{'of the ANN':>12}{'energy: float':>16}{'integer':>12}")
    names = []  # of the bars
    for log, name, style in zip(logs, plotting.labels(logs), plotting.styles()):
        steps = range(1, len(log.sops) + 1)
        sops, energy = log.sops[-1], energies(log.sops[-1], MICROJOULE_PER_ADDITION)
        label = plotting.legend_entry(f"{name}: {sops / 1e6:#.3g} million")
        curves.plot(steps, log.sops / 1e6, label=label, **style)
        draw_bar(bars, len(names), energy["float"], style["color"])
        names.append(name.replace(", ", ",\n"))  # long ones would leave no room for the bars
        report(log.label, f"{sops:,.0f}", sops / log.network.ann_operations, energy)
    plotting.mark_published(curves, logs, "SOPs", [1e6] * len(logs))
    for network in artificial:
        operations = network.ann_operations
        energy = energies(network.counted_multiply_accumulates, MICROJOULE_PER_MULTIPLY_ACCUMULATE)
        name = "ANN" if len(artificial) == 1 else f"ANN {network.layer_notation}"
        curves.axhline(operations / 1e6, label=f"{name}: {operations / 1e6:#.3g} million", **plotting.REFERENCE_STYLE)
        draw_bar(bars, len(names), energy["float"], plotting.REFERENCE_STYLE["color"])
        names.append(name.replace(" ", "\n"))
        report(name, f"{operations:,}", 1, energy)
    print("Energies are estimates, of 32-bit arithmetic alone: no memory, no block 1.")

    curves.margins(y=0.1)  # above the highest curve
    curves.set(
        title="Synaptic operations of\n" + plotting.wrapped(plotting.subject(log.model for log in logs), panel=True),
        ylabel="operations per image,\nwithout block 1,\nup to the time step (million)",
        ylim=(0, None),
    )
    longest = max(map(len, curves.get_legend_handles_labels()[1]))
    columns = 2 if longest < 25 else 1
    curves.legend(loc="upper center", bbox_to_anchor=(0.5, -0.18), ncols=columns)
    bars.set(
        title="Energy, estimated",
        xlabel="energy per image (µJ),\n32-bit floating point, no memory:\n"
        f"{1e6 * MICROJOULE_PER_ADDITION['float']:.1f} pJ an addition,\n"
        f"{1e6 * MICROJOULE_PER_MULTIPLY_ACCUMULATE['float']:.1f} pJ a multiply-accumulate",
    )
    bars.set_yticks(range(len(names)), names)
    bars.margins(x=0.35)  # room for the last number
    bars.invert_yaxis()
    bars.grid(axis="y", visible=False)
    plotting.label_time_steps(curves)
    plotting.save(figure, plotting.picture_name("scnn_sop", args, logs), args.output)


def energies(operations, microjoule):
    """The energy of operations in microjoules, by kind of arithmetic."""
    return {kind: operations * each for kind, each in microjoule.items()}


def report(name, operations, share, energy):
    """Prints one row of the table."""
    print(f"{name:20}{operations:>12}{100 * share:10.1f} %{energy['float']:13.2f} µJ{energy['integer']:9.2f} µJ")


def draw_bar(axes, place, energy, color):
    """Draws a bar with its number."""
    axes.bar_label(axes.barh(place, energy, color=color), fmt="%.2f", padding=2)


if __name__ == "__main__":
    command_line.run(main)
