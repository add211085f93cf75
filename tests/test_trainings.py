"""Several trainings at a time, here and on a Dask cluster; even interrupted or killed, they end in the same bytes."""

import json
import re
import shutil
import signal
import subprocess
import sys
import time
from contextlib import ExitStack
from pathlib import Path

import pytest

import run
from experiment import published, trainings
from experiment.command_line import usable_cores
from experiment.model import HISTORY_NAME, MNIST, NPZ_NAME, Model
from experiment.recipes import PAPER
from experiment.runs import default_folder
from experiment.trained import read_npz
from LeNet import Quant_LeNet_MNIST
from LeNet.tensorlayer.training import STATE_FILES
from tests.helpers import ROOT, assert_refused
from tests.script_helpers import history_without_seconds, write_images

EPOCHS = 5
PATIENCE = 300  # seconds
# a training of the copy waits once it has as many epochs as a file says, however fast or late the other one is
HELD = """

import time
from pathlib import Path

_save = Training.save


def save(training, output):
    _save(training, output)
    while len(training.history) == int(Path("held").read_text()):
        time.sleep(0.01)


Training.save = save
"""
# instead of a training, which takes seconds to begin: its first epoch, and then nothing more
STAND_IN = """
import sys, time
from experiment.model import HISTORY_NAME, Model

folder = Model(0, "2C3-P2", "tiny", seed=int(sys.argv[sys.argv.index("--seed") + 1])).checkpoint
folder.mkdir(parents=True)
(folder / "new").write_text("val_accuracy\\n0.875\\n")
(folder / "new").replace(folder / HISTORY_NAME)
time.sleep(1000)
"""
MODELS = [Model(0, "2C3-P2", "tiny", seed=seed) for seed in (1, 2, 3)]  # no command line names seed 0
# as run.py does, so many networks that take seconds
TRAIN = f"""
import sys
from experiment import command_line, trainings
from experiment.model import Model

where, number = sys.argv[1:]
where = {{"dask": where}} if ":" in where else {{"jobs": int(where)}}
models = {MODELS}[: int(number)]
command_line.run(lambda: trainings.train_all(models, threads={usable_cores()}, **where))
"""


@pytest.fixture(scope="module")
def project(tmp_path_factory):
    """A copy of the training code with small images and a short recipe."""
    root = tmp_path_factory.mktemp("project")
    for path in [path for folder in ("LeNet", "experiment", "spiking") for path in ROOT.glob(f"{folder}/**/*.py")]:
        copy = root / path.relative_to(ROOT)
        copy.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(path, copy)
    shutil.copyfile(ROOT / "spiking_utils.py", root / "spiking_utils.py")
    recipes = root / "experiment/recipes.py"
    recipes.write_text(recipes.read_text().replace("epochs=150", f"epochs={EPOCHS}"))
    with (root / "LeNet/tensorlayer/training.py").open("a") as training:
        training.write(HELD)
    write_images(root / "data/tiny", (8, 8), classes=3)
    return root


@pytest.fixture
def project_without_tensorflow(project, tmp_path):
    """The same with a stand-in for the script of trainings."""
    root = shutil.copytree(project, tmp_path / "project", ignore=shutil.ignore_patterns("checkpoints"))
    (root / "LeNet/Quant_LeNet_MNIST.py").write_text(STAND_IN)
    return root


def checkpoint(project, model):
    return project / model.checkpoint.relative_to(ROOT)


def hold(project, epoch):
    """Lets the trainings wait at the end of this epoch, and those that wait at another one go on."""
    (project / "next").write_text(str(epoch))
    (project / "next").replace(project / "held")


def epochs(project):
    """How many epochs of each training are finished."""
    histories = [checkpoint(project, model) / HISTORY_NAME for model in MODELS]
    return [len(history.read_text().splitlines()) - 1 if history.exists() else 0 for history in histories]


