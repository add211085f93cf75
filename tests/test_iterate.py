"""The batches of an epoch: all images once, reshuffled, and changed at random as the recipe says."""

from dataclasses import replace

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from experiment.recipes import AUGMENTED, PAPER
from LeNet.tensorlayer.iterate import ShuffledBatches, augment

NOTHING = replace(AUGMENTED, shift=0, rotation=0.0, zoom=0.0, flip=False)
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
    """A Gaussian bell in the centre of the frame."""
    y, x = np.indices((SIZE, SIZE)) - (SIZE - 1) / 2
    return np.exp(-(y**2) / (2 * sigma_y**2) - x**2 / (2 * sigma_x**2))


def second_moments(images):
    """(images, 2, 2), around the middle of the frame."""
    positions = np.indices((SIZE, SIZE)).reshape(2, -1) - (SIZE - 1) / 2
    masses = images.reshape(len(images), -1)
    return np.einsum("np,ip,jp->nij", masses, positions, positions) / masses.sum(axis=1)[:, None, None]


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


def test_every_second_image_is_flipped_as_it_is():
    image = np.random.default_rng(2).random((9, 12)).astype(np.float32)
    flipped = np.array(
        [np.array_equal(found, image[:, ::-1]) for found in augmented(image, replace(NOTHING, flip=True))]
    )
    kept = np.array([np.array_equal(found, image) for found in augmented(image, replace(NOTHING, flip=True))])
    assert np.all(flipped ^ kept)
    assert np.mean(flipped) == pytest.approx(0.5, abs=0.05)


def test_squares_leave_the_other_random_numbers_as_they_are():
    plain, cut = (augmented(spot(6, 2), replace(AUGMENTED, cutout=cutout), seed=3) for cutout in (0, 8))
    assert_array_equal(cut[cut != 0], plain[cut != 0])
    assert np.all(np.any(plain != cut, axis=(1, 2)))


def test_flips_leave_the_other_random_numbers_as_they_are():
    image = spot(6, 2)
    image[:, SIZE // 2 :] = 0  # so that left is not right
    plain, flipped = (augmented(image, replace(AUGMENTED, flip=flip), seed=3) for flip in (False, True))
    same = np.all(plain == flipped, axis=(1, 2))
    assert np.mean(same) == pytest.approx(0.5, abs=0.05)


@pytest.mark.parametrize("side", [3, 4])
def test_a_square_around_a_pixel_becomes_0_and_all_pixels_are_as_likely(side):
    image = np.random.default_rng(2).random((5, 8)).astype(np.float32) + 1
    expected = {}
    for y, x in np.ndindex(image.shape):
        cut = image.copy()
        cut[max(y - side // 2, 0) : y - side // 2 + side, max(x - side // 2, 0) : x - side // 2 + side] = 0
        expected[cut.tobytes()] = 0
    for found in augmented(image, replace(NOTHING, cutout=side)):
        expected[found.tobytes()] += 1  # a KeyError tells of anything else
    assert len(expected) == image.size
    assert_allclose(list(expected.values()), NUMBER / image.size, atol=0.6 * NUMBER / image.size)  # 4 deviations


def test_square_is_cut_out_after_all_other_changes():
    """So its border stays sharp."""
    image = np.ones((SIZE, SIZE))
    images = augmented(image, replace(NOTHING, rotation=10.0, cutout=8))[:, 9:19, 9:19]
    assert set(np.unique(np.round(images, 5))) == {0, 1}
    assert np.any(images == 0)


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


def epochs(images, recipe, first, number):
    """Images and labels of some epochs in their order; the label of an image is its place in `images`."""
    batches = ShuffledBatches(images, np.arange(len(images)), batch_size=20, recipe=recipe, seed=3, epoch=first)
    for _ in range(number):
        batches.on_epoch_begin()
        found = [batches[index] for index in range(len(batches))]
        assert [len(x) for x, _ in found] == [20, 20, 10]
        yield tuple(map(np.concatenate, zip(*found)))


def test_every_epoch_has_all_images_in_an_order_of_its_own():
    images = np.arange(50, dtype=np.float32).reshape(-1, 1, 1, 1)
    found = list(epochs(images, PAPER, 0, 3))
    orders = [y.tolist() for _, y in found]
    for x, y in found:
        assert_array_equal(x.ravel(), y)
        assert sorted(y) == list(range(50)) != y.tolist()
    assert orders[0] != orders[1] != orders[2] != orders[0]


def test_epochs_are_augmented_anew_and_the_same_after_an_interruption():
    images = np.zeros((50, SIZE, SIZE, 1), np.float32)
    images[:, 9:19, 9:19, 0] = 1 + np.arange(50)[:, None, None]
    first, second = epochs(images, AUGMENTED, 0, 2)
    by_label = [dict(zip(y, x)) for x, y in (first, second)]
    for label in range(50):
        assert by_label[0][label].max() == pytest.approx(1 + label)
        assert np.any(by_label[0][label] != by_label[1][label])
    [resumed] = epochs(images, AUGMENTED, 1, 1)
    for found, expected in zip(resumed, second, strict=True):
        assert_array_equal(found, expected)


@pytest.mark.parametrize("shape", [(20, 12, 1), (9, 30, 3)])
def test_images_of_any_shape_are_turned_zoomed_and_shifted_around_their_middle(shape):
    images = np.random.default_rng(4).random((30, *shape)).astype(np.float32)
    rng = np.random.default_rng(0)
    angles = np.radians(rng.uniform(-AUGMENTED.rotation, AUGMENTED.rotation, 30))
    zooms = 1 + rng.uniform(-AUGMENTED.zoom, AUGMENTED.zoom, (2, 30))
    shifts = rng.uniform(-AUGMENTED.shift, AUGMENTED.shift, (2, 30))
    found = augment(images, AUGMENTED, np.random.default_rng(0))
    y, x = np.indices(shape[:2])
    middle_y, middle_x = (shape[0] - 1) / 2, (shape[1] - 1) / 2
    for image, result, angle, (zoom_x, zoom_y), (shift_x, shift_y) in zip(
        images, found, angles, zooms.T, shifts.T, strict=True
    ):
        # what was shifted last is moved back first
        across, down = zoom_x * (x - middle_x - shift_x), zoom_y * (y - middle_y - shift_y)
        source_x = middle_x + np.cos(angle) * across - np.sin(angle) * down
        source_y = middle_y + np.sin(angle) * across + np.cos(angle) * down
        assert_allclose(result, interpolated(image, source_y, source_x), atol=1e-4)


def interpolated(image, y, x):
    """The values of an image (h, w, c) at places between its pixels; around it all is 0."""
    padded = np.pad(image, ((9, 9), (9, 9), (0, 0)))
    top, left = np.floor(y).astype(int), np.floor(x).astype(int)
    result = 0.0
    for row in (top, top + 1):
        for column in (left, left + 1):
            weight = (1 - abs(y - row)) * (1 - abs(x - column))
            result = result + weight[..., None] * padded[row + 9, column + 9]
    return result


def test_order_depends_on_the_seed():
    images = np.zeros((50, 1, 1, 1), np.float32)
    orders = []
    for seed in (3, 4):
        batches = ShuffledBatches(images, np.arange(50), batch_size=50, recipe=PAPER, seed=seed, epoch=0)
        batches.on_epoch_begin()
        orders.append(batches[0][1].tolist())
    assert orders[0] != orders[1]
