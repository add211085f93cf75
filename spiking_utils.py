"""Spiking convolution and linear layers with positive and negative spikes, and the network that they make.

A spiking layer is a function from spike trains to a spike train, built from the weights of an npz file. Everything in
it is an integer. What a neuron does in a time step stands in spiking/neuron.py.
"""

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from spiking.encoding import image_train
from spiking.layers import SpikingConv, SpikingLinear, SpikingPooling
from spiking.network import MAX_LEVEL, PIXEL_LEVELS, check_integer
from spiking.trains import SpikeTrain
from spiking.weight_grid import check_weights

__all__ = [
    "Activity",
    "Evaluation",
    "SpikeTrain",
    "SpikingConv",
    "SpikingLinear",
    "SpikingNetwork",
    "SpikingPooling",
    "evaluate",
]

MAX_RESERVED_SPIKES = 64 << 20  # spikes to reserve memory for at a time, 4 bytes each, as if all neurons always fired
MAX_EXPORTED = 1 << 24  # thresholds of a block


@dataclass(frozen=True)
class Activity:
    """What a spiking network did with some images."""

    trains: list  # SpikeTrain of each block
    potentials: np.ndarray  # int32 (images, time steps, classes), of the classifier

    @property
    def statistics(self):
        """int64 (blocks, time steps, 3), of all images; columns SPIKES, NEGATIVE and SOPS of spiking.trains."""
        return np.stack([train.statistics for train in self.trains])

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
    max_spikes, negative_spikes : as of spiking.layers.SpikingBlock

    Attributes
    ----------
    blocks : list of SpikingConv and SpikingPooling
    classifier : SpikingLinear
    """

    def __init__(self, weights, network, k, time_steps, max_spikes=1, negative_spikes=True):
        check_integer("k", k, 0, MAX_LEVEL)
        check_integer("time_steps", time_steps, 1)
        check_weights(weights, network.weight_shapes)
        self.network, self.k, self.time_steps = network, k, time_steps
        self.max_spikes, self.negative_spikes = max_spikes, negative_spikes
        self.blocks = []
        for number, block in enumerate(network.blocks, start=1):
            reader = next(iter(network.readers(number)), None)
            if block.pools:
                self.blocks.append(SpikingPooling(block, max_spikes, negative_spikes, reader))
            else:
                self.blocks.append(SpikingConv(block, weights, k, max_spikes, negative_spikes, reader))
        self.classifier = SpikingLinear(network.classifier, weights, k)

    def run(self, images):
        """Runs integer images, (images, h, w, channels) of at least 0, through the network; returns the Activity.

        Memory is reserved for every neuron to fire in every step, for a part of the images at a time; what is kept is
        4 bytes for each spike, 8 for each burst.
        """
        parts = self.run_in_parts(images)
        if self._parts(images) == 1:
            return next(parts)
        trains, potentials = [], []
        for part in parts:
            if trains:
                trains = [train.extended(more) for train, more in zip(trains, part.trains, strict=True)]
            else:
                trains = [train.compact() for train in part.trains]
            potentials.append(part.potentials)
        return Activity(trains, np.concatenate(potentials))

    def run_in_parts(self, images, keep_spikes=True):
        """Yields an Activity for each part of the images; a part is as large as the reserved memory allows.

        Without keep_spikes, the spikes of a block are dropped after their last reader has run, so that later blocks
        reuse the memory; their statistics stay.
        """
        layers = enumerate([*self.blocks, self.classifier], start=1)
        last_readers = {source: number for number, layer in layers for source in layer.sources}
        for part in np.array_split(images, self._parts(images)):
            trains = [image_train(part, self.network.input_shape, self.time_steps)]
            for number, block in enumerate(self.blocks, start=1):
                trains.append(block.forward([trains[source] for source in block.sources]))
                for source in () if keep_spikes else block.sources:
                    if last_readers[source] == number:
                        trains[source] = trains[source].without_spikes()
            classifier = self.classifier
            potentials = classifier.forward([trains[source] for source in classifier.sources])
            yield Activity(trains[1:], potentials)

    def _parts(self, images):
        """How many parts the images are run in."""
        parts = -(-len(images) * self.time_steps * self.network.neurons // MAX_RESERVED_SPIKES)
        return max(1, min(parts, len(images)))

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
        OverflowError
            A block would have more than MAX_EXPORTED of them.
        """
        if self.max_spikes is None:
            raise ValueError("max_spikes has no bound, expected one: thresholds end at the highest count")
        arrays, highest = self.settings(), self.time_steps * self.max_spikes
        filters = max(block.description.output_shape[2] for block in self.blocks)
        if highest * filters > MAX_EXPORTED:
            found = f"{self.time_steps} time steps of {self.max_spikes} spikes"
            raise OverflowError(f"{found}, for {filters} filters, need more than {MAX_EXPORTED:,} thresholds")
        for block in self.blocks:
            arrays |= _integers_of_inputs(block)
            prefix = block.description.prefix
            if not block.description.pools:
                arrays[f"{prefix}/exponent"] = np.int64(block.exponent)
                arrays[f"{prefix}/thresholds"] = block.target.thresholds(highest)
            if block.description.offset_key:
                arrays[f"{prefix}/initial"] = block.initial.astype(np.int32)
        classifier = self.classifier
        described = classifier.description
        for name, edge, kernel in zip(described.input_names, described.inputs, classifier.kernels, strict=True):
            arrays[f"{name}/kernel"] = kernel.reshape(-1, described.classes)
            arrays[f"{name}/source"] = np.int64(edge.source)
        return arrays | {
            "fc/bias": self.classifier.initial.astype(np.int32),
            "fc/exponent": np.int64(self.classifier.exponent),
        }


