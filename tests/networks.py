"""Networks to test with: the paper's, random ones, and random weights on the grid for any of them."""

import numpy as np
from hypothesis import strategies as st

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
    """The weights with each gamma multiplied by what draw_sign gives for its shape."""
    return {
        key: (value * draw_sign(value.shape)).astype(np.float32) if key.endswith("gamma") else value
        for key, value in weights.items()
    }


@st.composite
def small_networks(draw):
    """Networks of two or three layers of any kind in the notation.

    Kernels, square or not, may be larger than what comes in where they are padded.
    """
    notation = "{}x{}x{}".format(*draw(st.tuples(st.integers(1, 9), st.integers(1, 9), st.integers(1, 3))))
    for _ in range(draw(st.integers(2, 3))):
        height, width, _ = parse(f"{notation}-1C1p-1").blocks[-1].output_shape
        notation += "-" + draw(layers(height, width))
    return parse(f"{notation}-{draw(st.integers(1, 4))}{draw(st.sampled_from(['', 'b']))}")


@st.composite
def layers(draw, height, width):
    """The notation of a layer that fits onto so many rows and columns."""
    bound = draw(st.sampled_from(["", "", "m1", "m0.75", "m2"]))
    kind = draw(st.sampled_from("CCCPn"))
    if kind == "n":
        return f"{draw(st.integers(1, 9))}{bound}"
    padded = draw(st.booleans())
    rows, columns = (draw(st.integers(1, 5 if padded else min(5, side))) for side in (height, width))
    kernel = f"{draw(st.integers(1, 9))}C{rows}x{columns}" if kind == "C" else f"P{rows}x{columns}"
    stride = draw(st.sampled_from(["", "s1", "s2", "s3", "s1x2", "s3x1", "s2x3"]))
    return kernel + "p" * padded + stride + bound
