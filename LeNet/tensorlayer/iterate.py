"""Shuffles the images of an epoch into batches and augments them."""

import math

import keras
import numpy as np


class ShuffledBatches(keras.utils.PyDataset):
    """All images once per epoch, fully reshuffled and augmented in a way that depends on seed and epoch alone.

    So an epoch is the same whether the training before it was interrupted or not. Keras must not shuffle the batches
    itself: fit(..., shuffle=False).

    Parameters
    ----------
    images : array (images, h, w, c)
    labels : array (images,)
    batch_size : int
    recipe : Recipe, which says how to augment
    seed : int
    epoch : int
        The first epoch, counted from 0.
    """

    def __init__(self, images, labels, batch_size, recipe, seed, epoch):
        super().__init__()
        self.images, self.labels = images, labels
        self.batch_size, self.recipe = batch_size, recipe
        self.seed, self.epoch = seed, epoch
        self._order, self._augmented = np.arange(len(images)), images

    def __len__(self):
        return batches_per_epoch(len(self.images), self.batch_size)

    def __getitem__(self, index):
        batch = self._order[index * self.batch_size : (index + 1) * self.batch_size]
        return self._augmented[batch], self.labels[batch]

    def on_epoch_begin(self):
        rng = np.random.default_rng([self.seed, self.epoch])
        self._order = rng.permutation(len(self.images))
        self._augmented = augment(self.images, self.recipe, rng)
        self.epoch += 1


def batches_per_epoch(images, batch_size):
    """The number of batches in an epoch, the last of which may be smaller."""
    return math.ceil(images / batch_size)


def augment(images, recipe, rng):
    """Changes each image at random as a recipe says: flips, rotates, zooms and shifts it, then cuts a square out.

    Values between pixels are interpolated once; what leaves the frame is lost, and what enters it is 0. So is the
    square, of which a part may lie outside the frame.

    Parameters
    ----------
    images : float32 array (images, h, w, c)
    recipe : Recipe
    rng : numpy.random.Generator

    Returns
    -------
    float32 array of the same shape
    """
    if recipe.rotation or recipe.zoom or recipe.shift or recipe.flip:
        transforms = _random_transforms(len(images), images.shape[1:3], recipe, rng)
        images = keras.ops.convert_to_numpy(keras.ops.image.affine_transform(images, transforms))
    if recipe.cutout:
        images = np.where(_random_squares(len(images), images.shape[1:3], recipe.cutout, rng), 0, images)
    return images


def _random_transforms(number, size, recipe, rng):
    """Transforms around the centre of the frame, as affine_transform takes them: float32 (number, 8).

    Pixel (x, y) of the result shows the point (a0 x + a1 y + a2, b0 x + b1 y + b2) of the image.
    """
    angle = np.radians(rng.uniform(-recipe.rotation, recipe.rotation, number))
    zoom_x, zoom_y = 1 + rng.uniform(-recipe.zoom, recipe.zoom, (2, number))
    shift_x, shift_y = rng.uniform(-recipe.shift, recipe.shift, (2, number))
    if recipe.flip:
        zoom_x *= rng.choice((-1, 1), number)
    middle_y, middle_x = (np.array(size) - 1) / 2
    a0, a1 = zoom_x * np.cos(angle), -zoom_y * np.sin(angle)
    b0, b1 = zoom_x * np.sin(angle), zoom_y * np.cos(angle)
    x, y = middle_x + shift_x, middle_y + shift_y  # where the result shows the image's centre
    zero = np.zeros(number)
    rows = a0, a1, middle_x - a0 * x - a1 * y, b0, b1, middle_y - b0 * x - b1 * y, zero, zero
    return np.stack(rows, axis=1).astype(np.float32)


def _random_squares(number, size, side, rng):
    """For each image a square of this side around a random pixel, as bool (number, h, w, 1)."""
    rows, columns = (np.arange(length) for length in size)
    first_row, first_column = (rng.integers(length, size=(number, 1)) - side // 2 for length in size)
    in_rows = (first_row <= rows) & (rows < first_row + side)
    in_columns = (first_column <= columns) & (columns < first_column + side)
    return (in_rows[:, :, None] & in_columns[:, None, :])[..., None]
