"""Batch normalisation, ReLU and quantiser as integer thresholds of the membrane potential."""

import numpy as np

from spiking import kernels
from spiking.network import BN_EPSILON, ROUNDING_OFFSET


def count_thresholds(gamma, beta, mean, variance, unit, k, time_steps):
    """The lowest integer potentials that justify each spike count, for a SpikingConv.

    A potential of U units means the pre-activation x = U * unit, and justifies the count

        m(U) = floor(S * relu(gamma * (x - mean) / sqrt(variance + eps) + beta) + 1/2 + 1e-5)    with S = 2^k

    m rises with U, so theta_j is found by bisection on this formula itself: no rounding of a closed form can
    contradict it, and a constant activation (gamma = 0) is no special case.

    Parameters
    ----------
    gamma, beta, mean, variance : float64 arrays (channels,), gamma not negative
    unit : float
    k : int
    time_steps : int
        No count exceeds it.

    Returns
    -------
    int32 array (channels, time_steps + 2); INT32_MAX where no potential justifies the count
    """
    sigma = np.sqrt(variance + BN_EPSILON)

    def justified_count(potential):
        normalized = gamma * (potential * unit - mean) / sigma + beta
        return np.floor(2**k * np.maximum(normalized, 0) + (0.5 + ROUNDING_OFFSET))

    counts = np.arange(time_steps + 2)[:, None]
    low = np.full((len(counts), len(gamma)), kernels.ALWAYS, np.int64)
    high = np.full_like(low, kernels.NEVER)
    while np.any(low < high):
        middle = (low + high) // 2
        enough = justified_count(middle) >= counts
        high = np.where(enough, middle, high)
        low = np.where(enough, low, middle + 1)
    return high.T.astype(np.int32)
