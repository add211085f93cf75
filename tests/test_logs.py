"""The log files: what is written is read again, other people's logs are read, damaged ones are refused."""

import json

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_array_equal

from experiment import InputError, logs
from experiment.disk import COMPLETE, OutputFolder
from tests.script_helpers import snapshot, write_logs

FOREIGN_FILES = ("accuracy.txt", "spike_num.txt", "spike_collect.txt", "sop_num.txt")
FILES = ("run.json", *FOREIGN_FILES)
NOT_INTEGERS = ["", " ", "x", "12a", " 12", "1.5", "1.", ".0", "1e3", "--1", "+1", "0x1", "nan", "1_0", "9" * 19]
NOT_SIZES = [b"", b"{", b"\xff\xfe", b"null", b"{}", b"[1]", b'"images"', b"[" * 10**5, b'{"":' * 10**5, b"9" * 5000]

# five images in batches of three, three time steps, two blocks: spikes, negative spikes and SOPs in each step
RIGHT = [[1, 2, 3], [0, 2, 1]]
STATISTICS = [
    [[(10, 1, 100), (4, 2, 40), (0, 0, 0)], [(5, 0, 50), (6, 3, 60), (1, 1, 10)]],
    [[(7, 0, 70), (3, 1, 30), (2, 0, 20)], [(2, 1, 4), (0, 0, 0), (1, 0, 2)]],
]


@pytest.fixture
def folder(tmp_path):
    write_logs(tmp_path / "logs", 1, 5, 3, RIGHT, STATISTICS)
    return tmp_path / "logs"


@pytest.fixture
def foreign_folder(tmp_path):
    """Two batches of 200 images with 20 time steps in the authors' form, without run.json."""
    folder = tmp_path / "theirs"
    folder.mkdir()
    for name in FOREIGN_FILES:
        write_lines(folder / name, [*range(20), *range(100, 120)])
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
    assert json.loads((folder / "run.json").read_text()) == {"k": 1, "images": 5, "batch_size": 3, "time_steps": 3}


def test_reading_gives_what_was_written(folder):
    log = logs.read_logs(folder)
    assert (log.folder, log.images, log.name) == (folder, 5, "k=1 (logs)")
    assert_array_equal(log.right, [1, 4, 4])
    assert_array_equal(log.spike_num, [24, 37, 41])
    assert_array_equal(log.spike_collect, [20, 21, 23])
    assert_array_equal(log.sop_num, [224, 354, 386])


def test_numbers_per_image(folder):
    log = logs.read_logs(folder)
    assert_array_equal(log.accuracy, [20, 80, 80])
    assert_array_equal(log.positive_spikes, [4.4, 5.8, 6.4])
    assert_array_equal(log.negative_spikes, [0.4, 1.6, 1.8])
    assert_array_equal(log.sops, [44.8, 70.8, 77.2])
    assert log.time_steps_needed == 2


def test_written_paths_are_returned(tmp_path):
    assert sorted(write_logs(tmp_path, 0, 5, 3, RIGHT, STATISTICS)) == sorted(tmp_path / name for name in FILES)


def test_failed_write_changes_nothing(folder):
    before = snapshot(folder)
    with pytest.raises(TypeError), OutputFolder(folder) as output:
        logs.write(output, {"k": object()}, np.array(RIGHT), np.array(STATISTICS))
    assert snapshot(folder) == before


def test_reading_finishes_a_move_that_was_interrupted(folder):
    (folder / COMPLETE).mkdir()
    for name in ("accuracy.txt", "run.json"):
        (folder / name).rename(folder / COMPLETE / name)
    assert_array_equal(logs.read_logs(folder).right, [1, 4, 4])


@pytest.mark.parametrize(
    ("right", "expected"),
    [([7], 1), ([7, 7, 7], 1), ([0, 7, 7], 2), ([1, 2, 7], 3), ([7, 6, 7], 3), ([7, 7, 6], 3), ([6, 7, 6, 6], 3)],
)
def test_time_steps_needed_is_the_first_from_which_the_last_value_stays(right, expected):
    assert logs.time_steps_needed(np.array(right)) == expected


