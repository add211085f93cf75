"""figs/raster.py: what its reader can rely on: settled or not, without colours, labels that do not meet."""

import re
from itertools import pairwise, product

import numpy as np
import pytest

from figs import raster
from tests.test_live_screen import contrast


def test_class_that_is_chosen_while_neurons_fire_is_not_settled(tmp_path, run_here):
    """Test image 321 is a 7 after 20 steps of k=2, and a 2 after 40, when all is silent."""
    options = ["--k", 2, "--image", 321, "--output", tmp_path]
    firing = run_here(raster.main, *options)
    settled = run_here(raster.main, *options, "--time_steps", 40, "--steps", 39, 40)
    assert "chosen     class 7, not settled: neurons still fire in step 20\n" in firing.stdout
    assert re.search(r"chosen     class 2, from step \d+ on\n", settled.stdout)
    svg = (tmp_path / "scnn_raster_mnist-k2-image321.svg").read_text()
    words = " ".join(re.findall(r"<!-- (.*?) -->", svg, re.DOTALL)).replace("\n", " ")
    assert "chosen: 7 not settled: neurons still fire in step 20" in words
    assert not re.search(r"from step \d+ on", svg)
    assert "(- -steps A B shows a part)" in words  # 20 steps are too many for a page; comments have no "--"


def test_signs_differ_in_brightness_as_well():
    def rgb(colour):
        return [int(colour[place : place + 2], 16) for place in (1, 3, 5)]

    positive, negative, none = map(rgb, (raster.POSITIVE, raster.NEGATIVE, raster.NO_SPIKE))
    assert contrast(positive, negative) >= 3
    assert contrast(negative, none) >= 3
    for bar in (raster.OTHER_CLASS, raster.CHOSEN_CLASS):
        assert contrast(rgb("#ffffff"), rgb(bar)) >= 3


@pytest.mark.parametrize(
    ("steps", "extremes"),
    [
        *product([20], [(-22, 19.8), (-18, 20.4), (-0.3, 0.4), (0, 97), (-50, 3), (-0.2, 130), (-90, 0)]),
        *product([3, 9], [(-22, 19.8), (-90, 0)]),  # where there is more room for each
    ],
)
def test_labels_below_the_potentials_do_not_overlap(steps, extremes):
    spikes = np.ones((steps, 4, 4, 6), np.int8)
    figure = raster.draw("", np.zeros((8, 8, 1), np.uint8), "", [spikes], np.tile(extremes, (steps, 1)), range(steps))
    figure.draw_without_rendering()
    labels = [label for axis in figure.axes[-steps:] for label in axis.get_xticklabels() if label.get_visible()]
    boxes = [label.get_window_extent() for label in labels]
    assert {"0"} <= {label.get_text() for label in labels}
    assert all(one.x1 < other.x0 for one, other in pairwise(boxes))
