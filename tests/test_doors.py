"""What the spiking layers and networks of the library refuse: wrong arguments, weights and images, by name."""

import re

import numpy as np
import pytest

from spiking import layers
from spiking.edges import position_shift
from spiking.encoding import image_train
from spiking.notation import parse
from spiking.trains import SpikeTrain
from spiking_utils import SpikingConv, SpikingLinear, SpikingNetwork, SpikingPooling, evaluate
from tests.networks import random_weights

TINY = parse("2x2x1-1C1-2b")
JOINED = parse("2x2x1-2C1-2C1-M2@1-2+2@2-3")  # the second block pools, the third reads two
WEIGHTS = random_weights(TINY, seed=0)


def train(shape=(2, 2, 1), images=1, time_steps=5):
    return SpikeTrain.from_dense(np.zeros((images, time_steps, *shape), int))


def network(weights=WEIGHTS, k=0, time_steps=2, **rule):
    return SpikingNetwork(weights, TINY, k, time_steps, **rule)


@pytest.mark.parametrize(
    ("spikes", "error"),
    [
        (np.full((1, 1, 1, 1, 1), 0.5), "^spikes are no integers or a net count is negative"),
        (np.full((1, 1, 1, 1, 1), -1), "^spikes are no integers or a net count is negative"),
        (np.full((1, 1, 1, 1, 1), 2.0**40), "^spikes are not finite or beyond 2147483647, expected int32$"),
        (np.full((1, 1, 1, 1, 1), -np.inf), "^spikes are not finite or beyond 2147483647, expected int32$"),
        (np.full((1, 1, 1, 1, 1), np.nan), "^spikes are not finite or beyond 2147483647, expected int32$"),
        (np.zeros((1, 0, 1, 1, 1)), r"^spikes have shape .*, expected \(images, time steps, h, w, channels\)$"),
        (np.zeros((1, 1, 1, 1)), r"^spikes have shape .*, expected \(images, time steps, h, w, channels\)$"),
    ],
)
def test_array_that_is_no_spike_train_is_refused(spikes, error):
    with pytest.raises(ValueError, match=error):
        SpikeTrain.from_dense(spikes)


def test_largest_int32_is_a_number_of_spikes():
    assert SpikeTrain.from_dense(np.full((1, 1, 1, 1, 1), 2**31 - 1)).peak_count == 2**31 - 1


def test_variance_of_0_is_no_error():
    network({**WEIGHTS, "bn1/moving_var": 0 * WEIGHTS["bn1/moving_var"]})


@pytest.mark.parametrize(
    ("trains", "error"),
    [
        ([train()], "found 1 spike trains, expected one for each of 2 inputs"),
        ([train((1, 1, 2)), train((2, 2, 2), time_steps=4)], "spike trains are of different images or time steps"),
        ([train((1, 1, 2)), train((2, 2, 2), images=2)], "spike trains are of different images or time steps"),
        ([train((1, 1, 2)), train((2, 2, 1))], "spike train has shape (2, 2, 1), expected (2, 2, 2)"),
    ],
)
def test_spike_trains_that_are_not_those_of_the_inputs_are_refused(trains, error):
    weights = random_weights(JOINED, seed=0)
    layer = SpikingNetwork(weights, JOINED, 0, 5).blocks[3]
    with pytest.raises(ValueError, match=f"^{re.escape(error)}"):
        layer.forward(trains)


@pytest.mark.parametrize(
    "make",
    [
        lambda: SpikingPooling(JOINED.blocks[2]),
        lambda: SpikingLinear(TINY.classifier, WEIGHTS, k=0),
    ],
)
def test_other_layers_refuse_other_trains_too(make):
    with pytest.raises(ValueError, match=r"^spike train has shape \(3, 1, 1\), expected \(2, 2, \d\)$"):
        make().forward([train((3, 1, 1))])


@pytest.mark.parametrize(
    ("key", "value", "error"),
    [
        ("conv1/W", None, r"^conv1/W is missing, expected an array of shape \(1, 1, 1, 1\)$"),
        ("fc/W", np.ones((2, 4)), r"^fc/W has shape \(2, 4\), expected \(4, 2\)$"),
        ("conv1/W", np.full((1, 1, 1, 1), np.nan), "^conv1/W has NaN or infinite values, expected finite ones$"),
        ("conv1/W", np.ones((1, 1, 1, 1), int), "^conv1/W has dtype int64, expected floats$"),
        ("fc/b", np.array([0, np.inf]), "^fc/b has NaN or infinite values, expected finite ones$"),
        ("bn1/moving_var", np.array([-0.5]), "^bn1/moving_var is -0.5 at its lowest, expected 0 or above$"),
    ],
)
def test_bad_weights_of_a_network_are_named(key, value, error):
    changed = WEIGHTS | {key: value}
    if value is None:
        del changed[key]
    with pytest.raises(ValueError, match=error):
        network(changed)


