"""The identity of a model: its names and places, and the options that choose it and must not contradict its file."""

from dataclasses import replace

import numpy as np
import pytest

from experiment import ROOT, InputError, command_line, identity, model, weights
from experiment.identity import Identity
from experiment.model import LENET, NPZ_NAME, Model
from experiment.recipes import AUGMENTED
from experiment.trained import Trained, read_npz, save_npz
from experiment.weights import load, network_for, read_published
from spiking.network import FULL_PRECISION
from spiking.notation import parse
from tests.helpers import PUBLISHED
from tests.networks import random_weights

LAYERS = "2C3-P2"
NETWORK = parse(f"8x8x1-{LAYERS}-3")
STRIPES = Model(1, LAYERS, "stripes", "augmented", seed=3)
IDENTITY = Identity(STRIPES, NETWORK, AUGMENTED.epochs, 50, 50, threads=1)  # of 50 images
TRAINED = Trained(IDENTITY, random_weights(NETWORK, 0))


@pytest.fixture
def save(tmp_path):
    """Saves a Trained model with other settings; returns the path of its file."""

    def save(k=STRIPES.k, name="mine.npz", weights=TRAINED.weights, **settings):
        path = tmp_path / name
        save_npz(Trained(replace(IDENTITY, model=replace(STRIPES, k=k), **settings), weights), path)
        return path

    return save


def choose(*options, k=0):
    """The Choice of a script's options for a model and its weights; full precision has no --k."""
    parser = command_line.ArgumentParser(None)
    model.add_options(parser, k=None if k == FULL_PRECISION else k)
    model.add_weights(parser)
    choice = model.chosen(parser.parse_args(list(map(str, options))))
    return replace(choice, k=k) if k == FULL_PRECISION else choice


# names


@pytest.mark.parametrize(
    ("found", "name", "label"),
    [
        (Model(0), "k0", "k=0"),
        (Model(FULL_PRECISION), "fp32", "full precision"),
        (Model(1, recipe="augmented"), "k1-augmented", "k=1, augmented"),
        (Model(0, seed=3), "k0-seed3", "k=0, seed3"),
        (Model(16, data="usps"), "k16-usps", "k=16, usps"),
        (Model(2, "32C5-P2-1024", "fashion"), "k2-32C5-P2-1024-fashion", "k=2, 32C5-P2-1024, fashion"),
        (STRIPES, "k1-2C3-P2-stripes-augmented-seed3", "k=1, 2C3-P2, stripes, augmented, seed3"),
    ],
)
def test_name_is_the_level_and_what_differs_from_the_paper(found, name, label):
    assert (found.name, found.label) == (name, label)
    assert found.checkpoint == ROOT / "LeNet/checkpoints" / name
    assert found.published == ROOT / f"LeNet/pretrained/{name}.npz"
    assert found.history == ROOT / f"LeNet/pretrained/{name}.csv"


def test_name_of_a_deep_network_is_short_and_its_own():
    deep = ["-".join([*["16C3p-16C3p+I@1"] * 40, last]) for last in ("20", "21")]
    names = {Model(2, network, recipe="own-deep").name for network in deep}
    assert len(names) == 2
    assert all(len(name) < 100 for name in names)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"network": "20C5-P2-"}, r"^layer 3 \(\): not a layer, expected nCk"),
        ({"network": "20c5"}, r"^layer 1 \(20c5\): not a layer, expected nCk"),
        ({"data": ".."}, r"^data is '\.\.', expected the name of a folder or recipe$"),
        ({"recipe": "a/b"}, r"^recipe is 'a/b', expected the name of a folder or recipe$"),
    ],
)
def test_what_names_no_model_is_refused(settings, message):
    with pytest.raises(ValueError, match=message):
        Model(**{"k": 0} | settings)


# options


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ((), Model(1)),
        (("--k", 0), Model(0)),
        (("--recipe", "augmented", "--seed", 3), Model(1, recipe="augmented", seed=3)),
        (("--network", LAYERS, "--data", "some/where/stripes/"), Model(1, LAYERS, "stripes")),
        (("--data", "stripes/.."), Model(1, data="testsb")),
    ],
)
def test_options_name_a_model(options, expected, monkeypatch, tmp_path):
    (tmp_path / "testsb").mkdir()
    monkeypatch.chdir(tmp_path / "testsb")
    assert choose(*options).model(1) == expected


