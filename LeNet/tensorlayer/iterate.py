"""Batches in the order of an epoch."""

import math

import keras
import numpy as np

from LeNet.tensorlayer.prepro import augment


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
