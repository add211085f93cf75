"""What the figure scripts share: options, colours, line styles, saving."""

from itertools import cycle
from pathlib import Path

from experiment import logs
from LeNet import options
from experiment.command_line import ArgumentParser, InputError
from experiment.disk import OutputFolder
from experiment.model import PUBLISHED_LEVELS, ROOT, log_folder, recipe_suffix, shown

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
REFERENCE_STYLE = {"color": "#444444", "linestyle": "--", "linewidth": 1.2}


def parse_arguments(docstring, draws=True):
    """--recipe, --logs and, for a script that draws, --output; the folders of --logs become Logs."""
    parser = ArgumentParser(docstring)
    options.add_recipe(parser, "of the networks' training; decides on the default logs and on names of figures")
    parser.add_argument(
        "--logs",
        type=Path,
        nargs="+",
        metavar="DIR",
        help="log folders (default: those of figs/k0, k1, k2 that exist, or of the recipe's figs/k0-<RECIPE> etc.)",
    )
    if draws:
        add_output(parser)
    args = parser.parse_args()
    usual = [log_folder(k, args.recipe) for k in PUBLISHED_LEVELS]
    folders = args.logs or [folder for folder in usual if logs.exist(folder)]
    if not folders:
        expected = ", ".join(map(shown, usual))
        raise InputError(f"no logs found, expected one of {expected}; LeNet/Spiking_LeNet_MNIST.py writes them")
    args.logs = [logs.read_logs(folder) for folder in folders]
    for log in args.logs:
        if log.run:  # logs of others do not say
            logs.check_recipe(log.run, log.folder, args.recipe)
    return args


def add_output(parser):
    """The option --output."""
    parser.add_argument(
        "--output", type=Path, default=ROOT / "figs", shown_default="figs", help="folder of the figure"
    )


def new_figure(panels=1, width_ratios=None):
    """A figure across a page, and its axes."""
    return pyplot().subplots(1, panels, figsize=(WIDTH, 3.6), layout="constrained", width_ratios=width_ratios)


def pyplot():
    """Matplotlib's pyplot in the style of the figures."""
    import matplotlib

    matplotlib.use("Agg")
    import matplotlib.pyplot as plt

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
        "svg.hashsalt": "figs",  # else every run gives other bytes
    }
    return plt


def label_time_steps(axes):
    """Names and ticks of an axis of time steps."""
    axes.set_xlabel("time step")
    axes.xaxis.get_major_locator().set_params(integer=True)


def styles():
    """A style for each network, in order, without end."""
    return cycle(STYLES)


def save(figure, name, recipe, folder):
    """Writes the figure as .png and .svg, under a name of its own for each recipe, and prints where."""
    name += recipe_suffix(recipe)
    with OutputFolder(folder) as output, output.replacing() as staging:
        figure.savefig(staging / f"{name}.png", dpi=200)
        figure.savefig(staging / f"{name}.svg", metadata={"Date": None})
    print(f"written    {shown(folder / f'{name}.png')}, {shown(folder / f'{name}.svg')}")
