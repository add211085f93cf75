"""The log files: what is written can be read again, the authors' logs can be read, damaged ones are refused."""

import json
from dataclasses import replace

import numpy as np
import pytest
from numpy.testing import assert_array_equal

from experiment import InputError, logs, runs
from experiment.disk import COMPLETE, output_folder
from experiment.model import Model
from spiking.network import FULL_PRECISION
from spiking.notation import parse
from tests.helpers import ROOT
from tests.networks import LENET
from tests.script_helpers import change_run, snapshot, write_logs

TEXT_FILES = ("accuracy.txt", "spike_num.txt", "spike_collect.txt", "sop_num.txt")
FILES = ("run.json", *TEXT_FILES)
NOT_INTEGERS = ["", " ", "x", "12a", " 12", "1.5", "1.", ".0", "1e3", "--1", "+1", "0x1", "nan", "1_0", "9" * 19]
IDENTITY = {
    "k": 1,
    "network": "28x28x1-20C5-P2-50C5-P2-500-10",
    "data": "mnist",
    "recipe": "paper",
    "seed": 0,
    "epochs": 150,
    "images": 50_000,
    "all_images": 50_000,
    "threads": 1,
}

# five images in batches of three, three time steps, two blocks: spikes, negative spikes and SOPs in each step
RIGHT = [[1, 2, 3], [0, 2, 1]]
STATISTICS = [
    [[(10, 1, 100), (4, 2, 40), (0, 0, 0)], [(5, 0, 50), (6, 3, 60), (1, 1, 10)]],
    [[(7, 0, 70), (3, 1, 30), (2, 0, 20)], [(2, 1, 4), (0, 0, 0), (1, 0, 2)]],
]


@pytest.fixture
def folder(tmp_path):
    write_logs(tmp_path / "logs", Model(1), 5, 3, RIGHT, STATISTICS)
    return tmp_path / "logs"


@pytest.fixture
def authors_folder(tmp_path):
    """50 batches of 200 images with 20 time steps in the authors' form, without run.json."""
    folder = tmp_path / "theirs"
    folder.mkdir()
    for name in TEXT_FILES:
        write_lines(folder / name, [batch + step for batch in range(50) for step in range(20)])
    return folder


def write_lines(path, lines, end="\n"):
    path.write_bytes("".join(f"{line}{end}" for line in lines).encode())


def read_lines(path):
    return [int(line) for line in path.read_text().splitlines()]


def test_files_hold_sums_over_blocks_cumulative_over_time_steps(folder):
    assert sorted(path.name for path in folder.iterdir()) == sorted(FILES)
    assert read_lines(folder / "accuracy.txt") == [1, 2, 3, 0, 2, 1]
    assert read_lines(folder / "spike_num.txt") == [15, 25, 26, 9, 12, 15]
    assert read_lines(folder / "spike_collect.txt") == [13, 13, 12, 7, 8, 11]
    assert read_lines(folder / "sop_num.txt") == [150, 250, 260, 74, 104, 126]
    run = {"k": 1, "images": 5, "batch_size": 3, "time_steps": 3, "model": IDENTITY}
    assert json.loads((folder / "run.json").read_text()) == run


def test_reading_gives_what_was_written(folder):
    log = logs.read(folder)
    assert (log.folder, log.images, log.model, log.network) == (folder, 5, Model(1), LENET)
    assert_array_equal(log.right, [1, 4, 4])
    assert_array_equal(log.spike_num, [24, 37, 41])
    assert_array_equal(log.spike_collect, [20, 21, 23])
    assert_array_equal(log.sop_num, [224, 354, 386])


def test_numbers_per_image(folder):
    log = logs.read(folder)
    assert_array_equal(log.accuracy, [20, 80, 80])
    assert_array_equal(log.positive_spikes, [4.4, 5.8, 6.4])
    assert_array_equal(log.negative_spikes, [0.4, 1.6, 1.8])
    assert_array_equal(log.sops, [44.8, 70.8, 77.2])
    assert log.time_steps_needed == 2


def test_failed_write_changes_nothing(folder):
    before = snapshot(folder)
    with pytest.raises(TypeError), output_folder(folder) as output:
        logs.write(output, replace(logs.read(folder).run, k=object()), np.array(RIGHT), np.array(STATISTICS))
    assert snapshot(folder) == before


def test_reading_finishes_a_move_that_was_interrupted(folder):
    (folder / COMPLETE).mkdir()
    for name in ("accuracy.txt", "run.json"):
        (folder / name).rename(folder / COMPLETE / name)
    assert_array_equal(logs.read(folder).right, [1, 4, 4])


