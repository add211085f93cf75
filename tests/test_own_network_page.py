"""docs/your-own-network.md: its Keras session runs as it is printed, from the top."""

import re
import subprocess
import sys

import numpy as np

from experiment.trained import read_npz
from tests.helpers import ROOT

PAGE = (ROOT / "docs/your-own-network.md").read_text()


def session():
    """The Python of the page up to PyTorch."""
    return "\n".join(re.findall(r"```python\n(.*?)```", PAGE.partition("## A network in PyTorch")[0], re.DOTALL))


def test_session_of_the_page_runs_and_both_ways_agree_with_keras(tmp_path):
    with_quantisers, with_calibration, none = re.split(r"(?<=threads=2\)\n)|(?<=pixels\[:1000\]\)\n)", session())
    assert not none
    last = (
        "own = quantized.predict(test_pixels, verbose=0).argmax(1)\n"
        "print('found', (evaluation.predictions == own)[evaluation.quiescent].mean(), evaluation.quiescent.mean())\n"
    )
    report = (
        "network = SpikingNetwork(converted.weights, converted.network, converted.k, 1, None)\n"
        "own = model.predict(test_pixels, verbose=0).argmax(1)\n"
        "print('found', (network.run(test_pixels).predictions()[:, -1] == own).mean(), converted.k)\n"
    )
    path = f"import sys; sys.path.insert(0, {str(ROOT)!r})\n"
    code = f"{path}{with_quantisers}{last}{with_calibration}{report}"
    output = subprocess.check_output([sys.executable, "-c", code], cwd=tmp_path, text=True, stderr=subprocess.DEVNULL)
    quantised, calibrated = [line.split()[1:] for line in output.splitlines() if line.startswith("found")]
    assert float(quantised[0]) == 1
    assert float(quantised[1]) > 0.9
    assert float(calibrated[0]) > 0.97
    assert {path.name for path in tmp_path.iterdir()} == {"my.keras", "quantized.keras"}

    script = [sys.executable, ROOT / "LeNet/Spiking_LeNet_MNIST.py", "--weights"]
    options = ["--limit", "100", "--verify", "--save", "my.npz"]
    printed = subprocess.check_output([*script, "quantized.keras", *options], cwd=tmp_path, text=True)
    equal, of = re.search(r"equal to the quantised network in ([\d,]+) of ([\d,]+) neurons", printed).groups()
    assert equal == of
    assert "predictions equal to the model's own: 100 of 100" in printed
    saved = read_npz(tmp_path / "my.npz")
    assert saved.model.k == 2
    assert all(np.all(np.isfinite(array)) for array in saved.weights.values())
