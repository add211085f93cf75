"""The benchmarks: the baseline computes the same, and what they cannot measure is refused."""

import numpy as np
import pytest

from benchmarks import against, networks
from benchmarks.simulation import TIME_STEPS, simulate_densely
from experiment import ROOT
from experiment.images import load_split
from experiment.model import Model
from experiment.weights import read_published
from spiking.notation import parse
from spiking.trains import SOPS
from spiking_utils import SpikingNetwork
from tests import reference
from tests.helpers import assert_refused, run_script
from tests.networks import LENET, random_weights


def test_dense_baseline_gives_the_potentials_of_the_equations():
    weights = random_weights(LENET, seed=4)
    pixels = np.random.default_rng(4).integers(0, 256, (3, *LENET.input_shape))
    _, potentials = reference.spiking(weights, LENET, 1, TIME_STEPS, pixels)
    np.testing.assert_array_equal(simulate_densely(weights, 1, pixels), potentials[:, -1])


def test_level_that_is_not_published():
    process = run_script("benchmarks/simulation.py", "--k", 9)
    assert_refused(process, "LeNet/pretrained/k9.npz: not found, expected published weights of k9")


def test_networks_are_compared_by_what_an_operation_takes(run_here):
    path = ROOT / "LeNet/pretrained/k0.npz"
    process = run_here(networks.main, path, "--limit", 10, "--rounds", 2)
    assert (process.returncode, process.stderr) == (0, "")
    weights, _, _, lenet, other = [line.split() for line in process.stdout.splitlines()]
    assert weights == ["weights", "LeNet/pretrained/k0.npz"]
    pixels = load_split("test").pixels[:10]
    for (name, operations, *times), (k, expected_name) in zip((lenet, other), ((1, "LeNet"), (0, "k0.npz"))):
        trained = read_published(Model(k))
        expected = SpikingNetwork(trained.weights, trained.network, k, 20).run(pixels).statistics[..., SOPS].sum()
        assert (name, operations) == (expected_name, f"{expected / 10:,.0f}")
        assert all(float(number) > 0 for number in times[:-1])  # under load Keras may take a hundred times as long
    assert lenet[3] == "1.00"  # of itself


def test_random_networks_have_branches_pooling_and_depthwise_convolutions():
    for layers in networks.NETWORKS.values():
        parse(f"28x28x1-{layers}-10")
    edges = [edge for block in parse(f"28x28x1-{networks.RESNET_20}-10").blocks for edge in block.inputs]
    assert len(edges) == 19 + 9
    assert sum(edge.identity for edge in edges) == 7
    assert any(block.pools for block in parse(f"28x28x1-{networks.VGG_11}-10").blocks)
    assert any(block.inputs[0].groups == 128 for block in parse(f"28x28x1-{networks.DEPTHWISE}-10").blocks)


def test_checkout_is_compared_with_another(run_here):
    process = run_here(against.main, ROOT, "--rounds", 1)
    assert (process.returncode, process.stderr) == (0, "")
    _, *levels, memory = [line.split() for line in process.stdout.splitlines()]
    assert [name for name, *_ in levels] == ["k=0", "k=1", "k=2"]
    for _, before, now, ratio in levels:
        assert float(ratio) == pytest.approx(float(now) / float(before), abs=2e-3)
    assert float(memory[-1]) == pytest.approx(1, abs=0.2)


def test_folder_that_is_no_checkout(run_here, tmp_path):
    process = run_here(against.main, tmp_path)
    assert_refused(process, f"{tmp_path}: has no spiking_utils.py, expected a checkout of this repository")


def test_network_of_full_precision_fires_no_operations(run_here):
    process = run_here(networks.main, ROOT / "LeNet/pretrained/fp32.npz")
    assert_refused(process, "LeNet/pretrained/fp32.npz: has full precision, expected a quantised network")
