"""figs/live.html: its address, which leads back to what it shows, and keys that work anywhere."""

import numpy as np
import pytest

from tests.browser import PAGE, classify, show_as
from tests.live_reference import FIRST

GALLERY = (121, 232, 242, 321, 445, 3, 18, 0, 11)  # in the order of the page


def settings(shown):
    return shown.driver.execute_script(
        "const { k, maxSpikes, negative } = settings(); return [k, String(maxSpikes), negative]"
    )


def test_address_of_the_issue_shows_its_step(page, mnist):
    page.open("k=1&image=121&step=4")
    guesses = classify(page.driver, mnist[0][[121]], "{k: 1}")["predictions"][0]
    assert settings(page) == [1, "1", True]
    assert (page.step()[0], page.text("#guess")) == (4, str(guesses[3]))
    assert (page.text("#play"), page.text("#notice")) == ("Play", "")


@pytest.mark.parametrize(
    "address",
    ["k=0&image=121&step=0", "k=2&spikes=any&image=445&step=2", "k=1&spikes=4&negative=off&image=3&step=3"],
)
def test_page_writes_the_address_that_it_was_opened_with(page, address):
    page.open(address)
    page.driver.execute_script("history.replaceState(null, '', '#k=0')")
    page.wait_for(lambda: page.driver.current_url == f"{PAGE}#{address}")


def test_address_follows_steps_settings_and_images(shown):
    shown.press("#gallery > :last-child .image:last-of-type")
    shown.press("label:has([name=k][value='1'])")
    shown.press("label:has([name=burst][value='2'])")
    shown.press("#negative")
    shown.press("#timeline button:nth-child(2)")
    shown.wait_for(lambda: shown.driver.current_url == f"{PAGE}#k=1&spikes=2&negative=off&image=11&step=2")
    shown.press("#clear")
    shown.wait_for(lambda: shown.driver.current_url == f"{PAGE}#")


def test_link_to_another_step_is_followed(page):
    page.open("k=0&image=121&step=2")
    page.driver.execute_script("location.hash = '#k=2&image=232&step=5'")
    page.wait_for(lambda: page.step()[0] == 5)
    assert settings(page)[0] == 2


IN_VAIN = "This page does not have what the address asks for: {}."


@pytest.mark.parametrize(("address", "wrong"), [("k=7", "k=7"), ("k=1&image=x&step=y", "image=x, step=y")])
def test_what_an_address_asks_for_in_vain_is_named(page, address, wrong):
    page.open(address)
    assert page.text("#notice") == IN_VAIN.format(wrong)
    assert page.text("#guess")  # and the rest is shown
    page.press("#back")
    assert page.text("#notice") == ""


def test_what_a_link_asks_for_in_vain_is_named(shown):
    wrong = [
        "k=",
        "spikes=3",
        "spikes=constructor",
        "negative=toString",
        "image=7",
        "step=-1",
        "step=99",
        "toString=1",
    ]
    for address in (*wrong, "drawing=AAAA", "drawing=%E0%", "section"):
        shown.driver.execute_script("location.hash = arguments[0]", address)
        shown.wait_for(lambda address=address: shown.text("#notice") == IN_VAIN.format(address))
        assert shown.text("#guess")
        shown.press("#back")
        assert shown.text("#notice") == ""


def press(shown, *keys):
    from selenium.webdriver import ActionChains

    ActionChains(shown.driver).send_keys(*keys).perform()


@pytest.mark.parametrize(
    "selector", ["body", "#gallery .image", "label:has([name=k][value='0'])", ".block-1 canvas", "#speed", "#step"]
)
def test_keys_work_wherever_one_has_clicked(shown, mnist, selector):
    from selenium.webdriver import Keys

    shown.find(selector).click()
    press(shown, Keys.ESCAPE)  # closes the list of speeds
    shown.press("#timeline button:nth-child(2)")
    press(shown, Keys.ARROW_RIGHT, Keys.ARROW_RIGHT, Keys.ARROW_LEFT)
    assert shown.step()[0] == 3
    shown.play_with(pause=60_000)
    press(shown, Keys.SPACE)
    assert (shown.text("#play"), shown.step()[0]) == ("Pause", 4)
    press(shown, Keys.SPACE)
    assert (shown.text("#play"), shown.step()[0]) == ("Play", 4)
    assert settings(shown) == [0, "1", True]
    press(shown, "k")
    assert settings(shown)[0] == 1
    press(shown, "kk")
    assert settings(shown)[0] == 0
    for digit in (6, 1):
        press(shown, str(digit))
        expected = np.squeeze(mnist[0][GALLERY[digit - 1]])
        assert np.array_equal(shown.pixels("#seen")[..., 0], expected)


