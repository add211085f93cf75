"""Batches in the order of an epoch."""

import keras
import numpy as np


class ShuffledBatches(keras.utils.PyDataset):
    """All images once an epoch, fully reshuffled; the order depends on the seed and the epoch alone.

    That makes an epoch the same whether the training before it was interrupted or not. Keras must not
    shuffle on its own: fit(..., shuffle=False).

    Parameters
    ----------
    images : array (images, h, w, c)
    labels : array (images,)
    batch_size : int
    seed : int
    epoch : int
        The first epoch, counted from 0.
    """

    def __init__(self, images, labels, batch_size, seed, epoch):
        super().__init__()
        self.images, self.labels = images, labels
        self.batch_size = batch_size
        self.seed, self.epoch = seed, epoch
        self._order = np.arange(len(images))

    def __len__(self):
        return -(-len(self.images) // self.batch_size)

    def __getitem__(self, index):
        batch = self._order[index * self.batch_size : (index + 1) * self.batch_size]
        return self.images[batch], self.labels[batch]

    def on_epoch_begin(self):
        self._order = np.random.default_rng([self.seed, self.epoch]).permutation(len(self.images))
        self.epoch += 1
