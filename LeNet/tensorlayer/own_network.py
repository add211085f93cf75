"""A .keras file of one's own beside --weights: read in Keras's safe mode, converted, and compared with itself."""

import zipfile
from dataclasses import replace

import keras
import numpy as np

from experiment import InputError, disk, model, printable, runs, shown, weights
from LeNet.tensorlayer.keras_network import chain, keras_network
from LeNet.tensorlayer.layers import MedianQuantizer

KERAS_FILE = "a .keras file of a Sequential or functional model"  # as error messages call it


def load(args, k):
    """As weights.load, of a .keras file.

    Parameters
    ----------
    args : the options of model.add_options, and `weights`, the path of the file
    k : int
        Level of the Model that options which do not say it are compared with.

    Returns
    -------
    trained : Trained, on the weight grid
    keras_model : keras.Model, as it was read
    """
    given = model.named(args, k)
    keras_model, sha256 = read(args.weights)
    try:
        trained, rounding = keras_network(keras_model, args.k, given.data)
    except (ValueError, OverflowError) as error:
        raise InputError(f"{shown(args.weights)}: {error}") from None
    # of the file's name and content, so that the logs of two files lie apart
    recipe = f"{trained.model.recipe}-{printable(args.weights.stem)[:80]}-{sha256[:8]}"
    trained = replace(trained, model=replace(trained.model, recipe=recipe), path=args.weights, sha256=sha256)
    binding = {name for name in ("network", "recipe", "seed") if getattr(args, name) is not None}
    weights.refuse_contradiction(args.weights, trained.model, given, binding)
    print(f"weights    {shown(args.weights)}")
    print(f"           converted to {trained.network.notation}, k={trained.model.k}")
    if not any(isinstance(layer, MedianQuantizer) for layer in chain(keras_model)):
        print(f"           without quantiser: that of k={trained.model.k} is put in at conversion")
    print(f"           rounded to the weight grid, which changed them by {rounding:.2g} at most")
    return trained, keras_model


def read(path):
    """The Keras model of a file, and the file's SHA-256. No code that the file holds is run: Keras's safe mode.

    Raises
    ------
    InputError
        Missing, or no such file.
    """
    with disk.opened(path, KERAS_FILE) as file:
        sha256 = disk.sha256(file)
    if not zipfile.is_zipfile(path):
        raise InputError(f"{shown(path)}: is no zip archive, expected {KERAS_FILE}")
    try:
        return keras.saving.load_model(path, compile=False, safe_mode=True), sha256
    except MemoryError:
        raise
    except Exception as error:  # a damaged or foreign archive raises whatever its bytes lead to
        first = next((line for line in str(error).splitlines() if line.strip()), type(error).__name__)
        raise InputError(f"{shown(path)}: cannot be read ({printable(first[:300])}), expected {KERAS_FILE}") from None


def predict(model, pixels):
    """The classes that the model itself predicts for integer pixels (images, h, w, channels): int array (images,)."""
    inputs = pixels.reshape(len(pixels), *model.input_shape[1:]).astype(np.float32)
    return model.predict(inputs, batch_size=runs.BATCH_SIZE, verbose=0).reshape(len(pixels), -1).argmax(axis=1)


def report(right, agreeing):
    """Prints how the Keras model itself does, before rounding.

    Parameters
    ----------
    right : bool array (images,), its predictions
    agreeing : int, how many of them the spiking network ends in
    """
    print(f"Keras      {100 * right.mean():.2f} %, the model as it is, in its own precision")
    print(f"agreement  {agreeing:,} of {len(right):,} of its predictions are the spiking network's")
