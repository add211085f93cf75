// The page: what is shown, at which step, and what the buttons do.

const LONGEST_RUN = 40; // steps; the networks of the page fall silent before
const STEP_TIME = 2200; // ms, while playing: time to read a sentence,
const PLAYING_TIME = 30000; // ms, unless the whole run would take longer than this
const TIMELINE_HEIGHT = 56; // pixels, of the highest bar
const calm = matchMedia("(prefers-reduced-motion: reduce)").matches;

const find = (id) => document.getElementById(id);
const description = JSON.parse(find("description").textContent);
const networks = decodeNetworks(description, find("networks").textContent);
window.snn = {
  classify: (pixels, options) => classify(networks, pixels, options),
  prepare: prepareDigit,
};
find("not-started").remove();

const state = { image: null, run: null, step: 0, selected: null, pinned: false, timer: null };

/**
 * A run of the chosen network over an image, until silence:
 * record (what simulate returns), steps, spikes and guesses by step, the settings and the label (null if unknown);
 * `artificial` is what the artificial network answers, `mistaken` how many neurons have another count than there.
 */
function startRun({ pixels, label }, { k, maxSpikes, negative }) {
  const record = simulate(networks[k], pixels, { timeSteps: LONGEST_RUN, maxSpikes, negative });
  const exact = negative ? record : simulate(networks[k], pixels, { timeSteps: LONGEST_RUN, maxSpikes });
  const spikes = record.outputs.map((_, step) => {
    const counted = record.blocks.map((block) => countSpikes(block.spikes[step]));
    return {
      positive: counted.map(([positive]) => positive),
      negative: counted.map(([, negativeSpikes]) => negativeSpikes),
      sops: sum(record.blocks.map((block) => block.sops[step])),
    };
  });
  const finalCounts = ({ blocks }) => blocks.flatMap((block) => Array.from(block.counts.at(-1)));
  const exactCounts = finalCounts(exact);
  const largest = (counts) => counts.reduce((a, b) => Math.max(a, b), 0);
  return {
    record,
    steps: spikes.length - 1,
    spikes,
    guesses: record.outputs.map(argmax),
    k,
    maxSpikes,
    negative,
    label,
    artificial: argmax(exact.outputs.at(-1)),
    mistaken: finalCounts(record).filter((count, neuron) => count !== exactCounts[neuron]).length,
    largestCounts: record.blocks.map(({ counts }) => Math.max(...counts.map(largest))),
  };
}

function settings() {
  const chosen = new FormData(find("settings"));
  return { k: Number(chosen.get("k")), maxSpikes: Number(chosen.get("burst")), negative: find("negative").checked };
}

/** Runs the image that is given, or the last one with new settings, and shows it from its first step on. */
function rerun(image = state.image) {
  if (image === null) return; // cleared
  try {
    state.run = startRun(image, settings());
  } catch (error) {
    if (!(error instanceof RangeError)) throw error;
    clear("In this image a neuron fires more often than the page has thresholds for. Draw another one.");
    return;
  }
  setImage(image);
  pictureOf(image.pixels, find("seen"));
  find("step").max = state.run.steps;
  drawTimeline();
  drawNumbers();
  play(!calm);
}

/** Notes the image. Without one no button leads to a run, and style.css hides all that tells of one. */
function setImage(image) {
  state.image = image;
  document.body.classList.toggle("has-digit", image !== null);
  find("transport").disabled = find("example").disabled = image === null;
}

function clear(sentence) {
  stop();
  pad.clear();
  setImage(null);
  find("sentence").textContent = sentence;
}

/** Goes to a step, and draws all that depends on it. */
function goTo(step) {
  const { run } = state;
  state.step = Math.max(0, Math.min(run.steps, step));
  find("step").value = state.step;
  find("step-label").textContent = `Step ${state.step} of ${run.steps}`;
  find("step").setAttribute("aria-valuetext", `step ${state.step} of ${run.steps}`);
  find("sentence").textContent = explain(run, state.step);
  maps.forEach((map) => map.draw(run, state.step));
  drawClasses();
  drawWork();
  drawNeuron();
  document.querySelectorAll("#timeline button").forEach((column, index) => {
    column.classList.toggle("now", index + 1 === state.step);
    column.classList.toggle("past", index + 1 < state.step);
  });
  document.querySelectorAll("#numbers tbody tr").forEach((row, index) => {
    row.classList.toggle("now", index + 1 === state.step);
  });
  find("first").disabled = find("back").disabled = state.step === 0;
  find("forward").disabled = state.step === run.steps;
}

/** Starts to play, from the start where all has been shown, or stops. */
function play(playing, from = 1) {
  clearInterval(state.timer);
  state.timer = null;
  find("play").textContent = playing ? "Pause" : "Play";
  goTo(from);
  if (!playing) return;
  state.timer = setInterval(() => {
    goTo(state.step + 1);
    if (state.step === state.run.steps) stop();
  }, Math.min(STEP_TIME, PLAYING_TIME / state.run.steps));
}

function stop() {
  play(false, state.step);
}

/** Shows a neuron, until the next one is; one that is pinned stays while the pointer passes over others. */
function select(block, neuron, pinned) {
  Object.assign(state, { selected: { block, neuron }, pinned });
  maps.forEach((map, index) => map.mark(index === block ? neuron : null, pinned));
  drawNeuron();
}

const selecting = {
  look(block, neuron) {
    if (!state.pinned) select(block, neuron, false);
  },
  pin: (block, neuron) => select(block, neuron, true),
  toggle(block, neuron) {
    const { selected, pinned } = state;
    select(block, neuron, !(pinned && selected.block === block && selected.neuron === neuron));
  },
};

