"""What the spiking layers and networks of the library refuse: wrong arguments, weights and images, by name."""

import re

import numpy as np
import pytest

import spiking_utils
from spiking.notation import parse
from spiking.trains import SpikeTrain
from spiking_utils import SpikingConv, SpikingLinear, SpikingNetwork, evaluate
from tests.networks import random_weights

NETWORK = parse("4x4x1-2C3-3")
THRESHOLDS = np.tile(np.arange(4), (2, 1))


def conv(kernel=((1,),), thresholds=((0, 1, 2, 3),), **more):
    """A 1 x 1 convolution over 2 x 2 positions, from rows of a kernel (in, out)."""
    return SpikingConv(np.array(kernel)[None, None], np.array(thresholds), (2, 2, 1), **more)


@pytest.mark.parametrize(
    ("make", "error"),
    [
        (lambda: SpikeTrain.from_dense(np.full((1, 1, 1, 1, 1), 0.5)), "spikes are no integers"),
        (lambda: SpikeTrain.from_dense(np.full((1, 1, 1, 1, 1), -1)), "a net count is negative"),
        (
            lambda: conv().forward(SpikeTrain.from_dense(np.zeros((1, 5, 2, 3, 1)))),
            r"spike train has shape \(2, 3, 1\), expected \(2, 2, 1\)",
        ),
        (
            lambda: conv().encode(np.zeros((1, 3, 2, 1), int), 2),
            r"images have shape \(3, 2, 1\), expected \(2, 2, 1\)",
        ),
        (lambda: conv(kernel=[[1], [1]]), "kernel takes 2 channels, expected the input's 1"),
        (
            lambda: SpikingConv(np.ones((3, 1, 1, 1)), np.ones((1, 4)), (2, 2, 1)),
            "kernel 3 does not fit into an axis of length 2",
        ),
        (lambda: SpikingConv(np.ones((1, 1, 1)), np.ones((1, 4)), (2, 2, 1)), r"kernel has shape \(1, 1, 1\)"),
        (lambda: conv(kernel=[[32768]]), "weights that are no integers or beyond 32767"),
        (lambda: conv(kernel=[[np.nan]]), "weights that are no integers"),
        (lambda: conv(kernel=[[1, 1, 1]]), r"thresholds have shape \(1, 4\), expected \(3, counts\)"),
        (lambda: conv(thresholds=[[0, 1, 0.5, 3]]), "thresholds are no integers or fall with the count"),
        (lambda: conv(thresholds=[[0, 3, 2, 4]]), "thresholds are no integers or fall with the count"),
        (lambda: conv(thresholds=[[0, np.nan, 2, 4]]), "thresholds are no integers or fall with the count"),
        (lambda: conv(thresholds=[[0, 1, 2**31]]), "thresholds reach from 0 to .*, expected int32$"),
        (lambda: conv(thresholds=[[0, 1, 2.0**40]]), "thresholds reach from 0 to .*, expected int32$"),
        (lambda: conv(max_spikes=0), "max_spikes is 0, expected an integer from 1 on"),
        (lambda: conv(negative_spikes="False"), "negative_spikes is 'False', expected True or False"),
        (lambda: conv(stride=(0, 1)), r"stride \(0, 1\), of which one is 0, expected an integer from 1 on"),
        (lambda: conv(stride=(1, 1.5)), r"stride \(1, 1.5\), of which one is 1.5, expected an integer from 1 on"),
        (lambda: conv(kernel=np.ones((1, 0))), r"kernel has shape \(1, 1, 1, 0\), expected .*, each at least 1"),
        (lambda: SpikingLinear(np.ones((4, 2)), (4,)), r"input_shape is \(4,\), expected \(h, w, in\)"),
        (
            lambda: SpikingConv(np.ones((1, 1, 1, 1)), np.ones((1, 4)), (200, 200, 1)),
            "expected at most 32768 of each",
        ),
        (lambda: SpikingLinear([[0.7]], (1, 1, 1)), "weights that are no integers"),
        (
            lambda: SpikingLinear(np.ones((3, 2), int), (1, 1, 2)),
            r"weights have shape \(3, 2\), expected \(2, neurons\)",
        ),
        (lambda: SpikingLinear(np.ones((4, 1), int), (1, 1, 2)), r"weights have shape \(4, 1\)"),
        (lambda: SpikingLinear([[1, 2]], (1, 1, 1), bias=[1]), r"bias has shape \(1,\), expected \(2,\)"),
        (lambda: SpikingLinear([[1]], (1, 1, 1), bias=[0.5]), "bias has values that are no integers"),
        (
            lambda: SpikingLinear([[1]], (1, 1, 1)).forward(SpikeTrain.from_dense(np.zeros((1, 5, 1, 2, 1)))),
            r"spike train has shape \(1, 2, 1\), expected \(1, 1, 1\)",
        ),
        (lambda: SpikingLinear([[1]], (1, 1, 1), bias=[np.nan]), "bias has values that are no integers"),
    ],
)
def test_bad_arguments_are_named(make, error):
    with pytest.raises(ValueError, match=error):
        make()


