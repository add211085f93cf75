"""Spiking convolution and linear layers with positive and negative spikes, and the network that they make.

A spiking layer is a function from a spike train to a spike train. Everything in it is an integer: weights
w = W * 2^f on the weight grid, potentials in units of that grid, thresholds as the lowest potential that
justifies a spike count. What a neuron does in a time step stands in spiking/neuron.py.
"""

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import pairwise
from threading import Lock
from typing import NamedTuple

import numpy as np

from spiking.layers import MissingThreshold, SpikingConv, SpikingLinear, check_integer
from spiking.network import HIGHEST_LEVEL, PIXEL_LEVELS
from spiking.thresholds import JustifiedCount
from spiking.trains import SpikeTrain
from spiking.weight_grid import bias_to_grid, check_weights, input_bound, to_grid

__all__ = ["Activity", "Evaluation", "SpikeTrain", "SpikingConv", "SpikingLinear", "SpikingNetwork", "evaluate"]

FIRST_COUNTS = 64  # a block's thresholds reach up to this count, and further once a neuron does
MOST_THRESHOLDS = 1 << 22  # of a block
EXTENSION = Lock()  # of a block's thresholds, which all threads share
MOST_SPIKES = 64 << 20  # in memory at once, should every neuron fire in every step: 4 bytes each


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
        check_integer("k", k, 0, HIGHEST_LEVEL)
        check_integer("time_steps", time_steps, 1)
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
        kernel, exponent = to_grid(weights[f"conv{block.name}/W"], input_bound(f"conv{block.name}"))
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
        block = self.blocks[index]
        while True:
            filters, counts = block.thresholds.shape
            try:
                return run(block)
            except MissingThreshold:
                with EXTENSION:
                    if block.thresholds.shape[1] > counts:  # another thread has extended them
                        continue
                    if filters * 4 * counts > MOST_THRESHOLDS:
                        raise
                    highest = min(4 * counts, self.highest_count or 4 * counts)
                    block.thresholds = self._justified[index].thresholds(highest)

    def settings(self):
        """The numbers that the file of integers and that of golden vectors begin with; no bound on spikes is 0."""
        return {
            "k": np.int64(self.k),
            "pixel_levels": np.int64(PIXEL_LEVELS),
            "max_spikes": np.int64(self.max_spikes or 0),
            "negative_spikes": np.int64(self.negative_spikes),
        }

    def integer_arrays(self):
        """All that hardware needs to run it, arrays of integers by key; docs/hardware.md describes them.

        Raises
        ------
        ValueError
            max_spikes is None: thresholds end at the highest count that a neuron can reach.
        """
        if self.highest_count is None:
            raise ValueError("max_spikes has no bound, expected one: thresholds end at the highest count")
        arrays = self.settings()
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
    quiescent: np.ndarray  # bool (images,), nothing fired in the last step
    predictions: np.ndarray  # int64 (images,), after the last step


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
    check_integer("batch_size", batch_size, 1)
    check_integer("threads", threads, 1)
    if len(pixels) != len(labels) or len(pixels) == 0:
        raise ValueError(f"{len(pixels)} images and {len(labels)} labels, expected as many of both, at least one")
    last, quiescent = np.empty(len(pixels), np.int64), np.empty(len(pixels), bool)  # each batch fills in its part
    part_size = max(1, MOST_SPIKES // (threads * network.time_steps * network.network.neurons))

    def run_part(images):
        activity = network.run(pixels[images])
        predictions = activity.predictions()
        last[images], quiescent[images] = predictions[:, -1], activity.quiescent()
        return (predictions == labels[images, None]).sum(axis=0), activity.statistics

    def run_batch(start):
        end = min(start + batch_size, len(pixels))
        parts = [run_part(slice(first, min(first + part_size, end))) for first in range(start, end, part_size)]
        return [sum(numbers) for numbers in zip(*parts, strict=True)]

    pool = ThreadPoolExecutor(threads)
    try:
        results = list(progress(pool.map(run_batch, range(0, len(pixels), batch_size))))
    finally:
        pool.shutdown(cancel_futures=True)  # an interruption does not wait for batches that have not begun
    right, statistics = zip(*results, strict=True)
    return Evaluation(np.stack(right), np.stack(statistics), quiescent, last)
