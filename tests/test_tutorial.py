"""examples/tutorial.ipynb: it runs from top to bottom, and what is committed is the result of such a run."""

import re

import pytest

from tests import tutorial
from tests.helpers import ROOT

BUDGET = "EPOCHS, TRAIN_IMAGES, TEST_IMAGES = 1, 512, 20"
LARGEST = 1 << 20  # bytes
PRINTS = re.compile(r"^print\(|^compare\(|trained\(\w+\(\)\)", re.MULTILINE)


@pytest.fixture(scope="module")
def run():
    """The notebook, run with a tiny budget; its own assertions compare every neuron."""
    return tutorial.executed(BUDGET)


def results(notebook):
    """What each code cell gives: the kinds of its outputs, and the lines that it prints, without their numbers."""
    for cell in tutorial.code_cells(notebook):
        kinds = {kind for output in cell.outputs for kind in output.get("data", [output.get("name", "error")])}
        text = "".join(output.get("text", "") for output in cell.outputs)
        yield kinds, set(re.sub(r"\d[\d,.]*", "#", text).splitlines())


def test_notebook_runs_and_gives_what_the_committed_one_shows(run):
    assert list(results(run)) == list(results(tutorial.read()))


def test_every_neuron_is_compared_in_both_networks(run):
    printed = "".join(output.get("text", "") for cell in run.cells for output in cell.get("outputs", []))
    compared = re.findall(r"^(?:block \d|predictions): ([\d,]+) of ([\d,]+)", printed, re.MULTILINE)
    assert len(compared) == 3 + 1 + 5 + 1  # blocks and predictions
    assert all(equal == of for equal, of in compared)


def test_committed_notebook_was_run_in_order_and_shows_all_that_it_prints_and_draws():
    notebook = tutorial.read()
    cells = tutorial.code_cells(notebook)
    assert [cell.execution_count for cell in cells] == list(range(1, len(cells) + 1))
    for cell, (kinds, _) in zip(cells, results(notebook), strict=True):
        assert ("image/png" in kinds) == ("pyplot.show()" in cell.source)
        assert "stdout" in kinds or not PRINTS.search(cell.source)
        assert "stderr" not in kinds
    assert sum("pyplot.show()" in cell.source for cell in cells) >= 5


def test_committed_notebook_is_small_and_says_nothing_of_the_machine():
    text = tutorial.PATH.read_text()
    assert len(text) < LARGEST
    assert str(ROOT) not in text
    assert not re.search(r"/(home|root|tmp|Users)/", text)
    assert set(tutorial.read().metadata) == {"kernelspec", "language_info"}
