// What one sees, in words.

function withCommas(number) {
  return number.toLocaleString("en-US");
}

function countOf(number, word) {
  return `${withCommas(number)} ${word}${number === 1 ? "" : "s"}`;
}

/**
 * One or two sentences on a step of a run: what happens, why, and what the network makes of it.
 * A run is what `startRun` in page.js describes.
 */
function explain(run, step) {
  if (step === 0) return "Before step 1: nobody has fired, all counts are 0. Press Play, and the image comes in.";
  return `Step ${step}: ${happening(run, step)} ${guessing(run, step)}`;
}

function happening(run, step) {
  const { positive, negative } = run.spikes[step];
  if (isSilent(run, step)) return silence(run);
  if (step === 1) return firstStep(run, positive);
  const [most, block] = largest(negative);
  if (most > 0) {
    const others = sum(negative) > most ? ` (all blocks: ${withCommas(sum(negative))})` : "";
    return (
      `block ${block + 1} takes ${countOf(most, "spike")} back${others}, because its neurons fired before they had ` +
      `heard all of block ${block}, and what has come since pulls their potentials below the threshold again.`
    );
  }
  const [added, adding] = largest(positive);
  return (
    `block ${adding + 1} adds ${countOf(added, "spike")}: ` +
    (step > 2 && adding > 0
      ? `what block ${adding} has said meanwhile lifts these neurons over their next threshold.`
      : "these neurons have larger numbers to tell, but only so many spikes a step.") +
    (run.negative ? "" : " Nobody may take anything back.")
  );
}

function firstStep(run, positive) {
  const [limit, heard] =
    run.maxSpikes === Infinity
      ? ["all that it has to say", "having heard everything"]
      : [`at most ${run.maxSpikes} a neuron`, "on the little that they have heard"];
  return (
    `the image comes in, this once. Block 1 answers with ${countOf(positive[0], "spike")}, ${limit}, ` +
    `and the later blocks speak at once, ${heard}.`
  );
}

function silence(run) {
  if (run.negative) {
    return "silence. Every neuron has now said exactly the number that the artificial network computes.";
  }
  return run.mistaken > 0
    ? `silence, but ${countOf(run.mistaken, "neuron")} ${run.mistaken === 1 ? "has" : "have"} not said their ` +
        "true number, and without negative spikes nobody can take anything back."
    : "silence. This time every neuron has said its number, and nothing had to be taken back.";
}

function guessing(run, step) {
  const [before, now] = [run.guesses[step - 1], run.guesses[step]];
  const last = isSilent(run, step);
  if (last && !run.negative && now !== run.artificial) {
    return `The guess is ${now}; with negative spikes it would be ${run.artificial}, as in the artificial network.`;
  }
  const wrong = run.label === null || now === run.label ? "" : `, though the label says ${run.label}`;
  if (last) return `${run.negative ? "Both say" : "The guess is"} ${now}${wrong}.`;
  if (step === 1) return `First guess: ${now}${wrong}.`;
  return before === now ? `The guess stays ${now}${wrong}.` : `The guess changes from ${before} to ${now}${wrong}.`;
}

/** Whether nothing fires in a step, and so nothing will in later ones. */
function isSilent(run, step) {
  const { positive, negative } = run.spikes[step];
  return sum(positive) + sum(negative) === 0;
}

function sum(numbers) {
  return numbers.reduce((a, b) => a + b, 0);
}

/** The largest of the numbers and its place. */
function largest(numbers) {
  const value = Math.max(...numbers);
  return [value, numbers.indexOf(value)];
}
