"""Runs a spiking network on test images, for a number of time steps or until no neuron fires any more."""

from functools import partial

import numpy as np

from experiment import command_line
from experiment.runs import last_step_with_spikes
from spiking.trains import SPIKES
from spiking_utils import SpikingNetwork, evaluate

FIRST_TIME_STEPS = 16  # doubled until all images are quiescent
MAX_TIME_STEPS = 4096  # after these, a network that still fires is evaluated as it is


def simulate(snn, test, batch_size, threads):
    """The Evaluation of a SpikingNetwork over its time steps; shows a progress bar."""
    progress = partial(command_line.progress, total=-(-len(test.pixels) // batch_size), unit="batch")
    return evaluate(snn, test.pixels, test.labels, batch_size, threads, progress)


def simulate_until_quiescent(snn, test, batch_size, threads):
    """The Evaluation of a SpikingNetwork over one time step more than its slowest image needs."""
    run_until_quiescent(snn, test.pixels[:batch_size])
    evaluation = simulate(snn, test, batch_size, threads)
    while not evaluation.quiescent.all() and snn.time_steps < MAX_TIME_STEPS:
        snn.time_steps *= 2
        evaluation = simulate(snn, test, batch_size, threads)
    steps = min(last_step_with_spikes(evaluation.statistics[..., SPIKES].T) + 1, snn.time_steps)
    return evaluation._replace(right=evaluation.right[:, :steps], statistics=evaluation.statistics[:, :, :steps])


def run_until_quiescent(snn, pixels, most=MAX_TIME_STEPS):
    """The Activity of a SpikingNetwork, whose time steps are doubled until all of these images are quiescent."""
    while True:
        activity = snn.run(pixels)
        if activity.quiescent().all() or snn.time_steps >= most:
            return activity
        snn.time_steps *= 2


def count_ann_right(evaluation, trained, k, test, lossless, batch_size, threads):
    """How many images the artificial network predicts correctly; None if its activations are too high to simulate.

    For quiescent images, a lossless spiking network predicts what the artificial network does. The other images are
    run in one time step without a bound on the spikes, which amounts to the artificial network.
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
