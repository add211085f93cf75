"""Keras models as graphs of layers and operators."""

import keras

from spiking.conversion.median_quantizer import MedianQuantizer
from spiking.network import HIGHEST_LEVEL, check_integer


def functional(model):
    """The model whose nodes are a graph; None for one that code of somebody's own computes."""
    if isinstance(model, keras.Sequential):
        model = getattr(model, "_functional", None)
    known = type(model).__module__.startswith("keras.") and hasattr(model, "_nodes_by_depth")
    return model if known else None


def walk(model, x, call, place=""):
    """What a model with one input and one output makes of x, layer by layer, also of models inside it.

    Parameters
    ----------
    model : keras.Sequential or functional keras.Model
    x : of any kind
    call : function of a layer's name, its node in the graph, and positional and other arguments in the place of
        Keras's tensors, to a list of what the layer gives for each of its outputs; also of a model inside this one
        that is called with training=True
    place : str, what names of layers begin with
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
    """A copy of a Keras model with a MedianQuantizer after each ReLU, to be trained on.

    Its weights are those of the model, which stays as it is; models inside it become part of the copy.

    Parameters
    ----------
    model : as convert takes it
    k : int
        Quantisation level, 0 to 16.

    Raises
    ------
    ValueError
        k is no such level, or the model has a quantiser already, or cannot be converted; the text names the layers.
    """
    from spiking.conversion.from_keras import fold

    check_integer("k", k, 0, HIGHEST_LEVEL)
    rectifiers, copies, names = fold(model).rectifiers, {}, set()

    def copy_of(operation, name):
        if id(operation) not in copies:
            config = operation.get_config()
            if isinstance(operation, keras.Layer):
                config["name"] = name.replace("/", "_")
                while config["name"] in names:  # inner/conv beside inner_conv
                    config["name"] += "_"
                names.add(config["name"])
            copies[id(operation)] = operation, type(operation).from_config(config)
        return copies[id(operation)][1]

    def call(name, node, arguments, settings):
        if isinstance(node.operation, MedianQuantizer):
            raise ValueError(f"layer {name}: found a quantiser already, expected a model without")
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
