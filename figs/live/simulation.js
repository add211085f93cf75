// The spiking networks in integers; they give the spikes of spiking_utils.py exactly. docs/hardware.md describes the
// rule of the neuron and the arrays.

const INT32_MIN = -(2 ** 31);
const MAX_TIME_STEPS = 1000; // far longer than any run until silence

/**
 * Decodes the networks of the page, which figs/live.py has packed: [{blocks, classifier}], by k.
 * A layer is {inputShape, kernelSize, stride, outputShape, kernel, thresholds}; the classifier has no thresholds.
 */
function decodeNetworks(description, base64) {
  const bytes = toBytes(base64);
  let offset = 0;
  const read = (ArrayType, length) => {
    const start = offset;
    offset += length * ArrayType.BYTES_PER_ELEMENT;
    return new ArrayType(bytes.buffer.slice(start, offset)); // a copy, since int32 arrays must be aligned to 4 bytes
  };
  return description.levels.map(() => {
    const layers = description.layers.map((layer) => {
      const [height, width] = layer.kernelSize;
      const filters = layer.outputShape[2];
      return { ...layer, kernel: read(Int16Array, height * width * layer.inputShape[2] * filters) };
    });
    const classifier = layers.pop();
    for (const block of layers) {
      block.thresholds = readThresholds(read, block.outputShape[2], description.largestCount);
    }
    return { blocks: layers, classifier };
  });
}

/** Decodes base64. */
function toBytes(base64) {
  const text = atob(base64);
  const bytes = new Uint8Array(text.length);
  for (let i = 0; i < text.length; i++) bytes[i] = text.charCodeAt(i);
  return bytes;
}

/**
 * Reads thresholds, int32 (filters, largest count + 1): column n is the lowest potential that justifies the count n;
 * a count of 0 is always justified. The columns rise evenly except for rounding, so the page stores the first of them,
 * the first difference, and how the difference changes.
 */
function readThresholds(read, filters, largestCount) {
  const first = read(Int32Array, filters);
  const difference = read(Int32Array, filters);
  const changes = read(Int8Array, filters * (largestCount - 2));
  const thresholds = new Int32Array(filters * (largestCount + 1));
  for (let filter = 0; filter < filters; filter++) {
    const row = filter * (largestCount + 1);
    let rise = difference[filter];
    thresholds[row] = INT32_MIN;
    thresholds[row + 1] = first[filter];
    for (let n = 2; n <= largestCount; n++) {
      if (n > 2) rise += changes[filter * (largestCount - 2) + n - 3];
      thresholds[row + n] = thresholds[row + n - 1] + rise;
    }
  }
  return thresholds;
}

/** Returns the thresholds of a neuron: the lowest potential that justifies each count, which is its index. */
function thresholdsOf({ thresholds, outputShape: [, , filters] }, neuron) {
  const columns = thresholds.length / filters;
  const start = (neuron % filters) * columns;
  return thresholds.subarray(start, start + columns);
}

/**
 * Adds the input to the potentials: u <- u + convolution of the input. Only inputs other than 0 cost anything: each
 * adds its weights in every window that contains it. Returns the number of these additions, where an input of n counts
 * |n| times; for spikes these are the synaptic operations.
 */
function receive(layer, input, potential) {
  const { kernel, stride, inputShape, kernelSize, outputShape } = layer;
  const [, columns, channels] = inputShape;
  const [height, width, filters] = outputShape;
  let additions = 0;
  for (let index = 0; index < input.length; index++) {
    const value = input[index];
    if (value === 0) continue;
    const channel = index % channels;
    const position = (index - channel) / channels;
    const x = position % columns;
    const y = (position - x) / columns;
    const lastRow = Math.min(height - 1, Math.floor(y / stride[0]));
    const firstRow = Math.max(0, Math.ceil((y - kernelSize[0] + 1) / stride[0]));
    const firstColumn = Math.max(0, Math.ceil((x - kernelSize[1] + 1) / stride[1]));
    const lastColumn = Math.min(width - 1, Math.floor(x / stride[1]));
    for (let row = firstRow; row <= lastRow; row++) {
      for (let column = firstColumn; column <= lastColumn; column++) {
        const inWindow = (y - row * stride[0]) * kernelSize[1] + (x - column * stride[1]);
        const source = (inWindow * channels + channel) * filters;
        const target = (row * width + column) * filters;
        for (let filter = 0; filter < filters; filter++) {
          potential[target + filter] += value * kernel[source + filter];
        }
        additions += filters * Math.abs(value);
      }
    }
  }
  return additions;
}

/**
 * Lets each neuron fire the difference between the count that its potential justifies and its count n so far, but at
 * most maxSpikes, and no negative spikes unless `negative`. Changes `count`; returns the spikes, int16 (neurons).
 */
