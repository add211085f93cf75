"""A .keras file given as --weights, and the examples, run as a user runs them."""

import hashlib
import json
import re
import zipfile

import keras
import numpy as np
import pytest
from keras import layers

from experiment import images
from experiment.logs import read as read_logs
from experiment.trained import read_npz
from figs import raster
from LeNet import Spiking_LeNet_MNIST, tensorlayer  # noqa: F401, TensorFlow starts as the scripts start it
from LeNet.own_network import UNREADABLE, read
from spiking.conversion import MedianQuantizer
from tests.helpers import assert_refused
from tests.script_helpers import write_images

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
    own = read(quantized).predict(test.pixels)
    accuracy = f"{100 * np.mean(own == test.labels):.2f} %"
    assert "converted to 28x28x1-3C5ps2m4-10, k=2\n" in process.stdout
    assert f"accuracy   {accuracy} of {IMAGES} images" in process.stdout
    assert f"model      {accuracy}, as it is" in process.stdout
    assert f"agreement  {IMAGES} of {IMAGES} of its predictions" in process.stdout
    assert f"every neuron of the quiescent images ({IMAGES} of {IMAGES}) to the quantised network" in process.stdout
    assert "lossless" not in process.stdout
    run = json.loads((tmp_path / "logs" / "run.json").read_text())
    assert (run["k"], run["model"]["recipe"]) == (2, "own")
    assert re.fullmatch("my-[0-9a-f]{8}", run["model"]["origin"])
    assert run["weights_sha256"] == hashlib.sha256(quantized.read_bytes()).hexdigest()
    assert run["model"]["network"] == "28x28x1-3C5ps2m4-10"
    assert run["ann_accuracy"] == np.mean(own == test.labels)


def test_every_neuron_is_verified(unquantized, evaluate):
    process = evaluate(unquantized, "--k", 3, "--verify")
    neurons = f"{IMAGES * 14 * 14 * 3:,}"
    assert process.returncode == 0, process.stderr
    assert re.search(rf"^total +{neurons} +{neurons} ", process.stdout, re.MULTILINE)
    test = images.load_split("test").first(IMAGES)
    own = read(unquantized).predict(test.pixels)
    *_, equal, agreeing, accuracy = process.stdout.splitlines()
    assert equal == f"equal to the quantised network in {neurons} of {neurons} neurons"
    assert re.fullmatch(rf"predictions equal to the model's own: \d+ of {IMAGES}", agreeing)
    assert accuracy.endswith(f" % spiking, {100 * np.mean(own == test.labels):.2f} % the model itself")
    assert "lossless" not in process.stdout


def test_model_without_quantiser_is_said_to_be_one(quantized, unquantized, evaluate, tmp_path):
    said = "without quantiser: the conversion inserts that of k=2, where 2^2 counts stand for the 99 % quantile"
    for path in (quantized, unquantized):
        process = evaluate(path, "--k", 2, "--calibrate", 50, "--logs", tmp_path / path.parent.name)
        assert process.returncode == 0, process.stderr
        assert (said in process.stdout) == (path == unquantized)


def test_files_of_the_same_name_and_other_conversions_have_logs_of_their_own(
    quantized, unquantized, evaluate, default_places
):
    for path, calibrate in ((quantized, 50), (unquantized, 0), (unquantized, 50), (unquantized, 51)):
        process = evaluate(path, "--k", 2, "--calibrate", calibrate, "--data", images.MNIST)
        assert process.returncode == 0, process.stderr
    names = [path.name for path in (default_places / "figs/logs").iterdir()]
    assert len(names) == 4
    # a scale of activations divides the bound on them, too
    assert all(re.fullmatch(r"k2-3C5ps2m[\d.]+-own-my-[0-9a-f]{8}-first40", name) for name in names)


def test_keras_file_where_a_npz_file_is_expected(quantized, run_here):
    process = run_here(raster.main, "--weights", quantized)
    assert_refused(process, "my.keras: is a Keras model, expected an npz file", "FILE.keras converts it")


