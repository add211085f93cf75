"""Spiking layers: what runs for a block and for the classifier, from spike trains to a spike train or potentials.

Each is built once from the description of its layer and the weights of an npz file, and checks what it is given.
"""

import numpy as np

from spiking import kernels
from spiking.base_layers import NO_POOL, SpikingBlock, SpikingLayer
from spiking.edges import IMAGE
from spiking.layout import new_neurons, stored, stored_potentials, window_members
from spiking.network import PIXEL_LEVELS
from spiking.pooling import Pool
from spiking.thresholds import LargestCount, TargetCount
from spiking.weight_grid import INT32_MAX, bias_to_grid, layer_on_grid


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
        zeros = np.zeros(channels, np.int64)
        super().__init__(block, [], zeros, [1], LargestCount(channels), pool, max_spikes, negative_spikes, reader)


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
