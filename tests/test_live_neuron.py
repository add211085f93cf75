"""A neuron on figs/live.html: chosen with pointer, keyboard or finger, pinned, and explained."""

import re

import numpy as np
import pytest

from spiking.weight_grid import layer_on_grid
from tests import reference
from tests.browser import apart, show_as
from tests.live_reference import FIRST, LENET, simulate, weights_of


def number(text):
    return int(text.replace(",", "").replace("−", "-").replace("+", ""))


def test_neuron_chosen_with_the_keyboard_lists_its_potentials_and_thresholds(shown, mnist):
    from selenium.webdriver import ActionChains, Keys

    canvas = shown.find(".block-3 canvas")
    shown.driver.execute_script("arguments[0].focus()", canvas)
    ActionChains(shown.driver).send_keys(12 * Keys.ARROW_RIGHT, 3 * Keys.ARROW_DOWN, Keys.ARROW_UP).perform()
    # the first key chooses a neuron; 11 to the right lies column 3 of the second map, 2 down its row 2, from 0
    assert shown.text("#neuron-name") == "Block 3, map 2, row 3, column 4, in step 1"
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
    names = [f"Block {block}, map 1, row 1, column 1, in step 1" for block in (2, 4)]
    for canvas, name in zip((first, second), names, strict=True):
        move_to(canvas)
        assert shown.text("#neuron-name") == name
        assert shown.text("#brief") == f"{name}: {shown.text('#neuron-sentence')}"
    for free in (ActionChains.click, lambda actions: actions.send_keys(Keys.ESCAPE)):
        move_to(first, ActionChains.click)
        move_to(second)
        assert shown.text("#brief").startswith(f"{names[0]} (pinned): Its potential is ")
        move_to(first, free)
        assert shown.text("#brief").startswith(f"{names[0]}: Its potential is ")
        move_to(second)
        assert shown.text("#brief").startswith(f"{names[1]}: Its potential is ")


def test_neuron_that_is_tapped_is_explained_on_the_screen(shown):
    from selenium.webdriver import ActionChains
    from selenium.webdriver.common.actions.interaction import POINTER_TOUCH
    from selenium.webdriver.common.actions.pointer_input import PointerInput

    def place_of(element):
        """How far it is from the upper and the lower edge of the screen."""
        box = "const { top, bottom } = arguments[0].getBoundingClientRect(); return [top, innerHeight - bottom]"
        return pytest.approx(shown.driver.execute_script(box, element), abs=1)

    show_as(shown.driver, 390, 844, scale=2, touch=True, scheme="light")
    for block, pinned in ((1, True), (4, True), (4, False)):
        canvas = shown.find(f".block-{block} canvas")
        shown.driver.execute_script("arguments[0].scrollIntoView({block: 'center'})", canvas)
        name = f"Block {block}, map 1, row 1, column 1, in step 1{' (pinned)' if pinned else ''}: "
        before = place_of(canvas)
        tap = ActionChains(shown.driver, duration=1, devices=[PointerInput(POINTER_TOUCH, "finger")])
        tap.move_to_element_with_offset(canvas, *corner_of(canvas)).click().perform()
        assert shown.text("#brief") == name + shown.text("#neuron-sentence")
        shown.wait_for(lambda canvas=canvas, before=before: place_of(canvas).expected == before)  # under the finger
        if pinned:
            assert min(place_of(shown.find("#brief")).expected) >= 0
        [brief] = shown.boxes("#brief")
        assert all(apart(brief, other) for other in shown.boxes(".map canvas"))  # it covers none


@pytest.mark.parametrize("sign", [1, -1])
def test_sentence_on_a_burst_names_the_threshold_of_its_last_spike(shown, mnist, sign):
    shown.press("label:has([name=burst][value='4'])")
    shown.press("label:has([name=k][value='2'])")
    spikes = [block[0] for block in simulate(2, shown.step()[1], mnist[0][[FIRST]], max_spikes=4).spikes]
    block = next(number for number, train in enumerate(spikes) if np.any(sign * train > 1))
    step, *place = np.argwhere(sign * spikes[block] > 1)[0]
    spike, count = spikes[block][(step, *place)], spikes[block][(slice(step), *place)].sum()
    neuron = int(np.ravel_multi_index(place, spikes[block].shape[1:]))
    shown.press(f"#timeline button:nth-child({step + 1})")
    shown.driver.execute_script("select(...arguments)", block, neuron, True)
    threshold = count + spike + (-0.5 if sign > 0 else 0.5)  # in spikes; the count n is justified from n - 1/2 up
    expected = {
        1: f"Saying {count + spike} needs {threshold:.2f} or more: it fires +{spike}.",
        -1: f"Even saying {count + spike + 1} needs {threshold:.2f} or more, "
        f"so it takes back what was too much: −{-spike}.",
    }
    assert shown.text("#neuron-sentence").endswith(expected[sign])


