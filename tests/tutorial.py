"""examples/tutorial.ipynb, executed.

python -m tests.tutorial     executes it, and writes it anew with its pictures; some minutes
"""

import os

import nbformat
from nbclient import NotebookClient

from tests.helpers import ROOT

PATH = ROOT / "examples" / "tutorial.ipynb"
SECONDS = 1200  # at most, for a cell


def read():
    """The notebook as it is in the repository."""
    return nbformat.read(PATH, as_version=4)


def code_cells(notebook):
    return [cell for cell in notebook.cells if cell.cell_type == "code"]


def executed(budget=None):
    """The notebook after a run from top to bottom in its folder.

    Parameters
    ----------
    budget : str or None
        Takes the place of its first code cell, which says how many epochs and images are used.
    """
    notebook = read()
    metadata = notebook.metadata.copy()
    if budget is not None:
        code_cells(notebook)[0].source = budget
    settings = {"timeout": SECONDS, "record_timing": False, "coalesce_streams": True}
    client = NotebookClient(notebook, resources={"metadata": {"path": str(PATH.parent)}}, **settings)
    # a figure that this process drew before would keep those of the notebook from being shown
    client.execute(
        env={name: value for name, value in os.environ.items() if not name.startswith(("MPL", "MATPLOTLIB"))}
    )
    notebook.metadata = metadata  # without what the kernel says of itself
    return notebook


if __name__ == "__main__":
    nbformat.write(executed(), PATH)
