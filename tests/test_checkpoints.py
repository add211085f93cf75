"""Checkpoint files: TensorFlow alone restores them, and no damaged or mixed set of them is ever loaded."""

import os
import shutil
import subprocess
import sys
from dataclasses import replace

import numpy as np
import pytest
import tensorflow as tf
from hypothesis import given, settings
from hypothesis import strategies as st

from experiment import InputError, disk
from experiment.disk import output_folder
from experiment.images import MNIST
from experiment.model import HISTORY_NAME, NPZ_NAME, Model
from experiment.recipes import PAPER
from LeNet import Quant_LeNet_MNIST
from LeNet.tensorlayer import files, models
from LeNet.tensorlayer.training import STATE_FILES, Training
from LeNet.train_and_test import find_state
from spiking.notation import parse
from tests import reference
from tests.damage import damaged, damages, no_file_above
from tests.networks import LENET, random_weights

PREFIX = "model_MNIST_advanced.ckpt"
NETWORK = parse("4x5x1-2C2x3-3")
BIASED = parse("9x6x2-3C3ps2x1m1.5-P2-4-3b")

# What someone does who has the checkpoint and MNIST but not this project.
TENSORFLOW_ONLY = """
import gzip, sys
import numpy as np
import tensorflow.compat.v1 as tf

folder, mnist, limit = sys.argv[1], sys.argv[2], int(sys.argv[3])
tf.disable_eager_execution()
read = lambda name, offset: np.frombuffer(gzip.open(f"{mnist}/t10k-{name}-ubyte.gz").read(), np.uint8, offset=offset)
images = read("images-idx3", 16).reshape(-1, 28, 28, 1)[:limit] / np.float32(256)
path = tf.train.latest_checkpoint(folder)
with tf.Session() as session:
    tf.train.import_meta_graph(path + ".meta").restore(session, path)
    logits = session.run("logits:0", {"x:0": images})
print((logits.argmax(axis=1) == read("labels-idx1", 8)[:limit]).sum())
"""


@pytest.fixture
def folder(two_epochs, tmp_path):
    """A copy of a training state, to be damaged."""
    return shutil.copytree(two_epochs, tmp_path / "checkpoint")


def test_folder_holds_the_files_of_a_tensorflow_checkpoint(two_epochs):
    names = ["checkpoint", f"{PREFIX}.data-00000-of-00001", f"{PREFIX}.index", f"{PREFIX}.meta"]
    others = ["model_MNIST.npz", "training.csv", "SHA256SUMS"]
    assert sorted(path.name for path in two_epochs.iterdir()) == sorted(names + others)
    assert tf.train.latest_checkpoint(str(two_epochs)) == str(two_epochs / PREFIX)


def test_tensorflow_alone_gets_as_many_test_images_right(two_epochs, tmp_path, run_here):
    command = [sys.executable, "-c", TENSORFLOW_ONLY, two_epochs, MNIST, "1000"]
    right = subprocess.check_output(command, cwd=tmp_path, text=True, stderr=subprocess.DEVNULL).strip()
    options = ("--k", 0, "--mode", "inference", "--checkpoint", two_epochs, "--limit", 1000)
    assert f"test images right {right} of 1000\n" in run_here(Quant_LeNet_MNIST.main, *options).stdout


@pytest.mark.parametrize("network", [NETWORK, BIASED])
def test_graph_computes_the_equations(network, tmp_path):
    weights = random_weights(network, seed=0)
    pixels = np.random.default_rng(0).integers(0, 256, (20, *network.input_shape))
    files.save_ckpt(weights, network, 2, tmp_path)
    path = str(tmp_path / PREFIX)
    with tf.Graph().as_default(), tf.compat.v1.Session() as session:
        tf.compat.v1.train.import_meta_graph(f"{path}.meta").restore(session, path)
        logits = session.run("logits:0", {"x:0": pixels / 256})
    _, expected = reference.artificial(weights, network, 2, pixels)
    assert len(np.unique(expected, axis=0)) > 10
    np.testing.assert_allclose(2**2 * logits, expected, rtol=1e-5, atol=1e-5)


def test_graph_is_the_same_whatever_the_process_has_built_before(two_epochs, tmp_path):
    for k in (0, 1):
        models.build(LENET, k)
    files.save_ckpt(random_weights(LENET, seed=0), LENET, 0, tmp_path)
    assert (tmp_path / f"{PREFIX}.meta").read_bytes() == (two_epochs / f"{PREFIX}.meta").read_bytes()


NAMES = ["run [1]", "a*b?", "{a,b}", "[", "\\*", " ", "a\nb", "\u00b5", os.fsdecode(b"\xff"), "x" * 255]


@pytest.mark.parametrize("name", NAMES)
def test_tensors_return_as_they_were_from_a_folder_of_any_name(name, tmp_path):
    folder = tmp_path / name
    folder.mkdir()
    tensors = random_weights(NETWORK, seed=1) | {"epoch": np.int64(3)}
    files.save_ckpt(tensors, NETWORK, 0, folder)
    found = files.load_ckpt({name: (array.shape, array.dtype) for name, array in tensors.items()}, folder)
    assert found.keys() == tensors.keys()
    for name, array in tensors.items():
        assert found[name].dtype == array.dtype
        np.testing.assert_array_equal(found[name], array)


