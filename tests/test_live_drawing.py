"""The drawing pad of figs/live.html: mouse, fingers, small digits, and browsers that hide what was drawn."""

import base64
import math

import numpy as np
import pytest
from numpy.testing import assert_array_equal

from experiment.digit import prepare_digit
from tests.browser import classify, show_as

UNREADABLE = "This browser does not let the page read the drawing. Choose a test image instead."


def arc(x, y, width, height, start, end):
    """A stroke along an ellipse around (x, y), from one angle in degrees to another, in a square of side 1."""
    angles = np.radians(np.linspace(start, end, 11))
    return [(x + width / 2 * math.cos(angle), y + height / 2 * math.sin(angle)) for angle in angles]


DIGITS = [  # as strokes
    [arc(0.5, 0.5, 0.72, 1, -90, 270)],
    [[(0.5, 0), (0.5, 1)]],
    [[*arc(0.5, 0.28, 0.72, 0.56, -160, 40), (0.1, 1), (0.95, 1)]],
    [arc(0.45, 0.26, 0.76, 0.52, -150, 90) + arc(0.45, 0.75, 0.84, 0.5, -90, 150)],
    [[(0.3, 0), (0.1, 0.6), (0.9, 0.6)], [(0.75, 0.1), (0.7, 1)]],
    [[(0.9, 0), (0.25, 0), (0.2, 0.42), *arc(0.45, 0.68, 0.84, 0.64, -120, 140)]],
    [[(0.7, 0), (0.35, 0.3), *arc(0.5, 0.7, 0.72, 0.6, -160, 200)]],
    [[(0.05, 0), (0.95, 0), (0.4, 1)]],
    [arc(0.5, 0.25, 0.56, 0.5, 90, 450) + arc(0.5, 0.75, 0.72, 0.5, -90, 270)],
    [[*arc(0.5, 0.28, 0.66, 0.56, 0, -350), (0.83, 0.3), (0.7, 1)]],
]


def touch(shown, kind, *points):
    """Fingers on the pad, each (finger, x, y) from its upper left corner; those of touchEnd leave it."""
    left, top = shown.driver.execute_script(
        "const { left, top } = arguments[0].getBoundingClientRect(); return [left, top]", shown.find("#pad")
    )
    fingers = [{"x": left + x, "y": top + y, "id": finger} for finger, x, y in points]
    shown.driver.execute_cdp_cmd("Input.dispatchTouchEvent", {"type": kind, "touchPoints": fingers})


@pytest.fixture
def phone(shown):
    show_as(shown.driver, 390, 844, scale=2, touch=True, scheme="light")
    shown.press("#clear")
    shown.driver.execute_script("find('pad').scrollIntoView({ block: 'center' })")
    return shown


def ink(shown):
    return shown.pixels("#pad")[..., 0] > 0


def test_strokes_of_the_first_finger_only(phone):
    touch(phone, "touchStart", (1, 60, 40))
    touch(phone, "touchMove", (1, 60, 120))
    touch(phone, "touchStart", (1, 60, 120), (2, 220, 60))  # the palm
    touch(phone, "touchMove", (1, 60, 160), (2, 230, 90))
    touch(phone, "touchEnd", (2, 230, 90))  # the palm leaves, the finger goes on
    assert phone.text("#play") == "Play"  # nothing is classified before the stroke has ended
    touch(phone, "touchMove", (1, 60, 240))
    touch(phone, "touchEnd")
    rows, columns = np.nonzero(ink(phone))
    assert columns.max() < 90  # no line to the palm
    assert rows.max() > 230  # the stroke went on
    phone.wait_for_the_end()
    assert_array_equal(phone.pixels("#seen")[..., 0], prepare_digit(phone.pixels("#pad")[..., 0]))


def test_swipe_over_an_image_leaves_it_there(phone):
    phone.driver.execute_script("chooseImage(gallery[0])")
    phone.driver.execute_script("find('pad').scrollIntoView({ block: 'center' })")
    assert "pan-y" in phone.find("#pad").value_of_css_property("touch-action")
    before = ink(phone)
    for to in ((60, 200), (220, 60)):
        touch(phone, "touchStart", (1, 60, 60))
        touch(phone, "touchMove", (1, *to))
        touch(phone, "touchEnd")
    assert_array_equal(ink(phone), before)
    assert phone.driver.execute_script("return state.image.number") == 121
    phone.press("#clear")
    assert phone.find("#pad").value_of_css_property("touch-action") == "none"


def test_palm_that_stays_does_not_draw_after_the_stroke(phone):
    touch(phone, "touchStart", (1, 60, 40))
    touch(phone, "touchStart", (1, 60, 40), (2, 200, 60))
    touch(phone, "touchEnd", (1, 60, 40))
    before = ink(phone)
    touch(phone, "touchMove", (2, 200, 240))
    touch(phone, "touchEnd")
    assert_array_equal(ink(phone), before)


def test_pen_and_palm_are_not_joined(shown):
    """Each is the primary pointer of its kind."""
    shown.driver.execute_script(
        """const pad = find("pad");
        pad.setPointerCapture = () => {}; // of pointers that do not exist
        const { left, top } = pad.getBoundingClientRect();
        window.send = (type, pointerType, pointerId, x, y) => pad.dispatchEvent(new PointerEvent(type,
          { pointerType, pointerId, isPrimary: true, button: 0, clientX: left + x, clientY: top + y }));"""
    )
    pad = shown.find("#pad").rect["width"]
    for event in [
        ("pointerdown", "pen", 1, 0.2 * pad, 0.2 * pad),
        ("pointermove", "pen", 1, 0.2 * pad, 0.5 * pad),
        ("pointerdown", "touch", 2, 0.8 * pad, 0.5 * pad),
        ("pointermove", "touch", 2, 0.8 * pad, 0.6 * pad),
        ("pointercancel", "touch", 2, 0.8 * pad, 0.6 * pad),
        ("pointermove", "pen", 1, 0.2 * pad, 0.8 * pad),
        ("pointerup", "pen", 1, 0.2 * pad, 0.8 * pad),
    ]:
        shown.driver.execute_script("window.send(...arguments)", *event)
    rows, columns = np.nonzero(ink(shown))
    assert columns.max() < 280 * 0.3
    assert rows.max() > 280 * 0.75


