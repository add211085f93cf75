"""Spiking convolution and linear layers with positive and negative spikes, over exported npz weights.

A spiking layer is a function from a spike train to a spike train. Everything in it is an integer: weights
w = W * 2^f on the weight grid, potentials in units of that grid, thresholds as the lowest potential that
justifies a spike count. Zou et al., "Towards a Lossless Conversion for Spiking Neural Networks with
Negative-Spike Dynamics", Advanced Intelligent Systems, 2023.
"""

import math
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from spiking import kernels
from spiking.encoding import encode_images
from spiking.layout import new_neurons, synapses, thresholds_by_count
from spiking.network import PIXEL_LEVELS, window_starts
from spiking.thresholds import count_thresholds
from spiking.trains import SpikeTrain, check_event_range
from spiking.weight_grid import to_grid

INT32_MAX = 2**31 - 1
MOST_SPIKES = 64 << 20  # in memory at once
SPIKES, NEGATIVE, SOPS = range(3)


@dataclass(frozen=True)
class Activity:
    """What a spiking network did with some images."""

    trains: list  # SpikeTrain of each block
    potentials: np.ndarray  # int32 (images, time steps, classes), of the classifier
    statistics: np.ndarray  # int64 (blocks, time steps, 3): spikes, negative spikes, synaptic operations

    def predictions(self):
        """The class with the highest potential after each step, (images, time steps); the lowest on a tie."""
        return self.potentials.argmax(axis=2)

    def quiescent(self):
        """Whether nothing fired in the last step, so that nothing can change any more; bool (images,)."""
        return np.all([train.steps[:, -1] == train.steps[:, -2] for train in self.trains], axis=0)


class SpikingConv:
    """Spiking convolution (VALID windows) whose neurons fire +1 and -1. In each time step:

        u <- u + convolution of the incoming spikes
        spike = +1 if u >= theta_(n+1), -1 if n > 0 and u < theta_n, else 0
        n <- n + spike

    Parameters
    ----------
    kernel : integer array (h, w, in, out), from -32767 to 32767
    thresholds : integer array (out, time steps + 2)
        Column n is theta_n, the lowest potential that justifies a count of n; see `count_thresholds`.
        Column 0 is not used: a count of 0 is always justified.
    input_shape : (h, w, in)
    stride : int
    """

    def __init__(self, kernel, thresholds, input_shape, stride=1):
        self.kernel = kernel = np.asarray(kernel)
        self.filters = kernel.shape[3]
        self.input_shape = tuple(input_shape)
        height, width = (
            len(window_starts(size, window, stride))
            for size, window in zip(input_shape[:2], kernel.shape[:2], strict=True)
        )
        self.output_shape = (height, width, self.filters)
        self.time_steps = np.shape(thresholds)[-1] - 2
        self._thresholds = thresholds_by_count(thresholds, self.filters)
        self._synapses = synapses(kernel, self.input_shape, stride)
        self._largest_weight_sum = _largest_weight_sum(kernel)
        check_event_range(height * width, self.filters)

    def forward(self, train):
        """The output SpikeTrain, and statistics of the input: int64 (time steps, 3), summed over the images.

        The columns of the statistics are spikes, negative spikes and synaptic operations.
        """
        _check_input(train, self.input_shape, self.time_steps)
        _check_potentials(self._largest_weight_sum, train.peak_count)
        neurons = self._state()
        statistics = np.zeros((self.time_steps, 3), np.int64)
        settings = train.events, train.steps, self._synapses, self._thresholds, neurons
        output = self._collect(
            len(train.steps), lambda *progress: kernels.run_block(*settings, *progress, statistics)
        )
        return output, statistics

    def encode(self, images):
        """The output SpikeTrain for integer images (images, h, w, in), presented at the first step only."""
        images = np.asarray(images)
        if not np.issubdtype(images.dtype, np.integer):
            raise ValueError(f"images are {images.dtype}, expected integers; a pixel is 0 to 255")
        if images.shape[1:] != self.input_shape:
            raise ValueError(f"images have shape {images.shape[1:]}, expected {self.input_shape}")
        _check_potentials(self._largest_weight_sum, int(np.abs(images.astype(np.int64)).max(initial=0)))
        flat = images.reshape(len(images), math.prod(self.input_shape)).astype(np.int32)
        neurons = self._state()
        active = np.empty((neurons.potential.size, 2), np.int32)
        settings = flat, self._synapses, self._thresholds, neurons, active
        return self._collect(len(images), lambda *progress: encode_images(*settings, *progress))

    @property
    def thresholds(self):
        """int32 (out, time steps + 2), those given; column 0, which is not used, holds the lowest int32."""
        return self._thresholds[:, : self.filters].T

    def _state(self):
        height, width, filters = self.output_shape
        return new_neurons(height * width, filters)

    def _collect(self, images, run):
        """The SpikeTrain of images from a kernel, which is called again where its spikes did not fit."""
        capacity = self._state().potential.size  # spikes of an image and time step
        spikes = np.empty(capacity * (self.time_steps + images), np.int32)
        spike_steps = np.zeros((images, self.time_steps + 1), np.int64)
        image, peak_count = 0, 0
        while image < images:
            image, peak = run(image, spikes, spike_steps)
            peak_count = max(peak_count, peak)
            if image < images:
                spikes = np.concatenate([spikes, np.empty_like(spikes)])
        written = spike_steps[-1, -1] if images else 0
        return SpikeTrain(spikes[:written], spike_steps, self.output_shape, peak_count)


