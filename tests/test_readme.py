"""README_MNIST.md and the pages in docs/: what they say in numbers, names and links is so."""

import csv
import hashlib
import json
import re
import statistics

import numpy as np
import pytest

from experiment import logs, published
from experiment.images import load_split
from experiment.model import LENET, MNIST, PUBLISHED_LEVELS, Model
from experiment.runs import default_folder
from figs import animation, seeds
from LeNet import Spiking_LeNet_MNIST
from spiking.network import FULL_PRECISION
from spiking.notation import parse
from spiking.thresholds import TargetCount
from spiking_utils import SpikeTrain, SpikingConv
from tests import reference, tables
from tests.helpers import PUBLISHED, ROOT
from tests.live_reference import simulate

README = (ROOT / "README_MNIST.md").read_text()
RECIPES = (ROOT / "docs/recipes.md").read_text()
PAGES = [ROOT / "README_MNIST.md", *sorted((ROOT / "docs").glob("*.md"))]
NETWORKS = {"full precision": FULL_PRECISION} | {f"k={k}": k for k in PUBLISHED_LEVELS}
RESULT_COLUMNS = ["ANN", "SNN", "time steps", "+ spikes/image", "- spikes/image", "SOPs/image"]
NEURON_COLUMNS = ["step", "spikes of a, b", "4u", "BN(u)", "m", "n before", "+1 from", "-1 below", "spike", "n"]
# of the neuron in numbers: potentials in quarters, sigma 1
WEIGHTS, GRID_EXPONENT = np.array([[0.5], [-0.75]]), 2
NORMALIZATION = {"gamma": 2.0, "beta": -0.5, "moving_mean": 0.0, "moving_var": 1 - 1e-5}


def section(title, page=README):
    """The text of a section, without its heading."""
    return re.search(rf"^## {re.escape(title)}\n(.*?)(?=^## |\Z)", page, re.DOTALL | re.MULTILINE)[1]


def rows(text, columns):
    """The rows, lists of cells, of the text's table with these columns."""
    lines = text[text.index(f"| {' | '.join(columns)} |") :].splitlines()[2:]
    table = lines[: next((number for number, line in enumerate(lines) if line[:1] != "|"), len(lines))]
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in table]


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
        m = int(reference.target_count(np.array(u), weights, "", scale=1))
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
    assert n == reference.target_count((total @ WEIGHTS).item(), weights, "", scale=1)


def test_neuron_in_numbers_is_what_the_spiking_layer_does(neuron):
    columns, incoming = neuron
    normalization = {name: np.array([value]) for name, value in NORMALIZATION.items()}
    thresholds = TargetCount(*normalization.values(), 2.0**-GRID_EXPONENT, k=0).thresholds(len(incoming) + 1)
    weights = {f"bn2/{name}": value for name, value in normalization.items()}
    weights["conv2/W"] = WEIGHTS.reshape(1, 1, 2, 1)
    layer = SpikingConv(parse("1x1x1-2C1-1C1-1").blocks[1], weights, k=0)
    output = layer.forward([SpikeTrain.from_dense(incoming.reshape(1, -1, 1, 1, 2))])
    assert [signed(spike) for spike in output.to_dense().ravel()] == list(columns["spike"])
    for before, upper, lower in zip(map(int, columns["n before"]), columns["+1 from"], columns["-1 below"]):
        assert upper == str(thresholds[0, before + 1])
        assert lower == (str(thresholds[0, before]) if before else "never")


def test_code_prints_what_its_comment_says(capsys):
    page = (ROOT / "docs/your-own-network.md").read_text()
    lines = [line[4:] for line in section("A layer by itself", page).splitlines() if line.startswith("    ")]
    exec("\n".join(lines), {})
    printed = capsys.readouterr().out.strip()
    assert lines[-1].startswith("print(")
    assert lines[-1].endswith(f"# {printed}")


def test_tables_are_those_of_logs_and_published_figures():
    for page, text in tables.pages().items():
        assert page.read_text() == text


def test_shares_of_the_artificial_networks_operations():
    shares = [share(statistics.fmean(seeds.quantities(seeds.read_seeds(Model(k)))["SOPs"])) for k in PUBLISHED_LEVELS]
    text = " ".join(section("Results").split())
    assert f"ours are {shares[0][:-2]}, {shares[1][:-2]} and {shares[2]} of the ANN's" in text


def test_artificial_and_spiking_accuracies_are_as_close_as_said():
    largest = 0
    for data, network in published.PUBLISHED:
        for model in tables.models(data, network)[1:]:
            for log in seeds.read_seeds(model):
                difference = abs(100 * log.run.results.ann_accuracy - log.accuracy[-1])
                assert difference < 1e-9 or (model.k == 2 and run_json(log)["quiescent_images"] < 10_000)
                largest = max(largest, difference)
    assert f"within {largest:.2f} points" in " ".join(section("Results").split())


