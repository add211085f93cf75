"""Keras models to convert: drawn by hypothesis, with random weights, and how they compute once they are quantised."""

from itertools import count

import keras
import numpy as np
from hypothesis import strategies as st
from keras.layers import (
    Activation,
    Add,
    Average,
    AveragePooling2D,
    BatchNormalization,
    Concatenate,
    Conv2D,
    Cropping2D,
    Dense,
    DepthwiseConv2D,
    Dropout,
    Flatten,
    GlobalAveragePooling2D,
    GlobalMaxPooling2D,
    MaxPooling2D,
    Normalization,
    Permute,
    ReLU,
    Rescaling,
    Reshape,
    SeparableConv2D,
    Softmax,
    Subtract,
    ZeroPadding2D,
)

from LeNet import tensorlayer  # noqa: F401, it starts TensorFlow as the scripts do
from spiking.conversion.keras_models import walk

ZEROS = {"kernel_initializer": "zeros"}  # replaced later; others would draw from Python's random, behind hypothesis
PAIRS = st.tuples(st.integers(1, 3), st.integers(1, 3))
PADS = st.tuples(*[st.tuples(st.integers(0, 2), st.integers(0, 2))] * 2)
SCALES = st.sampled_from([1 / 255, (1 + 1e-9) / 255, 1 / 127.5, 1 / 256])
NUMBERS = count()  # for names
OFFSETS = st.sampled_from([0.0, 0.25, -0.5, -1.0])


@st.composite
def graphs(draw):
    """A functional model in float64, of every kind of layer, with random weights."""
    image = x = keras.Input(draw(st.tuples(st.integers(5, 9), st.integers(5, 9), st.integers(1, 3))))
    x = draw(first_steps(x))
    for _ in range(draw(st.integers(1, 2))):
        x = draw(draw(st.sampled_from([stacked, stacked, residual, branched, nested]))(x))
    model = keras.Model(image, draw(scores(x)))
    set_random_weights(model, draw(st.integers(0, 2**32 - 1)))
    return model


@st.composite
def first_steps(draw, x):
    """What says how pixels become numbers."""
    channels = x.shape[3]
    kind = draw(st.sampled_from(["rescaling", "channels", "normalization", "operators"]))
    if kind == "rescaling":
        return Rescaling(draw(SCALES), draw(OFFSETS))(x)
    if kind == "channels":
        each = [draw(st.lists(of, min_size=channels, max_size=channels)) for of in (SCALES, OFFSETS)]
        return Rescaling(*each)(x)
    if kind == "normalization":
        return Normalization(mean=[100.0] * channels, variance=[5000.0] * channels)(x)
    return draw(st.sampled_from([x / 255.0, x / 127.5 - 1.0, 1.0 - x / 255.0, x * np.array([[0.004]])]))


@st.composite
def stacked(draw, x, filters=None, strides=None):
    """Linear layers that end in a ReLU, and what may follow it."""
    if draw(st.booleans()):
        x = BatchNormalization(epsilon=1e-3, center=draw(st.booleans()))(x)
    x = draw(linear(x, filters or draw(st.integers(1, 6)), strides))
    if draw(st.booleans()):
        x = BatchNormalization(scale=draw(st.booleans()), name=unique("positive"))(x)
    pooled = strides is None and draw(st.sampled_from([False, False, True]))  # before the ReLU
    if pooled:
        padding = draw(st.sampled_from(["valid", "same", "zeros"]))  # both could leave a window without any number
        if padding == "zeros":
            x, padding = ZeroPadding2D(1)(x), "valid"
        size = [min(2, side) for side in x.shape[1:3]]
        x = MaxPooling2D(size, draw(st.integers(1, 2)), padding)(x)
        x = BatchNormalization(name=unique("positive"))(x)
    x = draw(rectified(x))
    if strides is None:
        x = draw(after(x))
    return x


