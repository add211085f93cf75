"""The description of the network: everything derived from it, against the tables of the paper."""

import math
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import assume, example, given
from hypothesis import strategies as st

from spiking.edges import Convolution, Pooling, reached_windows, same_padding, window_ranges, window_starts
from spiking.network import Block, Classifier, Network
from spiking.notation import parse
from tests import reference
from tests.networks import LENET, graphs

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
    (edges,) = zip(*(block.inputs for block in LENET.blocks), strict=True)
    sizes = [(edge.kernel_shape, block.output_shape, block.neurons) for edge, block in zip(edges, LENET.blocks)]
    assert sizes == TABLE
    assert [edge.stride for edge in edges] == [(1, 1), (2, 2), (1, 1), (2, 2), (1, 1)]
    assert [edge.source for edge in edges] == [0, 1, 2, 3, 4]


def test_whole_network():
    assert LENET.input_shape == (28, 28, 1)
    assert LENET.neurons == 18_900
    assert (LENET.weight_shapes["fc/W"], LENET.classifier.classes) == ((500, 10), 10)
    assert LENET.ann_operations == 3 * LENET.counted_multiply_accumulates == 7_186_200


def test_multiply_accumulates_are_kernel_size_times_neurons():
    expected = [5 * 5 * 1 * 11_520, 2 * 2 * 20 * 2_880, 5 * 5 * 20 * 3_200, 2 * 2 * 50 * 800, 4 * 4 * 50 * 500]
    assert [block.multiply_accumulates for block in LENET.blocks] == expected


def test_multiply_accumulates_of_groups_pooling_and_identity():
    network = parse("4x4x1-8C1-8C3pg8-M2-6C1g2-6C1+I-2")
    depthwise, pooling, groups, sum_of_two = network.blocks[1:]
    in_windows = 4 * 4 + 8 * 6 + 4 * 9  # of a 3 x 3 kernel: corners, edges and inner positions of 4 x 4
    assert depthwise.multiply_accumulates == 8 * in_windows
    assert pooling.multiply_accumulates == 0
    assert groups.multiply_accumulates == 2 * 2 * 6 * 4
    assert sum_of_two.multiply_accumulates == 2 * 2 * 6 * 6  # the identity multiplies nothing


def test_weight_shapes_in_the_order_of_the_network():
    expected = {}
    for number, (kernel_shape, output_shape, _) in enumerate(TABLE, start=1):
        expected[f"conv{number}/W"] = kernel_shape
        for parameter in ("beta", "gamma", "moving_mean", "moving_var"):
            expected[f"bn{number}/{parameter}"] = (output_shape[2],)
    expected["fc/W"] = (500, 10)
    assert list(LENET.weight_shapes.items()) == list(expected.items())


def test_weight_keys_of_a_graph_name_the_sources_of_further_inputs():
    network = parse("6x6x2-4C3p-4C3pg2+4C1@0b+4C3p@0+4C1p@0-M2-4C2s2@1+I-3@4+3b")
    shapes = {key: shape for key, shape in network.weight_shapes.items() if not key.startswith("bn")}
    assert shapes == {
        "conv1/W": (3, 3, 2, 4),
        "conv2/W": (3, 3, 2, 4),
        "conv2from0/W": (1, 1, 2, 4),
        "conv2from0.2/W": (3, 3, 2, 4),
        "conv2from0.3/W": (1, 1, 2, 4),
        "conv2/initial": (6, 6, 4),
        "conv4/W": (2, 2, 4, 4),  # the identity has no weights, the pooling nothing at all
        "fc/W": (3 * 3 * 4, 3),
        "fcfrom4/W": (3 * 3 * 4, 3),
        "fc/b": (3,),
    }
    assert "bn3/beta" not in network.weight_shapes


def test_non_square_kernels_and_images():
    network = parse("7x10x2-4C2x3s2-5C3x1-6")
    first, second = network.blocks
    assert first.output_shape == (3, 4, 4)  # (7 - 2) // 2 + 1, (10 - 3) // 2 + 1
    assert first.inputs[0].kernel_shape == (2, 3, 2, 4)
    assert first.multiply_accumulates == 2 * 3 * 2 * (3 * 4 * 4)
    assert second.inputs[0].input_shape == (3, 4, 4)
    assert second.output_shape == (1, 4, 5)
    assert network.weight_shapes["fc/W"] == (1 * 4 * 5, 6)
    assert network.ann_operations == 3 * (3 * 1 * 4 * (1 * 4 * 5) + 20 * 6)


