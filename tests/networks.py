"""Networks to test with: the paper's, random ones, and random weights on the grid for any of them."""

import numpy as np
from hypothesis import strategies as st

from spiking.edges import Convolution, Pooling
from spiking.network import Block, Classifier, Network
from spiking.notation import parse
from spiking.weight_grid import on_grid

LENET = parse("28x28x1-20C5-P2-50C5-P2-500-10")


def random_weights(network, seed):
    """Weights, by key, with which the neurons of a network fire a few spikes each."""
    rng = np.random.default_rng(seed)
    weights = {}
    for key, shape in network.weight_shapes.items():
        if key.endswith("/W"):
            values = rng.normal(0, 1 / np.sqrt(np.prod(shape[:-1])), shape)
        elif key.endswith("gamma"):
            values = rng.normal(1, 0.2, shape)
        elif key.endswith("moving_var"):
            values = rng.uniform(0.2, 1, shape)
        else:
            values = rng.normal(0, 0.3, shape)
        weights[key] = values.astype(np.float32)
    return on_grid(weights, network)[0]


def with_gammas(weights, draw_sign):
    """The weights with each array of gammas multiplied by what draw_sign returns for its shape."""
    return {
        key: (value * draw_sign(value.shape)).astype(np.float32) if key.endswith("gamma") else value
        for key, value in weights.items()
    }


@st.composite
def small_chains(draw):
    """Networks of two or three layers in a row, of any kind in the notation.

    Kernels, square or not, may be larger than what comes in where they are padded.
    """
    notation = "{}x{}x{}".format(*draw(st.tuples(st.integers(1, 9), st.integers(1, 9), st.integers(1, 3))))
    for _ in range(draw(st.integers(2, 3))):
        height, width, _ = parse(f"{notation}-1C1p-1").blocks[-1].output_shape
        notation += "-" + draw(layers(height, width))
    return parse(f"{notation}-{draw(st.integers(1, 4))}{draw(st.sampled_from(['', 'b']))}")


@st.composite
def layers(draw, height, width):
    """The notation of a layer that fits onto this many rows and columns."""
    bound = draw(st.sampled_from(["", "", "m1", "m0.75", "m2"]))
    kind = draw(st.sampled_from("CCCPn"))
    if kind == "n":
        return f"{draw(st.integers(1, 9))}{bound}"
    padded = draw(st.booleans())
    rows, columns = (draw(st.integers(1, 5 if padded else min(5, side))) for side in (height, width))
    kernel = f"{draw(st.integers(1, 9))}C{rows}x{columns}" if kind == "C" else f"P{rows}x{columns}"
    stride = draw(st.sampled_from(["", "s1", "s2", "s3", "s1x2", "s3x1", "s2x3"]))
    return kernel + "p" * padded + stride + bound


@st.composite
def graphs(draw):
    """Networks of two to five blocks that read the image and each other in any way.

    Sums of one to three inputs, groups, identities, max pooling, windows anywhere, initial potentials, bounds, and
    a classifier that reads what no block does, and perhaps more.
    """
    shapes = [draw(st.tuples(st.integers(1, 7), st.integers(1, 7), st.sampled_from([1, 2, 4])))]
    blocks = []
    for number in range(1, draw(st.integers(2, 5)) + 1):
        blocks.append(draw(block_of(str(number), shapes)))
        shapes.append(blocks[-1].output_shape)
    read = {edge.source for block in blocks for edge in block.inputs}
    unread = [number for number in range(1, len(shapes)) if number not in read]
    sources = unread + draw(st.lists(st.sampled_from(range(1, len(shapes))), max_size=2))
    classes = draw(st.integers(1, 4))
    whole = [whole_convolution(source, shapes[source], classes) for source in sources]
    return Network(tuple(blocks), Classifier(tuple(whole), draw(st.booleans())))


def whole_convolution(source, shape, filters):
    return Convolution(source, shape, shape[:2], range(1), range(1), filters)


@st.composite
def block_of(draw, name, shapes):
    """A block that reads some of the sources of these shapes; the first decides its positions."""
    source = draw(st.integers(0, len(shapes) - 1))
    windows = draw(windows_on(shapes[source]))
    pooling = Pooling(source, shapes[source], *windows)
    if source > 0 and not pooling.has_empty_window and draw(st.integers(0, 2)) == 0:
        return Block(name, (pooling,))
    filters = draw(st.sampled_from([1, 2, 3, 4, 8, 12]))
    size = len(windows[1]), len(windows[2])
    inputs = [draw(convolution(source, shapes[source], windows, filters))]
    for _ in range(draw(st.integers(0, 2))):
        other = draw(st.integers(0, len(shapes) - 1))
        if shapes[other] == (*size, filters) and draw(st.booleans()):
            ones = range(shapes[other][0]), range(shapes[other][1])
            inputs.append(Convolution(other, shapes[other], (1, 1), *ones, filters, filters, identity=True))
        else:
            inputs.append(draw(convolution(other, shapes[other], draw(windows_on(shapes[other], size)), filters)))
    inputs = draw(st.permutations(inputs))
    return Block(name, tuple(inputs), draw(st.sampled_from([None, None, 1.0, 0.75])), draw(st.booleans()))


@st.composite
def windows_on(draw, shape, size=None):
    """The kernel size and where the windows of rows and of columns begin, somewhere on or around a source.

    There are as many as `size` says, if it does.
    """
    kernel, starts = [], []
    for axis in (0, 1):
        kernel.append(draw(st.integers(1, 4)))
        step = draw(st.integers(1, 3))
        windows = draw(st.integers(1, 5)) if size is None else size[axis]
        first = draw(st.integers(-2, shape[axis] - 1))
        starts.append(range(first, first + windows * step, step))
    return tuple(kernel), *starts


@st.composite
def convolution(draw, source, shape, windows, filters):
    divisors = [groups for groups in range(1, shape[2] + 1) if shape[2] % groups == 0 and filters % groups == 0]
    return Convolution(source, shape, *windows, filters, draw(st.sampled_from(divisors)))
