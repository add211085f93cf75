"""The Numba kernels of the first block, which turns an image into spikes.

The image is presented at the first time step only, so the potentials, and with them the counts m that they justify,
do not change after it. A neuron of the rule in neuron.py then fires B in each step, less in the last, until its count
is m, and never a negative spike: no neuron needs to be looked at twice.
"""

from numba import uintp

from spiking.compilation import compiled
from spiking.kernels import add_slices, place
from spiking.neuron import list_beyond, reset, spike_of
from spiking.trains import POSITION_SHIFT, ROW_MASK


@compiled
def encode_images(images, layer, neurons, outgoing):
    """Runs the first block over images and time steps, to the spike train of its output.

    Parameters
    ----------
    images : int32 (images, positions * channels)
    the others, returns : as run_block in kernels
    """
    time_steps = outgoing.steps.shape[1] - 1
    written = peak = 0
    reset(neurons, layer.rule)  # once for all images, as thresholds are not moved
    for image in range(len(images)):
        neurons.potential[:] = 0
        add_image(neurons.potential, images[image], layer.synapses)
        begin = end = written
        for window in layer.order:
            end = list_beyond(neurons, window, layer.rule.lanes, outgoing.events, end)
        outgoing.steps[image, 0] = begin
        for t in range(time_steps):
            outgoing.steps[image, t + 1] = written = end
            if end > begin:
                last = t + 1 == time_steps
                end, largest = fire_on(neurons.potential, layer.rule, outgoing, begin, written, t, last)
                peak = max(peak, largest)
            begin = written
    return peak


@compiled
def fire_on(potential, rule, outgoing, begin, end, t, last):
    """Gives the spikes [begin, end) of time step t their sizes, and lists after them those of the next step, if any.

    Returns
    -------
    end : int, of the next step's spikes
    largest : int, the largest count
    """
    lanes, listed, largest = uintp(rule.lanes), end, 0
    for index in range(uintp(begin), uintp(end)):
        event = outgoing.events[index]
        lane = uintp((event & ROW_MASK) >> 1)
        u = potential[uintp(event >> POSITION_SHIFT) * lanes + lane]
        n = t + 1
        if rule.most > 1:
            before = t * rule.most
            n = before + spike_of(u, before, lane, rule)
            outgoing.sizes[index] = n - before
        largest = max(largest, n)
        # written in any case and kept by counting it: a branch would be mispredicted too often
        outgoing.events[uintp(listed)] = event
        listed += (not last) & (u >= rule.rising[uintp(n + 1) * lanes + lane])
    return listed, largest


@compiled
def add_image(potential, image, synapses):
    """Adds integer inputs, (positions * channels,), times their weights to the potentials."""
    channels = len(synapses.weights) // (2 * synapses.row_length)
    for index in range(len(image)):
        if image[index] != 0:
            position, channel = index // channels, index % channels
            group = synapses.group[position]
            row = uintp(2 * channel * synapses.row_length + synapses.offset[position])
            for run in range(synapses.first_run[group], synapses.first_run[group + 1]):
                target, length, offset = place(synapses, synapses.runs[run])
                add_slices(potential, target, length, synapses.weights, (row + offset,), (image[index],))
