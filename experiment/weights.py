"""Finds the weights that a script's options choose: those of a file, of a training, or the published ones."""

from experiment import InputError, disk, shown
from experiment.identity import check_size
from experiment.model import NPZ_NAME, OPTIONS
from experiment.trained import read_npz
from spiking.network import FULL_PRECISION
from spiking.notation import parse

MAX_NEURONS = 1 << 22  # in a training, where 200 images take 3.3 KB for each neuron, 14 GB in all


def refuse_contradiction(path, found, given, names=OPTIONS):
    """Raises InputError if the Model of a file differs from the given one in any of the named fields."""
    for name in OPTIONS:
        if name in names and getattr(found, name) != getattr(given, name):
            raise InputError(f"{shown(path)}: has {_in_words(found, name)}, expected {_in_words(given, name)}")


def _in_words(model, name):
    """A field of a Model, as messages show it."""
    if name == "k" and model.k == FULL_PRECISION:
        return "full precision"
    return f"{name}={getattr(model, name)}"


def network_for(layers, input_shape, classes):
    """The Network with these layers, given as a notation, for images (h, w, channels) and a number of classes.

    Raises InputError if the layers are not possible for such images, or the network is too large to train.
    """
    height, width, channels = input_shape
    try:
        network = check_size(parse(f"{height}x{width}x{channels}-{layers}-{classes}"))
        if network.neurons > MAX_NEURONS:
            found = f"{layers} has {network.neurons:,} neurons"
            raise ValueError(f"{found}, expected at most {MAX_NEURONS:,} to train")
    except ValueError as error:
        raise InputError(f"argument --network: {error}") from None
    return network


def load(choice, k, converts=False):
    """Loads the trained model of a Choice; prints which file it is from and what is special about it.

    Parameters
    ----------
    choice : Choice
    k : int
        Level of the default file if the choice leaves it open.
    converts : bool
        Whether full-precision weights are accepted together with a level, to which the conversion then quantises.

    Returns
    -------
    Trained; see its method `level`
    """
    given = choice.model(k)
    path = choice.weights or default_weights(given, choice.data)
    trained = read_npz(path)
    found = trained.model
    conversion = converts and found.k == FULL_PRECISION and choice.k is not None
    binding = {name for name in OPTIONS if choice.weights is None or getattr(choice, name) is not None}
    refuse_contradiction(path, found, given, binding - ({"k"} if conversion else set()))
    if found.k == FULL_PRECISION and k != FULL_PRECISION and not conversion:
        expected = "--k, the level to convert it to" if converts else "a quantised network"
        raise InputError(f"{shown(path)}: has full precision, expected {expected}")
    print(f"weights    {shown(path)}")
    if trained.identity.shortfall:
        print(f"           a trial: trained on {trained.identity.shortfall}")
    if trained.rounding > 0:
        print(f"           rounded to the weight grid, which changed them by {trained.rounding:.2g} at most")
    if conversion:
        print(f"           of full precision: the conversion inserts the quantiser of k={choice.k}")
    return trained


def default_weights(model, data=None):
    """The npz file of the model's checkpoint if there is one, else the published one; `data` is the Choice's.

    Raises InputError if there is neither.
    """
    for path in (model.checkpoint / NPZ_NAME, model.published):
        if disk.exists(path):
            return path
    hint = "" if data is None or data.is_dir() else f"; {shown(data)} of --data is not a folder"
    raise InputError(
        f"{shown(model.published)}: not found, expected published weights of {model.name}, or those of a "
        f"training in {shown(model.checkpoint)}{hint}"
    )


def read_published(model):
    """The Trained model that the repository has of a Model; raises InputError if it has none."""
    if not disk.exists(model.published):
        raise InputError(f"{shown(model.published)}: not found, expected published weights of {model.name}")
    trained = read_npz(model.published)
    refuse_contradiction(model.published, trained.model, model)
    return trained
