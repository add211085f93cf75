"""The equations of the networks once more, in plain NumPy float64, to compare the project with.

Dense, slow and without anything of spiking_utils: convolutions are sums over the kernel's positions, and batch
normalisation is evaluated in every step instead of being folded into thresholds. The rule of the neuron stands in
`spiking`, in the order of the paper; the fast one is in spiking/neuron.py.
"""

import numpy as np

BN_EPSILON = 1e-5
ROUNDING_OFFSET = 1e-5


def convolve(x, kernel, stride=(1, 1), same=False):
    """Convolution of (batch, h, w, in) with (h, w, in, out); windows inside the input, or padded with zeros."""
    if same:
        x = np.pad(x, [(0, 0), *(padding(x.shape[i + 1], kernel.shape[i], stride[i]) for i in (0, 1)), (0, 0)])
    height, width = ((x.shape[i + 1] - kernel.shape[i]) // stride[i] + 1 for i in (0, 1))
    result = np.zeros((len(x), height, width, kernel.shape[3]))
    for row in range(kernel.shape[0]):
        for column in range(kernel.shape[1]):
            rows = slice(row, row + stride[0] * (height - 1) + 1, stride[0])
            columns = slice(column, column + stride[1] * (width - 1) + 1, stride[1])
            result += x[:, rows, columns] @ kernel[row, column].astype(np.float64)
    return result


def padding(size, kernel, stride):
    """Zeros before and after an axis for ceil(size / stride) windows, the odd one after it, as Keras places them."""
    windows = int(np.ceil(size / stride))
    zeros = max((windows - 1) * stride + kernel - size, 0)
    return zeros // 2, zeros - zeros // 2


def convolve_block(x, weights, block):
    """The current of a block's neurons, (batch, h, w, out)."""
    return convolve(x, weights[f"conv{block.name}/W"], block.stride, block.same)


def normalize(x, weights, name):
    """Batch normalisation with the moving averages."""
    gamma, beta, mean, variance = (
        weights[f"bn{name}/{parameter}"].astype(np.float64)
        for parameter in ("gamma", "beta", "moving_mean", "moving_var")
    )
    return gamma * (x - mean) / np.sqrt(variance + BN_EPSILON) + beta


def justified_count(x, weights, name, scale, max_value=None):
    """S * Q(relu(BN(x))), a whole number."""
    activation = np.maximum(normalize(x, weights, name), 0)
    if max_value is not None:
        activation = np.minimum(activation, max_value)
    return np.floor(scale * activation + 1 / 2 + ROUNDING_OFFSET)


def classify(x, weights):
    """The classifier's sum for (batch, h, w, c), without its bias."""
    return x.reshape(len(x), -1) @ weights["fc/W"].astype(np.float64)


def artificial(weights, network, k, pixels):
    """S * activation of every block, and S * logits, of the quantised artificial network.

    The bias of the classifier counts S times: the spiking network starts from it, and its spikes are S times the
    activations.
    """
    scale = 2**k
    x, counts = pixels / 256, []
    for block in network.blocks:
        pre_activation = convolve_block(x, weights, block)
        counts.append(justified_count(pre_activation, weights, block.name, scale, block.max_value))
        x = counts[-1] / scale
    return counts, scale * (classify(x, weights) + weights.get("fc/b", 0.0))


def spiking(weights, network, k, time_steps, pixels, max_spikes=1, negative_spikes=True):
    """Spikes of every block, (batch, time steps, h, w, c), and the classifier's potentials.

    A neuron fires up to max_spikes of one sign in a step, any number if it is None.
    """
    scale = 2**k
    most = np.inf if max_spikes is None else max_spikes
    least = -most if negative_spikes else 0
    potentials = {block.name: 0.0 for block in network.blocks}
    counts = {block.name: 0.0 for block in network.blocks}
    trains = {block.name: [] for block in network.blocks}
    output, outputs = scale * weights.get("fc/b", np.float64(0)).astype(np.float64), []
    for t in range(time_steps):
        x = scale * (pixels / 256) * (t == 0)  # a product of uint8 would overflow
        for block in network.blocks:
            potentials[block.name] = potentials[block.name] + convolve_block(x, weights, block)
            u = potentials[block.name] / scale
            m = justified_count(u, weights, block.name, scale, block.max_value)
            x = np.clip(m - counts[block.name], least, most)
            counts[block.name] = counts[block.name] + x
            trains[block.name].append(x)
        output = output + classify(x, weights)
        outputs.append(output)
    return [np.stack(train, axis=1) for train in trains.values()], np.stack(outputs, axis=1)


def synaptic_operations(network, trains):
    """Synaptic operations of each block in each step, summed over the images: int array (blocks, time steps).

    A spike counts once for every weight that multiplies it in the next layer, a burst as often as it has spikes.
    """
    operations = []
    for train, reader in zip(trains, [*network.blocks[1:], None], strict=True):
        batch, time_steps = train.shape[:2]
        spikes = np.abs(train).reshape(batch * time_steps, *train.shape[2:])
        if reader is None:
            driven = spikes.reshape(len(spikes), -1).sum(axis=1) * network.classes
        else:
            ones = np.ones(reader.kernel_shape)
            driven = convolve(spikes, ones, reader.stride, reader.same).sum(axis=(1, 2, 3))
        operations.append(driven.reshape(batch, time_steps).sum(axis=0))
    return np.array(operations).astype(np.int64)
