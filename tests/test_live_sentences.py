"""What figs/live.html says: short sentences, each true of the numbers of the equations, and as long as one reads."""

import re
from dataclasses import dataclass
from itertools import chain

import numpy as np
import pytest

from tests import reference
from tests.live_reference import FIRST, LENET, simulate, weights_of

LONGEST_SENTENCE = 18  # words
RUNS = [  # test image, k, spikes of a neuron in a step, negative spikes
    (FIRST, 0, 1, True),
    (FIRST, 0, 1, False),
    (FIRST, 0, 4, False),
    (FIRST, 1, 2, True),
    (3, 0, 4, True),
    (445, 2, 1, False),
    (242, 1, np.inf, True),
    (321, 2, 1, True),
    ("one pixel", 0, 1, True),
    ("one pixel", 1, 4, False),
    ("nothing", 0, 2, True),
]


def told(driver, pixels, label, k, max_spikes, negative):
    """The sentences of a run, a list for each step from 0."""
    settings = f"{{k: {k}, maxSpikes: {'Infinity' if max_spikes == np.inf else max_spikes}, negative: arguments[2]}}"
    return driver.execute_script(
        f"""const run = startRun({{ pixels: arguments[0], label: arguments[1] }}, {settings});
        return run.record.outputs.map((_, step) => explain(run, step));""",
        pixels.ravel().tolist(),
        int(label),
        negative,
    )


def words(sentence):
    return len(re.findall(r"\S*\w\S*|[→▼▲]", sentence))


@dataclass
class Run:
    """A run by the equations: arrays over the blocks, (steps, h, w, channels), without step 0."""

    image: np.ndarray
    label: int
    k: int
    max_spikes: float
    negative: bool
    steps: int

    def __post_init__(self):
        simulation = simulate(self.k, self.steps, self.image[None], self.max_spikes, self.negative)
        weights, scale = weights_of(self.k), 2**self.k
        exact, logits = reference.artificial(weights, LENET, self.k, self.image[None])
        self.spikes = [train[0] for train in simulation.spikes]
        self.counts = [train.cumsum(axis=0) for train in self.spikes]
        self.targets = [count[0] for count in exact]
        self.artificial = logits[0].argmax()
        self.guesses = simulation.outputs[0].argmax(axis=1)
        self.due = []  # the count that each potential justifies
        incoming = np.zeros((self.steps, *self.image.shape))
        incoming[0] = scale * (self.image / 256)
        for block, train in zip(LENET.blocks, self.spikes, strict=True):
            u = reference.convolve(incoming, weights[f"conv{block.name}/W"], *block.inputs).cumsum(axis=0) / scale
            self.due.append(reference.target_count(u, weights, block.name, scale))
            incoming = train.astype(float)

    def totals(self, step):
        """How many positive and negative spikes there are."""
        fired = [train[step - 1] for train in self.spikes]
        return sum(np.maximum(one, 0).sum() for one in fired), sum(np.maximum(-one, 0).sum() for one in fired)

    def groups(self, step):
        """Spikes of each neuron by (block from 1, sign, whether they were due in the step before)."""
        found = {}
        for number, (train, count, due) in enumerate(zip(self.spikes, self.counts, self.due, strict=True), start=1):
            owed = due[step - 2] - count[step - 2]
            for sign in (1, -1):
                fired = np.maximum(sign * train[step - 1], 0)
                waited = np.minimum(fired, np.maximum(sign * owed, 0))
                found |= {(number, sign, True): waited, (number, sign, False): fired - waited}
        return found

    def moved(self, step, number, neurons):
        """How far spikes of each sign through weights of each sign have moved some neurons of a block."""
        block, weights = LENET.blocks[number - 1], weights_of(self.k)
        kernel, spikes = weights[f"conv{block.name}/W"], self.spikes[number - 2][step - 1].astype(float)
        amounts = {}
        for sign in (1, -1):
            for weight in (1, -1):
                through = weight * np.maximum(weight * kernel, 0)
                current = reference.convolve(sign * np.maximum(sign * spikes, 0)[None], through, *block.inputs)
                amounts[sign, weight] = current[0][neurons].sum()
        return amounts


SIGNS = {"+1": 1, "−1": -1, "positive": 1, "negative": -1}


def number(text):
    return int(text.replace(",", ""))


