"""The arrays of a spiking layer in the order in which the Numba kernels take them; see kernels and neuron."""

from itertools import product

import numpy as np

from spiking import kernels
from spiking.edges import Convolution
from spiking.neuron import FiringRule, Neurons
from spiking.thresholds import ALWAYS, NEVER
from spiking.vectors import WIDTH
from spiking.weight_grid import INT32_MAX


def synapses(edge, kernel=None):
    """What a spike that an edge reads drives, in the order in which it adds it.

    An example: a 1 x 3 kernel (a, b, c) with stride 1 over a row of 5 positions has the windows 0, 1 and 2. A spike
    at position 1 lies in the windows 0 and 1, as their b and a; one at position 2 in the windows 0 to 2, as their c,
    b and a. So if the table holds the columns as c, b, a, either adds one slice of it: `runs` has (first window 0, 2
    windows) with the `offset` of b, and (first window 0, 3 windows) with that of c.

    Parameters
    ----------
    edge : Convolution or Pooling
    kernel : int16 array (h, w, channels of a group, filters); None for a pooling, which has no weights
    """
    cell_of, column_of, cells = _cells(edge)
    filters = stored(edge.filters)
    if isinstance(edge, Convolution):
        table, first_filter = _weight_table(edge, kernel)
    else:
        table, first_filter = np.zeros((0, 1, 1, filters), np.int16), np.zeros(edge.input_shape[2], np.uint64)
    width = table.shape[3]
    runs, first_run = [], [0]
    for above, before in cells:
        # a window further down, a position is one stride further up in the kernel
        steps = -edge.rows.step * edge.kernel_size[1] * width
        for i, row in enumerate(above):
            first = row * len(edge.columns)
            if width < filters:  # single windows
                runs += [(first + column, i * steps + j * width, 1) for j, column in enumerate(before)]
            else:
                runs.append((first + before[0], i * steps, len(before)))
        first_run.append(len(runs))
    return kernels.Synapses(
        weights=table.ravel(),
        row_length=np.uint64(np.prod(table.shape[1:])),
        width=np.uint64(width),
        filters=np.uint64(filters),
        first_filter=first_filter,
        cell=np.array(cell_of, np.uint64),
        offset=np.array(column_of, np.uint64) * np.uint64(width),
        first_run=np.array(first_run, np.uint64),
        runs=np.array(runs, np.int64).reshape(-1, 3).astype(np.uint64),
        fan_out=np.array([len(above) * len(before) * edge.filters_of_spike for above, before in cells], np.int64),
    )


def _cells(edge):
    """The cells into which the windows divide the positions; those of a cell are in the same windows.

    Returns
    -------
    cell_of : list, the cell of each position
    column_of : list, for each position its place in the kernel of the first of its windows, in columns of the table
    cells : list of (range of window rows, range of window columns); those of a position in no window are empty
    """
    slot = {column: index for index, column in enumerate(_column_order(edge))}
    rows, columns = edge.reached
    cells, cell_of, column_of = {}, [], []
    for (y, above), (x, before) in product(enumerate(rows), enumerate(columns)):
        reached = bool(above and before)
        cell_of.append(cells.setdefault((above, before) if reached else (range(0), range(0)), len(cells)))
        place = (y - edge.rows[above[0]], slot[x - edge.columns[before[0]]]) if reached else (0, 0)
        column_of.append(place[0] * edge.kernel_size[1] + place[1])
    return cell_of, column_of, list(cells)


def _column_order(edge):
    """The columns of a kernel in the order in which neighbouring windows take them: a stride apart, backwards."""
    return sorted(range(edge.kernel_size[1]), key=lambda column: (column % edge.columns.step, -column))