def _integers_of_inputs(layer):
    """What the file of integers holds of the inputs of a spiking layer."""
    arrays, described = {}, layer.description
    for index, (name, edge) in enumerate(zip(described.input_names, described.inputs, strict=True)):
        if described.pools:
            arrays[f"{name}/size"] = np.array(edge.kernel_size, np.int64)
        else:
            arrays[f"{name}/kernel"] = layer.kernels[index]
            arrays[f"{name}/groups"] = np.int64(edge.groups)
            arrays[f"{name}/factor"] = np.int64(layer.factors[index])
        arrays |= {
            f"{name}/source": np.int64(edge.source),
            f"{name}/stride": np.array(edge.stride, np.int64),
            f"{name}/padding": np.array(edge.padding, np.int64),
        }
    return arrays


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

    Returns
    -------
    Evaluation
    """
    check_integer("batch_size", batch_size, 1)
    check_integer("threads", threads, 1)
    labels = np.asarray(labels)
    if np.ndim(labels) != 1:
        raise ValueError(f"labels are of the shape {np.shape(labels)}, expected a number for each image: (images,)")
    if len(pixels) != len(labels) or len(pixels) == 0:
        raise ValueError(f"{len(pixels)} images and {len(labels)} labels, expected equal numbers, at least one")
    classes = network.classifier.description.classes
    if labels.min() < 0 or labels.max() >= classes:
        raise ValueError(f"labels are {labels.min()} to {labels.max()}, expected classes from 0 to {classes - 1}")

    def run_batch(start):
        batch = slice(start, start + batch_size)
        parts = map(_counted, network.run_in_parts(pixels[batch], keep_spikes=False))  # no part outlives this
        predictions, statistics, quiescent = zip(*parts, strict=True)
        predictions = np.concatenate(predictions)
        right = (predictions == labels[batch, None]).sum(axis=0)
        return right, sum(statistics), np.concatenate(quiescent), predictions[:, -1]

    pool = ThreadPoolExecutor(threads)
    try:
        results = list(progress(pool.map(run_batch, range(0, len(pixels), batch_size))))
    finally:
        pool.shutdown(cancel_futures=True)  # an interruption does not wait for batches that have not begun
    right, statistics, quiescent, predictions = zip(*results, strict=True)
    return Evaluation(np.stack(right), np.stack(statistics), np.concatenate(quiescent), np.concatenate(predictions))


def _counted(activity):
    """What evaluate reads of an Activity."""
    return activity.predictions(), activity.statistics, activity.quiescent()
