"""Scripts that cannot write print one line, exit with status 2, keep the older files and leave nothing behind."""

import shutil

import pytest

from experiment import digest
from experiment.model import NPZ_NAME, Model
from figs import accuracy_speed, noise, raster, sops, sparsity
from LeNet import FP32_LeNet_MNIST, Quant_LeNet_MNIST, Spiking_LeNet_MNIST, evaluation
from LeNet.tensorlayer.training import Training
from spiking.network import FULL_PRECISION
from tests.damage import no_file_above
from tests.helpers import assert_refused, save_model
from tests.networks import LENET, random_weights
from tests.script_helpers import snapshot, write_logs

PUBLISHED = Model(0).published
LOGS = ("--logs", "{logs}")

# by name: the function, the options, the option of the output folder, a size in bytes that its files exceed,
# and the file that is written first or last
SCRIPTS = {
    "training": (
        Quant_LeNet_MNIST.main,
        ("--k", 0, "--limit", 400, "--epochs", 2, "--resume", True),
        "--checkpoint",
        1 << 20,
        NPZ_NAME,
    ),
    "evaluation": (
        Spiking_LeNet_MNIST.main,
        ("--k", 0, "--weights", PUBLISHED, "--limit", 1),
        "--logs",
        1000,
        "run.json",
    ),
    "inference": (
        FP32_LeNet_MNIST.main,
        ("--mode", "inference", "--limit", 1, "--checkpoint", "{fp32}"),
        "--logs",
        100,
        "accuracy.txt",
    ),
    "accuracy": (
        accuracy_speed.main,
        ("--logs", "{logs}"),
        "--output",
        1000,
        "scnn_accuracy_mnist-logs~{digest}.svg",
    ),
    "sparsity": (sparsity.main, ("--logs", "{logs}"), "--output", 1000, "scnn_spike_neuron_mnist-logs~{digest}.svg"),
    "sops": (sops.main, ("--logs", "{logs}"), "--output", 1000, "scnn_sop_mnist-logs~{digest}.svg"),
    "raster": (raster.main, ("--weights", PUBLISHED), "--output", 1000, "scnn_raster_mnist.svg"),
    "noise": (noise.main, ("--k", 0, "--limit", 2), "--output", 1000, "scnn_noise_mnist-k0-first2.svg"),
}


@pytest.fixture(scope="module")
def inputs(tmp_path_factory):
    """Folders that the scripts read, by name."""
    folder = tmp_path_factory.mktemp("inputs")
    (folder / "fp32").mkdir()
    save_model(folder / "fp32" / NPZ_NAME, random_weights(LENET, seed=0), FULL_PRECISION)
    write_logs(folder / "logs", Model(0), 1, 1, [[0, 1]], [[[(2, 1, 30), (1, 0, 10)]]])
    return {"fp32": folder / "fp32", "logs": folder / "logs", "digest": digest(str(folder / "logs"))}


@pytest.fixture
def run_into(run_here, inputs):
    """Runs a script of SCRIPTS, by name, with an output folder."""

    def run(name, folder):
        main, options, output, _, _ = SCRIPTS[name]
        return run_here(main, *(str(option).format(**inputs) for option in options), output, folder)

    return run


@pytest.fixture
def folder(one_epoch, inputs, tmp_path):
    """A folder with older files of all scripts."""
    folder = shutil.copytree(one_epoch, tmp_path / "output")
    for name in ("accuracy.txt", "run.json", "scnn_sop_mnist-logs~{digest}.svg"):
        (folder / name.format(**inputs)).write_text("of an older run\n")
    return folder


@pytest.mark.parametrize("name", SCRIPTS)
def test_full_disk(name, folder, run_into):
    run_into("evaluation", folder / "compiles the kernels")
    before = snapshot(folder.parent)
    *_, size, _ = SCRIPTS[name]
    with no_file_above(size):
        process = run_into(name, folder)
    assert_refused(process, str(folder), "File too large")
    assert snapshot(folder.parent) == before


@pytest.mark.parametrize("name", SCRIPTS)
def test_read_only_folder(name, run_into):
    assert_refused(run_into(name, "/sys"), "error: /sys")  # where not even root may write


@pytest.mark.parametrize("name", SCRIPTS)
def test_folder_with_the_name_of_a_file(name, folder, inputs, run_into):
    file = SCRIPTS[name][-1].format(**inputs)
    (folder / file).unlink(missing_ok=True)
    (folder / file).mkdir()
    (folder / file / "notes.txt").write_text("the user's own\n")
    before = snapshot(folder.parent)
    expected = "missing, expected" if name == "training" else "is a folder, expected a file or nothing"
    assert_refused(run_into(name, folder), f"{folder / file}: {expected}")
    assert snapshot(folder.parent) == before


def test_checkpoint_folder_that_vanishes(folder, run_into, monkeypatch):
    monkeypatch.setattr(Training, "round_weights", lambda training: shutil.rmtree(folder))
    assert_refused(run_into("training", folder), f"{folder}: has vanished, expected the folder to stay")
    assert list(folder.parent.iterdir()) == []


def test_log_folder_that_vanishes(folder, run_into, monkeypatch):
    evaluate = evaluation.evaluate
    monkeypatch.setattr(evaluation, "evaluate", lambda *arguments: (shutil.rmtree(folder), evaluate(*arguments))[1])
    assert_refused(run_into("evaluation", folder), f"{folder}: has vanished, expected the folder to stay")
    assert list(folder.parent.iterdir()) == []


def test_inference_refuses_its_log_folder_before_the_work(folder, run_into):
    (folder / "file").touch()
    process = run_into("inference", folder / "file")
    assert_refused(process, f"{folder / 'file'}: is a file, expected a folder")
    assert "test images right" not in process.stdout
