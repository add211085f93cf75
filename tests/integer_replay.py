"""The network of an exported file, run from its arrays alone: plain NumPy integers, and nothing of the project.

It reads the file, and simulates a time step, as docs/hardware.md says.
"""

from typing import NamedTuple

import numpy as np
from numpy.testing import assert_array_equal

ONE_TO_ONE = {"stride": (1, 1), "padding": ((0, 0), (0, 0)), "groups": 1, "factor": 1}  # as the classifier reads


class Recorded(NamedTuple):
    """What a layer does, as int64 arrays (images, time steps, h, w, c)."""

    rises: np.ndarray  # what is added to each potential in the step
    falls: np.ndarray  # what is taken from it
    potentials: np.ndarray  # after both
    spikes: np.ndarray  # 0 of the classifier


def replay(arrays, pixels, time_steps):
    """The Recorded of each layer, by its name in the file: conv1, pool2, ... and at last fc."""
    inputs = {}  # of each layer, which come in the order in which they are evaluated
    for name in (key.removesuffix("/source") for key in arrays if key.endswith("/source")):
        inputs.setdefault(name.partition("from")[0], []).append(Input(arrays, name))
    u = [arrays.get(f"{layer}/bias" if layer == "fc" else f"{layer}/initial", np.int64(0)) for layer in inputs]
    n, recorded = [0] * len(inputs), {layer: [] for layer in inputs}
    least, most = (-arrays["max_spikes"] if arrays["negative_spikes"] else 0), arrays["max_spikes"]
    for t in range(time_steps):
        spikes = [pixels.astype(np.int64) * (t == 0)]  # of the image, then of each layer
        for i, (layer, read) in enumerate(inputs.items()):
            if layer.startswith("pool"):
                change = read[0].largest(n[read[0].source - 1]) - u[i]
                rises, falls = np.maximum(change, 0), np.maximum(-change, 0)
            else:
                rises, falls = sum(each.added(spikes[each.source]) for each in read)
            u[i] = u[i] + rises - falls
            spikes.append(np.clip(target_count(arrays, layer, u[i]) - n[i], least, most))
            n[i] = n[i] + spikes[-1]
            recorded[layer].append(Recorded(rises, falls, u[i], spikes[-1]))
    return {layer: Recorded(*(np.stack(steps, axis=1) for steps in zip(*rows))) for layer, rows in recorded.items()}


def target_count(arrays, layer, u):
    """m: the count that u justifies; of a max pooling u itself, of the classifier, which fires nothing, 0."""
    if layer == "fc":
        return np.zeros_like(u)
    thresholds = arrays.get(f"{layer}/thresholds")  # (filters, counts)
    return u if thresholds is None else (u[..., None] >= thresholds[:, 1:]).sum(axis=-1)


class Input:
    """One input of a layer."""

    def __init__(self, arrays, name):
        stored = ONE_TO_ONE | {
            key.rpartition("/")[2]: array for key, array in arrays.items() if key.rpartition("/")[0] == name
        }
        self.source, self.padding, self.stride = (stored[key] for key in ("source", "padding", "stride"))
        self.groups, self.factor = stored["groups"], stored["factor"]
        self.kernel, self.size = stored.get("kernel"), stored.get("size")
        self.flat = self.size is None and self.kernel.ndim == 2  # the classifier, over rows, columns and channels
        if self.size is None:
            self.kernel = self.kernel.astype(np.int64)[(None, None) if self.flat else ...]
            self.size = self.kernel.shape[:2]

    def windows(self, x):
        """What each place of the windows sees of (images, h, w, c): row, column, (images, windows', windows', c)."""
        around = [[max(int(zeros), 0) for zeros in pair] for pair in self.padding]
        (top, bottom), (left, right) = ([max(-int(zeros), 0) for zeros in pair] for pair in self.padding)
        x = np.pad(x, [(0, 0), *around, (0, 0)])
        x = x[:, top : x.shape[1] - bottom, left : x.shape[2] - right]
        height, width = ((x.shape[i + 1] - self.size[i]) // self.stride[i] + 1 for i in (0, 1))
        for row, column in np.ndindex(*self.size):
            yield row, column, x[:, row:, column:][:, :: self.stride[0], :: self.stride[1]][:, :height, :width]

    def largest(self, counts):
        """The largest count in each window; zeros around are never larger."""
        return np.max([seen for _, _, seen in self.windows(counts)], axis=0)

    def added(self, spikes):
        """What spikes add to potentials and what they subtract: products of equal and of opposite signs."""
        if self.flat:
            spikes = spikes.reshape(len(spikes), 1, 1, -1)
        total = 0
        for row, column, seen in self.windows(spikes * self.factor):
            weights = np.split(self.kernel[row, column], self.groups, axis=-1)
            channels = np.split(seen, self.groups, axis=-1)
            total = total + np.concatenate([rises_and_falls(*each) for each in zip(channels, weights)], axis=-1)
        return total


def rises_and_falls(spikes, weights):
    """(2, images, h, w, filters), of spikes (images, h, w, channels) with weights (channels, filters)."""
    positive, negative = np.maximum(spikes, 0), np.maximum(-spikes, 0)
    excite, inhibit = np.maximum(weights, 0), np.maximum(-weights, 0)
    return np.stack([positive @ excite + negative @ inhibit, positive @ inhibit + negative @ excite])


def assert_replayed(golden, arrays):
    """Asserts that a golden file is what the exported network does with its images; returns the replay."""
    recorded = replay(arrays, golden["pixels"], golden["prediction"].shape[1])
    for number, layer in enumerate(recorded.values(), start=1):
        if number < len(recorded):
            assert golden[f"block{number}/potential"].dtype == np.int32
            assert golden[f"block{number}/spikes"].dtype == np.int8
            assert_array_equal(golden[f"block{number}/potential"], layer.potentials)
            assert_array_equal(golden[f"block{number}/spikes"], layer.spikes)
    outputs = recorded["fc"].potentials[:, :, 0, 0]
    assert golden["fc/potential"].dtype == np.int32
    assert_array_equal(golden["fc/potential"], outputs)
    assert_array_equal(golden["prediction"], outputs.argmax(axis=2))
    return recorded


def assert_measured(rows, recorded):
    """Asserts that the table of --sizes is what a replay records."""
    for row, layer in zip(rows, recorded.values(), strict=True):
        after, rises, falls = layer.potentials, layer.rises, layer.falls
        before = after - rises + falls
        both = np.stack([before, after])
        assert (row["lowest_potential"], row["highest_potential"]) == (both.min(), both.max())
        partial = min((before - falls).min(), 0), max((before + rises).max(), 0)
        assert (row["lowest_partial_sum"], row["highest_partial_sum"]) == partial
        assert row["accumulator_bits"] == bits(*partial)
        if row["name"] != "classifier":
            most = abs(layer.spikes).sum(axis=(2, 3, 4)).max(axis=1)  # of each image
            assert row["most_spikes_in_a_step"] == most.max()
            assert row["most_spikes_in_a_step_on_average"] == most.mean()
            assert row["largest_count"] == layer.spikes.cumsum(axis=1).max()


def bits(lowest, highest):
    """The fewest bits of two's complement that hold both."""
    return next(n for n in range(1, 65) if -(2 ** (n - 1)) <= lowest and highest < 2 ** (n - 1))
