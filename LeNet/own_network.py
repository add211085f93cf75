"""A network of one's own beside --weights, a .keras or .onnx file: checked, converted, and compared with itself."""

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
FOREIGN = {  # what to do with files of other kinds
    ".h5": f"is an HDF5 file of Keras: {IN_KERAS}",
    ".hdf5": f"is an HDF5 file of Keras: {IN_KERAS}",
    ".pb": f"is of a SavedModel: {IN_KERAS}",
    ".pt": f"is a file of PyTorch: {IN_PYTORCH}",
    ".pth": f"is a file of PyTorch: {IN_PYTORCH}",
}
PIXELS = ("scale", "offset", "mean", "std")  # options that say what a network expects of a pixel


@dataclass(frozen=True)
class Own:
    """A model that somebody else trained."""

    path: Path
    sha256: str  # of the file
    graph: object  # spiking.conversion.graph.Graph
    # from pixels (images, h, w, channels) to the classes that it predicts itself, perhaps of the first images only
    predict: Callable
    layers: tuple = ()  # of each block, once converted: names of what is folded into it


def given(path):
    """Whether a path is that of such a model; raises InputError where it is one of a kind that is not read."""
    if path is None:
        return False
    if (path / "saved_model.pb").is_file():
        raise InputError(f"{shown(path)}: is a SavedModel: {IN_KERAS}")
    if path.suffix in FOREIGN and disk.exists(path):
        raise InputError(f"{shown(path)}: {FOREIGN[path.suffix]}")
    return path.suffix in (KERAS, ONNX)


def add_options(parser):
    """The options of a network of one's own, among them what becomes of a pixel, which no ONNX file says."""
    add, several = parser.add_argument, ", or a number for each channel, with commas"
    calibrate = "training images that choose the scale of activations where a network of one's own has no quantiser"
    images_of = {"type": command_line.integer_from(0), "default_text": f"{CALIBRATION_IMAGES:,}"}
    add("--calibrate", **images_of, metavar="N", help=calibrate)
    scale = f"what the network of FILE{ONNX} expects is X * pixel + offset, of pixels from 0 to 255; 1/255, say"
    add("--scale", type=numbers, metavar="X", help=scale + several)
    add("--offset", type=numbers, metavar="X", default_text="0", help=f"of --scale{several}")
    mean = "instead of --scale, as after ToTensor and Normalize of PyTorch: it expects (pixel / 255 - X) / std"
    add("--mean", type=numbers, metavar="X", help=mean + several)
    add("--std", type=numbers, metavar="X", help=f"of --mean{several}")
    save = "also write a network of one's own, once converted, as weights that all scripts read"
    add("--save", type=command_line.path, metavar="FILE.npz", help=save)


def numbers(text):
    """Option type: numbers, with commas between them; each may be a fraction, as 1/255."""
    try:
        values = [
            float(above) / float(below or 1) for above, _, below in (part.partition("/") for part in text.split(","))
        ]
    except (ValueError, ZeroDivisionError):
        values = [np.nan]
    if not np.all(np.isfinite(values)):
        raise ArgumentTypeError(f"found {text!r}, expected numbers, as 1/255 or 0.49,0.48,0.45")
    return np.array(values)


def check_options(args):
    """Raises InputError where options are about another file, or do not say what becomes of a pixel and must."""
    for name in ("dry_run", "calibrate", "save"):
        if getattr(args, name) not in (None, False) and not given(args.weights):
            raise InputError(f"argument --{name}: is only for --weights {FILES}")
    found = [name for name in PIXELS if getattr(args, name) is not None]
    onnx = args.weights is not None and args.weights.suffix == ONNX
    if found and not onnx:
        raise InputError(f"argument --{found[0]}: is only for --weights FILE{ONNX}")
    if onnx and found not in (["scale"], ["scale", "offset"], ["mean", "std"]):
        names = " and ".join(f"--{name}" for name in found) or "nothing about pixels"
        expected = "--scale 1/255, or another number, perhaps with --offset, or --mean and --std"
        raise InputError(f"{shown(args.weights)}: found {names}, expected {expected}: no ONNX file says them")
    if onnx and not args.dry_run and args.k is None:
        raise InputError(f"{shown(args.weights)}: found no --k, expected a level: no ONNX file says it")
    if args.scale is not None and np.any(args.scale == 0):
        raise InputError("argument --scale: found 0, expected another number: every image would be the same")
    if args.std is not None and (np.any(args.std <= 0) or len({len(args.mean), len(args.std), 1}) > 2):
        found = ",".join(f"{number:g}" for number in args.std)
        raise InputError(f"argument --std: found {found}, expected numbers above 0, one or as many as --mean has")


def of_pixels(args):
    """The scale and the offset that the options say."""
    if args.std is None:
        return args.scale, 0 if args.offset is None else args.offset
    return 1 / (255 * args.std), -args.mean / args.std


def read(path, scale=None, offset=0):
    """The Own of a file. No code that the file holds is run.

    Parameters
    ----------
    path : Path
    scale, offset : as of spiking.conversion.convert, of an ONNX file

    Raises
    ------
    InputError
        Missing, or no such file, or blocks cannot compute the model; the text names all layers that are in the way.
    """
    return _read_onnx(path, scale, offset) if path.suffix == ONNX else _read_keras(path)


def _read_onnx(path, scale, offset):
    from spiking.conversion import from_onnx, onnx_prediction

    def predict(pixels):
        with _naming(path):
            return onnx_prediction.scores(path, pixels, scale, offset).argmax(axis=1)

    with _naming(path):
        graph = from_onnx.fold(path, scale, offset)
    with disk.opened(path, ONNX) as file:
        return Own(path, disk.sha256(file), graph, predict)


