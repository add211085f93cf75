"""What the repository publishes belongs together."""

import pytest

from LeNet.paths import PUBLISHED_LEVELS, log_folder, published_weights
from tests.helpers import run_script
from tests.script_helpers import snapshot


@pytest.mark.parametrize("k", PUBLISHED_LEVELS)
def test_evaluating_the_weights_rewrites_the_logs_byte_for_byte(k, tmp_path):
    options = ("--k", k, "--weights", published_weights(k), "--logs", tmp_path)
    process = run_script("LeNet/Spiking_LeNet_MNIST.py", *options)
    assert process.returncode == 0, process.stderr
    assert snapshot(tmp_path) == snapshot(log_folder(k))
