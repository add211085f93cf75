// One neuron over the steps: its potential, its count, and the two thresholds between which it stays silent.

const SVG = "http://www.w3.org/2000/svg";

/**
 * Returns a neuron's history, [{potential, count, lower, upper, spike}] for the steps >= 1. `count` is its count before
 * the step; it fires upwards if its potential is >= `upper`, downwards if it is < `lower`. Potentials and thresholds
 * are the network's integers. `inSpikes` converts one to spikes: a count of n is justified from theta[n] up, which is
 * about n - 1/2. `target` is the count of this neuron in the artificial network.
 */
function neuronHistory(run, block, neuron) {
  const record = run.record.blocks[block];
  const theta = thresholdsOf(run.blocks[block], neuron);
  const unit = (theta.at(-1) - theta[1]) / (theta.length - 2);
  const history = [];
  for (let step = 1; step <= run.steps; step++) {
    const count = record.counts[step - 1][neuron];
    const potential = record.potentials[step][neuron];
    const spike = record.spikes[step][neuron];
    history.push({ potential, count, spike, lower: count > 0 ? theta[count] : null, upper: theta[count + 1] });
  }
  const inSpikes = (value) => (value - theta[1]) / unit + 0.5;
  return { history, theta, target: run.targets[block][neuron], unit, inSpikes };
}

const CAUSES = [
  { sign: 1, weight: 1, words: "+1 through positive weights" },
  { sign: 1, weight: -1, words: "+1 through negative weights" },
  { sign: -1, weight: 1, words: "−1 through positive weights" },
  { sign: -1, weight: -1, words: "−1 through negative weights" },
];

/** Returns what a neuron hears in a step: for each of CAUSES the sum of spikes times weights, an integer. */
function heardIn(run, block, neuron, step) {
  const { kernel, stride, inputShape, kernelSize, outputShape } = run.blocks[block];
  const [[, columns, channels], [, width, filters]] = [inputShape, outputShape];
  const input = block > 0 ? run.record.blocks[block - 1].spikes[step] : step === 1 ? run.pixels : null;
  const sums = CAUSES.map(() => 0);
  if (input === null) return sums;
  const filter = neuron % filters;
  const position = Math.floor(neuron / filters);
  const [top, left] = [Math.floor(position / width) * stride[0], (position % width) * stride[1]];
  for (let y = 0; y < kernelSize[0]; y++) {
    for (let x = 0; x < kernelSize[1]; x++) {
      const [from, to] = [((top + y) * columns + left + x) * channels, (y * kernelSize[1] + x) * channels];
      for (let channel = 0; channel < channels; channel++) {
        const value = input[from + channel];
        const weight = kernel[(to + channel) * filters + filter];
        if (value !== 0) sums[(value > 0 ? 0 : 2) + (weight > 0 ? 0 : 1)] += value * weight;
      }
    }
  }
  return sums;
}

/** Returns which of CAUSES has moved the potentials most, up or down, given what each of some neurons has heard. */
function mainCause(heard, sign) {
  const totals = CAUSES.map((_, cause) => sum(heard.map((sums) => Math.max(0, sign * sums[cause]))));
  return CAUSES[totals.indexOf(Math.max(...totals))].words;
}

function neuronName(block, neuron, [, columns, channels], step) {
  const position = Math.floor(neuron / channels);
  const place = `row ${Math.floor(position / columns) + 1}, column ${(position % columns) + 1}`;
  const when = step === 0 ? "before step 1" : `in step ${step}`;
  return `Block ${block + 1}, map ${(neuron % channels) + 1}, ${place}, ${when}`;
}

