"""Numbers that no evaluation can have logged are refused."""

import json

import pytest

from experiment import InputError, logs


@pytest.mark.parametrize(
    ("name", "numbers", "expected"),
    [
        ("accuracy.txt", [3, 7], "line 2 is 7, expected 0 to 5"),
        ("accuracy.txt", [-1, 3], "line 1 is -1, expected 0 to 5"),
        ("spike_num.txt", [-4, 9], "line 1 is -4, expected 0 to 1000000000000"),
        ("spike_collect.txt", [4, 10], "line 2 is 10, expected -9 to 9"),
        ("sop_num.txt", [8, 10**13], "line 2 is 10000000000000, expected 0 to 1000000000000"),
    ],
)
def test_impossible_number_is_named(tmp_path, name, numbers, expected):
    """One batch of 5 images and 2 time steps, with 9 spikes at the end."""
    (tmp_path / "run.json").write_text('{"k": 0, "images": 5, "batch_size": 5, "time_steps": 2}')
    contents = {"accuracy.txt": [3, 4], "spike_num.txt": [4, 9], "spike_collect.txt": [4, 7], "sop_num.txt": [8, 16]}
    for file, values in (contents | {name: numbers}).items():
        (tmp_path / file).write_text("".join(f"{value}\n" for value in values))
    with pytest.raises(InputError, match=rf"{name}: {expected}$"):
        logs.read_logs(tmp_path)
    if name == "accuracy.txt":
        with pytest.raises(InputError, match=rf"{name}: {expected}$"):
            logs.read_accuracy(tmp_path)


@pytest.mark.parametrize("accuracy", ['"0.9"', "-0.1", "1.5", "NaN", "[1]"])
def test_impossible_accuracy_in_run_json(accuracy, tmp_path):
    sizes = '"k": 0, "images": 1, "batch_size": 1, "time_steps": 1'
    (tmp_path / "run.json").write_text(f'{{{sizes}, "ann_accuracy": {accuracy}}}')
    with pytest.raises(InputError, match=r"run\.json: damaged, .* ann_accuracy from 0 to 1,"):
        logs.read_logs(tmp_path)


@pytest.mark.parametrize("name", ["images", "batch_size", "time_steps"])
def test_size_in_run_json_that_no_run_can_have(name, tmp_path):
    run = {"k": 0, "images": 1, "batch_size": 1, "time_steps": 1} | {name: 10**400}
    (tmp_path / "run.json").write_text(json.dumps(run))
    with pytest.raises(InputError, match=r"run\.json: damaged, .* \(at most 1000000000\)"):
        logs.read_logs(tmp_path)


def test_more_right_predictions_than_images_in_the_last_batch(tmp_path):
    """Batches of 200 and 5 images."""
    (tmp_path / "run.json").write_text('{"k": -1, "images": 205, "batch_size": 200, "time_steps": 1}')
    (tmp_path / "accuracy.txt").write_text("200\n6\n")
    with pytest.raises(InputError, match=r"accuracy\.txt: line 2 is 6, expected 0 to 5$"):
        logs.read_accuracy(tmp_path)
