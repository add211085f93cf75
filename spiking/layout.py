"""The arrays of a spiking layer in the order in which the Numba kernels take them; see kernels and neuron."""

import numpy as np

from spiking import kernels
from spiking.network import reached_windows
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
    groups, group_of, offset_of = {}, [], []
    for y, x in np.ndindex(input_size):
        above, before = reached_windows(rows, height, y), reached_windows(columns, width, x)
        group_of.append(groups.setdefault((above, before) if above and before else (), len(groups)))
        offset = (y - rows[above[0]]) * width + slot[x - columns[before[0]]] if above and before else 0
        offset_of.append(offset * lanes)
    runs, first_run, fan_out = [], [0], []
    for above, before in (group or (range(0), range(0)) for group in groups):
        # a window further down, a position is one stride further up in the kernel
        steps = -rows.step * width * lanes
        runs += [(row * len(columns) + before[0], i * steps, len(before)) for i, row in enumerate(above)]
        first_run.append(len(runs))
        fan_out.append(len(above) * len(before) * filters)
    kernel = np.pad(kernel, [(0, 0), (0, 0), (0, 0), (0, lanes - filters)])
    by_channel = kernel[:, order].transpose(2, 0, 1, 3).reshape(channels, -1)
    return kernels.Synapses(
        np.stack([by_channel, -by_channel], axis=1).ravel(),
        by_channel.shape[1],
        lanes,
        np.array(group_of, np.int32),
        np.array(offset_of, np.int32),
        np.array(first_run, np.int32),
        np.array(runs, np.int32).reshape(-1, 3),
        np.array(fan_out, np.int64),
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


def new_neurons(windows, filters, inputs):
    """State for the kernels, which reset it for every image."""
    arrays = (np.empty(windows * lanes_of(filters), np.int32) for _ in range(4))
    return Neurons(*arrays, np.empty(windows, np.bool_), np.empty(inputs, np.uint64))
