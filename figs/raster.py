"""Draws what happens inside a spiking network while it processes one image.

python raster.py                                    the network of k=0 processes image 0
python raster.py --k 1 --image 7 --output .         another network and image
python raster.py --image digit.png                  a picture of one digit, dark on light or light on dark
python raster.py --k 2 --steps 1 8                  only these time steps
python raster.py --recipe augmented                 the network of our own recipe
"""

import math
import re
import sys
import textwrap
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import numpy as np

from experiment import InputError, command_line, digest, images, model, printable, weights
from experiment.digit import IMAGE_SIZE, read_digit
from experiment.runs import TIME_STEPS, Variation, last_step_with_spikes, time_steps_needed
from figs import plotting

K = 0  # if neither --k nor --weights gives it
# the three colours of a map differ threefold in contrast, so that they can be distinguished in grey as well
POSITIVE, NEGATIVE, NO_SPIKE = "#FFD166", "#1F78C8", "#282828"
BETWEEN_CHANNELS, EMPTY_FIELD, CHOSEN_CLASS = "#000000", "#f0f0f0", "#009E73"
OTHER_CLASS, QUIET_TEXT = "#767676", "#6b6b6b"
# in inches: the column with the names of the rows, the maps, the gap between them, the space above and below
NAMES_WIDTH, NARROWEST_MAP, WIDEST_MAP, GAP, HEADER, FOOTER = 1.5, 0.7, 1.4, 0.09, 0.5, 0.5
IMAGE_HEIGHT, NAME_HEIGHT, CLASS_HEIGHT = 0.7, 0.42, 0.13
DIGIT_SHARE = 0.07  # of the narrowest map's width, which a digit below its axis takes
NARROWEST_PAGE, TITLE_LINE, LETTERS_PER_INCH = 3.5, 0.18, 12  # the legend needs that width
MAX_STEPS_OF_A_PAGE = 12  # steps that are still legible at the width of a page


def parse_arguments():
    parser = command_line.ArgumentParser(__doc__)
    model.add_options(parser, k=K)
    model.add_weights(parser)
    add = parser.add_argument
    meaning = "number of a test image, or a picture of one digit on evenly lit paper, as shadows count as ink"
    add("--image", type=image_option, default=0, default_text="0", metavar="N|FILE", help=meaning)
    steps = command_line.Number(int, 1, 100)
    add("--time_steps", type=steps, default=TIME_STEPS, help="how many time steps are simulated")
    default = "from 1 to the first in which nothing fires any more"
    add("--steps", type=steps, nargs=2, metavar=("A", "B"), default_text=default, help="show time steps A to B")
    plotting.add_output(parser)
    args = parser.parse_args()
    if args.steps and not args.steps[0] <= args.steps[1] <= args.time_steps:
        found, expected = "{} {}".format(*args.steps), f"A <= B <= {args.time_steps}"
        raise InputError(f"argument --steps: found {found}, expected {expected}")
    return args


def image_option(text):
    """Option type: the number of a test image, or the Path of a picture."""
    return command_line.Number(int, 0)(text) if re.fullmatch(r"-?\d+", text) else command_line.path(text)


def main():
    args = parse_arguments()
    trained = weights.load(model.chosen(args), K, converts=True)
    k = trained.level(args.k)
    pixels, name, label = read_image(args, trained)

    from spiking_utils import SpikingNetwork

    snn = SpikingNetwork(trained.weights, trained.network, k, args.time_steps)
    activity = snn.run(pixels[None])
    spikes = [train.to_dense()[0] for train in activity.trains]  # (time steps, h, w, channels) each
    potentials = activity.potentials[0] * 2.0**-snn.classifier.exponent  # (time steps, classes)
    steps = range(args.steps[0] - 1, args.steps[1]) if args.steps else until_silence(spikes)

    print(", ".join(filter(None, [f"image      {name.removeprefix('test image ')}", label])))
    report(spikes, potentials, steps)
    conversion = Variation(k=None if k == trained.model.k else k).parts
    what = ", ".join([name, trained.model.label, *(words for _, words in conversion)])
    part = " (--steps A B shows a part)" if len(steps) > MAX_STEPS_OF_A_PAGE else ""
    title = f"Every spike of the {trained.network.neurons:,} neurons, step by step{part}: {what}"
    figure = draw(title, pixels, label, spikes, potentials, steps)
    plotting.save(figure, picture_name(args, trained.model, conversion), args.output)


