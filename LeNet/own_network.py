"""A network of one's own beside --weights, a .keras file: checked, converted, and compared with itself."""

import warnings as python_warnings
import zipfile
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from experiment import InputError, disk, images, logs, model, printable, shown, weights
from spiking.conversion.calibration import QUANTILE
from spiking.conversion.nodes import Pooled

SUFFIX = ".keras"
KERAS_FILE = "a .keras file of a Sequential or functional model"  # as error messages call it
RECIPE = "own"  # of the Model: how it was trained is not known here
IN_KERAS = "read it where it was made, and model.save('my.keras') it"
FOREIGN = {  # what to do with files of other kinds
    ".h5": f"is a HDF5 file of Keras: {IN_KERAS}",
    ".hdf5": f"is a HDF5 file of Keras: {IN_KERAS}",
    ".pb": f"is of a SavedModel: {IN_KERAS}",
    ".pt": "is a file of PyTorch: build the same network in Keras, copy its weights, and model.save('my.keras') it",
    ".pth": "is a file of PyTorch: build the same network in Keras, copy its weights, and model.save('my.keras') it",
    ".onnx": "is an ONNX file: build the same network in Keras, copy its weights, and model.save('my.keras') it",
}


@dataclass(frozen=True)
class Own:
    """A model that somebody else trained."""

    path: Path
    sha256: str  # of the file
    graph: object  # spiking.conversion.graph.Graph
    predict: Callable  # from integer pixels (images, h, w, channels) to the classes that the model itself predicts
    layers: tuple = ()  # of each block, once converted: names of what is folded into it


def given(path):
    """Whether a path is that of such a model; raises InputError where it is one of a kind that is not read."""
    if path is None:
        return False
    if (path / "saved_model.pb").is_file():
        raise InputError(f"{shown(path)}: is a SavedModel: {IN_KERAS}")
    if path.suffix in FOREIGN and disk.exists(path):
        raise InputError(f"{shown(path)}: {FOREIGN[path.suffix]}")
    return path.suffix == SUFFIX


def read(path):
    """The Own of a file. No code that the file holds is run: Keras's safe mode.

    Raises
    ------
    InputError
        Missing, or no such file, or blocks cannot compute the model; the text names all layers that are in the way.
    """
    with disk.opened(path, KERAS_FILE) as file:
        sha256 = disk.sha256(file)
    if not zipfile.is_zipfile(path):
        raise InputError(f"{shown(path)}: is no zip archive, expected {KERAS_FILE}")
    import LeNet.tensorlayer  # noqa: F401, it starts TensorFlow without its banner
    import keras  # isort: skip

    from spiking.conversion.from_keras import fold

    try:
        keras_model = keras.saving.load_model(path, compile=False, safe_mode=True)
    except MemoryError:
        raise
    except Exception as error:  # a damaged or foreign archive raises whatever its bytes lead to
        first = next((line for line in str(error).splitlines() if line.strip()), type(error).__name__)
        raise InputError(f"{shown(path)}: cannot be read ({printable(first[:300])}), expected {KERAS_FILE}") from None
    with _naming(path):
        return Own(path, sha256, fold(keras_model), lambda pixels: predict(keras_model, pixels))


class _naming:
    """Lets a ValueError begin with the name of a file, on one line."""

    def __init__(self, path):
        self.path = path

    def __enter__(self):
        return self

    def __exit__(self, kind, error, traceback):
        if isinstance(error, (ValueError, OverflowError)) and not isinstance(error, InputError):
            raise InputError(f"{shown(self.path)}: {'; '.join(str(error).splitlines())}") from None


