"""--recipe augmented: another way of training, resumed bit for bit and kept apart from the paper's."""

import json
import math

import pytest

from experiment import InputError
from experiment.model import NPZ_NAME
from experiment.recipes import AUGMENTED, PAPER
from figs import accuracy_speed, logs, raster, results
from LeNet import FP32_LeNet_MNIST, Quant_LeNet_MNIST, Spiking_LeNet_MNIST, paths
from LeNet.tensorlayer.files import CHECKPOINT_FILES
from LeNet.tensorlayer.training import BATCH_SIZE, Training
from spiking.network import FULL_PRECISION, LENET
from tests.conftest import LIMIT
from tests.helpers import assert_refused
from tests.script_helpers import history_without_seconds, snapshot, write_logs

OPTIONS = ("--k", 0, "--recipe", "augmented", "--limit", LIMIT)


@pytest.fixture(scope="module")
def two_augmented_epochs(tmp_path_factory, run_here):
    """Folder of a training of two epochs, never interrupted."""
    folder = tmp_path_factory.mktemp("augmented")
    assert run_here(Quant_LeNet_MNIST.main, *OPTIONS, "--checkpoint", folder, "--epochs", 2).returncode == 0
    return folder


@pytest.fixture
def interrupted(tmp_path, run_here, monkeypatch):
    """Folder of the same training, interrupted after its first epoch."""
    save = Training.save

    def save_and_stop(training, output):
        save(training, output)
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(Training, "save", save_and_stop)
        process = run_here(Quant_LeNet_MNIST.main, *OPTIONS, "--checkpoint", tmp_path, "--epochs", 2)
    assert (process.returncode, process.stderr) == (130, "interrupted\n")
    return tmp_path


def test_resumed_training_equals_an_uninterrupted_one_bit_for_bit(two_augmented_epochs, interrupted, quantised):
    assert history_without_seconds(interrupted) == history_without_seconds(two_augmented_epochs)[:2]
    quantised("--recipe", "augmented", "--checkpoint", interrupted, "--epochs", 2, "--resume", True)
    for name in (*CHECKPOINT_FILES, NPZ_NAME):
        assert (interrupted / name).read_bytes() == (two_augmented_epochs / name).read_bytes(), name
    assert history_without_seconds(interrupted) == history_without_seconds(two_augmented_epochs)


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        (
            ("--epochs", 2, "--recipe", "paper"),
            f"was trained with learning_rate={AUGMENTED.learning_rate}, expected {PAPER.learning_rate}",
        ),
        (("--epochs", 3), "was trained with decay_epochs=2, expected 3 by --recipe and --epochs"),
    ],
)
def test_training_is_not_resumed_with_another_recipe(two_augmented_epochs, run_here, options, expected):
    before = snapshot(two_augmented_epochs)
    process = run_here(
        Quant_LeNet_MNIST.main, *OPTIONS, "--resume", True, "--checkpoint", two_augmented_epochs, *options
    )
    assert_refused(process, f"{two_augmented_epochs}: {expected}")
    assert snapshot(two_augmented_epochs) == before


def test_learning_rate_decays_along_a_cosine_to_zero_after_the_last_step():
    epochs, images = 3, 2 * BATCH_SIZE + 1
    training = Training(LENET, 0, AUGMENTED, epochs, seed=0, images=images)
    steps = 3 * epochs  # the last batch of an epoch has one image
    for step in range(steps + 1):
        training.optimizer.iterations.assign(step)
        expected = AUGMENTED.learning_rate * (1 + math.cos(math.pi * step / steps)) / 2
        assert float(training.optimizer.learning_rate) == pytest.approx(expected, rel=1e-5, abs=1e-9)


def test_learning_rate_of_the_paper_stays():
    training = Training(LENET, 0, PAPER, 2, seed=0, images=400)
    training.optimizer.iterations.assign(10**6)
    assert float(training.optimizer.learning_rate) == pytest.approx(1e-4)


@pytest.mark.parametrize("place", [paths.checkpoint_folder, paths.published_weights, paths.log_folder])
@pytest.mark.parametrize("k", [FULL_PRECISION, 0, 10])
def test_default_places_of_the_recipes_differ_in_their_last_name(place, k):
    paper, augmented = place(k), place(k, "augmented")
    assert augmented.name == f"{paper.stem}-augmented{paper.suffix}"
    assert augmented.parent == paper.parent
    assert place(k, "paper") == paper


@pytest.mark.parametrize(
    ("folder", "recipe", "noise", "name"),
    [
        ("k0-augmented", {"recipe": "augmented"}, {}, "k=0, augmented"),
        ("k0-augmented-noise0.5", {"recipe": "augmented"}, {"noise_ratio": 0.5}, "k=0, augmented, noise 0.5"),
        ("mine", {"recipe": "augmented"}, {}, "k=0, augmented (mine)"),
        ("k0", {"recipe": "paper"}, {}, "k=0"),
    ],
)
def test_logs_are_named_after_their_recipe(tmp_path, folder, recipe, noise, name):
    change_run(tmp_path / folder, recipe | noise)
    assert logs.read_logs(tmp_path / folder).name == name


