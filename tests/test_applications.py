"""Networks of keras.applications with random weights: every neuron of an image is equal, or a layer is refused.

These are deep, so neurons may fire without a bound; one spike in a time step is tested on smaller networks.
"""

import time

import keras
import pytest

from benchmarks.applications import APPLICATIONS, adapted, row
from spiking.conversion import calibration
from spiking.conversion.converted import convert_graph
from spiking.conversion.from_keras import fold
from tests.exactness import assert_blocks_compute, assert_spikes_are_exact
from tests.keras_graphs import quantized_counts

LEVEL, SIZE, CLASSES = 2, 64, 5


@pytest.fixture(autouse=True)
def cleared(float64):
    keras.config.set_dtype_policy("float64")  # which clear_session has forgotten
    yield
    keras.utils.clear_session()  # VGG16 alone needs 2.7 GB


@pytest.mark.parametrize("name", APPLICATIONS)
def test_every_neuron_of_an_image_is_equal(name):
    model, pixels = adapted(name, SIZE, CLASSES)
    graph, image = fold(model), pixels[:1]
    scales = calibration.scales_of(graph, calibration.observe(graph, pixels))
    counts, scores = quantized_counts(model, graph, image, LEVEL, scales)
    assert_blocks_compute(counts, scores, graph, LEVEL, image, scales)
    assert_spikes_are_exact(convert_graph(graph, LEVEL, pixels), image)


def test_swish_is_refused_at_once_and_by_name():
    model = keras.applications.EfficientNetB0(weights=None, input_shape=(32, 32, 3), classes=CLASSES)
    begin = time.perf_counter()
    with pytest.raises(
        ValueError, match="layer stem_activation: found the activation silu, expected relu"
    ) as refused:
        fold(model)
    assert len(str(refused.value).split("\n")) > 50  # every other one as well
    assert time.perf_counter() - begin < 60


def test_the_row_of_a_network_counts_the_neurons_that_are_equal():
    _, name, blocks, neurons, equal, *_ = row("MobileNet", 32, CLASSES).split("|")
    assert (name.strip(), blocks.strip(), neurons) == ("MobileNet", "27", equal)
