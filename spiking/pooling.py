"""The Numba kernels of max pooling.

A max pooling is a block whose potential is the largest net spike count in its window, and whose thresholds are 1, 2,
3, ...: all else, firing, counting and the rule, is that of neuron.py. It takes in all spikes of a step before it
fires.
"""

from typing import NamedTuple

import numpy as np
from numba import uintp

from spiking.compilation import compiled
from spiking.neuron import mark
from spiking.trains import SOPS


class Pool(NamedTuple):
    """What a max pooling has beside what every block has. Stored filters are as in neuron.py."""

    members: np.ndarray  # int32, for each window in turn the positions in it
    first_member: np.ndarray  # int32 (windows + 1,), where those of a window begin
    counts: np.ndarray  # int32 (positions * stored filters,), the net counts of the source: its state


@compiled
def count_sources(neurons, incoming, image, t, synapses, pool):
    """Adds the spikes of one time step to the counts of their neurons, marks the windows around them, counts SOPs."""
    shift, operations, marked = incoming.shift, 0, uintp(len(synapses.first_run))  # which is no cell
    for index in range(uintp(incoming.steps[image, t]), uintp(incoming.steps[image, t + 1])):
        event, size = incoming.events[index], incoming.sizes[index] if len(incoming.sizes) > 0 else 1
        position, channel = uintp(event >> shift), uintp((event & ((1 << shift) - 1)) >> 1)
        pool.counts[position * synapses.filters + channel] += size * (1 - 2 * (event & 1))
        cell = synapses.cell[position]
        if cell != marked:  # as spikes of a cell follow each other
            for run in range(synapses.first_run[cell], synapses.first_run[cell + uintp(1)]):
                mark(neurons.pending, synapses.runs[run])
            marked = cell
        operations += size * synapses.fan_out[cell]
    incoming.statistics[t, SOPS] += operations


@compiled
def take_largest(neurons, pool, filters):
    """Sets the potentials of all pending windows to the largest counts in them, at least the padding's 0."""
    u, counts = neurons.potential, pool.counts
    for window in range(len(neurons.pending)):
        if neurons.pending[window]:
            first = uintp(window) * uintp(filters)
            for filter in range(uintp(filters)):
                u[first + filter] = 0
            for index in range(pool.first_member[window], pool.first_member[window + 1]):
                source = uintp(pool.members[index]) * uintp(filters)
                for filter in range(uintp(filters)):
                    u[first + filter] = max(u[first + filter], counts[source + filter])
