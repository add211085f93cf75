"""The equations of the networks once more, in plain NumPy float64, to compare the project with.

Dense, slow and without anything of spiking_utils: convolutions are sums over the kernel's positions, and batch
normalisation is evaluated in every step instead of being folded into thresholds.
"""

import numpy as np

BN_EPSILON = 1e-5
ROUNDING_OFFSET = 1e-5


def convolve(x, kernel, stride):
    """VALID convolution of (batch, h, w, in) with (h, w, in, out)."""
    height, width = ((x.shape[axis + 1] - kernel.shape[axis]) // stride + 1 for axis in (0, 1))
    result = np.zeros((len(x), height, width, kernel.shape[3]))
    for row in range(kernel.shape[0]):
        for column in range(kernel.shape[1]):
            rows = slice(row, row + stride * (height - 1) + 1, stride)
            columns = slice(column, column + stride * (width - 1) + 1, stride)
            result += x[:, rows, columns] @ kernel[row, column].astype(np.float64)
    return result


def normalize(x, weights, name):
    """Batch normalisation with the moving averages."""
    gamma, beta, mean, variance = (
        weights[f"bn{name}/{parameter}"].astype(np.float64)
        for parameter in ("gamma", "beta", "moving_mean", "moving_var")
    )
    return gamma * (x - mean) / np.sqrt(variance + BN_EPSILON) + beta


def justified_count(x, weights, name, scale):
    """S * Q(relu(BN(x))), a whole number."""
    return np.floor(scale * np.maximum(normalize(x, weights, name), 0) + 1 / 2 + ROUNDING_OFFSET)


def artificial(weights, network, k, pixels):
    """S * activation of every block, and the logits, of the quantised artificial network."""
    scale = 2**k
    x, counts = pixels / 256, []
    for block in network.blocks:
        pre_activation = convolve(x, weights[f"conv{block.name}/W"], block.stride)
        counts.append(justified_count(pre_activation, weights, block.name, scale))
        x = counts[-1] / scale
    return counts, x.reshape(len(x), -1) @ weights["fc/W"].astype(np.float64)


def spiking(weights, network, k, time_steps, pixels):
    """Spikes of every block, (batch, time steps, h, w, c), and the classifier's potentials."""
    scale = 2**k
    potentials = {block.name: 0.0 for block in network.blocks}
    counts = {block.name: 0.0 for block in network.blocks}
    trains = {block.name: [] for block in network.blocks}
    output, outputs = 0.0, []
    for t in range(time_steps):
        x = scale * pixels / 256 * (t == 0)
        for block in network.blocks:
            current = convolve(x, weights[f"conv{block.name}/W"], block.stride)
            potentials[block.name] = potentials[block.name] + current
            count = justified_count(potentials[block.name] / scale, weights, block.name, scale)
            x = np.sign(count - counts[block.name])
            counts[block.name] = counts[block.name] + x
            trains[block.name].append(x)
        output = output + x.reshape(len(x), -1) @ weights["fc/W"].astype(np.float64)
        outputs.append(output)
    return [np.stack(train, axis=1) for train in trains.values()], np.stack(outputs, axis=1)


def synaptic_operations(network, trains):
    """Synaptic operations of each block in each step, summed over the images: int array (blocks, time steps).

    A spike counts once for every weight that multiplies it in the next layer.
    """
    operations = []
    for train, reader in zip(trains, [*network.blocks[1:], None], strict=True):
        batch, time_steps = train.shape[:2]
        spikes = np.abs(train).reshape(batch * time_steps, *train.shape[2:])
        if reader is None:
            driven = spikes.reshape(len(spikes), -1).sum(axis=1) * network.classes
        else:
            driven = convolve(spikes, np.ones(reader.kernel_shape), reader.stride).sum(axis=(1, 2, 3))
        operations.append(driven.reshape(batch, time_steps).sum(axis=0))
    return np.array(operations).astype(np.int64)
