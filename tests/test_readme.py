"""README_MNIST.md: what it says in numbers, names and links is so."""

import csv
import re
from functools import cache

import numpy as np
import pytest
from LeNet.export import integer_arrays

from benchmarks.recipes import CANDIDATES
from experiment.images import sha256
from experiment.logs import read_full_precision, read_logs
from experiment.model import PUBLISHED_LEVELS, log_folder, published_history, published_weights
from experiment.recipes import PAPER
from LeNet import Spiking_LeNet_MNIST
from spiking.network import FULL_PRECISION, LENET
from spiking_utils import SpikeTrain, SpikingConv, SpikingNetwork, count_thresholds
from tests import reference
from tests.helpers import PUBLISHED, ROOT, random_weights, run_script

README = (ROOT / "README_MNIST.md").read_text()
MODULES = sorted([*ROOT.glob("LeNet/*.py"), *ROOT.glob("figs/*.py")])
SCRIPTS = [str(path.relative_to(ROOT)) for path in MODULES if "\ndef main():" in path.read_text()]
NETWORKS = {"full precision": FULL_PRECISION} | {f"k={k}": k for k in PUBLISHED_LEVELS}
NETWORK_COLUMNS = ["network", "epochs"]
RESULT_COLUMNS = ["ANN", "SNN", "time steps", "+ spikes/image", "- spikes/image", "SOPs/image"]
NEURON_COLUMNS = ["step", "spikes of a, b", "4u", "BN(u)", "m", "n before", "+1 from", "-1 below", "spike", "n"]
# of the neuron in numbers: potentials in quarters, sigma 1
WEIGHTS, GRID_EXPONENT = np.array([[0.5], [-0.75]]), 2
NORMALIZATION = {"gamma": 2.0, "beta": -0.5, "moving_mean": 0.0, "moving_var": 1 - 1e-5}


def section(title):
    """The text of a section, without its heading."""
    return re.search(rf"^## {re.escape(title)}\n(.*?)(?=^## |\Z)", README, re.DOTALL | re.MULTILINE)[1]


def rows(text, columns=None):
    """The rows of the text's tables as lists of cells, of the table with these columns if given."""
    found = [[cell.strip() for cell in line.strip("|").split("|")] for line in text.splitlines() if line[:1] == "|"]
    if columns is not None:
        found = found[found.index(columns) + 2 :]
    return found


@pytest.fixture(scope="module")
def neuron():
    """The rows about the neuron in numbers, by column, and its incoming spikes (steps, 2)."""
    table = rows(section("One neuron in numbers"), NEURON_COLUMNS)
    columns = dict(zip(NEURON_COLUMNS, zip(*table), strict=True))
    return columns, np.array([list(map(int, cell.split(", "))) for cell in columns["spikes of a, b"]])


def signed(spike):
    return f"{spike:+d}" if spike else "0"


def test_neuron_in_numbers_follows_the_equations(neuron):
    columns, incoming = neuron
    weights = {f"bn/{name}": np.array(value) for name, value in NORMALIZATION.items()}
    u, n = 0.0, 0
    for step, spikes in enumerate(incoming):
        u += (spikes @ WEIGHTS).item()
        m = int(reference.justified_count(np.array(u), weights, "", scale=1))
        spike = int(np.sign(m - n))
        expected = {
            "step": f"{step + 1}",
            "4u": f"{4 * u:g}",
            "BN(u)": f"{reference.normalize(np.array(u), weights, ''):.1f}",
            "m": f"{m}",
            "n before": f"{n}",
            "spike": signed(spike),
            "n": f"{n + spike}",
        }
        assert {name: columns[name][step] for name in expected} == expected
        n += spike
    # the artificial neuron gets at once what the spiking one gets step by step
    total = incoming.sum(axis=0)
    assert f"activations, {total[0]} and {total[1]}," in section("One neuron in numbers").replace("\n", " ")
    assert n == reference.justified_count((total @ WEIGHTS).item(), weights, "", scale=1)


