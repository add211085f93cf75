"""What files record about a trained model: which Model it is, its Network, and how long it was trained."""

import math
from dataclasses import asdict, dataclass, replace

from experiment.command_line import HIGHEST_THREADS
from experiment.model import Model
from experiment.recipes import RECIPES
from spiking.network import Network
from spiking.notation import parse

LARGEST_COUNT = 10**9  # that a file may give of anything
COUNTS = dict.fromkeys(("epochs", "images", "all_images"), LARGEST_COUNT) | {"threads": HIGHEST_THREADS}
OPERATIONS = "multiply_accumulates"  # of a network before its conversion; only in files of converted networks
LARGEST_OPERATIONS = 1 << 50
LARGEST_WEIGHTS = 1 << 28  # numbers in a network's weights, of which a training keeps four copies


@dataclass(frozen=True)
class Identity:
    """A Model, its Network, and how long it was trained."""

    model: Model
    network: Network  # with input shape and classes
    epochs: int  # that it was trained for
    images: int  # that it was trained on
    all_images: int  # that the data have for training
    threads: int  # of TensorFlow, on which the last bits depend; 0 if nobody recorded them

    @property
    def entries(self):
        """Integers and texts by name, as npz files and run.json hold them; what is empty is left out."""
        names = asdict(self.model) | {"network": self.network.notation}
        counts = {name: getattr(self, name) for name in COUNTS} | {OPERATIONS: self.network.own_multiply_accumulates}
        return {name: value for name, value in (names | counts).items() if value not in (None, "")}

    @property
    def shortfall(self):
        """How much of its recipe's training it has had, in words; "" if it has had all of it."""
        recipe = RECIPES.get(self.model.recipe)
        parts = []
        if recipe is not None:
            epochs = recipe.epochs_of(self.model.data, self.model.network)
            if self.epochs < epochs:
                parts.append(f"{self.epochs} of {epochs} epochs")
        if self.images < self.all_images:
            parts.append(f"{self.images:,} of {self.all_images:,} images")
        return ", ".join(parts)


def identified(entries):
    """The Identity that such entries describe; raises KeyError, TypeError or ValueError if they describe none."""
    numbers = {name: entries[name] for name in ("k", "seed", *COUNTS)}
    numbers |= {OPERATIONS: entries[OPERATIONS]} if OPERATIONS in entries else {}
    for name, highest in (COUNTS | {OPERATIONS: LARGEST_OPERATIONS}).items():
        if not 0 <= numbers.get(name, 0) <= highest:
            raise ValueError(f"{name} is {numbers[name]}, expected 0 to {highest}")
    if any(type(number) is not int for number in numbers.values()):
        raise TypeError
    network = check_size(replace(parse(entries["network"]), own_multiply_accumulates=entries.get(OPERATIONS)))
    names = (entries["data"], entries["recipe"], numbers["seed"], entries.get("origin", ""))
    model = Model(numbers["k"], network.layers, *names)
    return Identity(model, network, *(numbers[name] for name in COUNTS))


def check_size(network):
    """Returns the network; raises ValueError if it has more weights than memory should hold."""
    numbers = sum(math.prod(shape) for shape in network.weight_shapes.values())
    if numbers > LARGEST_WEIGHTS:
        raise ValueError(f"{network.notation} has {numbers:,} weights, expected at most {LARGEST_WEIGHTS:,}")
    return network
