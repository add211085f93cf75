"""Random Keras models that are a chain of the layers that can be converted; for hypothesis."""

import keras
import numpy as np
from hypothesis import strategies as st
from keras.layers import (
    AveragePooling2D,
    BatchNormalization,
    Conv2D,
    Dense,
    Dropout,
    Flatten,
    GlobalAveragePooling2D,
    ReLU,
    Rescaling,
    Softmax,
    ZeroPadding2D,
)

from LeNet.tensorlayer.layers import MedianQuantizer

PAIRS = st.tuples(st.integers(1, 3), st.integers(1, 3))


@st.composite
def chains(draw, k):
    """A Sequential model in float64 with random weights, quantised at level k."""
    rows, columns, channels = draw(st.tuples(st.integers(3, 9), st.integers(3, 9), st.integers(1, 3)))
    offset = draw(st.sampled_from([0.0, 0.0, -0.5]))
    model = keras.Sequential([keras.Input((rows, columns, channels))])
    model.add(Rescaling(draw(st.sampled_from([1 / 255, 1 / 127.5, 1.0 / 256])), offset))
    zeros_are_zeros = offset == 0  # so that padding is exact
    for _ in range(draw(st.integers(1, 2))):
        zeros_are_zeros &= draw_pooling(draw, model)
        draw_convolution(draw, model, zeros_are_zeros)
        draw_activation(draw, model, k)
        zeros_are_zeros = not draw(st.booleans())
        if not zeros_are_zeros:
            draw_normalization(draw, model)
    draw_pooling(draw, model)
    model.add(draw(st.sampled_from([Flatten, GlobalAveragePooling2D]))())
    if draw(st.booleans()):
        model.add(Dense(draw(st.integers(1, 5)), use_bias=draw(st.booleans()), kernel_initializer="zeros"))
        draw_activation(draw, model, k)
        model.add(Dropout(0.5, seed=0))
    last = draw(st.sampled_from([None, "softmax"]))
    model.add(Dense(draw(st.integers(2, 5)), last, draw(st.booleans()), kernel_initializer="zeros"))
    if last is None and draw(st.booleans()):
        model.add(Softmax())
    set_random_weights(model, draw(st.integers(0, 2**32 - 1)))
    return model


def draw_pooling(draw, model):
    """Perhaps an average pooling; whether zeros around its outputs are what zeros around its inputs give."""
    if draw(st.booleans()):
        return True
    sizes = model.output_shape[1:3]
    pool, strides = (tuple(map(min, draw(PAIRS), sizes)) for _ in range(2))
    model.add(AveragePooling2D(pool, strides))
    whole = all((size - window) % step == 0 for size, window, step in zip(sizes, pool, strides))
    return whole and all(np.less_equal(pool, strides))


def draw_convolution(draw, model, may_pad):
    """A convolution of any kind, perhaps after a ZeroPadding2D that makes up for its kernel."""
    kind = draw(st.sampled_from(["valid", "same", "zeros"] if may_pad else ["valid"]))
    settings = {"filters": draw(st.integers(1, 4)), "use_bias": draw(st.booleans()), "kernel_initializer": "zeros"}
    if kind == "zeros":
        pads = draw(st.tuples(*[st.tuples(st.integers(0, 2), st.integers(0, 2))] * 2))
        model.add(ZeroPadding2D(pads))
        model.add(Conv2D(kernel_size=[1 + sum(pair) for pair in pads], **settings))
        return
    kernel_size = draw(PAIRS) if kind == "same" else tuple(map(min, draw(PAIRS), model.output_shape[1:3]))
    dilation = 1 if kind == "valid" else draw(st.integers(1, 2))
    strides = draw(PAIRS) if dilation == 1 else 1
    model.add(Conv2D(kernel_size=kernel_size, padding=kind, strides=strides, dilation_rate=dilation, **settings))


def draw_normalization(draw, model):
    epsilon = draw(st.sampled_from([1e-3, 1e-5, 1e-7]))
    model.add(BatchNormalization(epsilon=epsilon, scale=draw(st.booleans()), center=draw(st.booleans())))


def draw_activation(draw, model, k):
    """Perhaps a batch normalisation, then a ReLU, and the quantiser."""
    kind = draw(st.sampled_from(["layer", "normalized", "activation", "bounded"]))
    if kind == "activation":
        model.layers[-1].activation = keras.activations.relu
    elif kind == "bounded":
        model.add(ReLU(max_value=draw(st.sampled_from([0.6, 1.0, 6.0]))))
    else:
        if kind == "normalized":
            draw_normalization(draw, model)
        model.add(ReLU())
    model.add(MedianQuantizer(k))


def set_random_weights(model, seed):
    """Kernels that keep activations of the size of their inputs, means and biases around 0."""
    rng = np.random.default_rng(seed)
    for variable in model.variables:
        name, shape = variable.path.split("/")[-1], variable.shape
        if name == "kernel":
            values = rng.normal(0, 1.5 / np.sqrt(np.prod(shape[:-1])), shape)
        elif name == "moving_variance":
            values = rng.uniform(0.1, 1, shape)
        elif name == "gamma":
            values = rng.normal(0.7, 0.5, shape)
        elif "seed" in name:
            continue
        else:
            values = rng.normal(0, 0.3, shape)
        variable.assign(values)
