"""Augmentation of training images."""

import keras
import numpy as np
from keras.layers import RandomRotation, RandomTranslation, RandomZoom


def augment(images, recipe, rng):
    """The images with the random changes of a recipe, each image with its own, by Keras's layers.

    Values between pixels are interpolated, but for shifts by whole pixels; what leaves the frame is lost, and what
    comes in is 0.

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
    # rounded to whole pixels, up to half a pixel more has the outermost of them as often as the others
    reach, interpolation = (recipe.shift + 0.5, "nearest") if recipe.whole_pixels else (recipe.shift, "bilinear")
    layers = []
    if recipe.rotation:
        layers.append(RandomRotation(recipe.rotation / 360, fill_mode="constant", seed=_seed(rng)))
    if recipe.zoom:
        layers.append(RandomZoom(recipe.zoom, recipe.zoom, fill_mode="constant", seed=_seed(rng)))
    if recipe.shift:
        shift = RandomTranslation(
            reach / height, reach / width, fill_mode="constant", interpolation=interpolation, seed=_seed(rng)
        )
        layers.append(shift)
    for layer in layers:
        images = layer(images, training=True)
    return keras.ops.convert_to_numpy(images)


def _seed(rng):
    """One for each layer: with the same one a large angle would come with a large zoom."""
    return int(rng.integers(np.iinfo(np.int32).max))
