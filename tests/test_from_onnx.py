"""ONNX networks as spiking networks: every neuron against onnx.reference, predictions against PyTorch's."""

import sys
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import onnx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal
from onnx import TensorProto, helper, numpy_helper

from experiment.images import load_split
from spiking.conversion import convert, onnx_prediction
from spiking.conversion.assembly import assemble
from spiking.conversion.converted import convert_graph
from spiking.conversion.from_onnx import fold
from spiking.conversion.nodes import Pooled
from tests import reference
from tests.exactness import assert_blocks_compute, assert_spikes_are_exact
from tests.onnx_graphs import Net, nets
from tests.onnx_operators import OPERATORS

EXPORTED = Path(__file__).parent / "data" / "onnx"
LEVEL = 6


@pytest.fixture(scope="module")
def path(tmp_path_factory):
    return tmp_path_factory.mktemp("onnx") / "my.onnx"


def assert_computes_the_same(path, model, level=1, scale=1 / 255, offset=0.0, seed=0, by=None):
    """`by` is a ModelProto that computes the same as the model, where onnx.reference cannot compute that."""
    path.write_bytes(model.SerializeToString())
    graph = fold(path, scale, offset)
    pixels = np.random.default_rng(seed).integers(0, 256, (3, *graph.image_shape))
    inputs = (scale * pixels + offset).transpose(0, 3, 1, 2)
    assert_blocks_compute(*quantized(by or model, graph, inputs, level), graph, level, pixels)


def quantized(model, graph, inputs, level):
    """S * activation of every block of a Graph as onnx.reference gives it, and the scores.

    Parameters
    ----------
    model : ModelProto in float64
    graph : the Graph that it was folded to
    inputs : float64 array (images, c, h, w), what the network expects
    level : int, of the quantiser that is put after each ReLU
    """
    of_label, proto = {}, onnx.ModelProto.FromString(model.SerializeToString())
    for name, value in {"S": 2.0**level, "half": 0.5 + 1e-5}.items():
        proto.graph.initializer.append(numpy_helper.from_array(np.array(value), name))
    nodes = list(proto.graph.node)
    del proto.graph.node[:]
    for number, node in enumerate(nodes, start=1):
        label, output = f"{node.name} ({node.op_type}, node {number})", node.output[0]
        if label in graph.rectifiers:
            node.output[0] = f"{output}.real"
            steps = [(node.output[0], "S"), (f"{output}.1", "half"), (f"{output}.2",), (f"{output}.3", "S")]
            operators, results = ("Mul", "Add", "Floor", "Div"), (*(f"{output}.{step}" for step in (1, 2, 3)), output)
            made = map(helper.make_node, operators, steps, ([result] for result in results))
            proto.graph.node.extend([node, *made])
        else:
            proto.graph.node.append(node)
        of_label[label] = output
    wanted = [of_label[node.layers[-1]] for node in graph.nodes]
    for name in dict.fromkeys(wanted):
        if all(name != output.name for output in proto.graph.output):
            proto.graph.output.append(helper.make_tensor_value_info(name, TensorProto.DOUBLE, None))
    names = [output.name for output in proto.graph.output]
    run = onnx_prediction.reference(proto).run  # an image at a time, as some shapes say so
    values = dict(zip(names, map(np.concatenate, zip(*(run(names, {"image": image[None]}) for image in inputs)))))
    counts = [None] * len(graph.nodes)
    for name in set(wanted):
        blocks = [index for index, of_block in enumerate(wanted) if of_block == name]
        pooled = [index for index in blocks if isinstance(graph.nodes[index], Pooled)]
        blocks, first = pooled if pooled and len(pooled) < len(blocks) else blocks, 0
        image = values[name].reshape(*values[name].shape, *[1] * (4 - values[name].ndim))
        for index in blocks:
            channels = slice(first, first := first + graph.nodes[index].shape[2])
            counts[index] = 2**level * image[:, channels].transpose(0, 2, 3, 1)
    return counts, values[names[0]]


