"""Converts networks that were trained elsewhere, Keras models and ONNX files, into blocks.

    from spiking.conversion import MedianQuantizer, convert, with_quantizers

Keras is imported only when one of these names is used, and keeps the user's own settings.
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
