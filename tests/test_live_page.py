"""figs/live.html as its user sees it, in a browser: buttons, drawing, maps, sentences, screens."""

import io
import re

import numpy as np
import pytest
from matplotlib.image import imread
from numpy.testing import assert_array_equal

from experiment.digit import prepare_digit
from tests.browser import classify, screenshot, show_as
from tests.live_reference import ANN_OPERATIONS, FIRST, WRONG_AT_FIRST, WRONG_TO_THE_END, simulate
from tests.test_live_drawing import DIGITS, draw

POSITIVE, NEGATIVE = (0xFF, 0xD1, 0x66), (0x1F, 0x78, 0xC8)  # in the maps
CHOSEN_CLASS = {"light": (0x00, 0x80, 0x5D), "dark": (0x2F, 0xC7, 0x95)}


def test_digit_drawn_with_the_mouse_is_seen_and_classified(shown):
    shown.press("#clear")
    assert shown.text("#pad-hint") == "draw here"
    draw(shown, DIGITS[7], 120, 170)
    assert (shown.text("#guess"), shown.text("#says"), shown.text("#pad-hint")) == ("7", "7", "")
    assert "Both networks say 7." in shown.text("#sentence")
    drawn, seen = shown.pixels("#pad")[..., 0], shown.pixels("#seen")[..., 0]
    assert_array_equal(seen, prepare_digit(drawn))
    assert classify(shown.driver, seen, "{}")["predictions"][0, -1] == 7


def test_stroke_after_a_test_image_begins_a_new_drawing(shown):
    from selenium.webdriver import ActionChains

    ActionChains(shown.driver, duration=1).drag_and_drop_by_offset(shown.find("#pad"), 0, 60).perform()
    columns = np.flatnonzero(shown.pixels("#pad").any(axis=(0, 2)))
    assert columns.min() > 110
    assert columns.max() < 170
    assert "label" not in shown.text("#sentence")


def assert_blank(shown, sentence):
    assert shown.text("#sentence") == sentence
    told = "#step-label, #timeline, #counts, #guess, #says, #classes, #brief, #work-label, #neuron, #numbers"
    assert [element.text for element in shown.find_all(f"{told}, .counts")] == 15 * [""]
    assert not any(canvas.is_displayed() for canvas in shown.find_all(".map canvas, #seen"))
    assert not any(control.is_enabled() for control in shown.find_all("#transport :is(button, input), #example"))


def test_clear_blanks_the_page_until_there_is_another_image(shown, mnist):
    draw(shown, DIGITS[7], 120, 170)
    shown.press("#example")
    shown.press("#clear")
    assert_blank(shown, "Draw a digit, or choose a test image.")
    for setting in ("label:has([name=k][value='1'])", "label:has([name=burst][value='2'])"):
        shown.press(setting)
        assert_blank(shown, "Draw a digit, or choose a test image.")
    shown.press("#gallery .image")
    shown.play_to_the_end()
    found = classify(shown.driver, mnist[0][[FIRST]], "{k: 1, maxSpikes: 2}")
    assert shown.text("#guess") == str(found["predictions"][0, -1])
    assert "Both networks say 4." in shown.text("#sentence")
    assert shown.find("#back").is_enabled()


def test_drawing_beyond_the_stored_thresholds_is_refused_in_words(shown):
    shown.driver.execute_script("networks[1].blocks[0].thresholds.fill(-(2 ** 31))")  # all counts are justified
    shown.press("label:has([name=burst][value='Infinity'])")
    shown.press("label:has([name=k][value='1'])")
    assert_blank(shown, "Here a neuron fires more often than the page has thresholds for. Draw another digit.")
    shown.press("label:has([name=k][value='0'])")
    draw(shown, DIGITS[7], 120, 170)
    assert "Both networks say 7." in shown.text("#sentence")


