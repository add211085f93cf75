"""What figs/live.html must simulate, from the equations of tests/reference.py, also for other limits of a spike."""

from dataclasses import dataclass

import numpy as np

from experiment import ROOT
from spiking.weight_grid import layer_on_grid
from tests import reference
from tests.networks import LENET

ANN_OPERATIONS = 7_186_200
FIRST = 121  # the test image that is shown as the page opens
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


def simulate(k, time_steps, pixels, max_spikes=1, negative_spikes=True):
    """The published network of level k; potentials are the sums of the spikes that came in."""
    weights, scale = weights_of(k), 2**k
    spikes, outputs = reference.spiking(weights, LENET, k, time_steps, pixels, max_spikes, negative_spikes)
    incoming, potentials = np.zeros((len(pixels), time_steps, *pixels.shape[1:])), []
    incoming[:, 0] = scale * (pixels / 256)
    for block, train in zip(LENET.blocks, spikes, strict=True):
        unit = 2.0 ** -layer_on_grid(block, weights)[1] * (scale / 256 if block.name == "1" else 1)
        kernel, (edge,) = weights[f"conv{block.name}/W"], block.inputs
        current = reference.convolve(incoming.reshape(-1, *incoming.shape[2:]), kernel, edge)
        potentials.append(np.rint(current.reshape(train.shape).cumsum(axis=1) / unit).astype(int))
        incoming = train
    outputs = np.rint(outputs * 2.0 ** layer_on_grid(LENET.classifier, weights)[1]).astype(int)
    return Simulation([train.astype(int) for train in spikes], potentials, outputs)


def fan_outs():
    """The synapses that a spike drives, for each block: (h, w, 1)."""
    result = []
    for reader in (*LENET.blocks[1:], LENET.classifier):
        (edge,) = reader.inputs
        fan_out = np.zeros((*edge.input_shape[:2], 1), int)
        for top in edge.rows:  # each window that contains the neuron has all its filters
            for left in edge.columns:
                fan_out[top : top + edge.kernel_size[0], left : left + edge.kernel_size[1]] += edge.filters
        result.append(fan_out)
    return result
