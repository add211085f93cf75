"""The arrays of a spiking layer in the order in which the Numba kernels take them; see spiking_kernels."""

import numpy as np

from spiking import kernels
from spiking.network import fan_out, window_starts
from spiking.trains import check_event_range
from spiking.weight_grid import INT16_MAX


def synapses(kernel, input_shape, stride):
    """The kernel (h, w, in, out) of a convolution in the order in which a spike adds it."""
    kernel_height, kernel_width, channels, filters = kernel.shape
    height, width, input_channels = input_shape
    if input_channels != channels:
        raise ValueError(f"kernel takes {channels} channels, expected the input's {input_channels}")
    if np.any(kernel != np.rint(kernel)) or np.any(np.abs(kernel.astype(np.int64)) > INT16_MAX):
        raise ValueError(
            f"kernel has fractional weights or weights beyond {INT16_MAX}, expected integers of the grid"
        )
    check_event_range(height * width, channels)
    starts = window_starts(height, kernel_height, stride), window_starts(width, kernel_width, stride)
    rows, columns = map(len, starts)
    kernel = np.pad(kernel, [(0, 0), (0, 0), (0, 0), (0, lanes_of(filters) - filters)])
    # of the same phase, a column further left in the kernel belongs to the window further right
    order = sorted(range(kernel_width), key=lambda column: (column % stride, -column))
    runs, first_run = [], [0]
    for y, x in np.ndindex(height, width):
        reached = [(x - column) // stride for column in order if (x - column) % stride == 0]
        slots = [slot for slot, column in enumerate(order) if (x - column) % stride == 0]
        inside = [(window, slot) for window, slot in zip(reached, slots, strict=True) if 0 <= window < columns]
        for kernel_row in range(kernel_height):
            row, rest = divmod(y - kernel_row, stride)
            if rest == 0 and 0 <= row < rows and inside:
                window, slot = inside[0]
                offset = (kernel_row * kernel_width + slot) * lanes_of(filters)
                runs.append((row * columns + window, offset, len(inside)))
        first_run.append(len(runs))
    by_channel = kernel[:, order].transpose(2, 0, 1, 3).reshape(channels, -1).astype(np.int16)
    signed = np.ascontiguousarray(np.stack([by_channel, -by_channel], axis=1).reshape(2 * channels, -1))
    return kernels.Synapses(
        signed,
        np.array(first_run, np.int32),
        np.array(runs, np.int32).reshape(-1, 3),
        np.ravel(fan_out(*starts, (height, width), (kernel_height, kernel_width), filters)),
    )


def thresholds_by_count(thresholds, filters):
    """As the kernels take them, (counts, lanes): they look up every count that occurs, unchecked."""
    thresholds = np.asarray(thresholds)
    if thresholds.ndim != 2 or len(thresholds) != filters or thresholds.shape[1] < 3:
        raise ValueError(f"thresholds have shape {thresholds.shape}, expected ({filters}, time steps + 2)")
    if np.any(thresholds != np.rint(thresholds)) or np.any(np.diff(thresholds[:, 1:].astype(np.int64)) < 0):
        raise ValueError("thresholds are fractional or fall with the count, expected integers that do not fall")
    if thresholds.min() < kernels.ALWAYS or thresholds.max() > kernels.NEVER:
        raise ValueError(f"thresholds reach from {thresholds.min():g} to {thresholds.max():g}, expected int32")
    by_count = np.full((thresholds.shape[1], lanes_of(filters)), kernels.NEVER, np.int32)
    by_count[:, :filters] = thresholds.T
    by_count[0] = kernels.ALWAYS
    return by_count


def lanes_of(filters):
    """The filters, filled up to whole groups."""
    return -(-filters // kernels.LANES) * kernels.LANES


def new_neurons(windows, filters):
    """State for the kernels, which reset it for every image."""
    lanes = lanes_of(filters)
    arrays = (np.empty((windows, lanes), np.int32) for _ in range(4))
    return kernels.Neurons(*arrays, pending=np.empty(windows, np.bool_), beyond=np.empty(lanes, np.uint8))
