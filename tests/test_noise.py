"""Noise, compared with its formula; the logs of noisy images, compared with the equations; and figs/noise.py."""

import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal

from experiment import logs
from experiment.images import MAX_NOISE_RATIO, MNIST, load_split, noisy
from experiment.model import Model
from figs import noise
from LeNet import Spiking_LeNet_MNIST
from tests import reference
from tests.helpers import assert_refused, run_script, save_model
from tests.networks import LENET, random_weights
from tests.script_helpers import forbid_imports, snapshot, with_usual

IMAGES, TIME_STEPS, RATIO, SEED = 12, 16, 1.5, 7  # after so many steps all of these images are quiescent
LEVELS = (0, 1)
FIGURE_IMAGES = 250
FIGURE_OPTIONS = ["--k", *LEVELS, "--limit", FIGURE_IMAGES, "--noise_seed", SEED]
FIGURE = f"scnn_noise_mnist-k0-k1-noise_seed{SEED}-first{FIGURE_IMAGES}"
RATIOS = ("0.00", "0.25", "0.50", "0.75", "1.00", "1.25", "1.50", "1.75", "2.00")


def noisy_by_formula(pixels, noise_ratio, seed):
    """Computes one pixel after the other, as the README describes it."""
    generator = np.random.default_rng(seed)
    values = [
        max(round(int(pixel) * (1 + noise_ratio * (generator.random() - 0.5))), 0)  # round halves to even, as rint
        for pixel in pixels.ravel()
    ]
    return np.array(values).reshape(pixels.shape)


@pytest.fixture(scope="module")
def images():
    pixels, labels, _ = load_split("test").first(IMAGES)
    return noisy_by_formula(pixels, RATIO, SEED), labels


@pytest.fixture(scope="module")
def weights_path(tmp_path_factory):
    path = tmp_path_factory.mktemp("weights") / "k0.npz"
    save_model(path, random_weights(LENET, seed=0), 0)
    return path


@pytest.fixture
def evaluate(weights_path, run_here):
    """Runs Spiking_LeNet_MNIST.py on the noisy images, which must succeed."""

    def run(*options):
        usual = {"--weights": weights_path, "--limit": IMAGES, "--noise_ratio": RATIO, "--noise_seed": SEED}
        process = run_here(Spiking_LeNet_MNIST.main, *with_usual(usual, options))
        assert (process.returncode, process.stderr) == (0, "")
        return process.stdout

    return run


@given(st.floats(0, MAX_NOISE_RATIO), st.integers(0, 2**32 - 1), st.integers(1, 4), st.integers(1, 3))
def test_pixels_are_scaled_rounded_and_not_negative(noise_ratio, seed, images, channels):
    pixels = np.random.default_rng(1).integers(0, 256, (images, 5, 4, channels), dtype=np.uint8)
    assert_array_equal(noisy(pixels, noise_ratio, seed), noisy_by_formula(pixels, noise_ratio, seed))


def test_noise_reaches_beyond_255_and_below_0_and_its_ratio_of_0_changes_nothing():
    bright = np.full((1, 28, 28, 1), 255, np.uint8)
    assert noisy(bright, 2, 0).max() > 500
    assert np.mean(noisy(bright, 4, 0) == 0) > 0.2  # 1 + 4 (z - 1/2) is below 0 for a quarter of all z
    assert_array_equal(noisy(bright, 0, 0), bright)


def test_logs_are_those_of_the_noisy_images(evaluate, images, tmp_path):
    evaluate("--time_steps", TIME_STEPS, "--logs", tmp_path, "--batch_size", 5, "--threads", 2)
    pixels, labels = images
    weights = random_weights(LENET, seed=0)
    trains, potentials = reference.spiking(weights, LENET, 0, TIME_STEPS, pixels)
    log = logs.read(tmp_path)
    assert_array_equal(log.right, np.sum(potentials.argmax(axis=2) == labels[:, None], axis=0))
    assert_array_equal(log.spike_num, np.cumsum(sum(np.abs(train).sum(axis=(0, 2, 3, 4)) for train in trains)))
    assert (log.run.variation.noise_ratio, log.run.variation.noise_seed) == (RATIO, SEED)
    _, logits = reference.artificial(weights, LENET, 0, pixels)
    assert log.run.results.ann_accuracy == np.mean(logits.argmax(axis=1) == labels)