@settings(max_examples=60)
@given(nets(), st.integers(0, 3), st.sampled_from([0.0, 0.25, -1.0]), st.integers(0, 99))
def test_folded_blocks_compute_what_the_file_computes(path, net, level, offset, seed):
    net, scores = net
    assert_computes_the_same(path, net.model(scores), level, 1 / 255, offset, seed)


@settings(max_examples=20)
@given(nets(), st.integers(0, 3), st.booleans(), st.integers(0, 99))
def test_every_neuron_equals_the_quantized_network_on_the_rounded_weights(path, net, level, calibrated, seed):
    net, scores = net
    path.write_bytes(net.model(scores).SerializeToString())
    graph = fold(path, 1 / 255, -0.5)
    pixels = np.random.default_rng(seed).integers(0, 256, (3, *graph.image_shape))
    converted = convert_graph(graph, level, pixels if calibrated else None)
    assert_spikes_are_exact(converted, pixels)
    assert_spikes_are_exact(converted, pixels, max_spikes=1)


@pytest.mark.parametrize("name", OPERATORS)
def test_an_operator_is_what_onnx_says(path, name):
    opset, build = OPERATORS[name]
    net = Net((2, 7, 6), opset)
    x = build(net, net.rectified(filters=4))
    if len(net.shape(x)) == 3:
        x = net.add("Flatten", x)
    assert_computes_the_same(path, net.model(net.product(net.add("Relu", net.product(x, 5)), 3)), level=2)


def softmax_of_one_position(last, opset, **settings):
    net = Net((1, 4, 4), opset)
    x = net.add("GlobalAveragePool", net.convolve(net.rectified(size=(3, 3)), 5, (2, 2)))
    return net.model(net.add(last, x, **settings))


@pytest.mark.parametrize("last", ["Softmax", "LogSoftmax"])
def test_a_softmax_of_an_image_of_one_position_is_left_out(path, last):
    assert_computes_the_same(path, softmax_of_one_position(last, 13, axis=1))


def test_before_opset_13_a_softmax_is_over_all_numbers(path):
    """Which onnx.reference does not know."""
    assert_computes_the_same(
        path, softmax_of_one_position("Softmax", 11), by=softmax_of_one_position("Softmax", 13, axis=1)
    )


def test_negative_padding_crops(path):
    net = Net((1, 6, 7))
    x = net.add("Slice", net.rectified(), net.integers(1, 0), net.integers(9, -2), net.integers(2, 3))
    sliced = net.classified(net.rectified(x, size=(1, 1)))
    padded = type(sliced).FromString(sliced.SerializeToString())
    crop = [0, 0, -1, 0, 0, 0, 0, -2]  # onnx.reference cannot pad so
    padded.graph.initializer.append(numpy_helper.from_array(np.array(crop), "crop"))
    padded.graph.node[2].CopyFrom(helper.make_node("Pad", ["relu1", "crop"], [x], x))
    assert_computes_the_same(path, padded, by=sliced)


def test_a_squeeze_by_an_attribute_is_a_flatten(path):
    net = Net((1, 4, 4), opset=11)
    x = net.add("GlobalMaxPool", net.rectified())
    assert_computes_the_same(path, net.model(net.product(net.add("Squeeze", x, axes=[2, 3]), 3)))


def test_the_order_of_channels_first_is_kept_through_a_flatten(path):
    """A network whose scores are single activations, each at its place (c, h, w)."""
    net = Net((2, 3, 4))
    net.arrays.clear()
    identity = net.constant(np.eye(2).reshape(2, 2, 1, 1))
    x = net.add("Flatten", net.add("Relu", net.add("Conv", "image", identity)))
    path.write_bytes(net.model(net.add("MatMul", x, net.constant(np.eye(24)))).SerializeToString())
    network, weights = assemble(fold(path, 1.0))
    pixels = np.random.default_rng(0).permutation(24).reshape(1, 3, 4, 2)
    _, scores = reference.artificial(weights, network, 0, pixels)
    assert_allclose(scores[0], pixels[0].transpose(2, 0, 1).reshape(-1))


def test_scale_and_offset_may_be_of_each_channel(path):
    net = Net((3, 5, 5))
    model = net.classified(net.add("Relu", net.convolve("image", 2, (3, 3), pads=[1] * 4)))
    scale, offset = np.array([0.01, 0.02, 0.03]), np.array([-1.0, 0.5, 0.0])
    assert_computes_the_same(path, model, 2, scale, offset)