@pytest.mark.parametrize("folder", ["/", "/tmp/a\nb", "/tmp/" + 101 * "a"])
def test_folder_whose_name_cannot_name_data_is_refused(folder):
    with pytest.raises(InputError, match=r"^argument --data: data is '.*', expected the name of a folder or recipe$"):
        choose("--data", folder).model(0)


@pytest.mark.parametrize(
    ("layers", "input_shape", "message"),
    [
        (LENET, (12, 12, 1), r"layer 3 \(50C5\): kernel 5 does not fit into an axis of length 4$"),
        ("20C5-P9", (16, 12, 1), r"layer 2 \(P9\): kernel 9 does not fit into an axis of length 8$"),
        ("999C1-1", (99, 99, 1), r"999C1-1 has 9,791,200 neurons, expected at most 4,194,304 to train$"),
        ("30000-30000", (28, 28, 1), r"28x28x1-30000-30000-3 has \d{3},\d{3},\d{3} weights, expected at most 268,"),
        (
            "8C3-M2+8C2s2",
            (9, 9, 1),
            r"layer 2 \(M2\+8C2s2\): adds a max pooling to something, expected it to be ",
        ),
        ("8C3-8C3-8C3@1", (9, 9, 1), r"layer 2: is read by no later layer, expected at least one$"),
        ("8C3-8C3+I", (9, 9, 1), r"layer 2 \(8C3\+I\): adds \(7, 7, 8\) to \(5, 5, 8\), expected the same shape$"),
    ],
)
def test_network_that_does_not_fit_is_refused(layers, input_shape, message):
    with pytest.raises(InputError, match=f"^argument --network: {message}"):
        network_for(layers, input_shape, 3)


# files


def test_file_says_what_the_options_leave_open(save, capsys):
    path = save()
    trained = load(choose("--weights", path), 0)
    assert (trained.model, trained.network) == (STRIPES, NETWORK)
    assert capsys.readouterr().out == f"weights    {path}\n"


@pytest.mark.parametrize(
    "options",
    [("--k", 1), ("--network", LAYERS), ("--data", "elsewhere/stripes"), ("--recipe", "augmented"), ("--seed", 3)],
)
def test_options_may_agree_with_a_file(save, options):
    assert load(choose("--weights", save(), *options), 0).model == STRIPES


@pytest.mark.parametrize(
    ("found", "default", "options", "message"),
    [
        (1, 0, ("--k", 0), "k=1, expected k=0"),
        (1, 0, ("--network", LENET), f"network={LAYERS}, expected network={LENET}"),
        (1, 0, ("--data", "data/mnist"), "data=stripes, expected data=mnist"),
        (1, 0, ("--recipe", "paper"), "recipe=augmented, expected recipe=paper"),
        (1, 0, ("--seed", 0), "seed=3, expected seed=0"),
        (1, 0, ("--seed", 4, "--k", 1), "seed=3, expected seed=4"),
        (1, FULL_PRECISION, (), "k=1, expected full precision"),
        (FULL_PRECISION, 0, ("--k", 0), "full precision, expected k=0"),
        (FULL_PRECISION, FULL_PRECISION, ("--seed", 4), "seed=3, expected seed=4"),
    ],
)
def test_options_may_not_contradict_a_file(save, capsys, found, default, options, message):
    path = save(found)
    with pytest.raises(InputError, match=f"^{path}: has {message}$"):
        load(choose("--weights", path, *options, k=default), default)
    assert capsys.readouterr().out == ""


def test_full_precision_is_converted_to_any_level_that_is_named(save, capsys):
    path = save(FULL_PRECISION)
    assert load(choose("--weights", path, "--k", 4), 1, converts=True).model.k == FULL_PRECISION
    assert "           of full precision: the conversion inserts the quantiser of k=4\n" in capsys.readouterr().out
    with pytest.raises(InputError, match=f"^{path}: has full precision, expected --k, the level to convert"):
        load(choose("--weights", path), 1, converts=True)
    with pytest.raises(InputError, match=f"^{path}: has full precision, expected a quantised network$"):
        load(choose("--weights", path), 1)


def test_quantised_weights_are_not_converted_to_another_level(save):
    with pytest.raises(InputError, match=r": has k=1, expected k=2$"):
        load(choose("--weights", save(), "--k", 2), 1, converts=True)


