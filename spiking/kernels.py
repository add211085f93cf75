"""The Numba kernels under spiking_utils.py: integers only, spike by spike.

The events of a time step (see trains) that have the same position stand together. `channel << 1 | negative` of an
event is also the row of the weight table that the spike adds: the table holds the kernel of every input channel
twice, as it is and negated.

A spike reaches the windows of a few output rows. Within a row they are neighbours, and so are the weights that
they get, because layout.py stores them in that order. Such a run is (first window, offset into the row of the weight
table, number of windows). So a spike adds a few slices to the potentials, for any kernel size, stride and padding,
without a division, and the loops over slices compile to vector code.

For the same reason the filters of a window are filled up to whole groups of LANES, with weights of 0 and thresholds
of NEVER. They are called lanes here.
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

    weights: np.ndarray  # int16, rows of kernel size * lanes: each channel's weights and their
    # negatives; the last row is 0
    row_length: int
    lanes: int
    first_run: np.ndarray  # int32 (positions + 1,); the runs of position p are first_run[p] to first_run[p + 1]
    runs: np.ndarray  # int32 (runs, 3): first window, offset into a row of weights, number of windows
    fan_out: np.ndarray  # int64 (positions,), the synapses that a spike drives
    window: np.ndarray  # int32 (positions,), the first that a spike reaches; -1 if none
    offset: np.ndarray  # int32 (positions,), into a row of weights, for that window
    apart: bool  # windows do not overlap


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
    """Adds the spikes of one time step to the potentials."""
    start, end = incoming.steps[image, t], incoming.steps[image, t + 1]
    events = incoming.events[start:end]
    if len(incoming.sizes) > 0:
        add_bursts(neurons, events, incoming.sizes[start:end], synapses, statistics)
        return
    if synapses.apart:
        add_units_apart(neurons, events, synapses, neurons.rows, statistics)
    else:
        add_units(neurons, events, synapses, statistics)
    statistics[SPIKES] += len(events)
    for i in range(len(events)):
        statistics[NEGATIVE] += events[i] & 1


@compiled
def add_bursts(neurons, events, sizes, synapses, statistics):
    """Adds spikes one by one, each as often as its size says."""
    for index in range(len(events)):
        position, size = events[index] >> POSITION_SHIFT, sizes[index]
        row = (events[index] & ROW_MASK) * synapses.row_length
        for run in range(synapses.first_run[position], synapses.first_run[position + 1]):
            window, offset, windows = synapses.runs[run]
            u = neurons.potential[window * synapses.lanes : (window + windows) * synapses.lanes]
            w = synapses.weights[row + offset : row + offset + len(u)]
            for i in range(len(u)):
                u[i] += size * np.int32(w[i])
            neurons.pending[window : window + windows] = True
        statistics[SPIKES] += size
        statistics[NEGATIVE] += size * (events[index] & 1)
        statistics[SOPS] += size * synapses.fan_out[position]


@compiled
def add_units(neurons, events, synapses, statistics):
    """Adds single spikes, up to four at a time that drive the same synapses.

    They have the same position. Where windows do not overlap, the same window will do.
    """
    potential, weights = neurons.potential, synapses.weights
    lanes, row_length = uintp(synapses.lanes), uintp(synapses.row_length)
    first_run, runs = synapses.first_run, synapses.runs
    start = 0
    while start < len(events):
        position = events[start] >> POSITION_SHIFT
        together = 1
        while (
            together < 4 and start + together < len(events) and events[start + together] >> POSITION_SHIFT == position
        ):
            together += 1
        a = uintp(events[start] & ROW_MASK) * row_length
        b = uintp(events[start + 1] & ROW_MASK) * row_length if together > 1 else a
        c = uintp(events[start + 2] & ROW_MASK) * row_length if together > 2 else a
        d = uintp(events[start + 3] & ROW_MASK) * row_length if together > 3 else a
        for run in range(first_run[position], first_run[position + 1]):
            window, windows = runs[run, 0], runs[run, 2]
            target, length, w = uintp(window) * lanes, uintp(windows) * lanes, uintp(runs[run, 1])
            if together == 4:
                add_run(potential, target, length, weights, (a + w, b + w, c + w, d + w))
            elif together == 3:
                add_run(potential, target, length, weights, (a + w, b + w, c + w))
            elif together == 2:
                add_run(potential, target, length, weights, (a + w, b + w))
            else:
                add_run(potential, target, length, weights, (a + w,))
            for reached in range(window, window + windows):
                neurons.pending[reached] = True
        statistics[SOPS] += together * synapses.fan_out[position]
        start += together


@compiled
def add_units_apart(neurons, events, synapses, rows, statistics):
    """As add_units, where windows do not overlap: all spikes go together that reach the same window."""
    zeros = uintp(len(synapses.weights) - synapses.row_length)
    start = 0
    while start < len(events):
        position = events[start] >> POSITION_SHIFT
        window, together = synapses.window[position], 0
        while start < len(events) and synapses.window[events[start] >> POSITION_SHIFT] == window:
            offset = synapses.offset[events[start] >> POSITION_SHIFT]
            rows[together] = uintp(events[start] & ROW_MASK) * uintp(synapses.row_length) + uintp(offset)
            together, start = together + 1, start + 1
        if window >= 0:
            rows[together] = rows[together + 1] = rows[together + 2] = zeros
            target, lanes = uintp(window) * uintp(synapses.lanes), uintp(synapses.lanes)
            for i in range(uintp(0), uintp(together), uintp(4)):
                four = rows[i], rows[i + uintp(1)], rows[i + uintp(2)], rows[i + uintp(3)]
                add_run(neurons.potential, target, lanes, synapses.weights, four)
            neurons.pending[window] = True
            statistics[SOPS] += together * synapses.fan_out[position]


@compiled
def add_run(u, target, length, w, rows):
    """Adds slices of the weights, from each of the rows, to the potentials."""
    for offset in range(uintp(0), length, uintp(LANES)):
        add_rows(u, target, w, rows, offset)