def test_terms_of_a_layer_read_the_layer_that_they_name():
    network = parse("28x28x1-16C3p-16C3p-16C3p+I@1-32C3ps2-32C3p+32C1s2@3-M3s2p-10")
    assert [block.sources for block in network.blocks] == [(0,), (1,), (2, 1), (3,), (4, 3), (5,)]
    shortcut, projection = network.blocks[2].inputs[1], network.blocks[4].inputs[1]
    assert shortcut.identity
    assert shortcut.groups == 16
    assert (projection.kernel_size, projection.stride, projection.filters) == ((1, 1), (2, 2), 32)
    assert isinstance(network.blocks[5].inputs[0], Pooling)
    assert network.blocks[5].output_shape == (7, 7, 32)
    assert [type(edge) for edge in network.readers(3)] == [Convolution, Convolution]
    # of two readers with stride 2, 3 x 3 windows from the corner on, padded after it, and 1 x 1 windows: the corner
    # is in one of either, its neighbour in one 3 x 3 window, and (2, 2), where four of these meet, in all of them
    fan_out = network.fan_out(3)
    assert (fan_out.shape, fan_out.dtype) == ((28, 28), np.int64)
    assert [fan_out[at] for at in [(0, 0), (0, 1), (2, 2)]] == [32 + 32, 32, 4 * 32 + 32]
    np.testing.assert_array_equal(network.fan_out(6), np.full((7, 7), 10))


def test_window_of_the_size_of_a_source_is_the_whole_only_where_it_begins_at_its_corner():
    convolutions = (
        Convolution(1, (2, 3, 1), size, rows, columns, 4)
        for size in [(2, 3), (1, 3)]
        for rows, columns in [(range(1), range(1)), (range(-1, 0), range(1)), (range(1), range(2))]
    )
    assert [edge.whole_input for edge in convolutions] == [True] + 5 * [False]


def test_network_whose_edges_do_not_fit_their_sources_is_refused():
    (first,), fitting = parse("6x6x1-4C3-3").blocks, parse("6x6x1-4C3-3").classifier
    with pytest.raises(ValueError, match=r"^classifier: reads \(6, 6, 4\) from layer 1, expected \(4, 4, 4\)$"):
        Network((first,), parse("8x8x1-4C3-3").classifier)
    for wrong, found in [
        (
            Classifier((Convolution(0, (6, 6, 1), (6, 6), range(1), range(1), 3),)),
            "layer 1: is read by no later",
        ),
        (
            Classifier((*fitting.inputs, Convolution(0, (6, 6, 1), (6, 6), range(1), range(1), 3))),
            "^classifier: reads the image or a part of a layer, expected whole layers$",
        ),
        (
            Classifier((Convolution(1, (4, 4, 4), (3, 4), range(1), range(1), 3),)),
            "^classifier: reads the image or a part of a layer, expected whole layers$",
        ),
        *(
            (
                Classifier((*fitting.inputs, Convolution(source, (4, 4, 4), (4, 4), range(1), range(1), 3))),
                rf"^classifier: reads layer {source}, expected the image \(0\) or a layer before it$",
            )
            for source in (-1, 2)
        ),
    ]:
        with pytest.raises(ValueError, match=found):
            Network((first,), wrong)
    for block, found in [
        (replace(first, name="2"), "layer 1: is called 2, expected its number, 1"),
        (replace(first, max_value=0.0), "layer 1: has activations of at most 0.0, expected a number above 0"),
        (replace(first, max_value=math.inf), "layer 1: has activations of at most inf"),
    ]:
        with pytest.raises(ValueError, match=found):
            Network((block,), fitting)
    strided = Convolution(1, (4, 4, 4), (1, 1), range(0, 4, 2), range(0, 4, 2), 4, 4, identity=True)
    with pytest.raises(ValueError, match=r"^layer 2: has an identity of other windows or filters"):
        Network((first, Block("2", (strided,))), parse("2x2x4-4C1-3").classifier)
    with pytest.raises(ValueError, match=r"^found no layer, expected at least one$"):
        Network((), fitting)


