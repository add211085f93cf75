"""The figure scripts, run as a user runs them: numbers by hand from small logs, files, errors."""

import json
import os
import re
import shutil
import xml.etree.ElementTree as ElementTree
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
from matplotlib.image import imread

from experiment import logs
from experiment.disk import COMPLETE
from tests.helpers import ROOT, assert_refused, run_script
from tests.script_helpers import forbid_imports, snapshot, write_logs

FIGURES = {
    "accuracy_speed.py": "scnn_accuracy_mnist",
    "sparsity.py": "scnn_spike_neuron_mnist",
    "sops.py": "scnn_sop_mnist",
}
SCRIPTS = (*FIGURES, "results.py")

# Rows of the tables as words, from the logs of `project`. k=0: (47,250 + 4,725) spikes and 17,965,500 SOPs in
# 5 images; k=2: (94,500 + 18,900) spikes and 28,744,800 SOPs in 4; of 18,900 neurons and 7,186,200 operations of
# the ANN, which are 2,395,400 multiply-accumulates; 0.9 pJ an operation, 4.6 pJ a multiply-accumulate.
ROWS = {
    "accuracy_speed.py": ["k=0 80.00 % 3", "k=2 75.00 % 18", "full precision 87.50 %"],
    "sparsity.py": ["k=0 9,450 945 0.550", "k=2 23,625 4,725 1.500"],
    "sops.py": ["k=0 3,593,100 50.0 % 3.23 µJ", "k=2 7,186,200 100.0 % 6.47 µJ", "ANN 7,186,200 100.0 % 11.02 µJ"],
    "results.py": [
        "| full precision | | 87.50 % | | | | | | |",
        "| k=0 | | | 80.00 % | 3 | 9,450 | 945 | 3,593,100 | 50.0 % |",
        "| k=2 | 3 | 75.00 % | 75.00 % | 18 | 23,625 | 4,725 | 7,186,200 | 100.0 % |",
        "| network | 1 | 2 | 3 | 4 | 6 | 8 | 10 | 13 | 18 | 20 |",
        "| k=0 | 20.00 | 60.00 | 80.00 | 80.00 |",
        "| k=2 | 25.00 | 25.00 | 25.00 | 25.00 | 25.00 | 25.00 | 100.00 | 100.00 | 75.00 | 75.00 |",
    ],
}
# parts that the legend, the title and the axes must show, in this order within one text
TEXTS = {
    "accuracy_speed.py": [
        ("k=0", "80.00 %", "3 time steps"),
        ("k=2", "75.00 %", "18 time steps"),
        ("full precision", "87.50 %"),
        ("Accuracy", "MNIST"),
        ("accuracy (%)",),
        ("time step",),
    ],
    "sparsity.py": [
        ("k=0", "9,450", "positive"),
        ("k=0", "945", "negative"),
        ("k=2", "23,625", "positive"),
        ("k=2", "4,725", "negative"),
        ("Spikes", "18,900 neurons", "MNIST"),
        ("spikes per neuron and image",),
        ("time step",),
    ],
    "sops.py": [
        ("k=0", "3.59 million"),
        ("k=2", "7.19 million"),
        ("ANN", "7.19 million"),
        ("3.23",),
        ("6.47",),
        ("11.02",),
        ("Energy", "estimate"),
        ("Synaptic operations", "MNIST"),
        ("energy per image (µJ)",),
        ("operations per image",),
        ("time step",),
    ],
}


@dataclass(frozen=True)
class Run:
    stdout: str
    files: dict  # of the output folder: content by name


@pytest.fixture(scope="module")
def project(tmp_path_factory):
    """A copy of the scripts with logs by hand: k=0 of 5 images and 4 steps, k=2 of 4 images and 20 steps, fp32."""
    root = copy_of_project(tmp_path_factory.mktemp("project"))
    quiet = [[0, 0, 0]]
    first, second = [[50_000, 4_000, 17_000_000]], [[1_975, 725, 965_500]]
    statistics = [[first + 3 * quiet], [2 * quiet + second + quiet]]
    write_logs(root / "figs/k0", 0, 5, 3, [[1, 2, 3, 3], [0, 1, 1, 1]], statistics)
    statistics = [[[[75_600, 0, 28_744_800], [37_800, 18_900, 0]] + 18 * quiet]]
    write_logs(root / "figs/k2", 2, 4, 4, [9 * [1] + 8 * [4] + 3 * [3]], statistics)
    run = json.loads((root / "figs/k2/run.json").read_text())
    known = {"ann_accuracy": 0.75, "weights": "LeNet/pretrained/k2.npz"}
    (root / "figs/k2/run.json").write_text(json.dumps(run | known))
    (root / "LeNet/pretrained").mkdir()
    (root / "LeNet/pretrained/k2.csv").write_text("epoch,loss\n1,3\n2,2\n3,1\n")
    (root / "figs/fp32").mkdir()
    run = {"k": -1, "images": 8, "batch_size": 4, "time_steps": 1}
    logs.write_accuracy(root / "figs/fp32", run, np.array([[4], [3]]))
    return root


