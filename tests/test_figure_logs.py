"""Which logs the figure scripts take, and which they refuse with one line, leaving everything as it was."""

import re
import shutil

import pytest

from experiment.model import Model
from figs import accuracy_speed, results, sops
from spiking.network import FULL_PRECISION
from tests.helpers import assert_refused
from tests.script_helpers import change_run, snapshot, write_logs

THEIRS = {"SNN_accuracy": 150, "spike_num": 600, "spike_collect": "200.0", "sop_num": 142830}


@pytest.fixture(params=(sops, results), ids=lambda script: script.__name__)
def script(request):
    return request.param.main


@pytest.fixture
def root(empty_repository):
    """A repository with logs of k=0 and of full precision, and the user's own in a folder "mine"."""
    root = empty_repository
    for folder in ("figs/k0", "mine"):
        write_logs(root / folder, Model(0), 5, 3, [[1, 2], [0, 1]], [[[(9, 1, 70), (4, 2, 40)]]] * 2)
    write_logs(root / "figs/fp32", Model(FULL_PRECISION), 5, 3, [[3], [1]])
    return root


@pytest.fixture
def refuses(root, run_here):
    """Checks that a script refuses options with one line, and leaves the repository as it was."""

    def check(main, *options, expected):
        before = snapshot(root)
        output = () if main is results.main or "--output" in options else ("--output", root / "output")
        assert_refused(run_here(main, *options, *output), expected)
        assert snapshot(root) == before

    return check


@pytest.mark.parametrize(
    ("identity", "options", "expected"),
    [
        ({}, ("--recipe", "augmented"), "has recipe=paper, expected recipe=augmented"),
        ({"recipe": "augmented"}, ("--recipe", "paper"), "has recipe=augmented, expected recipe=paper"),
        ({}, ("--seed", 1), "has seed=0, expected seed=1"),
        ({}, ("--data", "usps"), "has data=mnist, expected data=usps"),
        ({}, ("--network", "8C3-P2"), "has network=20C5-P2-50C5-P2-500, expected network=8C3-P2"),
    ],
)
def test_options_that_contradict_the_logs(script, refuses, root, identity, options, expected):
    change_run(root / "mine", identity)
    refuses(script, "--logs", root / "mine", *options, expected=f"error: mine: {expected}")


def test_options_that_agree_with_the_logs(script, root, run_here):
    options = ("--logs", root / "mine", "--seed", 0, "--recipe", "paper", "--data", "some/mnist")
    process = run_here(script, *options, *(() if script is results.main else ("--output", root / "output")))
    assert (process.returncode, process.stderr) == (0, "")
    assert "k=0 (mine)" in process.stdout


def test_figures_are_named_after_the_folders_with_a_digest_unless_these_are_the_default(root, run_here):
    assert run_here(sops.main, "--logs", root / "figs/k0", "--output", root / "default").returncode == 0
    assert run_here(sops.main, "--logs", root / "mine", "--output", root / "other").returncode == 0
    assert {path.name for path in (root / "default").iterdir()} == {
        f"scnn_sop_mnist-k0.{kind}" for kind in ("png", "svg")
    }
    (svg,) = (root / "other").glob("*.svg")
    assert re.fullmatch(r"scnn_sop_mnist-mine~[0-9a-f]+\.svg", svg.name)


def test_logs_that_do_not_say_their_model_are_of_the_papers(root, refuses):
    write_authors_logs(root / "theirs")
    options = ("--logs", root / "theirs", "--recipe", "augmented")
    refuses(results.main, *options, expected="theirs: has recipe=paper, expected recipe=augmented")


def test_logs_in_the_folder_of_another_model(script, refuses, root):
    change_run(root / "figs/k0", {"recipe": "augmented"})
    refuses(script, expected="figs/k0: has recipe=augmented, expected recipe=paper")


@pytest.mark.parametrize(
    ("level", "identity", "found"),
    [
        (None, {"recipe": "augmented"}, "full precision, augmented (fp32)"),
        (None, {"seed": 1}, "full precision, seed1 (fp32)"),
        ("k0", {}, "k=0 (fp32)"),
        ("k0", {"k": FULL_PRECISION}, "full precision, converted to k=0 (fp32)"),
    ],
)
def test_full_precision_logs_of_another_network(refuses, root, level, identity, found):
    if level:
        shutil.copytree(root / "figs" / level, root / "figs/fp32", dirs_exist_ok=True)
    change_run(root / "figs/fp32", identity)
    for script in (accuracy_speed, results):
        refuses(script.main, expected=f"figs/fp32: has logs of {found}, expected full precision")


def test_full_precision_logs_as_those_of_a_spiking_network(script, refuses, root):
    expected = "figs/fp32: has full precision, expected logs of a spiking network"
    refuses(script, "--logs", root / "figs/fp32", expected=expected)


def test_authors_logs_are_named_after_their_folder(root, run_here, monkeypatch):
    write_authors_logs(root / "theirs")
    monkeypatch.chdir(root / "theirs")
    process = run_here(results.main, "--logs", ".")
    # 150 of 200 images, (600 + 200) / 2 and (600 - 200) / 2 spikes, 142830 / 200 of 7,186,200 operations
    assert "| theirs |  |  | 75.00 % | 20 | 2 | 1 | 714 | 0.0 % |" in process.stdout.splitlines()


def write_authors_logs(folder):
    """Logs as the authors publish theirs, each batch with the same numbers."""
    folder.mkdir()
    for name, last in THEIRS.items():
        (folder / f"{name}.txt").write_text(("0\n" * 19 + f"{last}\n") * 50)


def test_no_logs(script, refuses, root):
    shutil.rmtree(root / "figs")
    expected = "no logs found, expected one of figs/k0, figs/k1, figs/k2; LeNet/Spiking_LeNet_MNIST.py writes them"
    refuses(script, expected=expected)
    expected = "no logs found, expected one of figs/logs/k0-8C3-usps-augmented-seed7, figs/logs/k1-8C3-usps-"
    options = ("--seed", 7, "--recipe", "augmented", "--data", root / "usps", "--network", "8C3")
    refuses(script, *options, expected=expected)


def test_truncated_log(refuses, root):
    path = root / "mine/sop_num.txt"
    path.write_text("\n".join(path.read_text().splitlines()[:-1]))
    expected = "mine/sop_num.txt: has 3 lines, expected 2 batches x 2 time steps"
    refuses(results.main, "--logs", root / "figs/k0", root / "mine", expected=expected)


def test_output_that_cannot_be_a_folder(refuses, root):
    (root / "file").write_text("a regular file")
    refuses(sops.main, "--output", root / "file", expected="error: file: is a file, expected a folder")


@pytest.mark.parametrize(
    "options", [["--logs"], ["--output", "."], ["--unknown"], ["--seed", "-1"], ["--network", "x"]]
)
def test_bad_options(options, refuses):
    refuses(results.main, *options, expected=options[0])
