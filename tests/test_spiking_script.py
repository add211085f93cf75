"""Spiking_LeNet_MNIST.py as a user runs it: logs against the equations, repeatability, errors."""

import hashlib
import json
import re
import shutil
import time
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from numpy.testing import assert_array_equal

import spiking_utils
from experiment import logs
from experiment.images import load_split
from LeNet import Spiking_LeNet_MNIST
from spiking.notation import parse
from spiking_utils import SpikingNetwork
from tests import reference
from tests.helpers import ROOT, assert_refused, run_script, save_model
from tests.networks import LENET, random_weights, with_gammas
from tests.script_helpers import forbid_imports, snapshot, with_usual

SCRIPT = "LeNet/Spiking_LeNet_MNIST.py"
IMAGES = 30
TIME_STEPS = {0: 12, 2: 18}  # by k: after these all images are quiescent, and only some
SEEDS = {0: 0, 2: 9}  # of weights with which also the predictions change in several steps
BATCH_SIZE = 8  # which leaves a last batch of 6


def network_weights(k):
    """Random weights; every fourth channel has a negative gamma."""
    return with_gammas(random_weights(LENET, SEEDS[k]), lambda shape: np.where(np.arange(*shape) % 4, 1, -1))


def evaluate(weights, folder, *options, limit=IMAGES, cwd=ROOT):
    process = run_script(SCRIPT, "--weights", weights, "--logs", folder, "--limit", limit, *options, cwd=cwd)
    assert (process.returncode, process.stderr) == (0, "")
    return process.stdout


@pytest.fixture
def evaluate_here(run_here, weights_paths, settings):
    """The same inside this process, with the shared settings and weights of a level."""

    def run(k, folder, *options):
        usual = {"--weights": weights_paths[k], "--logs": folder, "--limit": IMAGES}
        usual |= dict(zip(settings[k][::2], settings[k][1::2]))
        process = run_here(Spiking_LeNet_MNIST.main, *with_usual(usual, options))
        assert (process.returncode, process.stderr) == (0, "")
        return process.stdout

    return run


@pytest.fixture(scope="module")
def weights_paths(tmp_path_factory):
    folder = tmp_path_factory.mktemp("weights")
    for k in TIME_STEPS:
        save_model(folder / f"k{k}.npz", network_weights(k), k)
    return {k: folder / f"k{k}.npz" for k in TIME_STEPS}


@pytest.fixture(scope="module")
def images():
    """Pixels and labels of the first test images."""
    pixels, labels, _ = load_split("test").first(IMAGES)
    return pixels.astype(np.float64), labels


@pytest.fixture(scope="module")
def settings():
    """The options of the shared evaluations, by k."""
    return {k: ("--k", k, "--time_steps", steps, "--batch_size", BATCH_SIZE) for k, steps in TIME_STEPS.items()}


@pytest.fixture(scope="module", params=TIME_STEPS)
def simulation(request, images):
    """By the equations: k, each block's spikes (images, steps, h, w, c), correct predictions (images, steps)."""
    k, (pixels, labels) = request.param, images
    trains, potentials = reference.spiking(network_weights(k), LENET, k, TIME_STEPS[k], pixels)
    return k, trains, potentials.argmax(axis=2) == labels[:, None]


@pytest.fixture(scope="module")
def evaluations(weights_paths, settings, tmp_path_factory):
    """By k, the folder of the logs and what was printed."""
    folder = tmp_path_factory.mktemp("logs")
    return {k: (folder / f"k{k}", evaluate(weights_paths[k], folder / f"k{k}", *settings[k])) for k in TIME_STEPS}


def test_logs_agree_with_the_equations(simulation, evaluations):
    k, trains, right = simulation
    batches = [slice(start, start + BATCH_SIZE) for start in range(0, IMAGES, BATCH_SIZE)]
    per_step = {
        "spike_num": [sum(np.abs(train[batch]).sum(axis=(0, 2, 3, 4)) for train in trains) for batch in batches],
        "spike_collect": [sum(train[batch].sum(axis=(0, 2, 3, 4)) for train in trains) for batch in batches],
        "sop_num": [
            reference.synaptic_operations(LENET, [train[batch] for train in trains]).sum(axis=0) for batch in batches
        ],
    }
    expected = {name: np.cumsum(numbers, axis=1) for name, numbers in per_step.items()}
    expected["accuracy"] = np.array([right[batch].sum(axis=0) for batch in batches])
    for name, numbers in expected.items():
        lines = (evaluations[k][0] / f"{name}.txt").read_text().splitlines()
        assert_array_equal([int(line) for line in lines], numbers.ravel(), err_msg=name)