def test_bias_of_the_classifier_is_one_more_array():
    assert list(parse("4x4x1-2-3b").weight_shapes)[-2:] == ["fc/W", "fc/b"]
    assert parse("4x4x1-2-3b").weight_shapes["fc/b"] == (3,)
    assert "fc/b" not in parse("4x4x1-2-3").weight_shapes


def test_positions_and_channels_share_the_bits_of_an_event():
    assert parse("224x224x3-64C7ps2-M3s2p-10").neurons == 112 * 112 * 64 + 56 * 56 * 64
    parse("32768x32768x1-1C32768-1")
    with pytest.raises(ValueError, match=r"^32768 x 32769 positions of 1 channels, expected"):
        parse("32768x32769x1-1C32768-1")


@given(graphs())
def test_fan_out_is_the_number_of_weights_that_a_spike_meets(network):
    for edge in (edge for block in network.blocks for edge in block.inputs):
        met = np.zeros(edge.input_shape[:2], int)
        for row, column in np.ndindex(*edge.input_shape[:2]):
            above = [start for start in edge.rows if start <= row < start + edge.kernel_size[0]]
            before = [start for start in edge.columns if start <= column < start + edge.kernel_size[1]]
            of_window = 1 if isinstance(edge, Pooling) else edge.filters // edge.groups
            met[row, column] = len(above) * len(before) * of_window
        np.testing.assert_array_equal(edge.fan_out, met)


@example(parse("4x4x2-2C4x4g2-1"), 0)  # in groups, over the whole image
@given(graphs(), st.integers(0, 2**32 - 1))
def test_dense_arrays_are_seen_and_convolved_as_the_equations_say(network, seed):
    rng = np.random.default_rng(seed)
    for edge in (edge for block in network.blocks for edge in block.inputs):
        x = rng.integers(0, 9, (2, *edge.input_shape)).astype(float)
        if isinstance(edge, Pooling):
            found, expected = np.max([seen for _, seen in edge.seen(x)], axis=0), reference.largest(x, edge)
        else:
            kernel = rng.integers(-9, 9, edge.kernel_shape)
            found, expected = edge.convolve(x, kernel), reference.convolve(x, kernel, edge)
        np.testing.assert_array_equal(found, expected)


@given(st.integers(1, 12), st.integers(1, 6), st.integers(1, 5))
def test_padding_is_placed_as_keras_places_it(size, kernel, stride):
    """As tf.nn.convolution documents "SAME": ceil(size / stride) windows, the odd zero at the end."""
    (edge,) = parse(f"{size}x1x1-1C{kernel}x1ps{stride}x1-1").blocks[0].inputs
    before, after = edge.padding[0]
    windows = edge.output_shape[0]
    assert windows == -(-size // stride)
    needed = max((windows - 1) * stride + kernel - size, 0)
    assert (before, max(after, 0)) == (needed // 2, needed - needed // 2)


@given(st.integers(1, 12), st.integers(1, 6), st.integers(1, 5), st.booleans())
def test_windows_that_reach_a_position_are_those_that_contain_it(size, kernel, stride, same):
    assume(same or kernel <= size)
    starts = window_starts(size, kernel, stride, *(same_padding(size, kernel, stride) if same else ()))
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


def test_kernel_is_compared_with_the_axis_and_the_zeros_on_both_of_its_sides():
    assert list(window_starts(8, kernel=11, stride=1, before=1, after=2)) == [-1]
    with pytest.raises(ValueError, match=r"^kernel 12 does not fit into an axis of length 11$"):
        window_starts(8, kernel=12, stride=1, before=1, after=2)


@pytest.mark.parametrize("padding", ["valid", "same"])
@pytest.mark.parametrize("stride", [0, -2])
def test_stride_below_one(stride, padding):
    with pytest.raises(ValueError, match=f"^stride must be at least 1. Received: stride={stride}$"):
        window_ranges((8, 8), (2, 2), (1, stride), padding)


@pytest.mark.parametrize("module", ["spiking_utils", "spiking.network", "spiking.notation", "spiking.conversion"])
def test_needs_nothing_of_the_project_but_itself(module):
    others = {"keras", "tensorflow", "tqdm", "matplotlib", "experiment", "LeNet", "figs"}
    code = f"import sys, {module}; print(sorted({others} & set(sys.modules)))"
    assert subprocess.check_output([sys.executable, "-c", code], cwd=ROOT, text=True) == "[]\n"
