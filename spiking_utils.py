"""Spiking convolution and linear layers with positive and negative spikes, and the network that they make.

A spiking layer is a function from a spike train to a spike train. Everything in it is an integer: weights
w = W * 2^f on the weight grid, potentials in units of that grid, thresholds as the lowest potential that
justifies a spike count. What a neuron does in a time step stands in spiking/neuron.py.
"""

import math
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import pairwise
from typing import NamedTuple

import numpy as np

from spiking import kernels
from spiking.encoding import encode_images
from spiking.layout import firing_rule, new_neurons, synapses
from spiking.network import HIGHEST_LEVEL, PIXEL_LEVELS, window_starts
from spiking.thresholds import ALWAYS, NEVER, JustifiedCount
from spiking.trains import Events, SpikeTrain, check_event_range
from spiking.weight_grid import INT16_MAX, INT32_MAX, bias_to_grid, check_weights, to_grid

FIRST_COUNTS = 64  # a block's thresholds reach up to this count, and further once a neuron does
MOST_THRESHOLDS = 1 << 22  # of a block
MOST_SPIKES = 64 << 20  # in memory at once, should every neuron fire in every step: 4 bytes each


class MissingThreshold(OverflowError):
    """A neuron has reached the last count that has a threshold."""


class SpikingConv:
    """Spiking convolution whose neurons fire +1 and -1, or bursts of several. In each time step:

        u <- u + convolution of the incoming spikes
        m  = the largest count with u >= theta_m, and 0 at least
        spike = clip(m - n, -B, B)
        n <- n + spike

    Parameters
    ----------
    kernel : integer array (h, w, in, out), from -32767 to 32767
    thresholds : integer array (out, counts)
        Column n is theta_n, the lowest potential that justifies a count of n, from 0 up to the highest count that
        a neuron may reach; see JustifiedCount. Column 0 is not used: a count of 0 is always justified.
    input_shape : (h, w, in)
    stride : (rows, columns)
    same : bool
        Pad with zeros as Keras's padding="same"; otherwise windows lie inside the input.
    max_spikes : int or None
        B, the most spikes that a neuron fires in a time step; None for any number.
    negative_spikes : bool
        Without them a neuron takes nothing back: spike = clip(m - n, 0, B).
    """

    def __init__(
        self, kernel, thresholds, input_shape, stride=(1, 1), same=False, max_spikes=1, negative_spikes=True
    ):
        if max_spikes is not None and max_spikes < 1:
            raise ValueError(f"max_spikes is {max_spikes}, expected an integer from 1 on, or None")
        self.input_shape = tuple(input_shape)
        self.kernel = _checked_kernel(kernel, self.input_shape)
        self.max_spikes, self.negative_spikes = max_spikes, negative_spikes
        self.thresholds = thresholds
        starts = [
            window_starts(size, window, step, same)
            for size, window, step in zip(self.input_shape[:2], self.kernel.shape[:2], stride, strict=True)
        ]
        self.output_shape = (*map(len, starts), self.kernel.shape[3])
        check_event_range(math.prod(self.output_shape[:2]), self.output_shape[2])
        self._synapses = synapses(self.kernel, self.input_shape[:2], starts)
        self._order = np.arange(math.prod(self.output_shape[:2]), dtype=np.int32)

    def fire_in_order_of(self, reader):
        """Fires position by position as the layer that reads the spikes adds them fastest: window by window."""
        if reader._synapses.apart:
            self._order = np.argsort(reader._synapses.window, kind="stable").astype(np.int32)

    @property
    def thresholds(self):
        """int32 (out, counts)"""
        return self._thresholds

    @thresholds.setter
    def thresholds(self, thresholds):
        self._thresholds = _checked_thresholds(thresholds, self.kernel.shape[3])
        self._rule = firing_rule(self._thresholds, self.max_spikes, self.negative_spikes)

    def forward(self, train):
        """The output SpikeTrain, and statistics of the input.

        Returns
        -------
        SpikeTrain
        statistics : int64 array (time steps, 3), of all images: columns SPIKES, NEGATIVE and SOPS of spiking.trains

        Raises
        ------
        ValueError
            The train is of another shape.
        OverflowError
            int32 might not hold a potential, or the thresholds do not reach as far as a count (MissingThreshold).
        """
        if train.shape != self.input_shape:
            raise ValueError(f"spike train has shape {train.shape}, expected {self.input_shape}")
        _check_potentials(self.kernel, train.peak_count)
        layer, neurons, output = self._state(train.images, train.time_steps)
        statistics = np.zeros((train.time_steps, 3), np.int64)
        peak_count = kernels.run_block(train.data, layer, neurons, output, statistics)
        return self._train(output, peak_count), statistics

    def encode(self, images, time_steps):
        """The output SpikeTrain for integer images (images, h, w, in), presented at the first step only."""
        images = np.asarray(images)
        if not np.issubdtype(images.dtype, np.integer):
            raise ValueError(f"images are {images.dtype}, expected integers; a pixel is 0 to 255")
        if images.shape[1:] != self.input_shape:
            raise ValueError(f"images have shape {images.shape[1:]}, expected {self.input_shape}")
        _check_potentials(self.kernel, int(np.abs(images.astype(np.int64)).max(initial=0)))
        pixels = images.reshape(len(images), math.prod(self.input_shape)).astype(np.int32)
        layer, neurons, output = self._state(len(images), time_steps)
        return self._train(output, encode_images(pixels, layer, neurons, output))

    def _state(self, images, time_steps):
        """The layer as the kernels take it, its neurons, and room for their spikes."""
        neurons = new_neurons(math.prod(self.output_shape[:2]), self.output_shape[2], math.prod(self.kernel.shape[:3]))
        room = Events.room(images, time_steps, neurons.potential.size, bursts=self.max_spikes != 1)
        return kernels.Layer(self._synapses, self._rule, self._order), neurons, room

    def _train(self, output, peak_count):
        """What was written into the room, as a SpikeTrain."""
        images, time_steps = len(output.steps), output.steps.shape[1] - 1
        highest = self._thresholds.shape[1] - 1
        if peak_count >= highest and (self.max_spikes is None or time_steps * self.max_spikes > highest):
            raise MissingThreshold(f"a neuron reaches the count {highest}, expected thresholds of higher counts")
        written = output.steps[-1, -1] if images else 0
        events = Events(output.events[:written], output.sizes[:written], output.steps)
        return SpikeTrain(events, self.output_shape, peak_count)