def _weight_table(edge, kernel):
    """The weights that a spike adds, by its channel and sign.

    For each window these are, without groups, the weights for all stored filters; with one filter per group, a single
    weight; otherwise the whole vectors that cover the filters of the group, padded with weights of 0.

    Returns
    -------
    table : int16 (2 * channels, h, w, width); rows 2 c and 2 c + 1 are those of channel c, as they are and negated
    first_filter : uint64 (channels,), the stored filter at which the weights of a channel begin
    """
    channels, filters = edge.input_shape[2], stored(edge.filters)
    group = np.arange(channels) // kernel.shape[2]
    first, end = group * edge.filters_of_spike, (group + 1) * edge.filters_of_spike
    if edge.filters_of_spike == 1:
        begin, width = first, 1
    else:
        begin = first // WIDTH * WIDTH
        width = filters if edge.groups == 1 else stored(int((end - begin).max()))
        begin = np.minimum(begin, filters - width)
    table = np.zeros((channels, 2, *edge.kernel_size, width), np.int16)
    ordered = kernel[:, _column_order(edge)]
    for channel in range(channels):
        weights = ordered[:, :, channel % kernel.shape[2], first[channel] : end[channel]]
        place = slice(first[channel] - begin[channel], end[channel] - begin[channel])
        table[channel, 0, :, :, place], table[channel, 1, :, :, place] = weights, -weights
    return table.reshape(2 * channels, *table.shape[2:]), begin.astype(np.uint64)


def window_members(edge):
    """The positions in each window: int32 (members,) and int32 (windows + 1,), where those of a window begin."""
    rows, columns = (
        [range(max(start, 0), min(start + kernel, size)) for start in starts] for starts, kernel, size in edge.axes
    )
    members, first = [], [0]
    for inside in product(rows, columns):
        members += [y * edge.input_shape[1] + x for y, x in product(*inside)]
        first.append(len(members))
    return np.array(members, np.int32), np.array(first, np.int32)


def firing_order(shape, reader):
    """The positions of a layer (h, w, channels) in the order in which they fire, int32 (positions,).

    Those of a cell of an edge that reads them follow each other, as their spikes are added together. The spikes of a
    step are the same in any order.
    """
    if reader is None:
        return np.arange(shape[0] * shape[1], dtype=np.int32)
    cell_of, _, _ = _cells(reader)
    return np.argsort(cell_of, kind="stable").astype(np.int32)


def firing_rule(thresholds, max_spikes, negative_spikes):
    """The rule of neurons with the thresholds (out, counts) of the counts 0, 1, ..."""
    filters, counts = thresholds.shape
    rising = np.full((counts + 1, stored(filters)), NEVER, np.int32)
    rising[:counts, :filters] = thresholds.T
    rising[0] = ALWAYS
    falling = rising if negative_spikes else np.full_like(rising, ALWAYS)
    most = INT32_MAX if max_spikes is None else max_spikes
    least = -most if negative_spikes else 0
    return FiringRule(rising.ravel(), falling.ravel(), rising.shape[1], counts - 1, most, least)


def stored(filters):
    """The number of filters, filled up to a multiple of WIDTH."""
    return -(-filters // WIDTH) * WIDTH


def stored_potentials(potentials):
    """Potentials (h, w, filters), or (filters,) for each position, as the kernels take them; 0 for added filters."""
    added = stored(potentials.shape[-1]) - potentials.shape[-1]
    return np.pad(potentials, [(0, 0)] * (potentials.ndim - 1) + [(0, added)]).astype(np.int32).ravel()


def new_neurons(windows, filters, inputs):
    """State for the kernels, which reset it for every image; `inputs` are the neurons of the largest source."""
    arrays, size, line = [], windows * stored(filters), 64  # bytes of a cache line
    for _ in range(5):  # each begins with a line, so that no vector in it lies across two of them
        array = np.empty(size + line // 4, np.int32)
        begin = -array.ctypes.data % line // 4
        arrays.append(array[begin : begin + size])
    return Neurons(*arrays, np.empty(windows, np.bool_), np.empty(inputs, np.uint64), np.empty(inputs, np.uint64))