def test_buttons_step_through_a_run(shown):
    _, last = shown.step()
    assert shown.step() == (1, last)
    shown.press("#forward")
    assert shown.step() == (2, last)
    shown.press("#back")
    shown.press("#back")
    assert shown.step() == (0, last)
    assert "Press Play" in shown.text("#sentence")
    assert shown.find("#back").get_attribute("aria-disabled") == "true"
    shown.press("#play")
    shown.wait_for_the_end()
    assert shown.step() == (last, last)
    assert shown.find("#forward").get_attribute("aria-disabled") == "true"
    shown.press("#first")
    assert shown.step() == (0, last)
    shown.press("#timeline button:nth-child(3)")
    assert shown.step() == (3, last)
    shown.play_with(pause=60_000)
    shown.press("#play")
    assert shown.text("#play") == "Pause"
    shown.press("#play")
    assert (shown.text("#play"), shown.step()) == ("Play", (4, last))


def test_slider_moves_with_the_arrow_keys(shown):
    from selenium.webdriver import Keys

    shown.find("#step").send_keys(Keys.ARROW_RIGHT, Keys.ARROW_RIGHT, Keys.ARROW_LEFT)
    assert shown.step()[0] == 2
    shown.find("#step").send_keys(Keys.END)
    assert len(set(shown.step())) == 1


@pytest.mark.parametrize("k", [0, 1, 2])
def test_gallery_shows_what_becomes_of_each_image(shown, mnist, k):
    shown.press(f"label:has([name=k][value='{k}'])")
    for button in shown.find_all("#gallery .image")[:: 1 if k == 0 else 3]:
        button.click()
        assert (shown.step()[0], shown.text("#play")) == (1, "Play")  # one predicts first
        assert shown.find_all("#gallery .image[aria-pressed=true]") == [button]
        assert shown.text("#says-when") == "After step 1 it says:"
        shown.play_to_the_end()
        assert shown.text("#says-when") == "In the end:"
        number = int(re.search(r"Test image (\d+)", button.accessible_name)[1])
        pixels, label = mnist[0][[number]], mnist[1][number]
        found = classify(shown.driver, pixels, f"{{k: {k}, timeSteps: 40}}")
        guess = found["predictions"][0, -1]
        fired = (found["positive"] + found["negative"])[0].sum(axis=1)
        assert shown.step()[1] == np.flatnonzero(fired).max() + 2  # and a silent one
        assert shown.text("#guess") == str(guess)
        wrong = "" if guess == label else f", though the label says {label}"
        assert "Silence. Every neuron has now said exactly" in shown.text("#sentence")
        assert f"Both networks say {guess}{wrong}." in shown.text("#sentence")
        if k == 0:
            assert (found["predictions"][0, 1] != label) == (number in WRONG_AT_FIRST + WRONG_TO_THE_END)
            assert (guess != label) == (number in WRONG_TO_THE_END)


@pytest.mark.parametrize(("value", "largest"), [("1", 1), ("2", 2), ("4", 4), ("Infinity", np.inf)])
def test_table_counts_spikes_and_operations_of_the_equations(shown, mnist, value, largest):
    shown.press(f"label:has([name=burst][value='{value}'])")
    assert (shown.step()[0], shown.text("#play")) == (1, "Play")
    _, last = shown.step()
    shown.press(f"#timeline button:nth-child({last})")
    expected = simulate(0, last, mnist[0][[FIRST]], largest).summary()
    positive, negative, sops = (expected[key][0].sum(axis=1) for key in ("positive", "negative", "sops"))
    columns = range(1, last + 1), positive, negative, sops, sops.cumsum()
    rows = shown.table("#numbers")
    assert [row[:5] for row in rows] == [[f"{number:,}" for number in row] for row in zip(*columns, strict=True)]
    assert [row[5] for row in rows] == [f"{100 * sop / ANN_OPERATIONS:.1f} %" for sop in sops.cumsum()]
    assert [row[6] for row in rows] == [str(guess) for guess in expected["predictions"][0]]
    assert f"{sops.sum():,} additions" in shown.text("#work-label")
    assert shown.text("#counts") == "In this step: silence, 0 additions (SOPs)"


