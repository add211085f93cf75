"""Figures and run.py in users' surroundings: notebooks, their settings, folders of any name, modules of our names."""

import html
import shutil
import xml.etree.ElementTree as ElementTree

import pytest

from experiment import digest, runs
from experiment.model import Model
from figs import accuracy_speed, plotting, raster, sops, sparsity
from tests.helpers import ROOT, assert_refused, run_script
from tests.script_helpers import snapshot, write_logs

ODD_NAMES = [
    "_old",
    "__",
    "r$^$",
    "$\\frac$",
    "run [1]",
    "*?",
    " a  b ",
    "a\nb",
    "%s {0}",
    "<&>",
    "--> <!--",
    "-1",
    "図",
    "\udcff",
]
# a user's settings that would draw another figure, or none
SETTINGS = "text.usetex: true\nfont.size: 30\nbackend: module://none\nsvg.fonttype: none\nsavefig.transparent: true\n"


@pytest.fixture(scope="module")
def log_folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("logs") / "k0"
    write_logs(folder, Model(0), 5, 3, [[1, 2], [0, 1]], [[[(9, 1, 70), (4, 2, 40)]]] * 2)
    return folder


@pytest.fixture(scope="module")
def usual_figure(log_folder, tmp_path_factory):
    """The files of a figure, drawn without any settings."""
    folder = tmp_path_factory.mktemp("usual")
    draw(log_folder, folder / "figs", cwd=folder)
    return snapshot(folder / "figs")


def draw(log_folder, output, cwd):
    process = run_script("figs/sops.py", "--logs", log_folder, "--output", output, cwd=cwd)
    assert (process.returncode, process.stderr) == (0, "")


def test_backend_of_a_notebook(log_folder, usual_figure, tmp_path, monkeypatch):
    monkeypatch.setenv("MPLBACKEND", "module://matplotlib_inline.backend_inline")
    draw(log_folder, tmp_path / "figs", cwd=tmp_path)
    assert snapshot(tmp_path / "figs") == usual_figure


@pytest.mark.parametrize(
    ("variable", "place"),
    [
        (None, "matplotlibrc"),  # in the current folder
        ("XDG_CONFIG_HOME", "matplotlib/matplotlibrc"),
    ],
)
def test_settings_of_the_user_draw_the_same_bytes(variable, place, log_folder, usual_figure, tmp_path, monkeypatch):
    settings = tmp_path / "settings"
    (settings / place).parent.mkdir(parents=True)
    (settings / place).write_text(SETTINGS)
    if variable:
        monkeypatch.setenv(variable, str(settings))
    draw(log_folder, tmp_path / "figs", cwd=settings if variable is None else tmp_path)
    assert snapshot(tmp_path / "figs") == usual_figure


def test_settings_that_are_no_text(log_folder, tmp_path):
    (tmp_path / "matplotlibrc").write_bytes(b"\xff\xfe")
    process = run_script("figs/sops.py", "--logs", log_folder, "--output", tmp_path / "figs", cwd=tmp_path)
    assert_refused(process, "error: a matplotlibrc or a style of Matplotlib: damaged", "expected UTF-8")
    assert not (tmp_path / "figs").exists()


@pytest.mark.parametrize("script", [accuracy_speed, sparsity, sops], ids=lambda script: script.__name__)
def test_log_folders_of_any_name_are_drawn_with_their_names(script, log_folder, tmp_path, run_here):
    """The names appear in the legend, in the table and in the names of the figure's files."""
    folders = [shutil.copytree(log_folder, tmp_path / name) for name in ODD_NAMES]
    process = run_here(script.main, "--logs", *folders, "--output", tmp_path / "figs")
    assert (process.returncode, process.stderr) == (0, "")
    png, svg = sorted((tmp_path / "figs").iterdir())
    assert png.stem == svg.stem
    assert png.stem.rpartition("~")[0].endswith(f"_mnist-{'-'.join(ODD_NAMES)}")
    parser = ElementTree.XMLParser(target=ElementTree.TreeBuilder(insert_comments=True))
    texts = [element.text or "" for element in ElementTree.parse(svg, parser).iter()]
    for name in ODD_NAMES:
        shown = "".join(letter if letter.isprintable() else repr(letter)[1:-1] for letter in name)
        assert f"k=0 ({shown})" in process.stdout
        comment = html.escape(shown, quote=False).replace(
            "--", "- -"
        )  # as Matplotlib writes the text beside its paths
        assert any(f"k=0 ({comment}): " in text for text in texts), name


