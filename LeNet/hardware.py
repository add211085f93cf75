"""For hardware: golden vectors, with which a chip is compared, and the ranges of numbers that determine its size.

Potentials follow from the recorded spikes by exact integer convolution: in each time step a neuron's potential is the
sum of its weights times the net counts of its inputs up to and including that step.
"""

from dataclasses import dataclass

import numpy as np

from experiment import InputError, command_line
from spiking.thresholds import ALWAYS, NEVER

MAX_MEASURED = 1 << 22  # neurons times time steps in memory at a time
MAX_WRITTEN = 1 << 26  # neurons times time steps in a golden file, 5 bytes each
INT8_MAX = 127
FLOAT32_EXACT = 2**24  # float32 holds every integer below


def golden_vectors(snn, trained, pixels):
    """The arrays of --golden, by key; docs/hardware.md describes them.

    Parameters
    ----------
    snn : SpikingNetwork
    trained : Trained model that it was made from
    pixels : uint8 array (images, h, w, c)

    Raises
    ------
    InputError
        A neuron fires more spikes at once than int8 can hold, or the file would be too large.
    """
    size = len(pixels) * snn.time_steps * snn.network.neurons
    if size > MAX_WRITTEN:
        raise InputError(
            f"argument --golden: {len(pixels):,} images x {snn.time_steps:,} time steps x "
            f"{snn.network.neurons:,} neurons, expected at most {MAX_WRITTEN:,} potentials; --limit lowers them"
        )
    activity = snn.run(pixels)
    source = trained.identity.entries | {"sha256": trained.sha256}
    arrays = {f"weights/{name}": np.array(value) for name, value in source.items()}
    arrays |= snn.settings() | {"pixels": pixels}
    for block, spikes, potentials in _steps(snn, activity, pixels):
        if np.abs(spikes).max(initial=0) > INT8_MAX:
            found = f"a neuron fires {np.abs(spikes).max()} spikes at once"
            raise InputError(f"argument --max_spikes: {found}, expected at most {INT8_MAX}, as int8 holds")
        arrays[f"block{block.name}/potential"] = potentials.astype(np.int32)
        arrays[f"block{block.name}/spikes"] = spikes.astype(np.int8)
    return arrays | {"fc/potential": activity.potentials, "prediction": activity.predictions().astype(np.int64)}


def _steps(snn, activity, pixels):
    """Yields each Block with its spikes and potentials, both (images, time steps, h, w, c)."""
    incoming = [_image_train(snn, pixels)]
    for layer, train in zip(snn.blocks, activity.trains, strict=True):
        incoming.append(train.to_dense())
        counts = [incoming[source].cumsum(axis=1) for source in layer.sources]
        yield layer.description, incoming[-1], _potentials(layer, counts)


def _image_train(snn, pixels):
    """The spike counts that encode the image: (images, time steps, h, w, c)."""
    from spiking.encoding import image_train  # not at the top, as it imports Numba and --help should not wait

    return image_train(pixels, snn.network.input_shape, snn.time_steps).to_dense()


def _potentials(layer, counts):
    """A spiking layer's potentials, given the net counts of its sources, (images, time steps, h, w, c) each."""
    if layer.description.pools:
        return _largest(counts[0], layer.description.inputs[0])
    return layer.initial + _added(layer, counts, layer.kernels)


def _added(layer, trains, layer_kernels):
    """The sum over a spiking layer's inputs of each train's convolution with its kernel, in exact integers."""
    inputs = zip(layer.description.inputs, trains, layer_kernels, layer.factors, strict=True)
    return sum(factor * _convolve(train, kernel, edge) for edge, train, kernel, factor in inputs)


def _convolve(train, kernel, edge):
    """The convolution of (images, time steps, h, w, in) with (kernel h, kernel w, in per group, out).

    Floating-point sums of integers are exact in any order as long as the float type can hold them.
    """
    largest = np.abs(kernel.astype(np.int64)).sum(axis=(0, 1, 2)).max() * int(np.abs(train).max(initial=0))
    dtype = np.float32 if largest < FLOAT32_EXACT else np.float64
    result = edge.convolve(train.reshape(-1, *train.shape[2:]).astype(dtype), kernel.astype(dtype))
    return result.reshape(*train.shape[:2], *edge.output_shape).astype(np.int64)


def _largest(counts, edge):
    """The largest net count in each window, (images, time steps, h, w, c)."""
    seen = [window for _, window in edge.seen(counts.reshape(-1, *counts.shape[2:]))]
    return np.max(seen, axis=0).reshape(*counts.shape[:2], *edge.output_shape)


@dataclass
class Sizes:
    """The ranges that one block, or the classifier, needs for all images."""

    name: str
    lowest: int = 2**31  # potential before the first or after any time step
    highest: int = -(2**31)
    lowest_partial: int = 0  # partial sum within a time step, whatever the order of its additions
    highest_partial: int = 0
    largest_count: int = 0
    most_spikes: int = 0  # of one image in one time step
    sum_of_most_spikes: int = 0  # over the images, of each one's busiest time step
    images: int = 0

    def add_potentials(self, before, raised, lowered):
        """Takes in a batch: potentials before each step, and what is added to and subtracted from them in it."""
        after = before + raised + lowered
        self.lowest = min(self.lowest, int(before.min()), int(after.min()))
        self.highest = max(self.highest, int(before.max()), int(after.max()))
        self.lowest_partial = min(self.lowest_partial, int((before + lowered).min()))
        self.highest_partial = max(self.highest_partial, int((before + raised).max()))

    def add_spikes(self, train, spikes):
        """Takes in a batch: a SpikeTrain and its dense form (images, time steps, h, w, c)."""
        most = np.abs(spikes).sum(axis=(2, 3, 4)).max(axis=1)
        self.largest_count = max(self.largest_count, train.peak_count)
        self.most_spikes = max(self.most_spikes, int(most.max()))
        self.sum_of_most_spikes += int(most.sum())
        self.images += len(most)


