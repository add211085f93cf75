"""What the LeNet scripts need of TensorLayer, on Keras 3, under TensorLayer's names.

Importing it imports TensorFlow and Keras, without their banner, at full speed and with settings of our own,
whatever a user's keras.json says: other float types or axes would train other weights. What the environment says is
gone already, since experiment was imported.
"""

import ctypes
import mmap
import os

from experiment import InputError
from experiment.command_line import muted_stderr, usable_cores

M_TOP_PAD = -2  # of malloc.h
ROOM = 7 << 29  # bytes of address space that TensorFlow takes for the smallest training; without it, it aborts


def _check_room():
    """Raises MemoryError where there is no room for TensorFlow: `ulimit -v` may leave too little."""
    try:
        mmap.mmap(-1, ROOM, flags=mmap.MAP_PRIVATE, prot=0).close()  # reserved, not taken
    except OSError:
        expected = f"expected {ROOM >> 20} MiB of address space for TensorFlow (see ulimit -v)"
        raise MemoryError(expected) from None


def _keep_freed_memory():
    """Lets malloc keep what a training step frees for the next step, as long as it is below 512 MiB.

    By default glibc may return it to the system, which hands it back page by page: half of a step's time.
    """
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)  # glibc has it, other C libraries do not
    if mallopt is not None:
        mallopt(M_TOP_PAD, 512 << 20)


os.environ["KERAS_BACKEND"] = "tensorflow"
os.environ["KERAS_HOME"] = os.devnull  # holds no keras.json, of which some settings stop Keras at once
os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"
# oneDNN convolves in half of the time of Eigen, but TensorFlow chooses it on its own on some processors only
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
    """Lets TensorFlow compute with so many threads; raises InputError where it has begun with another number."""
    try:
        tf.config.threading.set_intra_op_parallelism_threads(threads)
    except RuntimeError:  # in a program that runs several scripts
        found = tf.config.threading.get_intra_op_parallelism_threads()
        where = f"TensorFlow has begun with {found} in this process"
        raise InputError(f"argument --threads: {where}, expected {threads}; start a new one") from None


use_threads(usable_cores())
