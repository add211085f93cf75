"""A spiking network over test images, for a number of time steps or until no image fires any more."""

from functools import partial

import numpy as np

from experiment import command_line
from spiking.trains import SPIKES
from spiking_utils import SpikingNetwork, evaluate

MOST_TIME_STEPS = 4096  # after which a network that still fires is taken as it is


def simulate(network, test, batch_size, threads):
    """The Evaluation of a SpikingNetwork over its time steps, with a progress bar."""
    progress = partial(command_line.progress, total=-(-len(test.pixels) // batch_size), unit="batch")
    return evaluate(network, test.pixels, test.labels, batch_size, threads, progress)


def simulate_until_quiescent(network, test, batch_size, threads):
    """The Evaluation of a SpikingNetwork over as many time steps as the slowest image takes, and one more."""
    run_until_quiescent(network, test.pixels[:batch_size])
    evaluation = simulate(network, test, batch_size, threads)
    while not evaluation.quiescent.all() and network.time_steps < MOST_TIME_STEPS:
        network.time_steps *= 2
        evaluation = simulate(network, test, batch_size, threads)
    spikes = evaluation.statistics[..., SPIKES].sum(axis=(0, 1))
    steps = min(int(np.flatnonzero(spikes).max(initial=-1)) + 2, network.time_steps)
    return evaluation._replace(right=evaluation.right[:, :steps], statistics=evaluation.statistics[:, :, :steps])


def run_until_quiescent(network, pixels):
    """Doubles the time steps of a SpikingNetwork until none of these images fires in the last one."""
    while not network.run(pixels).quiescent().all() and network.time_steps < MOST_TIME_STEPS:
        network.time_steps *= 2


def count_ann_right(evaluation, trained, k, test, lossless, batch_size, threads):
    """How many images the artificial network predicts right; None if its activations are too high to be emitted.

    Where the spiking network is lossless and quiescent, its prediction is the artificial one's. Other images are run
    in one time step without a bound on the spikes, which is the artificial network.
    """
    settled = evaluation.quiescent & lossless
    right = int(np.sum((evaluation.predictions == test.labels)[settled]))
    if settled.all():
        return right
    artificial = SpikingNetwork(trained.weights, trained.network, k, time_steps=1, max_spikes=None)
    try:
        return right + int(simulate(artificial, test.where(~settled), batch_size, threads).right.sum())
    except OverflowError:
        return None
