"""The layers that Keras does not have."""

import math

import keras
from keras import ops


@keras.saving.register_keras_serializable(package="spiking_lenet")
class FullWindowConv2D(keras.layers.Conv2D):
    """A convolution without bias whose only window is the whole input, computed as one matrix product.

    The same numbers as keras.layers.Conv2D; on a CPU its gradient takes a tenth of the time.

    Raises
    ------
    ValueError
        The window is not the whole input, or a setting of Conv2D is given that this layer does not compute.
    """

    def build(self, input_shape):
        if tuple(input_shape[1:3]) != self.kernel_size:
            size = tuple(input_shape[1:3])
            raise ValueError(f"kernel_size must be the input's {size}. Received: kernel_size={self.kernel_size}")
        activation = keras.activations.serialize(self.activation)
        if self.use_bias or self.padding != "valid" or self.groups != 1 or activation != "linear":
            settings = (
                f"use_bias={self.use_bias}, padding={self.padding!r}, groups={self.groups}, activation={activation!r}"
            )
            raise ValueError(
                f"only use_bias=False, padding='valid', groups=1 and no activation are computed. Received: {settings}"
            )
        super().build(input_shape)

    def call(self, activations):
        flat = ops.reshape(activations, (-1, math.prod(self.kernel.shape[:3])))
        flat = ops.matmul(flat, ops.reshape(self.kernel, (-1, self.filters)))
        return ops.reshape(flat, (-1, 1, 1, self.filters))


class PerChannelConv2D(keras.layers.Conv2D):
    """A convolution without bias with as many groups as channels, computed by the faster depthwise operation.

    Its kernel is that of Conv2D, (h, w, 1, filters).
    """

    def call(self, activations):
        kernel = ops.reshape(self.kernel, (*self.kernel_size, self.groups, self.filters // self.groups))
        return ops.depthwise_conv(activations, kernel, self.strides, self.padding)


class InitialPotential(keras.layers.Layer):
    """Adds a weight of its own to each position and channel: the potential from which a spiking neuron begins."""

    def build(self, input_shape):
        self.initial = self.add_weight(shape=input_shape[1:], initializer="zeros", name="initial")

    def call(self, potentials):
        return potentials + self.initial


class SynapticOperationPenalty(keras.layers.Layer):
    """Passes activations on, and adds a penalty on their spikes to the loss, the mean over the images.

    penalty / 10^6 * S * sum of fan_out * activations

    In the end a neuron has fired S times its activation, positive less negative spikes, and each of them drives its
    fan-out of synapses. Only a model in training has this layer, so that no file holds it.

    Parameters
    ----------
    penalty : float
        For a million synaptic operations.
    spikes_per_unit : int
        S = 2^k, the spikes of an activation of 1.
    fan_out : int array (h, w)
        Synapses that a spike drives, by its position.
    """

    def __init__(self, penalty, spikes_per_unit, fan_out, **kwargs):
        super().__init__(**kwargs)
        self.of_unit = penalty / 1e6 * spikes_per_unit * fan_out[:, :, None]

    def call(self, activations):
        penalties = activations * ops.cast(self.of_unit, activations.dtype)
        self.add_loss(ops.mean(ops.sum(penalties, axis=(1, 2, 3))))
        return activations
