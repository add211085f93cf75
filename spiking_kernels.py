"""The Numba kernels under spiking_utils.py: integers only, spike by spike.

An event is one int32, position << 16 | channel << 1 | (1 for a negative spike); the events of a time step are
sorted by position. `channel << 1 | negative` is also the row of the weight table that the spike adds: the
table holds the kernel of every input channel twice, as it is and negated.

A spike reaches the windows of a few output rows. Within a row they are neighbours, and so are the weights that
they get, because spiking_utils stores them in that order. Such a run is (first window, offset into the row of
the weight table, number of windows). So a spike adds a few slices to the potentials, for any kernel size and
stride, without a division, and the loops over slices compile to vector code.
"""

from typing import NamedTuple

import numpy as np
from numba import njit

POSITION_SHIFT = 16
ROW_MASK = (1 << POSITION_SHIFT) - 1
NEVER, ALWAYS = 2**31 - 1, -(2**31)  # thresholds above and below every potential

compiled = njit(nogil=True, cache=True)


class Synapses(NamedTuple):
    """What a spike at an input position drives."""

    weights: np.ndarray  # int16 (2 * channels, kernel size * filters)
    first_run: np.ndarray  # int32 (positions + 1,); the runs of position p are first_run[p] to first_run[p + 1]
    runs: np.ndarray  # int32 (runs, 3): first window, offset into a row of weights, number of windows


class Neurons(NamedTuple):
    """The state of a block for one image. A row of upper, lower and count is set when a neuron in it first fires."""

    potential: np.ndarray  # int32 (windows, filters), u
    count: np.ndarray  # int32 (windows, filters), n
    upper: np.ndarray  # int32 (windows, filters), the threshold of a positive spike
    lower: np.ndarray  # int32 (windows, filters), a negative spike is fired below it
    has_fired: np.ndarray  # bool (windows,)
    pending: np.ndarray  # bool (windows,), its neurons may be beyond a threshold


@compiled
def run_block(
    image_input, events, steps, synapses, thresholds, neurons, first_image, spikes, spike_steps, statistics
):
    """Runs a block over images and time steps, from the spike train of its input to that of its output.

    Parameters
    ----------
    image_input : int32 (images, positions * channels), presented at the first step; (images, 0) for none
    events, steps : the input train; events[steps[i, t]:steps[i, t + 1]] are those of image i in step t
    synapses : Synapses
    thresholds : int32 (filters, time steps + 2); column n is the lowest potential that justifies the count n
    neurons : Neurons, overwritten
    first_image : int, the images before it are finished
    spikes, spike_steps : the output train, written
    statistics : int64 (time steps, 3), added to: spikes, negative spikes, synaptic operations of the input

    Returns
    -------
    image : int, the first one whose spikes might not fit into `spikes`; the number of images if all did
    peak : int, the largest count that occurred
    """
    images, time_steps = steps.shape[0], steps.shape[1] - 1
    written = spike_steps[first_image, 0]
    peak = 0
    for image in range(first_image, images):
        if written + neurons.potential.size * time_steps > len(spikes):
            return image, peak
        neurons.potential[:] = 0
        neurons.has_fired[:] = False
        neurons.pending[:] = True
        add_image(neurons.potential, image_input[image], synapses)
        spike_steps[image, 0] = written
        for t in range(time_steps):
            incoming = events[steps[image, t] : steps[image, t + 1]]
            add_spikes(neurons, incoming, synapses, statistics[t])
            written, largest = fire(neurons, thresholds, spikes, written)
            peak = max(peak, largest)
            spike_steps[image, t + 1] = written
        if image + 1 < images:
            spike_steps[image + 1, 0] = written
    return images, peak


@compiled
def run_classifier(events, steps, synapses, neurons, potentials, statistics):
    """Accumulates the potentials of neurons that do not fire.

    Overwrites neurons and potentials, int32 (images, time steps, filters); otherwise as run_block.
    """
    for image in range(len(steps)):
        neurons.potential[:] = 0
        for t in range(steps.shape[1] - 1):
            incoming = events[steps[image, t] : steps[image, t + 1]]
            add_spikes(neurons, incoming, synapses, statistics[t])
            potentials[image, t] = neurons.potential[0]


@compiled
def add_image(potential, image, synapses):
    """Adds integer inputs, (positions * channels,), times their weights to the potentials."""
    flat = potential.reshape(-1)
    filters = potential.shape[1]
    channels = len(synapses.weights) // 2
    for index in range(len(image)):
        if image[index] != 0:
            position, channel = index // channels, index % channels
            for run in range(synapses.first_run[position], synapses.first_run[position + 1]):
                window, offset, windows = synapses.runs[run]
                u = flat[window * filters : (window + windows) * filters]
                w = synapses.weights[channel << 1, offset : offset + windows * filters]
                for i in range(len(u)):
                    u[i] += image[index] * np.int32(w[i])


