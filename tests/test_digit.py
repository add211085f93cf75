"""experiment/digit.py: pictures of a digit become what MNIST would have made of them."""

import os
from contextlib import suppress
from fractions import Fraction
from math import floor

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from numpy.testing import assert_array_equal
from PIL import Image

from experiment import InputError
from experiment.digit import prepare_digit, read_digit
from experiment.images import load_split

EXIF_ORIENTATION = 274  # the number of the tag
PICTURES = arrays(np.uint8, st.tuples(st.integers(3, 40), st.integers(3, 40)), elements=st.integers(0, 255))


@pytest.fixture(scope="module")
def test_images():
    return load_split("test").pixels[:1000, ..., 0]


def box_of(image):
    """Rows and columns of the smallest box around what is not black."""
    return (np.flatnonzero(image.any(axis=axis)) for axis in (1, 0))


def centre_of_mass(image, axis):
    profile = image.astype(int).sum(axis=1 - axis)
    return profile @ np.arange(28) / profile.sum()


def test_images_of_mnist_with_clear_edges_are_left_as_they_are(test_images):
    clear = []
    for image in test_images:
        rows, columns = box_of(image)
        edges = image[rows[0]], image[rows[-1]], image[:, columns[0]], image[:, columns[-1]]
        if image.max() == 255 and all(edge.max() >= 16 for edge in edges):
            clear.append(image)
    assert len(clear) > 700
    assert_array_equal([prepare_digit(image) for image in clear], clear)


def test_polarity_size_and_place_make_no_difference(test_images):
    for image in test_images[:50]:
        expected = prepare_digit(image)
        larger = np.pad(np.kron(image, np.ones((9, 9), np.uint8)), ((3, 60), (100, 1)))
        assert_array_equal(prepare_digit(255 - image), expected)
        assert_array_equal(prepare_digit(larger), expected)
        assert_array_equal(prepare_digit(255 - larger), expected)


def test_background_is_subtracted_and_faint_ink_stretched():
    picture = np.full((50, 40), 200, np.uint8)
    picture[10:40, 15:25] = 180
    digit = prepare_digit(picture)
    rows, columns = box_of(digit)
    assert (len(rows), len(columns)) == (20, 7)  # 30 x 10 scaled to 20 in the longer direction
    assert_array_equal(digit[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1], 255)


def test_specks_of_paper_do_not_widen_the_box():
    picture = np.zeros((60, 60), np.uint8)
    picture[20:40, 20:40] = 255
    expected = prepare_digit(picture)
    picture[20:40, 20:40] = 240
    picture[3, 3] = picture[57, 57] = 14  # fainter than a sixteenth of the darkest ink
    assert_array_equal(prepare_digit(picture), expected)
    picture[3, 3] = 15
    assert prepare_digit(picture).tolist() != expected.tolist()


@given(PICTURES)
def test_longer_side_becomes_20_by_area_averaging(picture):
    """Averaged over a finer grid, on which pixels of both sizes have whole numbers of cells."""
    picture[0], picture[-1], picture[:, 0], picture[:, -1] = 0, 0, 0, 0
    picture[1, 1] = picture[-2, -2] = 255  # so that the box is all but the border
    ink = picture[1:-1, 1:-1].astype(int)
    height, width = (max(1, floor(20 * size / max(ink.shape) + 0.5)) for size in ink.shape)
    fine = np.kron(ink, np.ones((height, width), int))
    means = fine.reshape(height, ink.shape[0], width, ink.shape[1]).sum(axis=(1, 3))
    expected = [
        [floor(Fraction(255 * int(mean), int(means.max())) + Fraction(1, 2)) for mean in row] for row in means
    ]
    digit = prepare_digit(picture)
    places = [(top, left) for top in range(29 - height) for left in range(29 - width)]
    parts = [digit[top : top + height, left : left + width] for top, left in places]
    assert any(np.array_equal(part, expected) and part.sum() == digit.sum() for part in parts)


@given(PICTURES)
def test_centre_of_mass_lies_in_the_middle_as_far_as_the_border_allows(picture):
    if len(np.unique(picture)) == 1:
        return
    digit = prepare_digit(picture)
    assert (digit.shape, digit.dtype, digit.max()) == ((28, 28), np.uint8, 255)
    for axis, positions in enumerate(box_of(digit)):
        centre = centre_of_mass(digit, axis)
        touches_border = positions[0] == 0 or positions[-1] == 27
        assert abs(centre - 14) <= 0.5 or touches_border


@pytest.mark.parametrize("grey", [0, 93, 255])
def test_plain_picture_is_refused(grey):
    with pytest.raises(ValueError, match="all pixels are equal, expected a digit on a plain background"):
        prepare_digit(np.full((9, 9), grey, np.uint8))


def test_ink_is_the_lighter_where_both_are_as_far_from_the_background():
    picture = np.full((9, 9), 100, np.uint8)
    picture[4, 2], picture[4, 6] = 0, 200
    lighter = np.where(picture == 0, 100, picture)
    assert_array_equal(prepare_digit(picture), prepare_digit(lighter))