@pytest.mark.parametrize(
    ("right", "expected"),
    [([7], 1), ([7, 7, 7], 1), ([0, 7, 7], 2), ([1, 2, 7], 3), ([7, 6, 7], 3), ([7, 7, 6], 3), ([6, 7, 6, 6], 3)],
)
def test_time_steps_needed_is_the_first_from_which_the_last_value_stays(right, expected):
    assert runs.time_steps_needed(np.array(right)) == expected


def test_artificial_network_has_an_accuracy_and_no_spikes(tmp_path):
    write_logs(tmp_path, Model(FULL_PRECISION), 5, 3, [[3], [1]])
    assert {path.name for path in tmp_path.iterdir()} == {"accuracy.txt", "run.json"}
    log = logs.read(tmp_path)
    assert (log.model, log.accuracy, log.spike_num) == (Model(FULL_PRECISION), [80], None)


@pytest.mark.parametrize(
    ("folder", "model", "variation", "label"),
    [
        ("k0", Model(0), {}, "k=0"),
        ("mine", Model(0), {}, "k=0 (mine)"),
        ("a\nb", Model(0), {}, "k=0 (a\\nb)"),
        ("fp32", Model(FULL_PRECISION), {}, "full precision"),
        ("k0-augmented", Model(0, recipe="augmented"), {}, "k=0, augmented"),
        ("k1-8C3-usps-seed3", Model(1, "8C3", "usps", seed=3), {}, "k=1, 8C3, usps, seed3"),
        ("k0-noise0.25", Model(0), {"noise_ratio": 0.25, "noise_seed": 0}, "k=0, noise 0.25"),
        ("k0-noise1-noise_seed3", Model(0), {"noise_ratio": 1.0, "noise_seed": 3}, "k=0, noise 1, noise seed 3"),
        ("k0-noise1", Model(0), {"noise_ratio": 1.0, "noise_seed": 0}, "k=0, noise 1"),
        ("mine", Model(0), {"noise_ratio": 2, "noise_seed": 0}, "k=0, noise 2 (mine)"),
        ("k0-burst-4", Model(0), {"max_spikes": 4}, "k=0, bursts of 4"),
        ("k0-burst-unbounded", Model(0), {"max_spikes": None}, "k=0, unbounded bursts"),
        ("k0-positive", Model(0), {"negative_spikes": False}, "k=0, no negative spikes"),
        ("fp32-k2", Model(FULL_PRECISION), {"k": 2}, "full precision, converted to k=2"),
    ],
)
def test_model_and_settings_name_the_default_folder_and_the_legend(folder, model, variation, label, tmp_path):
    network = parse(f"28x28x1-{model.network}-10")
    write_logs(tmp_path / folder, model, 5, 3, RIGHT, STATISTICS, network, **variation)
    log = logs.read(tmp_path / folder)
    assert log.label == label
    place = ROOT / "figs" / (folder if folder in ("k0", "fp32") else f"logs/{folder}")
    assert (log.run.folder == place) == (not label.endswith(")"))


@pytest.mark.parametrize(
    ("identity", "shortfall"),
    [
        ({}, ""),
        ({"epochs": 151}, ""),
        ({"epochs": 100, "recipe": "augmented"}, ""),
        ({"epochs": 3}, "3 of 150 epochs"),
        ({"epochs": 3, "recipe": "augmented"}, "3 of 100 epochs"),
        ({"images": 400}, "400 of 50,000 images"),
        ({"epochs": 0, "images": 400}, "0 of 150 epochs, 400 of 50,000 images"),
        ({"epochs": 3, "recipe": "a recipe of somebody else"}, ""),
    ],
)
def test_logs_say_what_their_model_lacks_of_training(identity, shortfall, folder):
    change_run(folder, identity)
    assert logs.read(folder).run.identity.shortfall == shortfall


def test_authors_logs_are_50_batches_of_200_images_with_20_time_steps(authors_folder):
    log = logs.read(authors_folder)
    assert (log.images, log.label, log.run, log.model, log.network) == (10_000, "theirs", None, None, LENET)
    assert_array_equal(log.right, 1225 + 50 * np.arange(20))  # the batches' numbers sum up to 1225
    assert log.accuracy[0] == 12.25


def test_authors_accuracy_may_be_called_snn_accuracy(authors_folder):
    (authors_folder / "accuracy.txt").rename(authors_folder / "SNN_accuracy.txt")
    assert logs.read(authors_folder).right[0] == 1225


def test_accuracy_txt_comes_before_snn_accuracy_txt(authors_folder):
    write_lines(authors_folder / "SNN_accuracy.txt", [0] * 1000)
    assert logs.read(authors_folder).right[0] == 1225


