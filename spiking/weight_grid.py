"""The weight grid: W = w / 2^f with w an int16 and one f per layer.

On it every membrane potential is an integer number of grid units, so that every sum is exact in any order
and the spiking network is lossless as a theorem, not nearly.
"""

import numpy as np

INT16_MAX = 32767


def grid_exponent(weights):
    """The f of a layer: the largest integer with round(max|W| * 2^f) <= 32767; 0 if all weights are 0."""
    largest = float(np.max(np.abs(weights)))
    if largest == 0:
        return 0
    mantissa, exponent = np.frexp(largest)  # largest = mantissa * 2^exponent, 1/2 <= mantissa < 1
    fits = np.rint(np.ldexp(mantissa, 15)) <= INT16_MAX
    return int(15 - exponent if fits else 14 - exponent)


def to_grid(weights):
    """The weights as integers of the grid.

    Parameters
    ----------
    weights : float array, finite, any shape

    Returns
    -------
    w : int16 array of the same shape
    f : int, such that w / 2^f are the rounded weights
    """
    exponent = grid_exponent(weights)
    scaled = np.ldexp(np.asarray(weights, np.float64), exponent)
    return np.rint(scaled).astype(np.int16), exponent


def round_to_grid(weights):
    """The weights rounded to their grid, in their own dtype. Rounding them again changes nothing."""
    integers, exponent = to_grid(weights)
    with np.errstate(over="ignore"):  # a weight within 2^-15 of the largest float32 becomes infinite
        return np.ldexp(integers.astype(np.float64), -exponent).astype(weights.dtype)


def on_grid(weights):
    """The weights of a npz file with the kernels and the classifier rounded to the grid.

    Returns
    -------
    rounded : dict of arrays
    change : float, the largest change of a weight; 0 if all were on the grid
    """
    rounded = {key: round_to_grid(value) if key.endswith("/W") else value for key, value in weights.items()}
    change = max(float(np.max(np.abs(rounded[key] - value))) for key, value in weights.items())
    return rounded, change