def test_simulation_has_negative_spikes_rest_and_changing_predictions(simulation):
    """Otherwise the comparisons would show little."""
    k, trains, right = simulation
    assert all(np.sum(train == -1) > 100 for train in trains[1:])
    assert np.any(np.diff(right.sum(axis=0)))
    assert resting_images(trains) > 0
    assert (resting_images(trains) == IMAGES) == (k == 0)


def resting_images(trains):
    return int(np.sum(np.all([np.all(train[:, -1] == 0, axis=(1, 2, 3)) for train in trains], axis=0)))


def test_run_json(simulation, evaluations, weights_paths, images):
    k, trains, right = simulation
    run = json.loads((evaluations[k][0] / "run.json").read_text())
    _, logits = reference.artificial(network_weights(k), LENET, k, images[0])
    final = right.sum(axis=0)
    assert {name: run[name] for name in ("k", "time_steps", "batch_size", "images")} == {
        "k": k,
        "time_steps": TIME_STEPS[k],
        "batch_size": BATCH_SIZE,
        "images": IMAGES,
    }
    assert run["snn_accuracy"] == final[-1] / IMAGES
    assert run["ann_accuracy"] == np.mean(logits.argmax(axis=1) == images[1])
    assert run["quiescent_images"] == resting_images(trains)
    needed = run["time_steps_needed"]
    assert np.all(final[needed - 1 :] == final[-1])
    assert needed == 1 or final[needed - 2] != final[-1]
    assert run["weights"] == str(weights_paths[k])
    assert run["weights_sha256"] == hashlib.sha256(weights_paths[k].read_bytes()).hexdigest()


def test_run_json_and_table_have_each_block(simulation, evaluations):
    k, trains, _ = simulation
    folder, stdout = evaluations[k]
    sops = reference.synaptic_operations(LENET, trains).sum(axis=1)
    neurons = (11_520, 2_880, 3_200, 800, 500)
    expected = [
        (count, np.sum(train == 1) / IMAGES, np.sum(train == -1) / IMAGES, operations / IMAGES)
        for count, train, operations in zip(neurons, trains, sops)
    ]
    names = ("neurons", "positive_spikes_per_image", "negative_spikes_per_image", "sops_per_image")
    run = json.loads((folder / "run.json").read_text())
    assert run["blocks"] == [dict(zip(names, row)) for row in expected]
    signs = [sum(np.sum(train == sign) for train in trains) / IMAGES for sign in (1, -1)]
    assert run["total"] == dict(zip(names, (18_900, *signs, sops.sum() / IMAGES)))
    printed = [line.split() for line in stdout.splitlines()]
    for label, row in zip(("block 1", "block 2", "block 3", "block 4", "block 5"), expected):
        assert [*label.split(), *table_cells(row)] in printed
    assert ["total", *table_cells(np.sum(expected, axis=0))] in printed


def table_cells(row):
    neurons, positive, negative, sops = row
    return [f"{neurons:,.0f}", f"{positive:,.1f}", f"{negative:,.1f}", f"{sops:,.0f}"]


def test_says_which_weights_and_files(simulation, evaluations, weights_paths):
    k, trains, right = simulation
    folder, stdout = evaluations[k]
    lasting = "for good" if resting_images(trains) == IMAGES else "so far: some images are not quiescent"
    assert re.search(rf"unchanged since time step \d+, {lasting}$", stdout, re.MULTILINE)
    assert f"weights    {weights_paths[k]}" in stdout
    assert f"{100 * right[:, -1].mean():.2f} % of {IMAGES} images" in stdout
    assert f"written    {folder}\n" in stdout
    files = json.loads((folder / "run.json").read_text())["files"]
    assert sorted(files) == sorted(path.name for path in folder.iterdir())


@pytest.mark.parametrize(("threads", "cwd"), [(1, "LeNet"), (3, "data/mnist")])
def test_same_bytes_on_any_number_of_threads_from_any_folder(
    threads, cwd, weights_paths, settings, evaluations, tmp_path
):
    evaluate(weights_paths[0], tmp_path / "logs", *settings[0], "--threads", threads, cwd=ROOT / cwd)
    assert snapshot(tmp_path / "logs") == snapshot(evaluations[0][0])


def test_relative_paths_and_logs_replaced(weights_paths, settings, evaluations, tmp_path):
    shutil.copytree(evaluations[0][0], tmp_path / "logs")
    (tmp_path / "logs/accuracy.txt").write_text("of an older run\n")
    (tmp_path / "logs/notes.txt").write_text("the user's own")
    relative = weights_paths[0].relative_to(tmp_path.parent)
    evaluate(f"../{relative}", "logs", *settings[0], cwd=tmp_path)
    notes = {(tmp_path / "logs/notes.txt").relative_to(tmp_path / "logs"): b"the user's own"}
    assert snapshot(tmp_path / "logs") == snapshot(evaluations[0][0]) | notes