def _read_keras(path):
    """In Keras's safe mode."""
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
        found = printable(_reason(error)[:300])
        raise InputError(f"{shown(path)}: cannot be read ({found}), expected {KERAS_FILE}") from None
    with _naming(path):
        return Own(path, sha256, fold(keras_model), lambda pixels: predict(keras_model, pixels))


def _reason(error):
    """What an error of Keras says, without its advice, of which some is dangerous."""
    if "safe_mode" in str(error):
        return "it holds a Lambda layer, Python code, which is not run"
    unknown = re.search("Could not locate class '[^']*'", str(error))
    if unknown:
        return unknown[0]
    return next((line for line in str(error).splitlines() if line.strip()), type(error).__name__)


@contextmanager
def _naming(path):
    """Lets a ValueError begin with the name of a file, on one line."""
    try:
        yield
    except (ValueError, OverflowError) as error:
        if isinstance(error, InputError):
            raise
        raise InputError(f"{shown(path)}: {'; '.join(str(error).splitlines())}") from None


def load(choice, args):
    """As weights.load, of such a file.

    Parameters
    ----------
    choice : Choice
    args : the options of add_options

    Returns
    -------
    trained : Trained, on the weight grid
    own : Own
    """
    from spiking.conversion.converted import convert_graph

    own = read(choice.weights, *of_pixels(args))
    named = choice.model(k=0)  # the level does not matter here: the file or --k says it
    pixels = None
    calibrate = CALIBRATION_IMAGES if args.calibrate is None else args.calibrate
    if calibrate:
        folder = choice.data or named.images
        train = images.load_split("train", folder)
        pixels = train.pixels[:calibrate]
        if pixels.shape[1:] != own.graph.image_shape:
            found = f"has images (h, w, channels) {pixels.shape[1:]}, expected {own.graph.image_shape}"
            raise InputError(f"{shown(folder)}: {found} as {shown(own.path)}")
    with _naming(own.path):
        converted = convert_graph(own.graph, choice.k, pixels)
        network = check_size(converted.network)
        # all that decides what the file is converted to, so that no two conversions share their logs
        settings = [np.ravel(numbers).tolist() for numbers in (*of_pixels(args), calibrate)]
        origin = f"{printable(own.path.stem)[:80]}-{digest(own.sha256, *settings)[:8]}"
        made = model.Model(converted.k, network.layers, named.data, model.OWN, origin=origin)
    nothing = {"epochs": 0, "images": 0, "all_images": 0, "threads": 0}  # is known of the training
    trained = Trained(Identity(made, network, **nothing), converted.weights, own.path, own.sha256)
    binding = {name for name in ("network", "recipe", "seed") if getattr(choice, name) is not None}
    weights.refuse_contradiction(own.path, made, named, binding)
    print(f"weights    {shown(own.path)}")
    print(f"           converted to {network.notation}, k={made.k}")
    if not converted.quantized:
        scale = f"the {100 * QUANTILE:g} % quantile of a block's positive activations" if calibrate else "1"
        level = f"that of k={converted.k} is put in, 2^{converted.k} counts stand for {scale}"
        print(f"           without quantiser: {level}")
    print(f"           rounded to the weight grid, which changed them by {converted.rounding:.2g} at most")
    for sentence in converted.warnings:
        print(f"warning    {sentence}")
    return trained, replace(own, layers=converted.layers)


def save(trained, path):
    """Writes a Trained as an npz file."""
    with disk.OutputFolder(path.parent) as output, output.replacing() as staging:
        save_npz(trained, staging / path.name)
    print(f"written    {shown(path)}")


def describe(own):
    """Prints what becomes of each layer, a block per line."""
    graph = own.graph
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
    """The classes that a Keras model predicts for integer pixels (images, h, w, channels): int array (images,)."""
    inputs = pixels.reshape(len(pixels), *keras_model.inputs[0].shape[1:]).astype(np.float32)
    with python_warnings.catch_warnings():
        python_warnings.simplefilter("ignore")  # about how the input of a functional model is called
        (scores,) = _flat(keras_model.predict(inputs, batch_size=runs.BATCH_SIZE, verbose=0))
    return scores.reshape(len(pixels), -1).argmax(axis=1)


def _flat(outputs):
    """The arrays of an output, which may be a dict or a list."""
    if isinstance(outputs, dict):
        return list(outputs.values())
    return outputs if isinstance(outputs, (list, tuple)) else [outputs]


def report(own, evaluation, test):
    """Prints how the model itself does, before rounding and quantising, and how the spiking network compares."""
    predicted, count = own.predict(test.pixels), len(test.labels)
    known = len(predicted)
    right, same = predicted == test.labels[:known], predicted == evaluation.predictions[:known]
    first = "" if known == count else f", on the first {known:,} images"
    print(f"model      {100 * np.mean(right):.2f} %, as it is, in its own precision{first}")
    print(f"agreement  {np.sum(same):,} of {known:,} of its predictions are the same")
    quiescent = f"of the quiescent images ({evaluation.quiescent.sum():,} of {count:,})"
    print(f"equal      every neuron {quiescent} equals the quantised network's; --verify compares them")
    from spiking.trains import SPIKES  # by now Numba is there

    spikes = evaluation.statistics[..., SPIKES].sum(axis=(0, 2))
    for index in np.flatnonzero(spikes == 0):
        print(f"warning    block {index + 1} (layer {own.layers[index][-1]}) never fired")
