"""Prepares a picture of a digit as MNIST's were: scaled into 20 x 20, centre of mass in the middle of 28 x 28.

Y. LeCun et al., "Gradient-Based Learning Applied to Document Recognition", Proceedings of the IEEE, 1998, section
III A. The background must be even, because gradients and shadows count as ink. All arithmetic is on integers, so that
figs/live/prepare.js gets exactly the same result in a browser.
"""

import io
import warnings

import numpy as np

from experiment import InputError, disk, shown
from experiment.command_line import muted_stderr

DIGIT_SIZE, IMAGE_SIZE = 20, 28
FAINTEST = 16  # ink below 1/16 of the darkest is background, as paper is never quite even
PICTURE = "a picture of a digit, such as a PNG"  # as error messages call it
MAX_FILE = 1 << 28  # bytes
MAX_PICTURE = 2**24  # pixels; the sums over larger pictures would exceed JavaScript's exact integers


def read_digit(path):
    """The digit in a picture file, prepared by prepare_digit. Transparent parts count as white.

    Raises
    ------
    InputError
        The file is missing, not a picture, too large, or all of one colour.
    OSError
        The file is unreadable.
    """
    # Pillow comes with Matplotlib; prepare_digit alone does not need it
    from PIL import Image, ImageOps, UnidentifiedImageError

    content = disk.read(path, PICTURE, MAX_FILE)
    try:
        # Pillow and its decoders warn of oddities, which here are either refused or do not matter
        with muted_stderr(), warnings.catch_warnings():
            warnings.simplefilter("ignore")
            image = Image.open(io.BytesIO(content))
            if image.width * image.height > MAX_PICTURE:
                raise ValueError(f"has {image.width} x {image.height} pixels, at most {MAX_PICTURE} are read")
            upright = ImageOps.exif_transpose(image)  # phones store how they were held beside the pixels
            if upright.mode.startswith("I"):  # 16 bits a pixel, which convert() would clip at 255
                upright = Image.fromarray((np.asarray(upright) // 257).astype(np.uint8))
            coloured = upright.convert("RGBA")
    except UnidentifiedImageError:  # its text contains a memory address
        raise InputError(f"{shown(path)}: not a picture, expected {PICTURE}") from None
    except Exception as error:  # a damaged file raises whatever its bytes lead to
        raise InputError(f"{shown(path)}: {error}, expected {PICTURE}") from None
    white = Image.new("RGBA", coloured.size, "white")
    try:
        return prepare_digit(np.array(Image.alpha_composite(white, coloured).convert("L")))
    except ValueError as error:
        raise InputError(f"{shown(path)}: {error}") from None


def prepare_digit(picture):
    """The digit in a grey picture, in the form of MNIST's images.

    Parameters
    ----------
    picture : uint8 array (h, w), light on dark or dark on light

    Returns
    -------
    uint8 array (28, 28), light on dark

    Raises
    ------
    ValueError
        All pixels are equal.
    """
    ink = _ink(np.asarray(picture, np.int64))
    if not ink.any():
        raise ValueError("all pixels are equal, expected a digit on a plain background")
    return _centred_by_mass(_scaled_to_digit(ink[_box(ink)]))


def _ink(picture):
    """How much each pixel differs from the background, the border's median, in the direction of the digit."""
    border = np.ones(picture.shape, bool)
    border[1:-1, 1:-1] = False
    edge = np.sort(picture[border])
    background = edge[len(edge) // 2]
    lighter = picture.max() - background >= background - picture.min()
    return np.maximum(picture - background if lighter else background - picture, 0)


def _box(ink):
    """The smallest box around the ink, as two slices."""
    dark = ink * FAINTEST >= ink.max()
    rows, columns = (np.flatnonzero(dark.any(axis=axis)) for axis in (1, 0))
    return slice(rows[0], rows[-1] + 1), slice(columns[0], columns[-1] + 1)


def _scaled_to_digit(ink):
    """Scales by area averaging to 20 pixels in the longer direction, and then so that the darkest pixel is 255."""
    longer = max(ink.shape)
    rows, columns = (max(1, (2 * DIGIT_SIZE * size + longer) // (2 * longer)) for size in ink.shape)
    # sums of ink times area, in units where a pixel of the picture has the area rows x columns
    sums = _overlaps(rows, ink.shape[0]) @ ink @ _overlaps(columns, ink.shape[1]).T
    return (2 * 255 * sums + sums.max()) // (2 * sums.max())


def _overlaps(cells, size):
    """How much of each pixel along an axis lies in each of the cells that divide it, times cells: (cells, size)."""
    cell, pixel = np.arange(cells)[:, None] * size, np.arange(size) * cells
    return np.maximum(np.minimum(cell + size, pixel + cells) - np.maximum(cell, pixel), 0)


def _centred_by_mass(digit):
    """Places it on 28 x 28 pixels, its centre of mass as near to MNIST's centre, (14, 14), as the border allows."""
    image = np.zeros((IMAGE_SIZE, IMAGE_SIZE), np.uint8)
    corner = []
    for size, profile in zip(digit.shape, (digit.sum(axis=1), digit.sum(axis=0)), strict=True):
        nearest = ((IMAGE_SIZE + 1) * digit.sum() - 2 * profile @ np.arange(size)) // (2 * digit.sum())
        corner.append(slice(offset := int(np.clip(nearest, 0, IMAGE_SIZE - size)), offset + size))
    image[tuple(corner)] = digit
    return image
