"""Mutation testing of a random sample: python -m tests.mutation GROUP NUMBER puts so many mistakes into the code of a
group, one at a time, and tells which of them its tests do not notice; names of mutants instead of a number try these.

mutmut does the work; its settings are in pyproject.toml, and what differs from group to group stands here: the code
(without what pyproject.toml leaves out), the tests that run in this process within seconds, and what workers inherit.
"""

import random
import re
import shutil
import sys
from dataclasses import replace

import mutmut.configuration
from mutmut.__main__ import _run
from mutmut.mutation.file_mutation import mutate_file_contents
from mutmut.utils.format_utils import get_mutant_name

# code; what of it belongs to another group; tests; what is imported before workers fork: these tests ("collect"), or
# nothing ("none") where they start TensorFlow, whose threads no fork inherits
GROUPS = {
    "spiking": (
        "spiking/*.py",
        ["spiking/conversion/*.py"],
        "doors extreme_models network notation spiking_layers spiking_utils trains weight_grid",
        "collect",
    ),
    "conversion": (
        "spiking/conversion/*.py",
        [],
        "calibration conversion conversion_layers conversion_networks conversion_refusals from_onnx onnx_files "
        "onnx_refusals",
        "none",
    ),
    "experiment": (
        "experiment/*.py",
        [],
        "chosen_model command_line damaged_logs digit disk faults images logs mnist model names noise odd_places "
        "options weights",
        "collect",
    ),
    "figs": (
        "figs/*.py",
        [],
        "animation bursts_and_seeds figure_logs figures live::test_script_writes_the_published_page noise options "
        "raster raster_refusals",
        "collect",
    ),
}
PLOTS = re.compile(  # functions that do nothing but draw; main is one in some scripts
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


def main(group, *chosen):
    code, others, tests, warmup = GROUPS[group]
    shutil.rmtree("mutants", ignore_errors=True)  # what mutmut remembers of tests is of the group before
    common = mutmut.configuration.config()
    config = replace(
        common,
        only_mutate=[code],
        do_not_mutate=common.do_not_mutate + others,
        pytest_add_cli_args_test_selection=[
            "tests/test_{}.py{}{}".format(*name.partition("::")) for name in tests.split()
        ],
        forkserver_warmup=mutmut.configuration.ForkServerWarmup(warmup),
    )
    mutmut.configuration._config = config
    if chosen[0].isdigit():
        names = sorted(mutants(config))
        print(f"{len(names)} mutants")
        chosen = random.Random(0).sample(names, min(int(chosen[0]), len(names)))
    _run(tuple(chosen), max_children=1)


if __name__ == "__main__":
    main(*sys.argv[1:])
