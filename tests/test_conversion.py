"""Keras graphs as spiking networks: every neuron against Keras's own layers in float64."""

from functools import partial

import keras
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from keras import layers

from spiking.conversion.affine import Term
from spiking.conversion.assembly import assemble
from spiking.conversion.composition import Refusal
from spiking.conversion.converted import convert_graph
from spiking.conversion.from_keras import fold
from spiking.notation import parse
from tests.exactness import assert_blocks_compute, assert_spikes_are_exact
from tests.keras_graphs import graphs, quantized_counts, set_random_weights
from tests.keras_operators import OPERATORS

pytestmark = pytest.mark.usefixtures("float64")


def random_pixels(graph, seed, images=3):
    return np.random.default_rng(seed).integers(0, 256, (images, *graph.image_shape))


def convolved(x, filters, factors):
    """A convolution, then a normalisation whose factors are these."""
    x = layers.Conv2D(filters, 3, use_bias=False)(x)
    normalized = layers.BatchNormalization(gamma_initializer=lambda shape, dtype: np.array(factors, dtype))
    return normalized(x)


def assert_computes_the_same(model, level, pixels, scales=None):
    graph = fold(model)
    assert_blocks_compute(*quantized_counts(model, graph, pixels, level, scales), graph, level, pixels, scales)


def assert_images_are_computed_the_same(model, level=2):
    """The same with random weights and pixels."""
    set_random_weights(model, seed=0)
    assert_computes_the_same(model, level, random_pixels(fold(model), seed=0))


@settings(max_examples=40)
@given(graphs(), st.integers(0, 3), st.integers(0, 2**32 - 1))
def test_folded_blocks_compute_what_the_model_computes(model, level, seed):
    graph = fold(model)
    scales = np.random.default_rng(seed).uniform(0.1, 3, len(graph.nodes))
    for index, node in enumerate(graph.nodes):
        if node.scale_of:
            scales[index] = scales[node.scale_of - 1]
    pixels = random_pixels(graph, seed)
    assert_computes_the_same(model, level, pixels)
    assert_computes_the_same(model, level, pixels, list(scales))


@settings(max_examples=30)
@given(graphs(), st.integers(0, 3), st.booleans(), st.integers(0, 2**32 - 1))
def test_every_neuron_equals_the_quantized_network_on_the_rounded_weights(model, level, calibrated, seed):
    graph = fold(model)
    pixels = random_pixels(graph, seed)
    converted = convert_graph(graph, level, pixels if calibrated else None)
    assert_spikes_are_exact(converted, pixels)
    assert_spikes_are_exact(converted, pixels, max_spikes=1)
    network = converted.network
    assert parse(network.notation) == network


@pytest.mark.parametrize("name", OPERATORS)
def test_an_operator_is_what_keras_says(name):
    x = layers.Rescaling(1 / 255)(image := keras.Input((5, 7, 2)))
    x = OPERATORS[name](layers.Conv2D(4, 2, activation="relu")(x))
    model = keras.Model(image, layers.Dense(3)(layers.Dense(5, "relu")(layers.Flatten()(x))))
    assert_images_are_computed_the_same(model)


def test_sum_of_two_convolutions_of_one_source_keeps_the_factors_of_each():
    x = layers.Rescaling(1 / 256)(image := keras.Input((6, 6, 2)))
    total = layers.Add()([convolved(x, 3, (0.5, 1, 2)), convolved(x, 3, (3, 1, -1))])
    model = keras.Model(image, layers.Dense(3)(layers.Flatten()(layers.ReLU()(total))))
    assert_computes_the_same(model, 2, random_pixels(fold(model), seed=0))


@pytest.mark.parametrize("scaled", [lambda x: x / 127.5 - 1.0, lambda x: 1.0 - x / 255.0, lambda x: 2.0 + x * 0.01])
def test_operators_scale_pixels_with_the_sign_that_they_have(scaled):
    image = keras.Input((5, 5, 1))
    model = keras.Model(image, layers.Dense(3)(layers.Flatten()(layers.ReLU()(layers.Conv2D(2, 2)(scaled(image))))))
    assert_images_are_computed_the_same(model)


@pytest.mark.parametrize("combined", [lambda x, y: x - y, lambda x, y: x + y, lambda x, y: -x + 2.0 * y])
def test_operators_combine_activations_with_the_sign_that_they_have(combined):
    pixels = layers.Rescaling(1 / 255)(image := keras.Input((5, 5, 1)))
    x, y = (layers.ReLU()(layers.Conv2D(8, 2)(pixels)) for _ in range(2))  # so many that some of either fire
    model = keras.Model(image, layers.Dense(3)(layers.Flatten()(layers.ReLU()(combined(x, y)))))
    assert_images_are_computed_the_same(model)


