"""Turns the nodes of a finished Graph into a Network and its weights.

With a scale alpha for each source, an activation is alpha * count / S: kernels that read the source are multiplied
by its alpha, and the gamma and beta of a block are divided by the block's own.
"""

from dataclasses import replace

import numpy as np

from spiking.conversion.nodes import Pooled
from spiking.edges import Convolution
from spiking.network import BN_EPSILON, PIXEL_LEVELS, Block, Classifier, Network
from spiking.notation import write


def assemble(graph, scales=None):
    """Returns the Network of a finished Graph and its float64 weights by key, not yet rounded to the grid.

    Parameters
    ----------
    graph : Graph
    scales : list of float or None
        One for each node, where a pooling has that of its source; None stands for 1 everywhere.
    """
    scales = [PIXEL_LEVELS, *(scales or [1.0] * len(graph.nodes))]
    blocks, weights = [], {}
    for number, node in enumerate(graph.nodes, start=1):
        if isinstance(node, Pooled):
            blocks.append(Block(str(number), (node.edge,)))
            continue
        edges, kernels, gain, offset, initial = _block(node.part, scales)
        bound = None if node.max_value is None else node.max_value / scales[number]
        block = Block(str(number), edges, bound, initial is not None)
        blocks.append(block)
        weights |= {key: kernel for key, kernel in zip(block.kernel_keys, kernels) if key}
        if block.initial:
            weights[block.offset_key] = initial
        weights |= {
            f"bn{number}/gamma": gain / scales[number],
            f"bn{number}/beta": offset / scales[number],
            f"bn{number}/moving_mean": np.zeros_like(gain),
            f"bn{number}/moving_var": np.full_like(gain, 1 - BN_EPSILON),  # sigma is 1
        }
    classifier, classifier_weights = _classifier(graph.output, scales)
    network = Network(tuple(blocks), classifier, write(tuple(blocks), classifier))
    return network, weights | classifier_weights


def _block(part, scales):
    """Returns the edges of a Part, their kernels, their common gain, the offset and the initial potentials."""
    gains = [term.gain * scales[term.source] for term in part.terms]
    largest = [np.abs(term.kernel).max(axis=(0, 1, 2)) * np.abs(gain) for term, gain in zip(part.terms, gains)]
    # the common gain leaves an identity an identity; without one, each filter's largest kernel stays as it is
    common = next((gain for term, gain in zip(part.terms, gains) if term.is_identity), None)
    if common is None:
        common = np.stack(gains)[np.argmax(largest, axis=0), np.arange(len(gains[0]))]
    common = np.where(common == 0, 1.0, common)
    edges, kernels = [], []
    for term, gain in zip(part.terms, gains):
        ratio = gain / common
        kernels.append(term.kernel if np.all(ratio == 1) else term.kernel * ratio)
        same = term.is_identity and np.all(ratio == 1)
        edges.append(replace(term.edge, identity=bool(same)))
    offset, initial = part.offset, None
    if offset.ndim == 3:
        inside = offset[offset.shape[0] // 2, offset.shape[1] // 2]
        offset, initial = inside, (offset - inside) / common
    return tuple(edges), kernels, common, offset, initial


def _classifier(scores, scales):
    """Returns the Classifier for a vector of scores, and its arrays by key."""
    classes = max(scores.shape)
    matrices, bias = {}, np.zeros(classes)
    for part, places in zip(scores.parts, scores.indices()):
        for term in part.terms:
            matrix = matrices.setdefault((term.source, term.shape), np.zeros((np.prod(term.shape), classes)))
            matrix[:, places.reshape(-1)] += term.matrix() * scales[term.source]
        bias[places] = part.offset
    edges = [Convolution(source, shape, shape[:2], range(1), range(1), classes) for source, shape in matrices]
    classifier = Classifier(tuple(edges), bool(np.any(bias)))
    weights = dict(zip(classifier.kernel_keys, matrices.values()))
    return classifier, weights | ({classifier.offset_key: bias} if classifier.bias else {})
