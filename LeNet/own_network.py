"""Reads a user's own network, a .keras or .onnx file, converts it, and compares it with the result."""

import re
import warnings as python_warnings
import zipfile
from argparse import ArgumentTypeError
from collections.abc import Callable
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from experiment import InputError, command_line, digest, disk, images, model, printable, runs, shown, weights
from experiment.identity import Identity, check_size
from experiment.trained import Trained, save_npz
from spiking.conversion.calibration import QUANTILE

KERAS, ONNX = ".keras", ".onnx"
FILES = f"FILE{KERAS} or FILE{ONNX}"
KERAS_FILE = "a .keras file of a Sequential or functional model"  # as error messages call it
CALIBRATION_IMAGES = 1000
IN_KERAS = "load it where it was made, and call model.save('my.keras')"
IN_PYTORCH = "load it where it was made, and call torch.onnx.export(model.eval(), image, 'my.onnx')"
UNREADABLE = {  # file types that are not read, with what to do instead
    ".h5": f"is an HDF5 file of Keras: {IN_KERAS}",
    ".hdf5": f"is an HDF5 file of Keras: {IN_KERAS}",
    ".pb": f"is part of a SavedModel: {IN_KERAS}",
    ".pt": f"is a PyTorch file: {IN_PYTORCH}",
    ".pth": f"is a PyTorch file: {IN_PYTORCH}",
}
PIXELS = ("scale", "offset", "mean", "std")  # options for how a network expects pixels to be scaled


@dataclass(frozen=True)
class Original:
    """The user's own network as it was before its conversion."""

    path: Path
    sha256: str  # of the file
    graph: object  # spiking.conversion.graph.Graph
    # from pixels (images, h, w, channels) to the classes that it predicts, perhaps for the first images only
    predict: Callable
    layers: tuple = ()  # once converted: for each block, the names of the layers that are folded into it


def is_own(path):
    """Whether a path names a .keras or .onnx file; raises InputError if it is of a type that cannot be read."""
    if path is None:
        return False
    if (path / "saved_model.pb").is_file():
        raise InputError(f"{shown(path)}: is a SavedModel: {IN_KERAS}")
    if path.suffix in UNREADABLE and disk.exists(path):
        raise InputError(f"{shown(path)}: {UNREADABLE[path.suffix]}")
    return path.suffix in (KERAS, ONNX)


def add_options(parser):
    """Adds the options for a user's own network, among them the scaling of pixels, which no ONNX file contains."""
    add, several = parser.add_argument, "; one number, or one per channel, separated by commas"
    calibrate = "how many training images set the scale of activations if your own network has no quantiser"
    images_of = {"type": command_line.Number(int, 0), "default_text": f"{CALIBRATION_IMAGES:,}"}
    add("--calibrate", **images_of, metavar="N", help=calibrate)
    scale = f"FILE{ONNX} expects X * pixel + offset, where pixels are 0 to 255; for example 1/255"
    add("--scale", type=numbers, metavar="X", help=scale + several)
    add("--offset", type=numbers, metavar="X", default_text="0", help=f"the offset for --scale{several}")
    mean = "instead of --scale: it expects (pixel / 255 - X) / std, as from PyTorch's ToTensor and Normalize"
    add("--mean", type=numbers, metavar="X", help=mean + several)
    add("--std", type=numbers, metavar="X", help=f"the std for --mean{several}")
    save = "also write your own network, once converted, as weights that all scripts read"
    add("--save", type=command_line.path, metavar="FILE.npz", help=save)


def numbers(text):
    """Option type: numbers separated by commas, each of which may be a fraction such as 1/255."""
    try:
        fractions = (part.partition("/") for part in text.split(","))
        values = [float(numerator) / float(denominator or 1) for numerator, _, denominator in fractions]
    except (ValueError, ZeroDivisionError):
        values = [np.nan]
    if not np.all(np.isfinite(values)):
        raise ArgumentTypeError(f"found {text!r}, expected numbers such as 1/255 or 0.49,0.48,0.45")
    return np.array(values)


