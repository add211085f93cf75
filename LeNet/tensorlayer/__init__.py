"""The Keras side of the scripts; the folder and its checkpoint files are named as in the authors' TensorLayer code.

Importing it imports TensorFlow and Keras without their banner, at full speed, and with our own settings instead of
those in a user's keras.json: other float types or axes would train other weights. Importing experiment has already
removed settings from the environment.
"""

import ctypes
import mmap
import os

from experiment import InputError
from experiment.command_line import muted_stderr, usable_cores

M_TOP_PAD = -2  # from malloc.h
ROOM = 7 << 29  # bytes of address space without which TensorFlow aborts even in the smallest training


def _check_room():
    """Raises MemoryError if `ulimit -v` leaves TensorFlow too little address space."""
    try:
        mmap.mmap(-1, ROOM, flags=mmap.MAP_PRIVATE, prot=0).close()  # reserves address space, not memory
    except OSError:
        expected = f"expected {ROOM >> 20} MiB of address space for TensorFlow (see ulimit -v)"
        raise MemoryError(expected) from None


def _keep_freed_memory():
    """Lets malloc keep up to 512 MiB that a training step frees, for the next step.

    By default glibc may return this memory to the system and then take half of a step's time to get it back.
    """
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)  # only glibc has it
    if mallopt is not None:
        mallopt(M_TOP_PAD, 512 << 20)


os.environ["KERAS_BACKEND"] = "tensorflow"
os.environ["KERAS_HOME"] = os.devnull  # has no keras.json, some of whose settings would stop Keras at once
os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"
# oneDNN convolves twice as fast as Eigen, but by default TensorFlow uses it on some processors only
os.environ["TF_ENABLE_ONEDNN_OPTS"] = "1"
_check_room()
_keep_freed_memory()
with muted_stderr():
    import keras
    import tensorflow as tf

keras.config.set_floatx("float32")
keras.config.set_epsilon(1e-7)
keras.config.set_image_data_format("channels_last")
keras.config.set_dtype_policy("float32")


def use_threads(threads):
    """Sets the number of TensorFlow's threads; raises InputError if it already runs with another number."""
    try:
        tf.config.threading.set_intra_op_parallelism_threads(threads)
    except RuntimeError:  # in a program that runs several scripts
        found = tf.config.threading.get_intra_op_parallelism_threads()
        where = f"TensorFlow already runs with {found} in this process"
        raise InputError(f"argument --threads: {where}, expected {threads}; start a new process") from None


use_threads(usable_cores())
