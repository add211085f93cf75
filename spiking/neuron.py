"""The neuron: what it does in each time step once the incoming spikes are added to its membrane potential u.

    spike = clip(m - n, -B, B)        m is the count that u justifies, n the net count so far
    n <- n + spike

B is the most spikes of one sign in a step, 1 in the paper; without negative spikes the lower bound is 0. Thresholds
stand for m: theta_j is the lowest u that justifies the count j. So a neuron fires upwards where u >= theta_(n+1), and
downwards where u < theta_n.

`spike_of` is the rule. It is asked only for the neurons that `list_beyond` finds beyond one of these two thresholds,
and not for B = 1, where `count_spikes` knows the size. Block 1, whose input does not change, has kernels of its own
in encoding.py. A change of the rule concerns all of these. The same in plain NumPy, without thresholds: `spiking` in
tests/reference.py.

Zou et al., "Towards a Lossless Conversion for Spiking Neural Networks with Negative-Spike Dynamics", Advanced
Intelligent Systems, 2023.
"""

from typing import NamedTuple

import numpy as np
from numba import uintp

from spiking.compilation import compiled
from spiking.trains import POSITION_SHIFT, ROW_MASK
from spiking.vectors import LANES, beyond, copy_plus


def _ones(bits):
    return [lane for lane in range(LANES) if bits >> lane & 1]


# for each integer of LANES bits, the number of its ones, and the event bits (lane << 1) of each, then zeros
ONES = np.array([len(_ones(bits)) for bits in range(2**LANES)], np.int32)
EVENTS_OF_BITS = np.array(
    [[2 * lane for lane in _ones(bits)] + [0] * (LANES - len(_ones(bits))) for bits in range(2**LANES)], np.int32
).ravel()


class Rule(NamedTuple):
    """When the neurons of a block fire. The lanes of a window are its filters, filled up to whole groups."""

    rising: np.ndarray  # int32 (counts + 1) * lanes, theta_0, theta_1, ...; the last is above every potential
    falling: np.ndarray  # the same, or below every potential where no negative spikes are fired
    lanes: int
    most: int  # B


class Neurons(NamedTuple):
    """The state of a block for one image; the first four are int32 (windows * lanes,)."""

    potential: np.ndarray  # u
    count: np.ndarray  # n
    upper: np.ndarray  # theta_(n+1): a positive spike is fired from it on
    lower: np.ndarray  # theta_n: a negative spike is fired below it
    pending: np.ndarray  # bool (windows,), its neurons may be beyond a threshold
    rows: np.ndarray  # uint64 (inputs,), where the weights of the spikes begin that are being added


@compiled
def spike_of(u, n, lane, rule):
    """clip(m - n, -B, B)"""
    m = n
    while m - n < rule.most and u >= rule.rising[(m + 1) * rule.lanes + lane]:
        m += 1
    while n - m < rule.most and u < rule.falling[m * rule.lanes + lane]:
        m -= 1
    return m - n


@compiled
def reset(neurons, rule):
    """The state before the first time step; every neuron is looked at in it, even without input."""
    neurons.potential[:] = 0
    neurons.count[:] = 0
    neurons.pending[:] = True
    for window in range(len(neurons.pending)):
        for lane in range(rule.lanes):
            neurons.upper[window * rule.lanes + lane] = rule.rising[rule.lanes + lane]
            neurons.lower[window * rule.lanes + lane] = rule.falling[lane]


@compiled
def fire(neurons, rule, order, events, sizes, written):
    """Fires every neuron that is beyond a threshold, window by window in the given order.

    Appends to `events`, and to `sizes` if it has any length.

    Returns
    -------
    written : int, the new number of events
    largest : int, the largest count of a neuron that fired
    """
    begin = written
    for window in order:
        if neurons.pending[window]:
            before = written
            written = list_beyond(neurons, window, rule.lanes, events, written)
            neurons.pending[window] = written > before
    return written, count_spikes(neurons, rule, events, sizes, begin, written)


@compiled
def list_beyond(neurons, window, lanes, events, written):
    """Appends an event without a sign for each neuron of a window that is beyond a threshold.

    A group at a time from a table, without any branch: a fifth of the neurons fire, at random. Returns the new number
    of events.
    """
    first = uintp(window) * uintp(lanes)
    for group in range(uintp(0), uintp(lanes), uintp(LANES)):
        bits = beyond(neurons.potential, neurons.upper, neurons.lower, first + group)
        event = np.int32(window << POSITION_SHIFT) + np.int32(group << uintp(1))
        copy_plus(events, uintp(written), EVENTS_OF_BITS, bits * uintp(LANES), event)
        written += ONES[bits]
    return written


@compiled
def count_spikes(neurons, rule, events, sizes, begin, end):
    """Gives events[begin:end] their signs and sizes, counts them and moves the thresholds of their neurons.

    Returns the largest count.
    """
    largest, lanes = 0, uintp(rule.lanes)
    for index in range(uintp(begin), uintp(end)):
        lane = uintp((events[index] & ROW_MASK) >> 1)
        at = uintp(events[index] >> POSITION_SHIFT) * lanes + lane
        if rule.most == 1:  # the same without a loop, for a neuron beyond a threshold
            spike = 1 - 2 * (neurons.potential[at] < neurons.lower[at])
        else:
            spike = spike_of(neurons.potential[at], neurons.count[at], lane, rule)
        events[index] |= spike < 0
        if len(sizes) > 0:
            sizes[index] = abs(spike)
        n = neurons.count[at] + spike
        neurons.count[at] = n
        neurons.upper[at] = rule.rising[uintp(n + 1) * lanes + lane]
        neurons.lower[at] = rule.falling[uintp(n) * lanes + lane]
        largest = max(largest, n)
    return largest
