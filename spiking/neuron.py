"""The neuron: what it does in each time step once the incoming spikes are added to its membrane potential u.

    spike = clip(m - n, -B, B)        m is the count that u justifies, n the net count so far
    n <- n + spike

B is the most spikes of one sign in a step, 1 in the paper; without negative spikes the lower bound is 0. Thresholds
stand for m: theta_j is the lowest u that justifies the count j. So a neuron fires upwards where u >= theta_(n+1), and
downwards where u < theta_n. The same in plain NumPy, without thresholds: `spiking` in tests/reference.py.

Zou et al., "Towards a Lossless Conversion for Spiking Neural Networks with Negative-Spike Dynamics", Advanced
Intelligent Systems, 2023.
"""

from typing import NamedTuple

import numpy as np

from spiking.compilation import compiled
from spiking.trains import POSITION_SHIFT, ROW_MASK

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


class Rule(NamedTuple):
    """When the neurons of a block fire."""

    rising: np.ndarray  # int32 (counts + 1, lanes), theta; the last row is above every potential
    falling: np.ndarray  # the same, or below every potential where no negative spikes are fired
    most: int  # B


class Neurons(NamedTuple):
    """The state of a block for one image."""

    potential: np.ndarray  # int32 (windows, lanes), u
    count: np.ndarray  # int32 (windows, lanes), n
    upper: np.ndarray  # int32 (windows, lanes), theta_(n+1): a positive spike is fired from it on
    lower: np.ndarray  # int32 (windows, lanes), theta_n: a negative spike is fired below it
    pending: np.ndarray  # bool (windows,), its neurons may be beyond a threshold
    beyond: np.ndarray  # uint8 (lanes,), of the window just looked at: 1 where a neuron is beyond a threshold


@compiled
def spike_of(u, n, lane, rule):
    """clip(m - n, -B, B)"""
    m = n
    while m - n < rule.most and u >= rule.rising[m + 1, lane]:
        m += 1
    while n - m < rule.most and u < rule.falling[m, lane]:
        m -= 1
    return m - n


@compiled
def reset(neurons, rule):
    """The state before the first time step; every neuron is looked at in it, even without input."""
    neurons.potential.reshape(-1)[:] = 0
    neurons.count.reshape(-1)[:] = 0
    for window in range(len(neurons.upper)):
        for lane in range(neurons.upper.shape[1]):
            neurons.upper[window, lane] = rule.rising[1, lane]
            neurons.lower[window, lane] = rule.falling[0, lane]
    neurons.pending[:] = True


@compiled
def fire(neurons, rule, order, events, sizes, written):
    """Fires every neuron that is beyond a threshold, window by window in the given order.

    Appends to `events`, and to `sizes` if it has any length.

    Returns
    -------
    written : int, the new number of events
    largest : int, the largest count of a neuron that fired
    """
    largest = 0
    for window in order:
        if neurons.pending[window]:
            compare(neurons, window)
            end = emit(neurons.beyond, window, events, written)
            neurons.pending[window] = end > written
            largest = max(largest, count_spikes(neurons, rule, window, events, sizes, written, end))
            written = end
    return written, largest


@compiled
def compare(neurons, window):
    """Marks the neurons of a window that are at their upper threshold or below their lower one."""
    u, upper, lower = neurons.potential[window], neurons.upper[window], neurons.lower[window]
    for lane in range(len(u)):
        neurons.beyond[lane] = (u[lane] >= upper[lane]) | (u[lane] < lower[lane])


@compiled
def emit(beyond, window, events, written):
    """Appends an event without a sign for each marked neuron; returns the new number of events.

    A group at a time from a table, without a branch for each neuron: a fifth of them fire, at random.
    """
    groups = beyond.view(np.uint64)
    for group in range(len(groups)):
        if groups[group] != 0:
            bits = (groups[group] * GATHER_BITS) >> HIGHEST_BYTE
            for i in range(LANES):
                events[written + i] = (window << POSITION_SHIFT | group * LANES << 1) + LANES_OF_BITS[bits, i]
            written += LANES_OF_BITS[bits, LANES]
    return written


@compiled
def count_spikes(neurons, rule, window, events, sizes, begin, end):
    """Gives events[begin:end] of a window their signs and sizes, counts them and moves the neurons' thresholds.

    Returns the largest count.
    """
    u, count = neurons.potential[window], neurons.count[window]
    upper, lower = neurons.upper[window], neurons.lower[window]
    largest = 0
    for index in range(begin, end):
        lane = (events[index] & ROW_MASK) >> 1
        spike = spike_of(u[lane], count[lane], lane, rule)
        events[index] |= spike < 0
        if len(sizes) > 0:
            sizes[index] = abs(spike)
        n = count[lane] + spike
        count[lane] = n
        upper[lane] = rule.rising[n + 1, lane]
        lower[lane] = rule.falling[n, lane]
        largest = max(largest, n)
    return largest
