"""The published weights, histories and logs are consistent with each other."""

import pytest

from experiment import logs
from experiment.runs import Variation, default_folder
from experiment.weights import read_published
from LeNet import FP32_LeNet_MNIST, Spiking_LeNet_MNIST
from spiking.network import FULL_PRECISION
from tests.helpers import PUBLISHED, RESIDUALS, ROOT
from tests.script_helpers import snapshot


def test_each_network_has_weights_and_a_history_and_there_are_no_others():
    places = [place for model in PUBLISHED for place in (model.published, model.history)]
    assert sorted((ROOT / "LeNet/pretrained").iterdir()) == sorted(places)


@pytest.mark.parametrize("model", PUBLISHED, ids=lambda model: model.name)
def test_weights_are_those_of_a_whole_training_as_long_as_its_history(model):
    trained = read_published(model)
    epochs = len(model.history.read_text().splitlines()) - 1  # without the heading
    assert (trained.network.notation, trained.identity.epochs) == (f"28x28x1-{model.network}-10", epochs)
    assert (trained.identity.images, trained.identity.shortfall) == (50_000, "")


@pytest.mark.parametrize("model", PUBLISHED, ids=lambda model: model.name)
def test_evaluating_the_weights_rewrites_the_logs_byte_for_byte(model, tmp_path, run_here):
    variation, options = Variation(), ()
    if model in RESIDUALS:  # in one step, which takes a few seconds instead of a minute
        variation = Variation(max_spikes=None)
        steps = logs.read(default_folder(model, variation)).run.time_steps
        options = ("--max_spikes", "unbounded", "--time_steps", steps)
    full_precision = (FP32_LeNet_MNIST.main, "--mode", "inference")
    script = full_precision if model.k == FULL_PRECISION else (Spiking_LeNet_MNIST.main,)
    process = run_here(*script, "--weights", model.published, "--logs", tmp_path, *options)
    assert process.returncode == 0, process.stderr
    assert snapshot(tmp_path) == snapshot(default_folder(model, variation))
