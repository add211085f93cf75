"""Derives the scale of each block's activations from training images, for models trained without quantisers.

With a scale of alpha, 2^k counts of the block stand for an activation of alpha. The scale is folded into the
thresholds and into the kernels that read the block, so it costs nothing at run time.
"""

import numpy as np

from spiking.conversion.nodes import Pooled

QUANTILE = 0.99  # this quantile of a block's positive activations is its scale; docs/performance.md compares others
NUMBERS_AT_ONCE = 1 << 26  # float32 activations held in memory at a time


class Observation:
    """Statistics of a node's activations, of which there are at most `most`."""

    def __init__(self, most, quantile):
        self.positive = 0  # how many are above 0
        self.clipped = 0  # how many of these reach max_value
        self.top = np.zeros(0, np.float32)  # the largest ones, as many as the quantile can require
        self.beyond = 1 - quantile  # share of the positive activations that lie above the scale
        self.kept = max(1, int(np.ceil(most * self.beyond)))

    def add(self, activations, max_value):
        values = activations[activations > 0]
        self.positive += values.size
        if max_value is not None:
            self.clipped += int(np.sum(values >= np.float32(max_value)))
        values = np.concatenate([self.top, values])
        self.top = np.partition(values, len(values) - self.kept)[-self.kept :] if len(values) > self.kept else values

    @property
    def scale(self):
        """The quantile, or 1 if no activation was positive."""
        if not self.positive:
            return 1.0
        rank = min(int(self.positive * self.beyond), len(self.top) - 1)
        return float(np.sort(self.top)[-1 - rank])


def observe(graph, pixels, quantile=QUANTILE):
    """Observes the activations, in float32 and without a quantiser, that images lead to.

    Parameters
    ----------
    graph : Graph, finished
    pixels : integer array (images, h, w, channels)
    quantile : float, from 0 to 1: which quantile of the positive activations is the scale

    Returns
    -------
    list of Observation, one for each node; None where a node shares the scale of another
    """
    neurons = [int(np.prod(node.shape)) for node in graph.nodes]
    observations = [
        None if node.scale_of else Observation(len(pixels) * size, quantile)
        for node, size in zip(graph.nodes, neurons)
    ]
    batch = max(1, NUMBERS_AT_ONCE // sum(neurons))
    for start in range(0, len(pixels), batch):
        tensors = [pixels[start : start + batch].astype(np.float32)]
        for node, observation in zip(graph.nodes, observations):
            tensors.append(_computed(node, tensors))
            if observation:
                observation.add(tensors[-1], node.max_value)
    return observations


def scales_of(graph, observations):
    """Returns the scale of each node."""
    scales = []
    for node, observation in zip(graph.nodes, observations):
        scales.append(observation.scale if observation else scales[node.scale_of - 1])
    return scales


def _computed(node, tensors):
    """Computes the activations of a node, float32 (images, h, w, channels), from those of all nodes before it."""
    if isinstance(node, Pooled):
        x = _padded(tensors[node.source], node.rows, node.columns, node.window)
        return np.maximum.reduce([window for _, window in _windows(x, node.rows, node.columns, node.window)])
    total = np.asarray(node.part.offset, np.float32)
    for term in node.part.terms:
        total = total + _convolved(tensors[term.source], term) * term.gain.astype(np.float32)
    return np.clip(total, 0, node.max_value)


def _convolved(x, term):
    kernel, filters = term.kernel.astype(np.float32), term.kernel.shape[3]
    x = _padded(x, term.rows, term.columns, term.window)
    shape = (len(x), *term.output_shape)
    if shape[1:3] == (1, 1) and term.groups == 1:
        return (x.reshape(len(x), -1) @ kernel.reshape(-1, filters)).reshape(shape)
    result = np.zeros(shape, np.float32)
    for (row, column), window in _windows(x, term.rows, term.columns, term.window):
        weights = kernel[row, column]
        if term.by_channel:
            result += window * weights[0]
        elif term.groups == 1:
            result += (np.ascontiguousarray(window).reshape(-1, x.shape[3]) @ weights).reshape(shape)
        else:
            grouped = window.reshape(*window.shape[:3], term.groups, -1)
            by_groups = weights.reshape(weights.shape[0], term.groups, -1)
            result += np.einsum("nhwgi,igo->nhwgo", grouped, by_groups).reshape(shape)
    return result


def _padded(x, rows, columns, window):
    """Returns the part of x that the windows read, padded with zeros where they reach beyond x."""
    sizes = [starts[-1] + size - starts[0] for starts, size in zip((rows, columns), window)]
    result = np.zeros((len(x), *sizes, x.shape[3]), x.dtype)
    cuts = []
    for starts, size, length in zip((rows, columns), sizes, x.shape[1:3]):
        first, last = max(starts[0], 0), min(starts[0] + size, length)
        cuts.append((slice(first, last), slice(first - starts[0], last - starts[0])))
    (from_rows, to_rows), (from_columns, to_columns) = cuts
    result[:, to_rows, to_columns] = x[:, from_rows, from_columns]
    return result


def _windows(x, rows, columns, window):
    """Yields, for each (row, column) inside a window, what all windows read there."""
    for row, column in np.ndindex(*window):
        yield (row, column), x[:, row :: rows.step, column :: columns.step][:, : len(rows), : len(columns)]