class SpikingLinear:
    """The classifier: accumulates potentials u <- u + W . spikes, and fires nothing.

    Parameters
    ----------
    weights : integer array (h * w * in, out), from -32767 to 32767
    input_shape : (h, w, in)
    """

    def __init__(self, weights, input_shape):
        self.weights = np.asarray(weights)
        self.input_shape = tuple(input_shape)
        kernel = self.weights.reshape(*input_shape, -1)
        self.neurons = kernel.shape[3]
        self._synapses = synapses(kernel, self.input_shape, stride=1)
        self._largest_weight_sum = _largest_weight_sum(kernel)

    def forward(self, train):
        """Potentials after each step, int32 (images, time steps, out), and statistics as SpikingConv's."""
        _check_input(train, self.input_shape, train.time_steps)
        _check_potentials(self._largest_weight_sum, train.peak_count)
        potentials = np.empty((len(train.steps), train.time_steps, self.neurons), np.int32)
        statistics = np.zeros((train.time_steps, 3), np.int64)
        neurons = new_neurons(1, self.neurons)
        kernels.run_classifier(train.events, train.steps, self._synapses, neurons, potentials, statistics)
        return potentials, statistics


class SpikingNetwork:
    """A trained network as a spiking one.

    Parameters
    ----------
    weights : dict of float arrays, as load_npz gives it; kernels are rounded to the weight grid
    network : Network
    k : int
        Quantisation level.
    time_steps : int

    Attributes
    ----------
    blocks : list of SpikingConv
    classifier : SpikingLinear
    exponents : list of int
        The f of each block's weights w / 2^f, and of the classifier's.
    time_steps : int
    """

    def __init__(self, weights, network, k, time_steps, max_spikes=1, negative_spikes=True):
        self.network, self.k, self.time_steps = network, k, time_steps
        self.blocks, self.exponents = [], []
        for index, block in enumerate(network.blocks):
            kernel, exponent = to_grid(weights[f"conv{block.name}/W"])
            gamma, beta, mean, variance = (
                weights[f"bn{block.name}/{name}"].astype(np.float64)
                for name in ("gamma", "beta", "moving_mean", "moving_var")
            )
            # a negative gamma would turn the inequality u >= theta: its sign goes into the weights
            sign = np.where(gamma < 0, -1, 1)
            unit = 2.0**-exponent / (PIXEL_LEVELS if index == 0 else 2**k)
            thresholds = count_thresholds(gamma * sign, beta, mean * sign, variance, unit, k, time_steps)
            kernel = kernel * sign.astype(np.int16)
            self.blocks.append(SpikingConv(kernel, thresholds, block.input_shape, block.stride[0]))
            self.exponents.append(exponent)
        kernel, exponent = to_grid(weights["fc/W"])
        self.exponents.append(exponent)
        self.classifier = SpikingLinear(kernel, network.blocks[-1].output_shape)

    def run(self, images):
        """Runs integer images, (images, h, w, channels) from 0 on, through the network; returns the Activity."""
        trains, statistics = [self.blocks[0].encode(images)], []
        for block in self.blocks[1:]:
            train, input_statistics = block.forward(trains[-1])
            trains.append(train)
            statistics.append(input_statistics)
        potentials, input_statistics = self.classifier.forward(trains[-1])
        return Activity(trains, potentials, np.stack([*statistics, input_statistics]))

    def integer_arrays(self):
        """All that hardware needs to run it, arrays of integers by key; README_MNIST.md describes them."""
        arrays = {"k": np.int64(self.k), "pixel_levels": np.int64(PIXEL_LEVELS)}
        for block, layer, exponent in zip(self.network.blocks, self.blocks, self.exponents):
            arrays |= {
                f"conv{block.name}/kernel": layer.kernel,
                f"conv{block.name}/exponent": np.int64(exponent),
                f"conv{block.name}/stride": np.int64(block.stride[0]),
                # the last column is for a count after the last time step, which nothing is compared with
                f"conv{block.name}/thresholds": layer.thresholds[:, :-1],
            }
        return arrays | {"fc/kernel": self.classifier.weights, "fc/exponent": np.int64(self.exponents[-1])}


def _largest_weight_sum(kernel):
    return int(np.abs(kernel.astype(np.int64)).sum(axis=(0, 1, 2)).max())


def _check_potentials(largest_weight_sum, largest_input):
    """Every potential, and every partial sum on the way to it, is at most the product of the two."""
    bound = largest_weight_sum * largest_input
    if bound >= INT32_MAX:
        raise OverflowError(
            f"membrane potentials could reach {bound} (weights of a filter sum up to {largest_weight_sum}, "
            f"counts to {largest_input}), expected less than {INT32_MAX} as they are int32"
        )


def _check_input(train, input_shape, time_steps):
    found = (train.shape, train.time_steps)
    if found != (input_shape, time_steps):
        raise ValueError(f"spike train has (shape, time steps) {found}, expected {(input_shape, time_steps)}")


class Evaluation(NamedTuple):
    right: np.ndarray
    statistics: np.ndarray
    quiescent: int


def evaluate(network, pixels, labels, batch_size, threads, progress=iter):
    """Stand-in until the engine is merged."""
    starts = range(0, len(pixels), batch_size)

    def run_batch(start):
        activity = network.run(pixels[start : start + batch_size])
        right = activity.predictions() == labels[start : start + batch_size, None]
        return right.sum(axis=0), activity.statistics, activity.quiescent().sum()

    with ThreadPoolExecutor(threads) as pool:
        right, statistics, quiescent = zip(*progress(pool.map(run_batch, starts)), strict=True)
    return Evaluation(np.stack(right), np.stack(statistics), int(sum(quiescent)))