def load(args, k):
    """As weights.load, of such a file.

    Parameters
    ----------
    args : the options of model.add_options, and `weights`, the path of the file, and `calibrate`
    k : int
        Level of the Model that options which do not say it are compared with.

    Returns
    -------
    trained : Trained, on the weight grid
    own : Own
    """
    from spiking.conversion.converted import convert_graph

    named, own = model.named(args, k), read(args.weights)
    pixels = None
    if args.calibrate:
        train = images.load_split("train", args.data or named.images)
        pixels = train.pixels[: args.calibrate]
    with _naming(args.weights):
        converted = convert_graph(own.graph, args.k, pixels)
        # of the file's name, so that the logs of two files lie apart
        recipe = f"{RECIPE}-{printable(args.weights.stem)[:80]}"
        identity = model.Model(converted.k, converted.network.layers, named.data, recipe)
        network = weights.check_size(converted.network)
    nothing = {"epochs": 0, "images": 0, "all_images": 0, "threads": 0}  # is known of the training
    trained = weights.Trained(identity, network, converted.weights, **nothing, path=args.weights, sha256=own.sha256)
    binding = {name for name in ("network", "recipe", "seed") if getattr(args, name) is not None}
    weights.refuse_contradiction(args.weights, trained.model, named, binding)
    print(f"weights    {shown(args.weights)}")
    print(f"           converted to {network.notation}, k={trained.model.k}")
    if not converted.quantized:
        scale = f"the {100 * QUANTILE:g} % quantile" if args.calibrate else "1"
        print(f"           without quantiser: that of k={converted.k} is put in, 2^{converted.k} counts are {scale}")
    print(f"           rounded to the weight grid, which changed them by {converted.rounding:.2g} at most")
    for sentence in converted.warnings:
        print(f"warning    {sentence}")
    return trained, replace(own, layers=converted.layers)


def describe(own):
    """Prints what becomes of each layer, a block per line."""
    graph = own.graph
    rows = [("block", "output", "neurons", "reads", "layers")]
    for number, node in enumerate(graph.nodes, start=1):
        sources = [node.source] if isinstance(node, Pooled) else [term.source for term in node.part.terms]
        rows.append((str(number), *_sizes(node.shape), _sources(sources), ", ".join(node.layers)))
    parts = graph.output.parts
    sources = [term.source for part in parts for term in part.terms]
    folded = dict.fromkeys(name for part in parts for name in part.layers)
    rows.append(("scores", str(max(graph.output.shape)), "", _sources(sources), ", ".join(folded)))
    widths = [2 + max(map(len, column)) for column in zip(*rows)]
    for *cells, last in rows:
        print("".join(cell.ljust(width) for cell, width in zip(cells, widths)) + last)
    print(f"all {len(graph.nodes)} blocks have {sum(int(np.prod(node.shape)) for node in graph.nodes):,} neurons")


def _sizes(shape):
    return "x".join(map(str, shape)), f"{int(np.prod(shape)):,}"


def _sources(numbers):
    return ", ".join("image" if number == 0 else str(number) for number in dict.fromkeys(numbers))


def predict(keras_model, pixels):
    """The classes that a Keras model predicts for integer pixels (images, h, w, channels): int array (images,)."""
    inputs = pixels.reshape(len(pixels), *keras_model.inputs[0].shape[1:]).astype(np.float32)
    with python_warnings.catch_warnings():
        python_warnings.simplefilter("ignore")  # about how the input of a functional model is called
        (scores,) = _flat(keras_model.predict(inputs, batch_size=logs.BATCH_SIZE, verbose=0))
    return scores.reshape(len(pixels), -1).argmax(axis=1)


def _flat(outputs):
    """The arrays of an output, which may be a dict or a list."""
    if isinstance(outputs, dict):
        return list(outputs.values())
    return outputs if isinstance(outputs, (list, tuple)) else [outputs]


def report(own, evaluation, test):
    """Prints how the model itself does, before rounding and quantising, and how the spiking network compares."""
    predicted, count = own.predict(test.pixels), len(test.labels)
    print(f"model      {100 * np.mean(predicted == test.labels):.2f} %, as it is, in its own precision")
    print(f"agreement  {np.sum(predicted == evaluation.predictions):,} of {count:,} of its predictions are the same")
    quiescent = f"{evaluation.quiescent.sum():,} of {count:,} images, the quiescent ones"
    print(f"equal      to the quantised network in every neuron, in {quiescent}; --verify counts them")
    from spiking.trains import SPIKES  # by now Numba is there

    spikes = evaluation.statistics[..., SPIKES].sum(axis=(0, 2))
    for index in np.flatnonzero(spikes == 0):
        print(f"warning    block {index + 1} (layer {own.layers[index][-1]}) never fired")
