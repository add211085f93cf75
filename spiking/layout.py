"""The arrays of a spiking layer in the order in which the Numba kernels take them; see kernels and neuron."""

from itertools import pairwise

import numpy as np

from spiking import kernels
from spiking.network import fan_out, reached_windows
from spiking.neuron import Neurons, Rule
from spiking.thresholds import ALWAYS, NEVER
from spiking.vectors import LANES
from spiking.weight_grid import INT32_MAX


def synapses(kernel, input_size, starts):
    """The kernel of a convolution in the order in which a spike adds it.

    Parameters
    ----------
    kernel : int16 array (h, w, in, out)
    input_size : (h, w)
    starts : two ranges, the rows and columns where windows begin, as network.window_starts gives them
    """
    height, width, channels, filters = kernel.shape
    (rows, columns), lanes = starts, lanes_of(filters)
    # from window to window along a row, a position moves one stride to the left in the kernel
    order = sorted(range(width), key=lambda column: (column % columns.step, -column))
    slot = {column: index for index, column in enumerate(order)}
    runs, first_run = [], [0]
    for y, x in np.ndindex(input_size):
        reached = reached_windows(columns, width, x)
        for row in reached_windows(rows, height, y) if reached else ():
            offset = ((y - rows[row]) * width + slot[x - columns[reached.start]]) * lanes
            runs.append((row * len(columns) + reached.start, offset, len(reached)))
        first_run.append(len(runs))
    kernel = np.pad(kernel, [(0, 0), (0, 0), (0, 0), (0, lanes - filters)])
    by_channel = kernel[:, order].transpose(2, 0, 1, 3).reshape(channels, -1)
    weights = np.stack([by_channel, -by_channel], axis=1).reshape(2 * channels, -1)
    first = [runs[begin][:2] if end > begin else (-1, 0) for begin, end in pairwise(first_run)]
    window, offset = np.array(first, np.int32).T
    return kernels.Synapses(
        np.concatenate([weights.ravel(), np.zeros(weights.shape[1], np.int16)]),
        weights.shape[1],
        lanes,
        np.array(first_run, np.int32),
        np.array(runs, np.int32).reshape(-1, 3),
        np.ravel(fan_out(rows, columns, input_size, (height, width), filters)),
        np.ascontiguousarray(window),
        np.ascontiguousarray(offset),
        apart=height <= rows.step and width <= columns.step,
    )


def firing_rule(thresholds, max_spikes, negative_spikes):
    """The rule of neurons with the thresholds (out, counts) of the counts 0, 1, ..."""
    filters, counts = thresholds.shape
    rising = np.full((counts + 1, lanes_of(filters)), NEVER, np.int32)
    rising[:counts, :filters] = thresholds.T
    rising[0] = ALWAYS
    falling = rising if negative_spikes else np.full_like(rising, ALWAYS)
    return Rule(rising.ravel(), falling.ravel(), rising.shape[1], INT32_MAX if max_spikes is None else max_spikes)


def lanes_of(filters):
    """The filters, filled up to whole groups."""
    return -(-filters // LANES) * LANES


def new_neurons(windows, filters, most_rows):
    """State for the kernels, which reset it for every image."""
    arrays = (np.empty(windows * lanes_of(filters), np.int32) for _ in range(4))
    return Neurons(*arrays, np.empty(windows, np.bool_), np.empty(most_rows + 3, np.uint64))
