"""figs/raster.py: the spikes, silent times and potentials that it draws and prints, against the equations."""

import base64
import io
import re

import numpy as np
import PIL.Image
import pytest
from matplotlib.colors import to_hex
from matplotlib.image import imread
from numpy.testing import assert_allclose, assert_array_equal

from experiment.digit import read_digit
from experiment.images import load_split
from experiment.model import Model
from figs import raster
from spiking.network import FULL_PRECISION
from spiking.notation import parse
from tests import reference
from tests.helpers import run_script, save_model
from tests.networks import LENET, random_weights
from tests.script_helpers import forbid_imports, snapshot, write_images

SCRIPT = "figs/raster.py"
NAMES = {4: "scnn_raster_mnist-k1-image3-steps4", 20: "scnn_raster_mnist-k1-image3"}  # by time steps
IMAGE = 3
SPIKES = {"#FFD166": 1, "#1F78C8": -1, "#282828": 0, "#000000": np.nan}  # by colour, as the legend says
GRIDS = {20: 5, 50: 10, 500: 25}  # channels side by side, by the number of channels


@pytest.fixture(scope="module")
def weights_path(tmp_path_factory):
    path = tmp_path_factory.mktemp("weights") / "k1.npz"
    save_model(path, random_weights(LENET, seed=2), 1)
    return path


@pytest.fixture(scope="module", params=[4, 20])
def simulation(request):
    """Time steps, too few to be silent or enough; from the equations each block's spikes and the potentials."""
    pixels = load_split("test").pixels
    weights, time_steps = random_weights(LENET, seed=2), request.param
    trains, potentials = reference.spiking(weights, LENET, 1, time_steps, pixels[IMAGE : IMAGE + 1].astype(float))
    return time_steps, [train[0] for train in trains], potentials[0]


@pytest.fixture(scope="module")
def drawn(simulation, weights_path, tmp_path_factory):
    """What the script prints and the folder that it writes, without TensorFlow."""
    folder = tmp_path_factory.mktemp("drawn")
    options = ["--k", 1, "--image", IMAGE, "--weights", weights_path, "--time_steps", simulation[0]]
    with pytest.MonkeyPatch.context() as monkeypatch:
        forbid_imports(monkeypatch, folder / "modules", "tensorflow", "keras")
        process = run_script(SCRIPT, *options, "--output", folder / "figs", cwd=folder)
    assert (process.returncode, process.stderr) == (0, "")
    return process.stdout, folder / "figs"


def svg_of(simulation, drawn):
    return (drawn[1] / f"{NAMES[simulation[0]]}.svg").read_text()


def last_step_with_a_spike(train):
    return max((step for step, spikes in enumerate(train, start=1) if np.any(spikes != 0)), default=0)


def drawn_steps(simulation):
    """Up to the first step in which nothing fires any more."""
    time_steps, trains, _ = simulation
    return min(max(map(last_step_with_a_spike, trains)) + 1, time_steps)