@pytest.fixture
def start(project):
    """A function that starts a Python process in a copy, which does not outlive the test."""
    with ExitStack() as ending:

        def start(*arguments, folder=project):
            command = [sys.executable, *map(str, arguments)]
            process = subprocess.Popen(command, cwd=folder, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
            ending.enter_context(process)
            ending.callback(process.kill)
            return process

        yield start


@pytest.fixture
def scheduler(start, tmp_path):
    """The process of a Dask scheduler, and the file that has its address once it is ready."""
    file = tmp_path / "scheduler.json"
    options = ("--host", "127.0.0.1", "--port", 0, "--no-jupyter", "--no-dashboard", "--scheduler-file", file)
    return start("-m", "distributed.cli.dask_scheduler", *options), file


@pytest.fixture
def workers(start, scheduler, tmp_path):
    """Two workers of one thread each."""
    one = ("--nthreads", 1, "--no-nanny", "--no-dashboard", "--local-directory", tmp_path)
    _, file = scheduler
    return [start("-m", "distributed.cli.dask_worker", *one, "--scheduler-file", file) for _ in range(2)]


def wait_until(moment, *processes):
    deadline = time.monotonic() + PATIENCE
    while not moment():
        for process in processes:
            assert process.poll() is None, process.stderr.read()
        assert time.monotonic() < deadline
        time.sleep(0.01)


def address_of(scheduler):
    process, file = scheduler
    wait_until(file.exists, process)
    return json.loads(file.read_text())["address"]


def trainings_in(folder):
    """How many processes that train run in a folder."""
    found = 0
    for process in Path("/proc").glob("[0-9]*"):
        try:
            if (process / "cwd").resolve() == folder:
                found += "LeNet_MNIST" in (process / "cmdline").read_text()
        except OSError:  # it has ended
            continue
    return found


def test_interruption_ends_the_running_trainings_and_starts_no_others(project_without_tensorflow, start):
    project = project_without_tensorflow
    here = start("-c", TRAIN, 2, 3, folder=project)
    progress = {here.stdout.readline() for _ in range(2)}
    assert progress == {f"{model.name}: epoch 1 of {EPOCHS}, validation 87.50 %\n" for model in MODELS[:2]}
    assert trainings_in(project) == 2
    here.send_signal(signal.SIGINT)
    stdout, stderr = here.communicate(timeout=PATIENCE)
    assert (here.returncode, stdout, stderr) == (130, "", "interrupted\n")
    assert trainings_in(project) == 0
    assert epochs(project) == [1, 1, 0]


def test_killed_on_a_cluster_trainings_end_in_the_same_bytes(project, start, scheduler, workers, tmp_path, run_here):
    models = MODELS[:2]
    hold(project, 2)
    there = start("-c", TRAIN, address_of(scheduler), len(models))
    wait_until(lambda: min(epochs(project)[:2]) >= 1, there, *workers)
    assert trainings_in(project) == 2
    workers[0].kill()
    wait_until(lambda: trainings_in(project) == 1, there)
    hold(project, EPOCHS + 1)
    stdout, stderr = there.communicate(timeout=PATIENCE)
    assert (there.returncode, stderr) == (0, "")
    for model in models:
        assert f"{model.name}: epoch {EPOCHS} of {EPOCHS}, validation " in stdout
        undisturbed = tmp_path / model.name
        options = ("--k", 0, "--network", model.network, "--data", project / "data/tiny", "--seed", model.seed)
        options += ("--epochs", EPOCHS, "--checkpoint", undisturbed)
        assert run_here(Quant_LeNet_MNIST.main, *options).returncode == 0
        found = checkpoint(project, model)
        assert read_npz(found / NPZ_NAME).identity.threads == usable_cores()
        for name in {*STATE_FILES} - {HISTORY_NAME}:
            assert (found / name).read_bytes() == (undisturbed / name).read_bytes()
        assert history_without_seconds(found) == history_without_seconds(undisturbed)


def test_cluster_without_workers_or_without_scheduler_is_reported_and_interrupted_at_once(project, start, scheduler):
    waiting = "waiting for a worker: none is connected to the scheduler\n"
    address = address_of(scheduler)
    for end, status, last in (
        (lambda process: process.send_signal(signal.SIGINT), 130, "interrupted\n"),
        (lambda process: scheduler[0].kill(), 2, "the scheduler was lost; the same command resumes the training\n"),
    ):
        process = start("-c", TRAIN, address, 2)
        assert process.stderr.readline() == waiting
        end(process)
        _, stderr = process.communicate(timeout=trainings.ENDING / 2)
        assert process.returncode == status
        assert stderr.endswith(last)
        assert stderr.count("\n") == 1


def test_trainings_that_fail_are_named_each(project, start):
    for model in MODELS:
        folder = checkpoint(project, model)
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
        (folder / NPZ_NAME).write_text("text")
    process = start("-c", TRAIN, 1, 3)
    _, stderr = process.communicate(timeout=PATIENCE)
    assert process.returncode == 2
    failures = (f"{model.name}: exit status 2, LeNet/checkpoints/{model.name}: nothing to resume" for model in MODELS)
    assert re.fullmatch("error: " + ".*; ".join(failures) + ".*\n", stderr)


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        (("--jobs", 2), "argument --jobs: not allowed without --train"),
        (("--dask", "tcp://127.0.0.1:1"), "argument --dask: not allowed without --train"),
        (("--threads", 1), "argument --threads: not allowed without --train"),
        (("--recipe", "flipped"), "argument --recipe: found flipped, which is for --data fashion-mnist"),
        (("--train", "--jobs", 0), "argument --jobs: found '0', expected an integer of at least 1"),
        (
            ("--train", "--jobs", 2, "--dask", "tcp://127.0.0.1:1"),
            "argument --dask: not allowed with",
        ),
        (("--train", "--dask", "127.0.0.1:1"), ", expected the address of a scheduler"),
        (("--train", "--dask", "nonsense"), ", expected the address of a scheduler"),
    ],
)
def test_options_of_trainings_that_make_no_sense(options, expected, run_here, monkeypatch):
    monkeypatch.setattr("experiment.trainings.DASK_TIMEOUT", 1)
    assert_refused(run_here(run.main, *options), expected)


