"""Converts networks that were trained elsewhere, Keras models and ONNX files, into blocks.

    from spiking.conversion import MedianQuantizer, convert, with_quantizers

Keras is imported only for a Keras model or its quantisers, with the user's settings. A model passes these files:

    from_keras.py     reads a Keras model: a walk (keras_models.py) and tables of layers and of operators
    from_onnx.py      reads an ONNX file (onnx_files.py) by the table in onnx_operators.py
    graph.py          the builder that both call: a method for each thing that layers do, from Tensors to a Tensor
    tensor.py         a Tensor: Parts that divide its channels, and what linear layers make of them
    affine.py         a Part: a sum of Terms, the linear layers since the last ReLU; composition.py merges two kernels
    nodes.py          ReLU and max pooling, which make nodes of Parts: the blocks to be
    calibration.py    the scale of each node's activations, from images, where no quantiser was trained
    assembly.py       the finished graph as a Network and its weights
    converted.py      convert: all of this in turn, then the weight grid, and warnings

Beside them, median_quantizer.py is the quantiser for training, and onnx_prediction.py runs an ONNX file as it is.
"""

from importlib import import_module

_MODULES = {
    "Converted": "converted",
    "MedianQuantizer": "median_quantizer",
    "convert": "converted",
    "with_quantizers": "keras_models",
}
__all__ = sorted(_MODULES)


def __getattr__(name):
    if name not in _MODULES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"spiking.conversion.{_MODULES[name]}"), name)
