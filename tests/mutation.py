"""Mutation testing of a random sample: puts mistakes into the code of a group, one at a time, and tells which its
tests do not notice.

python -m tests.mutation spiking 120            so many mistakes, drawn at random but always the same
python -m tests.mutation spiking NAME NAME      these

mutmut does the work; its settings are in pyproject.toml, and what differs from group to group stands here.
"""

import argparse
import random
import re
import shutil
from dataclasses import dataclass, replace

import mutmut.configuration
from mutmut.__main__ import _run
from mutmut.mutation.file_mutation import mutate_file_contents
from mutmut.utils.format_utils import get_mutant_name


@dataclass(frozen=True)
class Group:
    """Code, as patterns of files without what pyproject.toml leaves out, and its tests that take seconds."""

    code: str
    tests: str  # names of files without test_, perhaps with the only test to take
    without: tuple[str, ...] = ()  # code of another group
    # what is imported before workers fork: the tests ("collect"), or nothing ("none") where they start TensorFlow,
    # whose threads no fork inherits
    warmup: str = "collect"


GROUPS = {
    "spiking": Group(
        "spiking/*.py",
        "doors extreme_models network notation spiking_layers spiking_utils trains weight_grid",
        without=("spiking/conversion/*.py",),
    ),
    "conversion": Group(
        "spiking/conversion/*.py",
        "calibration conversion conversion_layers conversion_networks conversion_refusals from_onnx onnx_files "
        "onnx_refusals",
        warmup="none",
    ),
    "experiment": Group(
        "experiment/*.py",
        "chosen_model command_line damaged_logs digit disk faults images logs mnist model names noise odd_places "
        "options weights",
    ),
    "figs": Group(
        "figs/*.py",
        "animation bursts_and_seeds figure_logs figures live::test_script_writes_the_published_page noise options "
        "raster raster_refusals",
    ),
}
PLOTS = re.compile(  # functions that draw, with the few numbers that some of them compute on the way
    r"figs\.(\w+\.x_(accuracy_axes|add_picture|cut_axis|default_matplotlib|draw|emphasis|frame|grid_of_axes|label_|mark_|"
    r"name_row|new_figure|pyplot|save|spike_colours|styles|write)|(accuracy_speed|animation|sops|sparsity)\.x_main)"
)


def mutants(config):
    """The names of all mutants of the configured code, without those of functions that draw."""
    for path in sorted(path for folder in config.source_paths for path in folder.rglob("*.py")):
        if config.should_mutate(path):
            for name in mutate_file_contents(str(path), path.read_text()).mutant_names:
                if not PLOTS.match(full := get_mutant_name(path, name)):
                    yield full


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("group", choices=GROUPS)
    parser.add_argument("chosen", nargs="+", metavar="NUMBER or NAME", help="how many mistakes, or which")
    args = parser.parse_args()
    group, chosen = GROUPS[args.group], args.chosen

    shutil.rmtree("mutants", ignore_errors=True)  # what mutmut remembers of tests is of the group before
    common = mutmut.configuration.config()
    config = replace(
        common,
        only_mutate=[group.code],
        do_not_mutate=[*common.do_not_mutate, *group.without],
        pytest_add_cli_args_test_selection=[
            "tests/test_{}.py{}{}".format(*name.partition("::")) for name in group.tests.split()
        ],
        forkserver_warmup=mutmut.configuration.ForkServerWarmup(group.warmup),
    )
    mutmut.configuration._config = config
    if chosen[0].isdigit():
        names = sorted(mutants(config))
        print(f"{len(names)} mutants")
        chosen = random.Random(0).sample(names, min(int(chosen[0]), len(names)))
    _run(tuple(chosen), max_children=1)


if __name__ == "__main__":
    main()