@pytest.mark.parametrize("name", ["_old", "r$^$", "run [1]"])
def test_authors_log_folders_of_any_name_are_in_the_legend(name, tmp_path, run_here):
    folder = tmp_path / name
    folder.mkdir()
    for log in ("SNN_accuracy", "spike_num", "spike_collect", "sop_num"):
        (folder / f"{log}.txt").write_text("7\n" * 1000)
    process = run_here(accuracy_speed.main, "--logs", folder, "--output", tmp_path / "figs")
    assert (process.returncode, process.stderr) == (0, "")
    svg = tmp_path / f"figs/scnn_accuracy_mnist-{name}~{digest(str(folder))}.svg"
    assert f"{name}: 3.50 % from time step 1 on" in svg.read_text()


@pytest.fixture
def modules_of_the_same_name(tmp_path, monkeypatch):
    """Puts a user's modules and packages with the names of ours first on the path of all processes."""
    for name in ("experiment", "spiking", "LeNet", "figs"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "__init__.py").write_text(f"raise AssertionError('{name} of the user')\n")
    (tmp_path / "spiking_utils.py").write_text("raise AssertionError('spiking_utils of the user')\n")
    monkeypatch.setenv("PYTHONPATH", f"{tmp_path}:{ROOT}")
    return tmp_path


@pytest.mark.parametrize("safe_path", ["", "1"])  # with which the script's folder is not on the path
def test_a_users_modules_of_the_same_name_do_not_come_before_ours(safe_path, modules_of_the_same_name, monkeypatch):
    monkeypatch.setenv("PYTHONSAFEPATH", safe_path)
    spiking = ("--weights", Model(0).published, "--limit", 1, "--logs", modules_of_the_same_name / "logs")
    for script, options in {
        "run.py": ("--help",),
        "figs/results.py": (),
        "LeNet/Spiking_LeNet_MNIST.py": spiking,
    }.items():
        process = run_script(script, *options, cwd=modules_of_the_same_name)
        assert (process.returncode, process.stderr) == (0, "")


def test_animation_takes_no_settings_of_the_user(tmp_path, monkeypatch):
    """Nor does it tell of a home that cannot be used, as Matplotlib does."""
    (tmp_path / "matplotlibrc").write_text(SETTINGS)
    monkeypatch.setenv("MPLCONFIGDIR", "/proc/none")
    process = run_script("figs/animation.py", "--output", "figs", cwd=tmp_path)
    assert (process.returncode, process.stderr) == (0, "")
    assert (tmp_path / "figs/live.gif").read_bytes() == (ROOT / "figs/live.gif").read_bytes()


def test_any_number_of_default_log_folders_is_drawn(default_places, tmp_path, run_here):
    folders = [runs.default_folder(Model(0, seed=seed)) for seed in range(30)]
    for seed, folder in enumerate(folders):
        write_logs(folder, Model(0, seed=seed), 5, 3, [[1, 2], [0, 1]], [[[(9, 1, 70), (4, 2, 40)]]] * 2)
    process = run_here(sops.main, "--logs", *folders, "--output", tmp_path / "drawn")
    assert (process.returncode, process.stderr) == (0, "")
    assert len(list((tmp_path / "drawn").iterdir())) == 2


def test_bar_in_the_name_of_a_folder_parts_no_cells():
    assert plotting.table_row(["k=0 (a|b)", "9"]) == "| k=0 (a\\|b) | 9 |"


@pytest.mark.parametrize(
    ("main", "option"), [(sops.main, "--logs"), (raster.main, "--data"), (raster.main, "--image")]
)
def test_link_to_itself_is_refused(main, option, tmp_path, run_here):
    (tmp_path / "loop").symlink_to("loop")
    assert_refused(run_here(main, option, tmp_path / "loop", "--output", tmp_path), str(tmp_path / "loop"))