function drawNeuron() {
  if (!state.selected) return;
  const { block, neuron } = state.selected;
  const layer = networks[state.run.k].blocks[block];
  const history = neuronHistory(layer, state.run.record.blocks[block], neuron, state.run.steps);
  const [name, sentence] = [neuronName(block, neuron, layer.outputShape), explainNeuron(history, state.step)];
  find("brief").innerHTML = `<b>${name}</b>${state.pinned ? " (pinned)" : ""}: ${sentence}`;
  find("neuron").hidden = false;
  find("neuron-name").textContent = name;
  find("neuron-sentence").textContent = sentence;
  drawNeuronChart(find("neuron-chart"), history, state.step);
  fillNeuronTable(find("neuron-table"), history);
}

function showTakenBack() {
  const found = findTakenBack(networks[state.run.k], state.run);
  if (!found) {
    stop();
    find("sentence").textContent = "In this run no neuron takes a spike back.";
    return;
  }
  play(false, found.step);
  select(found.block, found.neuron, true);
}

function drawTimeline() {
  const { run } = state;
  const totals = run.spikes.map(({ positive, negative }) => [sum(positive), sum(negative)]);
  const highest = Math.max(1, ...totals.flat());
  const columns = [];
  for (let step = 1; step <= run.steps; step++) {
    const column = document.createElement("button");
    column.type = "button";
    column.tabIndex = -1; // the slider does the same with the keyboard
    const [up, down] = totals[step].map((count) => (count ? Math.max(2, (TIMELINE_HEIGHT * count) / highest) : 0));
    column.innerHTML =
      `<span class="up"><i style="height:${up}px"></i></span><b>${step}</b>` +
      `<span class="down"><i style="height:${down}px"></i></span>` +
      `<small>${coloured(...totals[step])}</small>`;
    column.addEventListener("click", () => play(false, step));
    columns.push(column);
  }
  find("timeline").replaceChildren(...columns);
}

function drawClasses() {
  const { outputs } = state.run.record;
  const extent = Math.max(1, ...outputs.flatMap((potentials) => Array.from(potentials, Math.abs)));
  const guess = state.run.guesses[state.step];
  find("guess").textContent = state.step === 0 ? "none yet" : guess;
  find("says").textContent = state.step === 0 ? "…" : guess;
  find("classes").innerHTML = Array.from(outputs[state.step], (potential, digit) => {
    const width = (50 * Math.abs(potential)) / extent;
    const place = potential < 0 ? `right:50%` : `left:50%`;
    const chosen = state.step > 0 && digit === guess ? ' class="chosen"' : "";
    return `<li${chosen}><b>${digit}</b><span><i style="${place};width:${width}%"></i></span></li>`;
  }).join("");
}

function drawWork() {
  const { positive, negative, sops } = state.run.spikes[state.step];
  const fired = isSilent(state.run, state.step) ? "silence" : `${coloured(sum(positive), sum(negative))} spikes`;
  find("counts").innerHTML = `In this step: ${fired}, ${withCommas(sops)} additions (SOPs)`;
  const done = sum(state.run.spikes.slice(0, state.step + 1).map((one) => one.sops));
  const percent = (100 * done) / description.annOperations;
  find("work-label").innerHTML =
    `Work so far: <b>${withCommas(done)}</b> additions (SOPs), <b>${percent.toFixed(0)} %</b> of the ` +
    `${withCommas(description.annOperations)} that the artificial network needs, both without block 1`;
  find("work").setAttribute("aria-label", `${percent.toFixed(0)} percent of the artificial network's operations`);
  find("work").firstElementChild.style.width = `${Math.min(100, percent)}%`;
}

function drawNumbers() {
  let total = 0;
  const rows = state.run.spikes.slice(1, state.run.steps + 1).map(({ positive, negative, sops }, index) => {
    total += sops;
    const percent = ((100 * total) / description.annOperations).toFixed(1);
    const numbers = [sum(positive), sum(negative), sops, total].map(withCommas);
    return [index + 1, ...numbers, `${percent} %`, state.run.guesses[index + 1]];
  });
  const left = withCommas(description.leftOut);
  const caption =
    `The artificial network needs ${withCommas(description.annOperations)} operations. ` +
    `Block 1's ${left} multiply-accumulates, which both spend on the image, are left out of both.`;
  fillTable(find("numbers"), caption, ["step", "+1", "−1", "SOPs", "SOPs so far", "of these", "guess"], rows);
}

const maps = description.layers.slice(0, -1).map((layer, block) => createMap(block, layer.outputShape, selecting));
find("maps").prepend(...maps.map((map) => map.element));
const pad = createPad(find("pad"), (pixels) => rerun({ pixels, label: null }));
createGallery(find("gallery"), description.gallery, (image) => {
  pad.show(image.pixels);
  rerun(image);
});
find("clear").addEventListener("click", () => clear("Draw a digit, or take a test image."));
find("settings").addEventListener("change", () => rerun());
find("play").addEventListener("click", () => {
  if (state.timer !== null) stop();
  else play(true, state.step === state.run.steps ? 0 : Math.min(state.step + 1, state.run.steps));
});
find("first").addEventListener("click", () => play(false, 0));
find("back").addEventListener("click", () => play(false, state.step - 1));
find("forward").addEventListener("click", () => play(false, state.step + 1));
find("step").addEventListener("input", (event) => play(false, Number(event.target.value)));
find("example").addEventListener("click", showTakenBack);
document.addEventListener("keydown", (event) => {
  if (event.key === "Escape" && state.pinned) select(state.selected.block, state.selected.neuron, false);
});
new ResizeObserver(() => drawNeuron()).observe(document.querySelector(".neuron"));

document.querySelector("#gallery button").click();
stop(); // nothing moves before somebody asks for it