def test_accuracy_of_an_artificial_network(tmp_path):
    run = {"k": -1, "images": 5, "batch_size": 3, "time_steps": 1}
    logs.write_accuracy(tmp_path, run, np.array([[3], [1]]))
    assert (tmp_path / "accuracy.txt").read_text() == "3\n1\n"
    assert logs.read_accuracy(tmp_path) == (run, 80)


def test_accuracy_of_an_artificial_network_needs_its_sizes(tmp_path):
    (tmp_path / "accuracy.txt").write_text("3\n1\n")
    with pytest.raises(InputError, match=r"run\.json: not found"):
        logs.read_accuracy(tmp_path)


def test_foreign_logs_are_batches_of_200_images_with_20_time_steps(foreign_folder):
    log = logs.read_logs(foreign_folder)
    assert (log.images, log.name, log.run) == (400, "theirs", {})
    assert_array_equal(log.right, np.arange(100, 140, 2))
    assert log.accuracy[0] == 25  # 100 of 400


def test_foreign_accuracy_may_be_called_snn_accuracy(foreign_folder):
    (foreign_folder / "accuracy.txt").rename(foreign_folder / "SNN_accuracy.txt")
    assert_array_equal(logs.read_logs(foreign_folder).right, np.arange(100, 140, 2))


def test_accuracy_txt_comes_before_snn_accuracy_txt(foreign_folder):
    write_lines(foreign_folder / "SNN_accuracy.txt", [0] * 40)
    assert logs.read_logs(foreign_folder).right[0] == 100


def test_snn_accuracy_txt_does_not_stand_in_beside_a_run_json(folder):
    (folder / "accuracy.txt").rename(folder / "SNN_accuracy.txt")
    with pytest.raises(InputError, match=r"logs/accuracy\.txt: not found"):
        logs.read_logs(folder)


@pytest.mark.parametrize("end", ["\n", "\r\n"])
@pytest.mark.parametrize(
    ("text", "number"),
    [("1428335.0", 1428335), ("142830", 142830), ("142830.0", 142830), ("0.0", 0), ("-20", -20), ("100.0", 100)],
)
def test_numbers_of_foreign_logs(foreign_folder, text, number, end):
    write_lines(foreign_folder / "spike_num.txt", [2_000_000] * 40, end)
    write_lines(foreign_folder / "spike_collect.txt", [text] * 20 + ["0"] * 20, end)
    assert_array_equal(logs.read_logs(foreign_folder).spike_collect, [number] * 20)


def test_the_end_of_the_last_line_may_be_missing(folder):
    (folder / "sop_num.txt").write_text("150\n250\n260\n74\n104\n126")
    assert_array_equal(logs.read_logs(folder).sop_num, [224, 354, 386])


@pytest.mark.parametrize("name", FOREIGN_FILES)
def test_missing_log(folder, name):
    (folder / name).unlink()
    message = rf"{name}: not found, expected a log of LeNet/Spiking_LeNet_MNIST\.py$"
    with pytest.raises(InputError, match=message):
        logs.read_logs(folder)


def test_missing_folder(tmp_path):
    with pytest.raises(InputError, match=r"none/accuracy\.txt: not found, expected a log"):
        logs.read_logs(tmp_path / "none")


@pytest.mark.parametrize("name", FOREIGN_FILES)
@pytest.mark.parametrize("lines", [[], [1], [1] * 5, [1] * 7, [1] * 9])
def test_line_missing_or_too_many(folder, name, lines):
    write_lines(folder / name, lines)
    message = rf"{name}: has {len(lines)} lines, expected 2 batches x 3 time steps"
    with pytest.raises(InputError, match=message):
        logs.read_logs(folder)


@pytest.mark.parametrize("name", FOREIGN_FILES)
@pytest.mark.parametrize("lines", [0, 19, 39, 41])
def test_line_missing_or_too_many_in_foreign_logs(foreign_folder, name, lines):
    write_lines(foreign_folder / name, [1] * lines)
    with pytest.raises(InputError, match=rf"{name}: has {lines} lines, expected a multiple of 20 time steps"):
        logs.read_logs(foreign_folder)


@pytest.mark.parametrize("name", FOREIGN_FILES[1:])
def test_batch_missing_in_one_of_the_foreign_logs(foreign_folder, name):
    write_lines(foreign_folder / name, [1] * 20)
    with pytest.raises(InputError, match=rf"{name}: has 1 batches, expected the 2 of accuracy\.txt"):
        logs.read_logs(foreign_folder)