def test_trained_networks_are_evaluated_and_those_of_seed_0_published(default_places, run_here, monkeypatch):
    def train_all(models, *how):
        asked.append(how)
        for model in models:
            model.checkpoint.mkdir(parents=True)
            for name in (NPZ_NAME, HISTORY_NAME):
                (model.checkpoint / name).write_text(f"{name} of {model.name}")

    asked, commands = [], []
    monkeypatch.setattr(trainings, "train_all", train_all)
    monkeypatch.setattr(run, "python", lambda *arguments: commands.append(arguments))
    assert run_here(run.main, "--train", "--seeds", 0, 1, "--jobs", 2, "--threads", 3).returncode == 0
    assert asked == [(3, 2, None)]
    evaluated = [options[-1] for script, *options in commands if script.startswith("LeNet/")]
    models = published.models(MNIST, PAPER.name, [0, 1])
    assert evaluated == [model.checkpoint / NPZ_NAME if model.seed else model.published for model in models]
    for model in models:
        history = default_folder(model) / HISTORY_NAME if model.seed else model.history
        assert history.read_text() == f"{HISTORY_NAME} of {model.name}"
        if model.seed == 0:
            assert model.published.read_text() == f"{NPZ_NAME} of {model.name}"
    assert len([*default_places.glob("LeNet/pretrained/*")]) == 2 * sum(model.seed == 0 for model in models)


@pytest.mark.parametrize(
    ("options", "evaluated", "drawn"),
    [
        ((), ["fp32", "k0", "k1", "k2"], ["k0"]),
        (("--data", "fashion-mnist"), ["fp32", "k0", "k1", "k2"] * 2, ["k0", "k0"]),
        (("--data", "fashion-mnist", "--recipe", "flipped"), ["k1", "k2"], ["k1"]),
    ],
)
def test_published_models_are_evaluated_and_a_spiking_one_of_each_network_is_drawn(
    options, evaluated, drawn, run_here, monkeypatch
):
    commands = []
    monkeypatch.setattr(run, "python", lambda *arguments: commands.append([str(argument) for argument in arguments]))
    assert run_here(run.main, *options).returncode == 0
    weights = [(script, re.match(r"[a-z]+\d+", Path(options[-1]).name)) for script, *options in commands if options]
    assert [name[0] for script, name in weights if script.startswith("LeNet/")] == evaluated
    assert [name[0] for script, name in weights if script == "figs/raster.py"] == drawn
