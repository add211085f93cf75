"""Draws figs/live.gif: the spiking network of k=0 as it processes a test image, like the page figs/live.html.

python animation.py                                 figs/live.gif
python animation.py --output .                      elsewhere
"""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import numpy as np

from experiment import command_line, images, shown
from experiment.disk import output_folder, replacing
from experiment.runs import last_step_with_spikes
from figs import plotting
from figs.live import load_networks
from figs.raster import feature_maps

IMAGE = 121  # the network sees a 7 in it until it takes spikes back, and then the 4 that it is
STEP_TIME, LAST_STEP_TIME = 1800, 5000  # ms
WIDTH, HEIGHT, DPI = 800, 496, 100  # pixels, pixels per inch
# the colours of figs/live/maps.js and style.css; the more a neuron at rest has fired, the lighter it is
POSITIVE, NEGATIVE, CHOSEN_CLASS, OTHER_CLASS = (255, 209, 102), (31, 120, 200), "#00805d", "#5c5f66"
NO_SPIKE, LIGHTEST_REST, BETWEEN_CHANNELS = 40, 84, 0
PAGE, TEXT, QUIET_TEXT, POSITIVE_TEXT, NEGATIVE_TEXT = "#f6f5f2", "#1c1d20", "#5c5f66", "#8a5b00", "#11699f"
# left and lower edge of each map and the size of a neuron, in pixels
MAP_PLACES = ((140, 196, 2), (412, 196, 3), (24, 24, 3), (316, 24, 3), (488, 24, 6))
IMAGE_PLACE = (24, 310, 3)


def main():
    parser = command_line.ArgumentParser(__doc__)
    plotting.add_output(parser)
    folder = parser.parse_args().output
    plotting.default_matplotlib()

    pixels, labels, _ = images.load_split("test")
    activity = load_networks()[0].run(pixels[[IMAGE]])
    spikes = [train.to_dense()[0] for train in activity.trains]  # (time steps, h, w, channels) each
    last = max(map(last_step_with_spikes, spikes))
    frames = [
        frame(step, pixels[IMAGE, ..., 0], labels[IMAGE], spikes, activity.potentials[0]) for step in range(last + 1)
    ]
    with output_folder(folder) as output, replacing(output) as staging:
        first, *others = frames
        durations = [STEP_TIME] * last + [LAST_STEP_TIME]
        first.save(staging / "live.gif", save_all=True, append_images=others, duration=durations, loop=0)
        size = (staging / "live.gif").stat().st_size
    print(f"written    {shown(folder / 'live.gif')}, {size:,} bytes")


