"""Draws the synaptic operations of the spiking networks over the time steps, beside the ANN's operations.

python sops.py                                 figs/k0, k1 and k2
python sops.py --recipe augmented              figs/k0-augmented etc.
python sops.py --logs k0 k1 --output .         these folders

Neither counts the encoding of the image into block 1, which both networks have in common. The energy is an
estimate: 0.9 pJ an addition (a synaptic operation), 4.6 pJ a multiply-accumulate of the artificial network, both in
32-bit floating point at 45 nm. Horowitz, "Computing's Energy Problem", ISSCC 2014.
"""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from figs import plotting
from experiment import command_line
from spiking.network import LENET

MICROJOULE_PER_ADDITION = 0.9e-6
MICROJOULE_PER_MULTIPLY_ACCUMULATE = 4.6e-6


def main():
    args = plotting.parse_arguments(__doc__)
    ann_energy = LENET.counted_multiply_accumulates * MICROJOULE_PER_MULTIPLY_ACCUMULATE

    figure, (curves, bars) = plotting.new_figure(panels=2, width_ratios=(3, 2))
    print(f"{'network':24}{'SOPs/image':>14}{'of the ANN':>12}{'energy (estimate)':>20}")
    for place, (log, style) in enumerate(zip(args.logs, plotting.styles())):
        steps = range(1, len(log.sops) + 1)
        sops, energy = log.sops[-1], log.sops[-1] * MICROJOULE_PER_ADDITION
        curves.plot(steps, log.sops / 1e6, label=f"{log.name}: {sops / 1e6:.2f} million", **style)
        bars.bar_label(bars.barh(place, energy, color=style["color"]), fmt="%.2f", padding=2)
        print(f"{log.name:24}{sops:14,.0f}{100 * sops / LENET.ann_operations:10.1f} %{energy:17.2f} µJ")
    ann_label = f"ANN: {LENET.ann_operations / 1e6:.2f} million"
    curves.axhline(LENET.ann_operations / 1e6, label=ann_label, **plotting.REFERENCE_STYLE)
    ann_bar = bars.barh(len(args.logs), ann_energy, color=plotting.REFERENCE_STYLE["color"])
    bars.bar_label(ann_bar, fmt="%.2f", padding=2)
    print(f"{'ANN':24}{LENET.ann_operations:14,}{100:10.1f} %{ann_energy:17.2f} µJ")

    curves.set(
        title="Synaptic operations of the spiking LeNet on MNIST",
        ylabel="operations per image,\nup to the time step (million)",
        ylim=(0, None),
    )
    figure.legend(loc="outside lower left", ncols=2)
    bars.set(
        title="Energy, estimated",
        xlabel="energy per image (µJ)\n0.9 pJ an addition,\n4.6 pJ a multiply-accumulate",
    )
    names = [log.name.replace(", ", ",\n") for log in args.logs]  # else long ones would leave the bars no room
    bars.set_yticks(range(len(args.logs) + 1), [*names, "ANN"])
    bars.margins(x=0.2)  # room for the last number
    bars.invert_yaxis()
    bars.grid(axis="y", visible=False)
    plotting.label_time_steps(curves)
    plotting.save(figure, "scnn_sop_mnist", args.recipe, args.output)


if __name__ == "__main__":
    command_line.run(main)
