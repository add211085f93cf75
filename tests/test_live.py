"""figs/live.html: its file, and what it simulates, in a browser, against the equations and spiking_utils."""

import re

import numpy as np
import pytest
from numpy.testing import assert_array_equal

from experiment import ROOT
from experiment.digit import prepare_digit
from experiment.images import load_split
from figs import live
from spiking_utils import SpikingNetwork
from tests.browser import PAGE, chromium, classify
from tests.live_reference import LENET, Simulation, simulate, weights_of

LEVELS = (0, 1, 2)
TIME_STEPS = 20
IMAGES = 40  # which take a second at each level
MAX_PAGE = 4_000_000  # bytes
EMPTY = "new Array(784).fill(0)"  # an image in JavaScript


@pytest.fixture(scope="module")
def pixels():
    """The test images, uint8 (images, 28, 28, 1)."""
    return load_split("test").pixels


@pytest.fixture(scope="module")
def driver(driver):
    """The browser, which shows the page."""
    driver.set_script_timeout(120)
    driver.get(PAGE)
    return driver


def assert_same(found, expected):
    assert set(found) == set(expected)
    for key, values in expected.items():
        assert_array_equal(found[key], values, err_msg=key)


def test_script_writes_the_published_page(monkeypatch, capsys, tmp_path):
    monkeypatch.setattr("sys.argv", ["live.py", "--output", str(tmp_path / "new")])
    live.main()
    content = (tmp_path / "new/live.html").read_bytes()
    assert len(content) < MAX_PAGE
    assert content == (ROOT / "figs/live.html").read_bytes()
    assert capsys.readouterr().out == f"written    {tmp_path / 'new/live.html'}, {len(content):,} bytes\n"


@pytest.mark.parametrize(("environment", "outcome"), [({}, pytest.skip), ({"CI": "1"}, pytest.fail)])
def test_without_a_browser_tests_are_skipped_but_fail_in_ci(environment, outcome, monkeypatch, tmp_path):
    monkeypatch.delenv("CI", raising=False)
    for name, value in ({"PATH": str(tmp_path)} | environment).items():
        monkeypatch.setenv(name, value)
    with pytest.raises(outcome.Exception, match="install chromium and chromium-driver"), chromium(tmp_path):
        pass


def test_page_names_nothing_on_the_network():
    text = (ROOT / "figs/live.html").read_text(encoding="utf-8")
    assert set(re.findall(r"https?://[^\"'\s]+", text)) == {"http://www.w3.org/2000/svg"}  # a name, not an address
    assert re.findall(r"<link|<img|<iframe|@import|\bsrc=|url\(|fetch\(|XMLHttpRequest|WebSocket", text) == []


@pytest.mark.parametrize("k", LEVELS)
def test_classify_answers_as_spiking_utils_over_many_images(driver, pixels, k):
    activity = SpikingNetwork(weights_of(k), LENET, k, TIME_STEPS).run(pixels[:IMAGES])
    expected = Simulation([train.to_dense() for train in activity.trains], [], activity.potentials).summary()
    assert_same(classify(driver, pixels[:IMAGES], f"{{k: {k}}}"), expected)
    assert expected["negative"].sum() > IMAGES


@pytest.mark.parametrize("k", LEVELS)
@pytest.mark.parametrize(("in_javascript", "largest"), [("1", 1), ("2", 2), ("4", 4), ("Infinity", np.inf)])
def test_classify_answers_as_the_equations_also_with_bursts(driver, pixels, k, in_javascript, largest):
    images, time_steps = pixels[[121, 3, 321]], 7
    expected = simulate(k, time_steps, images, largest)
    options = f"{{k: {k}, timeSteps: {time_steps}, maxSpikes: {in_javascript}}}"
    assert_same(classify(driver, images, options), expected.summary())
    assert (max(np.abs(block).max() for block in expected.spikes) > 1) == (largest > 1)


def test_lowest_of_several_classes_with_the_highest_potential_is_chosen(driver):
    assert driver.execute_script("return argmax([1, 3, 2, 3])") == 1


@pytest.mark.parametrize("negative", [True, False])
def test_every_potential_and_count_is_that_of_the_equations(driver, pixels, negative):
    k, time_steps = 1, 6
    expected = simulate(k, time_steps, pixels[[232]], negative_spikes=negative)
    settings = f"{{timeSteps: {time_steps}, negative: {str(negative).lower()}}}"
    blocks = driver.execute_script(
        f"""const {{ blocks }} = simulate(networks[{k}], arguments[0], {settings});
        const listed = (steps) => steps.map((step) => [...step]);
        return blocks.map(({{ potentials, counts }}) => [listed(potentials), listed(counts)]);""",
        pixels[232].ravel().tolist(),
    )
    for (potentials, counts), u, spikes in zip(blocks, expected.potentials, expected.spikes, strict=True):
        assert not np.any(potentials[0])
        assert_array_equal(potentials[1:], u.reshape(time_steps, -1))
        assert not np.any(counts[0])
        assert_array_equal(counts[1:], spikes[0].cumsum(axis=0).reshape(time_steps, -1))
    assert any(np.any(block < 0) for block in expected.spikes) == negative


@pytest.mark.parametrize("k", LEVELS)
def test_thresholds_are_those_of_the_integer_network(driver, k):
    arrays = SpikingNetwork(weights_of(k), LENET, k, live.MAX_COUNT).integer_arrays()
    found = driver.execute_script(f"return networks[{k}].blocks.map((block) => [...block.thresholds])")
    for block, thresholds in zip(LENET.blocks, found, strict=True):
        assert_array_equal(thresholds, arrays[f"conv{block.name}/thresholds"].ravel())


