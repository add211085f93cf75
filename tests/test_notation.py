"""The notation of a network: read, written, and refused by name."""

import pytest
from hypothesis import given

from spiking.notation import check_layers, parse, write
from tests.networks import LENET, graphs, small_chains


def test_suffixes_in_any_order():
    for suffixes in ("ps2x3m1.5", "m1.5ps2x3", "s2x3m1.5p"):
        (block,) = parse(f"9x9x1-4C5x2{suffixes}-3").blocks
        (edge,) = block.inputs
        assert (edge.kernel_size, edge.stride, block.max_value) == ((5, 2), (2, 3), 1.5)
        assert edge.padding == ((2, 2), (0, -1))  # the last column is in no window
        assert block.output_shape == (5, 3, 4)  # ceil(9 / 2), ceil(9 / 3)


def test_learned_pooling_keeps_the_channels_and_strides_by_its_kernel():
    (pooled,), (strided,) = (block.inputs for block in parse("8x9x3-P2x3-P2s1-3").blocks)
    assert (pooled.kernel_shape, pooled.stride, pooled.output_shape) == ((2, 3, 3, 3), (2, 3), (4, 3, 3))
    assert (strided.stride, strided.output_shape) == ((1, 1), (3, 2, 3))


def test_windows_may_begin_anywhere():
    (edge,) = parse("5x6x1-2C3p(1,0,-1,2)s2x1-3").blocks[0].inputs
    assert (list(edge.rows), list(edge.columns)) == ([-1, 1], [1, 2, 3, 4, 5])
    assert edge.padding == ((1, -1), (-1, 2))  # the last row is in no window


@given(graphs() | small_chains())
def test_every_network_is_read_back_from_its_notation(network):
    notation = write(network.blocks, network.classifier)
    assert parse(notation) == network
    assert write(*(getattr(parse(notation), part) for part in ("blocks", "classifier"))) == notation


@pytest.mark.parametrize("notation", ["28x28x1-20C5-P2-50C5-P2-500-10", "9x9x1-16C3ps2x1m1.5b-M2-16C3pg2+I-10@1+10b"])
def test_notation_of_a_parsed_network_is_what_it_was_parsed_from(notation):
    network = parse(notation)
    assert write(network.blocks, network.classifier) == network.notation == notation


def test_notation_without_its_ends():
    assert LENET.layer_notation == "20C5-P2-50C5-P2-500"


NO_CLASSES = "is no number of classes, expected an integer of at least 1"
TOO_MANY = "expected at least one of each, and that both numbers and a sign fit into 31 bits"


@pytest.mark.parametrize(
    ("notation", "error"),
    [
        ("28x28-5-10", "'28x28' is no input, expected rows x columns x channels such as 28x28x1"),
        ("28x28x1-5-x", f"'x' {NO_CLASSES}"),
        ("28x28x1-5-0", f"'0' {NO_CLASSES}"),
        ("28x28x1-5-10C3", f"'10C3' {NO_CLASSES}"),
        ("28x28x1-5-10m1", f"'10m1' {NO_CLASSES}"),
        ("28x28x1-5-10@3", r"classifier: reads layer 3, expected the image \(0\) or a layer before it"),
        ("28x28x1-10", "28x28x1-10 has no layer, expected at least one"),
        ("28x28x1", "28x28x1 has no layer, expected at least one"),
        ("0x8x1-5-10", f"0 x 8 positions of 1 channels, {TOO_MANY}"),
        ("8x8x1-5C9-10", r"layer 1 \(5C9\): kernel 9 does not fit into an axis of length 8"),
        ("8x8x1-5C9p(0,0,0,1)-10", r"layer 1 \(5C9p\(0,0,0,1\)\): kernel 9 does not fit into an axis of length 8"),
        ("8x8x1-5C3-7Q2-10", r"layer 2 \(7Q2\): not a layer, expected nCk, nCkxl, Pk, Mk, n or I, with suffixes"),
        ("8x8x1-C3-10", r"layer 1 \(C3\): not a layer"),
        ("8x8x1-5C3s0-10", r"layer 1 \(5C3s0\): stride must be at least 1"),
        ("8x8x1-5C3pp-10", r"layer 1 \(5C3pp\): has a suffix twice, expected each once"),
        ("8x8x1-5C3m1+5C3m1-10", r"layer 1 \(5C3m1\+5C3m1\): has a suffix twice"),
        ("8x8x1-5p-10", r"layer 1 \(5p\): has the suffix p, which such a layer cannot have"),
        ("8x8x1-4C3-Ig2-10", r"layer 2 \(Ig2\): has the suffix g2"),
        ("8x8x1-4C3-M2m1-10", r"layer 2 \(M2m1\): has the suffix m1"),
        ("8x8x1-0C3-10", r"layer 1 \(0C3\): 1 groups of 1 channels and 0 filters, expected at least one of each"),
        (
            "8x8x1-3C1-4C1g2-10",
            r"layer 2 \(4C1g2\): 2 groups of 3 channels and 4 filters",
        ),
        ("8x8x1-4C3-I@3-10", r"layer 2 \(I@3\): reads layer 3, expected the image \(0\) or a layer before it"),
        ("8x8x1-4C3-I@2-10", r"layer 2 \(I@2\): reads layer 2, expected the image \(0\) or a layer before it"),
        ("8x8x1-4C3+4C5-10", r"layer 1 \(4C3\+4C5\): adds \(4, 4, 4\) to \(6, 6, 4\), expected the same shape"),
        ("8x8x1-M2-10", r"layer 1 \(M2\): pools the image, expected a max pooling of spikes"),
        ("8x8x1-4C3-M1+I-10", r"layer 2 \(M1\+I\): adds a max pooling to something, expected it to be the only term"),
        *(
            (f"8x8x1-4C3-M2p({padding})-10", rf"layer 2 \(M2p\({padding}\)\): pools a window of nothing but padding")
            for padding in ("3,0,0,0", "2,0,0,0", "0,2,0,0", "0,0,2,0", "0,0,0,2")
        ),
        ("40000x30000x2-4C3-10", f"40000 x 30000 positions of 2 channels, {TOO_MANY}"),
    ],
)
def test_notation_that_cannot_be_read_is_named(notation, error):
    with pytest.raises(ValueError, match=f"^{error}"):
        parse(notation)


def test_layers_alone_are_read_on_any_input():
    check_layers("20C5-P2-M3p(0,-1,0,0)-7C1+I@1-500m1")
    with pytest.raises(ValueError, match=r"^layer 2 \(P\): not a layer, expected nCk"):
        check_layers("20C5-P")


@pytest.mark.parametrize(("digits", "shown"), [(99, "1" * 99 + "x"), (100, "1" * 100 + " ...")])
def test_message_shows_the_first_hundred_characters_of_a_layer(digits, shown):
    with pytest.raises(ValueError, match=rf"^layer 1 \({shown}\): not a layer, expected"):
        check_layers("1" * digits + "x")