def read_image(args, trained):
    """The pixels, uint8 (h, w, channels), of the image that the options choose, its name, and its label if known."""
    if isinstance(args.image, Path):
        height, width, channels = trained.network.input_shape
        if (height, width, channels) != (IMAGE_SIZE, IMAGE_SIZE, 1):
            size, expected = f"{height} x {width} x {channels}", f"{IMAGE_SIZE} x {IMAGE_SIZE} x 1"
            raise InputError(
                f"argument --image: found a picture for a network of {size}, expected a network of {expected}"
            )
        return read_digit(args.image)[..., None], printable(args.image.name), ""
    test = images.load_test(args.data or trained.model.images, trained.network)
    if args.image >= len(test.pixels):
        raise InputError(f"argument --image: found {args.image}, expected at most {len(test.pixels) - 1}")
    return test.pixels[args.image], f"test image {args.image}", f"label {test.labels[args.image]}"


def picture_name(args, drawn_model, conversion):
    """The figure's name, which contains all settings that are not the default."""
    settings = [drawn_model.level] if drawn_model.k != K else []
    settings += [part for part, _ in conversion]
    if isinstance(args.image, Path):
        settings += [f"image-{args.image.stem[: model.SHORTENED]}~{digest(str(args.image.resolve()))}"]
    elif args.image:
        settings += [f"image{args.image}"]
    settings += [f"steps{args.time_steps}"] if args.time_steps != TIME_STEPS else []
    settings += ["shown{}-{}".format(*args.steps)] if args.steps else []
    return "-".join([drawn_model.figure_name("scnn_raster"), *settings])


def until_silence(spikes):
    """The time steps, counted from 0, up to the first one from which no neuron fires any more."""
    return range(min(max(map(last_step_with_spikes, spikes)) + 1, len(spikes[0])))


def report(spikes, potentials, steps):
    """Prints the numbers of the figure."""
    print(f"{'':10}{'neurons':>10}{'+ spikes':>10}{'- spikes':>10}{'last in step':>14}")
    for number, block in enumerate(spikes, start=1):
        positive, negative, last = (block > 0).sum(), (block < 0).sum(), last_step_with_spikes(block)
        print(f"{f'block {number}':10}{block[0].size:10,}{positive:10,}{negative:10,}{last or 'none':>14}")
    print(f"{'potential':10}{''.join(f'{number:7}' for number in range(potentials.shape[1]))}")
    for step in steps:
        print(f"{f'step {step + 1}':10}{''.join(f' {potential:6.2f}' for potential in potentials[step])}")
    chosen = potentials.argmax(axis=1)
    print(f"chosen     class {chosen[-1]}, {since(chosen, spikes)}")


def since(chosen, spikes):
    """Says since when the final class has been chosen, or that it is not settled because neurons still fire."""
    if max(map(last_step_with_spikes, spikes)) == len(chosen):
        return f"not settled: neurons still fire in step {len(chosen)}"
    return f"from step {time_steps_needed(chosen)} on"


def feature_maps(spikes):
    """Arranges the spikes of a time step, (h, w, channels), as one map with the channels side by side in rows.

    Of all grids without empty places that are at least as wide as high, it is the one closest to a square. Channels
    are separated by a gap of one neuron, filled with NaN, unless each is a single neuron.
    """
    height, width, channels = spikes.shape
    columns = next(n for n in range(math.isqrt(channels - 1) + 1, channels + 1) if channels % n == 0)
    gap = int(height * width > 1)
    tiles = np.full((channels, height + gap, width + gap), np.nan)
    tiles[:, :height, :width] = spikes.transpose(2, 0, 1)
    rows = tiles.reshape(-1, columns, height + gap, width + gap).transpose(0, 2, 1, 3)
    grid = rows.reshape(-1, columns * (width + gap))
    return grid[: len(grid) - gap, : grid.shape[1] - gap]


