"""What the figure scripts share: options, logs, colours and line styles, names of figures, saving."""

import logging
import os
import textwrap
import warnings
from dataclasses import replace
from itertools import cycle

from experiment import ROOT, InputError, command_line, digest, logs, model, published, runs, shown
from experiment.disk import output_folder, replacing
from experiment.model import LENET, MNIST, PUBLISHED_LEVELS
from experiment.weights import refuse_contradiction
from spiking.network import FULL_PRECISION

MAX_NAME = 200  # bytes; file systems have room for 255
WIDTH = 7.0  # inches, of a figure as wide as a page
LETTERS_PER_LINE, LETTERS_PER_PANEL = 75, 52  # of a title
# Okabe and Ito's colours, which colour-blind people can distinguish; the markers differ as well
STYLES = (
    {"color": "#0072B2", "marker": "o"},
    {"color": "#D55E00", "marker": "s"},
    {"color": "#009E73", "marker": "^"},
    {"color": "#CC79A7", "marker": "D"},
    {"color": "#E69F00", "marker": "v"},
    {"color": "#56B4E9", "marker": "P"},
)
DATA_NAMES = {MNIST: "MNIST", published.FASHION_MNIST: "Fashion-MNIST"}
SHARED_FIELDS = ("network", "data", "recipe", "seed")  # all of a Model's fields that figures name, except its level
PAPER_MODEL = model.Model(PUBLISHED_LEVELS[0])  # the paper's Model; logs without a run.json are assumed to be of it
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
    """Parses the options of a script that reads logs: those that name a Model, --logs and, if it draws, --output."""
    parser = command_line.ArgumentParser(docstring)
    model.add_options(parser, seed="the networks' trainings")
    parser.add_argument(
        "--logs",
        type=command_line.path,
        nargs="+",
        metavar="DIR",
        default_text="those of figs/k0, k1, k2 that exist, or of figs/logs/k0-augmented etc. with other options",
        help="folders of logs",
    )
    if draws:
        add_output(parser)
    return parser.parse_args()


def add_output(parser, of="figure"):
    """Adds the option --output."""
    folder = {"type": command_line.path, "metavar": "DIR", "default": ROOT / "figs", "default_text": "figs"}
    parser.add_argument("--output", **folder, help=f"folder of the {of}")


def read_logs(args):
    """The Logs of spiking networks that the options choose.

    Raises InputError if there are none, or if those of --logs are not of the Model that other options name.
    """
    choice = model.chosen(args)
    models = [choice.model(k) for k in PUBLISHED_LEVELS]
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
            raise InputError(f"{shown(log.folder)}: has full precision, expected logs of a spiking network")
        binding = {name for name in SHARED_FIELDS if args.logs is None or getattr(choice, name) is not None}
        refuse_contradiction(log.folder, log.model or PAPER_MODEL, models[0], binding)
    return found


def full_precision(found):
    """The Logs of the full-precision networks with the same layers, data, recipe and seed as the given Logs."""
    models = dict.fromkeys(log.model.at(FULL_PRECISION) for log in found if log.model is not None)
    references = []
    for named in models:
        if logs.exist(folder := runs.default_folder(named)):
            log = logs.read(folder)
            if log.model != named or log.spike_num is not None:
                raise InputError(f"{shown(log.folder)}: has logs of {log.label}, expected {named.label}")
            references.append(log)
    return references


def labels(found):
    """A label for each of the Logs in a legend, below a title made by `subject`."""
    short = distinct(log.model for log in found)
    return [
        log.label if log.model is None else one.label + log.label.removeprefix(log.model.label)
        for log, one in zip(found, short)
    ]


def distinct(models):
    """The Models with the paper's value in each field on which all agree: `subject` puts these into the title."""
    models = [one or PAPER_MODEL for one in models]
    return [replace(one, **{name: getattr(PAPER_MODEL, name) for name in alike(models)}) for one in models]


def subject(models):
    """The subject of a figure of some Models, for its title: "the spiking LeNet on MNIST, augmented"."""
    common = alike([one or PAPER_MODEL for one in models])
    network, data = common.pop("network", None), common.pop("data", None)
    words = f"the spiking {'LeNet' if network == LENET else network}" if network else "spiking networks"
    place = f" on {DATA_NAMES.get(data, data)}" if data else ""
    return ", ".join([words + place, *replace(PAPER_MODEL, **common).differences])


def wrapped(title, panel=False):
    """The title of a figure, or of one of its panels, in as many lines as it takes."""
    return textwrap.fill(title, LETTERS_PER_PANEL if panel else LETTERS_PER_LINE)


def alike(models):
    """The fields of SHARED_FIELDS, by name, in which all Models agree."""
    values = {name: {getattr(one, name) for one in models} for name in SHARED_FIELDS}
    return {name: found.pop() for name, found in values.items() if len(found) == 1}


