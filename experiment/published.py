"""Figures that others published of their own networks, above all Zou et al. (2023), and our own models.

Accuracies are in percent. "Time steps" is the first step in their logs from which the accuracy no longer changes;
their table has 13 for k=1 on MNIST. Accuracy, spikes and synaptic operations (the latter two per image) are those
after 20 time steps.
"""

from dataclasses import dataclass, field

from experiment.model import LENET, MNIST, PUBLISHED_LEVELS, Model
from experiment.recipes import FLIPPED, PAPER
from spiking.network import FULL_PRECISION

FASHION_MNIST = "fashion-mnist"
STEPS = (1, 2, 3, 4, 6, 8, 10, 13, 18, 20)  # after which the accuracies on MNIST were published
CURVES = (  # in percent by time step, for k=0, 1, 2
    dict(zip(STEPS, (85.02, 98.77, 99.20, 99.29, 99.27, 99.29, 99.29, 99.29, 99.29, 99.29), strict=True)),
    dict(zip(STEPS, (21.91, 86.79, 97.92, 99.01, 99.31, 99.40, 99.38, 99.33, 99.32, 99.32), strict=True)),
    dict(zip(STEPS, (10.75, 21.42, 32.39, 59.47, 94.38, 98.70, 99.13, 99.22, 99.28, 99.28), strict=True)),
)
FASHION_STEPS = (1, 2, 3, 4, 6, 8, 10, 15, 20)
FASHION_CURVES = (
    dict(zip(FASHION_STEPS, (62.52, 86.82, 89.51, 90.00, 90.53, 90.21, 90.28, 90.26, 90.26), strict=True)),
    dict(zip(FASHION_STEPS, (20.71, 64.95, 83.19, 88.17, 89.92, 89.96, 90.05, 89.98, 89.99), strict=True)),
    dict(zip(FASHION_STEPS, (8.58, 27.21, 52.44, 66.16, 84.34, 88.78, 90.12, 90.31, 90.25), strict=True)),
)


@dataclass(frozen=True)
class Published:
    """The published figures of a network at one level, whose artificial and spiking accuracy are the same."""

    final: float | None = None  # accuracy in percent, after the last time step
    time_steps: int | None = None  # None for full precision, like the next three
    positive: int | None = None  # spikes per image
    negative: int | None = None
    sops: int | None = None  # per image
    accuracy: dict = field(default_factory=dict)  # in percent, by time step, if their logs show it

    @property
    def results(self):
        """The value of each published quantity, by its name."""
        quantities = {
            "ANN accuracy (%)": self.final,
            "SNN accuracy (%)": self.time_steps and self.final,
            "accuracy after step 1 (%)": self.accuracy.get(1),
            "time steps": self.time_steps,
            "+ spikes": self.positive,
            "- spikes": self.negative,
            "SOPs": self.sops,
        }
        return {name: value for name, value in quantities.items() if value is not None}


NOTHING = Published()


@dataclass(frozen=True)
class DirectlyTrained:
    """A spiking network that others trained directly, with surrogate gradients, instead of converting it."""

    name: str
    time_steps: int
    accuracy: float  # in percent, on the test images


PUBLISHED = {  # each network's figures by level, by the name of the data and the notation of the layers
    (MNIST, LENET): {
        FULL_PRECISION: Published(99.28),
        0: Published(99.29, 7, 7_610, 751, 1_510_511, CURVES[0]),
        1: Published(99.32, 14, 16_336, 2_246, 3_256_197, CURVES[1]),
        2: Published(99.28, 18, 32_009, 4_839, 6_505_219, CURVES[2]),
    },
    (FASHION_MNIST, "32C5-P2-64C5-P2-1024"): {
        FULL_PRECISION: Published(90.01),
        0: Published(90.26, 11, 14_686, 1_708, 3_939_159, FASHION_CURVES[0]),
        1: Published(89.99, 17, 29_237, 4_834, 7_530_471, FASHION_CURVES[1]),
        2: Published(90.25, 18, 55_484, 10_126, 14_773_365, FASHION_CURVES[2]),
    },
    (FASHION_MNIST, "400-400"): {
        FULL_PRECISION: Published(89.83),
        0: Published(88.90, 5, 390, 27, 68_266),
        1: Published(88.79, 11, 798, 98, 127_655),
        2: Published(90.11, 20, 1_602, 251, 243_896),
    },
}
NETWORKS = {network for _, network in PUBLISHED}  # those of the paper, whatever they are trained on
RESIDUAL = "32C3p-M2-32C3p-32C3p+I@2-32C3p-32C3p+I@4-64C3ps2-64C3p+64C1s2@6-64C3p-64C3p+I@8"  # our own

# PLIF: Fang et al., "Incorporating Learnable Membrane Time Constant to Enhance Learning of Spiking Neural Networks",
# ICCV 2021: the best epoch on the test images; 93.85 % if validation images choose the epoch.
# CSNN: the Fashion-MNIST tutorial in SpikingJelly's documentation, also the best epoch; the last one has 92.96 %.
# Multi-threshold: "Direct Training via Backpropagation for Ultra-low Latency Spiking Neural Networks with
# Multi-threshold", arXiv 2112.07426, a mean.
DIRECTLY_TRAINED = {  # by the name of the data
    FASHION_MNIST: (
        DirectlyTrained("PLIF", time_steps=8, accuracy=94.38),
        DirectlyTrained("SpikingJelly's CSNN", time_steps=4, accuracy=93.30),
        DirectlyTrained("multi-threshold LIF", time_steps=2, accuracy=93.08),
    ),
}


def networks(data):
    """The networks with published figures on the data of this name, as notations of their layers."""
    return [network for name, network in PUBLISHED if name == data]


def models(data, recipe, seeds):
    """The Models that this repository trains on the data of this name with a recipe, by network, seed and level."""
    if recipe == FLIPPED.name:
        return [Model(k, RESIDUAL, data, recipe, seed) for seed in seeds for k in (1, 2)]
    levels = (FULL_PRECISION, *PUBLISHED_LEVELS)
    return [Model(k, network, data, recipe, seed) for network in networks(data) for seed in seeds for k in levels]


def of(model):
    """The Published figures of a model, whatever its seed; NOTHING if its network, data or recipe has none."""
    levels = PUBLISHED.get((model.data, model.network), {}) if model.recipe == PAPER.name else {}
    return levels.get(model.k, NOTHING)