@pytest.mark.parametrize("batch_size", [1, 200])
def test_totals_do_not_depend_on_the_batch_size(batch_size, evaluate_here, evaluations, tmp_path):
    evaluate_here(2, tmp_path, "--batch_size", batch_size)
    found, expected = logs.read(tmp_path), logs.read(evaluations[2][0])
    assert found.images == expected.images == IMAGES
    for name in ("right", "spike_num", "spike_collect", "sop_num"):
        assert_array_equal(getattr(found, name), getattr(expected, name))


def test_batch_that_memory_may_not_hold_is_run_in_parts(evaluate_here, evaluations, tmp_path, monkeypatch):
    sizes, run_in_parts = [], SpikingNetwork.run_in_parts

    def recorded(network, pixels, keep_spikes):
        for activity in run_in_parts(network, pixels, keep_spikes):
            sizes.append(len(activity.potentials))
            yield activity

    monkeypatch.setattr(SpikingNetwork, "run_in_parts", recorded)
    monkeypatch.setattr(spiking_utils, "MAX_RESERVED_SPIKES", 3 * TIME_STEPS[0] * LENET.neurons)
    evaluate_here(0, tmp_path / "logs", "--threads", 2)
    assert sorted(sizes) == 3 * [2] + 8 * [3]  # of batches of 8, 8, 8 and 6, by 3 images at most
    assert snapshot(tmp_path / "logs") == snapshot(evaluations[0][0])


def test_interruption_drops_the_batches_that_have_not_begun(monkeypatch):
    def run_slowly(snn, pixels, keep_spikes):
        begun.append(pixels)
        time.sleep(0.05)
        return ()

    def interrupted_when_all_are_submitted(pool, function, starts):
        for start in starts:
            pool.submit(function, start)
        while not begun:
            time.sleep(0.001)
        raise KeyboardInterrupt

    begun = []
    monkeypatch.setattr(SpikingNetwork, "run_in_parts", run_slowly)
    monkeypatch.setattr(ThreadPoolExecutor, "map", interrupted_when_all_are_submitted)
    snn = SpikingNetwork(network_weights(0), LENET, 0, time_steps=1)
    with pytest.raises(KeyboardInterrupt):
        spiking_utils.evaluate(snn, np.zeros((40, 28, 28, 1), np.uint8), np.zeros(40, int), batch_size=1, threads=2)
    assert len(begun) < 20


def test_weights_off_the_grid_are_rounded_with_a_notice(evaluations, tmp_path, run_here):
    weights = network_weights(0)
    weights["conv1/W"].flat[7] += np.float32(2**-22)  # the grid is coarser: its largest weights are beyond 2^-1
    save_model(tmp_path / "k0.npz", weights, 0)
    options = ("--weights", tmp_path / "k0.npz", "--logs", tmp_path / "logs", "--limit", 2)
    stdout = run_here(Spiking_LeNet_MNIST.main, *options).stdout
    assert stdout.count("rounded to the weight grid, which changed them by 2.4e-07 at most") == 1  # 2^-22
    assert "rounded" not in evaluations[0][1]
    run = json.loads((tmp_path / "logs/run.json").read_text())
    assert (run["time_steps"], run["batch_size"], run["images"]) == (20, 200, 2)  # by default


def test_networks_that_are_not_the_papers_run_until_they_are_quiescent(tmp_path, run_here):
    small = parse("28x28x1-2C5s4-3-10")
    save_model(tmp_path / "small.npz", random_weights(small, seed=1), 0, small)
    usual = ("--weights", tmp_path / "small.npz", "--limit", 20)
    assert run_here(Spiking_LeNet_MNIST.main, *usual, "--logs", tmp_path / "logs").returncode == 0
    run = json.loads((tmp_path / "logs/run.json").read_text())
    assert run["quiescent_images"] == 20
    spikes = logs.read(tmp_path / "logs").spike_num
    assert len(spikes) == run["time_steps"] == np.argmax(spikes == spikes[-1]) + 2  # the last step fires nothing
    process = run_here(Spiking_LeNet_MNIST.main, *usual[:2], "--export", tmp_path / "integers.npz")
    assert_refused(process, "argument --time_steps: missing, expected a number with --export")


def test_needs_no_tensorflow(weights_paths, tmp_path, monkeypatch):
    forbid_imports(monkeypatch, tmp_path / "modules", "tensorflow", "keras", "matplotlib")
    evaluate(weights_paths[0], tmp_path / "logs", "--k", 0, limit=2)