def test_noise_of_an_image_does_not_depend_on_how_many_follow(evaluate, tmp_path):
    evaluate("--batch_size", 4, "--logs", tmp_path / "all")
    evaluate("--batch_size", 4, "--logs", tmp_path / "first", "--limit", 4)
    for log in ("accuracy", "spike_num", "spike_collect", "sop_num"):
        lines, first = ((tmp_path / name / f"{log}.txt").read_text().splitlines() for name in ("all", "first"))
        assert lines[:20] == first


def test_logs_go_to_a_folder_of_their_own(evaluate, default_places, tmp_path):
    (tmp_path / "data").mkdir()
    (tmp_path / "data/mnist").symlink_to(MNIST)
    evaluate()
    evaluate("--noise_ratio", "1e0")
    evaluate("--noise_ratio", 0)
    noisy_names = {f"k0-noise{ratio}-noise_seed{SEED}-first12" for ratio in ("1.5", "1")}
    assert {path.name for path in (tmp_path / "figs/logs").iterdir()} == {*noisy_names, "k0-first12"}
    run = json.loads((tmp_path / "figs/logs/k0-first12/run.json").read_text())
    assert not {"noise_ratio", "noise_seed"} & run.keys()


def test_verify_compares_on_the_noisy_images(evaluate, images, monkeypatch):
    from LeNet import verification

    compared = []

    def compare(weights, network, k, pixels, *settings):
        compared.append(pixels)
        return whole_comparison(weights, network, k, pixels, *settings)

    whole_comparison = verification.compare
    monkeypatch.setattr(verification, "compare", compare)
    assert evaluate("--verify").endswith("\nlossless\n")
    assert_array_equal(compared, [images[0]])


@pytest.mark.parametrize("value", ["-0.1", "nan", "inf", "100.5", "much"])
def test_bad_ratio(value, run_here):
    process = run_here(Spiking_LeNet_MNIST.main, f"--noise_ratio={value}")
    assert_refused(process, "--noise_ratio", f"found {value!r}, expected a number of at least 0 and at most 100")


def test_noise_that_int32_cannot_hold(tmp_path, run_here):
    options = ["--weights", Model(0).published, "--noise_ratio", MAX_NOISE_RATIO, "--limit", 1]
    process = run_here(Spiking_LeNet_MNIST.main, *options, "--logs", tmp_path / "logs")
    assert_refused(process, "membrane potentials could reach", "int32")
    assert not (tmp_path / "logs").exists()


@pytest.fixture(scope="module")
def drawn(tmp_path_factory):
    """What figs/noise.py prints and the folder that it writes, without TensorFlow."""
    folder = tmp_path_factory.mktemp("drawn")
    with pytest.MonkeyPatch.context() as monkeypatch:
        forbid_imports(monkeypatch, folder / "modules", "tensorflow", "keras")
        process = run_script("figs/noise.py", *FIGURE_OPTIONS, "--output", "figs", cwd=folder)
    assert (process.returncode, process.stderr) == (0, "")
    return process.stdout, folder / "figs"


@pytest.fixture(scope="module")
def table(drawn):
    """The printed accuracies by noise ratio, a text for each level."""
    rows = [line.split() for line in drawn[0].splitlines()]
    return {row[0]: row[1::2] for row in rows if row[0] in RATIOS}


