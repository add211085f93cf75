"""The Numba kernels under spiking_utils.py: integers only, spike by spike.

The events of a time step (see spike_trains) are sorted by position. `channel << 1 | negative` of an event is also the
row of the weight table that the spike adds: the table holds the kernel of every input channel twice, as it is and
negated.

A spike reaches the windows of a few output rows. Within a row they are neighbours, and so are the weights that
they get, because spiking_utils stores them in that order. Such a run is (first window, offset into the row of
the weight table, number of windows). So a spike adds a few slices to the potentials, for any kernel size and
stride, without a division, and the loops over slices compile to vector code.
"""

from typing import NamedTuple

import numpy as np
from numba import njit, uintp

from spike_trains import POSITION_SHIFT, ROW_MASK

NEVER, ALWAYS = 2**31 - 1, -(2**31)  # thresholds above and below every potential

compiled = njit(nogil=True, cache=True)


class Synapses(NamedTuple):
    """What a spike at an input position drives."""

    weights: np.ndarray  # int16 (2 * channels, kernel size * filters)
    first_run: np.ndarray  # int32 (positions + 1,); the runs of position p are first_run[p] to first_run[p + 1]
    runs: np.ndarray  # int32 (runs, 3): first window, offset into a row of weights, number of windows


class Neurons(NamedTuple):
    """The state of a block for one image."""

    potential: np.ndarray  # int32 (windows, filters), u
    count: np.ndarray  # int32 (windows, filters), n
    upper: np.ndarray  # int32 (windows, filters), a positive spike is fired from it on
    lower: np.ndarray  # int32 (windows, filters), a negative spike is fired below it
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
    first_thresholds = thresholds[:, 1].copy()
    written = spike_steps[first_image, 0]
    peak = 0
    for image in range(first_image, images):
        if written + neurons.potential.size * time_steps > len(spikes):
            return image, peak
        reset(neurons, first_thresholds)
        add_image(neurons.potential, image_input[image], synapses)
        spike_steps[image, 0] = written
        active = True
        for t in range(time_steps):
            begin, incoming = written, events[steps[image, t] : steps[image, t + 1]]
            if active or len(incoming) > 0:
                add_spikes(neurons, incoming, synapses, statistics[t])
                written, largest = fire(neurons, thresholds, spikes, written)
                peak = max(peak, largest)
                active = written > begin
            spike_steps[image, t + 1] = written
        if image + 1 < images:
            spike_steps[image + 1, 0] = written
    return images, peak


@compiled
def reset(neurons, first_thresholds):
    """The state before the first time step; every neuron is looked at in it, even without input."""
    neurons.potential.reshape(-1)[:] = 0
    neurons.count.reshape(-1)[:] = 0
    for window in range(len(neurons.upper)):
        neurons.upper[window] = first_thresholds
    neurons.lower.reshape(-1)[:] = ALWAYS
    neurons.pending[:] = True


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
    potential, weights = neurons.potential.reshape(-1), synapses.weights.reshape(-1)
    filters, row_length = uintp(neurons.potential.shape[1]), uintp(synapses.weights.shape[1])
    first_run, runs, pending = synapses.first_run, synapses.runs, neurons.pending
    start, reached_windows = 0, 0
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
            target, length, w = uintp(window) * filters, uintp(windows) * filters, uintp(runs[run, 1])
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
            reached_windows += together * windows
        start += together
    statistics[0] += len(events)
    statistics[2] += reached_windows * neurons.potential.shape[1]
    for i in range(len(events)):
        statistics[1] += events[i] & 1


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


@compiled
def fire(neurons, thresholds, spikes, written):
    """Fires every neuron that is beyond a threshold; appends the events to `spikes`.

    Returns
    -------
    written : int, the new number of events in `spikes`
    largest : int, the largest count of a neuron that fired
    """
    largest = 0
    for window in range(len(neurons.pending)):
        if neurons.pending[window]:
            neurons.pending[window] = is_beyond(neurons, window)
            if neurons.pending[window]:
                end = emit(neurons, window, spikes, written)
                largest = max(largest, count_spikes(neurons, thresholds, window, spikes, written, end))
                written = end
    return written, largest


@compiled
def is_beyond(neurons, window):
    """Whether any neuron of a window is at its upper threshold or below its lower one."""
    potential, upper, lower = neurons.potential, neurons.upper, neurons.lower
    beyond = False
    for i in range(potential.shape[1]):
        beyond |= (potential[window, i] >= upper[window, i]) | (potential[window, i] < lower[window, i])
    return beyond


@compiled
def emit(neurons, window, spikes, written):
    """Appends an event for each neuron beyond a threshold; without branches, as a fifth of them are."""
    potential, upper, lower = neurons.potential, neurons.upper, neurons.lower
    for channel in range(potential.shape[1]):
        negative = potential[window, channel] < lower[window, channel]
        spikes[written] = window << POSITION_SHIFT | channel << 1 | negative
        written += (potential[window, channel] >= upper[window, channel]) | negative
    return written


@compiled
def count_spikes(neurons, thresholds, window, spikes, begin, end):
    """Counts spikes[begin:end] of a window and moves its neurons' thresholds; returns the largest count."""
    count, upper, lower = neurons.count, neurons.upper, neurons.lower
    largest = 0
    for index in range(begin, end):
        channel = (spikes[index] & ROW_MASK) >> 1
        n = count[window, channel] + 1 - 2 * (spikes[index] & 1)
        count[window, channel] = n
        upper[window, channel] = thresholds[channel, n + 1]
        lower[window, channel] = thresholds[channel, n]
        largest = max(largest, n)
    return largest
