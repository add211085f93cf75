"""What files record about a trained model: which Model it is, its Network, and how long it was trained."""

import math
from dataclasses import asdict, dataclass, replace

from experiment.command_line import MAX_SEED, MAX_THREADS
from experiment.model import Model
from experiment.recipes import RECIPES
from spiking.network import FULL_PRECISION, MAX_LEVEL, Network
from spiking.notation import parse

REQUIRED = object()  # stands for no default
MAX_RECORDED = 10**9  # that a file may give of anything
COUNTS = dict.fromkeys(("epochs", "images", "all_images"), MAX_RECORDED) | {"threads": MAX_THREADS}
OPERATIONS = "multiply_accumulates"  # of a network before its conversion; only in files of converted networks
MAX_OPERATIONS = 1 << 50
MAX_WEIGHTS = 1 << 28  # numbers in a network's weights, of which a training keeps four copies


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
    """The Identity that such entries describe; raises ValueError, which says what is wrong, if they describe none."""
    operations = integer(entries, OPERATIONS, 0, MAX_OPERATIONS, default=None)
    texts = {name: entries.get(name) for name in ("network", "data", "recipe")}
    texts["origin"] = entries.get("origin", "")  # only what was converted from a user's own file has one
    for name, found in texts.items():
        if type(found) is not str:
            raise ValueError(f"{name} is {found}, expected a text")
    network = check_size(replace(parse(texts["network"]), own_multiply_accumulates=operations))
    k, seed = integer(entries, "k", FULL_PRECISION, MAX_LEVEL), integer(entries, "seed", 0, MAX_SEED)
    counts = [integer(entries, name, 0, highest) for name, highest in COUNTS.items()]
    return Identity(Model(k=k, seed=seed, **texts | {"network": network.layer_notation}), network, *counts)


def integer(entries, name, lowest=1, highest=MAX_RECORDED, default=REQUIRED):
    """An entry, which must be an integer in this range; if it is missing and there is a default, that."""
    if name not in entries and default is not REQUIRED:
        return default
    found = entries.get(name, "missing")
    if type(found) is not int or not lowest <= found <= highest:
        raise ValueError(f"{name} is {found}, expected an integer from {lowest} to {highest}")
    return found


def check_size(network):
    """Returns the network; raises ValueError if it has more weights than memory should hold."""
    numbers = sum(math.prod(shape) for shape in network.weight_shapes.values())
    if numbers > MAX_WEIGHTS:
        raise ValueError(f"{network.notation} has {numbers:,} weights, expected at most {MAX_WEIGHTS:,}")
    return network
