"""ONNX networks to convert: by onnx.helper, and drawn by hypothesis."""

import numpy as np
from hypothesis import strategies as st
from onnx import TensorProto, helper, numpy_helper

from spiking.conversion.onnx_prediction import reference

OPSETS = st.sampled_from([11, 13, 18, 21])
SIZES = st.integers(1, 3)
PAIRS = st.tuples(SIZES, SIZES)
PADS = st.tuples(*[st.integers(0, 2)] * 4)  # top, left, bottom, right


class Net:
    """A network in float64 that grows, node by node; the values of its tensors for one image tell their shapes."""

    def __init__(self, shape, opset=13, seed=0):
        """`shape` is (c, h, w)."""
        self.opset, self.rng = opset, np.random.default_rng(seed)
        self.nodes, self.arrays = [], []
        self.values = {"image": self.rng.random((1, *shape))}

    def __repr__(self):
        return "; ".join(f"{node.output[0]} = {node.op_type}({', '.join(node.input)})" for node in self.nodes)

    def shape(self, name):
        return self.values[name].shape[1:]

    def constant(self, array, integers=False):
        """The name of an initialiser."""
        name = f"array{len(self.arrays)}"
        array = np.array(array, np.int64 if integers else np.float64)
        self.arrays.append(numpy_helper.from_array(array, name))
        self.values[name] = array
        return name

    def integers(self, *numbers):
        """The name of one with these integers."""
        return self.constant(numbers, integers=True)

    def weights(self, *shape):
        """The name of one with random numbers that keep activations of the size of their inputs."""
        return self.constant(self.rng.normal(0, 1.5 / np.sqrt(np.prod(shape[1:])), shape))

    def biases(self, number):
        """The name of one with random numbers, half of which are 0."""
        return self.constant(self.rng.normal(0, 0.5, number) * self.rng.integers(0, 2, number))

    def add(self, operator, *inputs, **settings):
        """The name of what an operator gives."""
        name = f"{operator.lower()}{len(self.nodes)}"
        node = helper.make_node(operator, inputs, [name], name, **settings)
        read = {source: self.values[source] for source in inputs if source}
        self.values[name] = reference(self._model([node], read, [name])).run(None, read)[0]
        self.nodes.append(node)
        return name

    def put(self, operator, *inputs, **settings):
        """The same of one that may be no operator at all: taken for one that changes nothing."""
        name = f"{operator.lower()}{len(self.nodes)}"
        self.nodes.append(helper.make_node(operator, inputs, [name], name, **settings))
        self.values[name] = self.values[inputs[0]]
        return name

    def convolve(self, x, filters, size, groups=1, bias=True, **settings):
        channels = self.shape(x)[0]
        inputs = [x, self.weights(filters, channels // groups, *size)]
        inputs += [self.biases(filters)] if bias else []
        return self.add("Conv", *inputs, kernel_shape=size, group=groups, **settings)

    def normalize(self, x, positive=False):
        channels = self.shape(x)[0]
        scale = self.rng.normal(0.7, 0.5, channels)
        bias, mean, variance = *self.rng.normal(0, 0.3, (2, channels)), self.rng.uniform(0.1, 1, channels)
        arrays = np.abs(scale) if positive else scale, bias, mean, variance
        return self.add("BatchNormalization", x, *map(self.constant, arrays), epsilon=1e-3)

    def product(self, x, outputs):
        return self.add("MatMul", x, self.constant(self.rng.normal(0, 1, (*self.shape(x), outputs))))

    def rectified(self, x="image", filters=3, size=(2, 2)):
        """A ReLU after a convolution."""
        return self.add("Relu", self.convolve(x, filters, size))

    def classified(self, x, batch="n"):
        """The ModelProto with three scores of an image or a vector."""
        return self.model(self.product(self.add("Flatten", x), 3), batch)

    def model(self, scores, batch="n"):
        """The ModelProto."""
        model = self._model(self.nodes, ["image"], [scores])
        image = helper.make_tensor_value_info("image", TensorProto.DOUBLE, (batch, *self.shape("image")))
        model.graph.input[0].CopyFrom(image)
        model.graph.initializer.extend(self.arrays)
        return model

    def _model(self, nodes, inputs, outputs):
        inputs, outputs = (
            [helper.make_tensor_value_info(name, TensorProto.DOUBLE, None) for name in names]
            for names in (inputs, outputs)
        )
        graph = helper.make_graph(nodes, "net", inputs, outputs)
        return helper.make_model(graph, opset_imports=[helper.make_opsetid("", self.opset)], ir_version=8)


@st.composite
def nets(draw):
    """A Net of every kind of operator, and the name of its scores."""
    net = Net(draw(st.tuples(SIZES, st.integers(5, 9), st.integers(5, 9))), draw(OPSETS), draw(st.integers(0, 99)))
    x = "image"
    for _ in range(draw(st.integers(1, 2))):
        x = draw(draw(st.sampled_from([stacked, stacked, residual, branched]))(net, x))
    return net, draw(scores(net, x))


@st.composite
def stacked(draw, net, x, filters=None, strides=None):
    """Linear operators that end in a ReLU, and what may follow it."""
    if draw(st.booleans()):
        x = net.normalize(x)
    x = draw(linear(net, x, filters or draw(st.integers(1, 6)), strides))
    factor = draw(st.sampled_from([None, "normalize", "Mul", "Div"]))
    if factor == "normalize":
        x = net.normalize(x, positive=True)
    elif factor:
        numbers = net.rng.uniform(0.5, 2, draw(st.sampled_from([(), (1,), (net.shape(x)[0], 1, 1)])))
        x = net.add(factor, x, net.constant(numbers))
        x = net.add(draw(st.sampled_from(["Add", "Sub"])), x, net.constant(net.rng.normal(0, 0.3, (1, 1, 1, 1))))
    if strides is None and draw(st.integers(0, 3)) == 0:  # before the ReLU
        x = draw(max_pooled(net, x))
    x = draw(rectified(net, x))
    return x if strides else draw(after(net, x))


@st.composite
def linear(draw, net, x, filters, strides=None):
    """A convolution of some kind, perhaps after a padding of its own."""
    channels, height, width = net.shape(x)
    bias = draw(st.booleans())
    if strides:
        size = draw(st.sampled_from([1, 3]))
        return net.convolve(x, filters, (size, size), bias=bias, pads=[size // 2] * 4, strides=(strides, strides))
    kind = draw(st.sampled_from(["valid", "pads", "auto", "dilated", "groups", "padded"]))
    size = tuple(map(min, draw(PAIRS), (height, width)))
    if kind == "valid":
        return net.convolve(x, filters, size, bias=bias, strides=draw(PAIRS))
    if kind == "pads":
        top, left, bottom, right = pads = draw(PADS)
        size = tuple(map(min, draw(PAIRS), (height + top + bottom, width + left + right)))
        return net.convolve(x, filters, size, bias=bias, pads=pads, strides=draw(PAIRS))
    if kind == "auto":
        auto = draw(st.sampled_from(["SAME_UPPER", "SAME_LOWER", "VALID"]))
        return net.convolve(x, filters, size, bias=bias, auto_pad=auto, strides=draw(PAIRS))
    if kind == "dilated":
        return net.convolve(x, filters, draw(PAIRS), bias=bias, pads=[4, 5, 4, 3], dilations=draw(PAIRS))
    if kind == "groups":
        return net.convolve(x, 2 * channels, draw(PAIRS), channels, bias=bias, pads=[1, 1, 1, 1])
    top, left, bottom, right = draw(PADS)
    pads, axes = (0, 0, top, left, 0, 0, bottom, right), []
    if net.opset >= 18 and draw(st.booleans()):  # the columns alone
        top, bottom, pads, axes = 0, 0, (left, right), ["", net.integers(-1)]
    x = net.add("Pad", x, net.constant(pads, integers=True), *axes)
    return net.convolve(x, filters, (1 + top + bottom, 1 + left + right), bias=bias, strides=draw(PAIRS))


@st.composite
def rectified(draw, net, x):
    kind = draw(st.sampled_from(["relu", "relu", "clip", "half"]))
    if kind == "relu":
        return net.add("Relu", x)
    high = [net.constant(draw(st.sampled_from([0.6, 1.0, 6.0])))] if kind == "clip" else []
    return net.add("Clip", x, net.constant(0.0), *high)


@st.composite
def max_pooled(draw, net, x):
    size, strides = (tuple(map(min, draw(PAIRS), net.shape(x)[1:])) for _ in range(2))
    strides = strides if size != (1, 1) else size
    pads = [draw(st.integers(0, length - 1)) for length in (*size, *size)]
    ceil = draw(st.integers(0, 1))
    return net.add("MaxPool", x, kernel_shape=size, strides=strides, pads=pads, ceil_mode=ceil)


@st.composite
def after(draw, net, x):
    """A layer that may follow a ReLU, or none."""
    kind = draw(st.sampled_from([None, None, "max", "average", "Dropout", "Identity"]))
    if kind == "max":
        return draw(max_pooled(net, x))
    if kind == "average":  # what follows must not pad before the next ReLU
        size = tuple(map(min, draw(PAIRS), net.shape(x)[1:]))
        pads = [draw(st.integers(0, length - 1)) for length in (*size, *size)]
        settings = {"pads": pads, "count_include_pad": int(any(pads))}
        x = net.add("AveragePool", x, kernel_shape=size, strides=draw(PAIRS), **settings)
        return draw(rectified(net, net.convolve(x, draw(st.integers(1, 4)), (1, 1))))
    return net.add(kind, x) if kind else x


@st.composite
def residual(draw, net, x):
    """A skip connection, whose sum passes a ReLU or not."""
    filters, strides = net.shape(x)[0], draw(st.sampled_from([1, 1, 2]))
    shortcut = net.convolve(x, filters, (1, 1), bias=False, strides=(strides, strides)) if strides > 1 else x
    y = draw(stacked(net, x, strides=strides))
    y = net.convolve(y, filters, (3, 3), pads=[1, 1, 1, 1])
    if draw(st.booleans()):
        y = net.normalize(y)
    x = net.add(draw(st.sampled_from(["Add", "Sub"])), shortcut, y)
    if draw(st.booleans()):
        return draw(rectified(net, x))
    y = draw(rectified(net, net.normalize(x)))
    return draw(rectified(net, net.add("Add", net.convolve(y, filters, (1, 1)), x)))


@st.composite
def branched(draw, net, x):
    """Branches that are joined by channels, as in an Inception or a DenseNet block."""
    branches = [draw(stacked(net, x, strides=1)) for _ in range(2)]
    if x != "image" and draw(st.booleans()):
        branches.append(x)
    joined = net.add("Concat", *branches, axis=draw(st.sampled_from([1, -3])))
    return draw(rectified(net, net.normalize(joined))) if draw(st.booleans()) else joined


@st.composite
def scores(draw, net, x):
    """A classifier."""
    x = draw(flat(net, x))
    if draw(st.booleans()):
        x = net.normalize(x)
    hidden, classes = draw(st.integers(1, 5)), draw(st.integers(2, 5))
    weights = net.constant(net.rng.normal(0, 1, (hidden, *net.shape(x))))
    biases = [net.biases(hidden)] if draw(st.booleans()) else []
    x = net.add("Gemm", x, weights, *biases, transB=1, alpha=0.5, beta=2.0)
    x = draw(rectified(net, x))
    x = net.add("Add", net.biases(classes), net.product(x, classes))
    last = draw(st.sampled_from([None, "Softmax", "LogSoftmax"]))
    return net.add(last, x, axis=draw(st.sampled_from([1, -1]))) if last else x


@st.composite
def flat(draw, net, x):
    """A vector of an image, in one of the ways in which exporters write it."""
    kind = draw(st.sampled_from(["Flatten", "Reshape", "size", "Transpose", "mean", "average", "largest"]))
    if kind == "Flatten":
        return net.add("Flatten", x)
    if kind == "Reshape":
        return net.add("Reshape", x, net.constant(draw(st.sampled_from([(0, -1), (1, -1)])), integers=True))
    if kind == "size":  # x.view(x.size(0), -1)
        batch = net.add("Gather", net.add("Shape", x), net.integers(0), axis=0)
        return net.add("Reshape", x, net.add("Concat", batch, net.integers(-1), axis=0))
    if kind == "Transpose":
        return net.add("Flatten", net.add("Transpose", x, perm=[0, *draw(st.permutations([1, 2, 3]))]))
    if kind == "mean":
        inputs, axes = ([], {"axes": [3, 2]}) if net.opset < 18 else ([net.integers(-2, -1)], {})
        return net.add("ReduceMean", x, *inputs, **axes, keepdims=0)
    x = net.add("GlobalAveragePool" if kind == "average" else "GlobalMaxPool", x)
    if net.opset < 13:
        return net.add("Flatten", x, axis=-3)
    return net.add("Squeeze", x, net.integers(-1, 2))
