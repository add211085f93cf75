"""The neuron: what it does in each time step once the incoming spikes are added to its membrane potential u.

    m      the target count: the net count that u justifies
    spike = clip(m - n, -B, B)        n is the net count so far
    n <- n + spike

B is the most spikes of one sign in a step, 1 in the paper; without negative spikes the lower bound is 0. Thresholds
stand for m: theta_j is the lowest u that justifies the count j.

`target_count` and `spike_of` are the rule, for every B: what fires, and how much, is what they say. Which neurons are
asked follows from the rule: m - n is above 0 where u >= theta_(n+1) and below 0 where u < theta_n, so each neuron
keeps these two thresholds, and `list_due` lists the neurons beyond one of them. For B = 1 that says enough of m;
otherwise `list_due` also counts the thresholds that u has reached, eight neurons at a time, as the end of a loop per
neuron would be mispredicted. The blocks that read nothing but the image, whose potentials do not change, are a
shortcut in encoding.py that asks the same rule. The same in plain NumPy, without thresholds: `spiking` in
tests/reference.py.

Zou et al., "Towards a Lossless Conversion for Spiking Neural Networks with Negative-Spike Dynamics", Advanced
Intelligent Systems, 2023.
"""

from typing import NamedTuple

import numpy as np
from numba import uintp

from spiking.compilation import compiled, inlined
from spiking.trains import NEGATIVE, SPIKES
from spiking.vectors import WIDTH, beyond, copy_plus, count_reached

# for each integer of WIDTH bits, the number of its ones, and the event bits (filter << 1) of these, then of its zeros
BITS = np.arange(2**WIDTH)[:, None] >> np.arange(WIDTH) & 1
ONES = BITS.sum(axis=1).astype(np.int32)
EVENTS_OF_BITS = (np.argsort(-BITS, axis=1, kind="stable") << 1).astype(np.int32).ravel()


class FiringRule(NamedTuple):
    """When the neurons of a block fire.

    Filters are stored for each window in turn, filled up to a multiple of WIDTH with filters that never fire: the
    stored filters.
    """

    rising: np.ndarray  # int32 (counts + 1) * stored filters: theta_0, theta_1, ..., the last above any potential
    falling: np.ndarray  # the same, or below every potential where no negative spikes are fired
    filters: int  # stored
    highest: int  # the last count with a threshold
    most: int  # B
    least: int  # -B, or 0 without negative spikes


class Neurons(NamedTuple):
    """The state of a block for one image; the first five are int32 (windows * stored filters,)."""

    potential: np.ndarray  # u
    count: np.ndarray  # n
    upper: np.ndarray  # theta_(n+1): from it on, m > n
    lower: np.ndarray  # theta_n: below it, m < n
    target: np.ndarray  # m of neurons that may be due, where they fire bursts
    pending: np.ndarray  # bool (windows,), its neurons may be beyond one of the two
    rows: np.ndarray  # uint64 (inputs,), where the weights of the spikes begin that are being added
    first_filters: np.ndarray  # uint64 (inputs,), and where in a window, if they are not for all filters


@inlined
def target_count(neurons, at, n, bursts):
    """m of a neuron that is due; with B = 1 only the sign of m - n matters, so this is n + 1 or n - 1 instead."""
    if bursts:
        return neurons.target[at]
    return n + 1 - 2 * (neurons.potential[at] < neurons.lower[at])


@inlined
def spike_of(m, n, rule):
    """clip(m - n, -B, B)"""
    return min(max(m - n, rule.least), rule.most)


@compiled
def begin(potential, initial):
    """u before the first time step."""
    for index in range(len(potential)):
        potential[index] = initial[index]


@compiled
def reset(neurons, rule, initial):
    """The state before the first time step; every neuron is looked at in it, even without input."""
    begin(neurons.potential, initial)
    neurons.count[:] = 0
    neurons.pending[:] = True
    for window in range(len(neurons.pending)):
        for filter in range(rule.filters):
            neurons.upper[window * rule.filters + filter] = rule.rising[rule.filters + filter]
            neurons.lower[window * rule.filters + filter] = rule.falling[filter]


@inlined
def mark(pending, run):
    """Marks the windows of a run (first window, _, number of windows) as pending."""
    for window in range(run[0], run[0] + run[2]):
        pending[window] = True


@compiled
def fire(neurons, rule, order, outgoing, t, written):
    """Fires every neuron that is due in time step t, window by window in the given order.

    Appends to the events, and to their sizes if there are any, and adds to the statistics.

    Returns
    -------
    written : int, the new number of events
    largest : int, the largest count of a neuron that fired
    """
    first = written
    for window in order:
        if neurons.pending[window]:
            before = written
            written = list_due(neurons, window, rule, outgoing, written)
            neurons.pending[window] = written > before
    return count_spikes(neurons, rule, outgoing, t, first, written)


@inlined
def list_due(neurons, window, rule, outgoing, written):
    """Appends an event without a sign for each neuron of a window whose spike is not 0, and finds m for bursts.

    WIDTH at a time from a table, without any branch: a fifth of the neurons fire, at random. Returns the new number
    of events.
    """
    filters, position = uintp(rule.filters), window << outgoing.shift
    for filter in range(uintp(0), filters, uintp(WIDTH)):
        at = uintp(window) * filters + filter
        if len(outgoing.sizes) > 0:
            theta_1 = filters + filter
            count_reached(neurons.target, at, neurons.potential, rule.rising, theta_1, filters)
        bits = beyond(neurons.potential, neurons.upper, neurons.lower, at)
        event = np.int32(position) + np.int32(filter << uintp(1))
        copy_plus(outgoing.events, uintp(written), EVENTS_OF_BITS, bits * uintp(WIDTH), event)
        written += ONES[bits]
    return written


@compiled
def count_spikes(neurons, rule, outgoing, t, begin, end):
    """Makes spikes of events[begin:end] as the rule says, counts them and moves the thresholds of their neurons.

    Returns
    -------
    written : int, the end of the events that are spikes
    largest : int, the largest count
    """
    events, sizes, shift, bursts = outgoing.events, outgoing.sizes, outgoing.shift, len(outgoing.sizes) > 0
    largest, spikes, net, filters, written = 0, 0, 0, uintp(rule.filters), uintp(begin)
    for index in range(uintp(begin), uintp(end)):
        event = events[index]
        filter = uintp((event & ((1 << shift) - 1)) >> 1)
        at = uintp(event >> shift) * filters + filter
        n = neurons.count[at]
        spike = spike_of(target_count(neurons, at, n, bursts), n, rule)
        events[written] = event | (spike < 0)
        if bursts:
            sizes[written] = abs(spike)
        written += uintp(spike != 0)
        spikes += abs(spike)
        net += spike
        n += spike
        threshold = uintp(n) * filters + filter
        neurons.count[at] = n
        neurons.upper[at] = rule.rising[threshold + filters]
        neurons.lower[at] = rule.falling[threshold]
        largest = max(largest, n)
    outgoing.statistics[t, SPIKES] += spikes
    outgoing.statistics[t, NEGATIVE] += (spikes - net) // 2
    return np.int64(written), largest