@pytest.mark.parametrize("mode", ["L", "RGB", "P", "1", "LA"])
def test_picture_files_of_any_kind_are_read(mode, tmp_path):
    picture = np.full((80, 60), 255, np.uint8)
    picture[10:70, 25:35] = 0
    Image.fromarray(picture).convert(mode).save(tmp_path / "one.png")
    assert_array_equal(read_digit(tmp_path / "one.png"), prepare_digit(picture))


def test_transparent_parts_are_white(tmp_path):
    picture = np.zeros((80, 60, 4), np.uint8)  # black, transparent
    picture[10:70, 25:35, 3] = 255
    Image.fromarray(picture).save(tmp_path / "one.png")
    assert_array_equal(read_digit(tmp_path / "one.png"), prepare_digit(255 - picture[..., 3]))


def test_photograph_is_turned_as_its_exif_says(tmp_path):
    """A phone stores what its sensor saw, and separately how it was held."""
    upright = np.full((80, 60), 255, np.uint8)
    upright[10:70, 25:35] = 0
    upright[10:20, 25:50] = 0  # not the same upside down
    exif = Image.Exif()
    exif[EXIF_ORIENTATION] = 6  # to be turned clockwise by a quarter
    Image.fromarray(np.rot90(upright)).save(tmp_path / "turned.png", exif=exif)
    assert_array_equal(read_digit(tmp_path / "turned.png"), prepare_digit(upright))


def test_16_bits_per_pixel_are_read_as_8(tmp_path):
    """Scanners write such pictures; levels above 255 must not all become white."""
    levels = np.full((80, 60), 250, np.uint8)
    levels[10:70, 25:35] = np.arange(60)[:, None]
    Image.fromarray(levels.astype(np.uint16) * 257).save(tmp_path / "deep.png")
    assert_array_equal(read_digit(tmp_path / "deep.png"), prepare_digit(levels))


@pytest.mark.parametrize("content", [b"", b"no picture", b"\x89PNG\r\n\x1a\n" + b"\0" * 30])
def test_file_that_is_not_a_picture_is_refused_by_name(content, tmp_path):
    (tmp_path / "digit.png").write_bytes(content)
    with pytest.raises(InputError, match=r"digit\.png: not a picture, expected a picture of a digit, such as a PNG$"):
        read_digit(tmp_path / "digit.png")


def test_damaged_picture_is_refused_by_name(tmp_path):
    Image.effect_noise((90, 90), 50).save(tmp_path / "digit.png")
    content = (tmp_path / "digit.png").read_bytes()
    (tmp_path / "digit.png").write_bytes(content[: len(content) // 2])
    with pytest.raises(InputError, match=r"digit\.png: .*truncated.*, expected a picture of a digit"):
        read_digit(tmp_path / "digit.png")


def test_empty_picture_and_too_large_one_are_refused_by_name(tmp_path, recwarn):
    Image.new("L", (9, 9)).save(tmp_path / "empty.png")
    Image.new("1", (5000, 4000)).save(tmp_path / "large.png")
    Image.new("1", (9500, 10_000)).save(tmp_path / "larger.png")
    Image.new("1", (20_000, 10_000)).save(tmp_path / "largest.png")
    with pytest.raises(InputError, match=r"empty\.png: all pixels are equal, expected a digit"):
        read_digit(tmp_path / "empty.png")
    with pytest.raises(InputError, match=r"large\.png: has 5000 x 4000 pixels, at most 16777216 are read"):
        read_digit(tmp_path / "large.png")
    with pytest.raises(InputError, match=r"larger\.png: has 9500 x 10000 pixels, at most 16777216 are read"):
        read_digit(tmp_path / "larger.png")
    with pytest.raises(InputError, match=r"largest\.png: Image size .* exceeds limit"):
        read_digit(tmp_path / "largest.png")
    assert recwarn.list == []


@pytest.mark.parametrize("compression", ["tiff_lzw", "tiff_deflate", "jpeg", "packbits", "group4"])
def test_odd_pictures_print_no_warnings(compression, tmp_path, capfd):
    """Decoders print messages about damaged pixels, and Pillow warns of other damage."""
    path = tmp_path / "damaged.tif"
    Image.effect_noise((90, 90), 50).convert("1" if compression == "group4" else "L").save(
        path, compression=compression
    )
    content = bytearray(path.read_bytes())
    content[100:-300:7] = b"\x55" * len(content[100:-300:7])
    path.write_bytes(content)
    with suppress(InputError):
        read_digit(path)
    assert capfd.readouterr() == ("", "")


@pytest.mark.parametrize(
    ("name", "found"), [("missing.png", "not found"), ("", "is a folder"), ("pipe", "is a pipe")]
)
def test_what_cannot_be_a_picture_is_refused(name, found, tmp_path):
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(InputError, match=rf"{found}.*, expected a picture of a digit, such as a PNG$"):
        read_digit(tmp_path / name)