def test_table_covers_all_ratios_and_shows_what_noise_does(table):
    assert tuple(table) == RATIOS
    for level in range(len(LEVELS)):
        assert float(table["0.00"][level]) > float(table["2.00"][level])


@pytest.mark.parametrize(("ratio", "k"), [("0.00", 0), ("1.00", 1), ("2.00", 0)])
def test_accuracies_are_those_of_the_spiking_script(ratio, k, tmp_path, evaluate, run_here, monkeypatch):
    monkeypatch.setattr(noise, "NOISE_RATIOS", np.array([float(ratio)]))
    process = run_here(noise.main, *FIGURE_OPTIONS, "--output", tmp_path / "figs")
    *_, header, row, _ = (line.split() for line in process.stdout.splitlines())
    options = ["--weights", Model(k).published, "--limit", FIGURE_IMAGES, "--noise_ratio", ratio]
    evaluate(*options, "--logs", tmp_path / "logs")
    run = json.loads((tmp_path / "logs/run.json").read_text())
    assert header == ["noise", "ratio", *(f"k={level}" for level in LEVELS)]
    assert row[0] == ratio
    assert row[1 + 2 * LEVELS.index(k)] == f"{100 * run['snn_accuracy']:.2f}"


def test_lines_are_the_accuracies():
    accuracy = {"k=0": list(np.linspace(99, 91, 9)), "k=2": list(np.linspace(98, 94, 9))}
    (axes,) = noise.draw(accuracy, "something").axes
    *lines, cut = axes.lines
    assert (axes.get_ylim()[0] > 90, cut.get_label()[0], "(cut axis)" in axes.get_title()) == (True, "_", True)
    for line, (name, percent) in zip(lines, accuracy.items(), strict=True):
        assert_allclose(line.get_xdata(), [float(ratio) for ratio in RATIOS])
        assert_allclose(line.get_ydata(), percent)
        assert line.get_label() == f"{name}: {percent[0]:.2f} % to {percent[-1]:.2f} %"


def test_axis_that_begins_at_0_is_not_marked_as_cut():
    (axes,) = noise.draw({"k=0": list(np.linspace(99, 0, 9))}, "something").axes
    assert (axes.get_ylim()[0], len(axes.lines), "cut" in axes.get_title()) == (0, 1, False)


def test_every_run_on_any_number_of_threads_gives_the_same_bytes(drawn, tmp_path, run_here):
    assert run_here(noise.main, *FIGURE_OPTIONS, "--threads", 3, "--output", tmp_path).returncode == 0
    assert {path.name for path in tmp_path.iterdir()} == {f"{FIGURE}.png", f"{FIGURE}.svg"}
    assert snapshot(tmp_path) == snapshot(drawn[1])


def test_figure_of_another_recipe_has_a_name_of_its_own(tmp_path, run_here, monkeypatch):
    monkeypatch.setattr(noise, "NOISE_RATIOS", np.array([0.0]))
    process = run_here(noise.main, "--k", 0, "--recipe", "augmented", "--limit", 1, "--output", tmp_path)
    assert "k=0, augmented" in process.stdout
    name = "scnn_noise_mnist-augmented-k0-first1"
    assert {path.name for path in tmp_path.iterdir()} == {f"{name}.png", f"{name}.svg"}


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        (["--k", 0, 9], "LeNet/pretrained/k9.npz: not found, expected published weights"),
        (["--output", "{folder}/file"], "/file: is a file, expected a folder"),
    ],
)
def test_bad_options_and_places_are_refused_before_numba_is_imported(options, expected, tmp_path, monkeypatch):
    forbid_imports(monkeypatch, tmp_path / "modules", "numba", "tensorflow")
    (tmp_path / "file").write_text("a regular file")
    options = [str(option).format(folder=tmp_path) for option in options]
    assert_refused(run_script("figs/noise.py", *with_usual({"--output": tmp_path / "figs"}, options)), expected)
    assert not (tmp_path / "figs").exists()
