"""The weight grid: W = w / 2^f with w an int16 and one f per layer.

On it every membrane potential is an integer number of grid units, so that every sum is exact in any order
and the spiking network is lossless as a theorem, not nearly.
"""

import numpy as np

from spiking.network import PIXEL_LEVELS

INT16_MAX = 32767
INT32_MAX = 2**31 - 1
LARGEST_COUNT = 128  # that all inputs of a layer may reach; the paper's networks reach 9 at k=0 and 17 at k=1


def input_bound(layer):
    """What all inputs of a layer, "conv1" to "fc", may reach with its potentials inside int32: a pixel or a count."""
    return PIXEL_LEVELS - 1 if layer == "conv1" else LARGEST_COUNT


def grid_exponent(weights, bound=LARGEST_COUNT):
    """The f of a layer: the largest integer with round(max|W| * 2^f) <= 32767; 0 if all weights are 0.

    It is lower where potentials would leave int32 although no input is beyond the bound: in layers of thousands of
    inputs, so that a network too large for 32 bits is not found out after its training.
    """
    largest = float(np.max(np.abs(weights)))
    if largest == 0:
        return 0
    mantissa, exponent = np.frexp(largest)  # largest = mantissa * 2^exponent, 1/2 <= mantissa < 1
    fits = np.rint(np.ldexp(mantissa, 15)) <= INT16_MAX
    f = int(15 - exponent if fits else 14 - exponent)
    filters = np.abs(np.asarray(weights, np.float64)).reshape(-1, np.shape(weights)[-1])
    while np.rint(np.ldexp(filters, f)).sum(axis=0).max() * bound >= INT32_MAX:
        f -= 1
    return f


def to_grid(weights, bound=LARGEST_COUNT):
    """The weights as integers of the grid.

    Parameters
    ----------
    weights : float array, finite, any shape; the last axis is the filters
    bound : int, of the inputs, as grid_exponent takes it

    Returns
    -------
    w : int16 array of the same shape
    f : int, such that w / 2^f are the rounded weights
    """
    exponent = grid_exponent(weights, bound)
    scaled = np.ldexp(np.asarray(weights, np.float64), exponent)
    return np.rint(scaled).astype(np.int16), exponent


def round_to_grid(weights, bound=LARGEST_COUNT):
    """The weights rounded to their grid, in their own dtype. Rounding them again changes nothing."""
    integers, exponent = to_grid(weights, bound)
    with np.errstate(over="ignore"):  # a weight within 2^-15 of the largest float32 becomes infinite
        return np.ldexp(integers.astype(np.float64), -exponent).astype(weights.dtype)


def bias_to_grid(bias, exponent):
    """A bias as whole numbers of its layer's grid units, rint(b * 2^f): int64 of any size, as it is no weight.

    Raises
    ------
    OverflowError
        int32 cannot hold it.
    """
    with np.errstate(over="ignore"):
        scaled = np.rint(np.ldexp(np.asarray(bias, np.float64), exponent))
    largest = np.max(np.abs(scaled), initial=0)
    if largest >= INT32_MAX:
        raise OverflowError(f"bias reaches {largest:g} units of the weight grid, expected less than {INT32_MAX}")
    return scaled.astype(np.int64)


def on_grid(weights):
    """The weights of a npz file with the kernels, the classifier and its bias rounded to the grid.

    The artificial network takes these, so that both networks have the same numbers.

    Returns
    -------
    rounded : dict of arrays
    change : float, the largest change of a weight; 0 if all were on the grid
    """
    rounded = {
        key: round_to_grid(value, input_bound(key.removesuffix("/W"))) if key.endswith("/W") else value
        for key, value in weights.items()
    }
    if "fc/b" in weights:
        exponent = grid_exponent(weights["fc/W"])
        units = bias_to_grid(weights["fc/b"], exponent)
        rounded["fc/b"] = np.ldexp(units.astype(np.float64), -exponent).astype(weights["fc/b"].dtype)
    change = max(float(np.max(np.abs(rounded[key] - value))) for key, value in weights.items())
    return rounded, change


def check_weights(weights, shapes):
    """Raises ValueError unless the arrays are those of a network: finite floats of these shapes, by key.

    The text begins with the key, and says what was found and what was expected.
    """
    for key, shape in shapes.items():
        if key not in weights:
            raise ValueError(f"{key} is missing, expected an array of shape {shape}")
        array = np.asarray(weights[key])
        if array.shape != shape:
            raise ValueError(f"{key} has shape {array.shape}, expected {shape}")
        if not np.issubdtype(array.dtype, np.floating):
            raise ValueError(f"{key} is {array.dtype}, expected floats")
        if not np.all(np.isfinite(array)):
            raise ValueError(f"{key} has NaN or infinite values, expected finite ones")
        if key.endswith("moving_var") and array.min() < 0:
            raise ValueError(f"{key} is {array.min():g} at its lowest, expected 0 or above")