def run_json(log):
    return json.loads((log.folder / "run.json").read_text())


def share(operations):
    """What part of the artificial network's operations these are, as text."""
    return f"{100 * operations / 7_186_200:.1f} %"


def test_results_of_both_recipes_are_those_of_the_logs_and_of_the_trainings():
    text = section("The augmented recipe", RECIPES)
    found = rows(text, ["network", "recipe", "training", *RESULT_COLUMNS])
    models = [Model(NETWORKS[name], recipe=recipe) for name, recipe, *_ in found]
    assert models == [model for model in PUBLISHED if model.data == MNIST]
    for model, (_, _, training, *results) in zip(models, found, strict=True):
        with open(model.history, newline="") as file:
            seconds = [float(row["seconds"]) for row in csv.DictReader(file)]
        assert training == f"{len(seconds)} epochs, {sum(seconds) / 60:.0f} min"
        assert_results_of_the_logs(results, model)


def assert_results_of_the_logs(cells, model):
    """The cells of RESULT_COLUMNS are those of the logs, and the logs those of the published weights."""
    log = logs.read(default_folder(model))
    weights = hashlib.sha256(model.published.read_bytes()).hexdigest()
    assert (run_json(log)["weights_sha256"], log.images) == (weights, 10_000)
    assert cells == result_cells(log)


def result_cells(log):
    """The cells of RESULT_COLUMNS for a log."""
    accuracy = f"{log.accuracy[-1]:.2f} %"
    if log.model.k == FULL_PRECISION:
        return [accuracy, *[""] * 5]
    spikes = (f"{numbers[-1]:,.0f}" for numbers in (log.positive_spikes, log.negative_spikes, log.sops))
    return [f"{100 * log.run.results.ann_accuracy:.2f} %", accuracy, f"{log.time_steps_needed}", *spikes]


def test_count_of_published_values_outside_the_seeds():
    cells = [
        seeds.row(quantity, values, published.of(model).results[quantity])
        for model in tables.models(MNIST, LENET)
        for quantity, values in seeds.quantities(seeds.read_seeds(model)).items()
    ]
    outside = sum(row[-1] == "no" for row in cells)
    text = " ".join(section("Seeds", RECIPES).split())
    assert f"outside, as {outside} of {len(cells)} are," in text
    assert f"Of {len(tables.surprises(MNIST, LENET))} values one is expected" in text


@pytest.mark.parametrize(("t", "freedom"), [(12.706, 1), (4.303, 2), (3.182, 3), (2.776, 4), (2.571, 5)])
def test_chances_are_those_of_tables_of_students_distribution(t, freedom):
    assert tables.chance_beyond(t, freedom) == pytest.approx(0.05, abs=5e-5)


def test_numbers_of_60_time_steps_are_those_of_such_a_run(tmp_path, run_here):
    options = ("--weights", Model(2).published, "--time_steps", 60, "--logs", tmp_path)
    assert run_here(Spiking_LeNet_MNIST.main, *options).returncode == 0
    log = logs.read(tmp_path)
    text = " ".join(section("The paper's", RECIPES).split())
    numbers = f"{log.positive_spikes[-1]:,.0f} + {log.negative_spikes[-1]:,.0f} spikes and {log.sops[-1]:,.0f} SOPs"
    assert f"{log.time_steps_needed} time steps, {numbers} ({share(log.sops[-1])}" in text


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links_and_commands_lead_to_files(page):
    text = page.read_text()
    for link in re.findall(r"\]\(([^)]+)\)", text):
        path, _, anchor = link.partition("#")
        if not path.startswith("https:"):
            target = page.parent / path if path else page
            assert target.is_file(), link
            headings = re.findall(r"^#+ (.*)$", target.read_text(), re.MULTILINE) if anchor else []
            assert not anchor or anchor in {re.sub(r"[^\w -]", "", h).lower().replace(" ", "-") for h in headings}, (
                link
            )
    for command in re.findall(r"python ([\w/]+\.py)", text):
        assert (ROOT / command).is_file(), command


def test_list_of_folders_names_what_is_there():
    places = re.findall(r"`([^`]+\.py|[^`]+/)`", section("Where to find what"))
    assert len(places) > 8
    for place in places:
        assert (ROOT / place).exists() or any(
            (ROOT / part / place).exists() for part in ("spiking", "experiment", "LeNet")
        )


def test_caption_of_the_animation_is_about_the_animation():
    caption = README[: README.index("    make run")].replace("\n", " ")
    assert f"Test image {animation.IMAGE} in the network of k=0" in caption
    pixels, labels, _ = load_split("test")
    chosen = simulate(0, 20, pixels[[animation.IMAGE]]).outputs[0].argmax(axis=-1)
    assert f"the early guess, {chosen[0]}, becomes {chosen[-1]}" in caption
    assert labels[animation.IMAGE] == chosen[-1]
