"""Draws how many positive and negative spikes a neuron fires, over the time steps, from the logs.

python sparsity.py                                 figs/k0, k1 and k2
python sparsity.py --recipe augmented              figs/k0-augmented etc.
python sparsity.py --logs k0 k1 --output .         these folders
"""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from figs import plotting
from experiment import command_line
from spiking.network import LENET


def main():
    args = plotting.parse_arguments(__doc__)

    figure, axes = plotting.new_figure()
    print(f"{'network':24}{'+ spikes':>12}{'- spikes':>12}{'per image; per neuron':>26}")
    for log, style in zip(args.logs, plotting.styles()):
        steps = range(1, len(log.accuracy) + 1)
        positive, negative = log.positive_spikes, log.negative_spikes
        axes.plot(steps, positive / LENET.neurons, label=f"{log.name}: {positive[-1]:,.0f} positive", **style)
        axes.plot(
            steps,
            negative / LENET.neurons,
            label=f"{log.name}: {negative[-1]:,.0f} negative",
            linestyle=":",
            markerfacecolor="white",
            **style,
        )
        per_neuron = (positive[-1] + negative[-1]) / LENET.neurons
        print(f"{log.name:24}{positive[-1]:12,.0f}{negative[-1]:12,.0f}{per_neuron:26.3f}")
    axes.set(
        title=f"Spikes of the {LENET.neurons:,} neurons of the spiking LeNet on MNIST",
        ylabel="spikes per neuron and image,\nup to the time step",
    )
    axes.legend(title="spikes per image", loc="center left", bbox_to_anchor=(1, 0.5))
    plotting.label_time_steps(axes)
    plotting.save(figure, "scnn_spike_neuron_mnist", args.recipe, args.output)


if __name__ == "__main__":
    command_line.run(main)
