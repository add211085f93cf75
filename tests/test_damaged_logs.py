"""Damaged logs, and above all a damaged run.json, are refused with one line or still read as logs."""

import json

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from experiment import InputError, logs
from experiment.model import Model
from spiking.network import FULL_PRECISION
from tests.script_helpers import change_run, write_logs

FILES = ("run.json", "accuracy.txt", "spike_num.txt", "spike_collect.txt", "sop_num.txt")
NO_JSON = [b"", b"{", b"\xff\xfe", b"null", b"{}", b"[1]", b'"images"', b"[" * 10**5, b'{"":' * 10**5, b"9" * 5000]
# five images in batches of three, three time steps, one block
RIGHT = [[1, 2, 3], [0, 2, 1]]
STATISTICS = [[[(15, 1, 150), (10, 5, 100), (1, 1, 10)]], [[(9, 1, 74), (3, 1, 30), (3, 0, 22)]]]


@pytest.fixture
def folder(tmp_path):
    write_logs(tmp_path, Model(1), 5, 3, RIGHT, STATISTICS)
    return tmp_path


def assert_run_json_refused(folder):
    expected = "expected JSON with k, images, batch_size, time_steps and model as the scripts in LeNet/ write it"
    with pytest.raises(InputError, match=rf"run\.json: damaged or of an older version, {expected}$"):
        logs.read(folder)


@pytest.mark.parametrize("content", NO_JSON, ids=range(len(NO_JSON)))
def test_run_json_that_is_no_json_object_of_a_run(folder, content):
    (folder / "run.json").write_bytes(content)
    assert_run_json_refused(folder)


@pytest.mark.parametrize("name", ["k", "images", "batch_size", "time_steps", "model"])
@pytest.mark.parametrize("value", [None, "5", 5.0, True, [5], {}, -2, 10**400], ids=lambda value: str(value)[:9])
def test_run_json_with_an_entry_that_no_run_has(folder, name, value):
    change_run(folder, **{name: value})
    assert_run_json_refused(folder)


def test_run_json_that_lacks_an_entry(folder):
    """Files of older versions are like this."""
    whole = json.loads((folder / "run.json").read_text())
    for entry in whole:
        (folder / "run.json").write_text(json.dumps({name: whole[name] for name in whole if name != entry}))
        assert_run_json_refused(folder)
    for entry in whole["model"]:
        model = {name: value for name, value in whole["model"].items() if name != entry}
        (folder / "run.json").write_text(json.dumps(whole | {"model": model}))
        assert_run_json_refused(folder)


@pytest.mark.parametrize(
    ("entry", "values"),
    [
        ({"images": 0}, {}),
        ({"batch_size": 0}, {}),
        ({"time_steps": 0}, {}),
        ({"k": 17}, {"k": 17}),
        ({"k": 0}, {"k": 1}),  # another network than that of run.json
        ({"k": FULL_PRECISION}, {"k": 1}),
        *[({"noise_ratio": ratio}, {}) for ratio in ("0.5", -1, float("nan"), float("inf"), [], 100.5)],
        *[({"ann_accuracy": accuracy}, {}) for accuracy in ("0.9", "", [], {}, -0.1, 1.5, float("nan"))],
        *[({"max_spikes": burst}, {}) for burst in (0, -1, 1.5, "many", [], True, 10**20)],
        *[({"negative_spikes": sign}, {}) for sign in (0, "False", None)],
        *[({"limit": limit}, {}) for limit in (0, -1, 1.5, "5", True, 10**20)],
        *[({"noise_ratio": 0.5, "noise_seed": seed}, {}) for seed in (-1, 0.5, "0", True, 2**32)],
    ],
    ids=str,
)
def test_run_json_with_settings_or_results_that_no_run_has(folder, entry, values):
    change_run(folder, values, **entry)
    assert_run_json_refused(folder)


@pytest.mark.parametrize("highest", [False, True])
def test_run_json_with_settings_and_results_at_their_limits(folder, highest):
    entries = {"noise_ratio": (0, 100), "ann_accuracy": (0, 1), "noise_seed": (0, 2**32 - 1)}
    given = {name: limits[highest] for name, limits in entries.items()}
    change_run(folder, **given)
    run = logs.read(folder).run
    found = vars(run.variation) | vars(run.results)
    assert {name: found[name] for name in given} == given


@pytest.mark.parametrize(
    ("name", "values"),
    [
        ("k", [None, "1", 1.0, True, -2, 17]),
        ("network", [None, 5, [], "", "20C5", "28x28x1-10", "28x28x1-29C29-10", "28x28x1-20C5-P2-0", "0x1x1-1-1"]),
        ("data", [None, 5, "", ".", "..", "a/b", "a\nb", "\ud800", "x" * 101]),
        ("recipe", [None, 5, ["paper"], "", "a/b", "\0"]),
        ("seed", [None, "0", 0.0, False, -1, 2**32]),
        *[(name, [None, "1", 1.5, True, -1, [], 10**20]) for name in ("epochs", "images", "all_images", "threads")],
    ],
)
def test_run_json_with_an_impossible_model(folder, name, values):
    sound = (folder / "run.json").read_bytes()
    for value in values:
        (folder / "run.json").write_bytes(sound)
        change_run(folder, {name: value})
        assert_run_json_refused(folder)


@pytest.mark.parametrize(
    ("sizes", "batches"), [({"images": 7}, 3), ({"images": 3}, 1), ({"batch_size": 2}, 3), ({"time_steps": 4}, 2)]
)
def test_sizes_inconsistent_with_the_logs(folder, sizes, batches):
    change_run(folder, **sizes)
    with pytest.raises(InputError, match=rf"has 6 lines, expected {batches} batches x [34] time steps$"):
        logs.read(folder)


@pytest.mark.parametrize("name", FILES)
def test_too_large_file(folder, name):
    with open(folder / name, "wb") as file:
        file.truncate(2**30 + 1)  # sparse, so it costs no disk
    largest = 2**20 if name == "run.json" else 2**30
    with pytest.raises(InputError, match=rf"{name}: larger than {largest} bytes, expected a log"):
        logs.read(folder)


@pytest.fixture(scope="module")
def sound_files(tmp_path_factory):
    """A folder of logs, and the contents of its undamaged files by name."""
    folder = tmp_path_factory.mktemp("logs")
    write_logs(folder, Model(1), 5, 3, RIGHT, STATISTICS)
    return folder, {name: (folder / name).read_bytes() for name in FILES}


@settings(max_examples=500)
@given(
    name=st.sampled_from(("run.json", *FILES)),  # the first one twice as often: it has the most to damage
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
        log = logs.read(folder)
    except InputError:
        return
    finally:
        (folder / name).write_bytes(content)
    for numbers in (log.right, log.accuracy, log.positive_spikes, log.negative_spikes, log.sops):
        assert numbers.shape == (3,)
        assert np.isfinite(numbers).all()
    assert 1 <= log.time_steps_needed <= 3
    assert log.label.startswith("k=1")
    assert log.label.isprintable()
    assert log.run.identity.shortfall.isprintable()