@pytest.mark.parametrize(
    ("seen", "words"),
    [
        ({}, ""),
        ({"epochs": AUGMENTED.epochs + 1}, ""),
        ({"epochs": 3}, f"3 of {AUGMENTED.epochs} epochs"),
        ({"images": 400, "all_images": 50_000}, "400 of 50,000 images"),
        ({"epochs": 0, "images": 1}, f"0 of {AUGMENTED.epochs} epochs, 1 of 50 images"),
    ],
)
def test_weights_of_less_training_say_so(save, capsys, seen, words):
    trained = load(choose("--weights", save(**seen)), 0)
    assert trained.identity.shortfall == words
    notice = f"           a trial: trained on {words}\n"
    assert (notice in capsys.readouterr().out) == bool(words)


def test_shortfall_of_a_recipe_that_nobody_knows_counts_images_only():
    others = replace(IDENTITY, model=replace(STRIPES, recipe="of others"), epochs=1, images=49)
    assert others.shortfall == "49 of 50 images"


def test_weights_off_the_grid_are_rounded_with_a_notice(save, capsys):
    off = {key: array.copy() for key, array in TRAINED.weights.items()}
    off["fc/W"].flat[0] += np.float32(2**-24)
    trained = load(choose("--weights", save(weights=off)), 0)
    assert capsys.readouterr().out.endswith("rounded to the weight grid, which changed them by 6e-08 at most\n")
    np.testing.assert_array_equal(trained.weights["fc/W"], TRAINED.weights["fc/W"])


def test_default_file_is_that_of_the_checkpoint_or_the_published_one(default_places, save):
    (default_places / "LeNet/pretrained").mkdir(parents=True)
    (default_places / "LeNet/checkpoints" / STRIPES.name).mkdir(parents=True)
    options = choose("--k", 1, "--network", LAYERS, "--data", "stripes", "--recipe", "augmented", "--seed", 3)
    published = f"LeNet/pretrained/{STRIPES.name}.npz"
    expected = f"expected published weights of {STRIPES.name}, or those of a training in .*/{STRIPES.name}; "
    with pytest.raises(InputError, match=f"{published}: not found, {expected}stripes of --data is not a folder"):
        load(options, 0)
    for place in (published, f"LeNet/checkpoints/{STRIPES.name}/{NPZ_NAME}"):
        expected = save(name=place)
        assert load(options, 0).path == expected


@pytest.mark.parametrize(
    ("data", "layers", "epochs"),
    [
        ("fashion-mnist", "32C5-P2-64C5-P2-1024", 100),
        ("mnist", "32C5-P2-64C5-P2-1024", 150),
        ("fashion-mnist", "400-400", 150),
    ],
)
def test_published_number_of_epochs_of_a_network_is_no_trial(data, layers, epochs):
    identity = Identity(Model(1, layers, data), NETWORK, epochs, 9, 9, threads=1)
    assert identity.shortfall == ""
    assert replace(identity, epochs=epochs - 1).shortfall == f"{epochs - 1} of {epochs} epochs"


@pytest.mark.parametrize("settings", [{"k": 2}, {"k": FULL_PRECISION}])
def test_file_in_the_place_of_another_model_is_refused(default_places, save, settings):
    (default_places / "LeNet/pretrained").mkdir(parents=True)
    place = Model(1).published
    save(name=place, **settings)
    for reading in (lambda: load(choose("--k", 1), 0), lambda: read_published(Model(1))):
        with pytest.raises(InputError, match=r"/k1\.npz: has (k=2|full precision), expected k=1$"):
            reading()


def test_published_weights_are_those_of_their_names():
    for published in PUBLISHED:
        assert read_published(published).model == published
        assert read_npz(published.published).identity.shortfall == ""


def test_published_model_that_nobody_trained_is_refused():
    for reading in (read_published, weights.default_weights):
        with pytest.raises(
            InputError, match=r"^LeNet/pretrained/k9\.npz: not found, expected published weights of k9"
        ):
            reading(Model(9))


@pytest.mark.parametrize(("limit", "refused"), [(444_660, False), (444_659, True)])
def test_network_of_more_weights_than_the_limit_is_refused(monkeypatch, limit, refused):
    """500 + 1,600 + 25,000 + 10,000 + 400,000 + 5,000 of kernels, and four for each of 640 filters."""
    network = network_for(LENET, (28, 28, 1), 10)
    monkeypatch.setattr(identity, "MAX_WEIGHTS", limit)
    if not refused:
        assert identity.check_size(network) is network
        return
    with pytest.raises(ValueError, match=f"^{network.notation} has 444,660 weights, expected at most 444,659$"):
        identity.check_size(network)