def test_snn_accuracy_txt_does_not_stand_in_beside_a_run_json(folder):
    (folder / "accuracy.txt").rename(folder / "SNN_accuracy.txt")
    with pytest.raises(InputError, match=r"logs/accuracy\.txt: not found"):
        logs.read(folder)


@pytest.mark.parametrize("lines", [0, 20, 40, 980, 999, 1001, 1020, 2000, 4000])  # 4000: theirs of FashionMNIST
@pytest.mark.parametrize("names", [TEXT_FILES, *([name] for name in TEXT_FILES)], ids=lambda names: names[-1])
def test_authors_logs_of_other_sizes_are_refused(names, lines, authors_folder):
    for name in names:
        write_lines(authors_folder / name, [1] * lines)
    message = rf"{names[0]}: has {lines} lines, expected 50 batches x 20 time steps without a run\.json$"
    with pytest.raises(InputError, match=message):
        logs.read(authors_folder)


def test_authors_logs_of_other_sizes_are_read_with_a_run_json(authors_folder):
    """Such as FashionMNIST's: 200 batches of 50 images."""
    for name in TEXT_FILES:
        write_lines(authors_folder / name, [25] * 4000)
    run = {"k": 1, "images": 10_000, "batch_size": 50, "time_steps": 20, "model": IDENTITY | {"data": "fashion"}}
    (authors_folder / "run.json").write_text(json.dumps(run))
    log = logs.read(authors_folder)
    assert_array_equal(log.accuracy, [50] * 20)
    assert log.label == "k=1, fashion (theirs)"


@pytest.mark.parametrize("end", ["\n", "\r\n"])
@pytest.mark.parametrize(
    ("text", "number"),
    [("1428335.0", 1428335), ("142830", 142830), ("142830.0", 142830), ("0.0", 0), ("-20", -20), ("100.0", 100)],
)
def test_numbers_of_authors_logs(authors_folder, text, number, end):
    write_lines(authors_folder / "spike_num.txt", [2_000_000] * 1000, end)
    write_lines(authors_folder / "spike_collect.txt", [text] * 20 + ["0"] * 980, end)
    assert_array_equal(logs.read(authors_folder).spike_collect, [number] * 20)


def test_the_end_of_the_last_line_may_be_missing(folder):
    (folder / "sop_num.txt").write_text("150\n250\n260\n74\n104\n126")
    assert_array_equal(logs.read(folder).sop_num, [224, 354, 386])


@pytest.mark.parametrize("name", TEXT_FILES)
def test_missing_log(folder, name):
    (folder / name).unlink()
    message = rf"{name}: not found, expected a log of LeNet/Spiking_LeNet_MNIST\.py$"
    with pytest.raises(InputError, match=message):
        logs.read(folder)


def test_missing_folder(tmp_path):
    with pytest.raises(InputError, match=r"none/accuracy\.txt: not found, expected a log"):
        logs.read(tmp_path / "none")


@pytest.mark.parametrize("name", TEXT_FILES)
@pytest.mark.parametrize("lines", [0, 1, 5, 7, 9])
def test_line_missing_or_too_many(folder, name, lines):
    write_lines(folder / name, [1] * lines)
    with pytest.raises(InputError, match=rf"{name}: has {lines} lines, expected 2 batches x 3 time steps$"):
        logs.read(folder)


@pytest.mark.parametrize("name", TEXT_FILES)
@pytest.mark.parametrize("text", NOT_INTEGERS)
def test_not_an_integer(folder, name, text):
    write_lines(folder / name, [1, text, 1, 1, 1, 1])
    with pytest.raises(InputError, match=rf"{name}: line 2 is .*, expected an integer"):
        logs.read(folder)


@pytest.mark.parametrize(
    ("name", "lines", "expected"),
    [
        ("accuracy.txt", [1, 4, 3, 0, 2, 1], "line 2 is 4, expected 0 to 3"),
        ("accuracy.txt", [1, 2, 3, 0, 2, 3], "line 6 is 3, expected 0 to 2"),  # the last batch has two images
        ("accuracy.txt", [-1, 2, 3, 0, 2, 1], "line 1 is -1, expected 0 to 3"),
        ("spike_num.txt", [-15, 25, 26, 9, 12, 15], "line 1 is -15, expected 0 to 50{17}"),
        ("spike_collect.txt", [13, 13, 27, 7, 8, 11], "line 3 is 27, expected -26 to 26"),
        ("sop_num.txt", [150, 10**18 - 1, 260, 74, 104, 126], "line 2 is 9{18}, expected 0 to 50{17}"),
    ],
)
def test_impossible_number_is_named(folder, name, lines, expected):
    write_lines(folder / name, lines)
    with pytest.raises(InputError, match=rf"{name}: {expected}$"):
        logs.read(folder)