/** Says what the neuron does in a step, and why, in sentences of at most 18 words. */
function explainNeuron(run, block, neuron, step) {
  const { history, theta, inSpikes } = neuronHistory(run, block, neuron);
  const start = `Its potential starts at ${decimal(inSpikes(0), 2)}.`;
  if (step === 0) return ["It has heard nothing and said nothing yet.", start];
  const { potential, count, spike, lower, upper } = history[step - 1];
  const before = run.record.blocks[block].potentials[step - 1][neuron];
  const unjustified = count + spike + 1; // the lowest count that a negative spike takes back
  const bounds = spike > 0 ? [theta[count + spike]] : spike < 0 ? [theta[unjustified]] : [lower ?? upper, upper];
  const others = [...bounds, before];
  const differ = (digits) => others.every((b) => b === potential || amount(b, digits) !== amount(potential, digits));
  const amount = (value, digits) => decimal(inSpikes(value), digits);
  const exact = (value) => amount(value, [2, 3, 4].find(differ) ?? 5);
  const now = `Its potential is ${exact(potential)}, and it has said ${count} so far.`;
  return [now, whyItMoved(run, block, neuron, step, exact(before)), whatItDoes()];

  function whatItDoes() {
    const still = spike * (potential - before) < 0 ? "still " : ""; // it has moved the other way, but not far enough
    if (spike > 0) return `Saying ${count + spike} needs ${exact(bounds[0])} or more: it ${still}fires +${spike}.`;
    if (spike < 0) {
      const said = spike === -1 ? `Saying ${unjustified}` : `Even saying ${unjustified}`;
      return `${said} needs ${exact(bounds[0])} or more, so it ${still}takes back what was too much: −${-spike}.`;
    }
    if (lower === null) return `Saying 1 needs ${exact(upper)} or more, and no count is below 0: it rests.`;
    if (potential < lower) return "That asks for a negative spike, but these are switched off.";
    return `That lies between ${exact(lower)} and ${exact(upper)}: it has said just enough, and rests.`;
  }
}

/** Says why the potential differs from `before`, its text for the step before. */
function whyItMoved(run, block, neuron, step, before) {
  const heard = heardIn(run, block, neuron, step);
  const change = sum(heard);
  if (block === 0) return step === 1 ? "The image has set it, once and for all." : "Nothing new comes in from the image.";
  if (heard.every((amount) => amount === 0)) return "It has heard nothing new in this step.";
  if (change === 0) return "What it has heard in this step cancels out.";
  return `It ${change > 0 ? "rose" : "fell"} from ${before}, mostly because of ${mainCause([heard], Math.sign(change))}.`;
}

/**
 * Returns, as HTML, the potential before a step and for each cause an arrow, the amount heard in spikes, and words.
 * The amounts add up to the potential after the step.
 */
function heardList(run, block, neuron, step) {
  if (step === 0) return "";
  const { unit, inSpikes } = neuronHistory(run, block, neuron);
  const signed = (amount) => `${amount > 0 ? "+" : ""}${decimal(amount, 2)}`;
  const before = signed(inSpikes(run.record.blocks[block].potentials[step - 1][neuron]));
  const start = step === 1 ? `starts at ${before} <span>(before any spike)</span>` : `was at ${before} before this step`;
  const sums = heardIn(run, block, neuron, step);
  const amounts = block > 0 ? sums : [sum(sums)];
  const items = amounts.map((amount, cause) => {
    if (amount === 0) return "";
    const words = block > 0 ? CAUSES[cause].words : "the image";
    return `<li>${amount > 0 ? "▲" : "▼"} ${signed(amount / unit)} <span>by ${words}</span></li>`;
  });
  return `<li>${start}</li>${items.join("")}`;
}

