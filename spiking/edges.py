"""The edges of a network: the windows through which a block reads a source, and what it does with them.

The engine computes with their synapses, see layout.py. `seen` and `convolve` are the same for dense arrays.
"""

from dataclasses import dataclass

import numpy as np

EVENT_BITS = 31  # of a spike event, shared by the position, the channel and the sign of a spike
IMAGE = 0  # the source that is the image


def window_ranges(shape, size, strides, padding="valid"):
    """Where the windows of a size (h, w) begin in the rows and in the columns of a shape (h, w, ...): two ranges.

    Parameters
    ----------
    padding : "valid", "same" with Keras's placement, or ((top, bottom), (left, right)); negative numbers crop
    """
    axes = list(zip(shape, size, strides))
    if isinstance(padding, str):
        padding = [same_padding(*axis) if padding == "same" else (0, 0) for axis in axes]
    return [window_starts(*axis, *zeros) for axis, zeros in zip(axes, padding)]


def same_padding(size, kernel, stride):
    """The zeros before and after an axis that Keras's padding "same" adds for ceil(size / stride) windows.

    Half of them come before the axis, and the odd one after it.
    """
    zeros = max((-(-size // stride) - 1) * stride + kernel - size, 0) if stride > 0 else 0
    return zeros // 2, zeros - zeros // 2


def window_starts(size, kernel, stride, before=0, after=0):
    """Where the windows along an axis begin that has zeros before and after it: a range, below 0 in these zeros.

    A negative number of zeros cuts the axis off.
    """
    if stride < 1:
        raise ValueError(f"stride must be at least 1. Received: stride={stride}")
    if kernel < 1 or kernel > size + before + after:
        raise ValueError(f"kernel {kernel} does not fit into an axis of length {size + before + after}")
    windows = (size + before + after - kernel) // stride + 1
    return range(-before, windows * stride - before, stride)


def reached_windows(starts, kernel, position):
    """The windows of an axis that contain a position: a range of their indices in `starts`."""
    first = -((starts.start + kernel - 1 - position) // starts.step)  # rounded up
    last = (position - starts.start) // starts.step
    return range(max(first, 0), min(last + 1, len(starts)))


def position_shift(shape):
    """How far a spike event shifts its position, as the lower bits hold its channel and its sign.

    Raises ValueError where positions and channels together need more bits than an event has.
    """
    height, width, channels = shape
    shift = (channels - 1).bit_length() + 1
    if min(shape) < 1 or height * width << shift > 1 << EVENT_BITS:
        raise ValueError(
            f"{height} x {width} positions of {channels} channels, expected at least one of each, and that both "
            f"numbers and a sign fit into {EVENT_BITS} bits"
        )
    return shift


@dataclass(frozen=True)
class Edge:
    """The windows through which a block reads a source; what it does with them is up to the kind of edge."""

    source: int  # 0 for the image, n for block n
    input_shape: tuple[int, int, int]  # of the source, (h, w, channels)
    kernel_size: tuple[int, int]  # of a window, (h, w)
    rows: range  # where the windows begin, as window_starts gives it
    columns: range

    @property
    def axes(self):
        """For rows, then columns: where the windows begin, their size, and the size of the source."""
        return zip((self.rows, self.columns), self.kernel_size, self.input_shape[:2], strict=True)

    @property
    def reached(self):
        """The windows that contain each row, and those that contain each column: two lists of ranges."""
        return [
            [reached_windows(starts, kernel, position) for position in range(size)]
            for starts, kernel, size in self.axes
        ]

    @property
    def stride(self):
        """(int, int), of rows and of columns."""
        return self.rows.step, self.columns.step

    @property
    def padding(self):
        """Zeros before and after the rows, and before and after the columns: a pair of pairs.

        A negative number means that so many rows or columns are in no window.
        """
        return tuple((-starts[0], starts[-1] + kernel - size) for starts, kernel, size in self.axes)

    @property
    def padding_name(self):
        """The padding with which Keras places windows like this, "valid" or "same"; None if neither does."""
        inside = all(kernel <= size for _, kernel, size in self.axes)
        for name in ("valid", "same") if inside else ("same",):
            if [self.rows, self.columns] == window_ranges(self.input_shape, self.kernel_size, self.stride, name):
                return name
        return None

    @property
    def output_shape(self):
        """(h, w, channels) of what the edge contributes to its block."""
        return len(self.rows), len(self.columns), self.filters

    @property
    def whole_input(self):
        """Whether its only window is the whole source."""
        return self.kernel_size == self.input_shape[:2] and self.padding == ((0, 0), (0, 0))

    def seen(self, x):
        """Yields each place (row, column) in a window, and what all windows see there of an array x.

        x has the shape (n, h, w, channels), what is seen (n, windows of rows, windows of columns, channels); beyond
        the border of x, windows see zeros.
        """
        added = [(max(before, 0), max(after, 0)) for before, after in self.padding]
        x = np.pad(x, [(0, 0), *added, (0, 0)])[:, max(self.rows[0], 0) :, max(self.columns[0], 0) :]
        for row, column in np.ndindex(self.kernel_size):
            seen = x[:, row :: self.rows.step, column :: self.columns.step]
            yield (row, column), seen[:, : len(self.rows), : len(self.columns)]

    @property
    def fan_out(self):
        """Synapses that a spike drives, by its row and column, int64 (h, w): its windows times its filters."""
        by_row, by_column = (np.array([len(windows) for windows in axis], np.int64) for axis in self.reached)
        return np.outer(by_row, by_column) * self.filters_of_spike


@dataclass(frozen=True)
class Convolution(Edge):
    """Adds, for each window and filter, the weighted sum of what is in the window to its block."""

    filters: int
    groups: int = 1  # into which channels and filters are divided; a channel reaches the filters of its group only
    identity: bool = False  # one weight for each channel, which is 1 and not trained

    @property
    def kernel_shape(self):
        """(h, w, channels of a group, filters)"""
        return (*self.kernel_size, self.input_shape[2] // self.groups, self.filters)

    @property
    def filters_of_spike(self):
        """The filters that a spike reaches in each window."""
        return self.filters // self.groups

    @property
    def multiply_accumulates(self):
        """For one image; those with the zeros of the padding do not count, and an identity multiplies nothing."""
        return 0 if self.identity else self.input_shape[2] * int(self.fan_out.sum())

    def convolve(self, x, kernel):
        """The sums for all windows and filters of an array x (n, h, w, channels), in its type; zeros are around it.

        The kernel is an array of kernel_shape.
        """
        shape, inputs = (len(x), *self.output_shape), kernel.shape[2]
        if self.whole_input and self.groups == 1:
            return (x.reshape(len(x), -1) @ kernel.reshape(-1, self.filters)).reshape(shape)
        result = np.zeros(shape, x.dtype)
        for (row, column), seen in self.seen(x):
            weights = kernel[row, column]
            if self.groups == 1:  # a product of matrices is much faster
                result += (seen.reshape(-1, inputs) @ weights).reshape(shape)
            else:
                read, weights = seen.reshape(-1, self.groups, inputs), weights.reshape(inputs, self.groups, -1)
                result += np.einsum("ngi,igo->ngo", read, weights).reshape(shape)
        return result


def identity(source, shape):
    """The Convolution that adds each channel of a source of this shape, (h, w, channels), as it is."""
    height, width, channels = shape
    return Convolution(source, shape, (1, 1), range(height), range(width), channels, channels, identity=True)


@dataclass(frozen=True)
class Pooling(Edge):
    """Takes, for each window and channel, the largest spike count in the window. Padding never counts."""

    filters_of_spike = 1
    multiply_accumulates = 0

    @property
    def has_empty_window(self):
        """Whether a window lies in the padding altogether, so that nothing in it is the largest."""
        return any(starts[0] + kernel <= 0 or starts[-1] >= size for starts, kernel, size in self.axes)

    @property
    def filters(self):
        """The number of input channels."""
        return self.input_shape[2]