def test_saved_weights_of_a_converted_network_are_taken_like_any_other(unquantized, evaluate, run_here, tmp_path):
    saved = tmp_path / "my.npz"
    for _ in range(2):  # what --save has written it replaces
        process = evaluate(unquantized, "--k", 2, "--calibrate", 50, "--save", saved, "--logs", tmp_path / "own")
        assert process.returncode == 0, process.stderr
    assert evaluate(saved, "--verify").stdout.splitlines()[-1].startswith("equal to the quantised network in ")
    trained, logs = read_npz(saved), read_logs(tmp_path / "own")
    # the classifier reads 14 x 14 x 3 numbers, of which the model's own, after its pooling, reads 7 x 7 x 3
    assert trained.network.ann_operations == logs.network.ann_operations == 3 * 7 * 7 * 3 * 10
    picture = run_here(raster.main, "--weights", saved, "--images", 0, "--output", tmp_path)
    assert picture.returncode in (0, 2), picture.stderr
    golden = evaluate(saved, "--golden", tmp_path / "golden.npz")
    assert golden.returncode == 0, golden.stderr


def test_dry_run_says_what_becomes_of_each_layer(unquantized, run_here):
    process = run_here(Spiking_LeNet_MNIST.main, "--weights", unquantized, "--dry_run")
    assert (process.returncode, process.stderr) == (0, "")
    header, block, scores, neurons = process.stdout.splitlines()
    assert header.split() == ["block", "output", "neurons", "reads", "layers"]
    names = r"rescaling\w*, conv2d\w*, re_lu\w*"
    assert re.fullmatch(rf"1 +14x14x3 +588 +image +{names}", block)
    assert re.fullmatch(r"scores +10 +1 +average_pooling2d\w*, dense\w*", scores)
    assert neurons == "all 1 blocks have 588 neurons"


@pytest.mark.parametrize("option", [("--max_spikes", 2), ("--negative_spikes", False), ("--calibrate", 5)])
def test_dry_run_refuses_what_it_ignores(option, unquantized, run_here):
    process = run_here(Spiking_LeNet_MNIST.main, "--weights", unquantized, "--dry_run", *option)
    assert_refused(process, f"argument {option[0]}: not allowed with --dry_run, which ignores it")


def test_without_negative_spikes_nothing_is_called_equal(unquantized, evaluate, tmp_path):
    process = evaluate(unquantized, "--k", 1, "--negative_spikes", False, "--logs", tmp_path / "logs")
    assert (process.returncode, process.stderr) == (0, "")
    assert "agreement" in process.stdout
    assert "equal" not in process.stdout


@pytest.mark.parametrize("option", [("--dry_run",), ("--calibrate", 5), ("--save", "my.npz")])
def test_options_for_your_own_network_need_one(option, run_here):
    process = run_here(Spiking_LeNet_MNIST.main, "--k", 0, *option)
    assert_refused(process, f"argument {option[0]}: is only for --weights FILE.keras or FILE.onnx")


@pytest.mark.parametrize("suffix", UNREADABLE)
def test_files_of_unreadable_types_are_refused_with_what_to_do(suffix, run_here, tmp_path):
    path = tmp_path / f"my{suffix}"
    path.write_bytes(b"content")
    assert_refused(run_here(Spiking_LeNet_MNIST.main, "--weights", path), f"{path}: {UNREADABLE[suffix]}")


def test_saved_model_is_refused_with_what_to_do(run_here, tmp_path):
    (tmp_path / "saved_model.pb").write_bytes(b"")
    process = run_here(Spiking_LeNet_MNIST.main, "--weights", tmp_path)
    assert_refused(process, f"{tmp_path}: is a SavedModel: load it where it was made")


def test_block_that_never_fires_is_a_warning_that_names_it(evaluate, tmp_path):
    dead = layers.Conv2D(2, 3, activation="relu", name="dead", bias_initializer=keras.initializers.Constant(-9))
    head = [layers.Flatten(), layers.Dense(10)]
    keras.Sequential([keras.Input((28, 28, 1)), layers.Rescaling(1 / 255), dead, *head]).save(tmp_path / "dead.keras")
    process = evaluate(tmp_path / "dead.keras", "--k", 1, "--calibrate", 5, "--logs", tmp_path / "logs")
    assert process.returncode == 0, process.stderr
    assert "warning    block 1 (layer dead) never fires: none of its activations is above 0" in process.stdout
    assert "warning    block 1 (layer dead) never fired\n" in process.stdout