def test_without_negative_spikes_the_guess_stays_wrong_and_the_page_says_why(shown, mnist):
    assert "−1" in shown.text("#maps .legend")
    shown.press("#negative")
    assert "−1" not in shown.text("#maps .legend")
    shown.play_to_the_end()
    only_positive = simulate(0, shown.step()[1], mnist[0][[FIRST]], negative_spikes=False)
    both = simulate(0, 12, mnist[0][[FIRST]])
    pairs = zip(only_positive.spikes, both.spikes, strict=True)
    mistaken = sum(np.sum(one.sum(axis=1) != other.sum(axis=1)) for one, other in pairs)
    without, exact = only_positive.outputs[0, -1].argmax(), both.outputs[0, -1].argmax()
    assert without != exact
    assert f"{mistaken:,} neurons have not said their true number" in shown.text("#sentence")
    assert f"The guess is {without}; with negative spikes it would be {exact}" in shown.text("#sentence")


def test_maps_show_the_spikes_neuron_by_neuron(shown, mnist):
    simulation = simulate(0, 2, mnist[0][[FIRST]])
    shown.press("#forward")
    for number, (train, across) in enumerate(zip(simulation.spikes, (5, 5, 10, 10, 25), strict=True), start=1):
        colours, spikes = shown.pixels(f".block-{number} canvas"), train[0, 1]
        height, width, channels = spikes.shape
        gap = int(height > 1)
        assert colours.shape[:2] == (channels // across * (height + gap) - gap, across * (width + gap) - gap)
        for channel in range(channels):
            top, left = channel // across * (height + gap), channel % across * (width + gap)
            field, fired = colours[top : top + height, left : left + width], spikes[..., channel]
            assert_array_equal(np.all(field == POSITIVE, axis=2), fired > 0)
            assert_array_equal(np.all(field == NEGATIVE, axis=2), fired < 0)
        counts = {"+": np.sum(spikes > 0), "−": np.sum(spikes < 0)}
        shown_counts = " ".join(f"{sign}{count:,}" for sign, count in counts.items() if count)
        assert shown.text(f".block-{number} .counts") == (shown_counts or "silent")


def test_everything_that_can_be_operated_has_a_name(shown):
    operable = shown.find_all(":is(button, input, select, canvas[tabindex]):not([aria-hidden=true] *)")
    names = [element.accessible_name for element in operable]
    assert len(names) > 25
    assert all(names)


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize(("width", "height", "scale"), [(1280, 900, 1), (390, 844, 2)])
def test_page_fits_desktop_and_phone_in_light_and_dark(shown, scheme, width, height, scale):
    show_as(shown.driver, width, height, scale, touch=width < 500, scheme=scheme)
    shown.press("#example")
    used = shown.driver.execute_script("return document.documentElement.scrollWidth")
    assert 0 <= width - used <= 15  # but for the place of a scrollbar
    assert re.fullmatch(r"In this step: (\+[\d,]+ )?−[\d,]+ spikes, [\d,]+ additions \(SOPs\)", shown.text("#counts"))
    picture = np.rint(255 * imread(io.BytesIO(screenshot(shown.driver)))[..., :3])
    assert picture.shape[1] == scale * used
    assert (np.median(picture) > 128) == (scheme == "light")
    for colour in (POSITIVE, NEGATIVE, CHOSEN_CLASS[scheme]):
        assert np.any(np.all(picture == colour, axis=2))
    for canvas, box in zip(shown.find_all(".map canvas"), shown.boxes(".map canvas"), strict=True):
        # a neuron is a whole number of the screen's pixels
        magnified = box["width"] * scale / int(canvas.get_attribute("width"))
        assert magnified == pytest.approx(round(magnified), abs=0.02)
        assert round(magnified) >= 2


def test_maps_keep_their_size_beside_a_scrollbar(shown):
    def widths(of_window):
        show_as(shown.driver, of_window, 900, scale=1, touch=False, scheme="light")
        return [canvas["width"] for canvas in shown.boxes(".map canvas")]

    gutter = shown.driver.execute_script("return getComputedStyle(document.documentElement).scrollbarGutter")
    assert gutter == "stable"
    assert widths(1265) == widths(1280)
