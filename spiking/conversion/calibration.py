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
        return np.maximum.reduce([seen for _, seen in node.edge.seen(tensors[node.edge.source])])
    total = np.asarray(node.part.offset, np.float32)
    for term in node.part.terms:
        sums = term.edge.convolve(tensors[term.source], term.kernel.astype(np.float32))
        total = total + sums * term.gain.astype(np.float32)
    return np.clip(total, 0, node.max_value)
