"""ONNX files beside --weights: evaluated without TensorFlow, checked, and refused in one line."""

import json
import re
import subprocess
import sys

import numpy as np
import pytest

from LeNet import Spiking_LeNet_MNIST
from tests.helpers import ROOT, assert_refused
from tests.onnx_graphs import Net

SCRIPT = ROOT / "LeNet" / "Spiking_LeNet_MNIST.py"
POOLED = ROOT / "tests" / "data" / "onnx" / "pool_then_relu.onnx"
RESIDUAL = ROOT / "tests" / "data" / "onnx" / "resnet_small.onnx"


@pytest.fixture
def spiking(run_here):
    """Runs the script."""
    return lambda *options: run_here(Spiking_LeNet_MNIST.main, *options)


def test_a_network_of_pytorch_is_evaluated_without_tensorflow_and_compared_with_itself(tmp_path):
    code = (
        "import runpy, sys; sys.modules |= dict.fromkeys(['tensorflow', 'keras', 'onnxruntime']); "
        f"sys.argv[0] = {str(SCRIPT)!r}; runpy.run_path(sys.argv[0], run_name='__main__')"
    )
    options = ("--weights", POOLED, "--k", 3, "--scale", "1/255", "--limit", 40, "--calibrate", 40)
    command = [sys.executable, "-c", code, *map(str, options), "--logs", str(tmp_path)]
    process = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=300)
    assert process.returncode == 0, process.stderr
    assert "converted to 28x28x1-10C5-M2-20C5-M2-50-10b, k=3" in process.stdout
    assert int(re.search(r"agreement  (\d+) of 40 of its predictions are the same", process.stdout)[1]) >= 38
    assert (
        "every neuron of the quiescent images (40 of 40) to the quantised network, by construction" in process.stdout
    )
    assert json.loads((tmp_path / "run.json").read_text())["model"]["origin"].startswith("pool_then_relu-")


def test_every_neuron_is_that_of_the_quantised_network(spiking):
    process = spiking(
        *("--weights", RESIDUAL, "--k", 2, "--mean", 0, "--std", 1, "--limit", 10, "--calibrate", 20, "--verify")
    )
    assert process.returncode == 0, process.stdout + process.stderr
    assert "equal to the quantised network in 253,280 of 253,280 neurons" in process.stdout
    assert "of 10" in process.stdout


def test_a_dry_run_prints_what_becomes_of_each_node(spiking):
    process = spiking("--weights", RESIDUAL, "--scale", "1/255", "--dry_run")
    assert process.returncode == 0, process.stderr
    assert "image  pixels, /stem/stem.0/stem.0.0/Conv (Conv, node 1), /stem/stem.0/stem.0.2/Relu" in process.stdout
    assert "all 8 blocks have 25,328 neurons" in process.stdout


def test_mean_and_deviation_are_a_scale_and_an_offset(spiking, tmp_path):
    """--mean and --std scale pixels as PyTorch's ToTensor and Normalize do."""
    options = ("--weights", POOLED, "--k", 2, "--calibrate", 10, "--export")
    time_steps = ("--time_steps", 20)
    normalized, scaled = tmp_path / "normalized.npz", tmp_path / "scaled.npz"
    assert spiking(*options, normalized, *time_steps, "--mean", "0.5", "--std", "0.25").returncode == 0
    assert spiking(*options, scaled, *time_steps, "--scale", "1/63.75", "--offset", "-2").returncode == 0
    with np.load(normalized) as one, np.load(scaled) as other:
        assert set(one) == set(other)
        assert all(np.array_equal(one[key], other[key]) for key in one)


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ((), "found nothing about pixels, expected --scale 1/255, or another number, perhaps with --offset"),
        (("--mean", 0.1), "found --mean, expected --scale"),
        (("--scale", 1, "--std", 1), "found --scale and --std, expected --scale"),
        (("--offset", 1), "found --offset, expected --scale"),
        (("--scale", "1,2"), "scale: found [1. 2.], expected one finite number"),
        (("--scale", 0), "argument --scale: found 0, expected another number: every image would be the same"),
        (("--scale", "1/0"), "argument --scale: found '1/0', expected numbers such as 1/255 or 0.49,0.48,0.45"),
        (("--scale", "nan"), "argument --scale: found 'nan', expected numbers"),
        (("--mean", 0, "--std", 0), "argument --std: found 0, expected numbers above 0"),
        (
            ("--mean", "1,2,3", "--std", "1,2"),
            "argument --std: found 1,2, expected numbers above 0, one or as many as",
        ),
    ],
)
def test_options_without_the_scale_of_pixels_are_refused(spiking, options, expected):
    assert_refused(spiking("--weights", POOLED, "--k", 3, *options), expected)


def test_level_must_be_said(spiking):
    expected = f"{POOLED.name}: found no --k, expected a level: ONNX files lack it"
    assert_refused(spiking("--weights", POOLED, "--scale", 1), expected)


def test_pixels_of_another_file_are_refused(spiking):
    assert_refused(
        spiking("--weights", "my.keras", "--scale", 1),
        "argument --scale: is only for --weights FILE.onnx",
    )


def test_all_refusals_of_a_file_stand_on_one_line_that_names_it(spiking, tmp_path):
    net = Net((1, 28, 28))
    x = net.put("Tanh", net.put("Sigmoid", net.add("Flatten", net.add("Relu", net.convolve("image", 2, (5, 5))))))
    path = tmp_path / "my.onnx"
    path.write_bytes(net.model(net.product(x, 10)).SerializeToString())
    process = spiking("--weights", path, "--k", 3, "--scale", 1)
    assert_refused(process, f"{path}: layer sigmoid3 (Sigmoid, node 4): ", "layer tanh4 (Tanh, node 5): ")


def test_a_file_that_is_none_is_refused(spiking, tmp_path):
    (tmp_path / "my.onnx").write_text("no network")
    assert_refused(
        spiking("--weights", tmp_path / "my.onnx", "--k", 3, "--scale", 1), "my.onnx: is damaged or not an ONNX file"
    )
    assert_refused(
        spiking("--weights", tmp_path / "absent.onnx", "--k", 3, "--scale", 1), "absent.onnx: No such file"
    )
