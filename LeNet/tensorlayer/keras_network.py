"""A Keras network of one's own as a chain of blocks, ready to run as a spiking network without a loss.

    model = keras.Sequential([
        keras.Input((28, 28, 1)),
        Rescaling(1 / 255),                                 # of pixels from 0 to 255
        Conv2D(16, 3, padding="same"), ReLU(), MedianQuantizer(2),
        AveragePooling2D(2),
        Flatten(), Dense(64), ReLU(), MedianQuantizer(2),
        Dense(10, activation="softmax"),
    ])
    trained, rounding = keras_network(model)
    SpikingNetwork(trained.weights, trained.network, trained.model.k, time_steps=40)

All linear layers between two ReLUs become one convolution with batch normalisation, in float64; what cannot is
refused with the layer's name.
"""

import keras
import numpy as np

from experiment import InputError
from experiment.model import MNIST, OWN, Model
from experiment.weights import Trained, check_size
from LeNet.tensorlayer.folding import Folding, refusal
from spiking.layers import check_integer
from spiking.network import BN_EPSILON, HIGHEST_LEVEL, Network
from spiking.weight_grid import on_grid


def keras_network(model, k=None, data=MNIST):
    """The blocks that a Keras model consists of, with weights on the weight grid.

    Parameters
    ----------
    model : keras.Sequential, or a functional keras.Model whose layers form a chain
        From pixels (h, w, channels), whole numbers from 0 on, to class scores.
    k : int or None
        Quantisation level, 0 to 16, where no MedianQuantizer says it: the quantiser is then put after each ReLU.
    data : str
        Name of the folder of images that the model is for, as figures and file names give it.

    Returns
    -------
    trained : Trained
        Its float64 weights are what SpikingNetwork takes with its network and model.k.
    rounding : float
        The largest change of a weight by rounding the folded kernels to the weight grid.

    Raises
    ------
    InputError
        The model is no such chain; the text names the layer and says what to use instead.
    ValueError
        k is no quantisation level.
    OverflowError
        The classifier's bias is too large for the grid of its weights.
    """
    if k is not None:
        check_integer("k", k, 0, HIGHEST_LEVEL)
        k = int(k)  # NumPy's integers would not go into a file's description
    folded = fold(model)
    level = _level(folded.blocks, k)
    notation, weights = blocks_of(folded)
    try:
        network = check_size(Network.parse(notation))
        identity = Model(level, network.layers, data, OWN)
    except ValueError as error:
        raise InputError(f"{model.name}: {error}") from None
    weights, rounding = on_grid(weights)
    return Trained(identity, network, weights, epochs=0, images=0, all_images=0, threads=0), rounding


def fold(model):
    """The Folding of all layers of a Keras model, its classifier included."""
    layers = list(chain(model))
    folding = Folding(model)
    for layer in layers:
        folding.add(layer)
    if not folding.blocks:
        raise InputError(f"{model.name}: found no ReLU, expected one at least")
    if folding.linear.output_shape[:2] != (1, 1):
        found = f"scores of the shape {folding.linear.output_shape}"
        raise InputError(f"{model.name}: found {found}, expected a vector, as of a Dense layer at the end")
    return folding


def chain(model):
    """The layers of a model, and of the models inside it, in the order in which they compute."""
    if not type(model).__module__.startswith("keras."):  # a derived class may compute anything
        raise InputError(f"{model.name}: found a {type(model).__name__}, expected a Sequential or a functional model")
    if isinstance(model, keras.Sequential):
        if not model.built:
            raise InputError(f"{model.name}: found no input shape, expected keras.Input((h, w, channels)) at first")
        found = model.layers
    elif hasattr(model, "operations"):
        found = _functional_chain(model)
    else:
        kind = type(model).__name__
        raise InputError(f"{model.name}: found a {kind}, expected a Sequential or a functional model")
    for layer in found:
        if isinstance(layer, keras.Model):
            yield from chain(layer)
        else:
            yield layer


def _functional_chain(model):
    """The layers between the input and the output of a functional model."""
    if len(model.inputs) != 1 or len(model.outputs) != 1:
        found = f"{len(model.inputs)} inputs and {len(model.outputs)} outputs"
        raise InputError(f"{model.name}: found {found}, expected one of both")
    found, tensor = [], model.outputs[0]
    while tensor is not model.inputs[0]:
        layer, call, _ = tensor._keras_history  # what made the tensor, and in which of its calls
        sources = layer._inbound_nodes[call].input_tensors
        if len(sources) != 1:
            raise refusal(layer, f"{len(sources)} inputs", "a chain of layers without branches and skip connections")
        found.append(layer)
        tensor = sources[0]
    return reversed(found)


def _level(blocks, k):
    """The level on which all quantisers agree, or that of the argument where there are none."""
    first = next((block.quantizer for block in blocks if block.quantizer), None)
    if first is None:
        if k is None:
            raise InputError("found no MedianQuantizer layer, expected one after each ReLU, or the argument k (--k)")
        return k
    level, source = (first.k, f"layer {first.name} has") if k is None else (k, "the argument says")
    for block in blocks:
        if block.quantizer is None:
            raise InputError(f"layer {block.relu}: found no MedianQuantizer after it, expected one as after others")
        if block.quantizer.k != level:
            raise refusal(block.quantizer, f"k={block.quantizer.k}", f"k={level} as {source}")
    return level


def blocks_of(folding):
    """The notation of a Folding, with both ends, and its weights by key."""
    layers, weights = [], {}
    for number, block in enumerate(folding.blocks, start=1):
        try:
            kernel, strides, same = block.affine.in_notation()
        except ValueError as error:
            expected = "as many as padding='same' or padding='valid' gives"
            raise InputError(
                f"layer {block.relu}: found that what it rectifies {error}, expected {expected}"
            ) from None
        layers.append(_layer_notation(kernel, strides, same, block))
        channels = np.ones_like(block.affine.scale)
        weights |= {
            f"conv{number}/W": kernel,
            f"bn{number}/gamma": block.affine.scale,
            f"bn{number}/beta": block.affine.offset,
            f"bn{number}/moving_mean": 0 * channels,
            f"bn{number}/moving_var": (1 - BN_EPSILON) * channels,  # sigma is 1
        }
    classifier = folding.linear
    kernel, *_ = classifier.in_notation()
    weights["fc/W"] = (kernel * classifier.scale).reshape(-1, kernel.shape[3])
    bias = np.any(classifier.offset)
    if bias:
        weights["fc/b"] = classifier.offset
    height, width, channels = folding.input_shape
    ends = f"{height}x{width}x{channels}", f"{kernel.shape[3]}{'b' if bias else ''}"
    return "-".join([ends[0], *layers, ends[1]]), weights


def _layer_notation(kernel, strides, same, block):
    """As spiking/network.py describes it."""
    height, width, _, filters = kernel.shape
    size = tuple(axis.size for axis in block.affine.axes)
    if (height, width) == size and not same and strides == (1, 1):
        text = f"{filters}"
    else:
        text = f"{filters}C{height}" + (f"x{width}" if width != height else "") + ("p" if same else "")
        if strides != (1, 1):
            text += f"s{strides[0]}" + (f"x{strides[1]}" if strides[1] != strides[0] else "")
    if block.max_value is not None:
        text += "m" + np.format_float_positional(block.max_value, trim="-")
    return text
