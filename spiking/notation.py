"""The notation of a network, as the paper writes it, and back.

    28x28x1-20C5-P2-50C5-P2-500-10

is an input of 28 x 28 pixels and 1 channel, the layers 20C5-P2-50C5-P2-500 and 10 classes. Layers are numbered from
1, and each is a block of network.py:

    nCk    n filters of k x k, stride 1, only windows that lie inside the input
    nCkxl  of k rows and l columns
    Pk     learned pooling: a convolution of k x k with stride k, as many filters as channels come in
    n      n neurons, each over all that is left
    Mk     max pooling of k x k with stride k, alone in its layer
    I      the identity: each channel as it is

A layer may be a sum of such terms, 16C3p+I@1: each is one input of the block.

    Suffixes of a term, in any order
    p           pads with zeros like padding="same" of Keras
    p(t,b,l,r)  pads rows at the top and at the bottom, and columns on the left and on the right; a negative number
                cuts them off
    sN          stride of rows and columns; sNxM sets one for each
    gN          N groups of channels and filters; as many as channels make a depthwise convolution
    @n          reads layer n, or the image if n is 0; without it, the layer before
    Suffixes of a layer, in one of its terms
    mX          the activation is at most X (a ReLU with max_value)
    b           potentials begin from weights of their own, one for each neuron; after the number of classes, one for
                each class: the classifier has a bias
"""

import re
from typing import NamedTuple

import numpy as np

from spiking.edges import Convolution, Pooling, identity, position_shift, window_ranges
from spiking.network import Block, Classifier, Network, check_layer, errors_at

INPUT = re.compile(r"(\d+)x(\d+)x(\d+)", re.ASCII)
HYPHEN = re.compile(r"-(?![^(]*\))")  # between layers; inside parentheses it is a sign
PATTERNS = {
    "padding": r"p\(-?\d+,-?\d+,-?\d+,-?\d+\)|p",
    "stride": r"s\d+(?:x\d+)?",
    "groups": r"g\d+",
    "max_value": r"m\d+(?:\.\d+)?",
    "initial": r"b",
    "source": r"@\d+",
}
SUFFIX = re.compile("|".join(f"(?P<{name}>{pattern})" for name, pattern in PATTERNS.items()), re.ASCII)
TERM = re.compile(
    r"(?:(?:(?P<filters>\d+)(?=C))?(?P<kind>[CPM])(?P<rows>\d+)(?:x(?P<columns>\d+))?|(?P<neurons>\d+)|I)"
    rf"(?P<suffixes>(?:{'|'.join(PATTERNS.values())})*)",
    re.ASCII,
)
EXPECTED = "expected nCk, nCkxl, Pk, Mk, n or I, with suffixes p, p(t,b,l,r), sN, sNxM, gN, mX, b, @n"
OF_LAYER = {"max_value", "initial"}
ALLOWED = {  # suffixes of a term, by its kind
    "C": set(PATTERNS),
    "P": set(PATTERNS) - {"groups"},
    "M": {"padding", "stride", "source"},
    "n": {"source"} | OF_LAYER,
    "I": {"source"} | OF_LAYER,
}


class Term(NamedTuple):
    """One input of a layer, as it is written."""

    kind: str  # a key of ALLOWED
    filters: int  # or neurons; 0 where it keeps the channels that come in
    window: tuple[int, int]  # rows and columns; (0, 0) for the whole source
    suffixes: dict  # text of each, by its name in PATTERNS


def parse(notation):
    """The Network of a notation with both ends.

    Raises
    ------
    ValueError
        It cannot be read, or a layer is inconsistent with those before it; the text gives the layer's place and name.
    """
    first, *layers = HYPHEN.split(notation)
    if not (sizes := INPUT.fullmatch(first)):
        raise ValueError(f"{_short(first)!r} is no input, expected rows x columns x channels such as 28x28x1")
    shapes = [tuple(map(int, sizes.groups()))]
    position_shift(shapes[0])
    if len(layers) < 2:
        raise ValueError(f"{_short(notation)} has no layer, expected at least one")
    *layers, last = layers
    blocks = []
    for number, text in enumerate(layers, start=1):
        with errors_at(f"layer {number} ({_short(text)})"):
            terms, of_layer = _terms(text)
            edges = tuple(_edge(term, shapes) for term in terms)
            max_value = float(of_layer["max_value"][1:]) if "max_value" in of_layer else None
            blocks.append(Block(str(number), edges, max_value, "initial" in of_layer))
            check_layer(blocks[-1], shapes)
            shapes.append(blocks[-1].output_shape)
    return Network(tuple(blocks), _classifier(last, shapes), notation)


def check_layers(layers):
    """Raises ValueError unless every layer of a notation without ends can be read, on whatever input."""
    for number, text in enumerate(HYPHEN.split(layers), start=1):
        with errors_at(f"layer {number} ({_short(text)})"):
            _terms(text)


