"""Linear layers as one convolution, against computing them one after the other in plain NumPy."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal

from LeNet.tensorlayer.affine import Affine, Windows
from spiking.network import window_starts

SIZES = st.integers(1, 9)
PADDINGS = st.sampled_from(["valid", "same"])


def convolve_axis(signal, kernel, windows):
    """Sums of kernel times signal, positions outside read as zeros: (count,)."""
    starts = range(-windows.before, windows.count * windows.stride - windows.before, windows.stride)
    inside = [[(i, start + i) for i in range(len(kernel)) if 0 <= start + i < len(signal)] for start in starts]
    return np.array([sum(kernel[i] * signal[position] for i, position in pairs) for pairs in inside], float)


def composed_kernel(first, kernel, second, later):
    """Of two kernels along an axis, by the definition: what each input of a window contributes."""
    result = np.zeros(first.stride * (second.kernel - 1) + first.kernel)
    for j, weight in enumerate(later):
        result[j * first.stride : j * first.stride + first.kernel] += weight * kernel
    return result


@st.composite
def windows(draw, size):
    """Any windows over an axis, cropped or padded by up to two positions on either side."""
    before, after = draw(st.integers(-2, 2)), draw(st.integers(-2, 2))
    length = max(size + before + after, 1)
    kernel = draw(st.integers(1, length))
    stride = draw(st.integers(1, 3))
    return Windows(size, kernel, stride, before, (length - kernel) // stride + 1)


@st.composite
def two_windows(draw):
    first = draw(windows(draw(SIZES)))
    return first, draw(windows(first.count))


@given(two_windows(), st.integers(0, 2**32 - 1))
def test_one_convolution_computes_what_two_compute_or_is_refused(pair, seed):
    first, second = pair
    rng = np.random.default_rng(seed)
    signal, kernel, later = (rng.integers(-9, 10, size) for size in (first.size, first.kernel, second.kernel))
    try:
        composed = first.then(second)
    except ValueError:
        assert second.before > 0 or second.after > 0
        return
    expected = convolve_axis(convolve_axis(signal, kernel, first), later, second)
    assert_array_equal(convolve_axis(signal, composed_kernel(first, kernel, second, later), composed), expected)


@given(st.integers(2, 9), st.integers(1, 4), st.integers(1, 3))
def test_pooling_without_overlap_or_rest_may_be_padded_after(count, size, kernel):
    pooled = Windows.padded(count * size, size, size, "valid")
    composed = pooled.then(Windows.padded(count, kernel, 1, "same"))
    assert (composed.kernel, composed.stride, composed.before) == (size * kernel, size, size * ((kernel - 1) // 2))


@pytest.mark.parametrize(("size", "pool", "stride"), [(7, 2, 2), (8, 3, 2)])
def test_padding_that_would_meet_what_pooling_has_cut_off_is_refused(size, pool, stride):
    pooled = Windows.padded(size, pool, stride, "valid")
    with pytest.raises(ValueError, match="pads with zeros where one convolution"):
        pooled.then(Windows.padded(pooled.count, 3, 1, "same"))


@given(st.data(), SIZES, st.booleans(), st.integers(0, 2**32 - 1))
def test_notation_computes_the_same_windows(data, size, same, seed):
    found = data.draw(windows(size))
    placed = found.in_notation(same)
    if placed is None:
        return
    before, after, stride = placed
    rng = np.random.default_rng(seed)
    kernel, signal = rng.integers(-9, 10, found.kernel), rng.integers(-9, 10, size)
    cut = kernel[max(-before, 0) : len(kernel) - max(-after, 0)]
    extended = np.pad(cut, (max(before, 0), max(after, 0)))
    starts = window_starts(size, len(extended), stride, same)
    in_notation = Windows(size, len(extended), stride, -starts.start, len(starts))
    assert_array_equal(convolve_axis(signal, extended, in_notation), convolve_axis(signal, kernel, found))


@given(SIZES, st.integers(1, 9), st.integers(1, 4), PADDINGS)
def test_windows_of_keras_are_in_the_notation_as_they_are(size, kernel, stride, padding):
    if padding == "valid" and kernel > size:
        return
    found = Windows.padded(size, kernel, stride, padding)
    starts = window_starts(size, kernel, stride, padding == "same")
    assert (found.count, found.before) == (len(starts), -starts.start)
    if found.count > 1:
        assert found.in_notation(padding == "same") == (0, 0, stride)


def test_offset_that_padding_would_miss_is_refused():
    image = Affine.identity((4, 4, 2)).rescaled(2.0, [0.0, -1.0])
    axes = [Windows.padded(4, 3, 1, "same")] * 2
    with pytest.raises(ValueError, match="after a layer that adds something"):
        image.convolved(np.ones((3, 3, 2, 1)), axes)


def test_scale_of_all_channels_stays_out_of_the_kernel():
    axes = [Windows.padded(4, 3, 1, "valid")] * 2
    kernel = np.arange(18.0).reshape(3, 3, 2, 1)
    affine = Affine.identity((4, 4, 2)).rescaled(1 / 3, [3.0, 5.0]).convolved(kernel, axes).rescaled(2.0, 1.0)
    assert_array_equal(affine.kernel, kernel)
    assert_array_equal(affine.scale, [2 / 3])
    assert_allclose(affine.offset, 2 * (3.0 * kernel[:, :, 0].sum() + 5.0 * kernel[:, :, 1].sum()) + 1)


def test_scales_that_differ_go_into_the_kernel():
    axes = [Windows.padded(1, 1, 1, "valid")] * 2
    affine = Affine.identity((1, 1, 2)).rescaled(np.array([2.0, 4.0]), 0.0).convolved(np.ones((1, 1, 2, 1)), axes)
    assert_array_equal(affine.kernel.ravel(), [2.0, 4.0])
    assert_array_equal(affine.scale, [1.0])


def test_windows_that_neither_padding_gives_are_refused():
    affine = Affine.identity((4, 4, 1)).convolved(np.ones((1, 1, 1, 1)), [Windows(4, 1, 1, 1, 6)] * 2)
    with pytest.raises(ValueError, match="has 6 x 6 windows over 4 x 4 positions"):
        affine.in_notation()
