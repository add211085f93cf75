"""The integers of SpikingNetwork.integer_arrays: enough, alone and in plain NumPy, to run the network."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_array_equal

from spiking_utils import SpikingNetwork
from tests.networks import LENET, random_weights, small_chains, with_gammas


def simulate(arrays, pixels, time_steps):
    """Each block's spikes, (images, time steps, h, w, out), and the potentials, (images, time steps, classes)."""
    blocks = range(1, 1 + sum(key.endswith("/thresholds") for key in arrays))
    most = arrays["max_spikes"]
    potentials, counts = dict.fromkeys(blocks, 0), dict.fromkeys(blocks, 0)
    trains, outputs = {block: [] for block in blocks}, [arrays["fc/bias"].astype(np.int64)]
    for t in range(time_steps):
        x = pixels.astype(np.int64) * (t == 0)
        for block in blocks:
            potentials[block] = potentials[block] + convolve(x, arrays, block)
            thresholds = arrays[f"conv{block}/thresholds"]
            m = (potentials[block][..., None] >= thresholds[:, 1:]).sum(axis=-1)
            x = np.clip(m - counts[block], -most if arrays["negative_spikes"] else 0, most)
            counts[block] = counts[block] + x
            trains[block].append(x)
        outputs.append(outputs[-1] + x.reshape(len(x), -1) @ arrays["fc/kernel"].astype(np.int64))
    return [np.stack(train, axis=1) for train in trains.values()], np.stack(outputs[1:], axis=1)


def convolve(x, arrays, block):
    kernel, stride = arrays[f"conv{block}/kernel"].astype(np.int64), arrays[f"conv{block}/stride"]
    padded = np.pad(x, [(0, 0), *arrays[f"conv{block}/padding"], (0, 0)])
    windows = np.lib.stride_tricks.sliding_window_view(padded, kernel.shape[:2], axis=(1, 2))
    return np.einsum("nyxihw,hwio->nyxo", windows[:, :: stride[0], :: stride[1]], kernel)


@settings(max_examples=40)
@given(
    small_chains(),
    st.integers(0, 3),
    st.integers(1, 8),
    st.sampled_from([1, 2, 5]),
    st.booleans(),
    st.integers(0, 2**32 - 1),
)
def test_network_runs_from_its_integers_alone(network, k, time_steps, max_spikes, negative_spikes, seed):
    rng = np.random.default_rng(seed)
    weights = with_gammas(random_weights(network, seed), lambda shape: rng.choice([-1, 0, 1], shape))
    pixels = rng.integers(0, 256, (2, *network.input_shape))
    spiking = SpikingNetwork(weights, network, k, time_steps, max_spikes, negative_spikes)
    activity = spiking.run(pixels)
    trains, potentials = simulate(spiking.integer_arrays(), pixels, time_steps)
    for ours, expected in zip(activity.trains, trains, strict=True):
        assert_array_equal(ours.to_dense(), expected)
    assert_array_equal(activity.potentials, potentials)


def test_integers_have_the_widths_and_shapes_of_the_readme():
    arrays = SpikingNetwork(random_weights(LENET, seed=0), LENET, k=1, time_steps=6).integer_arrays()
    for block in LENET.blocks:
        kernel, thresholds = arrays[f"conv{block.name}/kernel"], arrays[f"conv{block.name}/thresholds"]
        assert (kernel.dtype, kernel.shape) == (np.int16, block.kernel_shape)
        assert (thresholds.dtype, thresholds.shape) == (np.int32, (block.filters, 7))
        assert np.all(thresholds[:, 0] == -(2**31))
        assert arrays[f"conv{block.name}/stride"].tolist() == list(block.stride)
        assert arrays[f"conv{block.name}/padding"].tolist() == [[0, 0], [0, 0]]
    assert (arrays["fc/kernel"].dtype, arrays["fc/kernel"].shape) == (np.int16, (500, 10))
    assert (arrays["fc/bias"].dtype, arrays["fc/bias"].tolist()) == (np.int32, [0] * 10)
    numbers = [int(arrays[key]) for key in ("k", "pixel_levels", "max_spikes", "negative_spikes")]
    assert numbers == [1, 256, 1, 1]
    assert len(arrays) == 4 + 5 * 5 + 3


def test_unbounded_bursts_have_no_last_threshold():
    network = SpikingNetwork(random_weights(LENET, seed=0), LENET, k=0, time_steps=1, max_spikes=None)
    with pytest.raises(ValueError, match=r"^max_spikes has no bound, expected one"):
        network.integer_arrays()