/** Draws the chart into `container` and marks the current step. */
function drawNeuronChart(container, { history, target, inSpikes }, current) {
  const [width, height, left, right, bottom, top] = [Math.max(280, container.clientWidth), 240, 44, 62, 34, 14];
  const shown = history.flatMap(({ potential, lower, upper }) => [potential, upper, lower ?? upper].map(inSpikes));
  const [low, high] = [Math.min(-0.5, ...shown) - 0.3, Math.max(1.5, target, ...shown) + 0.5];
  const stepWidth = (width - left - right) / history.length;
  const x = (step) => left + (step - 0.5) * stepWidth;
  const y = (value) => top + ((high - value) / (high - low)) * (height - top - bottom);
  const svg = svgElement(null, "svg", { viewBox: `0 0 ${width} ${height}`, width, height, role: "img" });
  svg.setAttribute("aria-label", "Potential, count, thresholds and target over the steps; the table below has them as integers.");
  const part = (name, attributes, text) => svgElement(svg, name, attributes, text);

  if (current > 0) {
    const place = { x: x(current) - stepWidth / 2, y: top, width: stepWidth, height: height - top - bottom };
    part("rect", { ...place, class: "now" });
  }
  const every = Math.ceil((high - low) / 7);
  for (let value = Math.ceil(low / every) * every; value <= high; value += every) {
    part("line", { x1: left, x2: width - right, y1: y(value), y2: y(value), class: value === 0 ? "zero" : "grid" });
    part("text", { x: left - 8, y: y(value) + 4, "text-anchor": "end" }, String(value).replace("-", "−"));
  }
  const tick = Math.ceil(history.length / Math.floor((width - left) / 34));
  for (let step = 1; step <= history.length; step += tick) {
    part("text", { x: x(step), y: height - bottom + 16, "text-anchor": "middle" }, step);
  }
  part("text", { x: (left + width) / 2, y: height - 3, "text-anchor": "middle" }, "step");
  const middle = height / 2 - 8;
  part("text", { x: 12, y: middle, "text-anchor": "middle", transform: `rotate(-90 12 ${middle})` }, "in spikes");

  history.forEach(({ upper, lower }, index) => {
    const [x1, x2] = [x(index + 1) - stepWidth / 2 + 1, x(index + 1) + stepWidth / 2 - 1];
    part("line", { x1, x2, y1: y(inSpikes(upper)), y2: y(inSpikes(upper)), class: "upper" });
    if (lower !== null) part("line", { x1, x2, y1: y(inSpikes(lower)), y2: y(inSpikes(lower)), class: "lower" });
  });
  part("line", { x1: left, x2: width - right, y1: y(target), y2: y(target), class: "target" });
  const said = history.map(({ count, spike }) => count + spike); // after each step
  const steps = said.map((count, index) => `H${x(index + 1) - stepWidth / 2}V${y(count)}`).join("");
  part("path", { d: `M${left} ${y(0)}${steps}H${width - right}`, class: "count" });
  const [last, apart] = [said.at(-1), said.at(-1) === target ? 14 : 0];
  part("text", { x: width - right + 6, y: y(target) + 4 - apart / 2 }, `target ${target}`);
  part("text", { x: width - right + 6, y: y(last) + 4 + apart / 2 }, `count ${last}`);
  const points = history.map(({ potential }, index) => `${x(index + 1)},${y(inSpikes(potential))}`);
  part("polyline", { points: points.join(" "), class: "potential" });
  history.forEach(({ potential, spike }, index) => {
    const [cx, cy] = [x(index + 1), y(inSpikes(potential))];
    part("circle", { cx, cy, r: 3.5, class: "potential" });
    if (spike === 0) return;
    const tip = spike > 0 ? -1 : 1; // an arrow up or down beside the dot
    const base = cy + tip * 7;
    part("path", { d: `M${cx - 6} ${base}h12l-6 ${tip * 10}z`, class: spike > 0 ? "fires-plus" : "fires-minus" });
  });
  container.replaceChildren(svg);
}

function svgElement(parent, name, attributes, text) {
  const element = document.createElementNS(SVG, name);
  for (const [key, value] of Object.entries(attributes)) element.setAttribute(key, value);
  if (text !== undefined) element.textContent = text;
  parent?.append(element);
  return element;
}

function fillNeuronTable(table, { history, target }) {
  const number = (value) => (value === null ? "–" : withCommas(value).replace("-", "−"));
  fillTable(
    table,
    `In each step: the potential, the count before, the two thresholds, and the spike. The target count is ${target}.`,
    ["step", "potential", "count", "− below", "+ from", "spike"],
    history.map(({ potential, count, lower, upper, spike }, index) => [
      index + 1,
      number(potential),
      count,
      number(lower),
      number(upper),
      spike > 0 ? `+${spike}` : String(spike).replace("-", "−"),
    ]),
  );
}

/** Fills a table with a caption, a header row, and rows whose first cell is their name. */
function fillTable(table, caption, header, rows) {
  const headers = header.map((name) => `<th scope="col">${name}</th>`).join("");
  const body = rows.map(([name, ...values]) => {
    return `<tr><th scope="row">${name}</th>${values.map((value) => `<td>${value}</td>`).join("")}</tr>`;
  });
  table.innerHTML = `<caption>${caption}</caption><thead><tr>${headers}</tr></thead><tbody>${body.join("")}</tbody>`;
}

/** Returns the neuron whose potential falls furthest below its count, as {block, neuron, step}; null if none does. */
function findTakenBack(run) {
  let best = null;
  run.record.blocks.forEach((record, block) => {
    for (let step = 2; step <= run.steps; step++) {
      record.spikes[step].forEach((spike, neuron) => {
        if (spike >= 0) return;
        const { history, inSpikes } = neuronHistory(run, block, neuron);
        const { potential, lower } = history[step - 1];
        const depth = inSpikes(lower) - inSpikes(potential);
        if (best === null || depth > best.depth) best = { block, neuron, step, depth };
      });
    }
  });
  return best;
}
