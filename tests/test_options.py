"""docs/options.md says what --help says. `python -m tests.test_options > docs/options.md` writes it anew."""

import io
import re
import runpy
from contextlib import redirect_stdout

import pytest

from tests.helpers import ROOT

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
HEAD = """# Options

Each script tells them with `--help`; this page says the same. Options that name a model (`--k`, `--network`,
`--data`, `--recipe`, `--seed`) choose the file that is used where none is named; beside `--weights` they may only
agree with what the file says of itself.
"""


def options_of(script):
    """What --help tells of each option: (the option and its argument, the explanation)."""
    main = runpy.run_path(str(ROOT / script))["main"]
    with pytest.MonkeyPatch.context() as patch, redirect_stdout(io.StringIO()) as stdout:
        patch.setenv("COLUMNS", "500")
        patch.setattr("sys.argv", [script, "--help"])
        with pytest.raises(SystemExit):
            main()
    text = stdout.getvalue()
    found = re.findall(r"^  (--\w+(?: \S[^\n]*?)?)(?:  +|\n +)(\S.*)$", text.partition("\noptions:")[2], re.MULTILINE)
    assert len(found) == len(re.findall(r"^  --", text, re.MULTILINE))
    return found


def page():
    parts = [HEAD]
    for script in SCRIPTS:
        rows = [f"| `{option.replace('|', chr(92) + '|')}` | {text} |" for option, text in options_of(script)]
        parts.append("\n".join([f"## {script}\n", "| option | meaning |", "|---|---|", *rows]) + "\n")
    return "\n".join(parts)


def test_page_of_options_is_what_help_says():
    assert (ROOT / "docs/options.md").read_text() == page() + "\n"


if __name__ == "__main__":
    print(page())