class SpikingLinear:
    """The classifier: accumulates potentials u <- u + W . spikes, and fires nothing.

    Parameters
    ----------
    weights : integer array (h * w * in, out), from -32767 to 32767
    input_shape : (h, w, in)
    bias : integer array (out,), the first potentials; 0 if None
    """

    def __init__(self, weights, input_shape, bias=None):
        self.input_shape = tuple(input_shape)
        weights = np.asarray(weights)
        inputs = math.prod(self.input_shape)
        if weights.ndim != 2 or len(weights) != inputs:
            raise ValueError(f"weights have shape {weights.shape}, expected ({inputs}, neurons)")
        self.neurons = weights.shape[1]
        self._kernel = _checked_kernel(weights.reshape(*self.input_shape, self.neurons), self.input_shape)
        self.weights = self._kernel.reshape(weights.shape)
        self.bias = _checked_bias(np.zeros(self.neurons, int) if bias is None else bias, self.neurons)
        self._synapses = synapses(self._kernel, self.input_shape[:2], (range(1), range(1)))

    def forward(self, train):
        """Potentials after each step, int32 (images, time steps, out), and statistics as SpikingConv's."""
        if train.shape != self.input_shape:
            raise ValueError(f"spike train has shape {train.shape}, expected {self.input_shape}")
        _check_potentials(self._kernel, train.peak_count, int(np.abs(self.bias.astype(np.int64)).max()))
        potentials = np.empty((train.images, train.time_steps, self.neurons), np.int32)
        statistics = np.zeros((train.time_steps, 3), np.int64)
        neurons = new_neurons(1, self.neurons, math.prod(self.input_shape))
        kernels.run_classifier(train.data, self._synapses, self.bias, neurons, potentials, statistics)
        return potentials, statistics


@dataclass(frozen=True)
class Activity:
    """What a spiking network did with some images."""

    trains: list  # SpikeTrain of each block
    potentials: np.ndarray  # int32 (images, time steps, classes), of the classifier
    statistics: np.ndarray  # int64 (blocks, time steps, 3); columns SPIKES, NEGATIVE and SOPS of spiking.trains

    def predictions(self):
        """The class with the highest potential after each step, (images, time steps); the lowest on a tie."""
        return self.potentials.argmax(axis=2)

    def quiescent(self):
        """Whether nothing fired in the last step, so that nothing can change any more; bool (images,)."""
        return np.all([train.quiescent() for train in self.trains], axis=0)