def measure(snn, pixels):
    """What the images need of hardware, as run.json holds it: a dict for each block and for the classifier."""
    layers = [*snn.blocks, snn.classifier]
    sizes = [Sizes(layer.name) for layer in layers]
    batch_size = max(1, MAX_MEASURED // (snn.time_steps * snn.network.neurons))
    starts = range(0, len(pixels), batch_size)
    for start in command_line.progress(starts, len(starts), "batch"):
        batch = pixels[start : start + batch_size]
        activity, trains = snn.run(batch), [_image_train(snn, batch)]
        for size, layer, train in zip(sizes, layers, [*activity.trains, None]):
            size.add_potentials(*_sums(layer, [trains[source] for source in layer.sources]))
            if train is not None:
                trains.append(train.to_dense())
                size.add_spikes(train, trains[-1])
    return [_row(size, layer) for size, layer in zip(sizes, layers, strict=True)]


def _sums(layer, trains):
    """A layer's potentials before each step up to its last input, and what is added to and subtracted from them."""
    active = np.any([train.any(axis=(0, 2, 3, 4)) for train in trains], axis=0)
    trains = [train[:, : np.flatnonzero(active).max(initial=0) + 1] for train in trains]
    if layer.description.pools:
        after = _potentials(layer, [train.cumsum(axis=1) for train in trains])
        before = np.concatenate([np.zeros_like(after[:, :1]), after[:, :-1]], axis=1)
        return before, np.maximum(after - before, 0), np.minimum(after - before, 0)
    added = _added(layer, trains, layer.kernels)
    absolute = [np.abs(kernel.astype(np.int64)) for kernel in layer.kernels]
    moved = _added(layer, [np.abs(train) for train in trains], absolute)  # up and down
    return layer.initial + added.cumsum(axis=1) - added, (moved + added) // 2, (added - moved) // 2


def _row(size, layer):
    row = {
        "name": size.name,
        "lowest_potential": size.lowest,
        "highest_potential": size.highest,
        "lowest_partial_sum": size.lowest_partial,
        "highest_partial_sum": size.highest_partial,
        "accumulator_bits": signed_bits(size.lowest_partial, size.highest_partial),
    }
    if layer.kernels:
        lowest, highest = min(kernel.min() for kernel in layer.kernels), max(kernel.max() for kernel in layer.kernels)
        row["weight_bits"] = signed_bits(int(lowest), int(highest))
        row["weight_bytes"] = sum(2 * kernel.size for kernel in layer.kernels)
    if size.name == "classifier":
        return row | {"state_bytes": 4 * layer.description.classes}
    counts = size.largest_count
    count_bytes = -(-counts.bit_length() // 8)
    if layer.description.pools:  # its state is the counts of its source, and it has no thresholds
        (edge,) = layer.description.inputs
        state_bytes = (int(np.prod(edge.input_shape)) + layer.description.neurons) * count_bytes
    else:
        used = layer.target.thresholds(counts + 1)[:, 1:].astype(np.int64)  # from theta_1 on
        finite = used[(used != ALWAYS) & (used != NEVER)]
        lowest, highest = (int(finite.min()), int(finite.max())) if finite.size else (0, 0)
        row |= {"threshold_bits": signed_bits(lowest, highest), "threshold_bytes": 4 * used.size}
        state_bytes = layer.description.neurons * (4 + count_bytes)
    return row | {
        "largest_count": counts,
        "count_bits": counts.bit_length(),
        "most_spikes_in_a_step": size.most_spikes,
        "most_spikes_in_a_step_on_average": size.sum_of_most_spikes / size.images,
        "state_bytes": state_bytes,
    }


def signed_bits(lowest, highest):
    """How many bits a two's complement integer needs to hold both."""
    return max((-lowest - 1).bit_length() if lowest < 0 else 0, max(highest, 0).bit_length()) + 1


def report(rows):
    """Prints what `measure` returns."""
    print(f"{'':10}{'potential':>23}{'bits of':>25}{'largest':>8}{'spikes a step':>14}")
    heads = f"{'':10}{'lowest':>12}{'highest':>11}{'sum':>4}{'weight':>7}{'thresh.':>8}{'count':>6}"
    print(f"{heads}{'count':>8}{'most':>6}{'mean':>8}")
    for row in rows:
        print(f"{row['name']:10}{row['lowest_potential']:12,}{row['highest_potential']:11,}", end="")
        print(f"{row['accumulator_bits']:4}{row.get('weight_bits', ''):7}", end="")
        if "largest_count" in row:
            print(f"{row.get('threshold_bits', ''):8}{row['count_bits']:6}", end="")
            print(f"{row['largest_count']:8}{row['most_spikes_in_a_step']:6,}", end="")
            print(f"{row['most_spikes_in_a_step_on_average']:8,.1f}", end="")
        print()
    weights, thresholds, state = (
        sum(row.get(f"{what}_bytes", 0) for row in rows) for what in ("weight", "threshold", "state")
    )
    print(f"memory    weights {weights:,}, thresholds {thresholds:,}, state {state:,} bytes")
