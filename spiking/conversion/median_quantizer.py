"""The median quantiser as a Keras layer."""

import keras
from keras import ops

from spiking.network import MAX_LEVEL, ROUNDING_OFFSET, check_integer


@keras.saving.register_keras_serializable(package="spiking_lenet")
class MedianQuantizer(keras.layers.Layer):
    """Rounds activations to multiples of 1 / 2^k.

    Q(x) = floor(S * x + 1/2 + 1e-5) / S    with S = 2^k

    The input must not be negative (it follows a ReLU); the output has no upper bound. The gradient is the
    identity (straight-through estimator). Zou et al., "A Novel Conversion Method for Spiking Neural
    Network using Median Quantization", ISCAS 2020.

    >>> MedianQuantizer(k=1)(np.array([0.2, 0.25, 1.3])).numpy()
    array([0. , 0.5, 1.5], dtype=float32)

    Parameters
    ----------
    k : int
        Quantisation level, 0 to 16.
    """

    def __init__(self, k, **kwargs):
        super().__init__(**kwargs)
        check_integer("k", k, 0, MAX_LEVEL)
        self.k = int(k)

    def call(self, activations):
        scale = 2**self.k

        @ops.custom_gradient
        def quantize(x):
            def straight_through(upstream):
                return upstream

            return ops.floor(scale * x + (0.5 + ROUNDING_OFFSET)) / scale, straight_through

        return quantize(activations)

    def get_config(self):
        return super().get_config() | {"k": self.k}
