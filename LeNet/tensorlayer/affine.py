"""What the linear layers between two activations compute together, as one convolution: plain NumPy, in float64."""

from dataclasses import dataclass, replace

import numpy as np


class PaddingError(ValueError):
    """No single convolution pads as these layers do; the text says what the last of them does."""


@dataclass(frozen=True)
class Windows:
    """Where the windows of a convolution lie along an axis; outside the axis they read zeros."""

    size: int  # positions of the axis
    kernel: int  # positions of a window
    stride: int
    before: int  # zeros that the first window begins with; negative where it begins inside the axis
    count: int  # of windows

    @classmethod
    def padded(cls, size, kernel, stride, padding):
        """With the padding "valid" or "same", as Keras places it: of the zeros the odd one comes last."""
        if padding == "valid":
            return cls(size, kernel, stride, 0, (size - kernel) // stride + 1)
        count = -(-size // stride)
        return cls(size, kernel, stride, max((count - 1) * stride + kernel - size, 0) // 2, count)

    @property
    def after(self):
        """Zeros that the last window ends with; negative where it ends inside the axis."""
        return (self.count - 1) * self.stride + self.kernel - self.before - self.size

    def then(self, second):
        """These windows and a second convolution's over their results, as the windows of one convolution.

        Raises
        ------
        ValueError
            The second one pads, and one convolution would not read zeros there.
        """
        composed = Windows(
            self.size,
            self.stride * (second.kernel - 1) + self.kernel,
            self.stride * second.stride,
            self.before + self.stride * second.before,
            second.count,
        )
        # the window that would come before the first one, and the one after the last
        overlaps_before = self.kernel - self.stride - self.before > 0
        overlaps_after = self.count * self.stride - self.before < self.size
        if (second.before > 0 and overlaps_before) or (second.after > 0 and overlaps_after):
            raise PaddingError("pads with zeros where one convolution with the layers before it would read none")
        return composed

    def in_notation(self, same):
        """Zeros to put before and after the kernel, and the stride, for "same" or "valid" windows to compute this.

        Negative zeros cut off what only the padding meets. None where the windows cannot be had so.
        """
        size, stride = self.size, self.stride
        if self.count == 1 and self.before < self.kernel and self.after < self.kernel:
            return -self.before, self.before + size - self.kernel, size if same else 1
        front = max(-self.before, 0)
        before, kernel = self.before + front, self.kernel + front
        if not same:
            if before > 0 or self.after > 0:
                return None
            return front, max(size - self.count * stride + 1 - kernel, 0), stride
        if self.count != -(-size // stride):
            return None
        zeros = (self.count - 1) * stride + kernel - size  # in all, of which Keras puts half before the axis
        if before == 0 and zeros <= 1:
            return front, 0, stride
        return front + max(zeros - 2 * before - 1, 0), max(2 * before - zeros, 0), stride


@dataclass(frozen=True)
class Affine:
    """scale * convolution + offset, of inputs (h, w, in)."""

    kernel: np.ndarray  # float64 (h, w, in, out)
    scale: np.ndarray  # float64 (out,), apart from the kernel so that rounding the kernel does not touch it
    offset: np.ndarray  # float64 (out,)
    axes: tuple[Windows, Windows]  # rows and columns

    @classmethod
    def identity(cls, shape):
        height, width, channels = shape
        axes = tuple(Windows.padded(size, 1, 1, "valid") for size in (height, width))
        return cls(np.eye(channels)[None, None], np.ones(channels), np.zeros(channels), axes)

    @property
    def output_shape(self):
        """(h, w, channels)"""
        return (*(axis.count for axis in self.axes), len(self.scale))

    def rescaled(self, scale, offset):
        """Followed by scale * y + offset, numbers or arrays (out,)."""
        return replace(self, scale=self.scale * scale, offset=self.offset * scale + offset)

    def convolved(self, kernel, axes):
        """Followed by a convolution with a kernel (h, w, in, out) and windows for rows and columns.

        Raises
        ------
        ValueError
            It pads, and one convolution cannot give the zeros of its padding.
        """
        composed = tuple(first.then(second) for first, second in zip(self.axes, axes, strict=True))
        if np.any(self.offset) and any(axis.before > 0 or axis.after > 0 for axis in axes):
            raise PaddingError("pads with zeros after a layer that adds something to its outputs")
        uniform = np.all(self.scale == self.scale[0])  # then it stays apart from the kernel
        scale = np.full(kernel.shape[3], self.scale[0] if uniform else 1.0)
        mixed = kernel if uniform else kernel * self.scale[:, None]
        height, width, inputs, _ = self.kernel.shape
        result = np.zeros((*(axis.kernel for axis in composed), inputs, kernel.shape[3]))
        for row, column in np.ndindex(kernel.shape[:2]):
            top, left = row * self.axes[0].stride, column * self.axes[1].stride
            result[top : top + height, left : left + width] += self.kernel @ mixed[row, column]
        return Affine(result, scale, self.offset @ kernel.sum(axis=(0, 1)), composed)

    def in_notation(self):
        """The kernel, the strides of rows and columns, and whether it pads as "same", with the same results.

        Raises
        ------
        ValueError
            Windows of "valid" or "same" padding cannot compute it.
        """
        for same in (False, True):
            placed = [axis.in_notation(same) for axis in self.axes]
            if None not in placed:
                return _extended(self.kernel, placed), tuple(stride for *_, stride in placed), same
        sizes = " x ".join(str(axis.size) for axis in self.axes)
        counts = " x ".join(str(axis.count) for axis in self.axes)
        raise PaddingError(f"has {counts} windows over {sizes} positions")


def _extended(kernel, placed):
    """The kernel with zeros before and after its rows and columns; negative ones cut it."""
    for axis, (before, after, _) in enumerate(placed):
        kernel = kernel.take(range(max(-before, 0), kernel.shape[axis] - max(-after, 0)), axis)
        width = [(0, 0)] * axis + [(max(before, 0), max(after, 0))] + [(0, 0)] * (3 - axis)
        kernel = np.pad(kernel, width)
    return kernel
