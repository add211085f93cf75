"""Merges two successive convolutions into one: their windows, kernels and offsets, in float64 NumPy."""

import math

import numpy as np


class Refusal(ValueError):
    """A layer computes something that blocks cannot; the message says what was found and what was expected."""

    def __init__(self, found, expected):
        super().__init__(f"found {found}, expected {expected}")


def composed(first, window, size, second, second_window):
    """Returns where, along one axis, the windows of the merged convolution begin: a range.

    Parameters
    ----------
    first : range, where the windows of the first convolution begin in its source
    window, size : int, the sizes of these windows and of the source
    second : range, where the windows of the second convolution begin in the output of the first
    second_window : int
    """
    # where the second convolution pads, the merged one has further windows of the first, which must miss the source
    sees_before = first.start - first.step + window > 0
    sees_after = first.start + len(first) * first.step < size
    if (second.start < 0 and sees_before) or (second[-1] + second_window > len(first) and sees_after):
        expected = "padding='valid', or a ReLU between the two layers that pad"
        raise Refusal("padding with no ReLU between it and earlier padding", expected)
    start, step = first.start + first.step * second.start, first.step * second.step
    return range(start, start + step * len(second), step)


def composed_kernels(first, first_groups, second, second_groups, steps):
    """Returns the merged kernel and its number of groups; `steps` are the strides of the first convolution."""
    height, width = (step * (b - 1) + a for step, a, b in zip(steps, first.shape, second.shape))
    filters = second.shape[3]
    if second.shape[2] == 1 and second_groups == filters:  # the second is depthwise: it mixes no filters of the first
        groups, inputs = first_groups, first.shape[2]

        def tap(a, b):
            return a * b

    elif first.shape[2] == 1 and first_groups == first.shape[3]:  # the first is depthwise: it mixes no channels
        if steps == (1, 1) and first.shape[:2] == (1, 1) and np.all(first == 1):
            return second, second_groups
        groups, inputs = second_groups, second.shape[2]

        def tap(a, b):
            return b * by_group(a[..., 0, :], groups, filters)

    else:
        groups = math.gcd(first_groups, second_groups)
        first, second = regrouped(first, first_groups, groups), regrouped(second, second_groups, groups)
        inputs = first.shape[2]

        def tap(a, b):
            by_filter = np.moveaxis(a.reshape(*a.shape[:3], groups, -1), 3, 0)  # (groups, h, w, inputs, middle)
            of_group = np.moveaxis(b.reshape(b.shape[0], groups, -1), 1, 0)  # (groups, middle, outputs)
            product = by_filter.reshape(groups, -1, by_filter.shape[-1]) @ of_group
            return np.moveaxis(product.reshape(*by_filter.shape[:-1], -1), 0, 3).reshape(*a.shape[:3], -1)

    if second.shape[:2] == (1, 1):
        return tap(first, second[0, 0]), groups
    result = np.zeros((height, width, inputs, filters))
    for row, column in np.ndindex(second.shape[:2]):
        top, left = row * steps[0], column * steps[1]
        result[top : top + first.shape[0], left : left + first.shape[1]] += tap(first, second[row, column])
    return result, groups


def by_group(values, groups, filters):
    """Arranges numbers (..., channels) as a kernel's: (..., channels of a group, filters)."""
    grouped = np.swapaxes(values.reshape(*values.shape[:-1], groups, -1), -1, -2)
    return np.repeat(grouped, filters // groups, axis=-1)


def regrouped(kernel, groups, fewer):
    """Returns the kernel for fewer groups, a divisor of `groups`, with zeros between formerly separate groups."""
    if groups == fewer:
        return kernel
    merged, inputs, filters = groups // fewer, kernel.shape[2], kernel.shape[3]
    result = np.zeros((*kernel.shape[:2], merged, inputs, fewer, merged, filters // groups))
    by_groups = kernel.reshape(*kernel.shape[:3], fewer, merged, -1)
    for group in range(merged):
        result[:, :, group, :, :, group] = by_groups[:, :, :, :, group]
    return result.reshape(*kernel.shape[:2], merged * inputs, filters)


def convolved_offset(offset, shape, kernel, groups, rows, columns):
    """Convolves the offset of a tensor of shape (h, w, channels); padding has no offset, so borders may differ."""
    filters = kernel.shape[3]
    if not np.any(offset):
        return np.zeros(filters)
    result = np.zeros((len(rows), len(columns), filters))
    for row, column in np.ndindex(kernel.shape[:2]):
        read = [np.array(starts) + tap for starts, tap in ((rows, row), (columns, column))]
        within = [(index >= 0) & (index < size) for index, size in zip(read, shape)]
        values = offset  # interior positions sum equal floats in equal order, so `collapsed` finds them identical
        if offset.ndim == 3:
            values = offset[np.clip(read[0], 0, shape[0] - 1)][:, np.clip(read[1], 0, shape[1] - 1)]
        weights = kernel[row, column].reshape(-1, groups, filters // groups)
        sums = np.einsum("...gi,igo->...go", values.reshape(*values.shape[:-1], groups, -1), weights)
        result += np.outer(*within)[..., None] * sums.reshape(*values.shape[:-1], filters)
    return collapsed(result)


def collapsed(values):
    """Reduces values (h, w, channels) to (channels,) if all positions agree."""
    return values[0, 0] if values.ndim == 3 and np.all(values == values[:1, :1]) else values


def patch(values, window, top, left):
    """Returns what a window sees of values (h, w, channels), with zeros beyond their edges."""
    result = np.zeros((*window[:2], values.shape[2]))
    rows, window_rows = inside(top, window[0], values.shape[0])
    columns, window_columns = inside(left, window[1], values.shape[1])
    result[window_rows, window_columns] = values[rows, columns]
    return result


def inside(start, window, size):
    """Returns the positions along an axis that a window contains, and where in the window they lie: two slices."""
    first, last = max(start, 0), min(start + window, size)
    return slice(first, max(first, last)), slice(first - start, max(first, last) - start)