def copy_of_project(root):
    """The scripts and nothing that a figure could be drawn from."""
    for path in [*ROOT.glob("figs/*.py"), *ROOT.glob("LeNet/**/*.py")]:
        copy = root / path.relative_to(ROOT)
        copy.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(path, copy)
    return root


@pytest.fixture(scope="module", params=SCRIPTS)
def script(request):
    return request.param


@pytest.fixture(scope="module")
def runs(script, project, tmp_path_factory):
    """The script run from the root, from figs/ and, naming the folders, from elsewhere; all without TensorFlow."""
    elsewhere = tmp_path_factory.mktemp("elsewhere")
    with pytest.MonkeyPatch.context() as monkeypatch:
        forbid_imports(monkeypatch, tmp_path_factory.mktemp("forbidden") / "modules", "tensorflow", "keras")
        relative = Path(os.path.relpath(project / "figs", elsewhere))
        options = ["--logs", relative / "k0", relative / "k2"]
        options += ["--output", "new/folder"] if script in FIGURES else []
        return [
            drawn(project, script, cwd=project, output=project / "figs"),
            drawn(project, script, cwd=project / "figs", output=project / "figs"),
            drawn(project, script, *options, cwd=elsewhere, output=elsewhere / "new/folder"),
        ]


def drawn(project, script, *options, cwd, output):
    """Runs the script and takes away the files that it has added to the output folder."""
    before = snapshot(output)
    process = run_script(project / "figs" / script, *options, cwd=cwd)
    assert process.returncode == 0, process.stderr
    assert process.stderr == ""
    added = {str(name): content for name, content in snapshot(output).items() if name not in before}
    for name in added:
        (output / name).unlink()
    return Run(process.stdout, added)


def test_table_has_the_numbers_of_the_logs(script, runs):
    for run in runs:
        rows = [" ".join(line.split()) for line in run.stdout.splitlines()]
        for row in ROWS[script]:
            assert row in rows


def test_png_and_svg_appear_and_nothing_else(script, runs):
    name = FIGURES.get(script)
    for run in runs:
        assert set(run.files) == ({f"{name}.png", f"{name}.svg"} if name else set())


def test_every_run_gives_the_same_bytes(runs):
    assert runs[1].files == runs[0].files
    assert runs[2].files == runs[0].files


@pytest.mark.parametrize("script", FIGURES, indirect=True)
def test_printed_paths_are_those_of_the_files(script, runs):
    assert f"figs/{FIGURES[script]}.png, figs/{FIGURES[script]}.svg" in runs[0].stdout


@pytest.mark.parametrize("script", FIGURES, indirect=True)
def test_png_is_wide_and_not_empty(script, runs, tmp_path):
    (tmp_path / "figure.png").write_bytes(runs[0].files[f"{FIGURES[script]}.png"])
    image = imread(tmp_path / "figure.png")
    assert image.shape[1] >= 1000
    for colour in ((0x00, 0x72, 0xB2), (0xD5, 0x5E, 0x00)):  # Okabe and Ito's blue and vermilion, of the two networks
        assert np.any(np.all(np.abs(image[..., :3] - np.array(colour) / 255) < 1e-3, axis=2))


@pytest.mark.parametrize("script", FIGURES, indirect=True)
def test_svg_shows_title_axes_and_legend(script, runs):
    parser = ElementTree.XMLParser(target=ElementTree.TreeBuilder(insert_comments=True))
    svg = ElementTree.fromstring(runs[0].files[f"{FIGURES[script]}.svg"], parser)
    assert svg.tag == "{http://www.w3.org/2000/svg}svg"
    # Matplotlib draws text as paths, each after a comment with the text, or as text elements
    texts = [element.text for element in svg.iter() if element.text]
    for parts in TEXTS[script]:
        pattern = ".*".join(map(re.escape, parts))
        assert any(re.search(pattern, text, re.DOTALL) for text in texts), parts


def test_figures_of_another_recipe_have_its_logs_and_a_name_of_their_own(script, project, tmp_path):
    copy = copy_of_project(tmp_path / "project")
    for name in ("k0", "fp32"):
        folder = shutil.copytree(project / "figs" / name, copy / f"figs/{name}-augmented")
        run = json.loads((folder / "run.json").read_text())
        (folder / "run.json").write_text(json.dumps(run | {"recipe": "augmented"}))
    run = drawn(copy, script, "--recipe", "augmented", cwd=tmp_path, output=copy / "figs")
    name = FIGURES.get(script)
    assert set(run.files) == ({f"{name}-augmented.png", f"{name}-augmented.svg"} if name else set())
    rows = [" ".join(line.split()) for line in run.stdout.splitlines()]
    for row in ROWS[script]:
        expected = row.replace("k=0", "k=0, augmented").replace("full precision", "full precision, augmented")
        assert (expected in rows) == ("k=2" not in row)


def test_networks_of_the_same_name_have_a_bar_each(project, tmp_path):
    copy = shutil.copytree(project / "figs/k0", tmp_path / "k0")
    options = ("--logs", project / "figs/k0", copy, "--output", tmp_path / "figs")
    drawn(project, "sops.py", *options, cwd=tmp_path, output=tmp_path / "new")
    assert (tmp_path / "figs/scnn_sop_mnist.svg").read_text().count("<!-- 3.23 -->") == 2


