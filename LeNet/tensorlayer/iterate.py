"""Batches in the order of an epoch, and the random changes of their images."""

import math

import keras
import numpy as np
from keras.layers import RandomRotation, RandomTranslation, RandomZoom


class ShuffledBatches(keras.utils.PyDataset):
    """All images once an epoch, fully reshuffled and augmented, which depends on the seed and the epoch alone.

    That makes an epoch the same whether the training before it was interrupted or not. Keras must not
    shuffle on its own: fit(..., shuffle=False).

    Parameters
    ----------
    images : array (images, h, w, c)
    labels : array (images,)
    batch_size : int
    recipe : Recipe, of the augmentation
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
    """The last batch has what is left."""
    return math.ceil(images / batch_size)


def augment(images, recipe, rng):
    """The images with the random changes of a recipe, each image with its own, by Keras's layers.

    Values between pixels are interpolated; what leaves the frame is lost, and what comes in is 0.

    Parameters
    ----------
    images : float32 array (images, h, w, c)
    recipe : Recipe
    rng : numpy.random.Generator

    Returns
    -------
    float32 array of the same shape
    """
    height, width = images.shape[1:3]
    layers = []
    if recipe.rotation:
        layers.append(RandomRotation(recipe.rotation / 360, fill_mode="constant", seed=_seed(rng)))
    if recipe.zoom:
        layers.append(RandomZoom(recipe.zoom, recipe.zoom, fill_mode="constant", seed=_seed(rng)))
    if recipe.shift:
        reach = recipe.shift / height, recipe.shift / width
        layers.append(RandomTranslation(*reach, fill_mode="constant", seed=_seed(rng)))
    for layer in layers:
        images = layer(images, training=True)
    return keras.ops.convert_to_numpy(images)


def _seed(rng):
    """One for each layer: with the same one a large angle would come with a large zoom."""
    return int(rng.integers(np.iinfo(np.int32).max))