function fire(block, potential, count, maxSpikes, negative) {
  const filters = block.outputShape[2];
  const columns = block.thresholds.length / filters;
  const spikes = new Int16Array(potential.length);
  for (let neuron = 0; neuron < potential.length; neuron++) {
    const row = (neuron % filters) * columns;
    const u = potential[neuron];
    const before = count[neuron];
    let n = before;
    while (n - before < maxSpikes && u >= block.thresholds[row + n + 1]) {
      if (++n === columns - 1) throw new RangeError(`pixels: a neuron's count reaches ${n}, expected less`);
    }
    if (negative) while (before - n < maxSpikes && u < block.thresholds[row + n]) n--;
    spikes[neuron] = n - before;
    count[neuron] = n;
  }
  return spikes;
}

/**
 * Runs one image, 28 x 28 pixels from 0 to 255, up to the first step in which nothing fires (nor will anything later),
 * but for at most timeSteps steps. Returns everything that the page shows: {blocks: [{spikes, counts, potentials,
 * sops}], outputs}. Each of these lists has an entry for each step, beginning with step 0, before the first: an array
 * (neurons) or (classes), or a number in sops.
 */
function simulate(network, pixels, { timeSteps, maxSpikes = 1, negative = true }) {
  const states = network.blocks.map(({ outputShape: [height, width, filters] }) => {
    const neurons = height * width * filters;
    const [potential, count] = [new Int32Array(neurons), new Int8Array(neurons)];
    const history = { spikes: [new Int16Array(neurons)], counts: [count.slice()], potentials: [potential.slice()] };
    return { potential, count, ...history, sops: [0] };
  });
  const output = new Int32Array(network.classifier.outputShape[2]);
  const outputs = [output.slice()];
  for (let step = 1; step <= timeSteps; step++) {
    // the image is presented at the first step only
    let input = step === 1 ? Int16Array.from(pixels) : new Int16Array(pixels.length);
    states.forEach((state, index) => {
      const additions = receive(network.blocks[index], input, state.potential);
      if (index > 0) states[index - 1].sops.push(additions);
      input = fire(network.blocks[index], state.potential, state.count, maxSpikes, negative);
      state.spikes.push(input);
      state.counts.push(state.count.slice());
      state.potentials.push(state.potential.slice());
    });
    states.at(-1).sops.push(receive(network.classifier, input, output));
    outputs.push(output.slice());
    if (states.every(({ spikes }) => spikes[step].every((spike) => spike === 0))) break;
  }
  return { blocks: states, outputs };
}

/** The class with the highest potential; the lowest class on a tie. */
function argmax(potentials) {
  return potentials.indexOf(Math.max(...potentials));
}

/** Counts spikes, every spike of a burst by itself: [positive, negative]. */
function countSpikes(spikes) {
  let [positive, negative] = [0, 0];
  for (const spike of spikes) {
    if (spike > 0) positive += spike;
    else negative -= spike;
  }
  return [positive, negative];
}

/**
 * Classifies an image and returns plain arrays: integer potentials (steps, classes), predictions (steps), and the
 * positive spikes, negative spikes and sops (steps, blocks) of each single step. Throws a RangeError if an argument is
 * out of range, or if the pixels drive a neuron beyond the stored thresholds.
 */
function classify(networks, pixels, { k = 0, timeSteps = 20, maxSpikes = 1 } = {}) {
  const isWithin = (value, low, high) => Number.isInteger(value) && value >= low && value <= high;
  const check = (holds, name, found, expected) => {
    if (!holds) throw new RangeError(`${name} is ${found}, expected ${expected}`);
  };
  check(isWithin(k, 0, networks.length - 1), "k", k, `an integer from 0 to ${networks.length - 1}`);
  const [rows, columns] = networks[k].blocks[0].inputShape;
  check(pixels?.length === rows * columns, "pixels.length", pixels?.length, rows * columns);
  const wrong = Array.from(pixels).findIndex((value) => !isWithin(value, 0, 255));
  check(wrong === -1, `pixels[${wrong}]`, pixels[wrong], "an integer from 0 to 255");
  check(isWithin(timeSteps, 1, MAX_TIME_STEPS), "timeSteps", timeSteps, `an integer from 1 to ${MAX_TIME_STEPS}`);
  const anyNumber = maxSpikes === Infinity || isWithin(maxSpikes, 1, Infinity);
  check(anyNumber, "maxSpikes", maxSpikes, "an integer >= 1, or Infinity");
  const { blocks, outputs } = simulate(networks[k], pixels, { timeSteps, maxSpikes });
  const lastStep = outputs.length - 1; // nothing changes after it
  const steps = Array.from({ length: timeSteps }, (_, index) => Math.min(index + 1, lastStep));
  const counted = steps.map((step) => blocks.map((block) => countSpikes(block.spikes[step])));
  return {
    potentials: steps.map((step) => Array.from(outputs[step])),
    predictions: steps.map((step) => argmax(outputs[step])),
    positive: counted.map((ofBlocks) => ofBlocks.map(([positive]) => positive)),
    negative: counted.map((ofBlocks) => ofBlocks.map(([, negative]) => negative)),
    sops: steps.map((step) => blocks.map((block) => block.sops[step])),
  };
}