def test_example_is_a_neuron_that_takes_a_spike_back(shown):
    show_as(shown.driver, 1280, 720, scale=1, touch=False, scheme="light")
    shown.press("#example")
    assert re.search(r"has said \d+ so far\. .* takes back what was too much: −1\.$", shown.text("#neuron-sentence"))
    bottom = "return arguments[0].getBoundingClientRect().bottom"
    assert 0 < shown.driver.execute_script(bottom, shown.find("#neuron-chart")) <= 720  # in sight
    for width, height in ((390, 844), (1280, 720), (1920, 1080)):  # and the steps as well
        show_as(shown.driver, width, height, scale=1, touch=width < 500, scheme="light")
        shown.driver.execute_script("scrollTo(0, 0)")
        shown.driver.execute_script("find('neuron-chart').scrollIntoView({ block: 'end' })")
        shown.wait_for(lambda: 0 < shown.driver.execute_script(bottom, shown.find("#transport")) < 120)
    shown.press("label:has([name=burst][value='Infinity'])")  # in bursts without limit all is said at once
    before = shown.text("#sentence")
    shown.press("#example")
    assert shown.text("#no-example") == "In this run no neuron takes a spike back."
    assert shown.step()[0] == 1
    assert shown.text("#sentence") == before
    shown.press("#forward")
    shown.press("label:has([name=burst][value='1'])")
    assert shown.text("#no-example") == ""


def neurons_to_explain(mnist, k, steps):
    """Neurons, some of which fire + and - and rest, as (block, place), and the simulation of the first image."""
    simulation = simulate(k, steps, mnist[0][[FIRST]])
    chosen = [(0, (5, 9, 3))]
    for block, train in enumerate(simulation.spikes[1:], start=1):
        for happens in (train[0] > 0, train[0] < 0, train[0] == 0):
            chosen += [(block, tuple(place)) for _, *place in np.argwhere(happens)[::997][:3].tolist()]
    return chosen, simulation


def test_what_a_neuron_hears_adds_up_to_its_potential_and_is_told_in_short_true_sentences(shown, mnist):
    k, steps = 0, shown.step()[1]
    chosen, simulation = neurons_to_explain(mnist, k, steps)
    weights = weights_of(k)
    for block, place in chosen:
        layer = LENET.blocks[block]
        (kernel,), _ = layer_on_grid(layer, weights)
        incoming = simulation.spikes[block - 1][0] if block else None
        neuron = int(np.ravel_multi_index(place, simulation.spikes[block].shape[2:]))
        heard, told = shown.driver.execute_script(
            """const steps = [...Array(state.run.steps).keys()].map((index) => index + 1);
            const ofSteps = (told) => steps.map((step) => told(state.run, ...arguments[0], step));
            return [ofSteps(heardIn), ofSteps(explainNeuron)];""",
            [block, neuron],
        )
        potential = simulation.potentials[block][(0, slice(None), *place)]
        changes = np.diff(potential, prepend=0)
        assert np.sum(heard, axis=1).tolist() == changes.tolist()
        for step, (amounts, sentences) in enumerate(zip(heard, told, strict=True)):
            if block:
                row, column = (place[axis] * layer.inputs[0].stride[axis] for axis in (0, 1))
                window = incoming[step, row : row + kernel.shape[0], column : column + kernel.shape[1]]
                current = window[..., None] * kernel[..., [place[2]]]
                through = [(window[..., None] == sign) & (kernel[..., [place[2]]] * weight > 0)
                           for sign in (1, -1) for weight in (1, -1)]  # fmt: skip
                assert amounts == [current[one].sum() for one in through]
            assert all(len(sentence.split()) <= 18 for sentence in sentences)
            spike = simulation.spikes[block][(0, step, *place)]
            assert ("fires +1" in sentences[2], "takes back" in sentences[2]) == (spike > 0, spike < 0)
            if block and changes[step]:
                causes = ["+1 through positive", "+1 through negative", "−1 through positive", "−1 through negative"]
                main = causes[np.argmax(np.sign(changes[step]) * np.array(amounts))]
                moved = "rose" if changes[step] > 0 else "fell"
                assert re.fullmatch(
                    rf"It {moved} from −?[\d.]+, mostly because of {re.escape(main)} weights\.", sentences[1]
                )
                assert ("still" in sentences[2]) == (changes[step] * spike < 0)
            numbers, before, limits = (
                [float(n.replace("−", "-")) for n in re.findall(r"−?\d+\.\d+", sentence)] for sentence in sentences
            )
            if before:
                assert (before[0] < numbers[0]) == (changes[step] > 0)
            if spike > 0:
                assert numbers[0] >= limits[0]
            elif spike < 0 or len(limits) == 1:
                assert numbers[0] < limits[0]
            else:
                assert limits[0] <= numbers[0] < limits[1]


