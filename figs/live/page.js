// The page itself: which image and step it shows, and what its buttons do.

const LONGEST_RUN = 60; // steps; the networks of the page fall silent earlier
const WORDS_PER_MINUTE = { slow: 120, normal: 180, fast: 360 }; // sets the pace of playing; pupils read about 180
const SETTLED = 400; // ms without a change until the address is updated and a screen reader told
const calm = matchMedia("(prefers-reduced-motion: reduce)").matches;
const narrow = matchMedia("(max-width: 1000px)"); // as in style.css

const find = (id) => document.getElementById(id);
const description = JSON.parse(find("description").textContent);
const networks = decodeNetworks(description, find("networks").textContent);
const gallery = decodeGallery(description.gallery);
window.snn = {
  classify: (pixels, options) => classify(networks, pixels, options),
  prepare: prepareDigit,
};
find("not-started").remove();

const state = { image: null, run: null, step: 0, selected: null, pinned: false, timer: null, settling: null };

/**
 * Runs the chosen network on an image until silence. Returns the record of simulate, the number of steps, the spikes
 * and guesses of each step, the blocks, the pixels, the settings and the label (null if unknown); `targets`, the counts
 * of the artificial network, and `artificial`, its guess; and `mistaken`, how many neurons miss their target.
 */
function startRun({ pixels, label }, { k, maxSpikes, negative }) {
  const record = simulate(networks[k], pixels, { timeSteps: LONGEST_RUN, maxSpikes, negative });
  // without a limit, each block fires its activations in the artificial network at once
  const artificial = simulate(networks[k], pixels, { timeSteps: 1, maxSpikes: Infinity });
  const targets = artificial.blocks.map(({ counts }) => counts[1]);
  const spikes = record.outputs.map((_, step) => {
    const counted = record.blocks.map((block) => countSpikes(block.spikes[step]));
    return {
      positive: counted.map(([positive]) => positive),
      negative: counted.map(([, negativeSpikes]) => negativeSpikes),
      sops: sum(record.blocks.map((block) => block.sops[step])),
    };
  });
  const largest = (counts) => counts.reduce((a, b) => Math.max(a, b), 0);
  const mistakenIn = ({ counts }, block) => counts.at(-1).filter((n, neuron) => n !== targets[block][neuron]).length;
  return {
    record,
    steps: spikes.length - 1,
    spikes,
    guesses: record.outputs.map(argmax),
    blocks: networks[k].blocks,
    pixels,
    k,
    maxSpikes,
    negative,
    label,
    targets,
    artificial: argmax(artificial.outputs[1]),
    mistaken: sum(record.blocks.map(mistakenIn)),
    largestCounts: record.blocks.map(({ counts }) => Math.max(...counts.map(largest))),
  };
}

function settings() {
  const chosen = new FormData(find("settings"));
  return { k: Number(chosen.get("k")), maxSpikes: Number(chosen.get("burst")), negative: find("negative").checked };
}

/**
 * Runs the given image, or the last one with new settings, and shows a step. It plays only if told to, so that a
 * class can predict first.
 */
function rerun(image = state.image, playing = false, step = 1) {
  if (image === null) return; // the pad is empty
  try {
    state.run = startRun(image, settings());
  } catch (error) {
    if (!(error instanceof RangeError)) throw error;
    clear("Here a neuron fires more often than the page has thresholds for. Draw another digit.");
    return;
  }
  setImage(image);
  pictureOf(image.pixels, find("seen"));
  find("step").max = state.run.steps;
  drawTimeline(state.run, (chosen) => play(false, chosen));
  drawNumbers(state.run);
  play(playing, step);
}

/** Sets the image. Without one, no button leads to a run, and style.css hides everything about a run. */
function setImage(image) {
  state.image = image;
  document.body.classList.toggle("has-digit", image !== null);
  find("transport").disabled = find("example").disabled = image === null;
  find("no-example").textContent = "";
  document.querySelectorAll("#gallery .image").forEach((button, index) => {
    button.setAttribute("aria-pressed", gallery[index] === image);
  });
}

function clear(sentence) {
  if (state.run) stop();
  pad.clear();
  setImage(null);
  find("sentence").textContent = sentence;
  settle(sentence);
}

/** Goes to a step and draws everything that depends on it. */
function goTo(step) {
  const { run } = state;
  state.step = Math.max(0, Math.min(run.steps, step));
  find("step").value = state.step;
  find("step-label").textContent = `Step ${state.step} of ${run.steps}`;
  find("step").setAttribute("aria-valuetext", `step ${state.step} of ${run.steps}`);
  find("sentence").textContent = explain(run, state.step).join(" ");
  maps.forEach((map) => map.draw(run, state.step));
  drawClasses(run, state.step);
  drawWork(run, state.step);
  drawNeuron();
  markStep(state.step);
  const atStart = state.step === 0;
  for (const [id, isEnd] of [["first", atStart], ["back", atStart], ["forward", state.step === run.steps]]) {
    find(id).setAttribute("aria-disabled", isEnd); // `disabled` would take the focus away
  }
  settle(`${find("step-label").textContent}. ${find("sentence").textContent}`);
}

/**
 * Tells a screen reader what is shown and updates the address, but only once it has been shown for a while, so that
 * announcements do not queue up. While playing, only the address is updated.
 */
function settle(text) {
  clearTimeout(state.settling);
  state.settling = setTimeout(() => {
    if (state.timer === null) find("announcer").textContent = text;
    try {
      history.replaceState(null, "", `#${state.image ? toAddress(state.run, state.image, state.step) : ""}`);
    } catch {} // embedded in another page, it may not change its address
  }, SETTLED);
}

