"""What files say of a trained model: which Model it is, its network, and how much training it has seen."""

import math
from dataclasses import asdict, dataclass, replace

from experiment.command_line import HIGHEST_THREADS
from experiment.model import Model
from experiment.recipes import RECIPES
from spiking.network import Network
from spiking.notation import parse

LARGEST_COUNT = 10**9  # of anything that files count
COUNTS = dict.fromkeys(("epochs", "images", "all_images"), LARGEST_COUNT) | {"threads": HIGHEST_THREADS}
OWN = "multiply_accumulates"  # of the model that a network was converted from: only in files of such
LARGEST_OWN = 1 << 50
LARGEST_WEIGHTS = 1 << 28  # of a network, in numbers: a training keeps four copies


@dataclass(frozen=True)
class Identity:
    """A Model, its network, and its training."""

    model: Model
    network: Network  # whose notation has both ends
    epochs: int  # that it was trained for
    images: int  # that it was trained on
    all_images: int  # that the data have for training
    threads: int  # of TensorFlow, on which the last bits depend; 0 where nobody recorded it

    @property
    def entries(self):
        """Integers and texts by name, as an npz file and run.json hold them, without those that say nothing."""
        names = asdict(self.model) | {"network": self.network.notation}
        counts = {name: getattr(self, name) for name in COUNTS} | {OWN: self.network.own_multiply_accumulates}
        return {name: value for name, value in (names | counts).items() if value not in (None, "")}

    @property
    def shortfall(self):
        """How much less of training it has seen than its recipe says, in words; "" if it has seen it all."""
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
    """The Identity of such entries; raises KeyError, TypeError or ValueError where they make none."""
    numbers = {name: entries[name] for name in ("k", "seed", *COUNTS)}
    numbers |= {OWN: entries[OWN]} if OWN in entries else {}
    for name, highest in (COUNTS | {OWN: LARGEST_OWN}).items():
        if not 0 <= numbers.get(name, 0) <= highest:
            raise ValueError(f"{name} is {numbers[name]}, expected 0 to {highest}")
    if any(type(number) is not int for number in numbers.values()):
        raise TypeError
    network = check_size(replace(parse(entries["network"]), own_multiply_accumulates=entries.get(OWN)))
    names = (entries["data"], entries["recipe"], numbers["seed"], entries.get("origin", ""))
    model = Model(numbers["k"], network.layers, *names)
    return Identity(model, network, *(numbers[name] for name in COUNTS))


def check_size(network):
    """The network; raises ValueError if it has more weights than are held in memory."""
    numbers = sum(math.prod(shape) for shape in network.weight_shapes.values())
    if numbers > LARGEST_WEIGHTS:
        raise ValueError(f"{network.notation} has {numbers:,} weights, expected at most {LARGEST_WEIGHTS:,}")
    return network
