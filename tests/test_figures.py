"""The figure scripts, run as a user runs them: their numbers, calculated by hand from small logs, and their files."""

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
from experiment.model import Model
from figs import accuracy_speed, results, sops, sparsity
from spiking.network import FULL_PRECISION
from tests.helpers import ROOT, run_script
from tests.script_helpers import change_run, forbid_imports, snapshot, write_logs

FIGURES = {
    "accuracy_speed.py": "scnn_accuracy_mnist",
    "sparsity.py": "scnn_spike_neuron_mnist",
    "sops.py": "scnn_sop_mnist",
}
SCRIPTS = (*FIGURES, "results.py")
MAINS = dict(zip(SCRIPTS, (accuracy_speed.main, sparsity.main, sops.main, results.main), strict=True))

# Rows of the tables as words, from the logs of `project`. k=0: (47,250 + 4,725) spikes and 17,965,500 SOPs in
# 5 images; k=2: (94,500 + 18,900) spikes and 28,744,800 SOPs in 4; of 18,900 neurons and 7,186,200 operations of
# the ANN, which are 2,395,400 multiply-accumulates without block 1's 288,000; in floating point 0.9 pJ an addition
# and 4.6 pJ a multiply-accumulate, in integers 0.1 and 3.1 + 0.1.
ROWS = {
    "accuracy_speed.py": ["k=0 80.00 % 3", "k=2, trial 75.00 % 18", "full precision 87.50 %"],
    "sparsity.py": ["k=0 9,450 945 0.550", "k=2, trial 23,625 4,725 1.500"],
    "sops.py": [
        "k=0 3,593,100 50.0 % 3.23 µJ 0.36 µJ",
        "k=2, trial 7,186,200 100.0 % 6.47 µJ 0.72 µJ",
        "ANN 7,186,200 100.0 % 11.02 µJ 7.67 µJ",
    ],
    "results.py": [
        "| full precision | 150 epochs | 87.50 % | | | | | | |",
        "| full precision, published | | 99.28 % | | | | | | |",
        "| k=0 | 150 epochs | | 80.00 % | 3 | 9,450 | 945 | 3,593,100 | 50.0 % |",
        "| k=0, published | | 99.29 % | 99.29 % | 7 | 7,610 | 751 | 1,510,511 | 21.0 % |",
        "| k=2, trial | a trial: 3 of 150 epochs | 75.00 % | 75.00 % | 18 | 23,625 | 4,725 | 7,186,200 | 100.0 % |",
        "| network | 1 | 2 | 3 | 4 | 6 | 8 | 10 | 13 | 18 | 20 |",
        "| k=0 | 20.00 | 60.00 | 80.00 | 80.00 |",
        "| k=2, trial | 25.00 | 25.00 | 25.00 | 25.00 | 25.00 | 25.00 | 100.00 | 100.00 | 75.00 | 75.00 |",
    ],
}
# parts that the legend, the title and the axes must show, in this order within one text
TEXTS = {
    "accuracy_speed.py": [
        ("k=0", "80.00 %", "from time step 3 on"),
        ("k=2", "75.00 %", "from time step 18 on"),
        ("full precision", "87.50 %"),
        ("k=0: published",),
        ("Accuracy", "MNIST"),
        ("accuracy (%)",),
        ("time step",),
    ],
    "sparsity.py": [
        ("k=0", "9,450", "positive"),
        ("k=0", "945", "negative"),
        ("k=2", "23,625", "positive"),
        ("k=2", "4,725", "negative"),
        ("Spikes", "18,900 neurons"),
        ("spiking LeNet on MNIST",),
        ("published",),
        ("spikes per neuron and image",),
        ("time step",),
    ],
    "sops.py": [
        ("k=0", "3.59 million"),
        ("k=2", "7.19 million"),
        ("ANN", "7.19 million"),
        ("published",),
        ("3.23",),
        ("6.47",),
        ("11.02",),
        ("Energy", "estimate"),
        ("Synaptic operations",),
        ("spiking LeNet on MNIST",),
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
    """A copy of the scripts with small logs: k=0 of 5 images and 4 steps, k=2 of 4 images and 20 steps, fp32."""
    root = tmp_path_factory.mktemp("project")
    for path in [path for folder in ("figs", "experiment", "spiking") for path in ROOT.glob(f"{folder}/*.py")]:
        copy = root / path.relative_to(ROOT)
        copy.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(path, copy)
    quiet = [[0, 0, 0]]
    first, second = [[50_000, 4_000, 17_000_000]], [[1_975, 725, 965_500]]
    statistics = [[first + 3 * quiet], [2 * quiet + second + quiet]]
    write_logs(root / "figs/k0", Model(0), 5, 3, [[1, 2, 3, 3], [0, 1, 1, 1]], statistics)
    statistics = [[[[75_600, 0, 28_744_800], [37_800, 18_900, 0]] + 18 * quiet]]
    write_logs(root / "figs/k2", Model(2), 4, 4, [9 * [1] + 8 * [4] + 3 * [3]], statistics)
    change_run(root / "figs/k2", {"epochs": 3}, ann_accuracy=0.75)
    write_logs(root / "figs/fp32", Model(FULL_PRECISION), 8, 4, [[4], [3]])
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
    """Runs the script and removes the files that it has added to the output folder."""
    before = snapshot(output)
    process = run_script(project / "figs" / script, *options, cwd=cwd)
    assert process.returncode == 0, process.stderr
    assert process.stderr == ""
    added = {str(name): content for name, content in snapshot(output).items() if name not in before}
    for name in added:
        (output / name).unlink()
    return Run(process.stdout, added)


@pytest.fixture
def draw(run_here):
    """Runs a script inside this process, which must succeed; returns what it printed."""

    def draw(script, *options):
        process = run_here(MAINS[script], *options)
        assert (process.returncode, process.stderr) == (0, "")
        return process.stdout

    return draw


def words(stdout):
    return [" ".join(line.split()) for line in stdout.splitlines()]


def pictures(name):
    """The files of a figure; none of a script that draws none."""
    return {f"{name}.png", f"{name}.svg"} if name else set()


def test_table_has_the_numbers_of_the_logs(script, runs):
    for run in runs:
        assert set(ROWS[script]) <= set(words(run.stdout))


def test_png_and_svg_appear_and_nothing_else_named_after_the_logs_that_were_asked_for(script, runs):
    name = FIGURES.get(script)
    assert set(runs[0].files) == set(runs[1].files) == pictures(name)
    assert set(runs[2].files) == pictures(name and f"{name}-k0-k2")


def test_every_run_gives_the_same_bytes(runs):
    assert runs[1].files == runs[0].files
    assert sorted(runs[2].files.values()) == sorted(runs[0].files.values())


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


def test_figures_of_another_model_have_its_logs_and_a_name_of_their_own(script, project, draw, empty_repository):
    identity = {"data": "usps", "recipe": "augmented", "seed": 3}
    for level in ("k0", "fp32"):
        place = empty_repository / f"figs/logs/{level}-usps-augmented-seed3"
        change_run(shutil.copytree(project / "figs" / level, place), identity)
    options = ["--data", "there/usps", "--recipe", "augmented", "--seed", 3]
    figure, output = FIGURES.get(script, "").replace("mnist", "usps"), empty_repository / "figures"
    table = words(draw(script, *options, *(["--output", output] if figure else [])))
    assert {path.name for path in output.glob("*")} == pictures(figure and f"{figure}-augmented-seed3")
    for row in ROWS[script]:
        for label in ("k=0", "full precision"):
            row = row.replace(label, f"{label}, usps, augmented, seed3")
        assert (row in table) == ("k=2" not in row and "published" not in row)


@pytest.mark.parametrize("script", FIGURES)
def test_what_networks_share_stands_in_the_title_and_what_differs_in_the_labels(script, project, draw, tmp_path):
    for level in ("k0", "k2"):
        copy = shutil.copytree(project / "figs" / level, tmp_path / level)
        change_run(copy, {"recipe": "augmented", "data": "usps"})
    for share, second in ((True, tmp_path / "k2"), (False, project / "figs/k2")):
        output = tmp_path / f"shared {share}"
        draw(script, "--logs", tmp_path / "k0", second, "--output", output)
        svg = next(output.glob("*.svg")).read_text()
        texts = re.findall(r"<!-- (.*?) -->", svg, re.DOTALL)
        title = next(text for text in texts if "the spiking LeNet" in text)
        labels = [text for text in texts if re.match(r"k=\d.*: \d", text)]
        assert len(labels) >= 2
        assert title.endswith("the spiking LeNet on usps, augmented" if share else "the spiking LeNet")
        expected = ["k=0", "k=2, trial"] if share else ["k=0, usps, augmented", "k=2, trial"]
        assert {label.partition(" (")[0].partition(":")[0] for label in labels} == set(expected)


def test_networks_of_the_same_name_have_a_bar_each(project, draw, tmp_path):
    copy = shutil.copytree(project / "figs/k0", tmp_path / "k0")
    draw("sops.py", "--logs", project / "figs/k0", copy, "--output", tmp_path / "figs")
    (svg,) = (tmp_path / "figs").glob("scnn_sop_mnist-k0-k0~*.svg")
    assert svg.read_text().count("<!-- 3.23 -->") == 2


@pytest.mark.parametrize("script", SCRIPTS)
def test_folders_of_the_same_name_have_distinct_labels(project, draw, tmp_path, script):
    """Labels have as much of the paths as needed; each folder has its curve, bar or row, each choice its picture."""
    places = ("old", "new/old", "new/new")
    copies = [shutil.copytree(project / "figs/k0", tmp_path / place / "k0") for place in places]
    output = ("--output", tmp_path / "figs") if script in FIGURES else ()
    texts = "".join(draw(script, "--logs", *chosen, *output) for chosen in (copies, copies[:1], copies[1:2]))
    texts += "".join(path.read_text() for path in (tmp_path / "figs").glob("*.svg"))
    for place in (f"{tmp_path.name}/old/k0", "new/old/k0", "new/k0"):
        assert texts.count(f"k=0 ({place})") >= 1 + (script in FIGURES), place
    if script in FIGURES:
        assert len(list((tmp_path / "figs").glob("*.svg"))) == 3


def test_results_are_two_tables_in_markdown(project, draw):
    first, second = draw("results.py", "--logs", project / "figs/k0").split("\n\naccuracy (%) after time step\n")
    for table, columns in ((first, 9), (second, 11)):  # the published accuracies are those after ten steps
        header, rule, *rows = table.splitlines()
        assert re.fullmatch(rf"\|( [^|]+ \|){{{columns}}}", header)
        assert re.fullmatch(rf"\|(---\|){{{columns}}}", rule)
        assert all(re.fullmatch(rf"\|( [^|]* \|){{1,{columns}}}", row) for row in rows)


def test_logs_of_a_killed_run_are_drawn(project, draw, empty_repository):
    shutil.copytree(project / "figs", empty_repository / "figs")
    for name in ("k0", "fp32"):
        folder = empty_repository / "figs" / name
        (folder / COMPLETE).mkdir()
        (folder / logs.ACCURACY).rename(folder / COMPLETE / logs.ACCURACY)
    assert set(ROWS["results.py"]) <= set(words(draw("results.py")))


def test_figures_without_full_precision_logs_have_no_such_line(project, draw, empty_repository):
    output = empty_repository / "figures"
    assert "full precision" not in draw("accuracy_speed.py", "--logs", project / "figs/k0", "--output", output)
    (svg,) = output.glob("*.svg")
    assert "full precision" not in svg.read_text()