@st.composite
def linear(draw, x, filters, strides=None):
    """A convolution of some kind, perhaps after a padding or a cropping of its own."""
    height, width, channels = x.shape[1:]
    bias = ZEROS | {"use_bias": draw(st.booleans())}
    if strides is not None:
        return Conv2D(filters, draw(st.integers(1, 3)), strides, "same", **bias)(x)
    kind = draw(st.sampled_from(["plain", "plain", "dilated", "padded", "groups", "depthwise", "separable", "dense"]))
    padding = draw(st.sampled_from(["same", "valid"]))
    if kind == "dense":
        return Dense(filters, **bias)(x)
    if kind == "groups":
        return Conv2D(2 * channels, draw(PAIRS), padding="same", groups=channels, **bias)(x)
    if kind == "depthwise":
        bias["depthwise_initializer"] = bias.pop("kernel_initializer")
        return DepthwiseConv2D(draw(PAIRS), 1, padding="same", depth_multiplier=draw(st.integers(1, 2)), **bias)(x)
    if kind == "separable":
        zeros = {"depthwise_initializer": "zeros", "pointwise_initializer": "zeros"}
        return SeparableConv2D(filters, draw(PAIRS), padding="same", use_bias=bias["use_bias"], **zeros)(x)
    kernel = draw(PAIRS) if padding == "same" else tuple(map(min, draw(PAIRS), (height, width)))
    if kind == "dilated":
        return Conv2D(filters, kernel, padding="same", dilation_rate=draw(PAIRS), **bias)(x)
    if kind == "padded":
        pads = draw(PADS)
        x = ZeroPadding2D(pads)(x)
        return Conv2D(filters, [1 + sum(pair) for pair in pads], draw(PAIRS), **bias)(x)
    return Conv2D(filters, kernel, draw(PAIRS), padding, **bias)(x)


@st.composite
def rectified(draw, x):
    highest = draw(st.sampled_from([0.6, 1.0, 6.0, float("inf")]))
    kinds = [
        lambda: ReLU()(x),
        lambda: ReLU(highest if highest < 7 else None)(x),
        lambda: Activation("relu")(x),
        lambda: Activation("relu6")(x),
        lambda: keras.ops.relu(x),
        lambda: keras.ops.relu6(x),
        lambda: keras.activations.relu(x, max_value=highest),
        lambda: keras.ops.maximum(x, 0.0),
        lambda: keras.ops.clip(x, 0.0, highest),
    ]
    return draw(st.sampled_from(kinds))()


@st.composite
def max_pooled(draw, x):
    size, strides = (tuple(map(min, draw(PAIRS), x.shape[1:3])) for _ in range(2))
    return MaxPooling2D(size, strides, draw(st.sampled_from(["valid", "same"])))(x)


@st.composite
def after(draw, x):
    """A layer that may follow a ReLU, or none."""
    kind = draw(st.sampled_from([None, None, "max", "average", "dropout", "crop", "padded max"]))
    if kind == "max":
        return draw(max_pooled(x))
    if kind == "padded max":
        pads = draw(st.tuples(*[st.sampled_from([(0, 1), (1, 0), (1, 1)])] * 2))
        x, size = ZeroPadding2D(pads)(x), draw(st.sampled_from([2, 3]))
        return MaxPooling2D([min(size, side) for side in x.shape[1:3]], draw(st.integers(1, 2)))(x)
    if kind == "dropout":
        return Dropout(0.5, seed=0)(x)
    if kind == "average":
        pool = tuple(map(min, draw(PAIRS), x.shape[1:3]))
        x = AveragePooling2D(pool, draw(PAIRS))(x)
    elif kind == "crop" and min(x.shape[1:3]) > 2:
        x = Cropping2D(draw(st.sampled_from([((1, 0), (0, 1)), ((0, 1), (1, 1))])))(x)
    else:
        return x
    # what follows must not pad before the next ReLU
    return draw(rectified(Conv2D(draw(st.integers(1, 4)), draw(st.integers(1, min(2, *x.shape[1:3]))), **ZEROS)(x)))


@st.composite
def residual(draw, x):
    """A skip connection, whose sum passes a ReLU or not."""
    filters, strides = x.shape[3], draw(st.sampled_from([1, 1, 2]))
    shortcut = x
    if strides > 1:
        kinds = [Conv2D(filters, 1, strides, **ZEROS), MaxPooling2D(1, strides)]
        shortcut = draw(st.sampled_from(kinds))(x)
    y = draw(stacked(x, strides=strides))
    y = Conv2D(filters, 3, padding="same", **ZEROS)(y)
    if draw(st.booleans()):
        y = BatchNormalization()(y)
    kinds = [
        lambda: Add()([y, shortcut]),
        lambda: y + shortcut,
        lambda: Subtract()([shortcut, y]),
        lambda: Average()([shortcut, y]),
    ]
    x = draw(st.sampled_from(kinds))()
    if draw(st.booleans()):
        return draw(rectified(x))
    y = draw(rectified(BatchNormalization(name=unique("preactivation"))(x)))
    return draw(rectified(x + Conv2D(filters, 1, **ZEROS)(y)))


