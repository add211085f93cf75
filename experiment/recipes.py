"""How the networks are trained, as data, free of TensorFlow."""

from dataclasses import asdict, dataclass


@dataclass(frozen=True)
class Recipe:
    """What distinguishes a way of training; the rest (batch size, Adam's other settings, loss) all have in common.

    Random changes are drawn anew for each image in each epoch, uniformly up to a limit in either direction. Some
    kinds are used only by the candidates of benchmarks/recipes.py.
    """

    name: str
    epochs: int  # by default
    learning_rate: float  # Adam's; that of the first step where it decays
    cosine_decay: bool = False  # of the learning rate, to 0 after the last step
    shift: int = 0  # pixels, horizontally and vertically
    whole_pixels: bool = False  # shifts by whole pixels only, which leaves their values as they are
    rotation: float = 0.0  # degrees
    zoom: float = 0.0  # fraction, in width and height

    def identity(self, epochs):
        """The numbers that the next epoch of a training of so many epochs depends on, by name."""
        numbers = asdict(self) | {"decay_epochs": epochs if self.cosine_decay else 0}
        return {name: number for name, number in numbers.items() if name not in ("name", "epochs", "cosine_decay")}


PAPER = Recipe("paper", epochs=150, learning_rate=1e-4)  # of Zou et al. (2023)
AUGMENTED = Recipe("augmented", epochs=60, learning_rate=2e-3, cosine_decay=True, shift=2)
RECIPES = {recipe.name: recipe for recipe in (PAPER, AUGMENTED)}
