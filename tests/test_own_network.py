"""A .keras file beside --weights, the example and the benchmark of conversions, run as a user runs them."""

import hashlib
import json
import re
import zipfile
from functools import partial

import keras
import numpy as np
import pytest
from keras import layers

from benchmarks import conversion
from examples import own_network
from experiment import images, model
from experiment.weights import save_npz
from figs import raster
from LeNet import Spiking_LeNet_MNIST
from LeNet.tensorlayer.keras_network import keras_network
from LeNet.tensorlayer.layers import MedianQuantizer
from LeNet.tensorlayer.own_network import predict, read
from spiking_utils import SpikingNetwork
from tests.helpers import assert_refused

IMAGES = 40


def small_network(*quantizer):
    keras.utils.set_random_seed(2)
    return keras.Sequential(
        [
            keras.Input((28, 28, 1)),
            layers.Rescaling(1 / 255),
            layers.Conv2D(3, 5, strides=2, padding="same", bias_initializer="random_normal"),
            layers.ReLU(max_value=4),
            *quantizer,
            layers.AveragePooling2D(2),
            layers.Flatten(),
            layers.Dense(10, activation="softmax"),
        ]
    )


@pytest.fixture(scope="module")
def quantized(tmp_path_factory):
    path = tmp_path_factory.mktemp("quantized") / "my.keras"
    small_network(MedianQuantizer(2)).save(path)
    return path


@pytest.fixture(scope="module")
def unquantized(tmp_path_factory):
    path = tmp_path_factory.mktemp("unquantized") / "my.keras"
    small_network().save(path)
    return path


@pytest.fixture
def evaluate(run_here):
    def run(path, *options):
        return run_here(Spiking_LeNet_MNIST.main, "--weights", path, "--limit", IMAGES, *options)

    return run


def test_evaluation_prints_the_models_own_accuracy_and_the_agreement(quantized, evaluate, tmp_path):
    process = evaluate(quantized, "--logs", tmp_path / "logs", "--time_steps", 40)
    assert (process.returncode, process.stderr) == (0, "")
    test = images.load_split("test").first(IMAGES)
    own = predict(read(quantized)[0], test.pixels)
    accuracy = f"{100 * np.mean(own == test.labels):.2f} %"
    assert "converted to 28x28x1-3C5ps2m4-10, k=2\n" in process.stdout
    assert f"accuracy   {accuracy} of {IMAGES} images" in process.stdout
    assert f"Keras      {accuracy}, the model as it is" in process.stdout
    assert f"agreement  {IMAGES} of {IMAGES} of its predictions" in process.stdout
    run = json.loads((tmp_path / "logs" / "run.json").read_text())
    digest = hashlib.sha256(quantized.read_bytes()).hexdigest()[:8]
    assert (run["k"], run["model"]["recipe"]) == (2, f"own-my-{digest}")
    assert run["model"]["network"] == "28x28x1-3C5ps2m4-10"
    assert run["ann_accuracy"] == np.mean(own == test.labels)


def test_every_neuron_is_verified(unquantized, evaluate):
    process = evaluate(unquantized, "--k", 3, "--verify")
    neurons = f"{IMAGES * 14 * 14 * 3:,}"
    assert process.returncode == 0, process.stderr
    assert re.search(rf"^total +{neurons} +{neurons} ", process.stdout, re.MULTILINE)
    assert process.stdout.endswith("\nlossless\n")


def test_model_without_quantiser_is_said_to_be_one(quantized, unquantized, evaluate, tmp_path):
    said = "without quantiser: that of k=2 is put in at conversion\n"
    for path in (quantized, unquantized):
        process = evaluate(path, "--k", 2, "--logs", tmp_path / path.parent.name)
        assert process.returncode == 0, process.stderr
        assert (said in process.stdout) == (path == unquantized)


def test_files_of_the_same_name_have_logs_of_their_own(quantized, unquantized, evaluate, tmp_path, monkeypatch):
    monkeypatch.setattr(model, "ROOT", tmp_path)
    for path in (quantized, unquantized):
        assert evaluate(path, "--k", 2, "--data", images.MNIST).returncode == 0
    names = [path.name for path in (tmp_path / "figs").iterdir()]
    assert len(names) == 2
    assert all(re.fullmatch(r"k2-3C5ps2m4-own-my-[0-9a-f]{8}-first40", name) for name in names)


def test_keras_file_where_a_npz_file_is_expected(quantized, run_here):
    process = run_here(raster.main, "--weights", quantized)
    assert_refused(process, "my.keras: is a model of Keras, expected a npz file", "FILE.keras converts such")


def test_npz_file_of_a_converted_network_is_verified_like_any_other(quantized, evaluate, tmp_path):
    trained, _ = keras_network(read(quantized)[0], data="mnist")
    assert (trained.model.data, keras_network(read(quantized)[0], data="usps")[0].model.data) == ("mnist", "usps")
    save_npz(trained, tmp_path / "my.npz")
    process = evaluate(tmp_path / "my.npz", "--verify")
    assert process.returncode == 0, process.stderr
    assert process.stdout.endswith("\nlossless\n")


