"""Draws what multi-spike time steps ("bursts", up to B spikes of a neuron) and negative spikes achieve.

python bursts.py                     figs/k0, figs/logs/k0-burst-2, k0-burst-4, k0-burst-unbounded, k0-positive etc.
python bursts.py --recipe augmented  figs/logs/k0-augmented etc.

LeNet/Spiking_LeNet_MNIST.py writes the logs, with --max_spikes 2, 4 or unbounded, or with --negative_spikes False.
Those that exist are drawn. Stars are spiking networks for the same data that others trained directly.
"""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from experiment import InputError, command_line, logs, model, published, shown
from experiment.model import PUBLISHED_LEVELS
from experiment.runs import Variation, default_folder
from figs import plotting

NO_NEGATIVE = "B = 1, none negative"
VARIANTS = {  # by the name in the figure
    "B = 1": Variation(),
    "B = 2": Variation(max_spikes=2),
    "B = 4": Variation(max_spikes=4),
    "unbounded": Variation(max_spikes=None),
    NO_NEGATIVE: Variation(negative_spikes=False),
}
TICKS = dict(zip(VARIANTS, ("1", "2", "4", "∞", "1, no\nneg.")))


def main():
    parser = command_line.ArgumentParser(__doc__)
    model.add_options(parser, seed="the networks' trainings")
    plotting.add_output(parser)
    args = parser.parse_args()
    models = list(map(model.chosen(args).model, PUBLISHED_LEVELS))
    found = {named: variants for named in models if (variants := read_variants(named))}
    if not found:
        expected = ", ".join(shown(default_folder(named)) for named in models)
        raise InputError(f"no logs found, expected one of {expected}; LeNet/Spiking_LeNet_MNIST.py writes them")

    print(
        f"{'network':10}{'spikes':22}{'accuracy':>10}{'time steps':>12}{'+ spikes':>12}{'- spikes':>12}{'SOPs':>14}"
    )
    for named, variants in found.items():
        for name, log in variants.items():
            numbers = f"{log.positive_spikes[-1]:12,.0f}{log.negative_spikes[-1]:12,.0f}{log.sops[-1]:14,.0f}"
            print(f"{named.level:10}{name:22}{log.accuracy[-1]:8.2f} %{log.time_steps_needed:12}{numbers}")
    plotting.save(draw(found), next(iter(found)).figure_name("scnn_bursts"), args.output)


def read_variants(named):
    """The Logs of a Model in each variant that has been run, by the variant's name."""
    found = {}
    for name, variation in VARIANTS.items():
        folder = default_folder(named, variation)
        if not logs.exist(folder):
            continue
        found[name] = logs.read(folder)
        if found[name].model != named or found[name].run.variation != variation:
            raise InputError(f"{shown(folder)}: has logs of {found[name].label}, expected {named.label}, {name}")
    return found


def draw(found):
    """Draws a column per level: accuracy over the time steps, and below it spikes and SOPs after the last step."""
    page = {"figsize": (plotting.WIDTH, 7.2), "layout": "constrained"}
    figure, axes = plotting.pyplot().subplots(3, len(found), squeeze=False, **page)
    figure.suptitle(plotting.wrapped(f"Bursts and negative spikes of {plotting.subject(found)}"))
    for (accuracy, spikes, sops), named, (one, variants) in zip(axes.T, plotting.distinct(found), found.items()):
        for place, ((name, log), style) in enumerate(zip(variants.items(), plotting.styles())):
            # each curve has its markers at different steps, as curves may coincide
            line = plotting.emphasis(place, len(variants)) | {"markevery": (place, len(variants))}
            if name == NO_NEGATIVE:
                line["linestyle"] = "--"
            accuracy.plot(range(1, len(log.accuracy) + 1), log.accuracy, label=name, **style, **line)
            positive, negative = log.positive_spikes[-1] / 1e3, log.negative_spikes[-1] / 1e3
            spikes.bar(place, positive, color=style["color"])
            bar = spikes.bar(place, negative, bottom=positive, color=style["color"], alpha=0.5, hatch="////")
            spikes.bar_label(bar, [f"{positive + negative:.1f}"], padding=2, fontsize=7)
            sops.bar_label(
                sops.bar(place, log.sops[-1] / 1e6, color=style["color"]), fmt="%.2f", padding=2, fontsize=7
            )
        accuracy.set(title=named.label, ylim=(0, 104))
        draw_directly_trained(accuracy, one.data, [log.accuracy[-1] for log in variants.values()])
        plotting.label_time_steps(accuracy)
        for bars in (spikes, sops):
            bars.margins(y=0.15)
            bars.set_xticks(range(len(variants)), [TICKS[name] for name in variants])
            bars.grid(axis="x", visible=False)
    for row, name in zip(axes[:, 0], ("accuracy (%)", "spikes per image\n(thousand)", "SOPs per image\n(million)")):
        row.set_ylabel(name)
    title = "B: the most spikes of one sign that a neuron may fire in a time step"
    entries = axes[0, 0].get_legend_handles_labels()
    figure.legend(*entries, loc="outside lower center", ncols=3, title=title, fontsize="small")
    axes[1, 0].set_title("hatched: negative", fontsize="small")
    return figure


def draw_directly_trained(axes, data, finals):
    """Draws a star for each network that others trained directly; limits the axis to those and our final values."""
    others = published.DIRECTLY_TRAINED.get(data, ())
    for other, style in zip(others, reversed(plotting.STYLES)):
        axes.plot(
            other.time_steps, other.accuracy, label=f"theirs: {other.name}", color=style["color"], **plotting.STAR
        )
    if others:
        accuracies = [*finals, *(other.accuracy for other in others)]
        plotting.cut_axis(axes, min(accuracies) - 5, max(accuracies) + 1)


if __name__ == "__main__":
    command_line.run(main)
