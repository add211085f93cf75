"""The weight grid: W = w / 2^f with w an int16 and one f per block, over the kernels of all its inputs.

On it every membrane potential is an integer number of grid units, so that every sum is exact in any order
and the spiking network is exactly lossless, not just approximately.
"""

import numpy as np

from spiking.edges import IMAGE
from spiking.network import PIXEL_LEVELS

INT16_MAX = 32767
INT32_MAX = 2**31 - 1
MAX_INPUT_COUNT = 128  # that all inputs of a layer may reach; the paper's networks reach 9 at k=0 and 17 at k=1


def to_grid(kernels, bounds):
    """The kernels of a block as integers of its grid: f is the largest integer with round(max|W| * 2^f) <= 32767.

    It is 0 if all weights are 0, and lower in layers of thousands of inputs, where potentials could leave int32
    although no input is beyond its bound: otherwise training would succeed and the conversion then overflow.

    Parameters
    ----------
    kernels : list of float arrays, one for each input, finite; the last axis is the filters
    bounds : list of int, the largest number that each input may reach

    Returns
    -------
    w : list of int16 arrays of the same shapes
    f : int, such that w / 2^f are the rounded weights

    Raises
    ------
    ValueError
        A weight is not finite.
    """
    largest, f = max(float(np.max(np.abs(kernel))) for kernel in kernels), 0
    if not np.isfinite(largest):
        raise ValueError("kernels have NaN or infinite weights, expected finite ones")
    if largest > 0:
        mantissa, exponent = np.frexp(largest)  # largest = mantissa * 2^exponent, 1/2 <= mantissa < 1
        fits = np.rint(np.ldexp(mantissa, 15)) <= INT16_MAX
        f = int(15 - exponent if fits else 14 - exponent)
    while True:
        w = [np.rint(np.ldexp(np.asarray(kernel, np.float64), f)) for kernel in kernels]
        filters = (np.abs(integers).reshape(-1, integers.shape[-1]).sum(axis=0) for integers in w)
        if max(sum(total * bound for total, bound in zip(filters, bounds, strict=True))) < INT32_MAX:
            return [integers.astype(np.int16) for integers in w], f
        f -= 1


def layer_on_grid(layer, weights):
    """The kernels of a Block that adds, or of a Classifier, as integers of its grid, and its exponent f.

    The weights of an identity are 1.

    Parameters
    ----------
    layer : Block or Classifier
    weights : dict of float arrays by key, as layer.weight_shapes says

    Returns
    -------
    w : list of int16 arrays, one for each input
    f : int

    Raises
    ------
    OverflowError
        The grid cannot represent the 1 of an identity, as other weights are too large.
    """
    keyed = zip(layer.kernel_keys, layer.inputs, strict=True)
    kernels = [weights[key] if key else np.ones(edge.kernel_shape) for key, edge in keyed]
    mixed = len({edge.source == IMAGE for edge in layer.inputs}) > 1
    bounds = [PIXEL_LEVELS - 1 if edge.source == IMAGE else MAX_INPUT_COUNT for edge in layer.inputs]
    # where a layer reads both image and spikes, one of the two is multiplied by up to 256; which one depends on k.
    # The rounding of weights must not depend on k, so both bounds are multiplied
    w, exponent = to_grid(kernels, [bound * PIXEL_LEVELS for bound in bounds] if mixed else bounds)
    if exponent < 0 and None in layer.kernel_keys:
        largest = max(float(np.max(np.abs(kernel))) for kernel in kernels)
        raise OverflowError(
            f"{layer.prefix}: weights reach {largest:g} beside an identity, expected less: their grid cannot hold 1"
        )
    return w, exponent


def bias_to_grid(bias, exponent):
    """A bias as whole numbers of its layer's grid units, rint(b * 2^f): int64 of any size, as it is no weight.

    Raises
    ------
    OverflowError
        int32 cannot hold it.
    """
    with np.errstate(over="ignore"):
        scaled = np.rint(np.ldexp(np.asarray(bias, np.float64), exponent))
    largest = np.max(np.abs(scaled))
    if largest >= INT32_MAX:
        raise OverflowError(f"bias reaches {largest:g} units of the weight grid, expected less than {INT32_MAX}")
    return scaled.astype(np.int64)


def on_grid(weights, network):
    """The weights of an npz file with all kernels, initial potentials and the classifier's bias rounded to the grid.

    The artificial network takes these, so that both networks have the same numbers.

    Returns
    -------
    rounded : dict of arrays
    change : float, the largest change of a weight; 0 if all were on the grid
    """
    rounded = dict(weights)
    for layer in (*network.blocks, network.classifier):
        if layer.pools:
            continue
        kernels, exponent = layer_on_grid(layer, weights)
        for key, kernel in zip(layer.kernel_keys, kernels, strict=True):
            if key:
                rounded[key] = _rounded(kernel, exponent, weights[key])
        if layer.offset_key:
            units = bias_to_grid(weights[layer.offset_key], exponent)
            rounded[layer.offset_key] = _rounded(units, exponent, weights[layer.offset_key])
    change = max(float(np.max(np.abs(rounded[key] - value))) for key, value in weights.items())
    return rounded, change


def round_to_grid(weights, bound=MAX_INPUT_COUNT):
    """A kernel, alone in its block, rounded to its grid. Rounding it again changes nothing."""
    (integers,), exponent = to_grid([weights], [bound])
    return _rounded(integers, exponent, weights)


def _rounded(integers, exponent, weights):
    """Integers of a grid as weights, in the dtype of the array that they come from."""
    with np.errstate(over="ignore"):  # a weight within 2^-15 of the largest float32 becomes infinite
        return np.ldexp(integers.astype(np.float64), -exponent).astype(weights.dtype)


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
            raise ValueError(f"{key} has dtype {array.dtype}, expected floats")
        if not np.all(np.isfinite(array)):
            raise ValueError(f"{key} has NaN or infinite values, expected finite ones")
        if key.endswith("moving_var") and array.min() < 0:
            raise ValueError(f"{key} is {array.min():g} at its lowest, expected 0 or above")
