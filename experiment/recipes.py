"""How the networks are trained, as data, free of TensorFlow: to train otherwise, change or add a recipe here."""

from dataclasses import asdict, dataclass, field

# What all recipes have in common: the settings of Zou et al. (2023) and of their code.
BATCH_SIZE = 200  # images a step; 250 steps an epoch of MNIST's 50,000
ADAM_EPSILON = 1e-8  # TensorFlow 1's; that of Keras is 1e-7
BN_DECAY = 0.9  # of batch normalisation's moving mean and variance: they follow the last 10 steps or so
KERNEL_DEVIATION = 0.02  # of a convolution's initial weights, a truncated normal
CLASSIFIER_DEVIATION = 0.1  # of the classifier's, likewise
GAMMA_DEVIATION = 0.002  # of batch normalisation's initial gammas around 1, a normal


def validation_images(training_images, test_images):
    """How many images of the training set, its last ones, are kept for validation: MNIST's 10,000 of 60,000."""
    return min(training_images // 6, test_images)


@dataclass(frozen=True)
class Recipe:
    """What distinguishes a way of training.

    Random changes are drawn anew for each image in each epoch, uniformly up to a limit in either direction.
    """

    name: str
    epochs: int  # unless special_epochs says otherwise
    learning_rate: float  # Adam's; that of the first step where it decays
    cosine_decay: bool = False  # of the learning rate, to 0 after the last step
    shift: int = 0  # pixels, horizontally and vertically
    rotation: float = 0.0  # degrees
    zoom: float = 0.0  # by which part of itself the frame shows more or less, in width and in height
    flip: bool = False  # left and right, of every second image
    sop_penalty: float = 0.0  # added to the loss for each million synaptic operations of an image
    special_epochs: dict = field(default_factory=dict, hash=False)  # by (data, layers of the network)

    def epochs_of(self, data, network):
        """How many epochs it trains a network, given by the notation of its layers, on images of that name."""
        return self.special_epochs.get((data, network), self.epochs)

    def identity(self, epochs):
        """The numbers that the next epoch of a training of so many epochs depends on, by name."""
        numbers = asdict(self) | {"decay_epochs": epochs if self.cosine_decay else 0}
        unused = {"name", "epochs", "special_epochs", "cosine_decay"}
        return {name: number for name, number in numbers.items() if name not in unused}


# Zou et al. (2023): the learning rate never falls, and the weights of the last epoch are the result
PAPER = Recipe(
    "paper",
    epochs=150,
    learning_rate=1e-4,
    special_epochs={("fashion-mnist", "32C5-P2-64C5-P2-1024"): 100},
)
# ours: more to learn from, so a higher learning rate, which falls to 0 for a calm end; and a penalty on operations
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
# ours for clothes, whose left and right are alike, and for networks that are deeper than the LeNet
FLIPPED = Recipe("flipped", epochs=50, learning_rate=2e-3, cosine_decay=True, shift=2, flip=True)
RECIPES = {recipe.name: recipe for recipe in (PAPER, AUGMENTED, FLIPPED)}