TINY = parse("2x2x1-1C1-2b")


@pytest.mark.parametrize(
    ("key", "value", "error"),
    [
        ("conv1/W", None, r"^conv1/W is missing, expected an array of shape \(1, 1, 1, 1\)$"),
        ("fc/W", np.ones((2, 4)), r"^fc/W has shape \(2, 4\), expected \(4, 2\)$"),
        ("fc/W", np.ones((8, 2)), r"^fc/W has shape \(8, 2\), expected \(4, 2\)$"),
        ("conv1/W", np.full((1, 1, 1, 1), np.nan), "^conv1/W has NaN or infinite values, expected finite ones$"),
        ("conv1/W", np.ones((1, 1, 1, 1), int), "^conv1/W is int64, expected floats$"),
        ("fc/b", np.array([0, np.inf]), "^fc/b has NaN or infinite values, expected finite ones$"),
        ("bn1/moving_var", np.array([-0.5]), "^bn1/moving_var is -0.5 at its lowest, expected 0 or above$"),
    ],
)
def test_bad_weights_of_a_network_are_named(key, value, error):
    weights = random_weights(TINY, seed=0) | {key: value}
    if value is None:
        del weights[key]
    with pytest.raises(ValueError, match=error):
        SpikingNetwork(weights, TINY, k=0, time_steps=2)


@pytest.mark.parametrize(
    ("settings", "error"),
    [
        ({"k": -1}, "^k is -1, expected an integer from 0 to 16$"),
        ({"k": 17}, "^k is 17, expected an integer from 0 to 16$"),
        ({"time_steps": 0}, "^time_steps is 0, expected an integer from 1 on$"),
        ({"max_spikes": 0}, "^max_spikes is 0, expected an integer from 1 on$"),
    ],
)
def test_bad_settings_of_a_network_are_named(settings, error):
    with pytest.raises(ValueError, match=error):
        SpikingNetwork(random_weights(TINY, seed=0), TINY, **{"k": 0, "time_steps": 2} | settings)


def test_bias_that_int32_cannot_hold_is_refused():
    weights = random_weights(TINY, seed=0) | {"fc/b": np.float32([0, 2.0**20])}
    with pytest.raises(OverflowError, match=r"^bias reaches .* units of the .*grid, expected less than 2147483647$"):
        SpikingNetwork(weights, TINY, k=0, time_steps=2)


def test_bias_of_a_layer_that_int32_cannot_hold_is_refused():
    with pytest.raises(OverflowError, match=r"^bias reaches 2\.14748e\+09 units of the grid, expected less than"):
        SpikingLinear([[1]], (1, 1, 1), bias=[-(2**31 - 1)])


def test_count_beyond_the_last_threshold_is_refused():
    """Thresholds 0, 1, 2: a potential of 2 justifies a count of 2, and who knows whether more."""
    layer = conv(thresholds=[[0, 1, 2]], max_spikes=None)
    images = np.ones((1, 2, 2, 1), int)
    assert layer.encode(images, 1).to_dense().tolist() == np.ones((1, 1, 2, 2, 1)).tolist()
    with pytest.raises(OverflowError, match=r"^a neuron reaches the count 2, expected thresholds of higher counts$"):
        layer.encode(2 * images, 1)
    with pytest.raises(OverflowError, match=r"^a neuron reaches the count 2"):
        layer.forward(SpikeTrain.from_dense(2 * images[:, None]))


def test_count_without_end_is_refused(monkeypatch):
    """A gamma of 3e38 justifies more than any count as soon as the potential is above the mean."""
    monkeypatch.setattr(spiking_utils, "MOST_THRESHOLDS", 1 << 12)  # the real limit takes seconds
    weights = random_weights(TINY, seed=0) | {"bn1/gamma": np.float32([3e38]), "bn1/moving_mean": np.float32([-1])}
    with pytest.raises(OverflowError, match=r"^a neuron reaches the count \d+, expected thresholds"):
        SpikingNetwork(weights, TINY, k=0, time_steps=1, max_spikes=None).run(np.zeros((1, 2, 2, 1), int))


