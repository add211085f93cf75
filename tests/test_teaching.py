"""docs/teaching.md: its answers, links and keys are those of the page."""

import re

import pytest

from experiment import ROOT
from tests.live_reference import FIRST

TEXT = " ".join((ROOT / "docs/teaching.md").read_text().split())
ANSWERS = TEXT.partition("## Answers")[2]


def run(shown, image, k, max_spikes="1", negative="true"):
    """What the page shows of a run, tested against the equations elsewhere."""
    settings = f"{{k: {k}, maxSpikes: {max_spikes}, negative: {negative}}}"
    return shown.driver.execute_script(
        f"""const run = startRun(gallery.find(({{ number }}) => number === {image}), {settings});
        const {{ guesses, steps, artificial, mistaken, spikes }} = run;
        return {{ guesses, steps, artificial, mistaken, spikes }};"""
    )


def test_answers_to_steps_and_spikes(shown):
    found = run(shown, FIRST, 0)
    guesses, spikes = found["guesses"], found["spikes"]
    change = next(step for step in range(2, found["steps"] + 1) if guesses[step] != guesses[step - 1])
    assert f"The guess is {guesses[1]}, the artificial network says {found['artificial']}." in ANSWERS
    assert f"It changes in step {change}. All are silent in step {found['steps']}." in ANSWERS
    (positive1, negative1), (positive2, negative2) = (
        (sum(one["positive"]), sum(one["negative"])) for one in spikes[1:3]
    )
    assert negative1 == 0
    assert f"Step 1 has {positive1:,} spikes of +1 and none of -1, step 2 has {positive2:,} of +1" in ANSWERS
    assert f"and {negative2} of -1." in ANSWERS
    assert not any(one["negative"][0] for one in spikes)
    sops = sum(one["sops"] for one in spikes)
    assert f"{sops:,} additions, {100 * sops / 7_186_200:.0f} % of what" in TEXT


def test_answers_to_the_neuron_that_takes_a_spike_back(shown):
    shown.press("#example")
    name, potential, needed = re.match(
        r"Block 3, (.*?), in step \d \(pinned\): Its potential is −([\d.]+), and it has said 1 so far\. "
        r"It fell from [\d.]+, mostly because of \+1 through negative weights\. Saying 1 needs ([\d.]+) or more",
        shown.text("#brief"),
    ).groups()
    assert f"Block 3, {name}, in step {shown.step()[0]}." in ANSWERS
    assert f"Its potential is -{potential}, and it has said 1, for which it would need {needed}." in ANSWERS
    assert {"count 0", "target 0"} <= set(shown.texts("#neuron-chart text"))
    lowered = {text[2:].partition(" by ")[2]: text for text in shown.texts("#heard li") if "▼" in text}
    amounts = {cause: float(re.search(r"[\d.]+", text)[0]) for cause, text in lowered.items()}
    assert max(amounts, key=amounts.get) == "+1 through negative weights"


def test_answers_to_settings(shown):
    without = run(shown, FIRST, 0, negative="false")
    assert f"The guess is {without['guesses'][-1]}, and {without['mistaken']} neurons have not said" in ANSWERS
    assert [run(shown, 321, k)["artificial"] for k in (0, 1)] == [7, 2]
    assert run(shown, 321, 0)["guesses"][-1] == 7
    steps = [run(shown, FIRST, 1, max_spikes)["steps"] for max_spikes in ("1", "2", "4", "Infinity")]
    told = "{} with one spike a step, {} with two, {} with four, {} with any number".format(*steps)
    assert f"The last step is {told}." in ANSWERS
    assert sum(sum(one["negative"]) for one in run(shown, FIRST, 1, "Infinity")["spikes"]) == 0


@pytest.mark.parametrize("part", ["k=0", "spikes=any", "spikes=4", "negative=off", "image=11", "step=3"])
def test_link_parts_that_are_named_are_understood(shown, part):
    name, _, value = part.partition("=")
    assert f"`{part}`" in TEXT or f"`{name}`" in TEXT
    assert shown.driver.execute_script(f"return fromAddress('{part}', gallery).wrong") == []
    numbers = shown.driver.execute_script("return gallery.map(({ number }) => number)")
    assert "`image` (" + ", ".join(map(str, numbers[:-1])) + f" or {numbers[-1]})" in TEXT
    assert value in TEXT
