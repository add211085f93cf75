"""The four files of a TensorFlow checkpoint, which can be restored without this project's code.

checkpoint                                       names the checkpoint for tf.train.latest_checkpoint
model_MNIST_advanced.ckpt.data-00000-of-00001    weights, optimizer slots, epoch
model_MNIST_advanced.ckpt.index
model_MNIST_advanced.ckpt.meta                   inference graph: placeholder x:0 to logits:0
"""

import os
import random
from contextlib import contextmanager
from functools import cache

import tensorflow as tf

from experiment import InputError, shown
from LeNet.tensorlayer import models

PREFIX = "model_MNIST_advanced.ckpt"
CHECKPOINT_FILES = (
    "checkpoint",
    f"{PREFIX}.data-00000-of-00001",
    f"{PREFIX}.index",
    f"{PREFIX}.meta",
)


def save_ckpt(tensors, network, k, folder):
    """Writes the four files.

    Parameters
    ----------
    tensors : dict of arrays by name, including all weights
    network, k : Network and level of the graph in .meta
    folder : path of an empty folder
    """
    names = sorted(tensors)
    try:
        tf.raw_ops.SaveV2(
            prefix=os.fsencode(folder / PREFIX),  # the path may not be UTF-8
            tensor_names=names,
            shape_and_slices=[""] * len(names),
            tensors=[tensors[name] for name in names],
        )
    except tf.errors.OpError as error:
        raise OSError(f"{shown(folder.parent / PREFIX)}: {error.message}") from None
    (folder / f"{PREFIX}.meta").write_bytes(_meta_graph(network, k))
    (folder / "checkpoint").write_text(f'model_checkpoint_path: "{PREFIX}"\nall_model_checkpoint_paths: "{PREFIX}"\n')


def load_ckpt(specification, folder):
    """The named tensors of a checkpoint whose files are known to be sound.

    Parameters
    ----------
    specification : dict of (shape, dtype) by tensor name
    folder : path

    Raises
    ------
    InputError
        The checkpoint lacks a tensor of the given shape and dtype.
    """
    with _plain_name(folder) as plain:
        reader = tf.train.load_checkpoint(f"{plain}/{PREFIX}")
        shapes, dtypes = reader.get_variable_to_shape_map(), reader.get_variable_to_dtype_map()
        for name, expected in specification.items():
            found = (tuple(shapes[name]), dtypes[name].as_numpy_dtype) if name in shapes else "nothing"
            if found != expected:
                raise InputError(f"{shown(folder / PREFIX)}: {name} is {found}, expected {expected}")
        return {name: reader.get_tensor(name) for name in specification}


@contextmanager
def _plain_name(folder):
    """Gives a folder a name without brackets and stars, which TensorFlow would take for a pattern."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        yield f"/proc/self/fd/{descriptor}"
    finally:
        os.close(descriptor)


@cache
def _meta_graph(network, k):
    with tf.Graph().as_default(), _same_random_numbers():
        keras_model = models.build(network, k)
        images = tf.compat.v1.placeholder(tf.float32, [None, *network.input_shape], name="x")
        tf.identity(keras_model(images, training=False), name="logits")
        by_key = models.variables(network, keras_model)
        saver = tf.compat.v1.train.Saver({key: variable.value for key, variable in by_key.items()})
        meta_graph = saver.export_meta_graph()
    for node in meta_graph.graph_def.node:
        node.attr.pop("_gradient_op_type", None)  # a counter of this process, which means nothing outside it
    return meta_graph.SerializeToString(deterministic=True)


@contextmanager
def _same_random_numbers():
    """Makes a graph hold the same initial values in any process; restores the random state afterwards."""
    state = random.getstate()  # Keras's initializers draw their seeds from Python's generator
    random.seed(0)
    try:
        yield
    finally:
        random.setstate(state)
