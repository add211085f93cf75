"""A headless Chromium for the tests of figs/live.html."""

import base64
import os
import re
import shutil
from contextlib import contextmanager

import numpy as np
import pytest

from experiment import ROOT

PAGE = (ROOT / "figs/live.html").as_uri()
OPTIONS = (
    "headless",
    "no-sandbox",  # which Chromium needs as root
    "disable-gpu",
    "disable-quic",
    "no-first-run",
    "disable-background-networking",
    "disable-component-update",
    "disable-sync",
    "hide-scrollbars",
)


@contextmanager
def chromium(profile):
    """Selenium's driver of a browser with its profile in the folder. Without one the tests are skipped, in CI not."""
    programs = {"chromium": "chromium", "chromedriver": "chromium-driver"}  # Debian's packages
    missing = [package for program, package in programs.items() if not shutil.which(program)]
    if missing:
        explanation = f"no browser to test figs/live.html with: install {' and '.join(missing)}"
        if "CI" in os.environ:
            pytest.fail(explanation)
        pytest.skip(explanation)

    from selenium import webdriver

    options = webdriver.ChromeOptions()
    options.binary_location = shutil.which("chromium")
    options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
    for option in (*OPTIONS, f"user-data-dir={profile}"):
        options.add_argument(f"--{option}")
    driver = webdriver.Chrome(options, webdriver.ChromeService(shutil.which("chromedriver")))
    try:
        yield driver
    finally:
        driver.quit()


def show_as(driver, width, height, scale, touch, scheme):
    """Makes the browser a screen of width x height CSS pixels of `scale` device pixels each, light or dark."""
    metrics = {"width": width, "height": height, "deviceScaleFactor": scale, "mobile": touch}
    driver.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", metrics)
    driver.execute_cdp_cmd("Emulation.setTouchEmulationEnabled", {"enabled": touch})
    feature = {"name": "prefers-color-scheme", "value": scheme}
    driver.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": [feature]})


def apart(one, other):
    """Whether two boxes have no point in common but those of their borders."""
    beside = one["right"] <= other["left"] or other["right"] <= one["left"]
    return beside or one["bottom"] <= other["top"] or other["bottom"] <= one["top"]


def screenshot(driver):
    """The whole page as the bytes of a PNG file."""
    size = driver.execute_cdp_cmd("Page.getLayoutMetrics", {})["cssContentSize"]
    clip = {"x": 0, "y": 0, "width": size["width"], "height": size["height"], "scale": 1}
    settings = {"captureBeyondViewport": True, "clip": clip}
    return base64.b64decode(driver.execute_cdp_cmd("Page.captureScreenshot", settings)["data"])


def classify(driver, pixels, options):
    """window.snn.classify over images, as arrays (images, ...); options is JavaScript."""
    answers = driver.execute_script(
        f"""const bytes = Uint8Array.from(atob(arguments[0]), (character) => character.charCodeAt(0));
        return Array.from({{ length: bytes.length / 784 }}, (_, image) =>
          window.snn.classify(bytes.subarray(784 * image, 784 * (image + 1)), {options}));""",
        base64.b64encode(pixels.tobytes()).decode(),
    )
    return {key: np.array([answer[key] for answer in answers]) for key in answers[0]}


class Page:
    """The page as its user sees it."""

    def __init__(self, driver):
        self.driver = driver

    def open(self, fragment=""):
        """Opens the page anew, playing fast, with an address that ends in # and the fragment, if there is one."""
        if fragment:
            self.driver.get("about:blank")  # else another fragment would open nothing
        self.driver.get(f"{PAGE}#{fragment}" if fragment else PAGE)
        self.play_with(pause=5)

    def find(self, selector):
        return self.driver.find_element("css selector", selector)

    def find_all(self, selector):
        return self.driver.find_elements("css selector", selector)

    def text(self, selector):
        return self.find(selector).text

    def texts(self, selector):
        """Of all elements that fit, read at once: the page may draw them anew between two looks."""
        return self._of_each(selector, "one.innerText ?? one.textContent")

    def boxes(self, selector):
        """Where all elements that fit lie on the screen: left, top, right, bottom, width and height in CSS pixels."""
        return self._of_each(selector, "one.getBoundingClientRect().toJSON()")

    def press(self, selector):
        self.driver.execute_script("arguments[0].scrollIntoView({block: 'center'})", self.find(selector))
        self.find(selector).click()

    def table(self, selector):
        """The texts of a table's rows below its header."""
        return self._of_each(f"{selector} tbody tr", "[...one.cells].map((cell) => cell.innerText)")

    def _of_each(self, selector, value):
        """The value of a JavaScript expression of `one` for each element that fits, all in one request."""
        script = f"return [...document.querySelectorAll(arguments[0])].map((one) => {value})"
        return self.driver.execute_script(script, selector)

    def play_with(self, pause):
        """Sets how long playing stays at a step, in ms."""
        self.driver.execute_script("const pause = arguments[0]; window.readingTime = () => pause", pause)

    def step(self):
        """The step shown and the last one."""
        return tuple(map(int, re.fullmatch(r"Step (\d+) of (\d+)", self.text("#step-label")).groups()))

    def play_to_the_end(self):
        self.press("#play")
        self.wait_for_the_end()

    def wait_for_the_end(self):
        self.wait_for(lambda: self.text("#play") == "Play")

    def wait_for(self, condition):
        from selenium.webdriver.support.wait import WebDriverWait

        WebDriverWait(self.driver, 30, poll_frequency=0.02).until(lambda _: condition())

    def pixels(self, selector):
        """Red, green and blue of a canvas: uint8 (height, width, 3)."""
        width, height, data = self.driver.execute_script(
            """const { width, height } = arguments[0];
            const { data } = arguments[0].getContext("2d").getImageData(0, 0, width, height);
            return [width, height, btoa(Array.from(data, (byte) => String.fromCharCode(byte)).join(""))];""",
            self.find(selector),
        )
        return np.frombuffer(base64.b64decode(data), np.uint8).reshape(height, width, 4)[..., :3]
