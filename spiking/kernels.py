"""The Numba kernels under spiking_utils.py: integers only, spike by spike.

The events of a time step (see spike_trains) are sorted by position. `channel << 1 | negative` of an event is also the
row of the weight table that the spike adds: the table holds the kernel of every input channel twice, as it is and
negated.

A spike reaches the windows of a few output rows. Within a row they are neighbours, and so are the weights that
they get, because spiking_utils stores them in that order. Such a run is (first window, offset into the row of
the weight table, number of windows). So a spike adds a few slices to the potentials, for any kernel size and
stride, without a division, and the loops over slices compile to vector code.

For the same reason the filters of a window are filled up to whole groups of LANES, with weights of 0 and thresholds
of NEVER. They are called lanes here.
"""

from typing import NamedTuple

import numpy as np
from numba import njit, uintp

from spiking.trains import POSITION_SHIFT, ROW_MASK

NEVER, ALWAYS = 2**31 - 1, -(2**31)  # thresholds above and below every potential
LANES = 8  # of a group
# multiplied with eight bytes of 0 or 1, it gathers them in the highest byte: byte i becomes bit i
GATHER_BITS, HIGHEST_BYTE = np.uint64(0x0102040810204080), np.uint64(56)


def _lanes_of_bits():
    """For each such byte, the event bits (lane << 1) of its ones, and in the last column their number."""
    table = np.zeros((256, LANES + 1), np.int32)
    for bits, row in enumerate(table):
        lanes = [lane for lane in range(LANES) if bits >> lane & 1]
        row[: len(lanes)] = 2 * np.array(lanes)
        row[LANES] = len(lanes)
    return table


LANES_OF_BITS = _lanes_of_bits()
# the kernels allocate nothing: without Numba's run time (_nrt) they need not count references to rows of arrays
compiled = njit(nogil=True, cache=True, _nrt=False)


class Synapses(NamedTuple):
    """What a spike at an input position drives."""

    weights: np.ndarray  # int16 (2 * channels, kernel size * lanes)
    first_run: np.ndarray  # int32 (positions + 1,); the runs of position p are first_run[p] to first_run[p + 1]
    runs: np.ndarray  # int32 (runs, 3): first window, offset into a row of weights, number of windows
    fan_out: np.ndarray  # int64 (positions,), the synapses that a spike drives


class Neurons(NamedTuple):
    """The state of a block for one image."""

    potential: np.ndarray  # int32 (windows, lanes), u
    count: np.ndarray  # int32 (windows, lanes), n
    upper: np.ndarray  # int32 (windows, lanes), a positive spike is fired from it on
    lower: np.ndarray  # int32 (windows, lanes), a negative spike is fired below it
    pending: np.ndarray  # bool (windows,), its neurons may be beyond a threshold
    beyond: np.ndarray  # uint8 (lanes,), of the window just looked at: 1 where a neuron is beyond a threshold


@compiled
def run_block(events, steps, synapses, thresholds, neurons, first_image, spikes, spike_steps, statistics):
    """Runs a block over images and time steps, from the spike train of its input to that of its output.

    Parameters
    ----------
    events, steps : the input train; events[steps[i, t]:steps[i, t + 1]] are those of image i in step t
    synapses : Synapses
    thresholds : int32 (time steps + 2, lanes); row n is the lowest potential that justifies the count n
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
        reset(neurons, thresholds[1])
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
    neurons.lower.reshape(-1)[:] = ALWAYS
    for window in range(len(neurons.upper)):
        for lane in range(len(first_thresholds)):
            neurons.upper[window, lane] = first_thresholds[lane]
    neurons.pending[:] = True


@compiled
def run_classifier(events, steps, synapses, neurons, potentials, statistics):
    """Accumulates the potentials of neurons that do not fire.

    Overwrites neurons and potentials, int32 (images, time steps, classes); otherwise as run_block.
    """
    for image in range(len(steps)):
        neurons.potential.reshape(-1)[:] = 0
        for t in range(steps.shape[1] - 1):
            incoming = events[steps[image, t] : steps[image, t + 1]]
            add_spikes(neurons, incoming, synapses, statistics[t])
            for i in range(potentials.shape[2]):
                potentials[image, t, i] = neurons.potential[0, i]


@compiled
def add_spikes(neurons, events, synapses, statistics):
    """Adds the spikes of one time step to the potentials, those of a position up to four at a time."""
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
        statistics[2] += together * synapses.fan_out[position]
        start += together
    statistics[0] += len(events)
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
            compare(neurons, window)
            end = emit(neurons.beyond, window, spikes, written)
            neurons.pending[window] = end > written
            largest = max(largest, count_spikes(neurons, thresholds, window, spikes, written, end))
            written = end
    return written, largest


@compiled
def compare(neurons, window):
    """Marks the neurons of a window that are at their upper threshold or below their lower one."""
    u, upper, lower = neurons.potential[window], neurons.upper[window], neurons.lower[window]
    for lane in range(len(u)):
        neurons.beyond[lane] = (u[lane] >= upper[lane]) | (u[lane] < lower[lane])


@compiled
def emit(beyond, window, spikes, written):
    """Appends an event without a sign for each marked neuron; returns the new number of events.

    A group at a time from a table, without a branch for each neuron: a fifth of them fire, at random.
    """
    groups = beyond.view(np.uint64)
    for group in range(len(groups)):
        if groups[group] != 0:
            bits = (groups[group] * GATHER_BITS) >> HIGHEST_BYTE
            for i in range(LANES):
                spikes[written + i] = (window << POSITION_SHIFT | group * LANES << 1) + LANES_OF_BITS[bits, i]
            written += LANES_OF_BITS[bits, LANES]
    return written


@compiled
def count_spikes(neurons, thresholds, window, spikes, begin, end):
    """Gives spikes[begin:end] of a window their signs, counts them and moves the thresholds of their neurons.

    Returns the largest count.
    """
    u, count = neurons.potential[window], neurons.count[window]
    upper, lower = neurons.upper[window], neurons.lower[window]
    largest = 0
    for index in range(begin, end):
        channel = (spikes[index] & ROW_MASK) >> 1
        negative = u[channel] < lower[channel]
        spikes[index] |= negative
        n = count[channel] + 1 - 2 * negative
        count[channel] = n
        upper[channel] = thresholds[n + 1, channel]
        lower[channel] = thresholds[n, channel]
        largest = max(largest, n)
    return largest