@compiled
def add_spikes(neurons, events, synapses, statistics):
    """Adds the spikes of one time step to the potentials, those of a position up to four at a time."""
    filters = neurons.potential.shape[1]
    potential = neurons.potential.reshape(-1)
    start = 0
    while start < len(events):
        position = events[start] >> POSITION_SHIFT
        together = 1
        while (
            together < 4 and start + together < len(events) and events[start + together] >> POSITION_SHIFT == position
        ):
            together += 1
        if together == 3:
            together = 2
        for run in range(synapses.first_run[position], synapses.first_run[position + 1]):
            window, offset, windows = synapses.runs[run]
            u = potential[window * filters : (window + windows) * filters]
            if together == 4:
                add_four(u, synapses.weights, events[start : start + 4], offset)
            elif together == 2:
                add_two(u, synapses.weights, events[start : start + 2], offset)
            else:
                add_one(u, synapses.weights, events[start], offset)
            neurons.pending[window : window + windows] = True
            statistics[2] += together * len(u)
        start += together
    statistics[0] += len(events)
    for i in range(len(events)):
        statistics[1] += events[i] & 1


@compiled
def add_one(u, weights, event, offset):
    a = weights[event & ROW_MASK, offset : offset + len(u)]
    for i in range(len(u)):
        u[i] += np.int32(a[i])


@compiled
def add_two(u, weights, events, offset):
    a = weights[events[0] & ROW_MASK, offset : offset + len(u)]
    b = weights[events[1] & ROW_MASK, offset : offset + len(u)]
    for i in range(len(u)):
        u[i] += np.int32(a[i]) + np.int32(b[i])


@compiled
def add_four(u, weights, events, offset):
    a = weights[events[0] & ROW_MASK, offset : offset + len(u)]
    b = weights[events[1] & ROW_MASK, offset : offset + len(u)]
    c = weights[events[2] & ROW_MASK, offset : offset + len(u)]
    d = weights[events[3] & ROW_MASK, offset : offset + len(u)]
    for i in range(len(u)):
        u[i] += np.int32(a[i]) + np.int32(b[i]) + np.int32(c[i]) + np.int32(d[i])


@compiled
def fire(neurons, thresholds, spikes, written):
    """Fires every neuron that is beyond a threshold; appends the events to `spikes`.

    Returns
    -------
    written : int, the new number of events in `spikes`
    largest : int, the largest count of a neuron that fired
    """
    first = thresholds[:, 1].copy()
    always = np.full(len(first), ALWAYS, np.int32)
    largest = 0
    for window in range(len(neurons.pending)):
        if not neurons.pending[window]:
            continue
        potential = neurons.potential[window]
        fired_before = neurons.has_fired[window]
        upper = neurons.upper[window] if fired_before else first
        lower = neurons.lower[window] if fired_before else always
        neurons.pending[window] = is_beyond(potential, upper, lower)
        if neurons.pending[window]:
            if not fired_before:
                neurons.has_fired[window] = True
                neurons.upper[window] = first
                neurons.lower[window] = always
                neurons.count[window] = 0
            begin = written
            written = emit(potential, upper, lower, window, spikes, written)
            largest = max(largest, count_spikes(neurons, thresholds, window, spikes[begin:written]))
    return written, largest


@compiled
def is_beyond(potential, upper, lower):
    """Whether any neuron of a window is at its upper threshold or below its lower one."""
    beyond = False
    for i in range(len(potential)):
        beyond |= (potential[i] >= upper[i]) | (potential[i] < lower[i])
    return beyond


@compiled
def emit(potential, upper, lower, window, spikes, written):
    """Appends an event for each neuron beyond a threshold; without branches, as a fifth of them are."""
    code = window << POSITION_SHIFT
    for channel in range(len(potential)):
        negative = potential[channel] < lower[channel]
        spikes[written] = code | channel << 1 | negative
        written += (potential[channel] >= upper[channel]) | negative
    return written


@compiled
def count_spikes(neurons, thresholds, window, spikes):
    """Counts the spikes of a window and moves the thresholds of their neurons; returns the largest count."""
    largest = 0
    for event in spikes:
        channel = (event & ROW_MASK) >> 1
        count = neurons.count[window, channel] + 1 - 2 * (event & 1)
        neurons.count[window, channel] = count
        neurons.upper[window, channel] = thresholds[channel, count + 1]
        neurons.lower[window, channel] = thresholds[channel, count]
        largest = max(largest, count)
    return largest