@st.composite
def branched(draw, x):
    """Branches that are joined by channels, as in an Inception or a DenseNet block."""
    branches = [draw(stacked(x, strides=1)) for _ in range(2)]
    if draw(st.booleans()):
        branches.append(x)  # perhaps no activation yet, but for pixels
    joined = Concatenate()(branches)
    if draw(st.booleans()):
        joined = draw(rectified(BatchNormalization()(joined)))
    return joined


@st.composite
def nested(draw, x):
    """A model inside the model."""
    image = keras.Input(x.shape[1:])
    if draw(st.booleans()):
        settings = {"padding": "same", "activation": "relu"} | ZEROS
        return keras.Sequential([image, Conv2D(3, 3, **settings), MaxPooling2D(2, padding="same")])(x)
    return keras.Model(image, draw(stacked(image)))(x)


@st.composite
def scores(draw, x):
    """A classifier."""
    kind = draw(st.sampled_from([Flatten, GlobalAveragePooling2D, GlobalMaxPooling2D, Permute]))
    if kind == GlobalMaxPooling2D:  # perhaps of pixels otherwise, which no block pools
        x = draw(rectified(Conv2D(draw(st.integers(1, 4)), 1, **ZEROS)(x)))
    x = Flatten()(Permute((3, 1, 2))(x) if kind == Permute else kind()(x))
    if draw(st.booleans()):
        x = BatchNormalization()(x)
    x = draw(rectified(Dense(draw(st.integers(1, 5)), **ZEROS)(x)))
    x = Dense(draw(st.integers(2, 5)), **ZEROS)(x)
    if draw(st.booleans()):
        x = Reshape((-1,))(Reshape((1, 1, -1))(x))
    return draw(st.sampled_from([lambda: x, lambda: Softmax()(x), lambda: keras.ops.softmax(x)]))()


def unique(name):
    return f"{name}_{next(NUMBERS)}"


def set_random_weights(model, seed):
    """Kernels that keep activations of the size of their inputs, means and biases around 0, half of them 0."""
    rng = np.random.default_rng(seed)
    for variable in model.variables:
        name, shape = variable.path.split("/")[-1], variable.shape
        if "kernel" in name:
            values = rng.normal(0, 1.5 / np.sqrt(np.prod(shape[:-1])), shape)
        elif name == "moving_variance":
            values = rng.uniform(0.1, 1, shape)
        elif name == "gamma":
            values = rng.normal(0.7, 0.5, shape)
            if "positive" in variable.path:
                values = np.abs(values)
        elif "seed" in name or ("normalization/" in variable.path and "batch" not in variable.path):
            continue
        else:
            values = rng.normal(0, 0.3, shape) * rng.integers(0, 2, shape)
        variable.assign(values)


def quantized_counts(model, graph, pixels, level, scales=None):
    """S * activation / scale of every block of a Graph as Keras's own layers give it, and the scores.

    Parameters
    ----------
    model : a Keras model in float64 without quantisers
    graph : the Graph that it was folded to
    pixels : integer array (images, h, w, channels)
    level : int, of the quantiser that is put after each ReLU
    scales : of each block; 1 for all by default
    """
    scales = scales or [1.0] * len(graph.nodes)
    counts = [None] * len(graph.nodes)

    def blocks_of(name):
        """The numbers of the blocks whose joined channels the layer of a name gives."""
        named = [index for index, node in enumerate(graph.nodes) if node.layers[-1] == name]
        inner = {graph.nodes[index].scale_of for index in named}  # a pooling after its ReLU is what the layer gives
        return [index for index in named if index + 1 not in inner]

    def call(name, node, arguments, settings):
        result = node.operation(*arguments, **settings)
        blocks = blocks_of(name)
        if blocks:
            values, first, parts = np.asarray(result), 0, []
            values = values.reshape(len(values), *graph.nodes[blocks[0]].shape[:2], -1)
            for index in blocks:
                last = first + graph.nodes[index].shape[2]
                part = values[..., first:last] / scales[index] * 2**level
                counts[index] = np.floor(part + 0.5 + 1e-5)
                parts.append(counts[index] * scales[index] / 2**level)
                first = last
            result = keras.ops.convert_to_tensor(np.concatenate(parts, axis=3).reshape(result.shape))
        return [result]

    inputs = keras.ops.convert_to_tensor(pixels.reshape(len(pixels), *model.input_shape[1:]).astype(np.float64))
    return counts, np.asarray(walk(model, inputs, call))