@pytest.mark.parametrize(
    ("name", "shape", "dtype", "message"),
    [
        ("fc/b", (3,), np.float32, r"fc/b is nothing, expected \(\(3,\)"),
        ("fc/W", (3, 18), np.float32, r"fc/W is \(\(18, 3\), .*, expected \(\(3, 18\)"),
        ("fc/W", (18, 3), np.float64, r"fc/W is \(\(18, 3\), .*float32.*, expected \(\(18, 3\), .*float64"),
    ],
)
def test_tensor_other_than_expected_is_refused(tmp_path, name, shape, dtype, message):
    files.save_ckpt(random_weights(NETWORK, seed=1), NETWORK, 0, tmp_path)
    with pytest.raises(InputError, match=f"{PREFIX}: {message}"):
        files.load_ckpt({name: (shape, np.dtype(dtype))}, tmp_path)


def test_checkpoint_that_cannot_be_written_is_an_os_error(tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(OSError, match=PREFIX):
        files.save_ckpt(random_weights(NETWORK, seed=1), NETWORK, 0, tmp_path / "file")


def test_full_disk_leaves_the_older_files(folder):
    older = {path.name: path.read_bytes() for path in folder.iterdir()}
    training = Training(Model(0, seed=1), PAPER, LENET, 1, 400, 50_000, threads=1)
    with output_folder(folder) as output, no_file_above(1 << 20), pytest.raises(OSError, match=PREFIX):
        training.save(output)
    assert {path.name: path.read_bytes() for path in folder.iterdir()} == older


# the set of files


def resume(folder, k=0, seed=0, network=LENET, recipe=PAPER, epochs=2, images=400):
    model = Model(k, network.layer_notation, seed=seed)
    training = Training(model, recipe, network, epochs, images, 50_000, threads=1)
    training.resume(folder, find_state(folder, True, training.model))
    return training


def test_nothing_to_resume(tmp_path):
    with pytest.raises(InputError, match=r": nothing to resume, expected a checkpoint; start with --resume False$"):
        resume(tmp_path)


SMALLER = parse("28x28x1-20C5-P2-10")


@pytest.mark.parametrize(
    ("other", "message"),
    [
        ({"k": 2}, rf"is a training of k0 \({LENET.notation}\), expected k2 \({LENET.notation}\)"),
        ({"seed": 1}, rf"is a training of k0 \({LENET.notation}\), expected k0-seed1 \({LENET.notation}\)"),
        (
            {"network": SMALLER},
            rf"is a training of k0 \({LENET.notation}\), expected k0-20C5-P2 \({SMALLER.notation}\)",
        ),
        ({"network": parse(LENET.notation[:-2] + "11")}, r"expected k0 \(.*-500-11\)"),
        ({"images": 300}, "was trained with images=400, expected 300"),
        (
            {"recipe": replace(PAPER, learning_rate=0.5)},
            "was trained with learning_rate=0.0001, expected 0.5 by --recipe and --epochs",
        ),
        ({"recipe": replace(PAPER, cosine_decay=True)}, "decay_epochs=0, expected 2 by --recipe and --epochs"),
        ({"recipe": replace(PAPER, shift=1)}, "shift=0, expected 1 by --recipe and --epochs"),
        ({"recipe": replace(PAPER, rotation=1.5)}, "rotation=0.0, expected 1.5 by --recipe and --epochs"),
        ({"recipe": replace(PAPER, zoom=0.1)}, "zoom=0.0, expected 0.1 by --recipe and --epochs"),
        ({"recipe": replace(PAPER, flip=True)}, "flip is nothing, expected .*"),
        ({"recipe": replace(PAPER, cutout=8)}, "cutout is nothing, expected .*"),
        ({"recipe": replace(PAPER, weight_decay=0.1)}, "weight_decay is nothing, expected .*"),
        ({"recipe": replace(PAPER, sop_penalty=0.1)}, "sop_penalty=0.0, expected 0.1 by --recipe and --epochs"),
    ],
)
def test_another_training_is_not_resumed(two_epochs, other, message):
    with pytest.raises(InputError, match=f"/{two_epochs.name}[:/].*{message}$"):
        resume(two_epochs, **other)


@pytest.mark.parametrize("name", STATE_FILES)
def test_missing_file_is_named(folder, name):
    (folder / name).unlink()
    with pytest.raises(InputError, match=f"{name}: missing, expected the one listed in SHA256SUMS$"):
        resume(folder)


@pytest.mark.parametrize("name", [f"{PREFIX}.data-00000-of-00001", f"{PREFIX}.index", NPZ_NAME, HISTORY_NAME])
def test_file_of_another_epoch_is_named(folder, one_epoch, name):
    shutil.copyfile(one_epoch / name, folder / name)
    message = f"{name}: damaged or of another epoch, expected the file listed in SHA256SUMS$"
    with pytest.raises(InputError, match=message):
        resume(folder)


def linked_copy(folder, copy):
    """Links to the files of a folder, to be replaced one by one."""
    for path in folder.iterdir():
        (copy / path.name).symlink_to(path)
    return copy


@settings(max_examples=60)
@given(name=st.sampled_from([*STATE_FILES, "SHA256SUMS"]), damage=damages)
def test_any_damage_is_found(two_epochs, tmp_path_factory, name, damage):
    folder = linked_copy(two_epochs, tmp_path_factory.mktemp("damaged"))
    content = damaged((two_epochs / name).read_bytes(), damage)
    (folder / name).unlink()
    (folder / name).write_bytes(content)
    try:
        disk.check_sums(folder, STATE_FILES)
    except InputError as error:
        assert "\n" not in str(error)  # noqa: PT017 - both outcomes are right
    else:  # only more lines in the sums, or flips that undo each other, are no damage
        assert content == (two_epochs / name).read_bytes() or name == "SHA256SUMS"