def draw(title, image, label, spikes, potentials, steps):
    """Draws a column for each time step, with a row for the image, for each block and for the class potentials.

    Parameters
    ----------
    title : str
    image : uint8 array (h, w, channels), RGB if there are three channels
    label : str, empty if there is none
    spikes : list of int32 arrays (time steps, h, w, channels), one for each block
    potentials : float array (time steps, classes)
    steps : range of the time steps to show, counted from 0
    """
    maps = [[feature_maps(block[step]) for step in steps] for block in spikes]
    width = np.clip((plotting.WIDTH - NAMES_WIDTH) / len(steps) - GAP, NARROWEST_MAP, WIDEST_MAP)
    map_heights = [max(width * row[0].shape[0] / row[0].shape[1], NAME_HEIGHT) for row in maps]
    potentials_height = CLASS_HEIGHT * max(potentials.shape[1], 8)  # enough for the words beside it
    figure, axes = grid_of_axes(title, len(steps), width, [IMAGE_HEIGHT, *map_heights, potentials_height])
    for axis in axes[:-1].flat:
        axis.set(xticks=[], yticks=[])
        axis.spines[:].set_visible(False)
    for step, axis in zip(steps, axes[0]):
        axis.set_title(f"step {step + 1}", fontsize=9)
    draw_image(axes[0], image, label, steps)
    colours = spike_colours(figure)
    for number, (row, block, block_maps) in enumerate(zip(axes[1:], spikes, maps), start=1):
        draw_block(row, f"block {number}", block, block_maps, colours, steps)
    draw_potentials(axes[-1], potentials, steps, since(potentials.argmax(axis=1), spikes))
    return figure


def grid_of_axes(title, columns, width, heights):
    """A figure with a title, and its axes of the given width and heights, an array (rows, columns).

    All places are computed here because Matplotlib's constrained layout differs in the last bits from run to run.
    """
    page_width = max(NAMES_WIDTH + columns * (width + GAP), NARROWEST_PAGE)
    lines = textwrap.wrap(title, int(LETTERS_PER_INCH * page_width))
    header = HEADER + TITLE_LINE * max(len(lines) - 1, 0)
    page_height = header + sum(heights) + (len(heights) - 1) * GAP + FOOTER
    figure = plotting.pyplot().figure(figsize=(page_width, page_height))
    figure.suptitle("\n".join(lines), fontsize=10.5, y=1 - 0.06 / page_height)
    axes = np.empty((len(heights), columns), object)
    bottom = page_height - header
    for row, height in enumerate(heights):
        bottom -= height
        for column in range(columns):
            left = NAMES_WIDTH + column * (width + GAP)
            place = (left / page_width, bottom / page_height, width / page_width, height / page_height)
            axes[row, column] = figure.add_axes(place)
        bottom -= GAP
    return figure, axes


def spike_colours(figure):
    """Adds the legend of the spikes to a figure and returns their colour map."""
    from matplotlib.colors import ListedColormap
    from matplotlib.patches import Patch

    meanings = {"spike +1": POSITIVE, "spike −1": NEGATIVE, "no spike": NO_SPIKE}
    handles = [Patch(color=colour, label=meaning) for meaning, colour in meanings.items()]
    figure.legend(handles=handles, loc="lower center", ncols=len(handles), handlelength=1.2, columnspacing=1.5)
    return ListedColormap([NEGATIVE, NO_SPIKE, POSITIVE]).with_extremes(bad=BETWEEN_CHANNELS)


