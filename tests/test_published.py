"""What the repository publishes belongs together."""

import pytest

from experiment.model import log_folder, published_history, published_weights
from LeNet import FP32_LeNet_MNIST, Spiking_LeNet_MNIST
from spiking.network import FULL_PRECISION
from tests.helpers import PUBLISHED, ROOT
from tests.script_helpers import snapshot


def test_each_network_has_weights_and_a_history_and_there_are_no_others():
    places = [place(*network) for network in PUBLISHED for place in (published_weights, published_history)]
    assert sorted((ROOT / "LeNet/pretrained").iterdir()) == sorted(places)


@pytest.mark.parametrize(("k", "recipe"), PUBLISHED)
def test_evaluating_the_weights_rewrites_the_logs_byte_for_byte(k, recipe, tmp_path, run_here):
    if k == FULL_PRECISION:
        script = (FP32_LeNet_MNIST.main, "--mode", "inference")
    else:
        script = (Spiking_LeNet_MNIST.main, "--k", k)
    options = ("--recipe", recipe, "--weights", published_weights(k, recipe), "--logs", tmp_path)
    process = run_here(*script, *options)
    assert process.returncode == 0, process.stderr
    assert snapshot(tmp_path) == snapshot(log_folder(k, recipe))
