"""The Numba kernels of the first block, which turns an image into spikes.

The image is presented at the first time step only, so the potentials, and with them the counts m that they justify,
do not change after it. A neuron of the rule in neuron.py then fires B in each step, less in the last, until its count
is m, and never a negative spike: no neuron needs to be looked at twice.
"""

import numpy as np

from spiking.compilation import compiled
from spiking.neuron import spike_of
from spiking.trains import POSITION_SHIFT, ROW_MASK


@compiled
def encode_images(images, layer, neurons, active, outgoing):
    """Runs the first block over images and time steps, to the spike train of its output.

    Parameters
    ----------
    images : int32 (images, positions * channels)
    active : int32 (windows * lanes + 1, 2), overwritten
    the others, returns : as run_block in kernels
    """
    written = peak = 0
    for image in range(len(images)):
        neurons.potential[:] = 0
        add_image(neurons.potential, images[image], layer.synapses)
        firing = list_active(neurons.potential, layer, active)
        outgoing.steps[image, 0] = written
        count = 0  # of every neuron that is still firing
        for t in range(outgoing.steps.shape[1] - 1):
            if firing > 0:
                end = written + firing
                firing, largest = fire_active(active, firing, count, layer.rule, outgoing, written)
                peak = max(peak, largest)
                count += layer.rule.most
                written = end
            outgoing.steps[image, t + 1] = written
    return peak


@compiled
def list_active(potential, layer, active):
    """Fills `active` with (event, potential) of each neuron that fires at all; returns their number."""
    found, lanes = 0, layer.rule.lanes
    for window in layer.order:
        for lane in range(lanes):
            u = potential[window * lanes + lane]
            # written in any case and kept by counting it: a branch would be mispredicted too often
            active[found, 0] = window << POSITION_SHIFT | lane << 1
            active[found, 1] = u
            found += u >= layer.rule.rising[lanes + lane]
    return found


@compiled
def fire_active(active, firing, count, rule, outgoing, written):
    """Writes the spikes of the firing neurons, which all have the same count, and keeps those that will fire again.

    Returns the number of those kept, and the largest count.
    """
    kept = largest = 0
    for i in range(firing):
        event, u = active[i, 0], active[i, 1]
        lane = (event & ROW_MASK) >> 1
        outgoing.events[written + i] = event
        spike = 1
        if len(outgoing.sizes) > 0:
            spike = spike_of(u, count, lane, rule)
            outgoing.sizes[written + i] = spike
        largest = max(largest, count + spike)
        active[kept, 0] = event
        active[kept, 1] = u
        kept += u >= rule.rising[(count + spike + 1) * rule.lanes + lane]
    return kept, largest


@compiled
def add_image(potential, image, synapses):
    """Adds integer inputs, (positions * channels,), times their weights to the potentials."""
    channels = len(synapses.weights) // (2 * synapses.row_length)
    for index in range(len(image)):
        if image[index] != 0:
            position, row = index // channels, index % channels * 2 * synapses.row_length
            for run in range(synapses.first_run[position], synapses.first_run[position + 1]):
                window, offset, windows = synapses.runs[run]
                u = potential[window * synapses.lanes : (window + windows) * synapses.lanes]
                w = synapses.weights[row + offset : row + offset + len(u)]
                for i in range(len(u)):
                    u[i] += image[index] * np.int32(w[i])
