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


class Synapses(NamedTuple):
    """What a spike at an input position drives."""

    weights: np.ndarray  # int16 (2 * channels, kernel size * lanes)
    first_run: np.ndarray  # int32 (positions + 1,); the runs of position p are first_run[p] to first_run[p + 1]
    runs: np.ndarray  # int32 (runs, 3): first window, offset into a row of weights, number of windows
    fan_out: np.ndarray  # int64 (positions,), the synapses that a spike drives


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
        neurons.potential.reshape(-1)[:] = 0
        for t in range(incoming.steps.shape[1] - 1):
            add_spikes(neurons, incoming, image, t, synapses, statistics[t])
            for i in range(potentials.shape[2]):
                potentials[image, t, i] = bias[i] + neurons.potential[0, i]


@compiled
def add_spikes(neurons, incoming, image, t, synapses, statistics):
    """Adds the spikes of one time step to the potentials."""
    start, end = incoming.steps[image, t], incoming.steps[image, t + 1]
    events = incoming.events[start:end]
    if len(incoming.sizes) > 0:
        add_bursts(neurons, events, incoming.sizes[start:end], synapses, statistics)
        return
    add_units(neurons, events, synapses, statistics)
    statistics[SPIKES] += len(events)
    for i in range(len(events)):
        statistics[NEGATIVE] += events[i] & 1


@compiled
def add_bursts(neurons, events, sizes, synapses, statistics):
    """Adds spikes one by one, each as often as its size says."""
    potential = neurons.potential.reshape(-1)
    lanes = neurons.potential.shape[1]
    for index in range(len(events)):
        position, size = events[index] >> POSITION_SHIFT, sizes[index]
        for run in range(synapses.first_run[position], synapses.first_run[position + 1]):
            window, offset, windows = synapses.runs[run]
            u = potential[window * lanes : (window + windows) * lanes]
            w = synapses.weights[events[index] & ROW_MASK, offset : offset + windows * lanes]
            for i in range(len(u)):
                u[i] += size * np.int32(w[i])
            neurons.pending[window : window + windows] = True
        statistics[SPIKES] += size
        statistics[NEGATIVE] += size * (events[index] & 1)
        statistics[SOPS] += size * synapses.fan_out[position]


@compiled
def add_units(neurons, events, synapses, statistics):
    """Adds single spikes, those of a position up to four at a time."""
    potential, weights = neurons.potential.reshape(-1), synapses.weights.reshape(-1)
    lanes, row_length = uintp(neurons.potential.shape[1]), uintp(synapses.weights.shape[1])
    first_run, runs, pending = synapses.first_run, synapses.runs, neurons.pending
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
                add_four(potential, target, length, weights, a + w, b + w, c + w, d + w)
            elif together == 3:
                add_three(potential, target, length, weights, a + w, b + w, c + w)
            elif together == 2:
                add_two(potential, target, length, weights, a + w, b + w)
            else:
                add_one(potential, target, length, weights, a + w)
            for reached in range(window, window + windows):
                pending[reached] = True
        statistics[SOPS] += together * synapses.fan_out[position]
        start += together


@compiled
def add_one(u, target, length, w, a):
    for i in range(length):
        u[target + i] += np.int32(w[a + i])


@compiled
def add_two(u, target, length, w, a, b):
    for i in range(length):
        u[target + i] += np.int32(w[a + i]) + np.int32(w[b + i])


@compiled
def add_three(u, target, length, w, a, b, c):
    for i in range(length):
        u[target + i] += np.int32(w[a + i]) + np.int32(w[b + i]) + np.int32(w[c + i])


@compiled
def add_four(u, target, length, w, a, b, c, d):
    for i in range(length):
        u[target + i] += np.int32(w[a + i]) + np.int32(w[b + i]) + np.int32(w[c + i]) + np.int32(w[d + i])
