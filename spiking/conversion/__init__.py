"""A network that somebody else trained, as blocks: Keras models, and what other tables over graph.py read.

    from spiking.conversion import MedianQuantizer, convert, with_quantizers

Keras is imported when one of these is used, not before, and with a user's own settings.
"""

from importlib import import_module

_PLACES = {
    "Converted": "converted",
    "MedianQuantizer": "median_quantizer",
    "convert": "converted",
    "with_quantizers": "keras_models",
}
__all__ = sorted(_PLACES)


def __getattr__(name):
    if name not in _PLACES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"spiking.conversion.{_PLACES[name]}"), name)
