"""Evaluating a spiking network on the test images: weights, noise and the run itself, without TensorFlow."""

from concurrent.futures import ThreadPoolExecutor

import numpy as np
from tqdm import tqdm

from spiking.network import LENET
from experiment.model import shown
from experiment import images as files
from spiking.weight_grid import on_grid

MOST_SPIKES = 64 << 20  # in memory at once, should every neuron fire in every step: 4 bytes each


def load_weights(path, k):
    """The LeNet's weights of a npz file; prints which they are and how far they were off the weight grid.

    Returns
    -------
    weights : dict of arrays, on the grid
    sha256 : str, of the file
    """
    weights, sha256 = files.load_npz_and_sha256(path, LENET, k)
    print(f"weights    {shown(path)}")
    weights, rounding = on_grid(weights)
    if rounding > 0:
        print(f"           rounded to the weight grid, which changed them by {rounding:.2g} at most")
    return weights, sha256


def noisy(pixels, noise_ratio, seed):
    """Pixels with multiplicative noise, as whole numbers, so that the network's integers stay exact:

        pixel <- max(rint(pixel * (1 + R * (z - 1/2))), 0)    with z uniform in [0, 1), drawn for each pixel

    The numbers are drawn image by image: those of an image do not depend on how many come after it. R = 0 changes
    nothing. As in the code of Zou et al. (2023), where noise had no seed and pixels were not rounded.

    Parameters
    ----------
    pixels : uint8 array (images, h, w, c)
    noise_ratio : float
        R, from 0 to network.HIGHEST_NOISE_RATIO.
    seed : int

    Returns
    -------
    int32 array (images, h, w, c); above 255 where the noise takes them there
    """
    z = np.random.default_rng(seed).random(pixels.shape)
    return np.maximum(np.rint(pixels * (1 + noise_ratio * (z - 0.5))), 0).astype(np.int32)


def evaluate(network, pixels, labels, batch_size, threads):
    """Runs the spiking network over all images, batches in parallel.

    Returns
    -------
    right : int array (batches, time steps), images predicted right after each step
    statistics : int64 array (batches, blocks, time steps, 3)
        Spikes, negative spikes and synaptic operations in each step.
    quiescent : int, images in which nothing fired in the last step
    """
    part_size = max(1, MOST_SPIKES // (threads * network.time_steps * LENET.neurons))

    def run_part(images):
        activity = network.run(pixels[images])
        right = activity.predictions() == labels[images, None]
        return right.sum(axis=0), activity.statistics, activity.quiescent().sum()

    def run_batch(start):
        end = min(start + batch_size, len(pixels))
        parts = [run_part(slice(first, min(first + part_size, end))) for first in range(start, end, part_size)]
        return [sum(numbers) for numbers in zip(*parts, strict=True)]

    starts = range(0, len(pixels), batch_size)
    pool = ThreadPoolExecutor(threads)
    try:
        # disable=None: no bar where nobody watches
        results = list(tqdm(pool.map(run_batch, starts), total=len(starts), unit="batch", disable=None, leave=False))
    finally:
        pool.shutdown(cancel_futures=True)  # an interruption does not wait for batches that have not begun
    right, statistics, quiescent = zip(*results, strict=True)
    return np.stack(right), np.stack(statistics), int(sum(quiescent))
