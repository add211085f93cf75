"""The spiking network as one file of integers, as neuromorphic hardware takes it."""

import numpy as np

from LeNet.network import PIXEL_LEVELS


def integer_arrays(spiking_network, network, k):
    """What the file holds, by key; README_MNIST.md describes it.

    Parameters
    ----------
    spiking_network : SpikingNetwork
    network, k : Network and int, what it was made from
    """
    arrays = {"k": np.int64(k), "pixel_levels": np.int64(PIXEL_LEVELS)}
    *exponents, classifier_exponent = spiking_network.exponents
    for block, layer, exponent in zip(network.blocks, spiking_network.blocks, exponents, strict=True):
        arrays |= {
            f"conv{block.name}/kernel": layer.kernel,
            f"conv{block.name}/exponent": np.int64(exponent),
            f"conv{block.name}/stride": np.int64(block.stride),
            # the last column is for a count after the last time step, which nothing is compared with
            f"conv{block.name}/thresholds": layer.thresholds[:, :-1],
        }
    return arrays | {"fc/kernel": spiking_network.classifier.weights, "fc/exponent": np.int64(classifier_exponent)}


def report(arrays):
    """Prints what each array is."""
    print(f"{'key':18}{'dtype':8}{'shape':18}{'values':>32}")
    for key, array in arrays.items():
        values = f"{array.min():,}" + (f" to {array.max():,}" if array.ndim else "")
        print(f"{key:18}{array.dtype!s:8}{array.shape!s:18}{values:>32}")
