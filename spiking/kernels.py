"""The Numba kernels under spiking_utils.py: integers only, spike by spike.

`channel << 1 | negative` of an event (see trains) is also the row of the weight table that the spike adds: the table
holds the kernel of every input channel twice, as it is and negated.

A spike reaches the windows of a few output rows. Within a row they are neighbours, and so are the weights that
they get, because layout.py stores them in that order. Such a run is (first window, offset in the weight table, number
of windows). So a spike adds a few slices to the potentials, for any kernel size, stride and padding, without a
division. Positions that reach the same windows are a group, with one list of runs: where windows do not overlap, all
positions of a window. Events of a group that follow each other are added four at a time.

The filters of a window are filled up to whole groups of LANES numbers that are added at once, with weights of 0 and
thresholds of NEVER. They are called lanes here.
"""

from typing import NamedTuple

import numpy as np
from numba import uintp

from spiking.compilation import compiled
from spiking.neuron import Rule, fire, reset
from spiking.trains import NEGATIVE, POSITION_SHIFT, ROW_MASK, SOPS, SPIKES
from spiking.vectors import LANES, add_rows


class Synapses(NamedTuple):
    """What a spike at an input position drives."""

    weights: np.ndarray  # int16, rows of kernel size * lanes: each channel's weights, then their negatives
    row_length: int
    lanes: int
    group: np.ndarray  # int32 (positions,), of those that reach the same windows
    offset: np.ndarray  # int32 (positions,), into a row of weights
    first_run: np.ndarray  # int32 (groups + 1,); the runs of group g are first_run[g] to first_run[g + 1]
    runs: np.ndarray  # int32 (runs, 3): first window, what it adds to the offset, number of windows
    fan_out: np.ndarray  # int64 (groups,), the synapses that a spike drives


class Layer(NamedTuple):
    """A block as the kernels take it."""

    synapses: Synapses
    rule: Rule
    order: np.ndarray  # int32 (windows,), in which its neurons fire


@compiled
def run_block(incoming, layer, neurons, outgoing, statistics):
    """Runs a block over images and time steps, from the spike train of its input to that of its output.

    Parameters
    ----------
    incoming : Events
    layer : Layer
    neurons : Neurons, overwritten
    outgoing : Events, written
    statistics : int64 (time steps, 3), added to

    Returns
    -------
    peak : int, the largest count that occurred
    """
    written = peak = 0
    for image in range(len(incoming.steps)):
        reset(neurons, layer.rule)
        outgoing.steps[image, 0] = written
        active = True
        for t in range(incoming.steps.shape[1] - 1):
            begin = written
            if active or incoming.steps[image, t + 1] > incoming.steps[image, t]:
                add_spikes(neurons, incoming, image, t, layer.synapses, statistics[t])
                written, largest = fire(neurons, layer.rule, layer.order, outgoing.events, outgoing.sizes, written)
                peak = max(peak, largest)
                active = written > begin
            outgoing.steps[image, t + 1] = written
    return peak


@compiled
def run_classifier(incoming, synapses, bias, neurons, potentials, statistics):
    """Accumulates the potentials of neurons that do not fire.

    Parameters
    ----------
    bias : int32 (classes,), the first potentials
    potentials : int32 (images, time steps, classes), overwritten
    the others : as of run_block
    """
    for image in range(len(incoming.steps)):
        neurons.potential[:] = 0
        for t in range(incoming.steps.shape[1] - 1):
            add_spikes(neurons, incoming, image, t, synapses, statistics[t])
            for i in range(potentials.shape[2]):
                potentials[image, t, i] = bias[i] + neurons.potential[i]


@compiled
def add_spikes(neurons, incoming, image, t, synapses, statistics):
    """Adds the spikes of one time step to the potentials: together those events that follow each other in a group.

    Marks the windows that they reach as pending, and adds to the statistics of the step.
    """
    first, end = uintp(incoming.steps[image, t]), uintp(incoming.steps[image, t + 1])
    events, rows, bursts = incoming.events, neurons.rows, len(incoming.sizes) > 0
    while first < end:
        group = synapses.group[events[first] >> POSITION_SHIFT]
        together, spikes, negative = uintp(0), 0, 0
        while first + together < end and synapses.group[events[first + together] >> POSITION_SHIFT] == group:
            event = events[first + together]
            row = uintp(event & ROW_MASK) * uintp(synapses.row_length)
            rows[together] = row + uintp(synapses.offset[event >> POSITION_SHIFT])
            size = incoming.sizes[first + together] if bursts else 1
            spikes += size
            negative += size * (event & 1)
            together += uintp(1)
        for run in range(synapses.first_run[group], synapses.first_run[group + 1]):
            if bursts:
                add_bursts(neurons.potential, synapses, rows, incoming.sizes, first, together, synapses.runs[run])
            else:
                add_units(neurons.potential, synapses, rows, together, synapses.runs[run])
            mark(neurons.pending, synapses.runs[run])
        statistics[SPIKES] += spikes
        statistics[NEGATIVE] += negative
        statistics[SOPS] += spikes * synapses.fan_out[group]
        first += together


@compiled
def mark(pending, run):
    for window in range(run[0], run[0] + run[2]):
        pending[window] = True


@compiled
def place(synapses, run):
    """Where the windows of a run begin in the potentials, how long they are, and what it adds to a row's offset."""
    lanes = uintp(synapses.lanes)
    # an offset below 0, of windows in the padding, wraps around as 64 bits, and comes back when it is added
    return uintp(run[0]) * lanes, uintp(run[2]) * lanes, uintp(np.int64(run[1]))


@compiled
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


@compiled
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


@compiled
def add_slices(u, target, length, w, rows, factors):
    for offset in range(uintp(0), length, uintp(LANES)):
        add_rows(u, target, w, rows, factors, offset)
