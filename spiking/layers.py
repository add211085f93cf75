"""Spiking convolution and linear layers: functions from a spike train to a spike train, checked at their doors."""

import math
import operator

import numpy as np

from spiking import kernels
from spiking.encoding import encode_images
from spiking.layout import firing_rule, new_neurons, synapses
from spiking.network import window_starts
from spiking.thresholds import ALWAYS, NEVER
from spiking.trains import Events, SpikeTrain, check_event_range
from spiking.weight_grid import INT16_MAX, INT32_MAX


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
        if max_spikes is not None:
            check_integer("max_spikes", max_spikes, 1)
        if not isinstance(negative_spikes, bool | np.bool_):
            raise ValueError(f"negative_spikes is {negative_spikes!r}, expected True or False")
        self.input_shape = _checked_sizes("input_shape", input_shape, ("h", "w", "in"))
        stride = _checked_sizes("stride", stride, ("rows", "columns"))
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
        self._weight_sum = _largest_weight_sum(self.kernel)
        self._order = np.arange(math.prod(self.output_shape[:2]), dtype=np.int32)

    def fire_in_order_of(self, reader):
        """Fires positions after each other that reach the same windows of the layer that reads the spikes.

        It adds these together. The spikes of a step are the same in any order.
        """
        self._order = np.argsort(reader._synapses.group, kind="stable").astype(np.int32)

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
        _check_potentials(self._weight_sum, train.peak_count)
        layer, neurons, output = self._state(train.images, train.time_steps)
        statistics = np.zeros((train.time_steps, 3), np.int64)
        peak_count = kernels.run_block(train.data, layer, neurons, output, statistics)
        return self._train(output, peak_count, layer.rule), statistics

    def encode(self, images, time_steps):
        """The output SpikeTrain for integer images (images, h, w, in), presented at the first step only."""
        check_integer("time_steps", time_steps, 1)
        images = np.asarray(images)
        if not np.issubdtype(images.dtype, np.integer):
            raise ValueError(f"images are {images.dtype}, expected integers; a pixel is 0 to 255")
        if images.shape[1:] != self.input_shape:
            raise ValueError(f"images have shape {images.shape[1:]}, expected {self.input_shape}")
        _check_potentials(self._weight_sum, int(np.abs(images.astype(np.int64)).max(initial=0)))
        pixels = images.reshape(len(images), math.prod(self.input_shape)).astype(np.int32)
        layer, neurons, output = self._state(len(images), time_steps)
        return self._train(output, encode_images(pixels, layer, neurons, output), layer.rule)

    def _state(self, images, time_steps):
        """The layer as the kernels take it, its neurons, and room for their spikes."""
        neurons = new_neurons(
            math.prod(self.output_shape[:2]), self.output_shape[2], inputs=math.prod(self.input_shape)
        )
        room = Events.room(images, time_steps, neurons.potential.size, bursts=self.max_spikes != 1)
        return kernels.Layer(self._synapses, self._rule, self._order), neurons, room

    def _train(self, output, peak_count, rule):
        """What was written into the room by a rule, as a SpikeTrain."""
        images, time_steps = len(output.steps), output.steps.shape[1] - 1
        # not that of self.thresholds, which another thread may have extended in the meantime
        highest = len(rule.rising) // rule.lanes - 2
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
        self.input_shape = _checked_sizes("input_shape", input_shape, ("h", "w", "in"))
        weights = np.asarray(weights)
        inputs = math.prod(self.input_shape)
        if weights.ndim != 2 or len(weights) != inputs or weights.shape[1] == 0:
            raise ValueError(f"weights have shape {weights.shape}, expected ({inputs}, neurons)")
        self.neurons = weights.shape[1]
        kernel = _checked_kernel(weights.reshape(*self.input_shape, self.neurons), self.input_shape)
        self.weights = kernel.reshape(weights.shape)
        self.bias = _checked_bias(np.zeros(self.neurons, int) if bias is None else bias, self.neurons)
        self._synapses = synapses(kernel, self.input_shape[:2], (range(1), range(1)))
        self._weight_sum = _largest_weight_sum(kernel)

    def forward(self, train):
        """Potentials after each step, int32 (images, time steps, out), and statistics as SpikingConv's."""
        if train.shape != self.input_shape:
            raise ValueError(f"spike train has shape {train.shape}, expected {self.input_shape}")
        _check_potentials(self._weight_sum, train.peak_count, int(np.abs(self.bias.astype(np.int64)).max()))
        potentials = np.empty((train.images, train.time_steps, self.neurons), np.int32)
        statistics = np.zeros((train.time_steps, 3), np.int64)
        neurons = new_neurons(1, self.neurons, math.prod(self.input_shape))
        kernels.run_classifier(train.data, self._synapses, self.bias, neurons, potentials, statistics)
        return potentials, statistics


def check_integer(name, value, lowest, highest=math.inf):
    """Raises ValueError unless the value is an integer in a range."""
    try:
        fits = not isinstance(value, bool) and lowest <= operator.index(value) <= highest
    except TypeError:
        fits = False
    if not fits:
        limits = f"from {lowest} on" if highest == math.inf else f"from {lowest} to {highest}"
        raise ValueError(f"{name} is {value}, expected an integer {limits}")


def _checked_sizes(name, sizes, expected):
    """A tuple of as many integers from 1 on as there are names in `expected`."""
    if len(sizes) != len(expected):
        raise ValueError(f"{name} is {sizes}, expected ({', '.join(expected)})")
    for size in sizes:
        check_integer(f"{name} {sizes}, of which one", size, 1)
    return tuple(sizes)


def _checked_kernel(kernel, input_shape):
    """The kernel as int16."""
    kernel = np.asarray(kernel)
    if kernel.ndim != 4 or 0 in kernel.shape:
        raise ValueError(f"kernel has shape {kernel.shape}, expected (h, w, in, out), each at least 1")
    if kernel.shape[2] != input_shape[2]:
        raise ValueError(f"kernel takes {kernel.shape[2]} channels, expected the input's {input_shape[2]}")
    if not np.all((kernel == np.rint(kernel)) & (np.abs(kernel.astype(np.float64)) <= INT16_MAX)):
        raise ValueError(
            f"kernel has weights that are no integers or beyond {INT16_MAX}, expected integers of the grid"
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
        raise ValueError("thresholds are no integers or fall with the count, expected integers that do not fall")
    return thresholds.astype(np.int32)


def _checked_bias(bias, neurons):
    """The bias as int32."""
    bias = np.asarray(bias)
    if bias.shape != (neurons,):
        raise ValueError(f"bias has shape {bias.shape}, expected ({neurons},)")
    if np.any(bias != np.rint(bias)):
        raise ValueError("bias has values that are no integers, expected units of the grid")
    if (largest := np.abs(bias.astype(np.float64)).max()) >= INT32_MAX:
        raise OverflowError(f"bias reaches {largest:g} units of the grid, expected less than {INT32_MAX}")
    return bias.astype(np.int32)


def _largest_weight_sum(kernel):
    """Of the absolute weights of a filter."""
    return int(np.abs(kernel.astype(np.int64)).sum(axis=(0, 1, 2)).max())


def _check_potentials(weight_sum, largest_input, largest_bias=0):
    """Every potential, and every partial sum on the way to it, is at most the bound."""
    bound = weight_sum * largest_input + largest_bias
    if bound >= INT32_MAX:
        raise OverflowError(
            f"membrane potentials could reach {bound} (weights of a filter sum up to {weight_sum}, "
            f"counts to {largest_input}), expected less than {INT32_MAX} as they are int32"
        )