def test_logs_of_a_killed_run_are_drawn(project, tmp_path):
    copy = shutil.copytree(project, tmp_path / "project")
    for name in ("k0", "fp32"):
        (copy / "figs" / name / COMPLETE).mkdir()
        (copy / "figs" / name / logs.ACCURACY).rename(copy / "figs" / name / COMPLETE / logs.ACCURACY)
    rows = [" ".join(line.split()) for line in drawn(copy, "results.py", cwd=copy, output=copy).stdout.splitlines()]
    assert set(ROWS["results.py"]) <= set(rows)


@pytest.mark.parametrize(
    ("entry", "expected"),
    [
        ({"recipe": "augmented"}, "is of --recipe augmented, expected one of --recipe paper"),
        ({"k": 1}, "is of k=1, expected full precision, -1"),
    ],
)
def test_full_precision_logs_of_another_network(project, tmp_path, entry, expected):
    copy = shutil.copytree(project, tmp_path / "project")
    run = json.loads((copy / "figs/fp32/run.json").read_text())
    (copy / "figs/fp32/run.json").write_text(json.dumps(run | entry))
    for script in ("accuracy_speed.py", "results.py"):
        assert_changes_nothing(copy, copy / "figs" / script, expected=["error: figs/fp32: " + expected])


def test_figures_without_full_precision_logs_have_no_such_line(project, tmp_path):
    copy = copy_of_project(tmp_path / "project")
    run = drawn(copy, "accuracy_speed.py", "--logs", project / "figs/k0", cwd=tmp_path, output=copy / "figs")
    assert "full precision" not in run.stdout
    assert b"full precision" not in run.files["scnn_accuracy_mnist.svg"]


def test_foreign_logs_are_named_after_their_folder(tmp_path):
    folder = tmp_path / "theirs"
    folder.mkdir()
    for name, last in {"SNN_accuracy": 150, "spike_num": 600, "spike_collect": "200.0", "sop_num": 142830}.items():
        (folder / f"{name}.txt").write_text("0\n" * 19 + f"{last}\n")
    process = run_script("figs/results.py", "--logs", ".", cwd=folder)
    # 150 of 200 images, (600 + 200) / 2 and (600 - 200) / 2 spikes, 142830 / 200 of 7,186,200 operations
    assert "| theirs |  |  | 75.00 % | 20 | 2 | 1 | 714 | 0.0 % |" in process.stdout.splitlines()


def test_no_logs(script, tmp_path):
    copy = copy_of_project(tmp_path)
    expected = "no logs found, expected one of figs/k0, figs/k1, figs/k2; LeNet/Spiking_LeNet_MNIST.py writes them"
    assert_changes_nothing(tmp_path, copy / "figs" / script, expected=[expected])


def test_missing_folder(script, tmp_path):
    assert_changes_nothing(tmp_path, f"figs/{script}", "--logs", tmp_path / "none", expected=[str(tmp_path / "none")])


def test_truncated_log(script, project, tmp_path):
    folder = tmp_path / "k0"
    shutil.copytree(project / "figs/k0", folder)
    (folder / "sop_num.txt").write_bytes((folder / "sop_num.txt").read_bytes()[:-9])  # the last line
    expected = [str(folder / "sop_num.txt"), "has 7 lines, expected 2 batches x 4 time steps"]
    assert_changes_nothing(tmp_path, f"figs/{script}", "--logs", project / "figs/k2", folder, expected=expected)


def test_damaged_full_precision_log(project, tmp_path):
    copy = copy_of_project(tmp_path / "project")
    shutil.copytree(project / "figs/fp32", copy / "figs/fp32")
    (copy / "figs/fp32/run.json").write_text("{")
    options = ["--logs", project / "figs/k0"]
    expected = ["figs/fp32/run.json: damaged"]
    assert_changes_nothing(tmp_path, copy / "figs/accuracy_speed.py", *options, expected=expected)


@pytest.mark.parametrize("script", FIGURES, indirect=True)
@pytest.mark.parametrize("below", ["", "folder/deep"])
def test_output_that_cannot_be_a_folder(script, below, project, tmp_path):
    (tmp_path / "file").write_text("a regular file")
    output = tmp_path / "file" / below
    options = ["--logs", project / "figs/k0", "--output", output]
    assert_changes_nothing(tmp_path, f"figs/{script}", *options, expected=[str(tmp_path / "file")])


@pytest.mark.parametrize("options", [["--logs"], ["--output", "."], ["--unknown"]])
def test_bad_options(options, tmp_path):
    assert_changes_nothing(tmp_path, "figs/results.py", *options, expected=[options[0]])


def assert_changes_nothing(folder, script, *options, expected):
    """The script refuses with status 2 and one line, and leaves the folder as it was."""
    before = snapshot(folder)
    assert_refused(run_script(script, *options, cwd=folder), *expected)
    assert snapshot(folder) == before
