"""What an engineer compares a chip with, and the numbers that size it: golden vectors and ranges.

Potentials follow from the recorded spikes by exact integer convolution: in a time step each neuron's potential is the
sum of its weights times the net counts of its inputs up to and with this step.
"""

from dataclasses import dataclass

import numpy as np

from experiment import InputError, command_line
from spiking.thresholds import ALWAYS, NEVER

MOST_MEASURED = 1 << 22  # neurons times time steps in memory at a time
MOST_WRITTEN = 1 << 26  # neurons times time steps in a golden file, 5 bytes each
INT8_MAX = 127
FLOAT32_EXACT = 2**24  # below it, float32 holds every whole number


def golden_vectors(network, trained, pixels):
    """The arrays of --golden, by key; docs/hardware.md describes them.

    Parameters
    ----------
    network : SpikingNetwork
    trained : Trained, that it was made from
    pixels : uint8 array (images, h, w, c)

    Raises
    ------
    InputError
        A neuron fires more than int8 can hold at once, or the file would be too large.
    """
    size = len(pixels) * network.time_steps * network.network.neurons
    if size > MOST_WRITTEN:
        raise InputError(
            f"argument --golden: {len(pixels):,} images x {network.time_steps:,} time steps x "
            f"{network.network.neurons:,} neurons, expected at most {MOST_WRITTEN:,} potentials; --limit takes fewer"
        )
    activity = network.run(pixels)
    source = trained.identity | {"sha256": trained.sha256}
    arrays = {f"weights/{name}": np.array(value) for name, value in source.items()}
    arrays |= network.settings() | {"pixels": pixels}
    for block, spikes, potentials in _steps(network, activity, pixels):
        if np.abs(spikes).max(initial=0) > INT8_MAX:
            raise InputError(f"argument --max_spikes: a neuron fires more than {INT8_MAX} at once, expected int8")
        arrays[f"block{block.name}/potential"] = potentials.astype(np.int32)
        arrays[f"block{block.name}/spikes"] = spikes.astype(np.int8)
    return arrays | {"fc/potential": activity.potentials, "prediction": activity.predictions().astype(np.int64)}


def _steps(network, activity, pixels):
    """Yields each block with its spikes and potentials, both (images, time steps, h, w, c)."""
    incoming = _image_train(pixels, network.time_steps)
    for block, layer, train in zip(network.network.blocks, network.blocks, activity.trains, strict=True):
        potentials = _convolve(incoming.cumsum(axis=1), layer.kernel, block)
        incoming = train.to_dense()
        yield block, incoming, potentials


def _image_train(pixels, time_steps):
    """The image as what comes in: in the first time step only."""
    train = np.zeros((len(pixels), time_steps, *pixels.shape[1:]), np.int64)
    train[:, 0] = pixels
    return train


def _convolve(train, kernel, block):
    """The convolution of (images, time steps, h, w, in) with (kernel h, kernel w, in, out), in exact integers.

    Sums of whole numbers are exact in any order as long as none is beyond what a float holds.
    """
    largest = np.abs(kernel.astype(np.int64)).sum(axis=(0, 1, 2)).max() * int(np.abs(train).max(initial=0))
    number = np.float32 if largest < FLOAT32_EXACT else np.float64
    images, time_steps = train.shape[:2]
    x = np.pad(train.reshape(-1, *train.shape[2:]).astype(number), [(0, 0), *block.padding, (0, 0)])
    height, width, _ = block.output_shape
    result = np.zeros((len(x), *block.output_shape), number)
    for row, column in np.ndindex(block.kernel_size):
        rows = slice(row, row + block.stride[0] * (height - 1) + 1, block.stride[0])
        columns = slice(column, column + block.stride[1] * (width - 1) + 1, block.stride[1])
        result += x[:, rows, columns] @ kernel[row, column].astype(number)
    return result.reshape(images, time_steps, *block.output_shape).astype(np.int64)


@dataclass
class Sizes:
    """What one block, or the classifier, needs, over all images."""

    name: str
    lowest: int = 0  # potential after a time step
    highest: int = 0
    lowest_partial: int = 0  # on the way there, whatever the order of the additions of a time step
    highest_partial: int = 0
    largest_count: int = 0
    most_spikes: int = 0  # of an image in one time step
    sum_of_most_spikes: int = 0  # over the images
    images: int = 0

    def add_potentials(self, before, raised, lowered):
        """Takes in a batch: potentials before each step, and what raises and what lowers them in it."""
        after = before + raised + lowered
        self.lowest, self.highest = min(self.lowest, int(after.min())), max(self.highest, int(after.max()))
        self.lowest_partial = min(self.lowest_partial, int((before + lowered).min()))
        self.highest_partial = max(self.highest_partial, int((before + raised).max()))

    def add_spikes(self, train, spikes):
        """Takes in a batch: the SpikeTrain and the same dense, (images, time steps, h, w, c)."""
        most = np.abs(spikes).sum(axis=(2, 3, 4)).max(axis=1)
        self.largest_count = max(self.largest_count, train.peak_count)
        self.most_spikes = max(self.most_spikes, int(most.max()))
        self.sum_of_most_spikes += int(most.sum())
        self.images += len(most)


