"""What the figure scripts share: options, colours, line styles, names of figures, saving."""

import logging
import os
import warnings
from dataclasses import replace
from itertools import cycle

from experiment import ROOT, InputError, command_line, digest, logs, model, published, runs, shown
from experiment.disk import OutputFolder
from experiment.model import LENET, MNIST, PUBLISHED_LEVELS
from spiking.network import FULL_PRECISION

LONGEST_NAME = 200  # bytes, of which file systems have room for 255
WIDTH = 7.0  # inches, of a figure across a page
# Okabe and Ito's colours, which colour-blind people tell apart; the markers differ as well
STYLES = (
    {"color": "#0072B2", "marker": "o"},
    {"color": "#D55E00", "marker": "s"},
    {"color": "#009E73", "marker": "^"},
    {"color": "#CC79A7", "marker": "D"},
    {"color": "#E69F00", "marker": "v"},
    {"color": "#56B4E9", "marker": "P"},
)
DATA_NAMES = {MNIST: "MNIST", published.FASHION_MNIST: "Fashion-MNIST"}
IDENTITY = ("network", "data", "recipe", "seed")  # of a model, beside its level
PAPERS = model.Model(PUBLISHED_LEVELS[0])  # the paper's; logs without a run.json are taken for one of it
STAR = {
    "linestyle": "none",
    "marker": "*",
    "markersize": 10,
    "markeredgecolor": "black",
    "markeredgewidth": 0.6,
    "zorder": 3,  # before the curves
}
REFERENCE_STYLE = {"color": "#444444", "linestyle": "--", "linewidth": 1.2}


def parse_arguments(docstring, draws=True):
    """The options of a script that reads logs: those that name a model, --logs and, if it draws, --output."""
    parser = command_line.ArgumentParser(docstring)
    model.add_options(parser, seed="the networks' trainings")
    parser.add_argument(
        "--logs",
        type=command_line.path,
        nargs="+",
        metavar="DIR",
        default_text="those of figs/k0, k1, k2 that exist, or of figs/logs/k0-augmented etc. with other options",
        help="log folders",
    )
    if draws:
        add_output(parser)
    return parser.parse_args()


def add_output(parser, of="figure"):
    """The option --output."""
    folder = {"type": command_line.path, "metavar": "DIR", "default": ROOT / "figs", "default_text": "figs"}
    parser.add_argument("--output", **folder, help=f"folder of the {of}")


def read_logs(args):
    """The Logs of spiking networks that the options choose.

    Raises InputError where there are none, or where those of --logs are not of the model that other options name.
    """
    models = [model.chosen(args).model(k) for k in PUBLISHED_LEVELS]
    places = [runs.default_folder(named) for named in models]
    folders = args.logs or list(filter(logs.exist, places))
    if not folders:
        expected = ", ".join(map(shown, places))
        raise InputError(f"no logs found, expected one of {expected}; LeNet/Spiking_LeNet_MNIST.py writes them")
    if len({folder.resolve() for folder in folders}) < len(folders):
        raise InputError("argument --logs: found a folder twice, expected each once")
    found = logs.uniquely_labelled([logs.read(folder) for folder in folders])
    for log in found:
        if log.spike_num is None:
            raise InputError(f"{shown(log.folder)}: is of full precision, expected logs of a spiking network")
        for name in IDENTITY:
            if (log.model is not None and args.logs is None) or getattr(args, name) is not None:
                expected = getattr(models[0], name)
                if log.model is None or getattr(log.model, name) != expected:
                    raise InputError(
                        f"{shown(log.folder)}: is of {log.label}, expected logs of a model with {name} {expected}"
                    )
    return found


def full_precision(found):
    """The Logs of the full-precision networks of the same layers, data, recipe and seed as the given ones."""
    models = dict.fromkeys(log.model.at(FULL_PRECISION) for log in found if log.model is not None)
    references = []
    for named in models:
        if logs.exist(folder := runs.default_folder(named)):
            log = logs.read(folder)
            if log.model != named or log.spike_num is not None:
                raise InputError(f"{shown(log.folder)}: is of {log.label}, expected {named.label}")
            references.append(log)
    return references


def labels(found):
    """Of each of the Logs in a legend below the title of `subject`."""
    short = distinct(log.model for log in found)
    return [
        log.label if log.model is None else one.label + log.label.removeprefix(log.model.label)
        for log, one in zip(found, short)
    ]


def distinct(models):
    """The models without what all have in common, so that their labels say what the title of `subject` does not."""
    models = [one or PAPERS for one in models]
    return [replace(one, **{name: getattr(PAPERS, name) for name in alike(models)}) for one in models]


def subject(models):
    """What a figure of some models is about, for its title: "the spiking LeNet on MNIST, augmented"."""
    common = alike([one or PAPERS for one in models])
    network, data = common.pop("network", None), common.pop("data", None)
    words = f"the spiking {'LeNet' if network == LENET else network}" if network else "spiking networks"
    place = f" on {DATA_NAMES.get(data, data)}" if data else ""
    return ", ".join([words + place, *replace(PAPERS, **common).differences])


def alike(models):
    """What all models have in common, by name."""
    values = {name: {getattr(one, name) for one in models} for name in IDENTITY}
    return {name: found.pop() for name, found in values.items() if len(found) == 1}


