"""The network of spiking/network.py in Keras, for any quantisation level and for full precision."""

from itertools import pairwise

import keras
from keras.initializers import RandomNormal, TruncatedNormal
from keras.layers import BatchNormalization, Conv2D, Dense, Flatten, ReLU

from experiment.recipes import BN_DECAY, CLASSIFIER_DEVIATION, GAMMA_DEVIATION, KERNEL_DEVIATION
from LeNet.tensorlayer.layers import FullWindowConv2D, MedianQuantizer, SynapticOperationPenalty
from spiking.network import BN_EPSILON, FULL_PRECISION


def build(network, k, dtype="float32", sop_penalty=0.0):
    """The artificial network as a Keras model: images (batch, h, w, c), pixel / 256, to logits.

    Initial values are those of the paper's code; keras.utils.set_random_seed makes them repeatable. Every layer is
    named, as Keras would number the others in the process, and checkpoints hold the names.

    Parameters
    ----------
    network : Network
    k : int
        Quantisation level, or FULL_PRECISION for the same network without quantiser.
    dtype : "float32" or "float64"
    sop_penalty : float
        Added to the loss of a training for each million synaptic operations of an image.
    """
    image = keras.Input(network.input_shape, dtype=dtype)
    x = image
    for block, reader in pairwise([*network.blocks, network.classifier]):
        whole_input = block.kernel_size == block.input_shape[:2] and not block.same
        convolution = FullWindowConv2D if whole_input else Conv2D
        x = convolution(
            block.filters,
            block.kernel_size,
            strides=block.stride,
            padding="same" if block.same else "valid",
            use_bias=False,
            kernel_initializer=TruncatedNormal(stddev=KERNEL_DEVIATION),
            dtype=dtype,
            name=f"conv{block.name}",
        )(x)
        x = BatchNormalization(
            momentum=BN_DECAY,
            epsilon=BN_EPSILON,
            gamma_initializer=RandomNormal(1, GAMMA_DEVIATION),
            dtype=dtype,
            name=f"bn{block.name}",
        )(x)
        x = ReLU(block.max_value, dtype=dtype, name=f"relu{block.name}")(x)
        if k != FULL_PRECISION:
            x = MedianQuantizer(k, dtype=dtype, name=f"quantizer{block.name}")(x)
        if sop_penalty:
            spikes_per_unit = 1 if k == FULL_PRECISION else 2**k
            penalty = SynapticOperationPenalty(
                sop_penalty, spikes_per_unit, reader.fan_out, dtype=dtype, name=f"penalty{block.name}"
            )
            x = penalty(x)
    x = Flatten(dtype=dtype, name="flatten")(x)
    logits = Dense(
        network.classes,
        use_bias=network.classifier_bias,
        kernel_initializer=TruncatedNormal(stddev=CLASSIFIER_DEVIATION),
        dtype=dtype,
        name="fc",
    )(x)
    return keras.Model(image, logits, name="lenet")


def with_activations(network, model):
    """The same model with more outputs: the quantised activations of every block, then the logits."""
    activations = [model.get_layer(f"quantizer{block.name}").output for block in network.blocks]
    return keras.Model(model.input, [*activations, model.output])


def variables(network, model):
    """The model's weight variables by their key in a npz file."""
    by_key = {}
    for block in network.blocks:
        normalization = model.get_layer(f"bn{block.name}")
        by_key[f"conv{block.name}/W"] = model.get_layer(f"conv{block.name}").kernel
        by_key[f"bn{block.name}/beta"] = normalization.beta
        by_key[f"bn{block.name}/gamma"] = normalization.gamma
        by_key[f"bn{block.name}/moving_mean"] = normalization.moving_mean
        by_key[f"bn{block.name}/moving_var"] = normalization.moving_variance
    classifier = model.get_layer("fc")
    return by_key | {"fc/W": classifier.kernel} | ({"fc/b": classifier.bias} if network.classifier_bias else {})


def assign(network, model, weights):
    """Gives the model the weights of a npz file."""
    for key, variable in variables(network, model).items():
        variable.assign(weights[key])