def map_neuron_by_neuron(spikes):
    """A channel's map stands at (channel // grid, channel % grid), a neuron's width from its neighbours."""
    height, width, channels = spikes.shape
    gap, grid = (1 if height > 1 else 0), GRIDS[channels]
    shape = (channels // grid * (height + gap) - gap, grid * (width + gap) - gap)
    expected = np.full(shape, np.nan)
    for y, x, channel in np.ndindex(spikes.shape):
        row, column = divmod(channel, grid)
        expected[row * (height + gap) + y, column * (width + gap) + x] = spikes[y, x, channel]
    return expected


def images_of(svg):
    """The images inside the SVG file, in the order in which they are drawn: uint8 (height, width, 4) each."""
    contents = re.findall(r'href="data:image/png;base64,([^"]+)"', svg)
    return [np.rint(255 * imread(io.BytesIO(base64.b64decode(content)))).astype(int) for content in contents]


def test_simulation_shows_what_is_to_be_tested(simulation):
    time_steps, trains, _ = simulation
    last = [last_step_with_a_spike(train) for train in trains]
    assert (max(last) < time_steps) == (time_steps == 20)  # all fall silent, or not all
    assert len(set(last)) > 1 or time_steps == 4  # not all at once
    assert all(np.any(train < 0) for train in trains[1:])


def test_maps_in_the_figure_are_the_spikes_of_the_equations(simulation, drawn):
    _, trains, _ = simulation
    digit, *maps = images_of(svg_of(simulation, drawn))
    assert_array_equal(digit[..., :3], np.repeat(load_split("test").pixels[IMAGE], 3, axis=2))
    for train in trains:
        for spikes in train[: last_step_with_a_spike(train)]:
            image = maps.pop(0)
            found = np.full(image.shape[:2], 9.0)
            for colour, value in SPIKES.items():
                rgb = [int(colour[place : place + 2], 16) for place in (1, 3, 5)]
                found[np.all(image[..., :3] == rgb, axis=2)] = value
            assert_array_equal(found, map_neuron_by_neuron(spikes))
    assert maps == []  # the other fields say that the block is silent


def test_figure_says_when_each_block_falls_silent(simulation, drawn):
    time_steps, trains, _ = simulation
    svg = svg_of(simulation, drawn)
    texts = [text.strip() for text in re.findall(r"<!--(.*?)-->", svg, re.DOTALL)]
    assert "label 0" in texts  # of test image 3
    last = [last_step_with_a_spike(train) for train in trains]
    for number, (train, step) in enumerate(zip(trains, last), start=1):
        assert f"block {number}: {' × '.join(map(str, train.shape[1:]))}" in texts
        assert f"+{np.sum(train > 0):,}   −{np.sum(train < 0):,}" in texts
        silence = f"silent after step {step}" if step < time_steps else f"still firing in step {step}"
        assert silence in texts
    shown = drawn_steps(simulation)
    assert texts.count("silent") == sum(shown - step for step in last)
    assert f"step {shown}" in texts
    assert f"step {shown + 1}" not in texts


def test_table_has_spikes_last_step_and_potentials(simulation, drawn):
    _, trains, potentials = simulation
    rows = [line.split() for line in drawn[0].splitlines()]
    for number, train in enumerate(trains, start=1):
        counts = [f"{n:,}" for n in (train[0].size, np.sum(train > 0), np.sum(train < 0))]
        assert ["block", str(number), *counts, str(last_step_with_a_spike(train))] in rows
    for step, row in enumerate(potentials[: drawn_steps(simulation)], start=1):
        assert ["step", str(step), *(f"{potential:.2f}" for potential in row)] in rows
    chosen = potentials.argmax(axis=1)
    since = f"from step {max(np.flatnonzero(chosen != chosen[-1]), default=-1) + 2} on"
    if simulation[0] == 4:  # neurons still fire, so another class may yet be chosen
        since = "not settled: neurons still fire in step 4"
    assert f"chosen     class {chosen[-1]}, {since}\n" in drawn[0]


def test_bars_are_the_potentials_and_the_chosen_class_has_its_own_colour(simulation):
    """The bars of each step that is shown, in the figure's last row."""
    _, trains, potentials = simulation
    steps = drawn_steps(simulation)
    figure = raster.draw("", np.zeros((28, 28, 1), np.uint8), "", trains, potentials, range(steps))
    axes = figure.axes[-steps:]
    for axis, expected in zip(axes, potentials, strict=False):
        assert_allclose([bar.get_width() for bar in axis.patches], expected, rtol=1e-12)
        green = [to_hex(bar.get_facecolor()) == "#009e73" for bar in axis.patches]
        assert_array_equal(np.flatnonzero(green), [np.argmax(expected)])
        assert axis.get_xlim() == axes[0].get_xlim()
        assert min(axis.get_xlim()) <= potentials[:steps].min()
        assert max(axis.get_xlim()) >= potentials[:steps].max()


def test_network_that_never_fires(tmp_path, run_here):
    weights = random_weights(LENET, seed=2)
    for key in weights:
        if key.endswith("beta"):
            weights[key] -= 1000
    save_model(tmp_path / "k0.npz", weights, 0)
    process = run_here(raster.main, "--weights", tmp_path / "k0.npz", "--output", tmp_path / "figs")
    assert (process.returncode, process.stderr) == (0, "")
    header, *rows = process.stdout.splitlines()[2:8]
    assert header.split("  ")[-1] == "last in step"
    assert [row.split()[-1] for row in rows] == 5 * ["none"]
    svg = (tmp_path / "figs/scnn_raster_mnist.svg").read_text()
    assert svg.count("<!-- never fires -->") == 5
    assert "silent after" not in svg
    assert "chosen     class 0, from step 1 on" in process.stdout  # the lowest class on a tie


@pytest.mark.parametrize("simulation", [20], indirect=True)
def test_every_run_gives_the_same_bytes(simulation, drawn, weights_path, tmp_path, run_here):
    options = ["--image", IMAGE, "--weights", weights_path, "--time_steps", simulation[0]]
    assert run_here(raster.main, *options, "--output", tmp_path).returncode == 0
    assert {path.name for path in tmp_path.iterdir()} == {f"{NAMES[20]}.png", f"{NAMES[20]}.svg"}
    assert snapshot(tmp_path) == snapshot(drawn[1])


@pytest.mark.parametrize(
    ("model", "options", "name", "title"),
    [
        (Model(0), [], "mnist", "test image 0, k=0"),
        (Model(1), [], "mnist-k1", "test image 0, k=1"),
        (
            Model(0, recipe="augmented", seed=2),
            ["--image", 9],
            "mnist-augmented-seed2-image9",
            "k=0, augmented, seed2",
        ),
        (Model(FULL_PRECISION), ["--k", 0], "mnist-fp32-k0", "full precision, converted to k=0"),
        (Model(FULL_PRECISION), ["--k", 2], "mnist-fp32-k2", "full precision, converted to k=2"),
    ],
)
def test_name_and_title_tell_the_model_and_how_it_is_run(model, options, name, title, tmp_path, run_here):
    weights = random_weights(LENET, seed=2)
    save_model(tmp_path / "weights.npz", weights, model.k, recipe=model.recipe, seed=model.seed)
    output = tmp_path / "figs"
    process = run_here(raster.main, "--weights", tmp_path / "weights.npz", *options, "--output", output)
    assert (process.returncode, process.stderr) == (0, "")
    assert {path.name for path in output.iterdir()} == {f"scnn_raster_{name}.png", f"scnn_raster_{name}.svg"}
    texts = re.findall(r"<!-- (.*?) -->", (output / f"scnn_raster_{name}.svg").read_text(), re.DOTALL)
    assert title in " ".join(texts)  # which may stand on two lines


@pytest.mark.parametrize("shape", [(12, 20), (12, 20, 2), (20, 12, 3)])
def test_images_of_any_shape_and_colour(shape, tmp_path, run_here):
    folder = write_images(tmp_path / "other", shape, classes=3, first_label=1)
    pixels = load_split("test", folder).pixels
    network = parse("x".join(map(str, pixels.shape[1:])) + "-4C3-P2-3")
    save_model(tmp_path / "k0.npz", random_weights(network, seed=2), 0, network, data="other")
    options = ["--weights", tmp_path / "k0.npz", "--data", folder, "--image", 19, "--output", tmp_path / "figs"]
    process = run_here(raster.main, *options)
    assert (process.returncode, process.stderr) == (0, "")
    assert "label 1\n" in process.stdout  # 19 % 3, counted from 1 in the file and from 0 here
    picture, *_ = images_of((tmp_path / "figs/scnn_raster_other-4C3-P2-image19.svg").read_text())
    expected = pixels[19] if shape[2:] == (3,) else pixels[19].mean(axis=2, keepdims=True).astype(int)
    assert_array_equal(picture[..., :3], np.broadcast_to(expected, (*shape[:2], 3)))


def test_page_is_no_wider_than_its_columns():
    spikes, potentials = np.zeros((9, 4, 4, 6), np.int8), np.zeros((9, 3))
    for steps in (1, 3):
        figure = raster.draw("A title " * 9, np.zeros((8, 8, 1), np.uint8), "", [spikes], potentials, range(steps))
        right = max(axis.get_position().x1 for axis in figure.axes) * figure.get_figwidth()
        assert figure.get_figwidth() - right < 0.7  # inches


@pytest.mark.parametrize("classes", [2, 26])
def test_names_of_the_classes_do_not_overlap(classes):
    spikes, potentials = np.ones((2, 4, 4, 6), np.int8), np.ones((2, classes))
    figure = raster.draw("", np.zeros((8, 8, 1), np.uint8), "", [spikes], potentials, range(2))
    figure.draw_without_rendering()
    boxes = [text.get_window_extent() for text in figure.axes[-2].get_yticklabels()]
    assert len(boxes) == classes
    lower_edges, upper_edges = [box.y0 for box in boxes[:-1]], [box.y1 for box in boxes[1:]]  # from top to bottom
    assert all(lower >= upper for lower, upper in zip(lower_edges, upper_edges, strict=True))


@pytest.mark.parametrize("simulation", [20], indirect=True)
def test_steps_that_are_asked_for_are_shown(simulation, weights_path, tmp_path, run_here):
    _, trains, potentials = simulation
    options = ["--image", IMAGE, "--weights", weights_path, "--steps", 2, 3, "--output", tmp_path]
    process = run_here(raster.main, *options)
    assert (process.returncode, process.stderr) == (0, "")
    svg = (tmp_path / f"{NAMES[20]}-shown2-3.svg").read_text()
    assert re.findall(r"<!-- (step \d+) -->", svg) == ["step 2", "step 3"]
    assert svg.count("<!-- no input -->") == 2  # the image, shown before, is beside them
    assert any(np.array_equal(image[..., 0], load_split("test").pixels[IMAGE][..., 0]) for image in images_of(svg))
    rows = [line.split() for line in process.stdout.splitlines() if line.startswith("step")]
    assert rows == [["step", str(t), *(f"{u:.2f}" for u in potentials[t - 1])] for t in (2, 3)]
    for train in trains:  # numbers are those of the whole run
        assert f"+{np.sum(train > 0):,}   −{np.sum(train < 0):,}" in svg


def test_picture_of_a_digit_is_prepared_and_has_no_label(weights_path, tmp_path, run_here):
    picture = np.full((90, 60), 230, np.uint8)
    picture[20:75, 28:36] = 20  # a one, dark on light
    PIL.Image.fromarray(picture).save(tmp_path / "one.png")
    options = ["--image", tmp_path / "one.png", "--weights", weights_path, "--time_steps", 2]
    process = run_here(raster.main, *options, "--output", tmp_path / "figs")
    assert (process.returncode, process.stderr) == (0, "")
    assert "image      one.png\n" in process.stdout
    (svg,) = (tmp_path / "figs").glob("scnn_raster_mnist-k1-image-one~*-steps2.svg")
    svg = svg.read_text()
    digit, *_ = images_of(svg)
    assert_array_equal(digit[..., :3], np.repeat(read_digit(tmp_path / "one.png")[..., None], 3, axis=2))
    assert "one.png, k=1" in svg
    assert "label" not in re.findall(r"<!-- (\w+)", svg)
    (tmp_path / "other").mkdir()
    (tmp_path / "one.png").rename(tmp_path / "other/one.png")  # another picture of the same name
    options[1] = tmp_path / "other/one.png"
    assert run_here(raster.main, *options, "--output", tmp_path / "figs").returncode == 0
    assert len(list((tmp_path / "figs").glob("*.svg"))) == 2
