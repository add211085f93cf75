"""Spiking layers: what runs for a block and for the classifier, from spike trains to a spike train or potentials.

Each is built once from the description of its layer and the weights of an npz file, and checks what it is given.
"""

import math

import numpy as np

from spiking import kernels
from spiking.edges import IMAGE
from spiking.encoding import encode_images
from spiking.layout import (
    firing_order,
    firing_rule,
    new_neurons,
    stored,
    stored_potentials,
    synapses,
    window_members,
)
from spiking.network import BN_EPSILON, PIXEL_LEVELS, check_integer
from spiking.pooling import Pool
from spiking.thresholds import TargetCount
from spiking.trains import SOPS, Events, SpikeTrain
from spiking.weight_grid import INT32_MAX, bias_to_grid, layer_on_grid

FIRST_COUNTS = 64  # a block's thresholds reach up to this count, and further once a neuron does
MAX_THRESHOLDS = 1 << 22  # of a block
NO_POOL = Pool(*np.zeros((3, 0), np.int32))


class SpikingLayer:
    """What all spiking layers have in common: they read spike trains, one for each input of their description.

    Parameters
    ----------
    description : Block or Classifier
    kernels : list of int16 arrays (h, w, channels of a group, filters)
        One for each input; [] for a max pooling.
    initial : int64 array (h, w, filters) or (filters,)
        The potentials before the first time step.
    factors : list of int
        What a spike of each input counts for, in units of the potential.

    Attributes
    ----------
    All parameters by their names, and sources, those of the description.
    """

    def __init__(self, description, kernels, initial, factors):
        self.description, self.sources = description, description.sources
        self.kernels, self.initial, self.factors = kernels, initial, factors
        self._edges = [synapses(*edge) for edge in zip(description.inputs, kernels or [None])]
        # of each filter's absolute weights, for each input; a max pooling takes counts as they are
        self._weight_sums = [np.abs(kernel.astype(np.float64)).sum(axis=(0, 1, 2)) for kernel in kernels] or [1.0]
        self._most_inputs = max(math.prod(edge.input_shape) for edge in description.inputs)

    def _check(self, trains):
        """Raises ValueError unless the trains are those of the inputs, OverflowError where int32 may be too small."""
        if len(trains) != len(self.sources):
            raise ValueError(f"found {len(trains)} spike trains, expected one for each of {len(self.sources)} inputs")
        for train, edge in zip(trains, self.description.inputs, strict=True):
            if train.shape != edge.input_shape:
                raise ValueError(f"spike train has shape {train.shape}, expected {edge.input_shape}")
            if train.data.steps.shape != trains[0].data.steps.shape:
                raise ValueError("spike trains are of different images or time steps, expected the same")
        peaks = [train.peak_count * factor for train, factor in zip(trains, self.factors, strict=True)]
        sums = sum(total * peak for total, peak in zip(self._weight_sums, peaks, strict=True))
        # every potential, and every partial sum on the way to it, is at most the bound
        bound = int(np.max(sums)) + int(np.abs(self.initial).max(initial=0))
        if bound > INT32_MAX - 1:
            raise OverflowError(
                f"{self.name}: membrane potentials could reach {bound} (weights of a filter sum up to "
                f"{int(max(map(np.max, self._weight_sums)))}, inputs to {max(peaks)}), expected less than "
                f"{INT32_MAX} as they are int32; a smaller k or bounded activations help"
            )

    def _inputs(self, trains):
        """The inputs as the kernels take them, with statistics of their own that begin at 0.

        A kernel is compiled per number of inputs, so the tuple is padded with empty inputs to a power of 2.
        """
        inputs = []
        for train, edge, factor in zip(trains, self._edges, self.factors, strict=True):
            data = train.data
            if factor > 1:
                sizes = data.sizes if len(data.sizes) else np.ones(len(data.events), np.int32)
                data = data._replace(sizes=sizes * np.int32(factor))
            inputs.append((data._replace(statistics=np.zeros_like(data.statistics)), edge))
        events, edge = inputs[0]
        while len(inputs) & (len(inputs) - 1):
            inputs.append((events._replace(steps=np.zeros_like(events.steps)), edge))
        return tuple(inputs)

    def _credit(self, trains, inputs):
        """Adds the synaptic operations that have been counted to the spike trains that caused them."""
        for train, (events, _), factor in zip(trains, inputs, self.factors):
            train.statistics[:, SOPS] += events.statistics[:, SOPS] // factor


