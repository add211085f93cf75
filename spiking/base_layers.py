"""What spiking layers have in common: how they read spike trains, fire, and extend their thresholds."""

import math

import numpy as np

from spiking import kernels
from spiking.edges import IMAGE
from spiking.encoding import encode_images
from spiking.layout import (
    firing_order,
    firing_rule,
    highest_count,
    new_neurons,
    stored_potentials,
    synapses,
)
from spiking.network import check_integer
from spiking.pooling import Pool
from spiking.trains import SOPS, Events, SpikeTrain
from spiking.weight_grid import INT32_MAX

FIRST_COUNTS = 64  # a block's thresholds reach up to this count, and further once a neuron does
MOST_THRESHOLDS = 1 << 22  # of a block
NO_POOL = Pool(np.zeros(0, np.int32), np.zeros(0, np.int32), np.zeros(0, np.int32))


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

        The kernels are compiled for each number of inputs, so empty ones are added up to a power of 2.
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

    @property
    def _most_inputs(self):
        return max(math.prod(edge.input_shape) for edge in self.description.inputs)


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
    target : TargetCount or LargestCount
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
        self.target, self.name = target, f"block {block.name}"
        self.max_spikes, self.negative_spikes = max_spikes, negative_spikes
        self._pool = pool
        self._stored_initial = stored_potentials(np.broadcast_to(initial, block.output_shape))
        self._order = firing_order(block.output_shape, reader)
        self._rule = self._rule_up_to(FIRST_COUNTS)

    def forward(self, trains):
        """The SpikeTrain of the block for the spike trains of its sources, in the order of its inputs.

        Adds to the statistics of these the synaptic operations that their spikes cause here.

        Raises
        ------
        ValueError
            The trains are not those of the inputs.
        OverflowError
            int32 might not hold a potential, or a count is beyond MOST_THRESHOLDS.
        """
        self._check(trains)
        # the image comes in once, so that a block that reads it alone takes a shortcut
        run = encode_images if set(self.sources) == {IMAGE} and _in_first_step(trains) else kernels.run_block
        height, width, filters = self.description.output_shape
        rule = self._rule  # all threads share it; if several extend it, they find the same thresholds
        while True:
            inputs = self._inputs(trains)
            layer = kernels.BlockArrays(rule, self._stored_initial, self._order, self._new_pool())
            neurons = new_neurons(height * width, filters, self._most_inputs)
            bursts = self.max_spikes != 1
            outgoing = Events.reserved(trains[0].images, trains[0].time_steps, self.description.output_shape, bursts)
            peak_count = run(inputs, layer, neurons, outgoing)
            if not self._beyond(peak_count, rule, trains[0].time_steps):
                break
            rule = self._rule = self._extended(rule)
        self._credit(trains, inputs)
        return SpikeTrain(outgoing.written(), self.description.output_shape, peak_count)

    def _new_pool(self):
        return self._pool._replace(counts=self._pool.counts.copy())  # threads have states of their own

    def _rule_up_to(self, count):
        return firing_rule(self.target.thresholds(count), self.max_spikes, self.negative_spikes)

    def _beyond(self, peak_count, rule, time_steps):
        """Whether a neuron may have reached a count for which there is no threshold."""
        highest = highest_count(rule)
        return peak_count >= highest and (self.max_spikes is None or time_steps * self.max_spikes > highest)

    def _extended(self, rule):
        """A rule for four times the counts."""
        found, most = highest_count(rule), MOST_THRESHOLDS // rule.filters
        if found >= most:
            raise OverflowError(f"{self.name}: a neuron reaches the count {found}, expected less than {most}")
        return self._rule_up_to(min(4 * found, most))


def _in_first_step(trains):
    """Whether all spikes of some trains are bursts in the first time step, as those of an image."""
    return all(
        len(train.data.sizes) == len(train.data.events)
        and np.array_equal(train.data.steps[:, 1], train.data.steps[:, -1])
        for train in trains
    )
