"""figs/live.html on screens of all sizes, in both themes, in forced colours, and in print."""

import base64
import re
import zlib
from itertools import product

import numpy as np
import pytest

from tests.browser import apart, show_as

SIZES = [(390, 844), (600, 800), (768, 1024), (1280, 720), (1280, 900), (1920, 1080)]
LEAST_CONTRAST = 3
MAP_COLOURS = {"plus": (255, 209, 102), "minus": (31, 120, 200), "none": (40, 40, 40), "most rest": (84, 84, 84)}


def resize(shown, width, height, scheme="light", scale=1):
    show_as(shown.driver, width, height, scale, touch=False, scheme=scheme)
    shown.driver.execute_async_script("requestAnimationFrame(() => setTimeout(arguments[0], 50))")


def layout(shown):
    """Where everything lies, in CSS pixels."""
    return shown.driver.execute_script(
        """scrollTo(0, 0);
        return [...document.querySelectorAll("main *:not(svg *, table *, details *)")].map((element) => {
          const { left, top, width, height } = element.getBoundingClientRect();
          const name = element.id || element.className || element.tagName;
          return [name, ...[left, top + scrollY, width, height].map(Math.round)];
        });"""
    )


def assert_nothing_sticks_out(shown, width, scale=1):
    sizes = shown.driver.execute_script(
        "const root = document.documentElement; return [root.scrollWidth, innerWidth]"
    )
    assert sizes[0] <= sizes[1] == width
    pairs = shown.driver.execute_script(
        """return [...document.querySelectorAll(".card :is(canvas, ol)")].map((inside) =>
          [inside, inside.closest(".card")].map((one) => one.getBoundingClientRect().toJSON()));"""
    )
    assert len(pairs) > 5
    for inside, card in pairs:
        assert inside["left"] >= card["left"], (width, scale)
        assert inside["right"] <= card["right"] + 0.5, (width, scale)
        assert inside["bottom"] <= card["bottom"] + 0.5, (width, scale)


def test_page_resized_is_the_page_loaded_at_that_size(shown):
    shown.driver.execute_script("select(2, 300, true)")
    loaded = {}
    for width, height in SIZES:
        resize(shown, width, height)
        shown.driver.refresh()
        shown.driver.execute_script("select(2, 300, true)")
        resize(shown, width, height)
        loaded[width, height] = layout(shown)
        assert_nothing_sticks_out(shown, width)
    for size in (*SIZES, *SIZES[-2::-1], SIZES[-1], (600, 800), (1280, 720)):
        resize(shown, *size)
        assert layout(shown) == loaded[size], size


def test_nothing_sticks_out_at_other_widths_and_zooms(shown):
    for width, scale in product((320, 600, 641, 999, 1001, 1440, 3000), (1, 1.25, 2)):
        resize(shown, width, 700, scale=scale)
        assert_nothing_sticks_out(shown, width, scale)


@pytest.mark.parametrize(("width", "height"), [(1280, 720), (1366, 768), (1920, 1080)])
@pytest.mark.parametrize("address", ["k=0&image=121&step=3", "k=2&negative=off&image=232&step=9"])
def test_one_screen_of_a_projector_shows_maps_legend_guess_and_timeline(shown, width, height, address):
    resize(shown, width, height)
    shown.driver.execute_script("location.hash = arguments[0]", address)
    shown.wait_for(lambda: shown.step()[0] in (3, 9))
    shown.driver.execute_script("select(3, 300, true); scrollTo(0, 0)")
    parts = ".map canvas", "#maps .legend", ".guess", "#classes li", "#timeline", "#sentence", "#transport", "#brief"
    boxes = {part: shown.boxes(part) for part in (*parts, "#pad", "#settings")}
    assert len(boxes[".map canvas"]) == 5
    for part, places in boxes.items():
        for box in places:
            assert box["top"] >= 0, part
            assert box["bottom"] <= height, part
            assert box["right"] <= width, part
    for canvas in boxes[".map canvas"]:  # nothing lies on a map
        for part in ("#maps .legend", "#brief", "#timeline", ".guess", "#sentence"):
            [box] = boxes[part]
            assert apart(box, canvas), part


def test_hint_covers_nothing_on_any_screen(shown):
    for width, height in SIZES:
        resize(shown, width, height)
        below = shown.driver.execute_script(
            "scrollTo(0, 0); return getComputedStyle(arguments[0]).position", shown.find("#brief")
        )
        assert below == "static"
        [brief] = shown.boxes("#brief")
        assert all(brief["top"] >= canvas["bottom"] for canvas in shown.boxes(".map canvas"))


def luminance(colour):
    parts = np.array(colour[:3]) / 255
    linear = np.where(parts <= 0.04045, parts / 12.92, ((parts + 0.055) / 1.055) ** 2.4)
    return linear @ (0.2126, 0.7152, 0.0722)


def contrast(one, other):
    lighter, darker = sorted((luminance(one), luminance(other)), reverse=True)
    return (lighter + 0.05) / (darker + 0.05)


