"""Checks losslessness: compares each neuron of the spiking network with the artificial network in Keras."""

from dataclasses import dataclass, field

import numpy as np

from experiment import InputError, command_line, images
from experiment.runs import last_step_with_spikes
from LeNet.evaluation import FIRST_TIME_STEPS, run_until_quiescent
from LeNet.tensorlayer import models
from spiking.trains import SPIKES
from spiking_utils import MAX_RESERVED_SPIKES, SpikingNetwork

MAX_SPIKES = 4096  # of a neuron's spikes, which take as many time steps


@dataclass
class Comparison:
    """How far the spiking network, once quiescent, agrees with the artificial one."""

    compared: np.ndarray  # int64 (blocks,), neurons of all images
    equal: np.ndarray  # int64 (blocks,), those whose net spike count is S * activation in float64
    equal_float32: np.ndarray  # int64 (blocks,), the same with Keras in float32
    images: int = 0
    equal_predictions: int = 0
    time_steps: int = 0  # after which no neuron fired for any image
    first_difference: str | None = None
    predictions: list = field(default_factory=list)  # of the spiking network, int array for each batch

    @property
    def lossless(self):
        return self.first_difference is None and self.equal_predictions == self.images


def compare(weights, network, k, pixels, batch_size, max_spikes=1):
    """Runs both networks over all images.

    Parameters
    ----------
    weights : dict of arrays by key, on the weight grid
    network, k : the Network and the level of the weights
    pixels : integer array (images, h, w, c)
    batch_size : int
    max_spikes : int or None
        Bound on the spikes of a neuron in a time step; None for no bound.

    Returns
    -------
    Comparison

    Raises
    ------
    InputError
        The spiking network would take too many spikes to become quiescent.
    """
    exact, single = (_activations(weights, network, k, dtype) for dtype in ("float64", "float32"))
    spiking = SpikingNetwork(weights, network, k, FIRST_TIME_STEPS, max_spikes)
    result = Comparison(*np.zeros((3, len(network.blocks)), np.int64))
    starts = range(0, len(pixels), batch_size)
    for start in command_line.progress(starts, len(starts), "batch"):
        batch = pixels[start : start + batch_size]
        expected = exact(batch)
        _refuse_too_many_spikes(expected[:-1])
        activity = run_until_quiescent(spiking, batch, most=np.inf)  # counts have an end, so spikes have, too
        counts = [train.counts() for train in activity.trains]
        _compare_counts(result, counts, expected, single(batch), start)
        result.predictions.append(activity.predictions()[:, -1])
        result.equal_predictions += np.sum(result.predictions[-1] == expected[-1].argmax(axis=1))
        result.images += len(batch)
        last = last_step_with_spikes(activity.statistics[..., SPIKES].T)
        result.time_steps = max(result.time_steps, last)
    return result


def _activations(weights, network, k, dtype):
    """A function that lets Keras compute S * activation of every block and the logits from pixels."""
    keras_model = models.build(network, k, dtype=dtype)
    models.assign(network, keras_model, weights)
    all_outputs = models.with_activations(network, keras_model)

    def activations(pixels):
        *values, logits = map(np.asarray, all_outputs(images.scaled(pixels).astype(dtype), training=False))
        return [*(2**k * value for value in values), logits]

    return activations


def _refuse_too_many_spikes(counts):
    highest, spikes = max(count.max() for count in counts), sum(count.sum() for count in counts)
    if highest > MAX_SPIKES or spikes > MAX_RESERVED_SPIKES:
        raise InputError(
            f"a neuron has to fire {highest:.0f} times and a batch {spikes:.0f} times until quiescent, "
            f"expected at most {MAX_SPIKES} and {MAX_RESERVED_SPIKES}; a smaller --batch_size lowers the latter"
        )


def _compare_counts(result, counts, expected, expected_float32, first_image):
    for index, count in enumerate(counts):
        equal = count == expected[index]
        result.compared[index] += count.size
        result.equal[index] += equal.sum()
        result.equal_float32[index] += np.sum(count == expected_float32[index])
        if result.first_difference is None and not equal.all():
            image, row, column, channel = place = tuple(map(int, np.argwhere(~equal)[0]))
            result.first_difference = (
                f"image {first_image + image}, block {index + 1}, position ({row}, {column}), channel {channel}: "
                f"net spike count {count[place]}, S * activation {expected[index][place]:g}"
            )


def report(result, as_trained=True):
    """Prints the comparison; `as_trained` says whether the quantised network is the one that was trained."""
    print(f"{'':12}{'neurons':>14}{'equal':>14}{'equal to float32':>20}")
    rows = [
        (f"block {number}", *row)
        for number, row in enumerate(zip(result.compared, result.equal, result.equal_float32), start=1)
    ]
    rows.append(("total", result.compared.sum(), result.equal.sum(), result.equal_float32.sum()))
    for name, compared, equal, equal_float32 in rows:
        print(f"{name:12}{compared:14,}{equal:14,}{equal_float32:20,}")
    print(f"{'predictions':12}{result.images:14,}{result.equal_predictions:14,}")
    print(f"every image is quiescent after {result.time_steps} time steps")
    if result.first_difference:
        print(f"first difference: {result.first_difference}")
    if as_trained:
        print("lossless" if result.lossless else "NOT lossless")
    else:
        print(f"equal to the quantised network in {result.equal.sum():,} of {result.compared.sum():,} neurons")


def report_original(result, original_classes, labels):
    """Prints how the spiking network agrees with the classes that the original network predicts.

    These may be known for the first images only.
    """
    predicted, known = np.concatenate(result.predictions), len(original_classes)
    print(f"predictions equal to the model's own: {np.sum(predicted[:known] == original_classes):,} of {known:,}")
    accuracies = (100 * np.mean(classes == labels[: len(classes)]) for classes in (predicted, original_classes))
    print("accuracy   {:.2f} % spiking, {:.2f} % the model itself".format(*accuracies))
