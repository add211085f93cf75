"""What the options of all scripts refuse, and what their help says."""

import re
import sys
from argparse import ArgumentTypeError
from contextlib import suppress
from importlib import import_module

import pytest

from experiment.command_line import ArgumentParser, boolean
from tests.helpers import ROOT, assert_refused

SCRIPTS = [
    "LeNet/Quant_LeNet_MNIST.py",
    "LeNet/FP32_LeNet_MNIST.py",
    "LeNet/Spiking_LeNet_MNIST.py",
    "run.py",
    *sorted(
        str(path.relative_to(ROOT))
        for folder in ("figs", "benchmarks")
        for path in (ROOT / folder).glob("*.py")
        if "\ndef main():" in path.read_text()
    ),
]


def parser_of(script):
    """The ArgumentParser of a script."""
    parsers = []
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(ArgumentParser, "parse_args", lambda parser: parsers.append(parser) or sys.exit())
        with pytest.raises(SystemExit):
            import_module(script.removesuffix(".py").replace("/", ".")).main()
    return parsers[0]


@pytest.mark.parametrize("script", SCRIPTS)
def test_no_option_takes_an_empty_text_or_any_number(script):
    for action in parser_of(script)._actions:
        assert action.type or action.choices or action.nargs == 0, action.dest
        if action.type is not None:
            with pytest.raises(ArgumentTypeError, match=r"^found ''(, expected |: layer 1)"):
                action.type("")
            with suppress(ArgumentTypeError):
                assert not isinstance(action.type("9" * 20), int), action.dest


@pytest.mark.parametrize("script", SCRIPTS)
def test_no_option_is_taken_twice(script, run_here):
    parser = parser_of(script)
    for action in parser._actions:
        if action.option_strings and action.nargs is None and action.choices is None:
            option = [action.option_strings[0], "False" if action.type is boolean else "9"]
            process = run_here(lambda option=option: parser.parse_args([*option, *option]))
            assert_refused(process, f"argument {option[0]}: found twice, expected once")


@pytest.mark.parametrize("script", [script for script in SCRIPTS if script.startswith("figs/")])
def test_every_option_of_a_figure_says_its_default(script):
    for action in parser_of(script)._actions:
        assert action.dest == "help" or re.search(r"^\w+ .*\w \(default: \w[^()]*\)$", action.help), action.dest
