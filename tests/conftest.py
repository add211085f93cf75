"""Settings of all tests, and what several of them share: trainings, and scripts run inside this process."""

import io
import os
import shutil
import signal
import subprocess
import sys
from contextlib import redirect_stderr, redirect_stdout

# before NumPy is imported: pytest has a process for each core, where further threads of BLAS wait for each other
os.environ["OPENBLAS_NUM_THREADS"] = "1"

import pytest
from hypothesis import Phase, settings

import experiment
from experiment import command_line, model, runs
from experiment.images import load_split
from LeNet import Quant_LeNet_MNIST
from tests.browser import Page, chromium, show_as

# ignored where pytest was started in the background, and then by every script that it starts
signal.signal(signal.SIGINT, signal.default_int_handler)

PHASES = (Phase.explicit, Phase.generate)
settings.register_profile("unshrunk", derandomize=True, deadline=None, phases=PHASES)  # for tests/mutation.py
# without explaining a failure, which would take minutes
settings.register_profile("repeatable", settings.get_profile("unshrunk"), phases=(*PHASES, Phase.shrink))
settings.load_profile("repeatable")

LIMIT = 400  # images of the shared trainings: two steps an epoch


@pytest.fixture(autouse=True)
def closed_figures():
    """Closes the figures that a test has left open, each of which takes memory."""
    yield
    if pyplot := sys.modules.get("matplotlib.pyplot"):
        pyplot.close("all")


@pytest.fixture(scope="session")
def run_here():
    """Runs a script's main in this process, where TensorFlow is imported already; returns as run_script does."""

    def run(main, *options):
        handlers = {signum: signal.getsignal(signum) for signum in (signal.SIGINT, signal.SIGTERM, signal.SIGALRM)}
        status, stdout, stderr = 0, io.StringIO(), io.StringIO()
        with pytest.MonkeyPatch.context() as patch, redirect_stdout(stdout), redirect_stderr(stderr):
            patch.setattr(sys, "argv", ["script", *map(str, options)])
            try:
                command_line.run(main)
            except SystemExit as stop:
                status = stop.code
            finally:
                for signum, handler in handlers.items():
                    signal.signal(signum, handler)
        return subprocess.CompletedProcess(options, status, stdout.getvalue(), stderr.getvalue())

    return run


@pytest.fixture
def default_places(tmp_path, monkeypatch):
    """An empty folder, in which all files of models and logs have their default places."""
    for module in (model, runs):
        monkeypatch.setattr(module, "ROOT", tmp_path)
    return tmp_path


@pytest.fixture
def empty_repository(default_places, monkeypatch):
    """The same; messages show paths relative to it."""
    monkeypatch.setattr(experiment, "ROOT", default_places)
    return default_places


@pytest.fixture(scope="module")
def float64():
    """Lets Keras compute in float64."""
    import keras

    keras.config.set_dtype_policy("float64")
    yield
    keras.config.set_dtype_policy("float32")


@pytest.fixture(scope="session")
def training_states(tmp_path_factory, run_here):
    """Folders of an uninterrupted training with k=0, as they are after its first and after its second epoch."""
    from LeNet.tensorlayer.training import Training  # here, as not every test needs TensorFlow

    first, second = (tmp_path_factory.mktemp("states") / name for name in ("one_epoch", "two_epochs"))
    save = Training.save

    def save_and_copy(training, output):
        save(training, output)
        if len(training.history) == 1:
            shutil.copytree(second, first)

    options = ("--k", 0, "--limit", LIMIT, "--checkpoint", second, "--epochs", 2)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Training, "save", save_and_copy)
        assert run_here(Quant_LeNet_MNIST.main, *options).returncode == 0
    return first, second


@pytest.fixture(scope="session")
def one_epoch(training_states):
    """The folder of a training after its first epoch. To be copied, not changed."""
    return training_states[0]


@pytest.fixture(scope="session")
def two_epochs(training_states):
    """The folder of the same uninterrupted training after its second epoch. To be copied, not changed."""
    return training_states[1]


@pytest.fixture(scope="session")
def mnist():
    """Pixels uint8 (images, 28, 28, 1) and labels of the test images."""
    return load_split("test")[:2]


@pytest.fixture(scope="session")
def driver(tmp_path_factory):
    """A browser, in which nothing may go wrong."""
    with chromium(tmp_path_factory.mktemp("profile")) as driver:
        yield driver
        assert [entry for entry in driver.get_log("browser") if entry["level"] == "SEVERE"] == []


@pytest.fixture
def page(driver):
    """figs/live.html before it is opened, on a usual screen."""
    show_as(driver, 1280, 900, scale=1, touch=False, scheme="light")
    return Page(driver)


@pytest.fixture
def shown(page):
    """figs/live.html as it opens, but playing fast."""
    page.open()
    return page
