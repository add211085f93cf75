"""Augmentation: images move, turn and grow as far as the recipe says, each in its own way."""

from dataclasses import replace

import numpy as np
import pytest
from LeNet.tensorlayer.prepro import augment
from numpy.testing import assert_allclose, assert_array_equal

from experiment.recipes import AUGMENTED, PAPER
from LeNet.tensorlayer.iterate import ShuffledBatches

NOTHING = replace(AUGMENTED, shift=0, whole_pixels=False, rotation=0.0, zoom=0.0)
SIZE, NUMBER = 28, 2000


def augmented(image, recipe, seed=0):
    """Many copies of an image (h, w), augmented; (NUMBER, h, w)."""
    images = np.repeat(image[None, :, :, None].astype(np.float32), NUMBER, axis=0)
    return augment(images, recipe, np.random.default_rng(seed))[..., 0]


def centres(images):
    """Centre of mass of each image, (images, 2)."""
    positions = np.indices(images.shape[1:]).reshape(2, -1)
    masses = images.reshape(len(images), -1)
    return masses @ positions.T / masses.sum(axis=1, keepdims=True)


def spot(sigma_y, sigma_x):
    """A bell in the middle of the frame."""
    y, x = np.indices((SIZE, SIZE)) - (SIZE - 1) / 2
    return np.exp(-(y**2) / (2 * sigma_y**2) - x**2 / (2 * sigma_x**2))


def second_moments(images):
    """(images, 2, 2), around the middle of the frame."""
    positions = np.indices((SIZE, SIZE)).reshape(2, -1) - (SIZE - 1) / 2
    masses = images.reshape(len(images), -1)
    return np.einsum("np,ip,jp->nij", masses, positions, positions) / masses.sum(axis=1)[:, None, None]


def test_shifts_by_whole_pixels_are_all_shifts_equally_often():
    image = np.random.default_rng(1).random((SIZE, SIZE)).astype(np.float32)
    padded = np.pad(image, 2)
    shifts = [padded[2 - y : 2 - y + SIZE, 2 - x : 2 - x + SIZE] for y in range(-2, 3) for x in range(-2, 3)]
    images = augmented(image, replace(NOTHING, shift=2, whole_pixels=True))
    equal = np.array([[np.array_equal(one, shift) for shift in shifts] for one in images])
    assert_array_equal(equal.sum(axis=1), 1)
    expected = NUMBER / len(shifts)
    assert np.all(np.abs(equal.sum(axis=0) - expected) < 5 * np.sqrt(expected))


def test_shifts_are_uniform_up_to_their_limit():
    image = np.zeros((SIZE, SIZE))
    image[9:20, 9:20] = np.random.default_rng(1).random((11, 11))
    images = augmented(image, replace(NOTHING, shift=2))
    assert_allclose(images.sum(axis=(1, 2)), image.sum(), rtol=1e-4)
    shifts = centres(images) - centres(image[None])
    assert np.all(np.abs(shifts) < 2 + 1e-3)
    assert_allclose(np.mean(np.abs(shifts), axis=0), 1, atol=0.07)  # of uniform numbers up to 2
    assert abs(np.corrcoef(shifts.T)[0, 1]) < 0.1


def test_rotation_is_uniform_up_to_its_limit():
    moments = second_moments(augmented(spot(6, 2), replace(NOTHING, rotation=10.0)))
    angles = np.degrees(np.arctan2(2 * moments[:, 0, 1], moments[:, 0, 0] - moments[:, 1, 1])) / 2
    assert np.all(np.abs(angles) < 10.1)
    assert np.mean(np.abs(angles)) == pytest.approx(5, abs=0.3)


def test_zoom_is_uniform_up_to_its_limit_in_either_direction():
    moments = second_moments(augmented(spot(4, 4), replace(NOTHING, zoom=0.1)))
    scales = np.sqrt(moments[:, [0, 1], [0, 1]] / second_moments(spot(4, 4)[None])[:, [0, 1], [0, 1]])
    assert np.all((scales > 0.9) & (scales < 1.12))
    assert_allclose(np.quantile(scales, [0.05, 0.95]), [1 / 1.09, 1 / 0.91], atol=0.015)
    assert abs(np.corrcoef(scales.T)[0, 1]) < 0.1


def test_kinds_of_changes_do_not_depend_on_one_another():
    moments = second_moments(augmented(spot(6, 2), replace(NOTHING, rotation=10.0, zoom=0.1)))
    angles, areas = moments[:, 0, 1], np.linalg.det(moments)
    assert abs(np.corrcoef(angles, areas)[0, 1]) < 0.1


def test_same_random_numbers_give_the_same_images():
    image = spot(6, 2)
    assert_array_equal(augmented(image, AUGMENTED, seed=3), augmented(image, AUGMENTED, seed=3))
    assert np.any(augmented(image, AUGMENTED, seed=3) != augmented(image, AUGMENTED, seed=4))


def test_paper_recipe_changes_nothing():
    images = np.random.default_rng(1).random((5, SIZE, SIZE, 1)).astype(np.float32)
    assert_array_equal(augment(images, PAPER, np.random.default_rng(0)), images)


def test_epochs_are_augmented_anew_and_the_same_after_an_interruption():
    labels = np.arange(30)
    images = np.zeros((30, SIZE, SIZE, 1), np.float32)
    images[:, 9:19, 9:19, 0] = 1 + labels[:, None, None]

    def epoch(batches):
        batches.on_epoch_begin()
        return [batches[index] for index in range(len(batches))]

    whole = ShuffledBatches(images, labels, batch_size=20, recipe=AUGMENTED, seed=3, epoch=0)
    first, second = epoch(whole), epoch(whole)
    resumed = epoch(ShuffledBatches(images, labels, batch_size=20, recipe=AUGMENTED, seed=3, epoch=1))
    images_by_label = [dict(zip(np.concatenate(y), np.concatenate(x))) for x, y in (zip(*first), zip(*second))]
    for label in labels:
        assert images_by_label[0][label].max() == pytest.approx(1 + label)
        assert np.any(images_by_label[0][label] != images_by_label[1][label])
    for (x, y), (resumed_x, resumed_y) in zip(second, resumed, strict=True):
        assert_array_equal(resumed_x, x)
        assert_array_equal(resumed_y, y)
