"""What an ONNX file itself computes: by onnxruntime, where it is installed, or onnx.reference."""

import os

import numpy as np

from spiking.conversion.from_onnx import by_channel
from spiking.conversion.onnx_files import OnnxFile  # says so where the package onnx is missing

import onnx  # isort: skip
from onnx.reference import ReferenceEvaluator  # isort: skip
from onnx.reference.op_run import OpRun  # isort: skip
from onnx.reference.ops import op_max_pool  # isort: skip

IMAGES_OF_REFERENCE = 1000  # at most: it is NumPy, and takes tens of milliseconds for an image of a larger network
BATCH = 100


def scores(path, pixels, scale, offset=0):
    """The scores of a network for the first images.

    Parameters
    ----------
    path, scale, offset : as of from_onnx.fold
    pixels : integer array (images, h, w, channels)

    Returns
    -------
    float array (images, classes), of all images, or of the first 1,000 where onnxruntime is not installed

    Raises
    ------
    ValueError
        As from_onnx.fold, or the network cannot be run.
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
        except Exception as error:  # of whatever kind the evaluator has
            first = next(iter(str(error).splitlines()), type(error).__name__)
            raise ValueError(f"the model itself cannot be run ({first[:200]}), expected one that can") from None
        results.append(np.asarray(result).reshape(len(inputs), -1)[: len(part)])
    return np.concatenate(results)


class BatchNormalization(OpRun):
    """At inference; that of onnx.reference takes the statistics of the batch where the opset is below 14."""

    op_domain = ""

    def _run(self, x, scale, bias, mean, variance, epsilon=1e-5, **of_training):
        scale, bias, mean, variance = (
            values.reshape(-1, *[1] * (x.ndim - 2)) for values in (scale, bias, mean, variance)
        )
        return ((scale * (x - mean) / np.sqrt(variance + epsilon) + bias).astype(x.dtype),)


class MaxPool(op_max_pool.MaxPool):
    """By the method that onnx.reference has for strides, as the other one fails where explicit padding is uneven."""

    op_domain = ""

    def _run(self, x, auto_pad=None, **settings):
        run = self._max_pool if auto_pad in (None, "NOTSET") else super()._run
        return run(x, auto_pad=auto_pad, **settings)


def reference(model):
    """The ReferenceEvaluator of a ModelProto, its mistakes mended."""
    return ReferenceEvaluator(model, new_ops=[BatchNormalization, MaxPool])


def _evaluator(path, file):
    """A function from inputs to outputs, and the most images that it is for; None for any number."""
    try:
        import onnxruntime
    except ImportError:
        return reference(onnx.load(path)).run, IMAGES_OF_REFERENCE
    onnxruntime.set_default_logger_severity(3)  # errors alone
    return onnxruntime.InferenceSession(os.fspath(path)).run, None