def check(run, step, sentences):
    """Each sentence of a step after the first is one of these, and says what is so."""
    positive, negative = run.totals(step)
    groups = run.groups(step)
    key, largest = max(groups.items(), key=lambda item: item[1].sum())  # the first of several
    now, before = run.guesses[step - 1], run.guesses[step - 2]
    label = "" if now == run.label else f", though the label says {run.label}"
    mistaken = sum(np.sum(count[-1] != target) for count, target in zip(run.counts, run.targets, strict=True))
    too_much = sum(np.sum(count[step - 1] > due[step - 1]) for count, due in zip(run.counts, run.due, strict=True))
    alike = sum(group.sum() for name, group in groups.items() if name[:2] == key[:2])
    these = "this neuron" if np.sum(largest > 0) == 1 else "these neurons"

    def reason(match):
        block, moved, them, cause_sign, cause_weight = match.groups()
        amounts = run.moved(step, int(block) + 1, largest > 0)
        main = max(amounts, key=lambda cause: key[1] * amounts[cause])
        return (
            (int(block) + 1, {"lifted": 1, "pulled": -1}[moved], False) == key
            and them == these
            and main == (SIGNS[cause_sign], SIGNS[cause_weight])
        )

    patterns = {
        r"([\d,]+) (spikes?) of \+1, ([\d,]+) of −1\.": lambda m: (
            (number(m[1]), number(m[3])) == (positive, negative) and (m[2] == "spike") == (positive == 1)
        ),
        r"The largest group: ([\d,]+)(?: of the ([\d,]+))? of ([+−]1) in block (\d)\.": lambda m: (
            number(m[1]) == largest.sum() < positive + negative
            and number(m[2] or m[1]) == alike
            and (int(m[4]), SIGNS[m[3]]) == key[:2]
        ),
        r"(All come|It comes) from block (\d)\.": lambda m: (
            largest.sum() == positive + negative
            and int(m[2]) == key[0]
            and (m[1] == "It comes") == (positive + negative == 1)
        ),
        r"(They were|This neuron was) waiting to (say|take back) more, at most (\d) a step\.": lambda m: (
            ({"say": 1, "take back": -1}[m[2]], True) == key[1:]
            and int(m[3]) == run.max_spikes
            and (m[1] == "They were") == (these == "these neurons")
        ),
        r"Spikes from block (\d) (lifted|pulled) (these neurons|this neuron) (?:over|below) a threshold, "
        r"mostly ([+−]1) through (positive|negative) weights\.": reason,
        r"([\d,]+) neurons? (?:has|have) said too much, but may not take it back\.": lambda m: (
            not run.negative and number(m[1]) == too_much
        ),
        r"Silence\.": lambda m: positive + negative == 0,
        r"Every neuron has now said exactly the number of the artificial network\.": lambda m: (
            positive + negative == mistaken == 0
        ),
        r"Silence, but ([\d,]+) neurons? (?:has|have) not said (?:its|their) true number\.": lambda m: (
            positive + negative == 0 and number(m[1]) == mistaken
        ),
        r"Without negative spikes nobody can take anything back\.": lambda m: not run.negative,
        rf"The guess stays {now}{label}\.": lambda m: now == before,
        rf"The guess changes from {before} to {now}{label}\.": lambda m: now != before,
        rf"Both networks say {now}{label}\.": lambda m: now == run.artificial,
        rf"The guess is {now}; with negative spikes it would be {run.artificial}\.": lambda m: (
            now != run.artificial and not run.negative
        ),
    }
    said = []
    for sentence in sentences:
        matches = {pattern: match for pattern in patterns if (match := re.fullmatch(pattern, sentence))}
        assert [patterns[pattern](match) for pattern, match in matches.items()] == [True], (step, sentence)
        said += matches
    if positive + negative == 0:
        happening = 1 if run.negative and mistaken else 2  # silence, and what it means or why
    else:
        happening = 3 + (not run.negative and too_much > 0)  # how many, which group, why, and what stays wrong
    assert len({*said}) == len(said) == happening + 1, (step, sentences)  # and the guess
    assert any(str(now) in sentence for sentence in sentences[-1:])


