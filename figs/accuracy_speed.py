"""Draws the accuracy of the spiking networks over the time steps, from their logs.

python accuracy_speed.py                                 figs/k0, k1 and k2
python accuracy_speed.py --recipe augmented              figs/k0-augmented etc.
python accuracy_speed.py --logs k0 k1 --output .         these folders
"""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from experiment import command_line
from figs import plotting


def main():
    args = plotting.parse_arguments(__doc__)
    networks = plotting.read_logs(args)
    references = plotting.full_precision(networks)

    figure, (whole, zoomed) = plotting.new_figure(panels=2)
    print(f"{'network':24}{'accuracy':>10}{'time steps':>12}")
    for log, style in zip(networks, plotting.styles()):
        steps = range(1, len(log.accuracy) + 1)
        label = f"{log.label}: {log.accuracy[-1]:.2f} %, {log.time_steps_needed} time steps"
        for axes in (whole, zoomed):
            axes.plot(steps, log.accuracy, label=plotting.legend_entry(label), **style)
        print(f"{log.label:24}{log.accuracy[-1]:8.2f} %{log.time_steps_needed:12}")
    for log in references:
        for axes in (whole, zoomed):
            label = plotting.legend_entry(f"{log.label}: {log.accuracy[-1]:.2f} %")
            axes.axhline(log.accuracy[-1], label=label, **plotting.REFERENCE_STYLE)
        print(f"{log.label:24}{log.accuracy[-1]:8.2f} %")
    whole.set(
        title=f"Accuracy of {plotting.subject(log.model for log in networks)}", ylabel="accuracy (%)", ylim=(0, 101)
    )
    finals = [log.accuracy[-1] for log in networks]
    zoomed.set(
        title="the same, around the final values",
        ylabel="accuracy (%)",
        ylim=(min(finals) - 1.25, max(finals) + 0.25),
    )
    whole.legend(loc="lower right", fontsize="small")
    for axes in (whole, zoomed):
        plotting.label_time_steps(axes)
    plotting.save(figure, plotting.picture_name("scnn_accuracy", args, [log.model for log in networks]), args.output)


if __name__ == "__main__":
    command_line.run(main)