def test_images_that_are_no_integers_are_refused():
    layer = SpikingConv(np.ones((1, 1, 1, 1)), np.zeros((1, 4)), input_shape=(2, 2, 1))
    with pytest.raises(ValueError, match=r"^images are float64, expected integers; a pixel is 0 to 255$"):
        layer.encode(np.full((1, 2, 2, 1), 0.999), 2)


def test_no_images_give_no_spikes():
    layer = SpikingConv(np.ones((1, 1, 1, 1)), np.zeros((1, 4)), input_shape=(2, 2, 1))
    train = layer.encode(np.zeros((0, 2, 2, 1), int), 2)
    assert train.to_dense().shape == (0, 2, 2, 2, 1)


def conv_4x4(**changed):
    settings = {"kernel": np.ones((3, 3, 1, 2)), "thresholds": THRESHOLDS, "input_shape": (4, 4, 1)} | changed
    return SpikingConv(**settings)


@pytest.mark.parametrize("max_spikes", [0, -1, 1.5, 2.5, True, "2"])
def test_spikes_in_a_step_are_a_whole_number(max_spikes):
    with pytest.raises(ValueError, match=rf"^max_spikes is {max_spikes}, expected an integer from 1 on$"):
        conv_4x4(max_spikes=max_spikes)


@pytest.mark.parametrize("time_steps", [0, -3, 2.0])
def test_time_steps_of_an_image_are_a_whole_number(time_steps):
    with pytest.raises(ValueError, match=rf"^time_steps is {time_steps}, expected an integer from 1 on$"):
        conv_4x4().encode(np.zeros((1, 4, 4, 1), int), time_steps)


@pytest.mark.parametrize(
    ("name", "sizes", "expected"), [("input_shape", (4, 4), "h, w, in"), ("stride", (1,), "rows, columns")]
)
def test_shape_and_stride_have_all_axes(name, sizes, expected):
    with pytest.raises(ValueError, match=f"^{re.escape(f'{name} is {sizes}, expected ({expected})')}$"):
        conv_4x4(**{name: sizes})


def test_classifier_without_classes():
    with pytest.raises(ValueError, match=r"^weights have shape \(16, 0\), expected \(16, neurons\)$"):
        SpikingLinear(np.ones((16, 0)), (4, 4, 1))


@pytest.mark.parametrize(
    ("k", "time_steps", "message"),
    [
        (1.5, 2, "k is 1.5, expected an integer from 0 to 16"),
        (-1, 2, "k is -1, expected an integer from 0 to 16"),
        (17, 2, "k is 17, expected an integer from 0 to 16"),
        (0, 2.5, "time_steps is 2.5, expected an integer from 1 on"),
    ],
)
def test_level_and_time_steps_of_a_network(k, time_steps, message):
    with pytest.raises(ValueError, match=f"^{message}$"):
        SpikingNetwork(random_weights(NETWORK, seed=0), NETWORK, k, time_steps)


@pytest.mark.parametrize(
    ("images", "labels", "batch_size", "message"),
    [
        (3, 2, 5, "3 images and 2 labels, expected as many of both, at least one"),
        (3, 5, 5, "3 images and 5 labels, expected as many of both, at least one"),
        (0, 0, 5, "0 images and 0 labels, expected as many of both, at least one"),
        (3, 3, 0, "batch_size is 0, expected an integer from 1 on"),
    ],
)
def test_images_and_labels_of_an_evaluation(images, labels, batch_size, message):
    network = SpikingNetwork(random_weights(NETWORK, seed=0), NETWORK, 0, 2)
    with pytest.raises(ValueError, match=f"^{message}$"):
        evaluate(network, np.zeros((images, 4, 4, 1), int), np.zeros(labels, int), batch_size, 1)


@pytest.mark.parametrize("spike", [2.0**40, -(2.0**40), np.nan, np.inf])
def test_spikes_that_int32_cannot_hold(spike):
    with pytest.raises(ValueError, match=r"^spikes are not finite or beyond 2147483647, expected int32$"):
        SpikeTrain.from_dense(np.full((1, 1, 1, 1, 1), spike))


@pytest.mark.parametrize("shape", [(1, 0, 1, 1, 1), (1, 1, 1, 1)])
def test_train_without_steps(shape):
    with pytest.raises(ValueError, match=r"^spikes have shape .*, expected \(images, time steps, h, w, channels\)$"):
        SpikeTrain.from_dense(np.zeros(shape))
