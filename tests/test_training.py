"""Training as a user runs it: what it writes and where, and that it resumes bit for bit."""

import csv
import json
import math
import shutil
from dataclasses import replace

import keras
import numpy as np
import pytest

from experiment.disk import COMPLETE
from experiment.images import MNIST, Split, scaled
from experiment.model import HISTORY_NAME, NPZ_NAME, Model
from experiment.recipes import AUGMENTED, BATCH_SIZE, PAPER
from experiment.trained import read_npz
from LeNet import FP32_LeNet_MNIST, Quant_LeNet_MNIST, Spiking_LeNet_MNIST
from LeNet.tensorlayer.files import CHECKPOINT_FILES
from LeNet.tensorlayer.training import Training
from spiking.network import FULL_PRECISION
from spiking.notation import parse
from tests import reference
from tests.conftest import LIMIT
from tests.helpers import save_model
from tests.networks import LENET, random_weights
from tests.script_helpers import history_without_seconds
from tests.test_images import some_arrays, write

LAYERS = "4C3s2x1p-P2-8m2"  # of a small network


def read_history(folder):
    with open(folder / HISTORY_NAME, newline="") as file:
        return list(csv.DictReader(file))


def assert_same_training(folder, expected):
    for name in (*CHECKPOINT_FILES, NPZ_NAME):
        assert (folder / name).read_bytes() == (expected / name).read_bytes(), name
    assert history_without_seconds(folder) == history_without_seconds(expected)


@pytest.fixture
def repository(default_places, tmp_path):
    """A folder of all default places, where LeNet/checkpoints is a link to a folder that does not exist yet."""
    for folder in ("LeNet", "data"):
        (tmp_path / folder).mkdir()
    (tmp_path / "data/mnist").symlink_to(MNIST)
    (tmp_path / "LeNet/checkpoints").symlink_to(tmp_path / "scratch/checkpoints")
    return tmp_path


# what it writes


def test_history_has_a_row_for_each_epoch(two_epochs):
    history = read_history(two_epochs)
    assert list(history[0]) == ["epoch", "loss", "accuracy", "val_loss", "val_accuracy", "seconds"]
    assert [row["epoch"] for row in history] == ["1", "2"]
    assert float(history[1]["loss"]) < float(history[0]["loss"])
    for row in history:
        # of 400 images each
        assert float(row["accuracy"]) * 400 == pytest.approx(round(float(row["accuracy"]) * 400), abs=1e-3)
        assert float(row["val_accuracy"]) * 400 == pytest.approx(round(float(row["val_accuracy"]) * 400), abs=1e-3)


def test_weights_are_on_the_grid_and_say_what_they_are(two_epochs):
    trained = read_npz(two_epochs / NPZ_NAME)
    assert (trained.model, trained.network.notation) == (Model(0), LENET.notation)
    identity = trained.identity
    assert (identity.epochs, identity.images, identity.all_images) == (2, LIMIT, 50_000)
    assert identity.shortfall == "2 of 150 epochs, 400 of 50,000 images"
    assert trained.rounding == 0


def test_full_precision_is_trained_and_tested(tmp_path, run_here):
    checkpoint, folder = tmp_path / "checkpoint", tmp_path / "logs"
    options = ("--limit", 300, "--checkpoint", checkpoint)
    assert run_here(FP32_LeNet_MNIST.main, *options, "--epochs", 1).returncode == 0
    trained = read_npz(checkpoint / NPZ_NAME)
    assert trained.model == Model(FULL_PRECISION)

    output = run_here(FP32_LeNet_MNIST.main, *options, "--mode", "inference", "--logs", folder).stdout
    accuracy, run = (folder / "accuracy.txt").read_text(), json.loads((folder / "run.json").read_text())
    right = [int(line) for line in accuracy.splitlines()]
    assert len(right) == 2  # of 200 and of 100 images
    assert "           a trial: trained on 1 of 150 epochs, 300 of 50,000 images\n" in output
    assert f"test images right {sum(right)} of 300\n" in output
    assert f"test accuracy     {100 * sum(right) / 300:.2f} %\n" in output
    assert (run["k"], run["images"], run["batch_size"]) == (FULL_PRECISION, 300, 200)
    assert run["model"] == trained.identity.entries
    assert run["ann_accuracy"] == sum(right) / 300
    assert run["weights_sha256"] == trained.sha256


