"""A neuron on figs/live.html: chosen with pointer, keyboard or finger, pinned, and explained."""

import re

import numpy as np
import pytest

from tests.browser import show_as
from tests.live_reference import FIRST, simulate


def number(text):
    return int(text.replace(",", "").replace("−", "-").replace("+", ""))


def test_neuron_chosen_with_the_keyboard_lists_its_potentials_and_thresholds(shown, mnist):
    from selenium.webdriver import ActionChains, Keys

    canvas = shown.find(".block-3 canvas")
    shown.driver.execute_script("arguments[0].focus()", canvas)
    ActionChains(shown.driver).send_keys(12 * Keys.ARROW_RIGHT, 3 * Keys.ARROW_DOWN, Keys.ARROW_UP).perform()
    # the first key chooses a neuron; 11 to the right lies column 3 of the second map, 2 down its row 2, from 0
    assert shown.text("#neuron-name") == "Block 3, map 2, row 3, column 4"
    shown.press("#neuron summary")
    simulation = simulate(0, shown.step()[1], mnist[0][[FIRST]])
    potential, spikes = (part[2][0, :, 2, 3, 1] for part in (simulation.potentials, simulation.spikes))
    rows = shown.table("#neuron-table")
    assert [number(row[1]) for row in rows] == potential.tolist()
    assert [number(row[2]) for row in rows] == [0, *spikes.cumsum()[:-1]]
    assert [number(row[5]) for row in rows] == spikes.tolist()
    for row, spike in zip(rows, spikes, strict=True):
        assert (number(row[1]) >= number(row[4])) == (spike > 0)
        assert (row[3] != "–" and number(row[1]) < number(row[3])) == (spike < 0)


def corner_of(canvas):
    """Where its first neuron lies, from its middle."""
    return 2 - canvas.rect["width"] // 2, 2 - canvas.rect["height"] // 2


def test_neuron_under_the_pointer_is_shown_until_one_is_pinned(shown):
    from selenium.webdriver import ActionChains, Keys

    def move_to(canvas, then=lambda actions: actions):
        then(ActionChains(shown.driver, duration=1).move_to_element_with_offset(canvas, *corner_of(canvas))).perform()

    first, second = (shown.find(f".block-{block} canvas") for block in (2, 4))
    names = [f"Block {block}, map 1, row 1, column 1" for block in (2, 4)]
    for canvas, name in zip((first, second), names, strict=True):
        move_to(canvas)
        assert shown.text("#neuron-name") == name
        assert shown.text("#brief") == f"{name}: {shown.text('#neuron-sentence')}"
    for free in (ActionChains.click, lambda actions: actions.send_keys(Keys.ESCAPE)):
        move_to(first, ActionChains.click)
        move_to(second)
        assert shown.text("#brief").startswith(f"{names[0]} (pinned): Step 1: it has said 0 so far")
        move_to(first, free)
        assert shown.text("#brief").startswith(f"{names[0]}: Step 1")
        move_to(second)
        assert shown.text("#brief").startswith(f"{names[1]}: Step 1")


def test_neuron_that_is_tapped_is_explained_on_the_screen(shown):
    from selenium.webdriver import ActionChains
    from selenium.webdriver.common.actions.interaction import POINTER_TOUCH
    from selenium.webdriver.common.actions.pointer_input import PointerInput

    show_as(shown.driver, 390, 844, scale=2, touch=True, scheme="light")
    canvas = shown.find(".block-1 canvas")
    shown.driver.execute_script("arguments[0].scrollIntoView({block: 'center'})", canvas)
    for name in ("Block 1, map 1, row 1, column 1 (pinned): ", "Block 1, map 1, row 1, column 1: "):
        tap = ActionChains(shown.driver, duration=1, devices=[PointerInput(POINTER_TOUCH, "finger")])
        tap.move_to_element_with_offset(canvas, *corner_of(canvas)).click().perform()
        assert shown.text("#brief") == name + shown.text("#neuron-sentence")
        place = "const { top, bottom } = arguments[0].getBoundingClientRect(); return [top, innerHeight - bottom]"
        assert min(shown.driver.execute_script(place, shown.find("#brief"))) >= 0


@pytest.mark.parametrize("sign", [1, -1])
def test_sentence_on_a_burst_names_the_threshold_of_its_last_spike(shown, mnist, sign):
    shown.press("label:has([name=burst][value='4'])")
    shown.press("label:has([name=k][value='2'])")
    shown.wait_for_the_end()
    spikes = [block[0] for block in simulate(2, shown.step()[1], mnist[0][[FIRST]], max_spikes=4).spikes]
    block = next(number for number, train in enumerate(spikes) if np.any(sign * train > 1))
    step, *place = np.argwhere(sign * spikes[block] > 1)[0]
    spike, count = spikes[block][(step, *place)], spikes[block][(slice(step), *place)].sum()
    neuron = int(np.ravel_multi_index(place, spikes[block].shape[1:]))
    shown.press(f"#timeline button:nth-child({step + 1})")
    shown.driver.execute_script("select(...arguments)", block, neuron, True)
    threshold = count + spike + (-0.5 if sign > 0 else 0.5)  # in spikes; the count n is justified from n - 1/2 up
    expected = {
        1: f"That is enough for {spike} more ({threshold:.2f} or above): it fires +{spike}.",
        -1: f"Even a count of {count + spike + 1} needs {threshold:.2f} or above, "
        f"so it has said too much: it fires −{-spike}.",
    }
    assert shown.text("#neuron-sentence").endswith(expected[sign])


def test_example_is_a_neuron_that_takes_a_spike_back(shown):
    shown.press("#example")
    expected = rf"Step {shown.step()[0]}: it has said \d+ so far, .* it has said too much: it fires −1\."
    assert re.search(expected, shown.text("#neuron-sentence"))
    shown.press("label:has([name=burst][value='Infinity'])")  # in bursts without limit all is said at once
    shown.press("#example")
    assert "no neuron takes a spike back" in shown.text("#sentence")
