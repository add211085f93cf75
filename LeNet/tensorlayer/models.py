"""A Network as a Keras model, for any quantisation level and for full precision."""

import keras
import numpy as np
from keras.initializers import RandomNormal, TruncatedNormal
from keras.layers import (
    Add,
    BatchNormalization,
    Conv2D,
    Cropping2D,
    Dense,
    Flatten,
    MaxPooling2D,
    ReLU,
    ZeroPadding2D,
)

from experiment.recipes import BN_DECAY, CLASSIFIER_DEVIATION, GAMMA_DEVIATION, KERNEL_DEVIATION
from LeNet.tensorlayer.layers import (
    FullWindowConv2D,
    InitialPotential,
    PerChannelConv2D,
    SynapticOperationPenalty,
)
from spiking.conversion import MedianQuantizer
from spiking.network import BN_EPSILON, FULL_PRECISION, Classifier


def build(network, k, dtype="float32", sop_penalty=0.0):
    """The artificial network as a Keras model that computes logits from images (batch, h, w, c), pixel / 256.

    Initial values are drawn as in the paper's code; keras.utils.set_random_seed makes them repeatable. Every layer is
    named, since Keras numbers unnamed layers by what the process built before, and checkpoints contain the names.

    Parameters
    ----------
    network : Network
    k : int
        Quantisation level, or FULL_PRECISION for the same network without quantisers.
    dtype : "float32" or "float64"
    sop_penalty : float
        Added to the loss of a training per million synaptic operations of an image.
    """
    tensors = [keras.Input(network.input_shape, dtype=dtype)]
    for number, block in enumerate(network.blocks, start=1):
        x = _activation(block, tensors, k, dtype)
        if sop_penalty:
            spikes_per_unit = 1 if k == FULL_PRECISION else 2**k
            fan_out = network.fan_out(number)
            x = SynapticOperationPenalty(
                sop_penalty, spikes_per_unit, fan_out, dtype=dtype, name=f"penalty{block.name}"
            )(x)
        tensors.append(x)
    return keras.Model(tensors[0], _logits(network.classifier, tensors, dtype), name="lenet")


def _activation(block, tensors, k, dtype):
    """A block's activations, given those of all sources."""
    if block.pools:
        (edge,) = block.inputs
        x, padding = _windowed(tensors[edge.source], edge, block.prefix, dtype)
        return MaxPooling2D(edge.kernel_size, edge.stride, padding, dtype=dtype, name=block.prefix)(x)
    named = zip(block.input_names, block.inputs, strict=True)
    x = _sum([_convolution(tensors[edge.source], edge, name, dtype) for name, edge in named], block, dtype)
    if block.initial:
        x = InitialPotential(dtype=dtype, name=f"initial{block.name}")(x)
    x = BatchNormalization(
        momentum=BN_DECAY,
        epsilon=BN_EPSILON,
        gamma_initializer=RandomNormal(1, GAMMA_DEVIATION),
        dtype=dtype,
        name=f"bn{block.name}",
    )(x)
    x = ReLU(block.max_value, dtype=dtype, name=f"relu{block.name}")(x)
    return x if k == FULL_PRECISION else MedianQuantizer(k, dtype=dtype, name=f"quantizer{block.name}")(x)


def _convolution(x, edge, name, dtype):
    """The term that a Convolution contributes to its block's sum."""
    if edge.identity:
        return x
    x, padding = _windowed(x, edge, name, dtype)
    if edge.whole_input and edge.groups == 1:
        convolution, groups = FullWindowConv2D, {}
    elif edge.groups == edge.input_shape[2] > 1 and edge.stride[0] == edge.stride[1]:  # else TensorFlow refuses
        convolution, groups = PerChannelConv2D, {"groups": edge.groups}
    else:
        convolution, groups = Conv2D, {"groups": edge.groups}
    return convolution(
        edge.filters,
        edge.kernel_size,
        strides=edge.stride,
        padding=padding,
        use_bias=False,
        kernel_initializer=TruncatedNormal(stddev=KERNEL_DEVIATION),
        dtype=dtype,
        name=name,
        **groups,
    )(x)


def _windowed(x, edge, name, dtype):
    """Pads or crops a source so that an edge's windows are its "valid" or "same" ones; returns it and which ones."""
    if edge.padding_name:
        return x, edge.padding_name
    # padding with zeros does not change a max pooling, as activations are >= 0
    zeros = [[max(number, 0) for number in pair] for pair in edge.padding]
    cropped = [[max(-number, 0) for number in pair] for pair in edge.padding]
    if np.any(zeros):
        x = ZeroPadding2D(zeros, dtype=dtype, name=f"padding{name}")(x)
    if np.any(cropped):
        x = Cropping2D(cropped, dtype=dtype, name=f"cropping{name}")(x)
    return x, "valid"


def _logits(classifier, tensors, dtype):
    """The logit of each class, given the activations of all sources."""
    sums = []
    for name, edge in zip(classifier.input_names, classifier.inputs, strict=True):
        x = Flatten(dtype=dtype, name="flatten" + name.removeprefix("fc"))(tensors[edge.source])
        dense = Dense(
            classifier.classes,
            use_bias=classifier.bias and not sums,
            kernel_initializer=TruncatedNormal(stddev=CLASSIFIER_DEVIATION),
            dtype=dtype,
            name=name,
        )
        sums.append(dense(x))
    return _sum(sums, classifier, dtype)


def _sum(terms, layer, dtype):
    return terms[0] if len(terms) == 1 else Add(dtype=dtype, name=f"sum_{layer.prefix}")(terms)


def with_activations(network, keras_model):
    """The same Keras model with more outputs: the quantised activations of every block, then the logits."""
    names = [block.prefix if block.pools else f"quantizer{block.name}" for block in network.blocks]
    outputs = [keras_model.get_layer(name).output for name in names]
    return keras.Model(keras_model.input, [*outputs, keras_model.output])


def variables(network, keras_model):
    """The weight variables of a Keras model by their key in an npz file."""
    by_key = {}
    for layer in (*network.blocks, network.classifier):
        for key, name in zip(layer.kernel_keys, layer.input_names, strict=True):
            if key:
                by_key[key] = keras_model.get_layer(name).kernel
        by_key |= _other_variables(layer, keras_model)
    return by_key


def _other_variables(layer, keras_model):
    """The variables of a Block or Classifier other than kernels, by key."""
    if isinstance(layer, Classifier):
        return {layer.offset_key: keras_model.get_layer(layer.prefix).bias} if layer.bias else {}
    if layer.pools:
        return {}
    initial = {layer.offset_key: keras_model.get_layer(f"initial{layer.name}").initial} if layer.initial else {}
    normalization = keras_model.get_layer(f"bn{layer.name}")
    return initial | {
        f"bn{layer.name}/beta": normalization.beta,
        f"bn{layer.name}/gamma": normalization.gamma,
        f"bn{layer.name}/moving_mean": normalization.moving_mean,
        f"bn{layer.name}/moving_var": normalization.moving_variance,
    }


def assign(network, keras_model, weights):
    """Sets the weights of a Keras model to arrays by key, as in an npz file."""
    for key, variable in variables(network, keras_model).items():
        variable.assign(weights[key])
