"""The equations of the networks once more, in plain NumPy float64, to compare the project with.

Dense, slow and without anything of the engine but the description of the network: convolutions are sums over the
kernel's positions, and batch normalisation is evaluated in every step instead of being folded into thresholds. The
rule of the neuron stands in `spiking`, in the order of the paper; the fast one is in spiking/neuron.py.
"""

import numpy as np

BN_EPSILON = 1e-5
ROUNDING_OFFSET = 1e-5


def windows(x, edge, outside):
    """What each place of the windows of an edge sees, in turn: (row, column, array (batch, h, w, c)).

    Beyond the border it sees the number `outside`.
    """
    top, left = (max(-starts[0], 0) for starts in (edge.rows, edge.columns))
    ends = [starts[-1] + kernel for starts, kernel in zip((edge.rows, edge.columns), edge.kernel_size)]
    bottom, right = (max(end - size, 0) for end, size in zip(ends, x.shape[1:3]))
    padded = np.pad(x, [(0, 0), (top, bottom), (left, right), (0, 0)], constant_values=outside)
    for row, column in np.ndindex(edge.kernel_size):
        rows = np.array(edge.rows) + top + row
        columns = np.array(edge.columns) + left + column
        yield row, column, padded[:, rows[:, None], columns]


def convolve(x, kernel, edge):
    """Convolution of (batch, h, w, in) with (h, w, in / groups, out), zeros beyond the border."""
    result = np.zeros((len(x), len(edge.rows), len(edge.columns), kernel.shape[3]))
    channels, filters = kernel.shape[2], kernel.shape[3] // edge.groups
    for row, column, seen in windows(x, edge, outside=0.0):
        for group in range(edge.groups):
            read = seen[..., group * channels : (group + 1) * channels]
            of_group = slice(group * filters, (group + 1) * filters)
            result[..., of_group] += read @ kernel[row, column, :, of_group].astype(np.float64)
    return result


def largest(x, edge):
    """Max pooling of (batch, h, w, c); what lies beyond the border is never the largest."""
    return np.max([seen for _, _, seen in windows(x, edge, outside=-np.inf)], axis=0)


def kernels(weights, layer):
    """The kernel of each input of a Block or a Classifier, (h, w, in / groups, out); an identity has ones."""
    keyed = zip(layer.kernel_keys, layer.inputs, strict=True)
    return [(weights[key] if key else np.ones(edge.kernel_shape)).reshape(edge.kernel_shape) for key, edge in keyed]


def current(sources, weights, layer):
    """What flows into a block, (batch, h, w, out), from the arrays of all sources by their number."""
    read = zip(layer.inputs, kernels(weights, layer), strict=True)
    return sum(convolve(sources[edge.source], kernel, edge) for edge, kernel in read)


def initial(weights, layer):
    """The initial potentials of a block or the bias of the classifier; 0 without."""
    return weights[layer.offset_key].astype(np.float64) if layer.offset_key else 0.0


def normalize(x, weights, name):
    """Batch normalisation with the moving averages."""
    gamma, beta, mean, variance = (
        weights[f"bn{name}/{parameter}"].astype(np.float64)
        for parameter in ("gamma", "beta", "moving_mean", "moving_var")
    )
    return gamma * (x - mean) / np.sqrt(variance + BN_EPSILON) + beta


def target_count(x, weights, name, scale, max_value=None):
    """S * Q(relu(BN(x))), a whole number."""
    activation = np.maximum(normalize(x, weights, name), 0)
    if max_value is not None:
        activation = np.minimum(activation, max_value)
    return np.floor(scale * activation + 1 / 2 + ROUNDING_OFFSET)


def artificial(weights, network, k, pixels):
    """S * activation of every block, and S * logits, of the quantised artificial network.

    The bias of the classifier counts S times: the spiking network starts from it, and its spikes are S times the
    activations.
    """
    scale = 2**k
    sources, counts = [pixels / 256], []
    for block in network.blocks:
        if block.pools:
            counts.append(largest(scale * sources[block.sources[0]], block.inputs[0]))
        else:
            x = current(sources, weights, block) + initial(weights, block)
            counts.append(target_count(x, weights, block.name, scale, block.max_value))
        sources.append(counts[-1] / scale)
    sums = current(sources, weights, network.classifier).reshape(len(pixels), -1)
    return counts, scale * (sums + initial(weights, network.classifier))


def spiking(weights, network, k, time_steps, pixels, max_spikes=1, negative_spikes=True):
    """Spikes of every block, (batch, time steps, h, w, c), and the classifier's potentials.

    A neuron fires up to max_spikes of one sign in a step, any number if it is None.
    """
    scale = 2**k
    most = np.inf if max_spikes is None else max_spikes
    least = -most if negative_spikes else 0
    potentials = {block.name: scale * initial(weights, block) for block in network.blocks}
    counts = {block.name: 0.0 for block in network.blocks}
    trains = {block.name: [] for block in network.blocks}
    output, outputs = scale * initial(weights, network.classifier), []
    for t in range(time_steps):
        spikes = [scale * (pixels / 256) * (t == 0)]  # of each source; a product of uint8 would overflow
        for block in network.blocks:
            if block.pools:
                m = largest(counts[str(block.sources[0])], block.inputs[0])
            else:
                potentials[block.name] = potentials[block.name] + current(spikes, weights, block)
                m = target_count(potentials[block.name] / scale, weights, block.name, scale, block.max_value)
            spikes.append(np.clip(m - counts[block.name], least, most))
            counts[block.name] = counts[block.name] + spikes[-1]
            trains[block.name].append(spikes[-1])
        output = output + current(spikes, weights, network.classifier).reshape(len(pixels), -1)
        outputs.append(output)
    return [np.stack(train, axis=1) for train in trains.values()], np.stack(outputs, axis=1)


def synaptic_operations(network, trains):
    """Synaptic operations of each block in each step, summed over the images: int array (blocks, time steps).

    A spike counts once for every weight that multiplies it in a layer that reads it, and once for every window of a
    max pooling; a burst as often as it has spikes.
    """
    batch, time_steps = trains[0].shape[:2]
    operations = np.zeros((len(trains), batch, time_steps))
    for edge in (edge for layer in (*network.blocks, network.classifier) for edge in layer.inputs):
        if edge.source > 0:
            train = trains[edge.source - 1]
            spikes = np.abs(train).reshape(batch * time_steps, *train.shape[2:])
            if hasattr(edge, "groups"):
                driven = convolve(spikes, np.ones(edge.kernel_shape), edge)
            else:
                driven = sum(seen for _, _, seen in windows(spikes, edge, outside=0.0))
            operations[edge.source - 1] += driven.sum(axis=(1, 2, 3)).reshape(batch, time_steps)
    return operations.sum(axis=1).astype(np.int64)