def test_export_holds_the_converted_network(quantized, run_here, tmp_path):
    process = run_here(Spiking_LeNet_MNIST.main, "--weights", quantized, "--export", tmp_path / "integers.npz")
    assert process.returncode == 0, process.stderr
    with np.load(tmp_path / "integers.npz") as arrays:
        assert (arrays["k"], arrays["conv1/kernel"].shape) == (2, (5, 5, 1, 3))


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ((), "found no MedianQuantizer layer, expected one after each ReLU, or the argument k (--k)"),
        (("--k", 2, "--recipe", "paper"), "expected recipe=paper"),
        (("--k", 2, "--network", "3C5"), "expected network=3C5"),
        (("--k", 2, "--seed", 1), "is of seed=0, expected seed=1"),
    ],
)
def test_options_that_do_not_fit_are_refused(unquantized, evaluate, options, expected):
    assert_refused(evaluate(unquantized, *options), str(unquantized), expected)


def test_other_level_than_that_of_the_quantisers_is_refused(quantized, evaluate):
    quantizer = read(quantized)[0].layers[3].name
    expected = f"layer {quantizer}: found k=2, expected k=1 as the argument says"
    assert_refused(evaluate(quantized, "--k", 1), f"{quantized}: {expected}")


def test_layer_that_cannot_be_converted_is_named_with_the_file(evaluate, tmp_path):
    path = tmp_path / "max.keras"
    model = keras.Sequential([keras.Input((28, 28, 1)), layers.MaxPooling2D(2, name="max"), layers.Flatten()])
    model.save(path)
    assert_refused(evaluate(path), f"{path}: layer max: found a MaxPooling2D layer, expected AveragePooling2D")


def test_file_that_is_not_there(evaluate, tmp_path):
    assert_refused(evaluate(tmp_path / "no.keras"), "no.keras: not found, expected a .keras file")


def test_file_that_is_no_archive(evaluate, tmp_path):
    path = tmp_path / "text.keras"
    path.write_text("text")
    assert_refused(evaluate(path), f"{path}: is no zip archive, expected a .keras file")


def test_archive_of_something_else(evaluate, tmp_path):
    path = tmp_path / "other.keras"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("readme.txt", "text")
    assert_refused(evaluate(path), f"{path}: cannot be read (", "expected a .keras file")


@pytest.mark.parametrize("place", [0.2, 0.5, 0.9])
def test_damaged_file(quantized, evaluate, tmp_path, place):
    path = tmp_path / "damaged.keras"
    content = bytearray(quantized.read_bytes())
    middle = int(place * len(content))
    content[middle : middle + 200] = b"\xff" * 200
    path.write_bytes(content)
    assert_refused(evaluate(path), str(path), "expected a .keras file")


def test_code_in_a_file_is_not_run(evaluate, tmp_path):
    path = tmp_path / "code.keras"
    keras.Sequential([keras.Input((28, 28, 1)), layers.Lambda(lambda x: x), layers.Flatten()]).save(path)
    assert_refused(evaluate(path), f"{path}: cannot be read (", "expected a .keras file")


def test_example_trains_converts_and_agrees(run_here, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    process = run_here(partial(own_network.main, epochs=1, limit=200))
    assert process.returncode == 0, process.stderr
    assert "28x28x1-8C3pm4-16C6ps2m4-64m4-10b, its weights rounded by " in process.stdout
    assert "200 of its 200 predictions are the spiking network's\n" in process.stdout
    assert "200 images are quiescent after 60 time steps\n" in process.stdout
    assert (tmp_path / "own_network.keras").exists()


def test_example_takes_no_options(run_here):
    assert_refused(run_here(own_network.main, "--epochs", 1), "unrecognized arguments: --epochs 1")


def test_benchmark_compares_levels(run_here, monkeypatch):
    models, train = [], conversion.trained_model
    monkeypatch.setattr(conversion, "trained_model", lambda *args: models.append(train(*args)) or models[0])
    process = run_here(conversion.main, "--epochs", 1, "--limit", 100, "--threads", 1)
    assert process.returncode == 0, process.stderr
    header, *rows = process.stdout.splitlines()
    assert header.split()[:3] == ["time", "steps", "1"]
    pixels = images.load_split("test").pixels[:100]
    for k, row in zip((2, 3, 4), rows):
        trained, _ = keras_network(models[0], k)
        activity = SpikingNetwork(trained.weights, trained.network, k, max(conversion.TIME_STEPS)).run(pixels)
        agreeing = sum(activity.predictions()[:, -1] == predict(models[0], pixels))
        assert [row.split()[0], *row.split()[-2:]] == [f"k={k}", str(agreeing), str(activity.quiescent().sum())]
    assert rows[3].startswith("Keras ")
