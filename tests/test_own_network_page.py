"""docs/your-own-network.md: its Keras session runs as it is printed, from the top."""

import random
import re

import numpy as np

from experiment.trained import read_npz
from LeNet import Spiking_LeNet_MNIST, tensorlayer  # noqa: F401, the latter starts TensorFlow as the scripts do
from spiking_utils import SpikingNetwork
from tests.helpers import ROOT

PAGE = (ROOT / "docs/your-own-network.md").read_text()


def session():
    """The Python of the page up to PyTorch."""
    return "\n".join(re.findall(r"```python\n(.*?)```", PAGE.partition("## A network in PyTorch")[0], re.DOTALL))


def test_session_of_the_page_runs_and_both_ways_agree_with_keras(tmp_path, monkeypatch, run_here):
    with_quantisers, with_calibration, none = re.split(r"(?<=threads=2\)\n)|(?<=pixels\[:1000\]\)\n)", session())
    assert not none
    monkeypatch.chdir(tmp_path)
    random.seed(0)  # from which Keras draws seeds, whatever tests have drawn before
    exec(with_quantisers, names := {})
    evaluation = names["evaluation"]
    own = names["quantized"].predict(names["test_pixels"], verbose=0).argmax(1)
    assert np.all((evaluation.predictions == own)[evaluation.quiescent])
    assert evaluation.quiescent.mean() > 0.9

    exec(with_calibration, names)
    converted = names["converted"]
    network = SpikingNetwork(converted.weights, converted.network, converted.k, 1, None)
    own = names["model"].predict(names["test_pixels"], verbose=0).argmax(1)
    assert np.mean(network.run(names["test_pixels"]).predictions()[:, -1] == own) > 0.97
    assert {path.name for path in tmp_path.iterdir()} == {"my.keras", "quantized.keras"}

    options = ("--weights", "quantized.keras", "--limit", 100, "--verify", "--save", "my.npz")
    printed = run_here(Spiking_LeNet_MNIST.main, *options).stdout
    equal, of = re.search(r"equal to the quantised network in ([\d,]+) of ([\d,]+) neurons", printed).groups()
    assert equal == of
    assert "predictions equal to the model's own: 100 of 100" in printed
    saved = read_npz(tmp_path / "my.npz")
    assert saved.model.k == 2
    assert all(np.all(np.isfinite(array)) for array in saved.weights.values())
