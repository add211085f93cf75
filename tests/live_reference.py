"""What figs/live.html must simulate, from the equations of tests/reference.py, also for other limits of a spike."""

from dataclasses import dataclass

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view

from experiment import ROOT
from spiking.network import Network
from spiking.weight_grid import grid_exponent
from tests import reference

LENET = Network.parse("28x28x1-20C5-P2-50C5-P2-500-10")
ANN_OPERATIONS = 7_186_200
# test images that the network of k=0 gets wrong after step 2
WRONG_AT_FIRST, WRONG_TO_THE_END = (121, 232, 242), (321, 445)


@dataclass
class Simulation:
    """Of a network over some images: a list over the blocks, and the classifier."""

    spikes: list  # int (images, time steps, h, w, channels)
    potentials: list  # the same, in units of the block's weight grid
    outputs: np.ndarray  # int (images, time steps, classes), in units of the classifier's

    def summary(self):
        """What window.snn.classify answers, for each image."""
        axes = (2, 3, 4)
        sops = [(np.abs(block) * fan).sum(axes) for block, fan in zip(self.spikes, fan_outs(), strict=True)]
        return {
            "potentials": self.outputs,
            "predictions": self.outputs.argmax(axis=2),
            "positive": np.stack([np.maximum(block, 0).sum(axes) for block in self.spikes], axis=2),
            "negative": np.stack([np.maximum(-block, 0).sum(axes) for block in self.spikes], axis=2),
            "sops": np.stack(sops, axis=2),
        }


def weights_of(k):
    with np.load(ROOT / f"LeNet/pretrained/k{k}.npz", allow_pickle=False) as archive:
        return dict(archive)


def simulate(k, time_steps, pixels, lowest=-1, highest=1):
    """The published network of level k with spike = m - n limited to `lowest` to `highest`.

    In float64, which is exact on the weight grid.
    """
    weights, scale = weights_of(k), 2**k
    units = [2.0 ** -grid_exponent(weights[f"conv{block.name}/W"]) for block in LENET.blocks]
    units[0] *= scale / 256
    u, n, output = [0.0] * 5, [0.0] * 5, 0.0
    spikes, potentials, outputs = [[] for _ in u], [[] for _ in u], []
    for t in range(time_steps):
        x = scale * pixels.astype(np.float64) / 256 * (t == 0)
        for index, block in enumerate(LENET.blocks):
            kernel = weights[f"conv{block.name}/W"].astype(np.float64)
            windows = sliding_window_view(x, kernel.shape[:2], axis=(1, 2))
            windows = windows[:, :: block.stride[0], :: block.stride[1]]  # (images, h, w, in, kernel h, kernel w)
            u[index] = u[index] + np.tensordot(windows, kernel, axes=((4, 5, 3), (0, 1, 2)))
            m = reference.justified_count(u[index] / scale, weights, block.name, scale)
            x = np.clip(m - n[index], lowest, highest)
            n[index] = n[index] + x
            spikes[index].append(x.astype(int))
            potentials[index].append(np.rint(u[index] / units[index]).astype(int))
        output = output + x.reshape(len(x), -1) @ weights["fc/W"].astype(np.float64)
        outputs.append(np.rint(output * 2.0 ** grid_exponent(weights["fc/W"])).astype(int))
    stacked = ([np.stack(steps, axis=1) for steps in blocks] for blocks in (spikes, potentials))
    return Simulation(*stacked, np.stack(outputs, axis=1))


def fan_outs():
    """The synapses that a spike drives, for each block: (h, w, 1)."""
    result = []
    for block, reader in zip(LENET.blocks, [*LENET.blocks[1:], None], strict=True):
        height, width, _ = block.output_shape
        fan_out = np.zeros((height, width, 1), int)
        if reader is None:
            fan_out += LENET.classes
        else:  # each window of the next block that contains the neuron has all its filters
            for row, column in np.ndindex(reader.output_shape[:2]):
                top, left = row * reader.stride[0], column * reader.stride[1]
                fan_out[top : top + reader.kernel_size[0], left : left + reader.kernel_size[1]] += reader.filters
        result.append(fan_out)
    return result
