// The panels around the maps: the timeline, the ten classes, the work done so far, and the table of numbers.

const [UP_HEIGHT, DOWN_HEIGHT] = [36, 16]; // height of the timeline's highest bars, in pixels

/** Draws a column for each step, with a bar for the spikes of each sign; a click calls goTo(step). */
function drawTimeline(run, goTo) {
  const totals = run.spikes.map(({ positive, negative }) => [sum(positive), sum(negative)]);
  const needed = totals.flatMap(([positive, negative]) => [positive / UP_HEIGHT, negative / DOWN_HEIGHT]);
  const spikesPerPixel = Math.max(1, ...needed);
  const columns = totals.slice(1).map((counts, index) => {
    const column = document.createElement("button");
    column.type = "button";
    column.tabIndex = -1; // keyboard users have the slider
    const [up, down] = counts.map((count) => (count ? Math.max(4, count / spikesPerPixel) : 0)); // 2 borders
    column.innerHTML =
      `<span class="up"><i style="height:${up}px"></i></span><b>${index + 1}</b>` +
      `<span class="down"><i style="height:${down}px"></i></span><small>${coloured(...counts)}</small>`;
    column.addEventListener("mousedown", (event) => event.preventDefault()); // a click must not move the focus
    column.addEventListener("click", () => goTo(index + 1));
    return column;
  });
  find("timeline").replaceChildren(...columns);
}

function markStep(step) {
  document.querySelectorAll("#timeline button").forEach((column, index) => {
    column.classList.toggle("now", index + 1 === step);
    column.classList.toggle("past", index + 1 < step);
  });
  document.querySelectorAll("#numbers tbody tr").forEach((row, index) => row.classList.toggle("now", index + 1 === step));
}

/** Draws the potential of each class, a sum of weights times spikes, and the guesses of both networks. */
function drawClasses(run, step) {
  const { outputs } = run.record;
  const extent = Math.max(1, ...outputs.flatMap((potentials) => Array.from(potentials, Math.abs)));
  const guess = step === 0 ? null : run.guesses[step];
  find("guess").textContent = guess ?? "none yet";
  find("says").textContent = guess ?? "…";
  find("says-when").textContent =
    step === run.steps ? "In the end:" : `${step === 0 ? "Before step 1" : `After step ${step}`} it says:`;
  find("artificial").textContent = run.artificial;
  find("classes").innerHTML = Array.from(outputs[step], (potential, digit) => {
    const width = (50 * Math.abs(potential)) / extent;
    const place = potential < 0 ? `right:50%` : `left:50%`;
    const value = decimal(potential * description.classifierUnits[run.k], 1);
    const bar = `<span aria-hidden="true"><i style="${place};width:${width}%"></i></span>`;
    const name = `<small class="hidden">class </small>${digit}<small class="hidden">: </small>`;
    return `<li${digit === guess ? ' class="chosen"' : ""}><b>${name}</b>${bar}<data>${value}</data></li>`;
  }).join("");
}

function drawWork(run, step) {
  const { positive, negative, sops } = run.spikes[step];
  const fired = isSilent(run, step) ? "silence" : `${coloured(sum(positive), sum(negative))} spikes`;
  find("counts").innerHTML = `In this step: ${fired}, ${withCommas(sops)} additions (SOPs)`;
  const done = sum(run.spikes.slice(0, step + 1).map((one) => one.sops));
  const percent = (100 * done) / description.annOperations;
  find("work-label").innerHTML =
    `Work so far: <b>${withCommas(done)}</b> additions (SOPs), <b>${percent.toFixed(0)} %</b> of the ` +
    `${withCommas(description.annOperations)} that the artificial network needs, both without block 1`;
  find("work").setAttribute("aria-label", `${percent.toFixed(0)} percent of the artificial network's operations`);
  find("work").firstElementChild.style.width = `${Math.min(100, percent)}%`;
}

function drawNumbers(run) {
  let total = 0;
  const rows = run.spikes.slice(1).map(({ positive, negative, sops }, index) => {
    total += sops;
    const percent = ((100 * total) / description.annOperations).toFixed(1);
    const numbers = [sum(positive), sum(negative), sops, total].map(withCommas);
    return [index + 1, ...numbers, `${percent} %`, run.guesses[index + 1]];
  });
  const caption =
    `The artificial network needs ${withCommas(description.annOperations)} operations. ` +
    `Block 1's ${withCommas(description.leftOut)} multiply-accumulates on the image are left out of both.`;
  fillTable(find("numbers"), caption, ["step", "+1", "−1", "SOPs", "SOPs so far", "of these", "guess"], rows);
}
