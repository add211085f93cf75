"""Draws how many positive and negative spikes a neuron fires over the time steps, from the logs.

Stars are what Zou et al. (2023) published.

python sparsity.py                                 figs/k0, k1 and k2
python sparsity.py --recipe augmented              figs/logs/k0-augmented etc.
python sparsity.py --logs k0 k1 --output .         these folders
"""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from experiment import command_line
from figs import plotting


def main():
    args = plotting.parse_arguments(__doc__)
    logs = plotting.read_logs(args)

    figure, axes = plotting.new_figure()
    print(f"{'network':24}{'+ spikes':>12}{'- spikes':>12}{'per image; per neuron':>26}")
    for log, name, style in zip(logs, plotting.labels(logs), plotting.styles()):
        steps = range(1, len(log.accuracy) + 1)
        positive, negative, neurons = log.positive_spikes, log.negative_spikes, log.network.neurons
        entry = plotting.legend_entry(f"{name}: {positive[-1]:,.0f} positive")
        axes.plot(steps, positive / neurons, label=entry, **style)
        entry = plotting.legend_entry(f"{name}: {negative[-1]:,.0f} negative")
        axes.plot(steps, negative / neurons, label=entry, linestyle=":", markerfacecolor="white", **style)
        per_neuron = (positive[-1] + negative[-1]) / neurons
        print(f"{log.label:24}{positive[-1]:12,.0f}{negative[-1]:12,.0f}{per_neuron:26.3f}")
    for quantity in ("+ spikes", "- spikes"):
        plotting.mark_published(axes, logs, quantity, [log.network.neurons for log in logs])
    sizes = sorted({log.network.neurons for log in logs})
    neurons = f"{' or '.join(f'{size:,}' for size in sizes)} neurons"
    axes.set(
        title=f"Spikes of the {neurons} of\n"
        + plotting.wrapped(plotting.subject(log.model for log in logs), panel=True),
        ylabel="spikes per neuron and image,\nup to the time step",
    )
    axes.legend(title="spikes per image", loc="center left", bbox_to_anchor=(1, 0.5))
    plotting.label_time_steps(axes)
    plotting.save(figure, plotting.picture_name("scnn_spike_neuron", args, logs), args.output)


if __name__ == "__main__":
    command_line.run(main)