def test_neuron_in_numbers_is_what_the_spiking_layer_does(neuron):
    columns, incoming = neuron
    normalization = [np.array([value]) for value in NORMALIZATION.values()]
    thresholds = count_thresholds(*normalization, 2.0**-GRID_EXPONENT, k=0, time_steps=len(incoming))
    kernel = (WEIGHTS * 2**GRID_EXPONENT).astype(int).reshape(1, 1, 2, 1)
    layer = SpikingConv(kernel, thresholds, input_shape=(1, 1, 2))
    output, _ = layer.forward(SpikeTrain.from_dense(incoming.reshape(1, -1, 1, 1, 2)))
    assert [signed(spike) for spike in output.to_dense().ravel()] == list(columns["spike"])
    for before, upper, lower in zip(map(int, columns["n before"]), columns["+1 from"], columns["-1 below"]):
        assert upper == str(thresholds[0, before + 1])
        assert lower == (str(thresholds[0, before]) if before else "never")


def test_code_prints_what_its_comment_says(capsys):
    lines = [line[4:] for line in section("One neuron in numbers").splitlines() if line.startswith("    ")]
    exec("\n".join(lines), {})
    printed = capsys.readouterr().out.strip()
    assert lines[-1].startswith("print(")
    assert lines[-1].endswith(f"# {printed}")


@pytest.fixture(scope="module")
def quiescent_logs(tmp_path_factory, run_here):
    """Logs of published networks, by k and recipe, in which every image has become quiescent."""

    @cache
    def evaluate(k, recipe):
        folder = tmp_path_factory.mktemp("quiescent")
        options = ("--k", k, "--recipe", recipe, "--weights", published_weights(k, recipe))
        process = run_here(Spiking_LeNet_MNIST.main, *options, "--time_steps", 60, "--logs", folder)
        assert process.returncode == 0, process.stderr
        return read_logs(folder)

    return evaluate


def test_results_are_those_of_the_logs(quiescent_logs):
    header, _, *found = rows(README.split("## Contents")[0])
    assert header == [*NETWORK_COLUMNS, *RESULT_COLUMNS, "of the ANN's operations"]
    assert [row[:2] for row in found] == [[name, "150"] for name in NETWORKS]
    for (_, _, *results, share), k in zip(found, NETWORKS.values(), strict=True):
        assert_results_of_the_logs(results, k, PAPER.name, quiescent_logs)
        operations = int(results[-1].replace(",", "")) if k != FULL_PRECISION else None
        assert share == (f"{100 * operations / 7_186_200:.1f} %" if operations else "")


def test_results_of_both_recipes_are_those_of_the_logs_and_of_the_trainings(quiescent_logs):
    found = rows(section("Beyond the paper"), [*NETWORK_COLUMNS, "recipe", "training", *RESULT_COLUMNS])
    found = [row for row in found if row[0] in NETWORKS]  # without the tables below
    assert [(NETWORKS[row[0]], row[2]) for row in found] == PUBLISHED
    for name, epochs, recipe, training, *results in found:
        with open(published_history(NETWORKS[name], recipe), newline="") as file:
            seconds = [float(row["seconds"]) for row in csv.DictReader(file)]
        assert [epochs, training] == [f"{len(seconds)}", f"{sum(seconds) / 60:.0f} min"]
        assert_results_of_the_logs(results, NETWORKS[name], recipe, quiescent_logs)


def assert_results_of_the_logs(cells, k, recipe, quiescent_logs):
    """The cells of RESULT_COLUMNS are those of the logs, and the logs those of the published weights."""
    ann, snn, steps, positive, negative, sops = cells
    weights = sha256(published_weights(k, recipe))
    if k == FULL_PRECISION:
        run, accuracy = read_full_precision(recipe)
        assert (run["weights_sha256"], run["images"]) == (weights, 10_000)
        assert cells == [f"{accuracy:.2f} %", *[""] * 5]
        return
    log = read_logs(log_folder(k, recipe))
    assert (log.run["weights_sha256"], log.images) == (weights, 10_000)
    assert snn == f"{100 * log.right[-1] / log.images:.2f} %"
    if log.run["ann_accuracy"] is None:
        assert ann == f"{100 * quiescent_logs(k, recipe).run['ann_accuracy']:.2f} %"
    else:
        assert ann == snn
    assert int(steps) == log.time_steps_needed
    spikes, collected, operations = (
        numbers[-1] / log.images for numbers in (log.spike_num, log.spike_collect, log.sop_num)
    )
    assert [positive, negative] == [f"{(spikes + collected) / 2:,.0f}", f"{(spikes - collected) / 2:,.0f}"]
    assert sops == f"{operations:,.0f}"


