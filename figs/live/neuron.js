// One neuron over the steps: its potential, its count and the two thresholds between which it keeps still.

const SVG = "http://www.w3.org/2000/svg";

/**
 * The steps of a neuron, from 1 on: [{potential, count, lower, upper, spike}]. `count` is what it had fired before
 * the step; it fires + from `upper` up and - below `lower`. Both potentials and thresholds are integers of the
 * network; `inSpikes` turns one into spikes: the count n is justified from about n - 1/2 up, exactly from theta[n] up.
 */
function neuronHistory(blockLayer, blockRecord, neuron, steps) {
  const columns = blockLayer.thresholds.length / blockLayer.outputShape[2];
  const row = (neuron % blockLayer.outputShape[2]) * columns;
  const theta = blockLayer.thresholds.subarray(row, row + columns);
  const unit = (theta[columns - 1] - theta[1]) / (columns - 2);
  const history = [];
  for (let step = 1; step <= steps; step++) {
    const count = blockRecord.counts[step - 1][neuron];
    const potential = blockRecord.potentials[step][neuron];
    const spike = blockRecord.spikes[step][neuron];
    history.push({ potential, count, spike, lower: count > 0 ? theta[count] : null, upper: theta[count + 1] });
  }
  return { history, theta, inSpikes: (value) => (value - theta[1]) / unit + 0.5 };
}

function neuronName(block, neuron, [, columns, channels]) {
  const position = Math.floor(neuron / channels);
  const place = `row ${Math.floor(position / columns) + 1}, column ${(position % columns) + 1}`;
  return `Block ${block + 1}, map ${(neuron % channels) + 1}, ${place}`;
}

/** What the neuron does in a step, and why. */
function explainNeuron({ history, theta, inSpikes }, step) {
  if (step === 0) return "It has heard nothing and said nothing yet.";
  const { potential, count, spike, lower, upper } = history[step - 1];
  const amount = (value) => inSpikes(value).toFixed(2).replace("-", "−");
  const start = `Step ${step}: it has said ${count} so far, and its potential is ${amount(potential)}.`;
  if (spike > 0) {
    const [more, needed] = [spike === 1 ? "one" : spike, amount(theta[count + spike])];
    return `${start} That is enough for ${more} more (${needed} or above): it fires +${spike}.`;
  }
  if (spike < 0) {
    const unjustified = count + spike + 1; // the lowest count that it takes back
    const needed = `${spike === -1 ? "A" : "Even a"} count of ${unjustified} needs ${amount(theta[unjustified])} or above`;
    return `${start} ${needed}, so it has said too much: it fires −${-spike}.`;
  }
  const between = lower === null ? `below ${amount(upper)}` : `between ${amount(lower)} and ${amount(upper)}`;
  return lower !== null && potential < lower
    ? `${start} That asks for a negative spike, and these are switched off.`
    : `${start} That lies ${between}: it has said just enough and rests.`;
}

/** Draws the chart into `container`, with the current step marked. */
function drawNeuronChart(container, { history, inSpikes }, current) {
  const [width, height, left, bottom, top] = [Math.max(300, container.clientWidth), 220, 44, 34, 14];
  const shown = history.flatMap(({ potential, lower, upper }) => [potential, upper, lower ?? upper].map(inSpikes));
  const [low, high] = [Math.min(-0.5, ...shown) - 0.3, Math.max(1.5, ...shown) + 0.5];
  const stepWidth = (width - left - 8) / history.length;
  const x = (step) => left + (step - 0.5) * stepWidth;
  const y = (value) => top + ((high - value) / (high - low)) * (height - top - bottom);
  const svg = svgElement(null, "svg", { viewBox: `0 0 ${width} ${height}`, width, height, role: "img" });
  svg.setAttribute("aria-label", "Potential and thresholds over the steps; the table below has them as integers.");
  const part = (name, attributes, text) => svgElement(svg, name, attributes, text);

  if (current > 0) {
    const place = { x: x(current) - stepWidth / 2, y: top, width: stepWidth, height: height - top - bottom };
    part("rect", { ...place, class: "now" });
  }
  const every = Math.ceil((high - low) / 7);
  for (let value = Math.ceil(low / every) * every; value <= high; value += every) {
    part("line", { x1: left, x2: width - 8, y1: y(value), y2: y(value), class: value === 0 ? "zero" : "grid" });
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

function fillNeuronTable(table, { history }) {
  const number = (value) => (value === null ? "–" : withCommas(value).replace("-", "−"));
  fillTable(
    table,
    "In each step: the potential, the count before, the two thresholds, and the spike",
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

/** A table with a caption and a header row; the first cell of each row names it. */
function fillTable(table, caption, header, rows) {
  const headers = header.map((name) => `<th scope="col">${name}</th>`).join("");
  const body = rows.map(([name, ...values]) => {
    return `<tr><th scope="row">${name}</th>${values.map((value) => `<td>${value}</td>`).join("")}</tr>`;
  });
  table.innerHTML = `<caption>${caption}</caption><thead><tr>${headers}</tr></thead><tbody>${body.join("")}</tbody>`;
}

/** The neuron whose potential falls deepest below what it has said, as {block, neuron, step}; null if none does. */
function findTakenBack(network, run) {
  let best = null;
  run.record.blocks.forEach((record, block) => {
    for (let step = 2; step <= run.steps; step++) {
      record.spikes[step].forEach((spike, neuron) => {
        if (spike >= 0) return;
        const { history, inSpikes } = neuronHistory(network.blocks[block], record, neuron, step);
        const { potential, lower } = history[step - 1];
        const depth = inSpikes(lower) - inSpikes(potential);
        if (best === null || depth > best.depth) best = { block, neuron, step, depth };
      });
    }
  });
  return best;
}
