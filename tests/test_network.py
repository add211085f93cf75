"""The description of the network: everything derived from it, against the tables of the paper."""

import subprocess
import sys

import numpy as np
import pytest

from spiking.network import LENET, chain, window_count
from tests.helpers import ROOT

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
    assert [block.stride for block in LENET.blocks] == [1, 2, 1, 2, 1]


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
    network = chain((7, 10, 2), [((2, 3), 2, 4), ((3, 1), 1, 5)], classes=6)
    first, second = network.blocks
    assert first.output_shape == (3, 4, 4)  # (7 - 2) // 2 + 1, (10 - 3) // 2 + 1
    assert first.kernel_shape == (2, 3, 2, 4)
    assert first.multiply_accumulates == 2 * 3 * 2 * (3 * 4 * 4)
    assert second.input_shape == (3, 4, 4)
    assert second.output_shape == (1, 4, 5)
    assert network.weight_shapes["fc/W"] == (1 * 4 * 5, 6)
    assert network.ann_operations == 3 * (3 * 1 * 4 * (1 * 4 * 5) + 20 * 6)


@pytest.mark.parametrize("block", [*LENET.blocks, *chain((7, 10, 2), [((2, 3), 2, 4), ((3, 1), 3, 5)], 6).blocks])
def test_fan_out_is_the_number_of_weights_that_a_spike_meets(block):
    met = np.zeros(block.input_shape[:2], int)
    height, width, filters = block.output_shape
    for row, column in np.ndindex(height, width):
        top, left = block.stride * row, block.stride * column
        met[top : top + block.kernel_size[0], left : left + block.kernel_size[1]] += filters
    np.testing.assert_array_equal(block.fan_out, met)


@pytest.mark.parametrize(("size", "kernel", "stride"), [(1, 1, 1), (9, 2, 2), (9, 3, 4), (8, 8, 3), (28, 5, 1)])
def test_window_count_is_the_number_of_starts_that_fit(size, kernel, stride):
    assert window_count(size, kernel, stride) == sum(start + kernel <= size for start in range(0, size, stride))


@pytest.mark.parametrize("kernel", [0, -1, 9])
def test_kernel_that_does_not_fit(kernel):
    with pytest.raises(ValueError, match=f"^kernel {kernel} does not fit into an axis of length 8$"):
        window_count(8, kernel, 1)


@pytest.mark.parametrize("stride", [0, -2])
def test_stride_below_one(stride):
    with pytest.raises(ValueError, match=f"^stride must be at least 1. Received: stride={stride}$"):
        window_count(8, 2, stride)


@pytest.mark.parametrize("module", ["spiking.network", "experiment.images"])
def test_needs_no_tensorflow(module):
    code = f"import sys, {module}; print(sorted({{'keras', 'tensorflow'}} & set(sys.modules)))"
    assert subprocess.check_output([sys.executable, "-c", code], cwd=ROOT, text=True) == "[]\n"