def check_options(args):
    """Raises InputError if an option does not apply to the file, or one that an ONNX file needs is missing."""
    for name in ("dry_run", "calibrate", "save"):
        if getattr(args, name) not in (None, False) and not is_own(args.weights):
            raise InputError(f"argument --{name}: is only for --weights {FILES}")
    found = [name for name in PIXELS if getattr(args, name) is not None]
    onnx = args.weights is not None and args.weights.suffix == ONNX
    if found and not onnx:
        raise InputError(f"argument --{found[0]}: is only for --weights FILE{ONNX}")
    if onnx and found not in (["scale"], ["scale", "offset"], ["mean", "std"]):
        names = " and ".join(f"--{name}" for name in found) or "nothing about pixels"
        expected = "--scale 1/255, or another number, perhaps with --offset, or --mean and --std"
        raise InputError(f"{shown(args.weights)}: found {names}, expected {expected}: ONNX files lack them")
    if onnx and not args.dry_run and args.k is None:
        raise InputError(f"{shown(args.weights)}: found no --k, expected a level: ONNX files lack it")
    if args.scale is not None and np.any(args.scale == 0):
        raise InputError("argument --scale: found 0, expected another number: every image would be the same")
    if args.std is not None and (np.any(args.std <= 0) or len({len(args.mean), len(args.std), 1}) > 2):
        found = ",".join(f"{number:g}" for number in args.std)
        raise InputError(f"argument --std: found {found}, expected numbers above 0, one or as many as --mean has")


def pixel_scaling(args):
    """The scale and the offset of pixels that the options give."""
    if args.std is None:
        return args.scale, 0 if args.offset is None else args.offset
    return 1 / (255 * args.std), -args.mean / args.std


def read(path, scale=None, offset=0):
    """The Original in a file. No code in the file is run.

    Parameters
    ----------
    path : Path
    scale, offset : for an ONNX file, as spiking.conversion.convert takes them

    Raises
    ------
    InputError
        The file is missing or of another type, or blocks cannot compute it; the message names all such layers.
    """
    return _read_onnx(path, scale, offset) if path.suffix == ONNX else _read_keras(path)


def _read_onnx(path, scale, offset):
    from spiking.conversion import from_onnx, onnx_prediction

    def predict(pixels):
        with _errors_of(path):
            return onnx_prediction.scores(path, pixels, scale, offset).argmax(axis=1)

    with _errors_of(path):
        graph = from_onnx.fold(path, scale, offset)
    with disk.opened(path, ONNX) as file:
        return Original(path, disk.sha256(file), graph, predict)


def _read_keras(path):
    """Reads a .keras file in Keras's safe mode."""
    with disk.opened(path, KERAS_FILE) as file:
        sha256 = disk.sha256(file)
    if not zipfile.is_zipfile(path):
        raise InputError(f"{shown(path)}: is not a zip archive, expected {KERAS_FILE}")
    import LeNet.tensorlayer  # noqa: F401, it starts TensorFlow without its banner
    import keras  # isort: skip

    from spiking.conversion.from_keras import fold

    try:
        keras_model = keras.saving.load_model(path, compile=False, safe_mode=True)
    except MemoryError:
        raise
    except Exception as error:  # a damaged or unrelated archive can raise anything
        found = printable(_reason(error)[:300])
        raise InputError(f"{shown(path)}: cannot be read ({found}), expected {KERAS_FILE}") from None
    with _errors_of(path):
        return Original(path, sha256, fold(keras_model), lambda pixels: predict(keras_model, pixels))


def _reason(error):
    """The message of an error of Keras without its advice, some of which is dangerous."""
    if "safe_mode" in str(error):
        return "it holds a Lambda layer, Python code, which is not run"
    unknown = re.search("Could not locate class '[^']*'", str(error))
    if unknown:
        return unknown[0]
    return next((line for line in str(error).splitlines() if line.strip()), type(error).__name__)


@contextmanager
def _errors_of(path):
    """Puts the name of a file before the message of a ValueError, on one line."""
    try:
        yield
    except (ValueError, OverflowError) as error:
        if isinstance(error, InputError):
            raise
        raise InputError(f"{shown(path)}: {'; '.join(str(error).splitlines())}") from None


