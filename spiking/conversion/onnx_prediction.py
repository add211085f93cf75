"""Runs an ONNX file itself, with onnxruntime if it is installed, else with onnx.reference."""

import os

import numpy as np

from spiking.conversion.from_onnx import by_channel
from spiking.conversion.onnx_files import OnnxFile  # first, as it explains a missing onnx package

import onnx  # isort: skip
from onnx.reference import ReferenceEvaluator  # isort: skip
from onnx.reference.op_run import OpRun  # isort: skip
from onnx.reference.ops import op_max_pool  # isort: skip

IMAGES_OF_REFERENCE = 1000  # at most: in NumPy, a larger network takes tens of milliseconds for each image
BATCH = 100


def scores(path, pixels, scale, offset=0):
    """Returns the network's scores for the first images.

    Parameters
    ----------
    path, scale, offset : as in from_onnx.fold
    pixels : integer array (images, h, w, channels)

    Returns
    -------
    float array (images, classes), for all images, or for the first 1,000 if onnxruntime is not installed

    Raises
    ------
    ValueError
        As in from_onnx.fold, or the network cannot be run.
    """
    file = OnnxFile(path)
    run, most = _evaluator(path, file)
    scale, offset = by_channel(file.image_shape, scale=scale, offset=offset)
    batch, results = file.batch or BATCH, []
    pixels = pixels[:most]
    for start in range(0, len(pixels), batch):
        part = scale * pixels[start : start + batch] + offset
        missing = (file.batch or len(part)) - len(part)
        inputs = np.concatenate([part, np.zeros((missing, *part.shape[1:]))]).transpose(0, 3, 1, 2)
        try:
            result = run(None, {file.image_name: np.ascontiguousarray(inputs, file.image_dtype)})[0]
        except Exception as error:  # the evaluators do not document which kinds they raise
            first = next(iter(str(error).splitlines()), type(error).__name__)
            raise ValueError(f"the model itself cannot be run ({first[:200]}), expected one that can") from None
        results.append(np.asarray(result).reshape(len(inputs), -1)[: len(part)])
    return np.concatenate(results)


class BatchNormalization(OpRun):
    """Normalises as at inference; below opset 14, onnx.reference would take the statistics of the batch."""

    op_domain = ""

    def _run(self, x, scale, bias, mean, variance, epsilon=1e-5, **of_training):
        scale, bias, mean, variance = (
            values.reshape(-1, *[1] * (x.ndim - 2)) for values in (scale, bias, mean, variance)
        )
        return ((scale * (x - mean) / np.sqrt(variance + epsilon) + bias).astype(x.dtype),)


class MaxPool(op_max_pool.MaxPool):
    """Always takes onnx.reference's method for strides; its other one fails with uneven explicit padding."""

    op_domain = ""

    def _run(self, x, auto_pad=None, **settings):
        run = self._max_pool if auto_pad in (None, "NOTSET") else super()._run
        return run(x, auto_pad=auto_pad, **settings)


def reference(model):
    """Returns a ReferenceEvaluator of a ModelProto, with the two operators corrected."""
    return ReferenceEvaluator(model, new_ops=[BatchNormalization, MaxPool])


def _evaluator(path, file):
    """Returns a function from inputs to outputs, and how many images to give it at most (None: any number)."""
    try:
        import onnxruntime
    except ImportError:
        return reference(onnx.load(path)).run, IMAGES_OF_REFERENCE
    onnxruntime.set_default_logger_severity(3)  # errors only
    return onnxruntime.InferenceSession(os.fspath(path)).run, None
