"""figs/animation.py: what its frames show, against the equations."""

import numpy as np
import pytest
from numpy.testing import assert_array_equal
from PIL import Image

from experiment import ROOT
from experiment.images import load_split
from figs import animation
from tests.live_reference import simulate

MAX_FILE = 1_000_000  # bytes
TIME_STEPS = 8


@pytest.fixture(scope="module")
def simulation():
    return simulate(0, TIME_STEPS, load_split("test").pixels[[animation.IMAGE]])


@pytest.fixture(scope="module")
def silent(simulation):
    """The first step in which nothing fires, from 0."""
    return next(t for t in range(TIME_STEPS) if not any(np.any(block[0, t]) for block in simulation.spikes))


def test_published_animation_has_a_frame_for_each_step_up_to_silence(silent):
    path = ROOT / "figs/live.gif"
    assert path.stat().st_size < MAX_FILE
    with Image.open(path) as image:
        assert image.n_frames == silent + 1
        assert image.size == (animation.WIDTH, animation.HEIGHT)
        assert image.info["loop"] == 0  # for ever


@pytest.mark.parametrize("step", [0, 1, 4])
def test_maps_show_spikes_in_colour_and_counts_in_grey(simulation, step):
    for train, across in zip(simulation.spikes, (5, 5, 10, 10, 25), strict=True):
        spikes, counts = train[0, step], train[0, : step + 1].sum(axis=0)
        colours = animation.coloured_map(train[0], step)
        height, width, channels = spikes.shape
        gap = int(height > 1)
        greys = {}
        for channel in range(channels):
            top, left = channel // across * (height + gap), channel % across * (width + gap)
            field = colours[top : top + height, left : left + width]
            fired, said = spikes[..., channel], counts[..., channel]
            assert_array_equal(np.all(field == animation.POSITIVE, axis=2), fired > 0)
            assert_array_equal(np.all(field == animation.NEGATIVE, axis=2), fired < 0)
            for grey, count in zip(field[fired == 0], said[fired == 0], strict=True):
                greys.setdefault(int(count), set()).add(tuple(grey.tolist()))
        assert all(len(found) == 1 for found in greys.values())
        shades = [min(greys[count])[0] for count in sorted(greys)]
        assert shades == sorted(set(shades))  # lighter, the more a neuron has fired


def test_neurons_at_rest_are_the_lighter_the_more_they_have_fired_up_to_a_limit():
    spikes = np.zeros((2, 1, 2, 1), int)  # two neurons, of which the second fires in the first step
    spikes[0, 0, 1] = 1
    assert_array_equal(animation.coloured_map(spikes, 0), [[[animation.NO_SPIKE] * 3, animation.POSITIVE]])
    assert_array_equal(animation.coloured_map(spikes, 1)[0, :, 0], [animation.NO_SPIKE, animation.LIGHTEST_REST])


def test_sentences_tell_what_happens(simulation, silent):
    outputs = simulation.outputs[0]
    guesses = outputs.argmax(axis=1)
    for step in range(silent + 1):
        fired = [(np.sum(block[0, step] > 0), np.sum(block[0, step] < 0)) for block in simulation.spikes]
        text = animation.sentence(step, fired, outputs)
        negative = [count for _, count in fired]
        if step == silent:
            assert text.startswith("Silence")
            assert text.endswith(f"Both say {guesses[step]}.")
        elif max(negative) > 0:
            assert text.startswith(f"Block {np.argmax(negative) + 1} takes {max(negative)} spikes back")
            changes = f"changes from {guesses[step - 1]} to {guesses[step]}."
            assert text.endswith(changes if guesses[step] != guesses[step - 1] else f"stays {guesses[step]}.")
    assert len(set(guesses[: silent + 1])) > 1  # else there would be little to watch


def test_frame_has_the_size_of_the_animation(simulation):
    image, label = (part[animation.IMAGE] for part in load_split("test")[:2])
    spikes = [block[0] for block in simulation.spikes]
    picture = animation.frame(1, image[..., 0], label, spikes, simulation.outputs[0]).convert("RGB")
    assert picture.size == (animation.WIDTH, animation.HEIGHT)
    colours = np.asarray(picture).reshape(-1, 3)
    for colour in (animation.POSITIVE, animation.NEGATIVE):
        assert np.any(np.all(colours == colour, axis=1))
    for margin in (np.asarray(picture)[:, :12], np.asarray(picture)[:, -12:]):  # nothing comes near the border
        assert len(np.unique(margin.reshape(-1, 3), axis=0)) == 1