@pytest.mark.parametrize("settings", RUNS, ids=str)
def test_every_sentence_is_short_and_true(shown, mnist, settings):
    image, *options = settings
    if isinstance(image, str):
        pixels, label = np.zeros((28, 28, 1), np.uint8), 1
        pixels[14, 14] = 255 if image == "one pixel" else 0
    else:
        pixels, label = mnist[0][image], mnist[1][image]
    start, first, *later = told(shown.driver, pixels, label, *options)
    for sentence in [*start, *first, *chain(*later)]:
        assert words(sentence) <= LONGEST_SENTENCE, sentence
        assert not re.search(r"\.\s", sentence)  # one thought
    run = Run(pixels, label, *options, steps=1 + len(later))
    for step, sentences in enumerate(later, start=2):
        check(run, step, sentences)

    in_block_1, *in_others = [np.maximum(train[0], 0).sum() for train in run.spikes]
    limit = "as many as they have to say" if run.max_spikes == np.inf else f"at most {run.max_spikes} a neuron"
    *heard_later, fires_last = [np.any(train[1:]) for train in run.spikes]
    some = "The later blocks" if all(in_others) else "Some of the later blocks"
    early = ", before they have heard everything" if any(heard_later) else ""
    done = "" if any(heard_later) or fires_last else ", and nothing is left for later"
    wrong = "" if run.guesses[0] == label else f", though the label says {label}"
    at_once = f"{some} fire at once{early}{done}."
    if run.max_spikes == np.inf:
        at_once = "Each block first hears everything that the block before has to say, then fires."
    all_spikes, negative = run.totals(1)
    assert negative == 0
    assert first == [
        f"{all_spikes:,} spike{'' if all_spikes == 1 else 's'} of +1, none of −1.",
        "The image comes in, in this step only.",
        f"Block 1 fires {in_block_1:,} of them, {limit}.",
        at_once if any(in_others) else "The later blocks stay silent.",
        f"First guess: {run.guesses[0]}{wrong}.",
    ]


def test_sentences_of_the_gallery_say_different_things_and_mostly_of_positive_spikes(shown):
    """At k=0 most spikes of every step are positive."""
    runs = shown.driver.execute_script(
        """return gallery.map((image) => {
          const run = startRun(image, { k: 0, maxSpikes: 1, negative: true });
          return run.spikes.slice(2, -1).map((_, step) => explain(run, step + 2));
        });"""
    )
    steps = list(chain(*runs))
    groups = [sentence for step in steps for sentence in step if " group: " in sentence]
    assert np.mean(["of +1" in sentence for sentence in groups]) > 0.8
    kinds = [" ".join(re.sub(r"[\d,]+", "n", sentence) for sentence in step) for step in steps]
    assert max(kinds.count(kind) for kind in kinds) < len(kinds) / 2
    assert max(words(" ".join(step)) for step in steps) < 50


def test_sentences_in_the_text_of_the_page_are_short(shown):
    paragraphs = shown.driver.execute_script(
        """return [...document.querySelectorAll("p, li, summary, label, caption, figcaption, h3")]
          .filter((element) => !element.querySelector("p, li"))
          .map((element) => element.textContent.replace(/\\s+/g, " "));"""
    )
    sentences = [s for paragraph in paragraphs for s in re.split(r"(?<=[.?!:;])\s", paragraph) if "et al" not in s]
    assert len(sentences) > 60
    assert [sentence for sentence in sentences if words(sentence) > LONGEST_SENTENCE] == []


@pytest.mark.parametrize(("speed", "most_words_a_minute"), [("slow", 120), ("normal", 180), ("fast", 360)])
def test_playing_leaves_time_to_read(shown, speed, most_words_a_minute):
    shown.driver.refresh()  # without the pause of the fixture
    stays = shown.driver.execute_script(
        """find("speed").value = arguments[0];
        const stays = [];
        window.setTimeout = (_, time) => stays.push(time);
        for (let step = 1; step < state.run.steps; step++) {
          play(true, step);
          stays.push(find("sentence").textContent);
        }
        return stays;""",
        speed,
    )
    timed = list(zip(stays, stays[1:], stays[2:]))[::3]  # of each step: until told, until the next one, sentence
    assert len(timed) > 5
    for _, time, sentence in timed:
        assert time >= 60_000 * len(sentence.split()) / most_words_a_minute


def test_screen_reader_hears_only_where_one_stays(shown):
    heard = """window.heard = [];
    const observer = new MutationObserver(() => window.heard.push(find("announcer").textContent));
    observer.observe(find("announcer"), { childList: true });"""
    shown.driver.execute_script(heard)
    live = shown.find_all("[aria-live]:not([aria-live=off])")
    assert [element.get_attribute("id") for element in live] == ["announcer"]
    shown.press("#play")
    shown.wait_for_the_end()
    shown.wait_for(lambda: shown.driver.execute_script("return window.heard.length"))
    _, last = shown.step()
    expected = f"Step {last} of {last}. {shown.text('#sentence')}"
    assert shown.driver.execute_script("return window.heard") == [expected]  # of a run with several steps


def test_sentences_on_a_drawing_speak_of_no_label(shown, mnist):
    sentences = shown.driver.execute_script(
        """const run = startRun({ pixels: arguments[0], label: null }, { k: 0, maxSpikes: 1, negative: true });
        return run.record.outputs.map((_, step) => explain(run, step)).flat();""",
        mnist[0][FIRST].ravel().tolist(),
    )
    assert not any("label" in sentence for sentence in sentences)
