"""The options that several scripts have, each described once."""

import os
from pathlib import Path

from experiment.command_line import integer_from
from spiking.network import HIGHEST_LEVEL
from experiment.model import MNIST
from experiment.recipes import PAPER, RECIPES

LEVEL = integer_from(0, HIGHEST_LEVEL)
POSITIVE = integer_from(1)


def add_level(parser, default, meaning="quantisation level of the network"):
    parser.add_argument("--k", type=LEVEL, default=default, help=meaning)


def add_recipe(parser, what):
    parser.add_argument("--recipe", choices=tuple(RECIPES), default=PAPER.name, help=f"recipe {what}")


def add_weights(parser, when=""):
    meaning = f"{when}npz file (default: the checkpoint's if there is one, else the published)"
    parser.add_argument("--weights", type=Path, help=meaning)


def add_data(parser):
    parser.add_argument(
        "--data", type=Path, default=MNIST, shown_default="data/mnist", help="folder of the MNIST files"
    )


def add_limit(parser, of="test images"):
    parser.add_argument("--limit", type=POSITIVE, shown_default="all", help=f"only the first N {of}, for trials")


def add_seed(parser, fixes):
    parser.add_argument("--seed", type=integer_from(0, 2**32 - 1), default=0, help=f"fixes {fixes}")


def add_threads(parser):
    parser.add_argument("--threads", type=POSITIVE, default=os.cpu_count(), help="batches simulated at a time")
