"""Converts your own network into what SpikingNetwork takes, and records what became of its layers."""

import warnings
from dataclasses import dataclass, replace
from os import PathLike
from pathlib import Path

import numpy as np

from spiking.conversion import calibration
from spiking.conversion.assembly import assemble
from spiking.network import MAX_LEVEL, PIXEL_LEVELS, Network, check_integer
from spiking.weight_grid import check_weights, on_grid

CLIPPED_SHARE = 0.5  # of a block's positive activations; a larger clipped share gives a warning


@dataclass(frozen=True)
class Converted:
    """A converted network: SpikingNetwork(converted.weights, converted.network, converted.k, time_steps=...)."""

    weights: dict  # float32 arrays on the weight grid, by the keys of network.weight_shapes
    network: Network
    k: int  # quantisation level
    layers: tuple  # for each block, the names of the layers folded into it, ending with its ReLU or pooling
    scales: tuple  # for each block, the activation that 2^k counts stand for
    rounding: float  # the largest change that rounding to the grid made to a weight
    quantized: bool  # whether the model has quantisers of its own
    warnings: tuple = ()  # sentences on what costs accuracy: blocks that never fire or are clipped, no calibration


def convert(model, k=None, calibration=None, scale=None, offset=0):
    """Converts a feed-forward network with one image input and one vector of scores.

    Parameters
    ----------
    model : keras.Sequential or functional keras.Model, or path of an ONNX file
        A Keras model takes pixels (h, w, channels), integers from 0 to 255.
    k : int or None
        Quantisation level, 0 to 16; needed only if the model has no MedianQuantizer layers.
    calibration : integer array (images, h, w, channels) or (images, h, w), or None
        Images of the training set. If no quantiser was trained, they make 2^k counts of a block stand for the 99 %
        quantile of its positive activations; without them, 2^k counts stand for 1.
    scale, offset : float, or sequence of one for each channel
        For an ONNX file: its network expects scale * pixel + offset, which the file does not say; e.g. scale=1 / 255.

    Returns
    -------
    Converted

    Raises
    ------
    ValueError
        Something in the model cannot be converted; the message has a line for each such layer that says what to use
        instead.
    OverflowError
        An offset is too large for the weight grid.
    """
    converted = convert_graph(_folded(model, scale, offset), k, calibration)
    for sentence in converted.warnings:
        warnings.warn(sentence, stacklevel=2)
    return converted


def _folded(model, scale, offset):
    """Returns the Graph of a Keras model or of an ONNX file."""
    if isinstance(model, (str, PathLike)):
        if Path(model).suffix != ".onnx":
            raise ValueError(f"found {model}, expected an ONNX file, my.onnx, or a Keras model, already loaded")
        from spiking.conversion import from_onnx

        if scale is None:
            raise ValueError(f"found no scale for {model}, expected one, such as scale=1 / 255")
        return from_onnx.fold(model, scale, offset)
    from spiking.conversion import from_keras

    if scale is not None or np.any(offset):
        raise ValueError("found a scale or an offset for a Keras model, expected a Rescaling layer in the model")
    return from_keras.fold(model)


def convert_graph(graph, k=None, pixels=None, quantile=calibration.QUANTILE):
    """Converts a finished Graph; the arguments are those of convert and calibration.observe."""
    level = level_of(graph, k)
    scales, found, quantized = None, [], graph.level is not None
    if pixels is not None:
        pixels = _checked(pixels, graph.image_shape)
        observations = calibration.observe(graph, pixels, quantile)
        found = _findings(graph, observations)
        scales = None if quantized else calibration.scales_of(graph, observations)
    elif not quantized:
        found = ["no quantiser was trained and there are no images for calibration, so 2^k counts stand for 1"]
    network, weights = assemble(graph, scales)
    network = replace(network, own_multiply_accumulates=graph.multiply_accumulates)
    with np.errstate(over="ignore"):  # what float32 cannot hold becomes infinite, which check_weights refuses
        weights = {key: array.astype(np.float32) for key, array in weights.items()}
    check_weights(weights, network.weight_shapes)
    rounded, rounding = on_grid(weights, network)
    found += _lost_filters(weights, rounded, network)
    layers = tuple(node.layers for node in graph.nodes)
    scales = tuple(scales or [1.0] * len(layers))
    return Converted(rounded, network, level, layers, scales, rounding, quantized, tuple(found))


def level_of(graph, k=None):
    """Returns the level of a finished Graph's quantisers, or k if it has none.

    Raises
    ------
    ValueError
        k is not a level or contradicts the quantisers, or there are neither quantisers nor k.
    """
    if k is not None:
        check_integer("k", k, 0, MAX_LEVEL)
    if graph.level is None and k is None:
        raise ValueError("found no MedianQuantizer layer, expected one after each ReLU, or the argument k (--k)")
    if None not in (graph.level, k) and graph.level != k:
        raise ValueError(f"found MedianQuantizer layers with k={graph.level}, expected k={k}, the argument")
    return int(k) if graph.level is None else graph.level


def _checked(pixels, shape):
    """Returns the pixels as (images, h, w, channels), checked against the input shape of the network."""
    pixels = np.asarray(pixels)
    if pixels.shape[1:] == shape[:2] and shape[2] == 1:
        pixels = pixels[..., None]
    expected = f"whole pixels from 0 to {PIXEL_LEVELS - 1} (images, {', '.join(map(str, shape))})"
    fits = pixels.ndim == 4 and pixels.shape[1:] == shape and len(pixels) > 0
    if not fits or not np.issubdtype(pixels.dtype, np.integer):
        raise ValueError(f"the images for calibration are {pixels.dtype} {pixels.shape}, expected {expected}")
    if pixels.min() < 0 or pixels.max() >= PIXEL_LEVELS:
        found = f"pixels from {pixels.min()} to {pixels.max()}"
        raise ValueError(f"the images for calibration have {found}, expected {expected}")
    return pixels


def _findings(graph, observations):
    """Returns sentences about blocks that never fire, or whose activations are mostly clipped."""
    sentences = []
    for number, (node, observation) in enumerate(zip(graph.nodes, observations), start=1):
        name = f"block {number} (layer {node.layers[-1]})"
        if observation and not observation.positive:
            sentences.append(f"{name} never fires: none of its activations is above 0 on the images for calibration")
        elif observation and observation.clipped > CLIPPED_SHARE * observation.positive:
            share = f"{100 * observation.clipped / observation.positive:.0f} %"
            sentences.append(f"{name} clips: {share} of its positive activations are at max_value={node.max_value:g}")
    return sentences


def _lost_filters(exact, rounded, network):
    """Returns sentences about blocks in which rounding to the weight grid erases whole filters."""
    sentences = []
    for block in network.blocks:
        keys = [key for key in block.kernel_keys if key]
        if not keys or any(edge.identity for edge in block.inputs):
            continue
        before, after = (
            sum(np.abs(weights[key]).sum(axis=(0, 1, 2)) for key in keys) for weights in (exact, rounded)
        )
        if lost := int(np.sum((before > 0) & (after == 0))):
            found = f"block {block.name} loses {lost} of {len(before)} filters"
            sentences.append(f"{found}: beside the block's largest weight, all of theirs are rounded to 0")
    return sentences