def test_sum_of_concatenations_that_are_divided_at_different_channels():
    x = layers.ReLU()(layers.Conv2D(3, 2)(layers.Rescaling(1 / 255)(image := keras.Input((5, 5, 1)))))
    halves = [[layers.Conv2D(filters, 2)(x) for filters in sizes] for sizes in ((1, 4), (3, 2))]
    total = layers.Add()([layers.Concatenate()(parts) for parts in halves])
    model = keras.Model(image, layers.Dense(3)(layers.Flatten()(layers.ReLU()(total))))
    assert_images_are_computed_the_same(model)


def test_scores_may_read_a_source_through_several_windows():
    x = layers.ReLU()(layers.Conv2D(3, 3)(layers.Rescaling(1 / 256)(image := keras.Input((6, 6, 2)))))
    centre = layers.Flatten()(layers.Cropping2D(((1, 2), (2, 1)))(x))
    scores = layers.Add()([layers.Dense(4)(centre), layers.Dense(4)(layers.GlobalAveragePooling2D()(x))])
    model = keras.Model(image, scores)
    assert_images_are_computed_the_same(model)


def test_of_a_sum_with_different_gains_each_filters_largest_kernel_stays_as_it_is():
    """Kernels 8 and 1, and 1 and 8, with gains 1 and 4: the other kernels take the ratio of the gains."""
    x = layers.Rescaling(1.0)(image := keras.Input((3, 3, 1)))
    filters = partial(layers.Conv2D, 2, 1, use_bias=False)
    normalized, kernels = [[make() for _ in range(2)] for make in (layers.BatchNormalization, filters)]
    branches = [
        normalize(convolve(layers.ReLU()(layers.Conv2D(1, 1)(x))))
        for normalize, convolve in zip(normalized, kernels, strict=True)
    ]
    model = keras.Model(image, layers.Dense(1)(layers.Flatten()(layers.ReLU()(layers.Add()(branches)))))
    for convolve, normalize, kernel, gain in zip(kernels, normalized, ([8, 1], [1, 8]), (1, 4), strict=True):
        convolve.set_weights([np.reshape(kernel, (1, 1, 1, 2))])
        normalize.set_weights([np.full(2, gain), *np.zeros((2, 2)), np.full(2, 1 - normalize.epsilon)])
    network, weights = assemble(fold(model))
    found = [weights[key].ravel() for key in network.blocks[2].kernel_keys]
    np.testing.assert_allclose(found, [[8, 0.25], [4, 8]], rtol=1e-6)


@pytest.mark.parametrize("factors", [2.0, [3.0, 0.5]])
def test_zeros_around_a_convolution_take_the_offset_and_the_factors_before_the_relu(factors):
    x = layers.Conv2D(2, 3)(layers.Rescaling(1 / 255)(image := keras.Input((5, 5, 2))))
    x = layers.Rescaling(1.0, 0.25)(layers.ZeroPadding2D(1)(x))
    x = layers.ReLU()(layers.Rescaling(factors)(x))
    model = keras.Model(image, layers.Dense(2)(layers.Flatten()(x)))
    assert_images_are_computed_the_same(model, level=3)


def test_factors_that_differ_by_a_billionth_stay_different():
    rng = np.random.default_rng(0)
    factors, kernel = np.array([1, 1 + 1e-9]), rng.normal(size=(2, 2, 2, 3))
    term = Term.identity(1, (4, 4, 2)).scaled(factors)
    both = term.convolved(kernel, 1, range(3), range(3)).matrix()
    alone = Term.identity(1, (4, 4, 2)).convolved(kernel, 1, range(3), range(3)).matrix()
    np.testing.assert_allclose(both, alone * np.tile(factors, 16)[:, None], rtol=1e-14)


@pytest.mark.parametrize(("rows", "columns"), [(1, 3), (3, 1), (3, 3)])
def test_several_windows_over_factors_of_positions_are_refused(rows, columns):
    term = Term.identity(1, (4, 4, 2)).scaled(np.arange(32.0).reshape(4, 4, 2))
    with pytest.raises(Refusal, match="factors that differ from position to position"):
        term.convolved(np.ones((2, 2, 2, 3)), 1, range(rows), range(columns))


def test_two_convolutions_in_a_row_are_the_product_of_their_matrices():
    """With a stride of the first along its rows only."""
    rng = np.random.default_rng(0)
    first, second = rng.normal(size=(2, 3, 2, 3)), rng.normal(size=(2, 2, 3, 4))
    image = Term.identity(1, (7, 6, 2)).convolved(first, 1, range(0, 6, 2), range(4))
    middle = Term.identity(1, (3, 4, 3))
    both, alone = (term.convolved(second, 1, range(2), range(3)) for term in (image, middle))
    np.testing.assert_allclose(both.matrix(), image.matrix() @ alone.matrix(), rtol=1e-12, atol=1e-12)
