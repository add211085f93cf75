"""The image as a spike train, and the Numba kernels of the blocks that read nothing else.

The image is presented at the first time step only, so the potentials, and with them the target counts m, do not
change after it. A neuron of the rule in neuron.py then fires B in each step, less in the last, until its count is m,
and never a negative spike: no neuron needs to be looked at twice.
"""

import numpy as np
from numba import uintp

from spiking.compilation import compiled
from spiking.kernels import add_inputs
from spiking.neuron import begin, list_due, reset, spike_of
from spiking.trains import SPIKES, Events, SpikeTrain


def image_train(images, shape, time_steps):
    """Integer images, (images, h, w, channels), as a SpikeTrain: in the first step, each pixel fires what it is.

    Raises ValueError where they are not integers of at least 0 and of the shape (h, w, channels).
    """
    images = np.asarray(images)
    if not np.issubdtype(images.dtype, np.integer):
        raise ValueError(f"images are {images.dtype}, expected integers; a pixel is 0 to 255")
    if images.shape[1:] != shape:
        raise ValueError(f"images have shape {images.shape[1:]}, expected {shape}")
    if images.min(initial=0) < 0:
        raise ValueError(f"images reach down to {images.min()}, expected pixels of at least 0")
    height, width, channels = shape
    events = Events.reserved(len(images), 1, shape, bursts=True)
    events = events._replace(
        steps=np.zeros((len(images), time_steps + 1), np.int64), statistics=np.zeros((time_steps, 3), np.int64)
    )
    codes = np.arange(height * width)[:, None] << events.shift | np.arange(channels) << 1
    flat = images.reshape(len(images), height * width * channels)
    list_pixels(flat.astype(np.int32), codes.ravel().astype(np.int32), events)
    return SpikeTrain(events.written(), shape, int(images.max(initial=0)))


@compiled
def list_pixels(images, codes, train):
    """Writes images into the Events of a train that has room for them: an event for each pixel above 0.

    Parameters
    ----------
    images : int32 (images, positions * channels)
    codes : int32 (positions * channels,), the event of each pixel; its size is what the pixel is
    """
    written = 0
    for image in range(images.shape[0]):
        train.steps[image, 0] = written
        for index in range(len(codes)):
            if images[image, index] > 0:
                train.events[written] = codes[index]
                train.sizes[written] = images[image, index]
                written += 1
        train.steps[image, 1:] = written


@compiled
def encode_images(inputs, layer, neurons, outgoing):
    """Runs a block that reads the image over images and time steps; as run_block in kernels."""
    time_steps = outgoing.steps.shape[1] - 1
    written = peak = np.int64(0)
    reset(neurons, layer.rule, layer.initial)  # once for all images, as thresholds are not moved
    for image in range(len(outgoing.steps)):
        begin(neurons.potential, layer.initial)
        add_inputs(neurons, inputs, image, np.int64(0))
        first = end = written
        for window in layer.order:
            end = list_due(neurons, window, layer.rule, outgoing, end)
        outgoing.steps[image, 0] = first
        for t in range(time_steps):
            outgoing.steps[image, t + 1] = written = end
            if end > first:
                last = t + 1 == time_steps
                end, largest = fire_on(neurons, layer.rule, outgoing, first, written, t, last)
                peak = max(peak, largest)
            first = written
    return peak


@compiled
def fire_on(neurons, rule, outgoing, first, end, t, last):
    """Writes the sizes of the spikes of time step t, events[first:end], and appends those of the next step, if any.

    Returns
    -------
    end : int, of the next step's spikes
    largest : int, the largest count
    """
    filters, shift, listed, bursts = uintp(rule.filters), outgoing.shift, end, len(outgoing.sizes) > 0
    n = t * rule.most  # the count of all neurons that have not reached their target count
    spike = spike_of(n + 1, n, rule)  # that of all neurons that are due, for B = 1
    spikes, largest = (end - first) * spike, n + spike
    if bursts:
        spikes = largest = 0
    for index in range(uintp(first), uintp(end)):
        event = outgoing.events[index]
        filter = uintp((event & ((1 << shift) - 1)) >> 1)
        at = uintp(event >> shift) * filters + filter
        if bursts:
            spike = spike_of(neurons.target[at], n, rule)
            outgoing.sizes[index] = spike
            spikes += spike
            largest = max(largest, n + spike)
        # always written, but counted only if the neuron fires again: a branch would be mispredicted too often
        outgoing.events[uintp(listed)] = event
        listed += (not last) & (neurons.potential[at] >= rule.rising[uintp(n + spike + 1) * filters + filter])
    outgoing.statistics[t, SPIKES] += spikes
    return listed, largest
