"""figs/raster.py: options and files that it refuses."""

import pytest

from figs import raster
from spiking.network import FULL_PRECISION
from spiking.notation import parse
from tests.helpers import assert_refused, run_script, save_model
from tests.networks import LENET, random_weights
from tests.script_helpers import forbid_imports


@pytest.fixture(scope="module")
def weights_path(tmp_path_factory):
    path = tmp_path_factory.mktemp("weights") / "k1.npz"
    save_model(path, random_weights(LENET, seed=2), 1)
    return path


def test_picture_for_a_network_of_other_images(tmp_path, run_here):
    network = parse("16x16x1-4C3-3")
    save_model(tmp_path / "k0.npz", random_weights(network, seed=2), 0, network, data="other")
    options = ["--weights", tmp_path / "k0.npz", "--image", tmp_path / "one.png", "--output", tmp_path / "figs"]
    expected = "argument --image: found a picture for a network of 16 x 16 x 1, expected a network of 28 x 28 x 1"
    assert_refused(run_here(raster.main, *options), expected)
    assert not (tmp_path / "figs").exists()


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        (["--steps", "3", "2"], "found 3 2, expected A <= B <= 20"),
        (["--steps", "3", "21"], "found 3 21, expected A <= B <= 20"),
        (["--image", "-1"], "found '-1', expected an integer of at least 0"),
        (["--time_steps", "101"], "found '101', expected an integer of at least 1 and at most 100"),
    ],
)
def test_bad_options_are_refused_before_numba_is_imported(options, expected, tmp_path, monkeypatch):
    forbid_imports(monkeypatch, tmp_path / "modules", "numba", "tensorflow")
    assert_refused(run_script("figs/raster.py", *options), options[0], expected)


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        (["--k", 2], "k1.npz: has k=1, expected k=2"),
        (["--recipe", "augmented"], "k1.npz: has recipe=paper, expected recipe=augmented"),
        (["--image", "none.png"], "none.png: not found, expected a picture of a digit"),
        (["--image", 10_000], "argument --image: found 10000, expected at most 9999"),
    ],
)
def test_options_inconsistent_with_the_files(weights_path, tmp_path, run_here, options, expected):
    assert_refused(run_here(raster.main, "--weights", weights_path, *options, "--output", tmp_path), expected)
    assert list(tmp_path.iterdir()) == []


def test_full_precision_without_a_level_to_convert_it_to(tmp_path, run_here):
    save_model(tmp_path / "fp32.npz", random_weights(LENET, seed=2), FULL_PRECISION)
    process = run_here(raster.main, "--weights", tmp_path / "fp32.npz", "--output", tmp_path / "figs")
    assert_refused(process, "fp32.npz: has full precision, expected --k, the level to convert it to")
    assert not (tmp_path / "figs").exists()