class SpikingNetwork:
    """A trained network as a spiking one.

    Parameters
    ----------
    weights : dict of float arrays, by the keys of network.weight_shapes
        Kernels are rounded to the weight grid, the bias of the classifier to whole units of its grid.
    network : Network
    k : int
        Quantisation level.
    time_steps : int
    max_spikes, negative_spikes : as of SpikingConv

    Attributes
    ----------
    blocks : list of SpikingConv
    classifier : SpikingLinear
    exponents : list of int
        The f of each block's weights w / 2^f, and of the classifier's.
    """

    def __init__(self, weights, network, k, time_steps, max_spikes=1, negative_spikes=True):
        if not 0 <= k <= HIGHEST_LEVEL:
            raise ValueError(f"k is {k}, expected an integer from 0 to {HIGHEST_LEVEL}")
        if time_steps < 1:
            raise ValueError(f"time_steps is {time_steps}, expected an integer from 1 on")
        check_weights(weights, network.weight_shapes)
        self.network, self.k, self.time_steps = network, k, time_steps
        self.max_spikes, self.negative_spikes = max_spikes, negative_spikes
        self.blocks, self.exponents, self._justified = [], [], []
        for block in network.blocks:
            self._add_block(block, weights)
        for block, reader in pairwise(self.blocks):
            block.fire_in_order_of(reader)
        kernel, exponent = to_grid(weights["fc/W"])
        # its inputs are S times the activations, so the bias counts S times
        bias = bias_to_grid(weights["fc/b"], exponent) * 2**k if network.classifier_bias else None
        self.exponents.append(exponent)
        self.classifier = SpikingLinear(kernel, network.blocks[-1].output_shape, bias)

    def _add_block(self, block, weights):
        kernel, exponent = to_grid(weights[f"conv{block.name}/W"])
        gamma, beta, mean, variance = (
            weights[f"bn{block.name}/{name}"].astype(np.float64)
            for name in ("gamma", "beta", "moving_mean", "moving_var")
        )
        # a negative gamma would turn the inequality u >= theta: its sign goes into the weights
        sign = np.where(gamma < 0, -1, 1)
        unit = 2.0**-exponent / (2**self.k if self.blocks else PIXEL_LEVELS)
        justified = JustifiedCount(gamma * sign, beta, mean * sign, variance, unit, self.k, block.max_value)
        self._justified.append(justified)
        self.exponents.append(exponent)
        self.blocks.append(
            SpikingConv(
                kernel * sign.astype(np.int16),
                justified.thresholds(min(FIRST_COUNTS, self.highest_count or FIRST_COUNTS)),
                block.input_shape,
                block.stride,
                block.same,
                self.max_spikes,
                self.negative_spikes,
            )
        )

    @property
    def highest_count(self):
        """That a neuron can reach within the time steps; None if there is none."""
        return None if self.max_spikes is None else self.time_steps * self.max_spikes

    def run(self, images):
        """Runs integer images, (images, h, w, channels) from 0 on, through the network; returns the Activity.

        Memory is reserved for every neuron to fire in every step, and taken only by what fires.
        """
        trains = [self._extended(0, lambda block: block.encode(images, self.time_steps))]
        statistics = []
        for index in range(1, len(self.blocks)):
            train, input_statistics = self._extended(index, lambda block: block.forward(trains[-1]))
            trains.append(train)
            statistics.append(input_statistics)
        potentials, input_statistics = self.classifier.forward(trains[-1])
        return Activity(trains, potentials, np.stack([*statistics, input_statistics]))

    def _extended(self, index, run):
        """What run(block) gives, after as many extensions of the block's thresholds as it takes."""
        while True:
            try:
                return run(self.blocks[index])
            except MissingThreshold:
                filters, counts = self.blocks[index].thresholds.shape
                if filters * 4 * counts > MOST_THRESHOLDS:
                    raise
                highest = min(4 * counts, self.highest_count or 4 * counts)
                self.blocks[index].thresholds = self._justified[index].thresholds(highest)

    def integer_arrays(self):
        """All that hardware needs to run it, arrays of integers by key; README_MNIST.md describes them.

        Raises
        ------
        ValueError
            max_spikes is None: thresholds end at the highest count that a neuron can reach.
        """
        if self.highest_count is None:
            raise ValueError("max_spikes has no bound, expected one: thresholds end at the highest count")
        arrays = {
            "k": np.int64(self.k),
            "pixel_levels": np.int64(PIXEL_LEVELS),
            "max_spikes": np.int64(self.max_spikes),
            "negative_spikes": np.int64(self.negative_spikes),
        }
        for block, layer, justified, exponent in zip(
            self.network.blocks, self.blocks, self._justified, self.exponents
        ):
            arrays |= {
                f"conv{block.name}/kernel": layer.kernel,
                f"conv{block.name}/exponent": np.int64(exponent),
                f"conv{block.name}/stride": np.array(block.stride, np.int64),
                f"conv{block.name}/padding": np.array(block.padding, np.int64),
                f"conv{block.name}/thresholds": justified.thresholds(self.highest_count),
            }
        return arrays | {
            "fc/kernel": self.classifier.weights,
            "fc/bias": self.classifier.bias,
            "fc/exponent": np.int64(self.exponents[-1]),
        }


