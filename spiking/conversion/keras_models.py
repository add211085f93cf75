"""Walks through Keras models, and copies them with quantisers added."""

import keras

from spiking.conversion.median_quantizer import MedianQuantizer
from spiking.network import MAX_LEVEL, check_integer


def functional(model):
    """Returns the functional model behind a model; None if the user's own code computes it."""
    if isinstance(model, keras.Sequential):
        model = getattr(model, "_functional", None)
    known = type(model).__module__.startswith("keras.") and hasattr(model, "_nodes_by_depth")
    return model if known else None


def walk(model, x, call, place=""):
    """Evaluates a model with one input and one output at x, layer by layer, including the models inside it.

    Parameters
    ----------
    model : keras.Sequential or functional keras.Model
    x : whatever `call` takes
    call : function of a layer's name, its node in Keras's graph, and its positional and keyword arguments, with
        values in place of Keras's tensors; returns a list with a value for each output of the layer. A nested model
        that is called with training=True counts as a layer.
    place : str, prefix for the names of layers
    """
    model = functional(model)
    tensors = {id(model.inputs[0]): x}
    for _, nodes in sorted(model._nodes_by_depth.items(), reverse=True):
        for node in nodes:
            if node.is_input or any(id(tensor) not in tensors for tensor in node.input_tensors):
                continue
            arguments, settings = node.arguments.fill_in(tensors)
            settings.pop("mask", None)
            inner, name = functional(node.operation), place + node.operation.name
            if inner and len(inner.inputs) == len(inner.outputs) == 1 and not settings.get("training"):
                settings.pop("training", None)
                (source,) = keras.tree.flatten((arguments, settings))
                results = [walk(inner, source, call, f"{name}/")]
            else:
                results = call(name, node, arguments, settings)
            tensors |= {id(output): result for output, result in zip(node.outputs, results)}
    return tensors[id(model.outputs[0])]


def with_quantizers(model, k):
    """Copies a Keras model, with a MedianQuantizer after each ReLU, for further training.

    The copy has the same weights, and nested models are flattened into it; the original is unchanged.

    Parameters
    ----------
    model : as in `convert`
    k : int
        Quantisation level, 0 to 16.

    Raises
    ------
    ValueError
        k is not such a level, or the model already has a quantiser or cannot be converted; the message names layers.
    """
    from spiking.conversion.from_keras import fold

    check_integer("k", k, 0, MAX_LEVEL)
    rectifiers, copies, names = fold(model).rectifiers, {}, set()

    def copy_of(operation, name):
        if id(operation) not in copies:
            config = operation.get_config()
            if isinstance(operation, keras.Layer):
                config["name"] = name.replace("/", "_")
                while config["name"] in names:  # inner/conv and inner_conv would both be inner_conv
                    config["name"] += "_"
                names.add(config["name"])
            copies[id(operation)] = operation, type(operation).from_config(config)
        return copies[id(operation)][1]

    def call(name, node, arguments, settings):
        if isinstance(node.operation, MedianQuantizer):
            raise ValueError(f"layer {name}: found a quantiser, expected a model that has none yet")
        results = copy_of(node.operation, name)(*arguments, **settings)
        if name in rectifiers:
            results = MedianQuantizer(k)(results)
        return keras.tree.flatten(results)

    source = functional(model).inputs[0]
    image = keras.Input(source.shape[1:], dtype=source.dtype)
    result = keras.Model(image, walk(model, image, call), name=model.name)
    for original, copy in copies.values():
        if isinstance(original, keras.Layer):
            copy.set_weights(original.get_weights())
            copy.trainable = original.trainable
    return result