def write(blocks, classifier):
    """The notation of blocks and their Classifier; `parse` makes equal ones of it."""
    inputs = "{}x{}x{}".format(*blocks[0].inputs[0].input_shape)
    layers = [_layer_text(block, before) for before, block in enumerate(blocks)]
    classes = "+".join(f"{edge.filters}{_source_text(edge, len(blocks))}" for edge in classifier.inputs)
    return "-".join([inputs, *layers, classes + "b" * classifier.bias])


def _short(text):
    """A part of a notation as a message shows it."""
    return text if len(text) <= 100 else f"{text[:100]} ..."


def _terms(text):
    """The Terms of a layer, and its own suffixes by name."""
    terms, of_layer = [], {}
    for part in text.split("+"):
        if not (match := TERM.fullmatch(part)) or (match["kind"] == "C") != (match["filters"] is not None):
            raise ValueError(f"not a layer, {EXPECTED}")
        kind = match["kind"] or ("n" if match["neurons"] else "I")
        suffixes = {}
        for found in SUFFIX.finditer(match["suffixes"]):
            if found.lastgroup not in ALLOWED[kind]:
                raise ValueError(f"has the suffix {found[0]}, which such a layer cannot have")
            known = of_layer if found.lastgroup in OF_LAYER else suffixes
            if found.lastgroup in known:
                raise ValueError("has a suffix twice, expected each once")
            known[found.lastgroup] = found[0]
        window = int(match["rows"] or 0), int(match["columns"] or match["rows"] or 0)
        terms.append(Term(kind, int(match["filters"] or match["neurons"] or 0), window, suffixes))
    return terms, of_layer


def _classifier(text, shapes):
    """The Classifier of the last part of a notation."""
    try:
        terms, of_layer = _terms(text)
    except ValueError:
        terms, of_layer = [], {}
    if not terms or any(term.kind != "n" or term.filters < 1 for term in terms) or "max_value" in of_layer:
        raise ValueError(f"{_short(text)!r} is no number of classes, expected an integer of at least 1")
    with errors_at("classifier"):
        return Classifier(tuple(_edge(term, shapes) for term in terms), "initial" in of_layer)


def _edge(term, shapes):
    """The input that a Term describes."""
    source = int(term.suffixes["source"][1:]) if "source" in term.suffixes else len(shapes) - 1
    if source >= len(shapes):
        raise ValueError(f"reads layer {source}, expected the image (0) or a layer before it")
    height, width, channels = shape = shapes[source]
    if term.kind == "I":
        return identity(source, shape)
    kernel = (height, width) if term.kind == "n" else term.window
    stride = kernel if term.kind in "PM" else (1, 1)
    if "stride" in term.suffixes:
        rows, _, columns = term.suffixes["stride"][1:].partition("x")
        stride = int(rows), int(columns or rows)
    suffix = term.suffixes.get("padding")
    if suffix is None:
        padding = "valid"
    elif suffix == "p":
        padding = "same"
    else:
        top, bottom, left, right = map(int, suffix[2:-1].split(","))
        padding = (top, bottom), (left, right)
    starts = window_ranges(shape, kernel, stride, padding)
    if term.kind == "M":
        return Pooling(source, shape, kernel, *starts)
    groups = int(term.suffixes.get("groups", "g1")[1:])
    return Convolution(source, shape, kernel, *starts, channels if term.kind == "P" else term.filters, groups)


def _layer_text(block, before):
    """The notation of a block that comes after so many others."""
    of_layer = "" if block.max_value is None else f"m{np.format_float_positional(block.max_value, trim='-')}"
    first, *others = (_term_text(edge) for edge in block.inputs)
    sources = [_source_text(edge, before) for edge in block.inputs]
    terms = [first + of_layer + "b" * block.initial, *others]
    return "+".join(term + source for term, source in zip(terms, sources))


def _term_text(edge):
    """The notation of an input without its source."""
    if isinstance(edge, Convolution) and edge.identity:
        return "I"
    pools = isinstance(edge, Pooling)
    if not pools and edge.whole_input and edge.groups == 1:
        return f"{edge.filters}"
    learned = (
        not pools and edge.groups == 1 and edge.filters == edge.input_shape[2] and edge.stride == edge.kernel_size
    )
    kind = "M" if pools else "P" if learned else f"{edge.filters}C"
    text = kind + _pair_text(edge.kernel_size) + _padding_text(edge)
    if edge.stride != (edge.kernel_size if kind in "PM" else (1, 1)):
        text += f"s{_pair_text(edge.stride)}"
    return text + (f"g{edge.groups}" if not pools and edge.groups > 1 else "")


def _padding_text(edge):
    """The suffix that gives an edge its windows."""
    if edge.padding_name:
        return "p" if edge.padding_name == "same" else ""
    (top, bottom), (left, right) = edge.padding
    return f"p({top},{bottom},{left},{right})"


def _source_text(edge, before):
    return "" if edge.source == before else f"@{edge.source}"


def _pair_text(pair):
    return f"{pair[0]}" if pair[0] == pair[1] else f"{pair[0]}x{pair[1]}"
