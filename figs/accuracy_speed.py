"""Draws the accuracy of the spiking networks over the time steps from their logs, with the published accuracy.

python accuracy_speed.py                                 figs/k0, k1 and k2
python accuracy_speed.py --recipe augmented              figs/logs/k0-augmented etc.
python accuracy_speed.py --logs k0 k1 --output .         these folders
"""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from experiment import command_line
from figs import plotting


def main():
    args = plotting.parse_arguments(__doc__)
    logs = plotting.read_logs(args)
    references = plotting.full_precision(logs)

    figure, (whole, zoomed) = plotting.accuracy_axes()
    print(f"{'network':24}{'accuracy':>10}{'time steps':>12}")
    names = plotting.labels([*logs, *references])
    for number, (log, name, style) in enumerate(zip(logs, names, plotting.styles())):
        steps = range(1, len(log.accuracy) + 1)
        label = f"{name}: {log.accuracy[-1]:.2f} % from time step {log.time_steps_needed} on"
        style = style | plotting.emphasis(number, len(logs))
        for axes in (whole, zoomed):
            axes.plot(steps, log.accuracy, label=plotting.legend_entry(label), **style)
            plotting.draw_published_accuracy(axes, plotting.published_of(log), name, style)
        print(f"{log.label:24}{log.accuracy[-1]:8.2f} %{log.time_steps_needed:12}")
    for log, name in zip(references, names[len(logs) :]):
        for axes in (whole, zoomed):
            label = plotting.legend_entry(f"{name}: {log.accuracy[-1]:.2f} %")
            axes.axhline(log.accuracy[-1], label=label, **plotting.REFERENCE_STYLE)
        print(f"{log.label:24}{log.accuracy[-1]:8.2f} %")
    figure.suptitle(plotting.wrapped(f"Accuracy of {plotting.subject(log.model for log in logs)}"))
    finals = [log.accuracy[-1] for log in (*logs, *references)]
    finals += filter(None, (plotting.published_of(log).results.get("SNN accuracy (%)") for log in logs))
    plotting.cut_axis(zoomed, min(finals) - 1.25, max(finals) + 0.25)
    whole.legend(loc="lower right", fontsize="small")
    plotting.save(figure, plotting.picture_name("scnn_accuracy", args, logs), args.output)


if __name__ == "__main__":
    command_line.run(main)