def draw_image(row, image, label, steps):
    """Draws the image in step 1, or beside the row if that is not shown, and the other steps as without input."""
    name_row(row[0], "image", label)
    grey = np.repeat(image.mean(axis=2, keepdims=True).astype(np.uint8), 3, axis=2)
    if steps[0] == 0:
        axis, *quiet = row
    else:
        quiet, width = row, row[0].get_position().width * row[0].figure.get_figwidth()
        axis = row[0].inset_axes([(0.1 - NAMES_WIDTH) / width, 0, IMAGE_HEIGHT / width, 1])
        axis.set_axis_off()
    axis.imshow(image if image.shape[2] == 3 else grey, interpolation="none")
    for axis in quiet:
        draw_empty(axis, "no input", image.shape)


def draw_block(row, name, spikes, maps, colours, steps):
    """Draws a block's map in each step that is shown, and writes how many spikes it has fired in total."""
    last, positive, negative = last_step_with_spikes(spikes), (spikes > 0).sum(), (spikes < 0).sum()
    silence = f"silent after step {last}" if last < len(spikes) else f"still firing in step {last}"
    silence = silence if last else "never fires"
    name_row(row[0], f"{name}: {' × '.join(map(str, spikes.shape[1:]))}", f"+{positive:,}   −{negative:,}\n{silence}")
    for axis, step, spike_map in zip(row, steps, maps):
        if step < last:
            axis.imshow(spike_map, cmap=colours, vmin=-1, vmax=1, interpolation="none")
        else:
            draw_empty(axis, "silent", spike_map.shape)


def draw_empty(axis, reason, shape):
    """Draws a field with a reason in the place of an image of this shape."""
    axis.set(xlim=(0, shape[1]), ylim=(0, shape[0]), aspect="equal", facecolor=EMPTY_FIELD)
    axis.text(0.5, 0.5, reason, transform=axis.transAxes, ha="center", va="center", color=QUIET_TEXT, fontsize=8)


def draw_potentials(row, potentials, steps, chosen_since):
    """Draws the class potentials after each step that is shown, with the chosen class in colour."""
    chosen = potentials.argmax(axis=1)
    drawn = potentials[steps[0] : steps[-1] + 1]
    low, high = min(drawn.min(), 0), max(drawn.max(), 0)
    margin = 0.05 * (high - low) or 1
    for axis, values, highest in zip(row, drawn, chosen[steps[0] :]):
        bars = axis.barh(range(len(values)), values, height=0.8, color=OTHER_CLASS)
        bars[highest].set_color(CHOSEN_CLASS)
        axis.axvline(0, color="#444444", linewidth=0.8)
        axis.grid(axis="y", visible=False)
        axis.set(xlim=(low - margin, high + margin), ylim=(len(values) - 0.4, -0.6), yticks=[])
        axis.tick_params(labelsize=8, length=0)
        label_ticks(axis)
    row[0].set_yticks(range(potentials.shape[1]))
    row[0].get_yticklabels()[chosen[-1]].set(color=CHOSEN_CLASS, weight="bold")
    details = "\n".join(["weights × spikes", "", f"chosen: {chosen[-1]}", *textwrap.wrap(chosen_since, 19)])
    name_row(row[0], "class potentials", details, distance=22)


def label_ticks(axis):
    """Labels the x axis at 0 and, if the labels do not touch, at the highest round number."""
    from matplotlib.ticker import MaxNLocator

    low, high = axis.get_xlim()
    highest = max(tick for tick in MaxNLocator(2).tick_values(0, max(high, 1)) if tick <= high)
    digits = 1 + len(f"{highest:g}")
    axis.set_xticks([0, highest] if highest > digits * DIGIT_SHARE * (high - low) else [0])


def name_row(axis, name, details, distance=6):
    """Writes what a row shows to its left, at a distance in points."""
    place = {"xy": (0, 1), "xycoords": "axes fraction", "xytext": (-distance, 0), "textcoords": "offset points"}
    place |= {"ha": "right", "va": "top", "fontsize": 8}
    axis.annotate(name, weight="bold", **place)
    axis.annotate(f"\n{details}", **place)


if __name__ == "__main__":
    command_line.run(main)
