"""The Numba kernels of the first block, which turns an image into spikes; see spiking_kernels."""

import numpy as np

from spiking.kernels import compiled
from spiking.trains import POSITION_SHIFT, ROW_MASK


@compiled
def encode_images(images, synapses, thresholds, neurons, active, first_image, spikes, spike_steps):
    """Runs the first block, from images presented at the first time step to the spike train of its output.

    Its potentials do not change after that step, so what fires has reached the count that its potential justifies
    or fires +1 again: no neuron needs to be looked at twice.

    Parameters
    ----------
    images : int32 (images, positions * channels)
    active : int32 (windows * lanes, 2), overwritten
    the others, returns : as run_block in spiking_kernels
    """
    time_steps = spike_steps.shape[1] - 1
    written = spike_steps[first_image, 0]
    peak = 0
    for image in range(first_image, len(images)):
        if written + neurons.potential.size * time_steps > len(spikes):
            return image, peak
        neurons.potential.reshape(-1)[:] = 0
        add_image(neurons.potential, images[image], synapses)
        firing = list_active(neurons.potential, thresholds, active)
        spike_steps[image, 0] = written
        for t in range(time_steps):
            if firing > 0:
                peak = max(peak, t + 1)
            still_firing = keep_active(active, firing, thresholds[t + 2], spikes, written)
            written, firing = written + firing, still_firing
            spike_steps[image, t + 1] = written
        if image + 1 < len(images):
            spike_steps[image + 1, 0] = written
    return len(images), peak


@compiled
def list_active(potential, thresholds, active):
    """Fills `active` with (event, potential) of each neuron that fires at all; returns their number."""
    found = 0
    for window in range(len(potential)):
        u = potential[window]
        for channel in range(len(u)):
            # written in any case and kept by counting it: a branch would be mispredicted too often
            active[found, 0] = window << POSITION_SHIFT | channel << 1
            active[found, 1] = u[channel]
            found += u[channel] >= thresholds[1, channel]
    return found


@compiled
def keep_active(active, firing, next_thresholds, spikes, written):
    """Appends the events of the firing neurons to `spikes`, and keeps those active that will fire again.

    Returns their number.
    """
    kept = 0
    for i in range(firing):
        event, u = active[i, 0], active[i, 1]
        spikes[written + i] = event
        active[kept, 0] = event
        active[kept, 1] = u
        kept += u >= next_thresholds[(event & ROW_MASK) >> 1]
    return kept


@compiled
def add_image(potential, image, synapses):
    """Adds integer inputs, (positions * channels,), times their weights to the potentials."""
    flat = potential.reshape(-1)
    lanes = potential.shape[1]
    channels = len(synapses.weights) // 2
    for index in range(len(image)):
        if image[index] != 0:
            position, channel = index // channels, index % channels
            for run in range(synapses.first_run[position], synapses.first_run[position + 1]):
                window, offset, windows = synapses.runs[run]
                u = flat[window * lanes : (window + windows) * lanes]
                w = synapses.weights[channel << 1, offset : offset + windows * lanes]
                for i in range(len(u)):
                    u[i] += image[index] * np.int32(w[i])