def measure(network, pixels):
    """The Sizes of every block and of the classifier, for a SpikingNetwork over all images."""
    blocks, classifier = network.network.blocks, network.network.classifier
    sizes = [Sizes(f"block {block.name}") for block in blocks] + [Sizes("classifier")]
    batch_size = max(1, MOST_MEASURED // (network.time_steps * network.network.neurons))
    starts = range(0, len(pixels), batch_size)
    for start in command_line.progress(starts, len(starts), "batch"):
        batch = pixels[start : start + batch_size]
        activity, incoming = network.run(batch), _image_train(batch, network.time_steps)
        for size, block, layer, train in zip(sizes, blocks, network.blocks, activity.trains):
            size.add_potentials(*_sums(incoming, layer.kernel, block))
            incoming = train.to_dense()
            size.add_spikes(train, incoming)
        kernel = network.classifier.weights.reshape(classifier.kernel_shape)
        before, raised, lowered = _sums(incoming, kernel, classifier)
        sizes[-1].add_potentials(before + network.classifier.bias, raised, lowered)
    return sizes


def _sums(train, kernel, block):
    """Potentials before each step in which something comes in, what raises them in it and what lowers them."""
    steps = np.flatnonzero(train.any(axis=(0, 2, 3, 4)))
    train = train[:, : steps.max(initial=0) + 1]
    added = _convolve(train, kernel, block)
    moved = _convolve(np.abs(train), np.abs(kernel.astype(np.int64)), block)  # up and down
    return added.cumsum(axis=1) - added, (moved + added) // 2, (added - moved) // 2


def table(network, sizes):
    """What run.json holds of --sizes: a dict for each block and the classifier."""
    layers = [*network.blocks, network.classifier]
    return [_row(size, layer) for size, layer in zip(sizes, layers, strict=True)]


def _row(size, layer):
    kernel = layer.weights if size.name == "classifier" else layer.kernel
    row = {
        "name": size.name,
        "lowest_potential": size.lowest,
        "highest_potential": size.highest,
        "lowest_partial_sum": size.lowest_partial,
        "highest_partial_sum": size.highest_partial,
        "accumulator_bits": signed_bits(size.lowest_partial, size.highest_partial),
        "weight_bits": signed_bits(int(kernel.min()), int(kernel.max())),
        "weight_bytes": 2 * kernel.size,
    }
    if size.name == "classifier":
        return row | {"state_bytes": 4 * kernel.shape[-1]}
    counts = size.largest_count
    used = layer.thresholds[:, 1 : counts + 2].astype(np.int64)  # theta_1 to that of the largest count and one more
    finite = used[(used != ALWAYS) & (used != NEVER)]
    lowest, highest = (int(finite.min()), int(finite.max())) if finite.size else (0, 0)
    neurons = int(np.prod(layer.output_shape))
    return row | {
        "threshold_bits": signed_bits(lowest, highest),
        "threshold_bytes": 4 * used.size,
        "largest_count": counts,
        "count_bits": counts.bit_length(),
        "most_spikes_in_a_step": size.most_spikes,
        "most_spikes_in_a_step_on_average": size.sum_of_most_spikes / size.images,
        "state_bytes": neurons * (4 + -(-counts.bit_length() // 8)),
    }


def signed_bits(lowest, highest):
    """The bits of a two's complement integer that holds both."""
    return max((-lowest - 1).bit_length() if lowest < 0 else 0, max(highest, 0).bit_length()) + 1


def report(rows):
    """Prints the table."""
    print(f"{'':10}{'potential':>23}{'bits of':>25}{'largest':>8}{'spikes a step':>14}")
    heads = f"{'':10}{'lowest':>12}{'highest':>11}{'sum':>4}{'weight':>7}{'thresh.':>8}{'count':>6}"
    print(f"{heads}{'count':>8}{'most':>6}{'mean':>8}")
    for row in rows:
        print(f"{row['name']:10}{row['lowest_potential']:12,}{row['highest_potential']:11,}", end="")
        print(f"{row['accumulator_bits']:4}{row['weight_bits']:7}", end="")
        if "largest_count" in row:
            print(f"{row['threshold_bits']:8}{row['count_bits']:6}", end="")
            print(f"{row['largest_count']:8}{row['most_spikes_in_a_step']:6,}", end="")
            print(f"{row['most_spikes_in_a_step_on_average']:8,.1f}", end="")
        print()
    weights, thresholds, state = (
        sum(row.get(f"{what}_bytes", 0) for row in rows) for what in ("weight", "threshold", "state")
    )
    print(f"memory    weights {weights:,}, thresholds {thresholds:,}, state {state:,} bytes")