class Evaluation(NamedTuple):
    """What a spiking network does with the images of a data set, batch by batch."""

    right: np.ndarray  # int64 (batches, time steps), images predicted right after each step
    statistics: np.ndarray  # int64 (batches, blocks, time steps, 3), in each step; columns as of Activity
    quiescent: int  # images in which nothing fired in the last step


def evaluate(network, pixels, labels, batch_size, threads, progress=iter):
    """Runs a spiking network over all images, batches in parallel.

    Parameters
    ----------
    network : SpikingNetwork
    pixels : integer array (images, h, w, channels)
    labels : integer array (images,)
    batch_size, threads : int
    progress : function that gives back the iterable of finished batches that it gets, and may show how far it is
    """
    part_size = max(1, MOST_SPIKES // (threads * network.time_steps * network.network.neurons))

    def run_part(images):
        activity = network.run(pixels[images])
        right = activity.predictions() == labels[images, None]
        return right.sum(axis=0), activity.statistics, activity.quiescent().sum()

    def run_batch(start):
        end = min(start + batch_size, len(pixels))
        parts = [run_part(slice(first, min(first + part_size, end))) for first in range(start, end, part_size)]
        return [sum(numbers) for numbers in zip(*parts, strict=True)]

    pool = ThreadPoolExecutor(threads)
    try:
        results = list(progress(pool.map(run_batch, range(0, len(pixels), batch_size))))
    finally:
        pool.shutdown(cancel_futures=True)  # an interruption does not wait for batches that have not begun
    right, statistics, quiescent = zip(*results, strict=True)
    return Evaluation(np.stack(right), np.stack(statistics), int(sum(quiescent)))


def _checked_kernel(kernel, input_shape):
    """The kernel as int16."""
    kernel = np.asarray(kernel)
    if kernel.ndim != 4:
        raise ValueError(f"kernel has shape {kernel.shape}, expected (h, w, in, out)")
    if kernel.shape[2] != input_shape[2]:
        raise ValueError(f"kernel takes {kernel.shape[2]} channels, expected the input's {input_shape[2]}")
    if not np.all((kernel == np.rint(kernel)) & (np.abs(kernel.astype(np.float64)) <= INT16_MAX)):
        raise ValueError(
            f"kernel has fractional weights or weights beyond {INT16_MAX}, expected integers of the grid"
        )
    check_event_range(math.prod(input_shape[:2]), input_shape[2])
    return kernel.astype(np.int16)


def _checked_thresholds(thresholds, filters):
    """The thresholds as int32."""
    thresholds = np.asarray(thresholds)
    if thresholds.ndim != 2 or len(thresholds) != filters or thresholds.shape[1] < 2:
        raise ValueError(f"thresholds have shape {thresholds.shape}, expected ({filters}, counts)")
    if thresholds.min() < ALWAYS or thresholds.max() > NEVER:
        raise ValueError(f"thresholds reach from {thresholds.min():g} to {thresholds.max():g}, expected int32")
    if not np.all(thresholds == np.rint(thresholds)) or np.any(np.diff(thresholds[:, 1:].astype(np.int64)) < 0):
        raise ValueError("thresholds are fractional or fall with the count, expected integers that do not fall")
    return thresholds.astype(np.int32)


def _checked_bias(bias, neurons):
    """The bias as int32."""
    bias = np.asarray(bias)
    if bias.shape != (neurons,):
        raise ValueError(f"bias has shape {bias.shape}, expected ({neurons},)")
    if np.any(bias != np.rint(bias)):
        raise ValueError("bias is fractional, expected whole units of the grid")
    if (largest := np.abs(bias.astype(np.float64)).max()) >= INT32_MAX:
        raise OverflowError(f"bias reaches {largest:g} units of the grid, expected less than {INT32_MAX}")
    return bias.astype(np.int32)


def _check_potentials(kernel, largest_input, largest_bias=0):
    """Every potential, and every partial sum on the way to it, is at most the bound."""
    weight_sum = int(np.abs(kernel.astype(np.int64)).sum(axis=(0, 1, 2)).max())
    bound = weight_sum * largest_input + largest_bias
    if bound >= INT32_MAX:
        raise OverflowError(
            f"membrane potentials could reach {bound} (weights of a filter sum up to {weight_sum}, "
            f"counts to {largest_input}), expected less than {INT32_MAX} as they are int32"
        )
