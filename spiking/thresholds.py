"""Batch normalisation, ReLU and quantiser as integer thresholds of the membrane potential."""

from dataclasses import dataclass

import numpy as np

from spiking.network import BN_EPSILON, ROUNDING_OFFSET

NEVER, ALWAYS = 2**31 - 1, -(2**31)  # thresholds above and below every potential


@dataclass(frozen=True)
class TargetCount:
    """The target count m, the net spike count that an integer potential U justifies:

    x = U * unit                                                                    the pre-activation
    y = min(relu(gamma * (x - mean) / sqrt(variance + eps) + beta), max_value)
    m = floor(S * y + 1/2 + 1e-5)    with S = 2^k
    """

    gamma: np.ndarray  # float64 (channels,), not negative; as the next three
    beta: np.ndarray
    mean: np.ndarray
    variance: np.ndarray
    unit: float  # of the potential, as a pre-activation
    k: int
    max_value: float | None = None

    def __call__(self, potential):
        """m for potentials (..., channels), as float64."""
        normalized = self.gamma * (potential * self.unit - self.mean) / np.sqrt(self.variance + BN_EPSILON)
        activation = np.clip(normalized + self.beta, 0, self.max_value)
        return np.floor(2**self.k * activation + (0.5 + ROUNDING_OFFSET))

    def thresholds(self, highest_count):
        """The lowest potentials that justify each count from 0 to the highest.

        m rises with U, so they are found by bisection on the formula itself: no rounding of a closed form can
        contradict it, and a constant activation (gamma = 0) is no special case.

        Returns
        -------
        int32 array (channels, highest_count + 1); NEVER where no potential justifies the count
        """
        counts = np.arange(highest_count + 1)[:, None]
        low = np.full((len(counts), len(self.gamma)), ALWAYS, np.int64)
        high = np.full_like(low, NEVER)
        while np.any(low < high):
            middle = (low + high) // 2
            enough = self(middle) >= counts
            high = np.where(enough, middle, high)
            low = np.where(enough, low, middle + 1)
        return high.T.astype(np.int32)
