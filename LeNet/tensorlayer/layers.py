"""Layers that Keras does not have."""

import math

import keras
from keras import ops


@keras.saving.register_keras_serializable(package="spiking_lenet")
class FullWindowConv2D(keras.layers.Conv2D):
    """A convolution without bias whose only window is the whole input, computed as one matrix product.

    It computes the same as keras.layers.Conv2D, but on a CPU its gradient takes a tenth of the time.

    Raises
    ------
    ValueError
        The window is not the whole input, or a setting of Conv2D is given that this layer does not support.
    """

    def build(self, input_shape):
        if tuple(input_shape[1:3]) != self.kernel_size:
            size = tuple(input_shape[1:3])
            raise ValueError(f"kernel_size must be the input's {size}. Received: kernel_size={self.kernel_size}")
        activation = keras.activations.serialize(self.activation)
        if self.use_bias or self.padding != "valid" or self.groups != 1 or activation != "linear":
            supported = "use_bias=False, padding='valid', groups=1 and no activation"
            found = f"use_bias={self.use_bias}, padding={self.padding!r}, groups={self.groups}, {activation=}"
            raise ValueError(f"only {supported} are supported. Received: {found}")
        super().build(input_shape)

    def call(self, activations):
        flat = ops.reshape(activations, (-1, math.prod(self.kernel.shape[:3])))
        flat = ops.matmul(flat, ops.reshape(self.kernel, (-1, self.filters)))
        return ops.reshape(flat, (-1, 1, 1, self.filters))


class PerChannelConv2D(keras.layers.Conv2D):
    """A convolution without bias and with one group per channel, computed by the faster depthwise operation.

    Its kernel has the shape of Conv2D's, (h, w, 1, filters).
    """

    def call(self, activations):
        kernel = ops.reshape(self.kernel, (*self.kernel_size, self.groups, self.filters // self.groups))
        return ops.depthwise_conv(activations, kernel, self.strides, self.padding)


class InitialPotential(keras.layers.Layer):
    """Adds a separate weight to each position and channel: the initial potential of a spiking neuron."""

    def build(self, input_shape):
        self.initial = self.add_weight(shape=input_shape[1:], initializer="zeros", name="initial")

    def call(self, potentials):
        return potentials + self.initial


class SynapticOperationPenalty(keras.layers.Layer):
    """Passes activations on unchanged and adds a penalty on their spikes, averaged over the images, to the loss:

    penalty / 10^6 * S * sum of fan_out * activations

    Finally a neuron's positive minus negative spikes are S times its activation, and each spike drives its fan-out of
    synapses. Only a Keras model in training has this layer, and no file contains it.

    Parameters
    ----------
    penalty : float
        Penalty per million synaptic operations.
    spikes_per_unit : int
        S = 2^k, the number of spikes for an activation of 1.
    fan_out : int array (h, w)
        How many synapses a spike at each position drives.
    """

    def __init__(self, penalty, spikes_per_unit, fan_out, **kwargs):
        super().__init__(**kwargs)
        self.of_unit = penalty / 1e6 * spikes_per_unit * fan_out[:, :, None]

    def call(self, activations):
        penalties = activations * ops.cast(self.of_unit, activations.dtype)
        self.add_loss(ops.mean(ops.sum(penalties, axis=(1, 2, 3))))
        return activations