/** How long playing stays at a step, in ms: the time that it takes to read its sentences. */
function readingTime(sentences) {
  const words = sentences.join(" ").split(" ").length;
  return (60_000 * words) / WORDS_PER_MINUTE[find("speed").value];
}

/** Goes to a step and, if `playing`, on from there to the end. */
function play(playing, step) {
  clearTimeout(state.timer);
  find("notice").hidden = true; // it is about what was shown before
  goTo(step);
  const goesOn = playing && state.step < state.run.steps;
  const stay = goesOn && readingTime(explain(state.run, state.step));
  state.timer = goesOn ? setTimeout(() => play(true, state.step + 1), stay) : null;
  find("play").textContent = goesOn ? "Pause" : "Play";
}

function stop() {
  play(false, state.step);
}

function togglePlay() {
  if (state.image === null) return;
  if (state.timer !== null) stop();
  else play(true, state.step === state.run.steps ? 0 : state.step + 1);
}

/** Shows a neuron until another one is shown; a pinned one stays while the pointer passes over others. */
function select(block, neuron, pinned) {
  Object.assign(state, { selected: { block, neuron }, pinned });
  maps.forEach((map, index) => map.mark(index === block ? neuron : null, pinned));
  drawNeuron();
  if (pinned) settle(find("brief").textContent);
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
  const { run, step } = state;
  const { block, neuron } = state.selected;
  const history = neuronHistory(run, block, neuron);
  const name = neuronName(block, neuron, run.blocks[block].outputShape, step);
  const sentence = explainNeuron(run, block, neuron, step).join(" ");
  find("brief").innerHTML = `<b>${name}</b>${state.pinned ? " (pinned)" : ""}: ${sentence}`;
  // on a narrow screen, the line below all maps would be out of sight when a neuron is tapped
  const place = state.pinned && narrow.matches ? maps[block].element : document.querySelector(".stage");
  if (find("brief").parentElement !== place) place.append(find("brief"));
  find("neuron").hidden = false;
  find("neuron-name").textContent = name;
  find("neuron-sentence").textContent = sentence;
  find("heard").innerHTML = heardList(run, block, neuron, step);
  drawNeuronChart(find("neuron-chart"), history, step);
  fillNeuronTable(find("neuron-table"), history);
}

function showTakenBack() {
  const found = findTakenBack(state.run);
  if (!found) {
    find("no-example").textContent = "In this run no neuron takes a spike back.";
    return;
  }
  play(false, found.step);
  select(found.block, found.neuron, true);
  find("neuron").scrollIntoView({ block: "nearest" });
}

/** Shows what the address asks for, or the first image, and says which parts of the address are unknown. */
function openAddress() {
  const asked = fromAddress(location.hash.slice(1), gallery);
  const { k = 0, maxSpikes = 1, negative = true, image = gallery[0], step = 1, wrong } = asked;
  find("settings").elements.k.value = k;
  find("settings").elements.burst.value = maxSpikes;
  find("negative").checked = negative;
  pad.show(image.pixels);
  rerun(image, false, step);
  if (state.image && step > state.run.steps) wrong.push(`step=${step}`);
  find("notice").textContent = `This page does not have what the address asks for: ${wrong.join(", ")}.`;
  find("notice").hidden = wrong.length === 0;
  if (asked.step !== undefined && narrow.matches) document.querySelector(".stage").scrollIntoView();
}

function chooseImage(image) {
  pad.show(image.pixels);
  rerun(image);
}

const maps = description.layers.slice(0, -1).map((layer, block) => createMap(block, layer.outputShape, selecting));
find("maps").prepend(...maps.map((map) => map.element));
const pad = createPad(find("pad"), {
  drawn: (pixels) => rerun({ pixels, label: null }, !calm),
  unreadable: () => clear("This browser does not let the page read the drawing. Choose a test image instead."),
});
createGallery(find("gallery"), gallery, chooseImage);
find("clear").addEventListener("click", () => clear("Draw a digit, or choose a test image."));
find("settings").addEventListener("change", () => rerun());
find("play").addEventListener("click", togglePlay);
find("first").addEventListener("click", () => play(false, 0));
find("back").addEventListener("click", () => play(false, state.step - 1));
find("forward").addEventListener("click", () => play(false, state.step + 1));
find("step").addEventListener("input", (event) => play(false, Number(event.target.value)));
find("example").addEventListener("click", showTakenBack);
listenToKeys({
  togglePlay,
  move: (by) => state.image && play(false, state.step + by),
  chooseImage: (index) => gallery[index] && chooseImage(gallery[index]),
  nextLevel() {
    const { k } = find("settings").elements;
    k.value = (Number(k.value) + 1) % k.length;
    rerun();
  },
  free: () => state.pinned && select(state.selected.block, state.selected.neuron, false),
});
const docking = (entries) => {
  const { isIntersecting, boundingClientRect } = entries.at(-1);
  find("transport-place").style.height = isIntersecting ? "" : `${boundingClientRect.height}px`;
  find("transport").classList.toggle("docked", !isIntersecting);
};
// what is below the screen counts as visible, so that the bar docks only when the user has scrolled past it
new IntersectionObserver(docking, { rootMargin: "0px 0px 100000px" }).observe(find("transport-place"));
addEventListener("hashchange", openAddress);
document.addEventListener("dragstart", (event) => event.preventDefault()); // dragging selected text ends a stroke
new ResizeObserver(() => drawNeuron()).observe(document.querySelector(".neuron"));
openAddress(); // nothing plays until the user asks for it
