"""Keras models that are a chain of layers: random ones, for hypothesis, and one around given layers."""

from typing import NamedTuple

import keras
import numpy as np
from hypothesis import strategies as st
from keras.layers import (
    Activation,
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

IMAGE = (6, 6, 2)
ZEROS = {"kernel_initializer": "zeros"}  # replaced later; others would draw from Python's random, behind hypothesis
HIGHEST_LEVEL = 3
PAIRS = st.tuples(st.integers(1, 3), st.integers(1, 3))
PADS = st.tuples(*[st.tuples(st.integers(0, 2), st.integers(0, 2))] * 2)
SCALES = st.sampled_from([1 / 255, 1 / 127.5, 1 / 256])
OFFSETS = st.sampled_from([0.0, 0.25, -0.5])
HIGHEST = st.sampled_from([0.6, 1.0, 6.0])  # max_value of a ReLU


def model_around(*middle, shape=IMAGE, scaled=True):
    """A Sequential of an input, perhaps its Rescaling, the given layers and a classifier."""
    first = [Rescaling(1 / 256, name="scale")] if scaled else []
    return keras.Sequential([keras.Input(shape), *first, *middle, Flatten(), Dense(3)], name="mine")


def convolution(**settings):
    return Conv2D(4, 3, name="conv", **settings)


class Chain(NamedTuple):
    """A model to convert, and its layers once more with all that is to be compared as outputs."""

    model: keras.Model
    k: int | None  # the argument of the conversion; needed where the model has no quantiser
    level: int  # of the quantisers that the model has, or that the conversion adds
    quantized: keras.Model  # with a quantiser after each ReLU in any case: to activations of each block, and scores


class Layers:
    """Layers, one after the other, and what they give."""

    def __init__(self, shape):
        self.layers, self.outputs = [], [keras.Input(shape)]

    @property
    def shape(self):
        return self.outputs[-1].shape[1:]

    def add(self, layer):
        self.layers.append(layer)
        self.outputs.append(layer(self.outputs[-1]))


@st.composite
def chains(draw):
    """A Chain in float64 with random weights."""
    chain = Layers(draw(st.tuples(st.integers(3, 9), st.integers(3, 9), st.integers(1, 3))))
    level = draw(st.integers(0, HIGHEST_LEVEL))
    zeros_are_zeros = draw_rescaling(draw, chain)  # so that padding is exact
    convolutions = draw(st.sampled_from([2, 1, 1, 0]))
    for _ in range(convolutions):
        zeros_are_zeros &= draw_pooling(draw, chain)
        draw_block(draw, chain, level, draw_convolution, zeros_are_zeros)
        zeros_are_zeros = not draw(st.booleans())
        if not zeros_are_zeros:
            chain.add(draw_normalization(draw))
    draw_pooling(draw, chain)
    mean = draw(st.sampled_from([None, GlobalAveragePooling2D(), GlobalAveragePooling2D(keepdims=True)]))
    if mean:
        chain.add(mean)
    if mean is None or mean.keepdims:
        chain.add(Flatten())
    if convolutions == 0 or draw(st.booleans()):
        draw_block(draw, chain, level, draw_dense)
    activation = draw(st.sampled_from([None, "softmax"]))
    chain.add(Dense(draw(st.integers(2, 5)), activation, draw(st.booleans()), **ZEROS))
    if activation is None and draw(st.booleans()):
        chain.add(Softmax())
    return assembled(draw, chain, level)


def assembled(draw, chain, level):
    """The Chain of some Layers: its model functional or Sequential, with another model inside it or not."""
    activations = [
        output for layer, output in zip(chain.layers, chain.outputs[1:]) if isinstance(layer, MedianQuantizer)
    ]
    quantized = keras.Model(chain.outputs[0], [*activations, chain.outputs[-1]])
    set_random_weights(quantized, draw(st.integers(0, 2**32 - 1)))
    bare = draw(st.booleans())
    kept = [
        (layer, source.shape[1:])
        for layer, source in zip(chain.layers, chain.outputs)
        if not (bare and isinstance(layer, MedianQuantizer))
    ]
    layers, shapes = map(list, zip(*kept))
    outer, inner = draw(st.tuples(*[st.sampled_from([as_sequential, as_functional])] * 2))
    first, last = sorted(draw(st.tuples(*[st.integers(0, len(layers))] * 2)))
    if first < last:
        layers[first:last] = [inner(shapes[first], layers[first:last])]
    return Chain(outer(shapes[0], layers), level if bare else draw(st.sampled_from([None, level])), level, quantized)


def as_sequential(shape, layers):
    return keras.Sequential([keras.Input(shape), *layers])


def as_functional(shape, layers):
    x = image = keras.Input(shape)
    for layer in layers:
        x = layer(x)
    return keras.Model(image, x)


def draw_rescaling(draw, chain):
    """For all channels or each one; whether it leaves zeros zero."""
    channels = chain.shape[2]
    scale = draw(st.one_of(SCALES, st.lists(SCALES, min_size=channels, max_size=channels)))
    offset = draw(st.one_of(st.just(0.0), OFFSETS, st.lists(OFFSETS, min_size=channels, max_size=channels)))
    chain.add(Rescaling(scale, offset))
    return not np.any(offset)


def draw_pooling(draw, chain):
    """Perhaps an average pooling; whether zeros around its outputs are what zeros around its inputs give."""
    if draw(st.booleans()):
        return True
    sizes = chain.shape[:2]
    pool, strides = (tuple(map(min, draw(PAIRS), sizes)) for _ in range(2))
    axes = list(zip(sizes, pool, strides))
    pads = any((size - 1) // step * step + window > size for size, window, step in axes)
    padding = draw(st.sampled_from(["valid"] if pads else ["valid", "same"]))
    chain.add(AveragePooling2D(pool, strides, padding))
    whole = padding == "same" or all((size - window) % step == 0 for size, window, step in axes)
    return whole and all(np.less_equal(pool, strides))


def draw_block(draw, chain, level, draw_linear, *settings):
    """A linear layer, perhaps a batch normalisation, a ReLU as one of many, its quantiser, perhaps a dropout."""
    activation = draw(st.sampled_from([None, None, "relu", "relu6", ReLU(draw(HIGHEST))]))
    draw_linear(draw, chain, *settings, activation=activation, use_bias=draw(st.booleans()))
    if activation is None:
        if draw(st.booleans()):
            chain.add(draw_normalization(draw))
        kinds = [ReLU(), ReLU(max_value=draw(HIGHEST)), Activation("relu"), Activation("relu6")]
        chain.add(draw(st.sampled_from(kinds)))
    chain.add(MedianQuantizer(level))
    if draw(st.booleans()):
        chain.add(Dropout(0.5, seed=0))


def draw_dense(draw, chain, **settings):
    chain.add(Dense(draw(st.integers(1, 5)), **settings, **ZEROS))


def draw_convolution(draw, chain, may_pad, **settings):
    """A convolution of any kind, perhaps after a ZeroPadding2D that makes up for its kernel, or a dense layer."""
    kind = draw(st.sampled_from(["same", "zeros", "valid", "dense"] if may_pad else ["valid", "dense"]))
    filters, settings = draw(st.integers(1, 4)), settings | ZEROS
    if kind == "dense":
        chain.add(Dense(filters, **settings))
    elif kind == "zeros":
        pads = draw(PADS)
        chain.add(ZeroPadding2D(pads))
        chain.add(Conv2D(filters, [1 + sum(pair) for pair in pads], **settings))
    else:
        kernel_size = draw(PAIRS) if kind == "same" else tuple(map(min, draw(PAIRS), chain.shape[:2]))
        dilation = 1 if kind == "valid" else draw(st.integers(1, 2))
        strides = draw(PAIRS) if dilation == 1 else 1
        chain.add(Conv2D(filters, kernel_size, strides, kind, dilation_rate=dilation, **settings))


def draw_normalization(draw):
    epsilon = draw(st.sampled_from([1e-3, 1e-5, 1e-7]))
    return BatchNormalization(epsilon=epsilon, scale=draw(st.booleans()), center=draw(st.booleans()))


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