def test_every_model_has_places_of_its_own(repository, run_here):
    options = ("--recipe", "augmented", "--seed", 5, "--limit", 10)
    for main, k in ((Quant_LeNet_MNIST.main, ("--k", 0)), (FP32_LeNet_MNIST.main, ())):
        assert run_here(main, *k, *options, "--epochs", 1).returncode == 0
        assert run_here(main, *k, *options, "--mode", "inference").returncode == 0
    assert run_here(Spiking_LeNet_MNIST.main, "--k", 0, *options).returncode == 0
    names = {"fp32-augmented-seed5", "k0-augmented-seed5"}
    assert {path.name for path in (repository / "scratch/checkpoints").iterdir()} == names
    assert {path.name for path in (repository / "figs/logs").iterdir()} == {f"{name}-first10" for name in names}


def test_other_images_train_other_networks(repository, run_here):
    """Images of 20 x 12 pixels and 3 channels, and labels from 1, through all three scripts."""
    arrays = some_arrays((20, 12, 3), train=60, test=11, first_label=1)
    folder = write(repository / "data/stripes", arrays, "stripes-{}.idx{}-ubyte.gz")
    options = ("--k", 1, "--network", LAYERS, "--data", folder)
    assert run_here(Quant_LeNet_MNIST.main, *options, "--epochs", 2).returncode == 0
    checkpoint = repository / f"LeNet/checkpoints/k1-{LAYERS}-stripes"
    trained = read_npz(checkpoint / NPZ_NAME)
    assert trained.model == Model(1, LAYERS, "stripes")
    assert trained.network.notation == f"20x12x3-{LAYERS}-3"
    identity = trained.identity
    assert (identity.epochs, identity.images, identity.all_images) == (2, 50, 50)

    counts, logits = reference.artificial(trained.weights, trained.network, 1, arrays["test-images"])
    right = np.sum(logits.argmax(axis=1) + 1 == arrays["test-labels"])
    process = run_here(Quant_LeNet_MNIST.main, "--mode", "inference", "--weights", checkpoint / NPZ_NAME)
    assert f"test images right {right} of 11\n" in process.stdout  # the file says which images

    assert run_here(FP32_LeNet_MNIST.main, *options[2:], "--epochs", 1).returncode == 0
    other = read_npz(repository / f"LeNet/checkpoints/fp32-{LAYERS}-stripes" / NPZ_NAME)
    assert (other.model, other.network) == (Model(FULL_PRECISION, LAYERS, "stripes"), trained.network)

    process = run_here(Spiking_LeNet_MNIST.main, *options, "--time_steps", 60)
    assert (process.returncode, process.stderr) == (0, "")
    run = json.loads((repository / f"figs/logs/k1-{LAYERS}-stripes/run.json").read_text())
    assert run["quiescent_images"] == 11
    assert run["snn_accuracy"] == run["ann_accuracy"] == right / 11
    assert run["total"]["neurons"] == sum(count[0].size for count in counts)


def test_inference_tests_the_published_weights_without_a_checkpoint(repository, run_here):
    (repository / "LeNet/pretrained").mkdir()
    for k, main, options in ((0, Quant_LeNet_MNIST.main, ("--k", 0)), (FULL_PRECISION, FP32_LeNet_MNIST.main, ())):
        save_model(Model(k).published, random_weights(LENET, seed=0), k)
        process = run_here(main, *options, "--mode", "inference", "--limit", 10)
        assert process.stdout.startswith(f"weights    {Model(k).published}\ntest images right ")