def test_chart_has_the_count_and_the_target_of_the_artificial_network(shown, mnist):
    shown.press("#negative")  # so that count and target may differ
    steps = shown.step()[1]
    spikes = [block[0] for block in simulate(0, steps, mnist[0][[FIRST]], negative_spikes=False).spikes]
    targets, _ = reference.artificial(weights_of(0), LENET, 0, mnist[0][[FIRST]])
    block, *place = next(
        (block, *place)
        for block, (train, target) in enumerate(zip(spikes, targets, strict=True))
        for place in np.argwhere(train.sum(axis=0) > target[0])
    )
    neuron = int(np.ravel_multi_index(place, spikes[block].shape[1:]))
    shown.driver.execute_script("select(...arguments)", block, neuron, True)
    texts = shown.texts("#neuron-chart text")
    count, target = spikes[block][(slice(None), *place)].sum(), targets[block][(0, *place)]
    assert f"count {count}" in texts
    assert f"target {target:.0f}" in texts
    assert len(shown.find_all("#neuron-chart .target")) == len(shown.find_all("#neuron-chart .count")) == 1
    assert f"The target count is {target:.0f}." in shown.find("#neuron-table caption").get_attribute("textContent")
    path = shown.find("#neuron-chart .count").get_attribute("d")
    heights = [float(y) for y in re.findall(r"V([-\d.]+)", path)]
    assert (
        np.argsort(heights, kind="stable").tolist()
        == np.argsort(-spikes[block][(slice(None), *place)].cumsum(), kind="stable").tolist()
    )  # higher where more has been said


@pytest.mark.parametrize(("block", "neuron"), [(0, 500), (2, 300), (2, 1092), (4, 7)])
def test_start_and_what_is_heard_add_up_to_the_potential(shown, block, neuron):
    shown.driver.execute_script("select(...arguments, true)", block, neuron)
    for step in range(1, shown.step()[1] + 1):
        shown.driver.execute_script("play(false, arguments[0])", step)
        first, *heard = [item.text for item in shown.find_all("#heard li")]
        assert ("(before any spike)" in first) == (step == 1)
        amounts = [float(re.search(r"[+−]?\d+\.\d+", text)[0].replace("−", "-")) for text in (first, *heard)]
        potential = float(re.search(r"is (−?[\d.]+),", shown.text("#neuron-sentence"))[1].replace("−", "-"))
        assert sum(amounts) == pytest.approx(potential, abs=0.005 * (len(amounts) + 1))


@pytest.mark.parametrize("k", [0, 2])
def test_example_is_the_neuron_whose_potential_falls_deepest_below_its_count(shown, mnist, k):
    found, depths = shown.driver.execute_script(
        """const run = startRun(gallery[0], { k: arguments[0], maxSpikes: 1, negative: true });
        const depths = run.record.blocks.map((record, block) => [...record.counts[0].keys()].map((neuron) => {
          const { history, inSpikes } = neuronHistory(run, block, neuron);
          return history.map(({ potential, lower, spike }) => spike < 0 ? inSpikes(lower) - inSpikes(potential) : 0);
        }));
        return [findTakenBack(run), depths];""",
        k,
    )
    deepest = max((depth, -block) for block, rows in enumerate(depths) for row in rows for depth in row)
    assert found["depth"] == deepest[0] > 0
    assert depths[found["block"]][found["neuron"]][found["step"] - 1] == deepest[0]


def test_last_step_of_a_run_may_be_the_example(shown):
    """A run of two steps, whose only negative spike comes in the second."""
    found = shown.driver.execute_script(
        """const block = { thresholds: Int32Array.of(-1000, 10, 20, 30), outputShape: [1, 1, 1] };
        const record = { spikes: [[0], [1], [-1]], counts: [[0], [1], [0]], potentials: [[0], [12], [3]] };
        return findTakenBack({ blocks: [block], record: { blocks: [record] }, steps: 2, targets: [[0]] });"""
    )
    assert (found["block"], found["neuron"], found["step"]) == (0, 0, 2)
