"""The settings of all trainings, free of TensorFlow; to train differently, change or add a recipe here."""

from dataclasses import asdict, dataclass, field

# Common to all recipes: the settings of Zou et al. (2023) and of their code.
BATCH_SIZE = 200  # images per step; an epoch of MNIST's 50,000 images has 250 steps
ADAM_EPSILON = 1e-8  # TensorFlow 1's default; Keras's is 1e-7
BN_DECAY = 0.9  # of batch normalisation's moving mean and variance, which follow about the last 10 steps
KERNEL_DEVIATION = 0.02  # of a convolution's initial weights, which are truncated normal
CLASSIFIER_DEVIATION = 0.1  # of the classifier's, likewise
GAMMA_DEVIATION = 0.002  # of batch normalisation's initial gammas, which are normal around 1


def validation_images(training_images, test_images):
    """How many training images, the last ones, are kept for validation: 10,000 of MNIST's 60,000."""
    return min(training_images // 6, test_images)


@dataclass(frozen=True)
class Recipe:
    """The settings in which ways of training differ.

    Random changes are drawn anew for each image in each epoch, uniformly up to a limit in either direction.
    """

    name: str
    epochs: int  # unless special_epochs says otherwise
    learning_rate: float  # Adam's; the initial one if it decays
    cosine_decay: bool = False  # of the learning rate, to 0 after the last step
    shift: int = 0  # pixels, horizontally and vertically
    rotation: float = 0.0  # degrees
    zoom: float = 0.0  # fraction by which the frame grows or shrinks, in width and in height
    flip: bool = False  # mirrors each image left to right with probability 1/2
    cutout: int = 0  # pixels, the side of a square that becomes 0, around any pixel (DeVries and Taylor, 2017)
    weight_decay: float = 0.0  # each step shrinks the kernels, and only these, by this times the learning rate
    sop_penalty: float = 0.0  # added to the loss per million synaptic operations of an image
    special_epochs: dict = field(default_factory=dict, hash=False)  # by (data, layers of the network)

    def epochs_of(self, data, network):
        """How many epochs it trains a network, given as a notation of its layers, on the data of this name."""
        return self.special_epochs.get((data, network), self.epochs)

    def settings(self, epochs):
        """The settings, by name, that the next epoch depends on in a training of `epochs` epochs."""
        numbers = asdict(self) | {"decay_epochs": epochs if self.cosine_decay else 0}
        unused = {"name", "epochs", "special_epochs", "cosine_decay"}
        # older checkpoints lack these
        unused |= {name for name in ("flip", "cutout", "weight_decay") if not numbers[name]}
        return {name: number for name, number in numbers.items() if name not in unused}


# Zou et al. (2023): the learning rate stays constant, and the weights of the last epoch are the result
PAPER = Recipe(
    "paper",
    epochs=150,
    learning_rate=1e-4,
    special_epochs={("fashion-mnist", "32C5-P2-64C5-P2-1024"): 100},
)
# ours: augmentation allows a higher learning rate, which decays to 0; synaptic operations are penalised
AUGMENTED = Recipe(
    "augmented",
    epochs=100,
    learning_rate=2e-3,
    cosine_decay=True,
    shift=2,
    rotation=10.0,
    zoom=0.1,
    sop_penalty=0.003,
)
# ours for clothes, which may be mirrored, and for networks deeper than the LeNet
FLIPPED = Recipe(
    "flipped",
    epochs=70,
    learning_rate=2e-3,
    cosine_decay=True,
    shift=2,
    flip=True,
    cutout=8,
    weight_decay=0.1,
)
RECIPES = {recipe.name: recipe for recipe in (PAPER, AUGMENTED, FLIPPED)}
