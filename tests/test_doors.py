"""What the library is given is checked at its doors: a wrong argument is one ValueError, never a wrong number."""

import numpy as np
import pytest

from spiking.network import Network
from spiking_utils import SpikeTrain, SpikingConv, SpikingLinear, SpikingNetwork, evaluate
from tests.networks import random_weights

NETWORK = Network.parse("4x4x1-2C3-3")
THRESHOLDS = np.tile(np.arange(4), (2, 1))


def conv(**changed):
    settings = {"kernel": np.ones((3, 3, 1, 2)), "thresholds": THRESHOLDS, "input_shape": (4, 4, 1)} | changed
    return SpikingConv(**settings)


@pytest.mark.parametrize("max_spikes", [0, -1, 1.5, 2.5, True, "2"])
def test_spikes_in_a_step_are_a_whole_number(max_spikes):
    with pytest.raises(ValueError, match=rf"^max_spikes is {max_spikes}, expected an integer from 1 on$"):
        conv(max_spikes=max_spikes)


@pytest.mark.parametrize("time_steps", [0, -3, 2.0])
def test_time_steps_of_an_image_are_a_whole_number(time_steps):
    with pytest.raises(ValueError, match=rf"^time_steps is {time_steps}, expected an integer from 1 on$"):
        conv().encode(np.zeros((1, 4, 4, 1), int), time_steps)


@pytest.mark.parametrize("changed", [{"input_shape": (4, 4)}, {"stride": (1,)}])
def test_shape_and_stride_have_all_axes(changed):
    with pytest.raises(ValueError, match=r"expected \(h, w, in\) and \(rows, columns\)$"):
        conv(**changed)


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
