"""--noise_ratio: the noise against its formula, and what the script logs of noisy images against the equations."""

import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from LeNet.evaluation import noisy
from numpy.testing import assert_array_equal

from experiment import InputError
from experiment.images import load_mnist_split, save_npz
from experiment.logs import read_logs
from LeNet import Spiking_LeNet_MNIST, paths
from spiking.network import HIGHEST_NOISE_RATIO, LENET
from tests import reference
from tests.helpers import assert_refused, random_weights, run_script
from tests.script_helpers import write_logs

SCRIPT = "LeNet/Spiking_LeNet_MNIST.py"
IMAGES, TIME_STEPS, RATIO, SEED = 12, 16, 1.5, 7  # after so many steps all of these images are quiescent


def noisy_by_formula(pixels, noise_ratio, seed):
    """One pixel after the other, as the README says it."""
    generator = np.random.default_rng(seed)
    values = [
        max(round(int(pixel) * (1 + noise_ratio * (generator.random() - 0.5))), 0)  # round halves to even, as rint
        for pixel in pixels.ravel()
    ]
    return np.array(values).reshape(pixels.shape)


@pytest.fixture(scope="module")
def images():
    pixels, labels = load_mnist_split("t10k")
    return noisy_by_formula(pixels[:IMAGES], RATIO, SEED), labels[:IMAGES]


@pytest.fixture(scope="module")
def weights_path(tmp_path_factory):
    path = tmp_path_factory.mktemp("weights") / "k0.npz"
    save_npz(random_weights(LENET, seed=0), 0, path)
    return path


@pytest.fixture
def options(weights_path):
    network = ["--k", 0, "--weights", weights_path, "--time_steps", TIME_STEPS, "--limit", IMAGES]
    return [*network, "--noise_ratio", RATIO, "--seed", SEED]


@given(st.floats(0, HIGHEST_NOISE_RATIO), st.integers(0, 2**32 - 1), st.integers(1, 4))
def test_pixels_are_scaled_rounded_and_not_negative(noise_ratio, seed, images):
    pixels = np.random.default_rng(1).integers(0, 256, (images, 5, 4, 1), dtype=np.uint8)
    assert_array_equal(noisy(pixels, noise_ratio, seed), noisy_by_formula(pixels, noise_ratio, seed))


def test_noise_reaches_beyond_255_and_below_0_and_its_ratio_of_0_changes_nothing():
    bright = np.full((1, 28, 28, 1), 255, np.uint8)
    assert noisy(bright, 2, 0).max() > 500
    assert np.mean(noisy(bright, 4, 0) == 0) > 0.2  # 1 + 4 (z - 1/2) is below 0 for a quarter of all z
    assert_array_equal(noisy(bright, 0, 0), bright)


def test_logs_are_those_of_the_noisy_images(options, images, tmp_path):
    process = run_script(SCRIPT, *options, "--logs", tmp_path, "--batch_size", 5, "--threads", 2)
    assert process.returncode == 0, process.stderr
    pixels, labels = images
    weights = random_weights(LENET, seed=0)
    trains, potentials = reference.spiking(weights, LENET, 0, TIME_STEPS, pixels)
    log = read_logs(tmp_path)
    assert_array_equal(log.right, np.sum(potentials.argmax(axis=2) == labels[:, None], axis=0))
    assert_array_equal(log.spike_num, np.cumsum(sum(np.abs(train).sum(axis=(0, 2, 3, 4)) for train in trains)))
    run = json.loads((tmp_path / "run.json").read_text())
    assert (run["noise_ratio"], run["seed"]) == (RATIO, SEED)
    _, logits = reference.artificial(weights, LENET, 0, pixels)
    assert run["ann_accuracy"] == np.mean(logits.argmax(axis=1) == labels)


