"""The handlers of operators with windows of rows and columns, for the table in onnx_operators.py."""

import numpy as np

from spiking.conversion.composition import Refusal
from spiking.conversion.onnx_arguments import constant, limited, number, onnx_shape, require_image, setting
from spiking.edges import same_padding


def windows(node, x, default=None, filters=1):
    """Returns the size, strides, dilation and padding, ((top, bottom), (left, right)), of an operator's windows."""
    size = tuple(node.settings.get("kernel_shape", default))
    if len(x.shape) != 3 or len(size) != 2:
        raise Refusal(f"windows with {len(size)} axes on the shape {onnx_shape(x)}", "windows of rows and columns")
    strides, dilation = (tuple(node.settings.get(name, (1, 1))) for name in ("strides", "dilations"))
    pads = tuple(node.settings.get("pads", (0, 0, 0, 0)))
    if (len(strides), len(dilation), len(pads)) != (2, 2, 4) or min(*size, *strides, *dilation) < 1 or min(pads) < 0:
        found = f"kernel_shape={size}, strides={strides}, dilations={dilation}, pads={pads}"
        raise Refusal(found, "two numbers >= 1 for each, and four pads >= 0")
    padding = (pads[0], pads[2]), (pads[1], pads[3])
    auto = node.settings.get("auto_pad", b"NOTSET")
    if auto != b"NOTSET":
        extent = [(length - 1) * step + 1 for length, step in zip(size, dilation)]
        padding = tuple(automatic(auto, *axis) for axis in zip(x.shape, extent, strides))
    padded = [length + sum(zeros) for length, zeros in zip(x.shape, padding)]
    limited((max(x.shape[2], filters), *padded))
    return size, strides, dilation, padding


def automatic(kind, length, window, step):
    """Returns how many zeros auto_pad puts before and after an axis."""
    less, more = (0, 0) if kind == b"VALID" else same_padding(length, window, step)
    return (more, less) if kind == b"SAME_LOWER" else (less, more)


def rounded_up(x, size, strides, padding):
    """Returns the padding in ceil_mode, in which the last window need only begin in the image or the left padding."""
    result = []
    for length, window, step, (before, after) in zip(x.shape, size, strides, padding):
        last = -(-(length + before + after - window) // step) * step
        if last >= length + before:
            last -= step
        result.append((before, last + window - length - before))
    return tuple(result)


def convolution(graph, node, x, kernel, bias=None):
    kernel, groups = constant(kernel, "weights"), node.settings.get("group", 1)
    _, strides, dilation, padding = windows(node, x, kernel.shape[2:], len(kernel))
    filters, channels, *size = kernel.shape
    if tuple(node.settings.get("kernel_shape", size)) != tuple(size) or groups < 1:
        found = f"weights of the shape {kernel.shape} in {groups} groups"
        raise Refusal(found, "groups >= 1, and the size that kernel_shape says")
    if channels * groups != x.shape[2] or filters % groups:
        found = f"weights of the shape {kernel.shape} in {groups} groups for {x.shape[2]} channels"
        raise Refusal(found, "groups that divide the filters, and weights for the channels of one group")
    x = graph.convolve(x, kernel.transpose(2, 3, 1, 0), strides, padding, dilation, groups)
    return x if bias is None else graph.shift(x, constant(bias, "a bias"))


def pooling_windows(node, x):
    """Returns the size, the strides, the padding as it is written, and with what ceil_mode adds to it."""
    size, strides, dilation, padding = windows(node, x)
    if dilation != (1, 1):
        raise Refusal(f"dilations={dilation}", "(1, 1)")
    ceil_mode = node.settings.get("ceil_mode", 0)
    return size, strides, padding, rounded_up(x, size, strides, padding) if ceil_mode else padding


def max_pooling(graph, node, x):
    size, strides, _, padding = pooling_windows(node, x)
    if any(max(zeros) >= window for zeros, window in zip(padding, size)):
        raise Refusal(f"padding {padding} for windows of {size}", "less, so that no window lies entirely in it")
    return graph.max_pool(x, size, strides, padding)


def average_pooling(graph, node, x):
    size, strides, floored, padding = pooling_windows(node, x)
    if any(after > before for (_, after), (_, before) in zip(padding, floored)):
        found = "ceil_mode that adds windows beyond the border, which average fewer numbers"
        raise Refusal(found, "ceil_mode=False, or a size for which it adds none")
    if np.max(padding) > 0 and not node.settings.get("count_include_pad", 0):
        found = f"padding {padding} that does not count, so that windows at the border average fewer numbers"
        raise Refusal(found, "count_include_pad=True, or no padding")
    return graph.average_pool(x, size, strides, padding)


def globally(graph, x, pool):
    """Pools over all rows and columns."""
    return pool(require_image(x), x.shape[:2], (1, 1))


def mean(graph, node, x, axes=None):
    """Handles a mean over rows and columns."""
    axes = setting(node, "axes", axes)
    if sorted(axis % 4 for axis in axes or ()) != [2, 3]:
        raise Refusal(f"axes={axes}", "the rows and columns, 2 and 3")
    x = globally(graph, x, graph.average_pool)
    return x if node.settings.get("keepdims", 1) else graph.flatten(x)


def pad(graph, node, x, pads=None, value=None, axes=None):
    x, mode = require_image(x), node.settings.get("mode", b"constant").decode()
    value = number(value, "a padding value", node.settings.get("value", 0))
    if mode != "constant" or value != 0:
        raise Refusal(f"padding of mode {mode} with {value:g}", "constant padding with 0")
    pads = setting(node, "pads", pads)
    axes = setting(node, "axes", axes, [0, 1, 2, 3])
    if len(pads) != 2 * len(axes):
        raise Refusal(f"pads={pads} for axes={axes}", "two numbers for each axis")
    of_axis = {axis % 4: pair for axis, pair in zip(axes, zip(pads, pads[len(axes) :]))}
    rows, columns = (of_axis.pop(axis, (0, 0)) for axis in (2, 3))
    if any(map(any, of_axis.values())):
        raise Refusal(f"pads={pads}", "padding of rows and columns only")
    limited((x.shape[2], x.shape[0] + sum(rows), x.shape[1] + sum(columns)))
    return graph.pad(x, (rows, columns))
