"""The layers that Keras does not have: the quantiser on both sides of its jumps, and convolutions as Keras's own."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from LeNet.tensorlayer.layers import FullWindowConv2D, InitialPotential, PerChannelConv2D
from spiking.conversion import MedianQuantizer


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize(
    ("k", "activations", "expected"),
    [  # the n-th jump is at (n - 1/2 - 1e-5) / 2^k
        (0, [0, 0.499989, 0.499991, 1, 1.499988, 1.499992, 1000.4, 1000.6], [0, 0, 1, 1, 1, 2, 1000, 1001]),
        (1, [0, 0.249994, 0.249996, 0.5, 0.749994, 0.749996, 99.7, 99.8], [0, 0, 0.5, 0.5, 0.5, 1, 99.5, 100]),
        (2, [0, 0.124997, 0.124998, 0.25, 0.374997, 0.374998, 9.8, 9.9], [0, 0, 0.25, 0.25, 0.25, 0.5, 9.75, 10]),
    ],
)
def test_quantizer_jumps(k, activations, expected, dtype):
    quantized = MedianQuantizer(k, dtype=dtype)(np.array(activations, dtype))
    assert quantized.dtype == dtype
    np.testing.assert_array_equal(quantized, expected)


@pytest.mark.parametrize("k", [0, 1, 2])
def test_quantizer_gradient_is_the_upstream_gradient(k):
    x = tf.constant([[0.0, 0.1, 0.49999], [0.5, 1.3, 7.0]])
    upstream = tf.constant([[1.0, -2.5, 0.0], [1e-30, 3e7, -0.1]])
    with tf.GradientTape() as tape:
        tape.watch(x)
        quantized = MedianQuantizer(k)(x)
    np.testing.assert_array_equal(tape.gradient(quantized, x, output_gradients=upstream), upstream)


@pytest.mark.parametrize("k", [-1, 1.5, True, "1", None])
def test_quantizer_refuses_bad_level(k):
    with pytest.raises(ValueError, match=f"^k is {k}, expected an integer from 0 to 16$"):
        MedianQuantizer(k)


def test_quantizer_config_round_trip():
    config = MedianQuantizer(k=2, name="quantizer").get_config()
    assert (config["k"], config["name"]) == (2, "quantizer")
    assert MedianQuantizer.from_config(config).get_config() == config


def assert_equals_keras(layer_class, filters, kernel_size, size, **settings):
    """The layer has the output and the gradients of Conv2D, on images (6, *size, 3)."""
    # on small integers sums are exact, so that the order of a sum cannot excuse a difference
    rng = np.random.default_rng(0)
    images = tf.constant(rng.integers(-9, 10, (6, *size, 3)), tf.float64)

    def run(layer_class):
        layer = layer_class(filters, kernel_size, use_bias=False, dtype="float64", **settings)
        layer.build(images.shape)
        layer.kernel.assign(np.random.default_rng(1).integers(-9, 10, layer.kernel.shape))
        with tf.GradientTape() as tape:
            tape.watch(images)
            output = layer(images)
        upstream = tf.constant(np.random.default_rng(2).integers(-9, 10, output.shape), tf.float64)
        return output, *tape.gradient(output, [images, layer.kernel.value], output_gradients=upstream)

    for ours, keras_own in zip(run(layer_class), run(keras.layers.Conv2D), strict=True):
        assert ours.dtype == tf.float64
        np.testing.assert_array_equal(ours, keras_own)


@pytest.mark.parametrize("kernel_size", [(4, 4), (3, 5), (1, 1)])
def test_full_window_convolution_equals_keras(kernel_size):
    assert_equals_keras(FullWindowConv2D, 7, kernel_size, size=kernel_size)


@pytest.mark.parametrize("filters", [3, 6])
def test_convolution_per_channel_equals_keras(filters):
    assert_equals_keras(PerChannelConv2D, filters, (3, 2), (7, 6), groups=3, strides=2, padding="same")


def test_initial_potential_is_added_to_each_position_and_trained():
    layer, potentials = InitialPotential(), tf.reshape(tf.range(24.0), (2, 3, 2, 2))
    np.testing.assert_array_equal(layer(potentials), potentials)  # 0 at first
    initial = np.arange(12, dtype=np.float32).reshape(3, 2, 2) / 4
    layer.initial.assign(initial)
    with tf.GradientTape() as tape:
        output = layer(potentials)
    np.testing.assert_array_equal(output, potentials + initial)
    gradient = tape.gradient(output, layer.initial.value, output_gradients=potentials)
    np.testing.assert_array_equal(gradient, potentials[0] + potentials[1])


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"kernel_size": (4, 3)}, r"^kernel_size must be the input's \(4, 4\). Received: kernel_size=\(4, 3\)$"),
        ({"use_bias": True}, "^only use_bias=False, .* are supported. Received: use_bias=True"),
        ({"padding": "same"}, "Received: .*padding='same'"),
        ({"groups": 3}, "Received: .*groups=3, activation='linear'$"),
        ({"activation": "relu"}, "no activation are supported. Received: .*activation='relu'$"),
    ],
)
def test_full_window_convolution_refuses_what_it_does_not_compute(settings, message):
    layer = FullWindowConv2D(**{"filters": 6, "kernel_size": (4, 4), "use_bias": False} | settings)
    with pytest.raises(ValueError, match=message):
        layer.build((None, 4, 4, 3))