@pytest.mark.parametrize(
    ("settings", "error"),
    [
        *(({"k": k}, f"k is {k}, expected an integer from 0 to 16") for k in (-1, 17, 1.5)),
        *(({"time_steps": steps}, f"time_steps is {steps}, expected an integer >= 1") for steps in (0, -3, 2.5)),
        *(
            ({"max_spikes": most}, f"max_spikes is {most}, expected an integer >= 1")
            for most in (0, -1, 2.5, True, "2")
        ),
        ({"negative_spikes": "False"}, "negative_spikes is 'False', expected True or False"),
    ],
)
def test_bad_settings_of_a_network_are_named(settings, error):
    with pytest.raises(ValueError, match=f"^{error}$"):
        network(**settings)
    rule = {name: value for name, value in settings.items() if name in ("max_spikes", "negative_spikes")}
    if rule:  # a layer alone
        with pytest.raises(ValueError, match=f"^{error}$"):
            SpikingConv(TINY.blocks[0], WEIGHTS, k=0, **rule)


def test_bias_that_int32_cannot_hold_is_refused():
    with pytest.raises(
        OverflowError, match=r"^bias reaches .* units of the weight grid, expected less than 2147483647$"
    ):
        network(WEIGHTS | {"fc/b": np.float32([0, 2.0**20])})


def test_count_without_end_is_refused(monkeypatch):
    """A gamma of 3e38 justifies more than any count as soon as the potential is above the mean."""
    monkeypatch.setattr(layers, "MAX_THRESHOLDS", 1 << 12)  # the real limit takes seconds
    endless = WEIGHTS | {"bn1/gamma": np.float32([3e38]), "bn1/moving_mean": np.float32([-1])}
    spiking = network(endless, time_steps=1, max_spikes=None)
    expected = f"^block 1: a neuron reaches the count 512, expected less than {(1 << 12) // 8}$"  # 8 are stored
    with pytest.raises(OverflowError, match=expected):
        spiking.run(np.zeros((1, 2, 2, 1), int))


@pytest.mark.parametrize(
    ("images", "error"),
    [
        (np.full((1, 2, 2, 1), 0.999), "images are float64, expected integers; a pixel is 0 to 255"),
        (np.zeros((1, 3, 2, 1), int), "images have shape (3, 2, 1), expected (2, 2, 1)"),
        (np.full((1, 2, 2, 1), -1), "images reach down to -1, expected pixels of at least 0"),
    ],
)
def test_invalid_images_are_refused(images, error):
    with pytest.raises(ValueError, match=f"^{re.escape(error)}$"):
        network().run(images)


def test_no_images_give_no_spikes():
    activity = network().run(np.zeros((0, 2, 2, 1), int))
    assert activity.trains[0].to_dense().shape == (0, 2, 2, 2, 1)
    assert activity.potentials.shape == (0, 2, 2)
    assert image_train(np.zeros((0, 2, 2, 1), int), (2, 2, 1), 3).to_dense().shape == (0, 3, 2, 2, 1)


@pytest.mark.parametrize(
    ("images", "labels", "batch_size", "message"),
    [
        (3, [0, 0], 5, "3 images and 2 labels, expected equal numbers, at least one"),
        (3, [0] * 5, 5, "3 images and 5 labels, expected equal numbers, at least one"),
        (0, [], 5, "0 images and 0 labels, expected equal numbers, at least one"),
        (3, np.eye(3, 2), 5, r"labels are of the shape \(3, 2\), expected a number for each image: \(images,\)"),
        (3, [0, 1, 2], 5, "labels are 0 to 2, expected classes from 0 to 1"),
        (3, [0, -1, 0], 5, "labels are -1 to 0, expected classes from 0 to 1"),
        (3, [0, 1, 0], 0, "batch_size is 0, expected an integer >= 1"),
    ],
)
def test_images_and_labels_of_an_evaluation(images, labels, batch_size, message):
    with pytest.raises(ValueError, match=f"^{message}$"):
        evaluate(network(), np.zeros((images, 2, 2, 1), int), labels, batch_size, 1)


def test_channels_that_leave_no_bit_for_a_position_are_refused():
    with pytest.raises(ValueError, match=r"^1 x 1 positions of 3000000000 channels, expected at least one of each"):
        position_shift((1, 1, 3_000_000_000))
