"""The tables of results in README_MNIST.md, docs/recipes.md and docs/variations.md, made from the logs.

`python -m tests.tables` writes them anew, after another training say.
"""

import math
import statistics

from experiment import logs, published
from experiment.model import LENET, MNIST, Model
from experiment.runs import default_folder
from figs import bursts, seeds
from spiking.network import FULL_PRECISION
from tests.helpers import LEVELS, RESIDUALS, ROOT

RESULT_COLUMNS = ["network", "accuracy (%)", "time steps", "+ spikes/image", "- spikes/image", "SOPs/image"]
RESULT_QUANTITIES = ("SNN accuracy (%)", "time steps", "+ spikes", "- spikes", "SOPs")
SEED_COLUMNS = ["network", "seed", "ANN", "SNN", "after step 1", "time steps", "+ spikes", "- spikes", "SOPs"]
SEED_QUANTITIES = ("ANN accuracy (%)", "SNN accuracy (%)", "accuracy after step 1 (%)", *RESULT_QUANTITIES[1:])
SURPRISE_COLUMNS = ["network", "quantity", "published", "ours", "t", "chance of such a distance"]
BURST_COLUMNS = ["network", "spikes in a step", *RESULT_COLUMNS[1:]]
DATA = {MNIST: "MNIST", published.FASHION_MNIST: "Fashion-MNIST"}


def models(data, network):
    """The Model of each level with seed 0."""
    return [Model(k, network, data) for k in LEVELS]


def level(model):
    return "full precision" if model.k == FULL_PRECISION else f"k={model.k}"


def result_rows():
    """Rows for each network and level: the mean of our seeds, and in brackets the published figures."""
    rows = []
    for data, network in published.PUBLISHED:
        for model in models(data, network):
            ours, theirs = seeds.quantities(seeds.read_seeds(model)), published.of(model).results
            quantities = ("ANN accuracy (%)",) if model.k == FULL_PRECISION else RESULT_QUANTITIES
            cells = [ours_and_theirs(name, ours.get(name, []), theirs[name]) for name in quantities]
            cells += [""] * (len(RESULT_QUANTITIES) - len(cells))
            name = f"{DATA[data]}, {network}, " if model.k == FULL_PRECISION else ""
            rows.append([name + level(model), *cells])
    return rows


def ours_and_theirs(quantity, values, reference):
    """A cell with the mean, for accuracies also their deviation, and the published figure."""
    mean, deviation, *_ = seeds.spread(quantity, values) if values else ("–", "")
    if "%" in quantity:
        return f"{' ± '.join(filter(None, (mean, deviation)))} ({reference:.2f})"
    return f"{mean.removesuffix('.0')} ({reference:,})"


def seed_rows(data, network):
    """Rows for each level: its seeds, the mean ± deviation of several seeds, and the published figures."""
    rows = []
    for model in models(data, network):
        found = seeds.read_seeds(model)
        for log in found:
            values = {name: values[0] for name, values in seeds.quantities([log]).items()}
            rows.append([level(model), str(log.model.seed), *seed_cells(values)])
        if len(found) > 1:
            spreads = {name: seeds.spread(name, values) for name, values in seeds.quantities(found).items()}
            texts = {name: " ± ".join(cells[:2]) + " %" * ("%" in name) for name, cells in spreads.items()}
            rows.append([level(model), "mean", *(texts.get(name, "") for name in SEED_QUANTITIES)])
        rows.append([level(model), "published", *seed_cells(published.of(model).results)])
    return rows


def seed_cells(values):
    """The cells of SEED_QUANTITIES, empty where there is no such value."""
    texts = {name: f"{value:.2f} %" if "%" in name else f"{value:,.0f}" for name, value in values.items()}
    return [texts.get(name, "") for name in SEED_QUANTITIES]