def load(choice, args):
    """Reads and converts the .keras or .onnx file of a Choice; prints what is special about it.

    Parameters
    ----------
    choice : Choice
    args : the options of add_options

    Returns
    -------
    trained : Trained, on the weight grid
    original : Original
    """
    from spiking.conversion.converted import convert_graph

    original = read(choice.weights, *pixel_scaling(args))
    named = choice.model(k=0)  # the level does not matter here: the file or --k gives it
    pixels = None
    calibrate = CALIBRATION_IMAGES if args.calibrate is None else args.calibrate
    if calibrate:
        folder = choice.data or named.images
        train = images.load_split("train", folder)
        pixels = train.pixels[:calibrate]
        if pixels.shape[1:] != original.graph.image_shape:
            found = f"has images (h, w, channels) {pixels.shape[1:]}, expected {original.graph.image_shape}"
            raise InputError(f"{shown(folder)}: {found} as {shown(original.path)} has")
    with _errors_of(original.path):
        converted = convert_graph(original.graph, choice.k, pixels)
        network = check_size(converted.network)
        # the digest covers all that the conversion depends on, so that no two conversions share their logs
        settings = [np.ravel(numbers).tolist() for numbers in (*pixel_scaling(args), calibrate)]
        origin = f"{printable(original.path.stem)[:80]}-{digest(original.sha256, *settings)[:8]}"
        made = model.Model(converted.k, network.layer_notation, named.data, model.OWN, origin=origin)
    unknown = {"epochs": 0, "images": 0, "all_images": 0, "threads": 0}
    trained = Trained(Identity(made, network, **unknown), converted.weights, original.path, original.sha256)
    binding = {name for name in ("network", "recipe", "seed") if getattr(choice, name) is not None}
    weights.refuse_contradiction(original.path, made, named, binding)
    print(f"weights    {shown(original.path)}")
    print(f"           converted to {network.notation}, k={made.k}")
    if not converted.quantized:
        scale = f"the {100 * QUANTILE:g} % quantile of a block's positive activations" if calibrate else "1"
        inserted = f"the conversion inserts that of k={converted.k}, where 2^{converted.k} counts stand for {scale}"
        print(f"           without quantiser: {inserted}")
    print(f"           rounded to the weight grid, which changed them by {converted.rounding:.2g} at most")
    for sentence in converted.warnings:
        print(f"warning    {sentence}")
    return trained, replace(original, layers=converted.layers)


def save(trained, path):
    """Writes a Trained model to an npz file and prints its name."""
    with disk.output_folder(path.parent) as output, disk.replacing(output) as staging:
        save_npz(trained, staging / path.name)
    print(f"written    {shown(path)}")


def describe(original):
    """Prints what becomes of each layer, one block per line."""
    graph = original.graph
    rows = [("block", "output", "neurons", "reads", "layers")]
    for number, node in enumerate(graph.nodes, start=1):
        rows.append((str(number), *_sizes(node.shape), _sources(node.sources), ", ".join(node.layers)))
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
    """The classes that a Keras model predicts for pixels 0 to 255 (images, h, w, channels): int array (images,)."""
    from keras import tree  # not at the top, as it imports TensorFlow

    inputs = pixels.reshape(len(pixels), *keras_model.inputs[0].shape[1:]).astype(np.float32)
    with python_warnings.catch_warnings():
        python_warnings.simplefilter("ignore")  # of the name of a functional model's input
        (scores,) = tree.flatten(keras_model.predict(inputs, batch_size=runs.BATCH_SIZE, verbose=0))
    return scores.reshape(len(pixels), -1).argmax(axis=1)


def report(original, evaluation, test, lossless):
    """Prints the accuracy of the original network, and how the spiking network, which may be lossless, agrees."""
    predicted, count = original.predict(test.pixels), len(test.labels)
    known = len(predicted)
    right, same = predicted == test.labels[:known], predicted == evaluation.predictions[:known]
    first = "" if known == count else f", on the first {known:,} images"
    print(f"model      {100 * np.mean(right):.2f} %, as it is, in its own precision{first}")
    print(f"agreement  {np.sum(same):,} of {known:,} of its predictions are the same")
    if lossless:
        quiescent = f"of the quiescent images ({evaluation.quiescent.sum():,} of {count:,})"
        print(f"equal      every neuron {quiescent} to the quantised network, by construction; --verify checks")
    from spiking.trains import SPIKES  # not at the top, as it imports Numba

    spikes = evaluation.statistics[..., SPIKES].sum(axis=(0, 2))
    for index in np.flatnonzero(spikes == 0):
        print(f"warning    block {index + 1} (layer {original.layers[index][-1]}) never fired")