@pytest.mark.parametrize("name", FOREIGN_FILES)
@pytest.mark.parametrize("text", NOT_INTEGERS)
def test_not_an_integer(folder, name, text):
    write_lines(folder / name, [1, text, 1, 1, 1, 1])
    with pytest.raises(InputError, match=rf"{name}: line 2 is .*, expected an integer"):
        logs.read_logs(folder)


@pytest.mark.parametrize("content", NOT_SIZES, ids=lambda content: repr(content[:12]))
def test_run_json_that_is_not_a_json_object(folder, content):
    (folder / "run.json").write_bytes(content)
    assert_run_json_refused(folder)


@pytest.mark.parametrize("key", ["k", "images", "batch_size", "time_steps"])
@pytest.mark.parametrize("value", ["5", 5.0, None, True, [5], {}])
def test_size_of_another_type(folder, key, value):
    change_run(folder, {key: value})
    assert_run_json_refused(folder)


@pytest.mark.parametrize("key", ["images", "batch_size", "time_steps"])
@pytest.mark.parametrize("value", [0, -1, -(10**30)])
def test_size_below_one(folder, key, value):
    change_run(folder, {key: value})
    assert_run_json_refused(folder)


@pytest.mark.parametrize("key", ["k", "images", "batch_size", "time_steps"])
def test_size_missing(folder, key):
    run = json.loads((folder / "run.json").read_text())
    del run[key]
    (folder / "run.json").write_text(json.dumps(run))
    assert_run_json_refused(folder)


@pytest.mark.parametrize(
    ("sizes", "batches"), [({"images": 7}, 3), ({"images": 3}, 1), ({"batch_size": 2}, 3), ({"time_steps": 4}, 2)]
)
def test_sizes_that_do_not_fit_to_the_logs(folder, sizes, batches):
    change_run(folder, sizes)
    with pytest.raises(InputError, match=rf"has 6 lines, expected {batches} batches x [34] time steps"):
        logs.read_logs(folder)


def change_run(folder, values):
    run = json.loads((folder / "run.json").read_text()) | values
    (folder / "run.json").write_text(json.dumps(run))


def assert_run_json_refused(folder):
    message = r"run\.json: damaged, expected JSON with integers k, images, batch_size, time_steps"
    for read in (logs.read_logs, logs.read_accuracy):
        with pytest.raises(InputError, match=message):
            read(folder)


@pytest.mark.parametrize("name", FILES)
def test_too_large_file(folder, name):
    with open(folder / name, "wb") as file:
        file.truncate(64 * 2**20 + 1)  # sparse, so it costs no disk
    largest = 2**20 if name == "run.json" else 64 * 2**20
    with pytest.raises(InputError, match=rf"{name}: larger than {largest} bytes, expected a log"):
        logs.read_logs(folder)


@pytest.fixture(scope="module")
def sound_files(tmp_path_factory):
    """A folder, and the contents of its sound files by name."""
    folder = tmp_path_factory.mktemp("logs")
    write_logs(folder, 1, 5, 3, RIGHT, STATISTICS)
    return folder, {name: (folder / name).read_bytes() for name in FILES}


@settings(max_examples=400)
@given(
    name=st.sampled_from(FILES),
    damage=st.sampled_from(["flip", "truncate", "insert"]),
    position=st.integers(0, 10_000),
    data=st.binary(min_size=1, max_size=8) | st.text('0123456789-.\r\n{}[],:"', min_size=1).map(str.encode),
)
def test_damaged_logs_are_refused_or_read_as_logs(sound_files, name, damage, position, data):
    folder, contents = sound_files
    content = contents[name]
    position %= len(content) + 1
    rest = {"flip": data + content[position + len(data) :], "truncate": b"", "insert": data + content[position:]}
    (folder / name).write_bytes(content[:position] + rest[damage])
    try:
        log = logs.read_logs(folder)
    except InputError:
        return
    finally:
        (folder / name).write_bytes(content)
    for numbers in (log.right, log.accuracy, log.positive_spikes, log.negative_spikes, log.sops):
        assert numbers.shape == (3,)
        assert np.isfinite(numbers).all()
    assert 1 <= log.time_steps_needed <= 3
    assert log.name.startswith("k=")
