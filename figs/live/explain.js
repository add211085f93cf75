// Explains what can be seen, in sentences of at most 18 words, each of which states only what has been counted.

function withCommas(number) {
  return number.toLocaleString("en-US");
}

function countOf(number, word) {
  return `${withCommas(number)} ${word}${number === 1 ? "" : "s"}`;
}

/** Formats a number with a real minus sign instead of a hyphen, and without a sign if all digits are 0. */
function decimal(number, digits) {
  return number.toFixed(digits).replace(/^-(?=[0.]+$)/, "").replace("-", "−");
}

/** Returns sentences on a step of a run (see `startRun` in page.js): what happens, why, and the guess. */
function explain(run, step) {
  if (step === 0) return ["Before step 1: nobody has fired, and all counts are 0.", "Press Play, and the image comes in."];
  const happening = isSilent(run, step) ? silence(run) : step === 1 ? firstStep(run) : laterStep(run, step);
  return [...happening, guessing(run, step)];
}

function firstStep(run) {
  const [inBlock1, ...inOthers] = run.spikes[1].positive;
  const unlimited = run.maxSpikes === Infinity;
  const limit = unlimited ? "as many as they have to say" : `at most ${run.maxSpikes} a neuron`;
  const later = run.record.blocks.map(({ spikes }) => spikes.slice(2).some((ofStep) => ofStep.some(Boolean)));
  const all = inOthers.every(Boolean) ? "The later blocks" : "Some of the later blocks";
  // later spikes of the last block do not count here, as no block hears them
  const early = later.slice(0, -1).includes(true) ? ", before they have heard everything" : "";
  const done = later.includes(true) ? "" : ", and nothing is left for later";
  const atOnce = unlimited
    ? "Each block first hears everything that the block before has to say, then fires."
    : `${all} fire at once${early}${done}.`;
  return [
    `${countOf(inBlock1 + sum(inOthers), "spike")} of +1, none of −1.`,
    "The image comes in, in this step only.",
    `Block 1 fires ${withCommas(inBlock1)} of them, ${limit}.`,
    sum(inOthers) > 0 ? atOnce : "The later blocks stay silent.",
  ];
}

/** Says how many spikes there are, where the largest group of one kind is and why, and what cannot be taken back. */
function laterStep(run, step) {
  const [positive, negative] = [sum(run.spikes[step].positive), sum(run.spikes[step].negative)];
  const group = largestGroup(run, step);
  const place = `block ${group.block + 1}`;
  const sentences = [`${countOf(positive, "spike")} of +1, ${withCommas(negative)} of −1.`];
  if (group.spikes < positive + negative) {
    const alike = run.spikes[step][group.sign > 0 ? "positive" : "negative"][group.block]; // the number above its map
    const ofThem = group.spikes < alike ? `${withCommas(group.spikes)} of the ${withCommas(alike)}` : withCommas(alike);
    sentences.push(`The largest group: ${ofThem} of ${group.sign > 0 ? "+1" : "−1"} in ${place}.`);
  } else sentences.push(group.spikes === 1 ? `It comes from ${place}.` : `All come from ${place}.`);
  sentences.push(reason(run, step, group));
  const tooMuch = run.negative ? 0 : countTooMuch(run, step);
  if (tooMuch > 0) sentences.push(`${havingDone(tooMuch, "said too much")}, but may not take it back.`);
  return sentences;
}

/** Says why the neurons of a group fire: they had to wait, or new input has moved them across a threshold. */
function reason(run, step, { block, sign, waited, neurons }) {
  const [they, them] = neurons.length === 1 ? ["This neuron was", "this neuron"] : ["They were", "these neurons"];
  if (waited) return `${they} waiting to ${sign > 0 ? "say" : "take back"} more, at most ${run.maxSpikes} a step.`;
  const heard = neurons.map((neuron) => heardIn(run, block, neuron, step));
  const moved = sign > 0 ? `lifted ${them} over` : `pulled ${them} below`;
  return `Spikes from block ${block} ${moved} a threshold, mostly ${mainCause(heard, sign)}.`;
}

/**
 * Groups the spikes of a step by block, by sign and by whether they were due before the step. Returns the largest
 * group as {block, sign, waited, spikes, neurons}: the number of its spikes and the list of its neurons.
 */
function largestGroup(run, step) {
  const groups = new Map();
  run.record.blocks.forEach((record, block) => {
    record.spikes[step].forEach((spike, neuron) => {
      if (spike === 0) return;
      const due = spikesDueBefore(run.blocks[block], record, neuron, step);
      for (const [waited, spikes] of [[true, due], [false, Math.abs(spike) - due]]) {
        if (spikes === 0) continue;
        const key = `${block} ${Math.sign(spike)} ${waited}`;
        if (!groups.has(key)) groups.set(key, { block, sign: Math.sign(spike), waited, spikes: 0, neurons: [] });
        groups.get(key).spikes += spikes;
        groups.get(key).neurons.push(neuron);
      }
    });
  });
  return [...groups.values()].reduce((a, b) => (b.spikes > a.spikes ? b : a));
}

/** Counts the spikes in a step that a neuron's potential already justified in the step before. */
function spikesDueBefore(block, record, neuron, step) {
  const theta = thresholdsOf(block, neuron);
  const [potential, count] = [record.potentials[step - 1][neuron], record.counts[step - 1][neuron]];
  const spike = record.spikes[step][neuron];
  let due = 0;
  if (spike > 0) while (due < spike && potential >= theta[count + due + 1]) due++;
  else while (due < -spike && potential < theta[count - due]) due++;
  return due;
}

/** Counts the neurons that have said more than their potential justifies. */
function countTooMuch(run, step) {
  return sum(
    run.record.blocks.map(({ potentials, counts }, block) => {
      const theta = (neuron) => thresholdsOf(run.blocks[block], neuron);
      const tooMuch = (potential, neuron) => potential < theta(neuron)[counts[step][neuron]];
      return potentials[step].filter(tooMuch).length;
    }),
  );
}

function silence({ mistaken, negative }) {
  if (mistaken === 0) return ["Silence.", "Every neuron has now said exactly the number of the artificial network."];
  const why = negative ? [] : ["Without negative spikes nobody can take anything back."];
  return [`Silence, but ${havingDone(mistaken, "not said", "its", "their")} true number.`, ...why];
}

/** Returns, say, "1 neuron has said its" or "2 neurons have said their". */
function havingDone(neurons, done, its = "", their = "") {
  const [has, whose] = neurons === 1 ? ["has", its] : ["have", their];
  return [countOf(neurons, "neuron"), has, done, whose].filter(Boolean).join(" ");
}

function guessing(run, step) {
  const [before, now] = [run.guesses[step - 1], run.guesses[step]];
  if (isSilent(run, step) && now !== run.artificial) {
    return `The guess is ${now}; with negative spikes it would be ${run.artificial}.`;
  }
  const wrong = run.label === null || now === run.label ? "" : `, though the label says ${run.label}`;
  if (isSilent(run, step)) return `Both networks say ${now}${wrong}.`;
  if (step === 1) return `First guess: ${now}${wrong}.`;
  return before === now ? `The guess stays ${now}${wrong}.` : `The guess changes from ${before} to ${now}${wrong}.`;
}

/** Whether nothing fires in a step, so that nothing will fire in later ones either. */
function isSilent(run, step) {
  const { positive, negative } = run.spikes[step];
  return step > 0 && sum(positive) + sum(negative) === 0;
}

function sum(numbers) {
  return numbers.reduce((a, b) => a + b, 0);
}
