"""The Numba kernels of a spiking layer: integers only, spike by spike.

`channel << 1 | negative` of an event (see trains) is also the row of the weight table that the spike adds: the table
holds the kernel of every input channel twice, as it is and negated.

A spike reaches the windows of a few output rows. Within a row they are neighbours, and so are the weights that they
get, because layout.py stores them in that order. Such a run is (first window, what it adds to the offset, number of
windows). So a spike adds a few slices to the potentials, for any kernel size, stride and padding, without a division.
Positions in the same windows are a cell, with one list of runs. Events of a cell that follow each other are added
four at a time. Where a spike reaches some filters of a window only, as in a depthwise convolution or an identity, its
weights for neighbouring windows are no slice: each run is one window then.

Rules that the code does not say by itself:

- Indices are uintp, as are the numbers in Synapses. Numba makes a signed index wrap around below 0, as Python does,
  with a branch for each access; and it adds int64 and uint64 as float64, so that everything that an index is made of
  has to be unsigned, too.
- Nothing is allocated: the kernels run without Numba's reference counts (see compilation) and fill arrays of others.
- What is called for each spike, window or run is inlined (see compilation): passing a dozen arrays costs more
  than the work itself.
- The offset of a window that begins in the padding is negative. As uint64 it wraps around, and adding it to a row
  gives the right index again.
- Where a literal number is handed to another kernel, Numba compiles that once more for the literal: np.int64(0).
- Shapes are checked by those who call; here nothing is.
"""

from typing import NamedTuple

import numpy as np
from numba import literal_unroll, uintp

from spiking.compilation import compiled, inlined
from spiking.neuron import FiringRule, begin, fire, mark, reset
from spiking.pooling import Pool, count_sources, take_largest
from spiking.trains import SOPS
from spiking.vectors import WIDTH, add_rows


class Synapses(NamedTuple):
    """What a spike at an input position drives, through one edge."""

    weights: np.ndarray  # int16, flat: rows of h * w * width, each channel's weights, then their negatives
    row_length: np.uint64
    width: np.uint64  # filters whose weights are added for a window: all stored ones, or those around a group
    filters: np.uint64  # stored, see neuron
    first_filter: np.ndarray  # uint64 (channels,), where in a window the weights of a channel are added
    cell: np.ndarray  # uint64 (positions,), of those that lie in the same windows
    offset: np.ndarray  # uint64 (positions,), into a row of weights
    first_run: np.ndarray  # uint64 (cells + 1,); the runs of cell c are first_run[c] to first_run[c + 1]
    runs: np.ndarray  # uint64 (runs, 3): first window, what it adds to the offset, number of windows
    fan_out: np.ndarray  # int64 (cells,), the synapses that a spike drives


class BlockArrays(NamedTuple):
    """A block as the kernels take it."""

    rule: FiringRule
    initial: np.ndarray  # int32 (windows * stored filters,), the potentials before the first time step
    order: np.ndarray  # int32 (windows,), in which its neurons fire
    pool: Pool  # of empty arrays where it is a sum


@compiled
def run_block(inputs, layer, neurons, outgoing):
    """Runs a block over images and time steps, from the spike trains of its sources to its own.

    Parameters
    ----------
    inputs : tuple of (Events, Synapses), whose statistics are added to
    layer : BlockArrays
    neurons : Neurons, overwritten
    outgoing : Events, written

    Returns
    -------
    peak : int, the largest count that occurred
    """
    pools = len(layer.pool.first_member) > 0
    written = peak = np.int64(0)
    for image in range(len(outgoing.steps)):
        reset(neurons, layer.rule, layer.initial)
        layer.pool.counts[:] = 0
        outgoing.steps[image, 0] = written
        active = True  # a neuron may be due although nothing comes in: in the first step, and after spikes of its own
        for t in range(outgoing.steps.shape[1] - 1):
            if pools:
                incoming, synapses = inputs[0]
                if incoming.steps[image, t + 1] > incoming.steps[image, t]:
                    count_sources(neurons, incoming, image, t, synapses, layer.pool)
                    take_largest(neurons, layer.pool, layer.rule.filters)
                    active = True
            elif add_inputs(neurons, inputs, image, t):
                active = True
            if active:
                before = written
                written, largest = fire(neurons, layer.rule, layer.order, outgoing, t, written)
                peak = max(peak, largest)
                active = written > before
            outgoing.steps[image, t + 1] = written
    return peak


@compiled
def run_classifier(inputs, initial, neurons, potentials):
    """Accumulates the potentials of neurons that do not fire.

    Parameters
    ----------
    initial : int32 (stored filters,)
    potentials : int32 (images, time steps, classes), overwritten
    the others : as of run_block
    """
    for image in range(len(potentials)):
        begin(neurons.potential, initial)
        for t in range(potentials.shape[1]):
            add_inputs(neurons, inputs, image, t)
            for i in range(potentials.shape[2]):
                potentials[image, t, i] = neurons.potential[i]