@pytest.mark.parametrize(
    ("pixels", "options", "expected"),
    [
        (EMPTY, "{k: 3}", "k is 3, expected an integer from 0 to 2"),
        (EMPTY, "{k: -1}", "k is -1, expected an integer from 0 to 2"),
        (EMPTY, "{k: 'length'}", "k is length, expected an integer from 0 to 2"),
        ("undefined", "{}", "pixels.length is undefined, expected 784"),
        ("new Array(783).fill(0)", "{}", "pixels.length is 783, expected 784"),
        ("new Array(784).fill(0.5)", "{}", "pixels[0] is 0.5, expected an integer from 0 to 255"),
        (f"{EMPTY}.with(7, 256)", "{}", "pixels[7] is 256, expected an integer from 0 to 255"),
        (f"{EMPTY}.with(783, -1)", "{}", "pixels[783] is -1, expected an integer from 0 to 255"),
        (EMPTY, "{timeSteps: 0}", "timeSteps is 0, expected an integer from 1 to 1000"),
        (EMPTY, "{timeSteps: 2 ** 32}", "timeSteps is 4294967296, expected an integer from 1 to 1000"),
        (EMPTY, "{maxSpikes: 0}", "maxSpikes is 0, expected an integer >= 1, or Infinity"),
        (EMPTY, "{maxSpikes: 1.5}", "maxSpikes is 1.5, expected an integer >= 1, or Infinity"),
        (EMPTY, "{maxSpikes: NaN}", "maxSpikes is NaN, expected an integer >= 1, or Infinity"),
    ],
)
def test_classify_refuses_what_it_cannot_run(driver, pixels, options, expected):
    call = f"try {{ window.snn.classify({pixels}, {options}) }} catch (error) {{ return String(error) }}"
    assert driver.execute_script(call) == f"RangeError: {expected}"


def test_count_beyond_the_stored_thresholds_is_refused(driver):
    block = "{outputShape: [1, 1, 1], thresholds: [-100, 1, 2, 3]}"
    call = f"const count = [0]; return [...fire({block}, arguments, count, Infinity, true), ...count]"
    assert driver.execute_script(call, 2) == [2, 2]
    refused = f"try {{ fire({block}, arguments, [0], Infinity, true) }} catch (error) {{ return error.message }}"
    assert driver.execute_script(refused, 3) == "pixels: a neuron's count reaches 3, expected less"


def test_picture_is_prepared_as_in_python(driver, pixels):
    """Random ones, digits, and those on the edge of a decision: faintest ink, even border, light as far as dark."""
    rng = np.random.default_rng(5)
    pictures = [rng.integers(0, 256, rng.integers(2, 60, 2)) for _ in range(40)]
    for image in pixels[:10, ..., 0]:
        larger = np.kron(image, np.ones(rng.integers(1, 6, 2), np.uint8))
        larger = np.pad(larger, rng.integers(0, 50, (2, 2)))
        pictures += [image, larger, 255 - larger, 40 + larger // 2]
    for faint in (15, 16, 17):
        pictures.append(np.zeros((20, 15), int))
        pictures[-1][5:12, 4:9], pictures[-1][2, 13] = 240, faint - 1
    for one, other in ((0, 200), (200, 0), (100, 120)):
        pictures.append(np.full((10, 14), one))
        pictures[-1][:, 7:] = other
        pictures[-1][4:6, 3:11] = 60
    pictures.append(np.full((9, 9), 100))
    pictures[-1][2, 3:6], pictures[-1][6, 2:7] = 40, 160
    prepared = driver.execute_script(
        "return arguments[0].map(([picture, rows, columns]) => [...window.snn.prepare(picture, rows, columns)])",
        [(picture.ravel().tolist(), *picture.shape) for picture in pictures],
    )
    for found, picture in zip(prepared, pictures, strict=True):
        assert_array_equal(np.reshape(found, (28, 28)), prepare_digit(picture.astype(np.uint8)))
    assert driver.execute_script("return window.snn.prepare(new Array(6).fill(7), 2, 3)") is None


ONE_NEURON = "{ thresholds: Int32Array.of(-1000, 10, 20, 30), outputShape: [1, 1, 1] }"


@pytest.mark.parametrize(
    ("before", "count", "spike", "due"),
    [
        (9, 0, 1, 0),
        (10, 0, 1, 1),
        (20, 0, 1, 1),
        (20, 0, 2, 2),
        (10, 1, -1, 0),
        (9, 1, -1, 1),
        (20, 2, -2, 0),
        (9, 2, -2, 2),
    ],
)
def test_spikes_are_due_from_the_threshold_on(driver, before, count, spike, due):
    found = driver.execute_script(
        f"""const [potential, count, spike] = arguments;
        const record = {{ potentials: [[potential], [0]], counts: [[count], [0]], spikes: [[0], [spike]] }};
        return spikesDueBefore({ONE_NEURON}, record, 0, 1);""",
        *(before, count, spike),
    )
    assert found == due


@pytest.mark.parametrize(("potential", "count", "too_much"), [(10, 1, 0), (9, 1, 1), (20, 1, 0), (19, 2, 1)])
def test_what_is_too_much_is_counted_after_the_step(driver, potential, count, too_much):
    found = driver.execute_script(
        f"""const record = {{ potentials: [[0], [arguments[0]]], counts: [[0], [arguments[1]]] }};
        return countTooMuch({{ blocks: [{ONE_NEURON}], record: {{ blocks: [record] }} }}, 1);""",
        *(potential, count),
    )
    assert found == too_much
