"""What the repository publishes belongs together."""

import pytest

from LeNet.network import FULL_PRECISION
from LeNet.paths import log_folder, published_weights
from LeNet.recipes import PAPER
from tests.helpers import PUBLISHED, run_script
from tests.script_helpers import snapshot


def test_networks_of_the_paper_are_published():
    assert {k for k, recipe in PUBLISHED if recipe == PAPER.name} == {FULL_PRECISION, 0, 1, 2}


@pytest.mark.parametrize(("k", "recipe"), PUBLISHED)
def test_evaluating_the_weights_rewrites_the_logs_byte_for_byte(k, recipe, tmp_path):
    if k == FULL_PRECISION:
        script = ("LeNet/FP32_LeNet_MNIST.py", "--mode", "inference")
    else:
        script = ("LeNet/Spiking_LeNet_MNIST.py", "--k", k)
    options = ("--recipe", recipe, "--weights", published_weights(k, recipe), "--logs", tmp_path)
    process = run_script(*script, *options)
    assert process.returncode == 0, process.stderr
    assert snapshot(tmp_path) == snapshot(log_folder(k, recipe))