def test_noise_of_an_image_does_not_depend_on_how_many_follow(options, tmp_path, run_here):
    options = [*options, "--batch_size", 4]
    assert run_here(Spiking_LeNet_MNIST.main, *options, "--logs", tmp_path / "all").returncode == 0
    assert run_here(Spiking_LeNet_MNIST.main, *options, "--logs", tmp_path / "first", "--limit", 4).returncode == 0
    for log in ("accuracy", "spike_num", "spike_collect", "sop_num"):
        lines, first = ((tmp_path / name / f"{log}.txt").read_text().splitlines() for name in ("all", "first"))
        assert lines[:TIME_STEPS] == first


def test_logs_go_to_a_folder_of_their_own(options, tmp_path, monkeypatch, run_here):
    monkeypatch.setattr(paths, "ROOT", tmp_path)
    assert run_here(Spiking_LeNet_MNIST.main, *options).returncode == 0
    assert [path.name for path in (tmp_path / "figs").iterdir()] == ["k0-noise1.5"]
    assert run_here(Spiking_LeNet_MNIST.main, *options, "--noise_ratio", "1e0").returncode == 0
    assert read_logs(tmp_path / "figs/k0-noise1").name == "k=0, noise 1"
    assert run_here(Spiking_LeNet_MNIST.main, *options, "--noise_ratio", 0).returncode == 0
    assert read_logs(tmp_path / "figs/k0").name == "k=0"
    assert "seed" not in json.loads((tmp_path / "figs/k0/run.json").read_text())


def test_verify_compares_on_the_noisy_images(weights_path, images, monkeypatch, run_here):
    from LeNet import verification

    compared = []

    def compare(weights, network, k, pixels, batch_size):
        compared.append(pixels)
        return whole_comparison(weights, network, k, pixels, batch_size)

    whole_comparison = verification.compare
    monkeypatch.setattr(verification, "compare", compare)
    options = ["--k", 0, "--weights", weights_path, "--limit", IMAGES, "--noise_ratio", RATIO, "--seed", SEED]
    process = run_here(Spiking_LeNet_MNIST.main, *options, "--verify")
    assert process.returncode == 0
    assert process.stdout.endswith("\nlossless\n")
    assert_array_equal(compared, [images[0]])


@pytest.mark.parametrize("value", ["-0.1", "nan", "inf", "100.5", "much"])
def test_bad_ratio(value):
    process = run_script(SCRIPT, f"--noise_ratio={value}")
    assert_refused(process, "--noise_ratio", f"found {value!r}, expected a number from 0 to 100")


def test_noise_that_int32_cannot_hold(tmp_path):
    options = ["--k", 0, "--noise_ratio", HIGHEST_NOISE_RATIO, "--limit", 1, "--logs", tmp_path / "logs"]
    assert_refused(run_script(SCRIPT, *options), "membrane potentials could reach", "int32")
    assert not (tmp_path / "logs").exists()


def test_figures_tell_logs_of_one_level_apart(tmp_path):
    runs = {"k0": {}, "k0-noise0.25": {"noise_ratio": 0.25, "seed": 0}, "mine": {"noise_ratio": 2, "seed": 3}}
    for folder, noise in runs.items():
        write_logs(tmp_path / folder, 0, 4, 4, [[1, 3]], [[[[8, 2, 40], [4, 0, 20]]]])
        run = json.loads((tmp_path / folder / "run.json").read_text())
        (tmp_path / folder / "run.json").write_text(json.dumps(run | noise))
    process = run_script("figs/results.py", "--logs", *(tmp_path / folder for folder in runs))
    for name in ("k=0", "k=0, noise 0.25", "k=0, noise 2 (mine)"):
        assert f"| {name} |  |  | 75.00 % | 2 |" in process.stdout


@pytest.mark.parametrize("ratio", ['"0.5"', "-1", "NaN", "1e999", "null", "[]"])
def test_run_json_with_an_impossible_ratio(ratio, tmp_path):
    write_logs(tmp_path, 0, 4, 4, [[1, 3]], [[[[8, 2, 40], [4, 0, 20]]]])
    text = (tmp_path / "run.json").read_text()
    (tmp_path / "run.json").write_text(text.replace('"k": 0', f'"k": 0, "noise_ratio": {ratio}'))
    with pytest.raises(InputError, match=r"run\.json: damaged, .* noise_ratio"):
        read_logs(tmp_path)