def test_export_holds_the_converted_network(quantized, run_here, tmp_path):
    process = run_here(
        Spiking_LeNet_MNIST.main, "--weights", quantized, "--export", tmp_path / "integers.npz", "--time_steps", 9
    )
    assert process.returncode == 0, process.stderr
    with np.load(tmp_path / "integers.npz") as arrays:
        assert (arrays["k"], arrays["conv1/kernel"].shape) == (2, (5, 5, 1, 3))


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ((), "found no MedianQuantizer layer, expected one after each ReLU, or the argument k (--k)"),
        (("--k", 2, "--recipe", "paper"), "expected recipe=paper"),
        (("--k", 2, "--network", "3C5"), "expected network=3C5"),
        (("--k", 2, "--seed", 1), "has seed=0, expected seed=1"),
    ],
)
def test_options_that_do_not_fit_are_refused(unquantized, evaluate, options, expected):
    assert_refused(evaluate(unquantized, *options), str(unquantized), expected)


def test_other_level_than_that_of_the_quantisers_is_refused(quantized, evaluate):
    expected = "found MedianQuantizer layers with k=2, expected k=1, the argument"
    assert_refused(evaluate(quantized, "--k", 1), f"{quantized}: {expected}")


def test_export_needs_a_number_of_time_steps(quantized, run_here, tmp_path):
    process = run_here(Spiking_LeNet_MNIST.main, "--weights", quantized, "--export", tmp_path / "integers.npz")
    assert_refused(process, "argument --time_steps: found auto, expected a number with --export")


def test_all_layers_that_cannot_be_converted_are_named_with_the_file_on_one_line(evaluate, tmp_path):
    path = tmp_path / "my.keras"
    middle = [layers.MaxPooling2D(2, name="max"), layers.LeakyReLU(name="leaky"), layers.Flatten()]
    keras.Sequential([keras.Input((28, 28, 1)), *middle]).save(path)
    first = f"{path}: layer max: found a max pooling of the image, expected a convolution with a ReLU before it"
    assert_refused(evaluate(path), f"{first}; layer leaky: found a LeakyReLU layer, expected ReLU")


def test_file_that_is_not_there(evaluate, tmp_path):
    assert_refused(evaluate(tmp_path / "no.keras"), "no.keras: not found, expected a .keras file")


def test_file_that_is_no_archive(evaluate, tmp_path):
    path = tmp_path / "text.keras"
    path.write_text("text")
    assert_refused(evaluate(path), f"{path}: is not a zip archive, expected a .keras file")


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
    assert_refused(evaluate(path), f"{path}: cannot be read (it holds a Lambda layer, Python code, which is not run)")


def test_layer_of_a_class_of_ones_own_is_named(evaluate, tmp_path):
    class Doubled(layers.Layer):
        def call(self, inputs):
            return 2 * inputs

    path = tmp_path / "doubled.keras"
    keras.Sequential([keras.Input((28, 28, 1)), Doubled(), layers.Flatten()]).save(path)
    assert_refused(evaluate(path), f"{path}: cannot be read (Could not locate class 'Doubled'")


def test_images_of_another_size_are_refused_by_their_folder(unquantized, evaluate, tmp_path):
    write_images(tmp_path / "small", (8, 8), classes=10)
    process = evaluate(unquantized, "--k", 1, "--data", tmp_path / "small")
    found = f"{tmp_path / 'small'}: has images (h, w, channels) (8, 8, 1), expected (28, 28, 1) as {unquantized}"
    assert_refused(process, found)


def test_model_itself_is_not_overwritten_by_what_is_saved(unquantized, evaluate):
    before = unquantized.read_bytes()
    process = evaluate(unquantized, "--k", 1, "--save", unquantized)
    assert_refused(process, f"argument --save: {unquantized} does not end in .npz, expected the name of an npz file")
    assert unquantized.read_bytes() == before


@pytest.mark.parametrize("option", ["--export", "--golden"])
def test_two_results_do_not_go_into_one_file(unquantized, run_here, tmp_path, option):
    options = ("--weights", unquantized, "--k", 1, "--time_steps", 5, "--save", tmp_path / "my.npz")
    process = run_here(Spiking_LeNet_MNIST.main, *options, option, tmp_path / "my.npz")
    assert_refused(process, f"argument --save: found {tmp_path / 'my.npz'} twice")
    assert list(tmp_path.iterdir()) == []
