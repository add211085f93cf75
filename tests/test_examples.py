"""The examples, where they cannot write: one line, before they train."""

import subprocess
import sys

import pytest

from tests.helpers import ROOT, assert_refused


@pytest.mark.parametrize("example", ["own_network", "residual_network"])
def test_folder_that_cannot_be_written_to_is_refused_before_the_training(example):
    process = subprocess.run(
        [sys.executable, ROOT / f"examples/{example}.py"], cwd="/proc", capture_output=True, text=True, timeout=200
    )
    assert_refused(process, "/proc/.staging: ")
    assert process.stdout == ""