def frame(step, image, label, spikes, potentials):
    """The picture of a step, counted from 0: a sentence, the image, the blocks' maps and the class potentials."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure
    from PIL import Image

    figure = Figure(figsize=(WIDTH / DPI, HEIGHT / DPI), dpi=DPI, facecolor=PAGE)
    canvas = FigureCanvasAgg(figure)
    fired = [(np.sum(block[step] > 0), np.sum(block[step] < 0)) for block in spikes]
    write(figure, 24, 482, f"step {step + 1}", fontsize=15, weight="bold", va="top")
    write(figure, 110, 481, sentence(step, fired, potentials), fontsize=12, va="top", linespacing=1.4)
    add_picture(figure, IMAGE_PLACE, np.repeat(image[..., None], 3, axis=2))
    write(figure, 24, 302, f"a {label}, shown in\nstep 1 only", fontsize=9, color=QUIET_TEXT, va="top")
    for number, (block, place, counts) in enumerate(zip(spikes, MAP_PLACES, fired, strict=True), start=1):
        right, top = add_picture(figure, place, coloured_map(block, step))
        write(figure, place[0], top + 7, f"block {number}", fontsize=9, weight="bold")
        write_counts(figure, right, top + 7, *counts)
    draw_classes(figure.add_axes((0.84, 0.13, 0.14, 0.64)), potentials, step)
    write(figure, 654, 40, "+1 one more", fontsize=8, weight="bold", color=POSITIVE_TEXT)
    write(figure, 654, 24, "−1 takes one back", fontsize=8, weight="bold", color=NEGATIVE_TEXT)
    canvas.draw()
    return Image.fromarray(np.asarray(canvas.buffer_rgba())[..., :3]).quantize(128)


def sentence(step, fired, potentials):
    """Says what happens in a step, in two lines; `fired` is a list over the blocks of (positive, negative) spikes."""
    guesses = potentials.argmax(axis=1)
    before, now = guesses[max(step - 1, 0)], guesses[step]
    negative = [count for _, count in fired]
    if step == 0:
        happening = "The image comes in, and every block speaks before it has heard all."
    elif not np.any(fired):
        return f"Silence: every neuron has said exactly the number\nof the artificial network. Both say {now}."
    elif max(negative) == 0:
        happening = "The last spikes."
    else:
        happening = (
            f"Block {np.argmax(negative) + 1} takes {max(negative)} spikes back, which it has fired too early."
        )
    guess = f"stays {now}" if before == now else f"changes from {before} to {now}"
    return f"{happening}\nThe guess {guess if step else f'is {now}'}."


def coloured_map(spikes, step):
    """A picture of a block's neurons in a step, with the channels side by side.

    Parameters
    ----------
    spikes : int array (time steps, h, w, channels)
    step : int, counted from 0

    Returns
    -------
    uint8 array (rows, columns, 3)
    """
    counts = spikes[: step + 1].sum(axis=0)
    largest = max(1, spikes.cumsum(axis=0).max())
    rest = NO_SPIKE + (LIGHTEST_REST - NO_SPIKE) * counts / largest
    colours = np.repeat(rest[..., None], 3, axis=3)  # (h, w, channels, 3)
    colours[spikes[step] > 0] = POSITIVE
    colours[spikes[step] < 0] = NEGATIVE
    tiled = np.stack([feature_maps(colours[..., part]) for part in range(3)], axis=2)
    return np.nan_to_num(tiled, nan=BETWEEN_CHANNELS).astype(np.uint8)


def add_picture(figure, place, picture):
    """Draws a picture at a place given like those in MAP_PLACES; returns its right and upper edges."""
    left, bottom, size = place
    height, width = (size * pixels for pixels in picture.shape[:2])
    axes = figure.add_axes((left / WIDTH, bottom / HEIGHT, width / WIDTH, height / HEIGHT))
    axes.imshow(picture, interpolation="nearest", aspect="auto")
    axes.axis("off")
    return left + width, bottom + height


def write(figure, x, y, text, color=TEXT, **settings):
    figure.text(x / WIDTH, y / HEIGHT, text, color=color, **settings)


def write_counts(figure, right, y, positive, negative):
    """Writes the numbers of spikes other than 0, ending at the pixel `right`."""
    for distance, sign, count, colour in ((44, "+", positive, POSITIVE_TEXT), (0, "−", negative, NEGATIVE_TEXT)):
        if count:
            write(figure, right - distance, y, f"{sign}{count}", fontsize=9, color=colour, ha="right")


def draw_classes(axes, potentials, step):
    """Draws the class potentials after a step, the highest one in colour."""
    chosen, extent = potentials[step].argmax(), np.abs(potentials).max()
    bars = axes.barh(range(potentials.shape[1]), potentials[step], color=OTHER_CLASS, height=0.62)
    bars[chosen].set_color(CHOSEN_CLASS)
    axes.axvline(0, color=QUIET_TEXT, linewidth=0.8)
    axes.set(xlim=(-1.05 * extent, 1.05 * extent), ylim=(9.6, -0.6), xticks=[], yticks=range(potentials.shape[1]))
    axes.set_title(f"guess: {chosen}", fontsize=13, weight="bold", color=CHOSEN_CLASS)
    axes.tick_params(length=0, labelsize=9, labelcolor=TEXT)
    axes.spines[:].set_visible(False)
    axes.set_facecolor(PAGE)


if __name__ == "__main__":
    command_line.run(main)