class SpikingBlock(SpikingLayer):
    """A block as it runs. In each time step:

        u <- the potential that all spikes so far give
        m  = the largest count with u >= theta_m, and 0 at least
        spike = clip(m - n, -B, B)
        n <- n + spike

    Its kinds are SpikingConv, where u is a sum of convolutions, and SpikingPooling, where u is the largest count.

    Parameters
    ----------
    block : Block
    kernels, initial, factors : as of SpikingLayer
    target : TargetCount
        Gives the thresholds.
    pool : Pool
        NO_POOL for a sum.
    max_spikes : int or None
        B, the most spikes that a neuron fires in a time step; None for any number.
    negative_spikes : bool
        Without them a neuron takes nothing back: spike = clip(m - n, 0, B).
    reader : Edge or None
        An edge that reads the block: spikes are emitted in the order in which it is fastest.
    """

    def __init__(self, block, kernels, initial, factors, target, pool, max_spikes, negative_spikes, reader):
        super().__init__(block, kernels, initial, factors)
        if max_spikes is not None:
            check_integer("max_spikes", max_spikes, 1)
        if not isinstance(negative_spikes, bool | np.bool_):
            raise ValueError(f"negative_spikes is {negative_spikes!r}, expected True or False")
        self.target, self.name, self._pool = target, f"block {block.name}", pool
        self.max_spikes, self.negative_spikes = max_spikes, negative_spikes
        self._stored_initial = stored_potentials(np.broadcast_to(initial, block.output_shape))
        self._order = firing_order(block.output_shape, reader)
        self._rule = firing_rule(target.thresholds(FIRST_COUNTS), max_spikes, negative_spikes)

    def forward(self, trains):
        """The SpikeTrain of the block for the spike trains of its sources, in the order of its inputs.

        Adds to the statistics of these the synaptic operations that their spikes cause here.

        Raises
        ------
        ValueError
            The trains are not those of the inputs.
        OverflowError
            int32 might not hold a potential, or a count is beyond MAX_THRESHOLDS.
        """
        self._check(trains)
        # the image comes in once, so that a block that reads it alone takes a shortcut
        run = encode_images if set(self.sources) == {IMAGE} and _in_first_step(trains) else kernels.run_block
        images, time_steps, shape = trains[0].images, trains[0].time_steps, self.description.output_shape
        reachable = math.inf if self.max_spikes is None else time_steps * self.max_spikes
        rule = self._rule  # all threads share it; if several extend it, they find the same thresholds
        while True:
            inputs = self._inputs(trains)
            pool = self._pool._replace(counts=self._pool.counts.copy())  # threads have states of their own
            layer = kernels.BlockArrays(rule, self._stored_initial, self._order, pool)
            neurons = new_neurons(len(self._order), shape[2], self._most_inputs)
            outgoing = Events.reserved(images, time_steps, shape, bursts=self.max_spikes != 1)
            peak_count = run(inputs, layer, neurons, outgoing)
            if peak_count < rule.highest or reachable <= rule.highest:
                break
            rule = self._rule = self._extended(rule)  # as a neuron may have reached a count without a threshold
        self._credit(trains, inputs)
        return SpikeTrain(outgoing.written(), shape, peak_count)

    def _extended(self, rule):
        """A rule for four times the counts."""
        most = MAX_THRESHOLDS // rule.filters
        if rule.highest >= most:
            raise OverflowError(f"{self.name}: a neuron reaches the count {rule.highest}, expected less than {most}")
        thresholds = self.target.thresholds(min(4 * rule.highest, most))
        return firing_rule(thresholds, self.max_spikes, self.negative_spikes)


def _in_first_step(trains):
    """Whether the trains fire in the first time step only, as an image does."""
    return all(
        len(train.data.sizes) == len(train.data.events)
        and np.array_equal(train.data.steps[:, 1], train.data.steps[:, -1])
        for train in trains
    )