@pytest.mark.parametrize(("title", "recipe"), [("Results", "paper"), ("Beyond the paper", "augmented")])
def test_numbers_of_60_time_steps_are_those_of_such_a_run(title, recipe, quiescent_logs):
    log = quiescent_logs(2, recipe)
    operations = log.sops[-1]
    sentence = (
        f"{log.accuracy[-1]:.2f} %, {log.time_steps_needed} time steps, {log.positive_spikes[-1]:,.0f} + "
        f"{log.negative_spikes[-1]:,.0f} spikes and {operations:,.0f} SOPs ({100 * operations / 7_186_200:.1f} %)"
    )
    assert sentence in " ".join(section(title).split())


def test_candidates_are_those_that_the_benchmark_compares():
    found = rows(section("Beyond the paper"), ["candidate", "validation accuracy", "validation loss"])
    assert [row[0].partition(":")[0] for row in found] == list(CANDIDATES)


@pytest.mark.parametrize("k", PUBLISHED_LEVELS)
def test_accuracies_after_time_steps_are_those_of_the_logs(k):
    [[_, *accuracies]] = [row for row in rows(section("Results")) if row[0] == f"k={k}, ours"]
    steps = next(row for row in rows(section("Results")) if row[:2] == ["network", "1"])[1:]
    log = read_logs(log_folder(k))
    assert accuracies == [f"{log.accuracy[int(step) - 1]:.2f}" for step in steps]


@pytest.mark.parametrize("script", SCRIPTS)
def test_every_option_of_a_script_is_described(script):
    process = run_script(script, "--help")
    assert process.returncode == 0
    described = set(re.findall(r"`(--\w+)", section("Commands")))
    assert set(re.findall(r"^  (--\w+)", process.stdout, re.MULTILINE)) <= described


def test_keys_of_the_integer_network_are_described():
    arrays = integer_arrays(SpikingNetwork(random_weights(LENET, 0), LENET, 0, 1), LENET, 0)
    described = re.search(r"\*\*Integer network\*\*.*", section("File formats"), re.DOTALL)[0]
    keys = {re.sub(r"^conv\d", "conv1", key) for key in arrays}
    assert keys == {re.findall(r"`([^`]+)`", row[0])[0] for row in rows(described)[2:]}


def test_links_and_files_exist():
    headings = re.findall(r"^## (.*)$", README, re.MULTILINE)
    anchors = {heading.lower().replace(" ", "-") for heading in headings}
    links = re.findall(r"\]\(([^)]+)\)", README)
    assert {link[1:] for link in links if link.startswith("#")} <= anchors
    assert anchors - {"contents"} <= {link[1:] for link in links}
    for path in [link for link in links if not link.startswith(("#", "https://"))]:
        assert (ROOT / path).is_file(), path
    paths = [cell.strip("`") for cell, _ in rows(section("Files"))[2:]]
    assert [path for path in paths if not (ROOT / path).exists() and path != "LeNet/checkpoints/"] == []
    commands = set(re.findall(r"python ([\w/]+\.py)", README))
    assert all(any((ROOT / folder / path).is_file() for folder in (".", "LeNet", "figs")) for path in commands)


def test_caption_of_the_picture_is_about_the_picture():
    svg = (ROOT / "figs/scnn_raster_mnist.svg").read_text()
    assert "test image 0, k=0" in svg
    assert {int(step) for step in re.findall(r"silent after step (\d+)", svg)} == {5}
    assert "After step 5 nothing fires any more" in README.replace("\n", " ")