@pytest.mark.parametrize(
    "interruption", ["find('clear').click()", "document.querySelector('#gallery .image').click()"]
)
def test_stroke_ends_where_its_drawing_is_cleared(phone, interruption):
    touch(phone, "touchStart", (1, 60, 40))
    phone.driver.execute_script(interruption)
    before = ink(phone)
    touch(phone, "touchMove", (1, 60, 200))
    touch(phone, "touchEnd")
    assert_array_equal(ink(phone), before)


def test_selected_text_does_not_stop_the_pen(shown):
    from selenium.webdriver import ActionChains

    shown.press("#clear")
    shown.driver.execute_script("getSelection().selectAllChildren(document.querySelector('main'))")
    pad = shown.find("#pad")
    for x in (-40, 40):
        stroke = ActionChains(shown.driver, duration=20).move_to_element_with_offset(pad, x, -60).click_and_hold()
        for y in range(-50, 70, 10):
            stroke.move_to_element_with_offset(pad, x, y)
        stroke.release().perform()
    rows, columns = np.nonzero(ink(shown))
    assert rows.max() - rows.min() > 120
    assert columns.max() - columns.min() > 80
    assert shown.text("#guess") in {*"0123456789"}
    for selector in ("#pad", ".map canvas", "p"):
        prevented = (
            "return !arguments[0].dispatchEvent(new DragEvent('dragstart', {bubbles: true, cancelable: true}))"
        )
        assert shown.driver.execute_script(prevented, shown.find(selector))


@pytest.mark.parametrize(
    "answer",
    [
        "data.fill(255)",
        "data.fill(0)",
        "data.forEach((_, index) => (data[index] = 255 * Math.random()))",
        "throw new DOMException('', 'SecurityError')",
    ],
)
def test_drawing_that_the_browser_hides_leaves_no_guess(shown, answer):
    from selenium.webdriver import ActionChains

    shown.driver.execute_script(
        f"""CanvasRenderingContext2D.prototype.getImageData = (x, y, width, height) => {{
          const data = new Uint8ClampedArray(4 * width * height);
          {answer};
          return {{ data }};
        }};"""
    )
    stroke = ActionChains(shown.driver, duration=1).move_to_element_with_offset(shown.find("#pad"), 0, -50)
    stroke.click_and_hold().move_by_offset(0, 100).release().perform()
    assert shown.text("#sentence") == UNREADABLE
    assert shown.text("#guess") == shown.text("#says") == ""
    shown.press("#gallery .image")
    shown.play_to_the_end()
    assert shown.text("#guess") == "4"


def test_noise_of_a_browser_on_its_pixels_is_no_hindrance(shown):
    shown.driver.execute_script(
        """const read = CanvasRenderingContext2D.prototype.getImageData;
        CanvasRenderingContext2D.prototype.getImageData = function (...box) {
          const image = read.apply(this, box);
          image.data.forEach((value, index) => (image.data[index] = value + Math.round(2 * Math.random() - 1)));
          return image;
        };"""
    )
    draw(shown, DIGITS[7], 110, 150)
    assert shown.text("#guess") == "7"


def draw(shown, strokes, width, height):
    """Draws a digit in the middle of the empty pad with the mouse, in CSS pixels, and lets it be classified."""
    from selenium.webdriver import ActionChains

    shown.press("#clear")
    pad, actions = shown.find("#pad"), ActionChains(shown.driver, duration=0)
    for stroke in strokes:
        places = [(round((x - 0.5) * width), round((y - 0.5) * height)) for x, y in stroke]
        actions.move_to_element_with_offset(pad, *places[0]).click_and_hold()
        for place in places:
            actions.move_to_element_with_offset(pad, *place)
        actions.release()
    actions.perform()
    shown.wait_for_the_end()


def test_small_digits_are_read(shown):
    show_as(shown.driver, 390, 844, scale=1, touch=False, scheme="light")  # where the pad is largest
    guesses = []
    for strokes in DIGITS:
        draw(shown, strokes, 22, 28)
        guesses.append(shown.text("#guess"))
    assert "".join(guesses) == "0123456789"
    drawn, seen = shown.pixels("#pad")[..., 0], shown.pixels("#seen")[..., 0]
    assert_array_equal(seen, prepare_digit(drawn))
    assert classify(shown.driver, seen, "{}")["predictions"][0, -1] == 9


def test_drawing_goes_round_through_its_address(shown):
    draw(shown, DIGITS[3], 110, 150)
    seen = shown.pixels("#seen")
    shown.wait_for(lambda: "drawing=" in shown.driver.current_url)
    drawing = shown.driver.current_url.partition("drawing=")[2].partition("&")[0]
    text = drawing.replace("-", "+").replace("_", "/")
    pixels = np.frombuffer(base64.b64decode(text + "=" * (-len(text) % 4)), np.uint8)
    assert_array_equal(pixels.reshape(28, 28), seen[..., 0])
    shown.driver.refresh()
    assert_array_equal(shown.pixels("#seen"), seen)
    assert "label" not in shown.text("#sentence")