def test_inference_finishes_the_move_of_a_killed_training(two_epochs, tmp_path, run_here):
    folder = tmp_path / "checkpoint"
    shutil.copytree(two_epochs, folder / COMPLETE)
    options = ("--k", 0, "--mode", "inference", "--checkpoint", folder, "--limit", 10)
    assert run_here(Quant_LeNet_MNIST.main, *options).returncode == 0
    assert not (folder / COMPLETE).exists()
    assert_same_training(folder, two_epochs)


def test_training_anew_says_what_it_replaces(one_epoch, tmp_path, run_here):
    folder = shutil.copytree(one_epoch, tmp_path / "checkpoint")
    options = ("--k", 0, "--limit", LIMIT // 2, "--checkpoint", folder, "--epochs", 1)
    process = run_here(Quant_LeNet_MNIST.main, *options)
    assert process.stdout.startswith(f"replacing the training in {folder} (1 epochs) after the first epoch\n")
    assert len(read_history(folder)) == 1
    assert read_npz(folder / NPZ_NAME).identity.images == LIMIT // 2
    assert (folder / NPZ_NAME).read_bytes() != (one_epoch / NPZ_NAME).read_bytes()


# the recipe


def train_small(recipe, epochs, images):
    network = parse("8x8x1-2C3-3")
    return Training(Model(0, network.layer_notation), recipe, network, epochs, images, images, threads=1)


def test_learning_rate_decays_along_a_cosine_to_zero_after_the_last_step():
    training = train_small(AUGMENTED, epochs=3, images=2 * BATCH_SIZE + 1)
    steps = 3 * 3  # the last batch of an epoch has one image
    for step in range(steps + 1):
        training.optimizer.iterations.assign(step)
        expected = AUGMENTED.learning_rate * (1 + math.cos(math.pi * step / steps)) / 2
        assert float(training.optimizer.learning_rate) == pytest.approx(expected, rel=1e-5, abs=1e-9)


def test_learning_rate_of_the_paper_stays():
    training = train_small(PAPER, epochs=2, images=400)
    training.optimizer.iterations.assign(10**6)
    assert float(training.optimizer.learning_rate) == pytest.approx(1e-4)


def test_penalty_of_the_recipe_is_part_of_the_loss_that_is_minimised():
    """With a high penalty, a training step lowers the operations, whatever it does to the predictions."""
    images = np.full((20, 8, 8, 1), 0.5, np.float32)
    changes = []
    for penalty in (0.0, 1e9):
        training = train_small(replace(PAPER, sop_penalty=penalty), epochs=1, images=20)
        before = sum_of_activations(training, images)
        training.keras_model.train_on_batch(images, np.arange(20) % 3)
        changes.append(sum_of_activations(training, images) - before)
    assert changes[1] < min(changes[0], 0)


def sum_of_activations(training, images):
    """Before the quantiser, whose steps would hide a small change."""
    relu = training.keras_model.get_layer("relu1").output
    return float(np.sum(keras.Model(training.keras_model.input, relu)(images)))


def test_batches_are_augmented_as_the_recipe_says():
    pixels = np.zeros((20, 8, 8, 1), np.uint8)
    pixels[:, 3:5, 3:5] = 200
    train = Split(pixels, np.arange(20) % 3, 3)
    moved, unmoved = (train_small(recipe, epochs=1, images=20).batches(train) for recipe in (AUGMENTED, PAPER))
    for batches in (moved, unmoved):
        batches.on_epoch_begin()
    assert np.array_equal(unmoved[0][0], scaled(pixels))
    assert not np.array_equal(moved[0][0], scaled(pixels))


def test_first_step_is_that_of_adam():
    """Each weight moves by the learning rate against its gradient: m / (sqrt(v) + 1e-8), corrected, is its sign."""
    training = train_small(PAPER, epochs=1, images=20)
    rng = np.random.default_rng(0)
    pixels, labels = rng.integers(0, 256, (20, 8, 8, 1)), np.arange(20) % 3
    before = training.keras_model.get_layer("fc").kernel.numpy()
    training.keras_model.train_on_batch(scaled(pixels), labels)
    moves = training.keras_model.get_layer("fc").kernel.numpy() - before
    np.testing.assert_allclose(np.abs(moves[moves != 0]), PAPER.learning_rate, rtol=0.02)
    assert np.mean(moves != 0) > 0.3


def test_weight_decay_shrinks_kernels_and_nothing_else():
    """By learning rate x decay in a step without gradients."""
    training = train_small(replace(PAPER, weight_decay=2.5), epochs=1, images=20)
    variables = training.keras_model.trainable_variables
    for number, variable in enumerate(variables, start=1):
        variable.assign(np.full(variable.shape, number, np.float32))
    training.optimizer.apply([np.zeros(variable.shape, np.float32) for variable in variables])
    kernels = [variable.path in ("conv1/kernel", "fc/kernel") for variable in variables]
    assert sum(kernels) == 2
    for number, (variable, kernel) in enumerate(zip(variables, kernels, strict=True), start=1):
        expected = number * (1 - 2.5 * PAPER.learning_rate) if kernel else number
        np.testing.assert_allclose(variable, expected, rtol=1e-6)


# resuming


def test_resumed_training_equals_an_uninterrupted_one_bit_for_bit(one_epoch, two_epochs, tmp_path, run_here):
    folder = shutil.copytree(one_epoch, tmp_path / "run [1] *")
    options = ("--k", 0, "--limit", LIMIT, "--resume", True, "--checkpoint", folder, "--epochs", 2)
    output = run_here(Quant_LeNet_MNIST.main, *options).stdout
    assert "replacing" not in output
    assert f"2 epochs in {sum(float(row['seconds']) for row in read_history(folder)):.0f} s" in output
    assert_same_training(folder, two_epochs)


AUGMENTED_OPTIONS = ("--k", 0, "--recipe", "augmented", "--limit", LIMIT, "--epochs", 2)


@pytest.fixture(scope="module")
def two_augmented_epochs(tmp_path_factory, run_here):
    """Folder of a training of two epochs, never interrupted."""
    folder = tmp_path_factory.mktemp("augmented")
    assert run_here(Quant_LeNet_MNIST.main, *AUGMENTED_OPTIONS, "--checkpoint", folder).returncode == 0
    return folder


def test_resumed_augmented_training_equals_an_uninterrupted_one(
    two_augmented_epochs, tmp_path, run_here, monkeypatch
):
    save = Training.save

    def save_and_stop(training, output):
        save(training, output)
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(Training, "save", save_and_stop)
        process = run_here(Quant_LeNet_MNIST.main, *AUGMENTED_OPTIONS, "--checkpoint", tmp_path)
    assert (process.returncode, process.stderr) == (130, "interrupted\n")
    assert history_without_seconds(tmp_path) == history_without_seconds(two_augmented_epochs)[:2]

    run_here(Quant_LeNet_MNIST.main, *AUGMENTED_OPTIONS, "--checkpoint", tmp_path, "--resume", True)
    assert_same_training(tmp_path, two_augmented_epochs)


def test_finished_training_is_left_as_it_is(two_epochs, tmp_path, run_here):
    folder = shutil.copytree(two_epochs, tmp_path / "checkpoint")
    options = ("--k", 0, "--resume", True, "--checkpoint", folder, "--limit", LIMIT, "--epochs", 1)
    process = run_here(Quant_LeNet_MNIST.main, *options)
    assert process.stdout.startswith("nothing to train: 2 epochs are finished, --epochs is 1\n")
    assert_same_training(folder, two_epochs)