def test_signs_in_the_maps_differ_without_hue(shown):
    """Also from each other, so that no colour is needed to tell them apart; neurons at rest are darker than both."""
    greys = "...[NO_SPIKE, LIGHTEST_REST].map((grey) => [grey, grey, grey])"
    found = shown.driver.execute_script(f"return [POSITIVE, NEGATIVE, {greys}]")
    assert [tuple(colour) for colour in found] == list(MAP_COLOURS.values())
    assert contrast(MAP_COLOURS["plus"], MAP_COLOURS["minus"]) >= LEAST_CONTRAST
    assert contrast(MAP_COLOURS["minus"], MAP_COLOURS["none"]) >= LEAST_CONTRAST
    assert luminance(MAP_COLOURS["most rest"]) < luminance(MAP_COLOURS["minus"]) / 2
    swatches = [shown.find(f".swatch.{sign}").value_of_css_property("background-color") for sign in ("plus", "minus")]
    assert [tuple(map(int, re.findall(r"\d+", colour)[:3])) for colour in swatches] == list(MAP_COLOURS.values())[:2]


# what tells something: its colour must stand out from what lies behind it
TELLING = {
    "#timeline i": "border-top-color",
    "#classes i": "background-color",
    "#classes .chosen i": "background-color",
    "#classes span": "border-left-color",
    "#step": "background-color",
    "#work span": "background-color",
    "#neuron-chart .upper": "stroke",
    "#neuron-chart .lower": "stroke",
    "#neuron-chart .target": "stroke",
    "#neuron-chart polyline": "stroke",
    "#neuron-chart .fires-minus": "fill",
    "#neuron-chart text": "fill",
    ".swatch": "border-top-color",
    ".key": "border-top-color",
    "#timeline .now": "border-top-color",
}


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_lines_bars_and_steps_to_come_stand_out(shown, scheme):
    resize(shown, 1280, 900, scheme)
    shown.press("#example")
    found = shown.driver.execute_script(
        """const behind = (element) => {
          for (let at = element.parentElement; at; at = at.parentElement) {
            const colour = getComputedStyle(at).backgroundColor;
            if (!/, 0\\)$/.test(colour)) return colour;
          }
        };
        return Object.entries(arguments[0]).flatMap(([selector, property]) =>
          [...document.querySelectorAll(selector)].map((element) => [selector, behind(element),
            getComputedStyle(element).getPropertyValue(property), getComputedStyle(element).opacity]));""",
        TELLING,
    )
    assert {selector for selector, *_ in found} == set(TELLING)
    for selector, behind, colour, opacity in found:
        back, front = (np.array(list(map(float, re.findall(r"[\d.]+", one)[:3]))) for one in (behind, colour))
        seen = back + float(opacity) * (front - back)
        assert contrast(seen, back) >= LEAST_CONTRAST, (selector, behind, colour)
    steps = [float(step.value_of_css_property("opacity")) for step in shown.find_all("#timeline button")]
    assert set(steps) == {1}


BARS = ["#timeline .now i", "#classes .chosen i", "#work span", ".swatch.plus", ".swatch.minus"]
FILLED = [*BARS, "#play", ".choices label:has(:checked)"]


def test_forced_colours_leave_bars_swatches_and_choices(shown):
    shown.press("#forward")
    features = [{"name": "forced-colors", "value": "active"}, {"name": "prefers-color-scheme", "value": "dark"}]
    shown.driver.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": features})
    page = shown.driver.execute_script("return getComputedStyle(document.body).backgroundColor")
    for selector in FILLED:
        assert shown.find(selector).value_of_css_property("forced-color-adjust") == "none"  # else text gets a box
        colour = shown.find(selector).value_of_css_property("background-color")
        one, other = ([int(n) for n in re.findall(r"\d+", text)[:3]] for text in (colour, page))
        assert contrast(one, other) >= LEAST_CONTRAST, selector
    for number in range(1, shown.step()[1]):  # steps to come have borders
        [bar, *_] = shown.find_all(f"#timeline button:nth-child({number}) i")
        assert float(bar.value_of_css_property("border-top-width")[:-2]) >= 1


def drawn_colours(pdf):
    """The colours with which the pages of a PDF file fill areas, as red, green and blue from 0 to 255."""
    streams = re.findall(rb"stream\r?\n(.*?)\r?\nendstream", pdf, re.DOTALL)
    operations = b""
    for stream in streams:
        try:
            operations += zlib.decompress(stream)
        except zlib.error:
            continue
    return {
        tuple(round(255 * float(n)) for n in found.split()[:3])
        for found in re.findall(rb"([\d.]+ [\d.]+ [\d.]+) rg", operations)
    }


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_print_without_backgrounds_has_bars_and_swatches_on_white(shown, scheme):
    resize(shown, 1280, 900, scheme)
    shown.press("#forward")
    options = {"printBackground": False, "preferCSSPageSize": False}
    pdf = base64.b64decode(shown.driver.execute_cdp_cmd("Page.printToPDF", options)["data"])
    colours = drawn_colours(pdf)
    bars = (0x8A, 0x5B, 0x00), (0x11, 0x69, 0x9F), (0x00, 0x80, 0x5D)
    assert {*bars, MAP_COLOURS["plus"], MAP_COLOURS["minus"]} <= colours
    assert not {(0x13, 0x14, 0x17), (0x1E, 0x20, 0x24)} & colours  # the dark theme would print black pages