@compiled
def add_inputs(neurons, inputs, image, t):
    """Adds the spikes of one time step of all sources to the potentials; whether there were any.

    Its loop is not in the callers' loops over images: Numba takes memory for each turn of it from the stack, which
    comes back only where this function returns.
    """
    any_spikes = False
    for source in literal_unroll(inputs):
        incoming, synapses = source
        if incoming.steps[image, t + 1] > incoming.steps[image, t]:
            add_spikes(neurons, incoming, image, t, synapses)
            any_spikes = True
    return any_spikes


@compiled
def add_spikes(neurons, incoming, image, t, synapses):
    """Adds the spikes of one time step to the potentials, marks the windows that they reach, and counts SOPs.

    Those that follow each other in a cell are added together.
    """
    events, sizes, rows, shift, operations = incoming.events, incoming.sizes, neurons.rows, incoming.shift, 0
    channel_and_sign, bursts, narrow = (1 << shift) - 1, len(sizes) > 0, synapses.width < synapses.filters
    first, end = uintp(incoming.steps[image, t]), uintp(incoming.steps[image, t + 1])
    while first < end:
        cell, together, spikes = synapses.cell[uintp(events[first] >> shift)], uintp(0), 0
        while first + together < end:
            event = events[first + together]
            position, row = uintp(event >> shift), uintp(event & channel_and_sign)
            if synapses.cell[position] != cell:
                break
            rows[together] = row * synapses.row_length + synapses.offset[position]
            if narrow:
                neurons.first_filters[together] = synapses.first_filter[row >> uintp(1)]
            spikes += sizes[first + together] if bursts else 1
            together += uintp(1)
        for index in range(synapses.first_run[cell], synapses.first_run[cell + uintp(1)]):
            run = synapses.runs[index]
            if narrow:
                add_narrow(neurons, synapses, sizes, first, together, run)
            elif bursts:
                add_bursts(neurons.potential, synapses, rows, sizes, first, together, run)
            else:
                add_units(neurons.potential, synapses, rows, together, run)
            mark(neurons.pending, run)
        operations += spikes * synapses.fan_out[cell]
        first += together
    incoming.statistics[t, SOPS] += operations


@inlined
def place(synapses, run):
    """Where the windows of a run begin in the potentials, how long they are, and what it adds to a row's offset."""
    return run[0] * synapses.filters, run[2] * synapses.filters, run[1]


@inlined
def add_units(u, synapses, rows, together, run):
    """Adds the weights of a run, from each of some places in the table, to the potentials, four at a time."""
    target, length, o = place(synapses, run)
    w, i = synapses.weights, uintp(0)
    while i + uintp(4) <= together:
        four = rows[i] + o, rows[i + uintp(1)] + o, rows[i + uintp(2)] + o, rows[i + uintp(3)] + o
        add_slices(u, target, length, w, four, ())
        i += uintp(4)
    rest = together - i
    if rest == 3:
        add_slices(u, target, length, w, (rows[i] + o, rows[i + uintp(1)] + o, rows[i + uintp(2)] + o), ())
    elif rest == 2:
        add_slices(u, target, length, w, (rows[i] + o, rows[i + uintp(1)] + o), ())
    elif rest == 1:
        add_slices(u, target, length, w, (rows[i] + o,), ())


@inlined
def add_bursts(u, synapses, rows, sizes, first, together, run):
    """As add_units, with the weights from each place times a size, from sizes[first] on."""
    target, length, o = place(synapses, run)
    w, s, i = synapses.weights, first, uintp(0)
    while i + uintp(4) <= together:
        four = rows[i] + o, rows[i + uintp(1)] + o, rows[i + uintp(2)] + o, rows[i + uintp(3)] + o
        factors = sizes[s + i], sizes[s + i + uintp(1)], sizes[s + i + uintp(2)], sizes[s + i + uintp(3)]
        add_slices(u, target, length, w, four, factors)
        i += uintp(4)
    while i < together:
        add_slices(u, target, length, w, (rows[i] + o,), (sizes[s + i],))
        i += uintp(1)


@inlined
def add_narrow(neurons, synapses, sizes, first, together, run):
    """Adds as add_bursts does, where each place has the weights of some filters only; without sizes, each is 1."""
    window, _, o = place(synapses, run)
    u, w, width = neurons.potential, synapses.weights, synapses.width
    for i in range(together):
        row, target = neurons.rows[i] + o, window + neurons.first_filters[i]
        size = sizes[first + i] if len(sizes) > 0 else np.int32(1)
        if width == 1:
            u[target] += size * w[row]
        else:
            add_slices(u, target, width, w, (row,), (size,))


@inlined
def add_slices(u, target, length, w, rows, factors):
    for offset in range(uintp(0), length, uintp(WIDTH)):
        add_rows(u, target, w, rows, factors, offset)