def picture_name(name, args, found):
    """Of a figure of some Logs; the folders of --logs tell it from the picture of the default."""
    if not args.logs:
        return model.chosen(args).model(PUBLISHED_LEVELS[0]).figure_name(name)
    folders = [log.folder.resolve() for log in found]
    data = {MNIST if log.model is None else log.model.data for log in found}
    words = "-".join([f"{name}_{data.pop() if len(data) == 1 else 'several'}", *(path.name for path in folders)])
    defaults = [log.run and log.run.folder for log in found]
    short = len(os.fsencode(words)) <= LONGEST_NAME
    if folders == defaults and short:
        return words
    return f"{words if short else words[: model.SHORTENED]}~{digest(*map(str, folders))}"


def new_figure(panels=1, width_ratios=None):
    """A figure across a page, and its axes."""
    return pyplot().subplots(1, panels, figsize=(WIDTH, 3.6), layout="constrained", width_ratios=width_ratios)


def default_matplotlib():
    """Matplotlib with its defaults and its pyplot, whatever the user's own settings are."""
    os.environ |= {"MPLBACKEND": "agg", "MATPLOTLIBRC": os.devnull}
    logging.getLogger("matplotlib").setLevel(logging.ERROR)  # it would tell of an unwritable home
    try:
        import matplotlib
        import matplotlib.pyplot
    except UnicodeDecodeError as error:  # it reads those of the current folder and of the user in any case
        raise InputError(f"a matplotlibrc or a style of Matplotlib: damaged ({error}), expected UTF-8") from None
    matplotlib.use("agg")
    matplotlib.rcdefaults()
    return matplotlib


def pyplot():
    """Matplotlib's pyplot in the style of the figures."""
    matplotlib = default_matplotlib()
    matplotlib.rcParams |= {
        "font.size": 9,
        "axes.grid": True,
        "grid.color": "#dddddd",
        "axes.axisbelow": True,
        "axes.spines.top": False,
        "axes.spines.right": False,
        "lines.linewidth": 1.6,
        "lines.markersize": 4,
        "legend.frameon": False,
        "text.parse_math": False,  # names of folders may have dollar signs
        "svg.hashsalt": "figs",  # else every run gives other bytes
    }
    return matplotlib.pyplot


def published_of(log):
    """What Zou et al. (2023) published of the network of these Logs; nothing if it was trained or run otherwise."""
    comparable = log.run and not log.run.identity.shortfall and not log.run.variation.parts
    return published.of(log.model) if comparable else published.NOTHING


def draw_published_accuracy(axes, theirs, name, style):
    """A Published's accuracy over the time steps, dotted, in a style's colour; a star where it has the last alone."""
    label, color = f"{name}: published", style["color"]
    if theirs.accuracy:
        curve = {"linestyle": ":", "linewidth": 1.4, "marker": "."}
        axes.plot(theirs.accuracy.keys(), theirs.accuracy.values(), color=color, label=label, **curve)
    elif accuracy := theirs.results.get("SNN accuracy (%)"):
        axes.plot(runs.TIME_STEPS, accuracy, color=color, label=label, **STAR)


def mark_published(axes, found, quantity, scales):
    """Stars after 20 time steps for a published quantity of each network, over its scale; one entry in the legend."""
    for log, scale, style in zip(found, scales, styles()):
        if value := published_of(log).results.get(quantity):
            if "published" not in axes.get_legend_handles_labels()[1]:
                axes.plot([], color="white", label="published", **STAR)
            axes.plot(runs.TIME_STEPS, value / scale, color=style["color"], **STAR)


def emphasis(number, of):
    """Line width and size of markers of the number-th of so many curves: later ones, drawn on top, hide less."""
    share = number / max(of - 1, 1)
    return {"linewidth": 3.2 - 2.0 * share, "markersize": 6.5 - 3.5 * share}


def cut_axis(axes, low, high):
    """Lets the y axis run from low to high, and marks at its foot that it does not begin at 0."""
    axes.set_ylim(low, high)
    mark = {"marker": [(-1, -0.5), (1, 0.5)], "markersize": 8, "color": "black", "clip_on": False}
    axes.plot([0, 0], [0.02, 0.05], transform=axes.transAxes, linestyle="none", **mark)


def legend_entry(label):
    """A label that Matplotlib shows: it leaves out those that begin with an underscore."""
    return f" {label}" if label.startswith("_") else label


def label_time_steps(axes):
    """Names and ticks of an axis of time steps."""
    axes.set_xlabel("time step")
    axes.xaxis.get_major_locator().set_params(integer=True)


def styles():
    """A style for each network, in order, without end."""
    return cycle(STYLES)


def table_row(cells):
    """A row of a table in Markdown."""
    return f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in cells)} |"


def save(figure, name, folder):
    """Writes the figure as .png and .svg and prints where."""
    with OutputFolder(folder) as output, output.replacing() as staging, warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # names of folders may be long, or in letters that no font has
        figure.savefig(staging / f"{name}.png", dpi=200)
        figure.set_layout_engine("none")  # what has been laid out need not be again, which takes as long as drawing
        figure.savefig(staging / f"{name}.svg", metadata={"Date": None})
    print(f"written    {shown(folder / f'{name}.png')}, {shown(folder / f'{name}.svg')}")