def surprises(data, network):
    """How far published values are from ours if taken as one more training: (t, row), the farthest first."""
    found = []
    for model in models(data, network):
        for quantity, values in seeds.quantities(seeds.read_seeds(model)).items():
            reference = published.of(model).results.get(quantity)
            if reference is not None and len(values) > 1 and (deviation := statistics.stdev(values)):
                t = abs(reference - statistics.fmean(values)) / (deviation * math.sqrt(1 + 1 / len(values)))
                ours = " ± ".join(seeds.spread(quantity, values)[:2])
                chance = f"{100 * chance_beyond(t, len(values) - 1):.0f} %"
                found.append((t, [level(model), quantity, f"{reference:,}", ours, f"{t:.2f}", chance]))
    return sorted(found, reverse=True)


def surprise_rows(data, network, number):
    """The farthest, without the accuracy of artificial networks, which is almost that of the spiking ones."""
    return [row for _, row in surprises(data, network) if row[1] != "ANN accuracy (%)"][:number]


def chance_beyond(t, freedom):
    """The probability that Student's t lies beyond ± t: Abramowitz and Stegun, 26.7.3 and 26.7.4."""
    angle = math.atan(t / math.sqrt(freedom))
    odd = freedom % 2
    term, total = (math.cos(angle), 0.0) if odd else (1.0, 0.0)
    for number in range(2 + odd, freedom + 1, 2):
        total += term
        term *= math.cos(angle) ** 2 * (number - 1) / number
    within = 2 / math.pi * (angle + math.sin(angle) * total) if odd else math.sin(angle) * total
    return 1 - within


def accuracy_rows(data, network, steps):
    """The accuracy of seed 0 after these time steps, and the published one."""
    rows = []
    for model in models(data, network)[1:]:
        if logs.exist(folder := default_folder(model)):
            accuracy = logs.read(folder).accuracy
            rows.append([f"{level(model)}, ours", *(f"{accuracy[step - 1]:.2f}" for step in steps)])
        theirs = published.of(model).accuracy
        rows.append([f"{level(model)}, published", *(f"{theirs[step]:.2f}" for step in steps)])
    return rows


def burst_rows(models):
    """Rows for each model and bound on a neuron's spikes in a time step."""
    rows = []
    for model in models:
        for name, log in bursts.read_variants(model).items():
            spikes = "1, none negative" if name == bursts.NO_NEGATIVE else name.removeprefix("B = ")
            ends = (log.positive_spikes[-1], log.negative_spikes[-1], log.sops[-1])
            results = f"{log.accuracy[-1]:.2f}", f"{log.time_steps_needed}", *(f"{number:,.0f}" for number in ends)
            rows.append([level(model), spikes, *results])
    return rows


def places():
    """Every table: its page, a text before it, its columns and its rows."""
    readme, recipes = ROOT / "README_MNIST.md", ROOT / "docs/recipes.md"
    yield ROOT / "docs/variations.md", "## Bursts", BURST_COLUMNS, burst_rows(models(MNIST, LENET)[1:])
    if rows := burst_rows(RESIDUALS):
        yield recipes, "## A residual network", BURST_COLUMNS, rows
    yield readme, "## Results\n", RESULT_COLUMNS, result_rows()
    yield recipes, "## Seeds\n", SURPRISE_COLUMNS, surprise_rows(MNIST, LENET, 5)
    for data, network in published.PUBLISHED:
        yield recipes, "## Seeds\n" if data == MNIST else f"**{network}**", SEED_COLUMNS, seed_rows(data, network)
        if steps := list(published.of(Model(0, network, data)).accuracy):
            before = "## The paper's\n" if data == MNIST else f"**{network}**"
            yield recipes, before, ["network", *map(str, steps)], accuracy_rows(data, network, steps)


def pages():
    """The pages, by path, with every table regenerated."""
    pages = {}
    for path, before, columns, rows in places():
        text = pages.get(path) or path.read_text()
        heading, *lines = (f"| {' | '.join(cells)} |".replace("  ", " ") for cells in (columns, *rows))
        start = text.index(heading, text.index(before))
        table = "\n".join([heading, "|---" * len(columns) + "|", *lines])
        pages[path] = text[:start] + table + text[text.index("\n\n", start) :]
    return pages


if __name__ == "__main__":
    for path, text in pages().items():
        path.write_text(text)