class SpikingConv(SpikingBlock):
    """A block whose potential is a sum of convolutions: u <- u + convolutions of the spikes that come in.

    Everything in it is an integer: weights w = W * 2^f on the weight grid, potentials in units of that grid,
    thresholds as the lowest potential that justifies a count.

    Parameters
    ----------
    block : Block
    weights : dict of float arrays, by the keys of block.weight_shapes
        Rounded to the weight grid where they are not on it.
    k : int
        Quantisation level, S = 2^k.
    max_spikes, negative_spikes, reader : as of SpikingBlock

    Attributes
    ----------
    kernels, initial, factors : as of SpikingLayer
        Kernels of filters with a negative gamma are negated. Factors are 1 unless the block reads the image beside
        other blocks: pixels are 1 / 256 each and spikes 1 / S.
    exponent : int
        The f of the weights.
    """

    def __init__(self, block, weights, k, max_spikes=1, negative_spikes=True, reader=None):
        grid_kernels, self.exponent = layer_on_grid(block, weights)
        gamma, beta, mean, variance = (
            weights[f"bn{block.name}/{name}"].astype(np.float64)
            for name in ("gamma", "beta", "moving_mean", "moving_var")
        )
        # a negative gamma would turn the inequality u >= theta: its sign goes into the weights
        sign = np.where(gamma < 0, -1, 1)
        block_kernels = [kernel * sign.astype(np.int16) for kernel in grid_kernels]
        units = [PIXEL_LEVELS if source == IMAGE else 2**k for source in block.sources]
        finest = max(units)  # the potential is in units of 2^-f / finest of a pre-activation
        initial = np.zeros(block.output_shape[2], np.int64)
        if block.initial:
            initial = initial_potentials(weights, block, self.exponent, finest) * sign
        unit = 2.0**-self.exponent / finest
        target = TargetCount(gamma * sign, beta, mean * sign, variance, unit, k, block.max_value)
        factors = [finest // unit_of_input for unit_of_input in units]
        super().__init__(block, block_kernels, initial, factors, target, NO_POOL, max_spikes, negative_spikes, reader)


class SpikingPooling(SpikingBlock):
    """A max pooling: its potential is the largest net spike count in the window. Parameters as of SpikingConv."""

    def __init__(self, block, max_spikes=1, negative_spikes=True, reader=None):
        (edge,) = block.inputs
        height, width, channels = edge.input_shape
        pool = Pool(*window_members(edge), np.zeros(height * width * stored(channels), np.int32))
        zeros, ones = np.zeros(channels, np.int64), np.ones(channels)
        target = TargetCount(ones, zeros, zeros, ones - BN_EPSILON, unit=1.0, k=0)  # gamma = sigma = 1: m = u
        super().__init__(block, [], zeros, [1], target, pool, max_spikes, negative_spikes, reader)


class SpikingLinear(SpikingLayer):
    """The classifier: accumulates potentials u <- u + W . spikes, and fires nothing.

    Parameters
    ----------
    classifier : Classifier
    weights : dict of float arrays, by the keys of classifier.weight_shapes
        Rounded to the weight grid, the bias to whole units of it, where they are not on it.
    k : int
        Quantisation level; the inputs are S = 2^k times the activations, so that the bias counts S times.

    Attributes
    ----------
    kernels, initial, factors : as of SpikingLayer
        The bias is the potential before the first step.
    exponent : int
        The f of the weights.
    """

    name = "classifier"

    def __init__(self, classifier, weights, k):
        shaped = weights | {
            key: np.reshape(weights[key], edge.kernel_shape)
            for key, edge in zip(classifier.kernel_keys, classifier.inputs, strict=True)
        }
        grid_kernels, self.exponent = layer_on_grid(classifier, shaped)
        initial = np.zeros(classifier.classes, np.int64)
        if classifier.bias:
            initial = initial_potentials(weights, classifier, self.exponent, 2**k)
        super().__init__(classifier, grid_kernels, initial, [1] * len(grid_kernels))

    def forward(self, trains):
        """Potentials after each step, int32 (images, time steps, classes); credits and raises as SpikingBlock's."""
        self._check(trains)
        classes = self.description.classes
        potentials = np.empty((trains[0].images, trains[0].time_steps, classes), np.int32)
        inputs, neurons = self._inputs(trains), new_neurons(1, classes, self._most_inputs)
        kernels.run_classifier(inputs, stored_potentials(self.initial), neurons, potentials)
        self._credit(trains, inputs)
        return potentials


def initial_potentials(weights, layer, exponent, units):
    """The initial potentials of a Block, or the bias of a Classifier, times so many units: int64 of their shape.

    Raises OverflowError, with their key, where int32 cannot hold them.
    """
    key = layer.offset_key
    potentials = bias_to_grid(weights[key], exponent) * units
    if (largest := np.abs(potentials).max()) >= INT32_MAX:
        raise OverflowError(f"{key}: potentials begin at up to {largest}, expected less than {INT32_MAX}")
    return potentials
