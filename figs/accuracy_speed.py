"""Draws the accuracy of the spiking networks over the time steps, from their logs.

python accuracy_speed.py                                 figs/k0, k1 and k2
python accuracy_speed.py --recipe augmented              figs/k0-augmented etc.
python accuracy_speed.py --logs k0 k1 --output .         these folders
"""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from experiment import logs
from figs import plotting
from experiment import command_line
from spiking.network import FULL_PRECISION


def main():
    args = plotting.parse_arguments(__doc__)
    full_precision = logs.read_full_precision(args.recipe)

    figure, (whole, zoomed) = plotting.new_figure(panels=2)
    print(f"{'network':24}{'accuracy':>10}{'time steps':>12}")
    for log, style in zip(args.logs, plotting.styles()):
        steps = range(1, len(log.accuracy) + 1)
        label = f"{log.name}: {log.accuracy[-1]:.2f} %, {log.time_steps_needed} time steps"
        for axes in (whole, zoomed):
            axes.plot(steps, log.accuracy, label=label, **style)
        print(f"{log.name:24}{log.accuracy[-1]:8.2f} %{log.time_steps_needed:12}")
    if full_precision is not None:
        _, reference = full_precision
        name = logs.network_label(FULL_PRECISION, args.recipe)
        for axes in (whole, zoomed):
            axes.axhline(reference, label=f"{name}: {reference:.2f} %", **plotting.REFERENCE_STYLE)
        print(f"{name:24}{reference:8.2f} %")
    whole.set(title="Accuracy of the spiking LeNet on MNIST", ylabel="accuracy (%)", ylim=(0, 101))
    finals = [log.accuracy[-1] for log in args.logs]
    zoomed.set(
        title="the same, around the final values",
        ylabel="accuracy (%)",
        ylim=(min(finals) - 1.25, max(finals) + 0.25),
    )
    whole.legend(loc="lower right", fontsize="small")
    for axes in (whole, zoomed):
        plotting.label_time_steps(axes)
    plotting.save(figure, "scnn_accuracy_mnist", args.recipe, args.output)


if __name__ == "__main__":
    command_line.run(main)