@pytest.mark.parametrize(
    ("key", "code", "number"),
    [("&", "Digit1", 121), ("2", "Digit2", 232), ("2", "Numpad2", 232), ("ArrowDown", "Numpad2", 3)],
)
def test_digits_choose_images_on_any_keyboard(shown, key, code, number):
    """Also where digits need Shift, and not where the keys of the number pad are arrows."""
    shown.driver.execute_script("chooseImage(gallery[5])")
    event = {"key": key, "code": code, "bubbles": True}
    shown.driver.execute_script("document.body.dispatchEvent(new KeyboardEvent('keydown', arguments[0]))", event)
    assert shown.driver.execute_script("return state.image.number") == number


def test_keys_do_nothing_to_an_empty_page(shown):
    from selenium.webdriver import Keys

    shown.press("#clear")
    press(shown, Keys.SPACE, Keys.ARROW_RIGHT, "k")
    assert shown.text("#sentence") == "Draw a digit, or choose a test image."
    press(shown, "2")
    assert shown.text("#guess")


def test_what_is_reached_with_tab_keeps_its_own_keys(shown):
    from selenium.webdriver import ActionChains, Keys

    press(shown, Keys.TAB, Keys.SPACE)
    assert shown.text("#sentence") == "Draw a digit, or choose a test image."  # the button Clear
    shown.driver.refresh()
    shown.driver.execute_script("find('negative').focus()")
    ActionChains(shown.driver).key_down(Keys.SHIFT).send_keys(Keys.TAB).key_up(Keys.SHIFT).perform()
    press(shown, Keys.ARROW_RIGHT)
    assert settings(shown)[1] == "2"


@pytest.mark.parametrize("button", ["#forward", "#back", "#first", "#play"])
def test_focus_stays_where_it_was_at_the_end_of_the_run(shown, button):
    from selenium.webdriver import Keys

    shown.driver.execute_script("arguments[0].focus()", shown.find(button))
    for _ in range(shown.step()[1] + 1):
        shown.find(button).send_keys(Keys.ENTER)
    shown.wait_for_the_end()
    focused = shown.driver.switch_to.active_element
    assert f"#{focused.get_attribute('id')}" == button


def test_answers_of_both_networks_and_values_of_the_classes_are_read_out(shown, mnist):
    from spiking.weight_grid import layer_on_grid
    from tests.live_reference import LENET, simulate, weights_of

    unit = 2.0 ** -layer_on_grid(LENET.classifier, weights_of(0))[1]
    simulation = simulate(0, shown.step()[1], mnist[0][[FIRST]])
    assert (shown.text("#guess"), shown.text("#artificial")) == ("7", "4")
    values = simulation.outputs[0, 0] * unit
    expected = [f"class {digit}: {value:.1f}".replace("-", "−") for digit, value in enumerate(values)]
    assert [item.get_attribute("textContent") for item in shown.find_all("#classes li")] == expected
    assert shown.find("#classes").accessible_name == "What the ten classes have collected"
    tree = shown.driver.execute_cdp_cmd("Accessibility.getFullAXTree", {})["nodes"]
    read = {node["name"]["value"] for node in tree if node.get("name", {}).get("value") and not node["ignored"]}
    assert {f"{value:.1f}".replace("-", "−") for value in values} <= read


@pytest.mark.parametrize(("value", "digits", "text"), [(-0.04, 1, "0.0"), (-0.06, 1, "−0.1"), (-10, 2, "−10.00")])
def test_nothing_has_no_sign(shown, value, digits, text):
    assert shown.driver.execute_script("return decimal(...arguments)", value, digits) == text


@pytest.mark.parametrize(("address", "scrolls"), [("k=0&image=121&step=3", True), ("k=0&image=121", False)])
def test_link_to_a_step_opens_at_the_step_on_phones(page, address, scrolls):
    show_as(page.driver, 390, 844, scale=1, touch=True, scheme="light")
    page.open(address)
    top = page.driver.execute_script("return find('sentence').getBoundingClientRect().bottom")
    assert (top < 844) == scrolls
