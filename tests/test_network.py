"""The description of the network: everything derived from it, against the tables of the paper."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from spiking.edges import reached_windows, window_starts
from spiking.notation import check_layers, parse
from tests import reference
from tests.networks import LENET, small_chains

ROOT = Path(__file__).resolve().parents[1]

# kernel (h, w, in, out), output (h, w, c), neurons
TABLE = [
    ((5, 5, 1, 20), (24, 24, 20), 11_520),
    ((2, 2, 20, 20), (12, 12, 20), 2_880),
    ((5, 5, 20, 50), (8, 8, 50), 3_200),
    ((2, 2, 50, 50), (4, 4, 50), 800),
    ((4, 4, 50, 500), (1, 1, 500), 500),
]


def test_blocks():
    assert [(block.kernel_shape, block.output_shape, block.neurons) for block in LENET.blocks] == TABLE
    assert [block.stride for block in LENET.blocks] == [(1, 1), (2, 2), (1, 1), (2, 2), (1, 1)]


def test_whole_network():
    assert LENET.input_shape == (28, 28, 1)
    assert LENET.neurons == 18_900
    assert (LENET.features, LENET.classes) == (500, 10)
    assert LENET.ann_operations == 7_186_200
    assert 3 * LENET.counted_multiply_accumulates == 7_186_200


def test_multiply_accumulates_are_kernel_size_times_neurons():
    expected = [5 * 5 * 1 * 11_520, 2 * 2 * 20 * 2_880, 5 * 5 * 20 * 3_200, 2 * 2 * 50 * 800, 4 * 4 * 50 * 500]
    assert [block.multiply_accumulates for block in LENET.blocks] == expected


def test_weight_shapes_in_the_order_of_the_network():
    expected = {}
    for number, (kernel_shape, output_shape, _) in enumerate(TABLE, start=1):
        expected[f"conv{number}/W"] = kernel_shape
        for parameter in ("beta", "gamma", "moving_mean", "moving_var"):
            expected[f"bn{number}/{parameter}"] = (output_shape[2],)
    expected["fc/W"] = (500, 10)
    assert list(LENET.weight_shapes.items()) == list(expected.items())


def test_non_square_kernels_and_images():
    network = parse("7x10x2-4C2x3s2-5C3x1-6")
    first, second = network.blocks
    assert first.output_shape == (3, 4, 4)  # (7 - 2) // 2 + 1, (10 - 3) // 2 + 1
    assert first.kernel_shape == (2, 3, 2, 4)
    assert first.multiply_accumulates == 2 * 3 * 2 * (3 * 4 * 4)
    assert second.input_shape == (3, 4, 4)
    assert second.output_shape == (1, 4, 5)
    assert network.weight_shapes["fc/W"] == (1 * 4 * 5, 6)
    assert network.ann_operations == 3 * (3 * 1 * 4 * (1 * 4 * 5) + 20 * 6)


def test_suffixes_in_any_order():
    for suffixes in ("ps2x3m1.5", "m1.5ps2x3", "s2x3m1.5p"):
        (block,) = parse(f"9x9x1-4C5x2{suffixes}-3").blocks
        assert (block.kernel_size, block.stride, block.same, block.max_value) == ((5, 2), (2, 3), True, 1.5)
        assert block.output_shape == (5, 3, 4)  # ceil(9 / 2), ceil(9 / 3)


def test_pooling_keeps_the_channels_and_strides_by_its_kernel():
    pooled, strided = parse("8x9x3-P2x3-P2s1-3").blocks
    assert (pooled.kernel_shape, pooled.stride, pooled.output_shape) == ((2, 3, 3, 3), (2, 3), (4, 3, 3))
    assert (strided.stride, strided.output_shape) == ((1, 1), (3, 2, 3))


def test_bias_of_the_classifier_is_one_more_array():
    assert list(parse("4x4x1-2-3b").weight_shapes)[-2:] == ["fc/W", "fc/b"]
    assert parse("4x4x1-2-3b").weight_shapes["fc/b"] == (3,)
    assert "fc/b" not in parse("4x4x1-2-3").weight_shapes


def test_notation_without_its_ends():
    assert LENET.layers == "20C5-P2-50C5-P2-500"


@pytest.mark.parametrize(
    ("notation", "error"),
    [
        ("28x28-5-10", "'28x28' is no input, expected rows x columns x channels such as 28x28x1"),
        ("28x28x1-5-x", "'x' is no number of classes, expected an integer from 1 to 32768"),
        ("28x28x1-5-0", "'0' is no number of classes, expected an integer from 1 to 32768"),
        ("28x28x1-10", "28x28x1-10 has no layer, expected at least one"),
        ("0x8x1-5-10", "0 x 8 positions of 1 channels, expected at least one and at most 32768"),
        ("8x8x1-5C9-10", r"layer 1 \(5C9\): kernel 9 does not fit into an axis of length 8"),
        ("8x8x1-5C3-7Q2-10", r"layer 2 \(7Q2\): not a layer, expected nCk, nCkxl, Pk or n, with suffixes"),
        ("8x8x1-5C3s0-10", r"layer 1 \(5C3s0\): stride must be at least 1"),
        ("8x8x1-5C3pp-10", r"layer 1 \(5C3pp\): has a suffix twice, expected each once"),
        ("8x8x1-5p-10", r"layer 1 \(5p\): takes all that is left, expected neither p nor s"),
        ("8x8x1-0C3-10", r"layer 1 \(0C3\): 6 x 6 positions of 0 channels, expected at least one"),
    ],
)
def test_notation_that_cannot_be_read_is_named(notation, error):
    with pytest.raises(ValueError, match=f"^{error}"):
        parse(notation)


def test_layers_alone_are_read_on_any_input():
    check_layers("20C5-P2-500m1")
    with pytest.raises(ValueError, match=r"^layer 2 \(P\): not a layer, expected nCk"):
        check_layers("20C5-P")


@given(small_chains())
def test_fan_out_is_the_number_of_weights_that_a_spike_meets(network):
    for block in network.blocks:
        padded = np.zeros([size + sum(zeros) for size, zeros in zip(block.input_shape[:2], block.padding)], int)
        for row, column in np.ndindex(block.output_shape[:2]):
            top, left = block.stride[0] * row, block.stride[1] * column
            padded[top : top + block.kernel_size[0], left : left + block.kernel_size[1]] += block.filters
        (above, _), (before, _) = block.padding
        met = padded[above:, before:][: block.input_shape[0], : block.input_shape[1]]
        np.testing.assert_array_equal(block.fan_out, met)


@given(small_chains())
def test_output_shape_is_that_of_the_convolution(network):
    for block in network.blocks:
        x = np.zeros((1, *block.input_shape))
        assert reference.convolve(x, np.zeros(block.kernel_shape), block.stride, block.same).shape[1:] == (
            block.output_shape
        )


@given(st.integers(1, 12), st.integers(1, 6), st.integers(1, 5))
def test_padding_is_placed_as_keras_places_it(size, kernel, stride):
    """As tf.nn.convolution documents "SAME": ceil(size / stride) windows, the odd zero at the end."""
    (block,) = parse(f"{size}x1x1-1C{kernel}x1ps{stride}x1-1").blocks
    before, after = block.padding[0]
    windows = block.output_shape[0]
    assert windows == -(-size // stride)
    needed = max((windows - 1) * stride + kernel - size, 0)
    assert (before, after) == (needed // 2, needed - needed // 2)


axes = st.tuples(st.integers(1, 12), st.integers(1, 6), st.integers(1, 5), st.booleans()).filter(
    lambda axis: axis[3] or axis[1] <= axis[0]
)


@given(axes)
def test_windows_that_reach_a_position_are_those_that_contain_it(axis):
    size, kernel, stride, same = axis
    starts = window_starts(size, kernel, stride, same)
    for position in range(size):
        contain = [window for window, start in enumerate(starts) if start <= position < start + kernel]
        assert list(reached_windows(starts, kernel, position)) == contain


@pytest.mark.parametrize(("size", "kernel", "stride"), [(1, 1, 1), (9, 2, 2), (9, 3, 4), (8, 8, 3), (28, 5, 1)])
def test_windows_without_padding_are_all_those_that_fit(size, kernel, stride):
    expected = [start for start in range(0, size, stride) if start + kernel <= size]
    assert list(window_starts(size, kernel, stride)) == expected


@pytest.mark.parametrize("kernel", [0, -1, 9])
def test_kernel_that_does_not_fit(kernel):
    with pytest.raises(ValueError, match=f"^kernel {kernel} does not fit into an axis of length 8$"):
        window_starts(8, kernel, 1)


@pytest.mark.parametrize("stride", [0, -2])
def test_stride_below_one(stride):
    with pytest.raises(ValueError, match=f"^stride must be at least 1. Received: stride={stride}$"):
        window_starts(8, 2, stride)


@pytest.mark.parametrize("module", ["spiking_utils", "spiking.network"])
def test_needs_nothing_of_the_project_but_itself(module):
    others = {"keras", "tensorflow", "tqdm", "matplotlib", "experiment", "LeNet", "figs"}
    code = f"import sys, {module}; print(sorted({others} & set(sys.modules)))"
    assert subprocess.check_output([sys.executable, "-c", code], cwd=ROOT, text=True) == "[]\n"