def picture_name(name, args, found):
    """The name of a figure of some Logs; it contains the folders of --logs unless those are the default."""
    if not args.logs:
        return model.chosen(args).model(PUBLISHED_LEVELS[0]).figure_name(name)
    folders = [log.folder.resolve() for log in found]
    data = {MNIST if log.model is None else log.model.data for log in found}
    words = "-".join([f"{name}_{data.pop() if len(data) == 1 else 'several'}", *(path.name for path in folders)])
    defaults = [log.run and log.run.folder for log in found]
    short = len(os.fsencode(words)) <= MAX_NAME
    if folders == defaults and short:
        return words
    return f"{words if short else words[: model.SHORTENED]}~{digest(*map(str, folders))}"


def new_figure(panels=1, width_ratios=None):
    """A figure as wide as a page, and its axes."""
    return pyplot().subplots(1, panels, figsize=(WIDTH, 3.6), layout="constrained", width_ratios=width_ratios)


def accuracy_axes():
    """A figure and its two axes for accuracies in percent over the time steps: the whole range, and its top."""
    figure, (whole, zoomed) = new_figure(panels=2)
    whole.set(title="from 0 to 100 %", ylim=(0, 103))
    zoomed.set(title="around the final values (cut axis)")
    for axes in (whole, zoomed):
        axes.set_ylabel("accuracy (%)")
        label_time_steps(axes)
    return figure, (whole, zoomed)


def default_matplotlib():
    """Matplotlib with its defaults and its pyplot, whatever the user's own settings are."""
    os.environ |= {"MPLBACKEND": "agg", "MATPLOTLIBRC": os.devnull}
    logging.getLogger("matplotlib").setLevel(logging.ERROR)  # or it warns of an unwritable home
    try:
        import matplotlib
        import matplotlib.pyplot
    except UnicodeDecodeError as error:  # Matplotlib reads the files of the current folder and the user anyway
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
        "svg.hashsalt": "figs",  # otherwise every run gives different bytes
    }
    return matplotlib.pyplot


def published_of(log):
    """What Zou et al. (2023) published of the Logs' network; nothing if ours was trained or run differently."""
    comparable = log.run and not log.run.identity.shortfall and not log.run.variation.parts
    return published.of(log.model) if comparable else published.NOTHING


def draw_published_accuracy(axes, theirs, name, style):
    """Draws a published accuracy over the time steps as a dotted line, or as a star if only the last one is known."""
    label, color = f"{name}: published", style["color"]
    if theirs.accuracy:
        curve = {"linestyle": ":", "linewidth": 1.4, "marker": "."}
        axes.plot(theirs.accuracy.keys(), theirs.accuracy.values(), color=color, label=label, **curve)
    elif accuracy := theirs.results.get("SNN accuracy (%)"):
        axes.plot(runs.TIME_STEPS, accuracy, color=color, label=label, **STAR)


def mark_published(axes, found, quantity, scales):
    """Draws stars at 20 time steps for a published quantity of each network, divided by its scale."""
    for log, scale, style in zip(found, scales, styles()):
        if value := published_of(log).results.get(quantity):
            if "published" not in axes.get_legend_handles_labels()[1]:
                axes.plot([], color="white", label="published", **STAR)
            axes.plot(runs.TIME_STEPS, value / scale, color=style["color"], **STAR)


def emphasis(number, of):
    """Line width and marker size of curve `number` among `of` curves: later ones, drawn on top, are thinner."""
    share = number / max(of - 1, 1)
    return {"linewidth": 3.2 - 2.0 * share, "markersize": 6.5 - 3.5 * share}


def cut_axis(axes, low, high):
    """Limits the y axis to low and high, and marks at its foot that it does not begin at 0."""
    axes.set_ylim(low, high)
    mark = {"marker": [(-1, -0.5), (1, 0.5)], "markersize": 8, "color": "black", "clip_on": False}
    axes.plot([0, 0], [0.02, 0.05], transform=axes.transAxes, linestyle="none", **mark)


def legend_entry(label):
    """The label in a form that Matplotlib shows, as it omits those that begin with an underscore."""
    return f" {label}" if label.startswith("_") else label


def label_time_steps(axes):
    """Labels the x axis as time steps, with integer ticks."""
    axes.set_xlabel("time step")
    axes.xaxis.get_major_locator().set_params(integer=True)


def styles():
    """An endless iterator over the styles of networks."""
    return cycle(STYLES)


def table_row(cells):
    """A row of a table in Markdown."""
    return f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in cells)} |"


def save(figure, name, folder):
    """Writes the figure as .png and .svg files and prints their names."""
    with output_folder(folder) as output, replacing(output) as staging, warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # names of folders may be long, or need letters that no font has
        figure.savefig(staging / f"{name}.png", dpi=200)
        figure.set_layout_engine("none")  # the layout is done; repeating it takes as long as drawing
        figure.savefig(staging / f"{name}.svg", metadata={"Date": None})
    pyplot().close(figure)
    print(f"written    {shown(folder / f'{name}.png')}, {shown(folder / f'{name}.svg')}")