@pytest.mark.parametrize("recipe", ["best", "", None, 1, ["paper"]])
def test_logs_of_an_unknown_recipe_are_refused(tmp_path, recipe):
    change_run(tmp_path, {"recipe": recipe})
    with pytest.raises(InputError, match=r"run\.json: damaged, expected JSON with .* recipe paper or augmented$"):
        logs.read_logs(tmp_path)


def change_run(folder, entries):
    """Logs of one image and one time step with these entries in run.json."""
    write_logs(folder, 0, 1, 1, [[1]], [[[[1, 0, 1]]]])
    run = json.loads((folder / "run.json").read_text())
    (folder / "run.json").write_text(json.dumps(run | entries))


@pytest.mark.parametrize(
    ("main", "options", "network"),
    [(Quant_LeNet_MNIST.main, ("--k", 0), "k0"), (FP32_LeNet_MNIST.main, (), "fp32")],
    ids=["Quant", "FP32"],
)
def test_scripts_keep_to_the_default_places_of_their_recipe(tmp_path, run_here, monkeypatch, main, options, network):
    monkeypatch.setattr(paths, "ROOT", tmp_path)
    options = (*options, "--recipe", "augmented", "--limit", 10)
    assert run_here(main, *options, "--epochs", 1).returncode == 0
    assert run_here(main, *options, "--mode", "inference").returncode == 0
    if network == "k0":
        assert run_here(Spiking_LeNet_MNIST.main, *options).returncode == 0
    assert [path.name for path in (tmp_path / "LeNet/checkpoints").iterdir()] == [f"{network}-augmented"]
    assert [path.name for path in (tmp_path / "figs").iterdir()] == [f"{network}-augmented"]
    assert json.loads((tmp_path / f"figs/{network}-augmented/run.json").read_text())["recipe"] == "augmented"


@pytest.mark.parametrize(("recipe", "other"), [("paper", "augmented"), ("augmented", "paper")])
@pytest.mark.parametrize("place", ["LeNet/pretrained/{}.npz", "LeNet/checkpoints/{}/model_MNIST.npz"])
def test_weights_of_the_other_recipe_do_not_replace_its_results(
    tmp_path, run_here, monkeypatch, recipe, other, place
):
    monkeypatch.setattr(paths, "ROOT", tmp_path)
    for main, k, options in (
        (Spiking_LeNet_MNIST.main, 0, ("--k", 0)),
        (raster.main, 0, ("--k", 0)),
        (Quant_LeNet_MNIST.main, 0, ("--k", 0, "--mode", "inference")),
        (FP32_LeNet_MNIST.main, FULL_PRECISION, ("--mode", "inference")),
    ):
        weights = place.format(paths.network_name(k, other))
        process = run_here(main, *options, "--recipe", recipe, "--weights", tmp_path / weights)
        assert_refused(process, f"{weights}: is of --recipe {other}, expected one of --recipe {recipe}")


@pytest.mark.parametrize(("recipe", "other"), [("paper", "augmented"), ("augmented", "paper")])
def test_results_do_not_go_where_those_of_the_other_recipe_are(tmp_path, run_here, monkeypatch, recipe, other):
    monkeypatch.setattr(paths, "ROOT", tmp_path)
    fp32, k0 = paths.network_name(FULL_PRECISION, other), paths.network_name(0, other)
    for main, option, place in (
        (Spiking_LeNet_MNIST.main, ("--k", 0, "--logs"), f"figs/{k0}"),
        (FP32_LeNet_MNIST.main, ("--mode", "inference", "--logs"), f"figs/{fp32}"),
        (Quant_LeNet_MNIST.main, ("--k", 0, "--checkpoint"), f"LeNet/checkpoints/{k0}"),
        (FP32_LeNet_MNIST.main, ("--checkpoint",), f"LeNet/checkpoints/{fp32}"),
    ):
        weights = () if "--checkpoint" in option else ("--weights", tmp_path / "mine.npz")
        process = run_here(main, *option, tmp_path / place, "--recipe", recipe, *weights)
        assert_refused(process, f"{place}: is of --recipe {other}, expected one of --recipe {recipe}")
    assert list(tmp_path.iterdir()) == []


def test_linked_folders_are_the_default_places_too(tmp_path, run_here, monkeypatch):
    (tmp_path / "disk").mkdir()
    (tmp_path / "LeNet").mkdir()
    (tmp_path / "LeNet/checkpoints").symlink_to(tmp_path / "disk")
    monkeypatch.setattr(paths, "ROOT", tmp_path)
    for folder in ("disk", "LeNet/checkpoints"):
        options = ("--k", 0, "--weights", tmp_path / folder / "k0-augmented/model_MNIST.npz")
        assert_refused(run_here(Spiking_LeNet_MNIST.main, *options), "is of --recipe augmented")


def test_figures_refuse_logs_of_the_other_recipe(tmp_path, run_here):
    change_run(tmp_path / "mine", {"recipe": "augmented"})
    for main in (accuracy_speed.main, results.main):
        process = run_here(main, "--logs", tmp_path / "mine")
        assert_refused(process, f"{tmp_path / 'mine'}: is of --recipe augmented, expected one of --recipe paper")