@pytest.mark.parametrize("name", ["pool_then_relu", "resnet_small"])
def test_networks_of_pytorch_predict_what_pytorch_predicts(name):
    pixels = load_split("test").pixels[:200]
    for_calibration = load_split("train").pixels[:200]
    with np.load(EXPORTED / f"{name}.npz") as file:
        expected = file["scores"]
    converted = convert(EXPORTED / f"{name}.onnx", LEVEL, for_calibration, scale=1 / 255)
    activity = assert_spikes_are_exact(converted, pixels)
    assert np.sum(activity.predictions()[:, -1] == expected.argmax(axis=1)) >= 197
    assert_allclose(onnx_prediction.scores(EXPORTED / f"{name}.onnx", pixels[:20], 1 / 255), expected[:20], atol=1e-4)


def test_the_scores_of_a_file_that_takes_a_fixed_number_of_images(path):
    net = Net((1, 4, 4))
    scores = net.product(net.add("Flatten", net.rectified()), 3)
    pixels = np.random.default_rng(0).integers(0, 256, (5, 4, 4, 1))
    results = []
    for batch in ("n", 2):
        path.write_bytes(net.model(scores, batch).SerializeToString())
        results.append(onnx_prediction.scores(path, pixels, 1 / 255, -0.5))
    assert results[0].shape == (5, 3)
    assert_allclose(*results, rtol=1e-12)


@pytest.mark.parametrize(
    ("kind", "dtype", "offset"),
    [(TensorProto.DOUBLE, np.float64, {"offset": -0.5}), (TensorProto.FLOAT, np.float32, {})],
)
def test_onnxruntime_gives_the_scores_where_it_is_installed(path, monkeypatch, kind, dtype, offset):
    net = Net((1, 4, 3))
    model = net.classified(net.rectified(), batch=2)
    model.graph.input[0].type.tensor_type.elem_type = kind
    path.write_bytes(model.SerializeToString())
    calls = []

    class InferenceSession:
        def __init__(self, name):
            assert name == str(path)

        def run(self, outputs, inputs):
            calls.append((outputs, *inputs.items()))
            return [len(calls) + np.zeros((2, 3))]

    runtime = SimpleNamespace(InferenceSession=InferenceSession, set_default_logger_severity=lambda severity: None)
    monkeypatch.setitem(sys.modules, "onnxruntime", runtime)
    monkeypatch.setattr(onnx_prediction, "IMAGES_OF_REFERENCE", 1)  # of which it computes more
    pixels = np.random.default_rng(0).integers(0, 256, (3, 4, 3, 1))
    found = onnx_prediction.scores(path, pixels, 1 / 255, **offset)
    assert_array_equal(found, [[1] * 3, [1] * 3, [2] * 3])
    padded = np.concatenate([1 / 255 * pixels + offset.get("offset", 0), np.zeros((1, 4, 3, 1))]).transpose(
        0, 3, 1, 2
    )
    for (outputs, (name, images)), expected in zip(calls, (padded[:2], padded[2:]), strict=True):
        assert (outputs, name, images.dtype, images.flags.c_contiguous) == (None, "image", dtype, True)
        assert_array_equal(images, expected.astype(dtype))


@pytest.mark.parametrize(
    ("text", "shown"), [("bad node\nat line 7", "bad node"), ("", "RuntimeError"), (300 * "x", 200 * "x")]
)
def test_a_model_that_cannot_be_run_itself_is_an_error_that_says_why(path, monkeypatch, text, shown):
    def run(outputs, inputs):
        raise RuntimeError(text)

    path.write_bytes(Net((1, 4, 4)).classified("image").SerializeToString())
    monkeypatch.setattr(onnx_prediction, "_evaluator", lambda path, file: (run, None))
    with pytest.raises(ValueError, match=rf"^the model itself cannot be run \({shown}\), expected one that can$"):
        onnx_prediction.scores(path, np.zeros((1, 4, 4, 1)), 1, 0)
