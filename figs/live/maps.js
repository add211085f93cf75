// The maps of the blocks, in which each neuron is a pixel and the channels lie side by side, as in figs/raster.py.

// As in figs/raster.py. They can be told apart without hue, too: each is three times as bright as the next one.
const POSITIVE = [255, 209, 102];
const NEGATIVE = [31, 120, 200];
const NO_SPIKE = 40; // grey of a neuron at rest that has not fired; the more it has fired, the lighter it is
const LIGHTEST_REST = 84;
const BETWEEN_CHANNELS = [0, 0, 0];

/**
 * Lays out the neurons of a block. Returns the map's {width, height} in pixels, and functions that convert between a
 * neuron's index, its place {row, column} in the map without gaps, and its pixel {x, y} with gaps between channels.
 */
function mapLayout([rows, columns, channels]) {
  let across = Math.ceil(Math.sqrt(channels)); // channels in a row: as square as possible without empty places
  while (channels % across) across++;
  const gap = rows * columns > 1 ? 1 : 0;
  const down = channels / across;
  return {
    width: across * (columns + gap) - gap,
    height: down * (rows + gap) - gap,
    placesAcross: across * columns,
    placesDown: down * rows,
    placeOf(neuron) {
      const channel = neuron % channels;
      const x = ((neuron - channel) / channels) % columns;
      const y = Math.floor(neuron / channels / columns);
      return { row: Math.floor(channel / across) * rows + y, column: (channel % across) * columns + x };
    },
    neuronAt({ row, column }) {
      const channel = Math.floor(row / rows) * across + Math.floor(column / columns);
      return ((row % rows) * columns + (column % columns)) * channels + channel;
    },
    pixelOf({ row, column }) {
      return { y: row + gap * Math.floor(row / rows), x: column + gap * Math.floor(column / columns) };
    },
    placeNear(y, x) {
      const near = (position, size, places) => {
        const tile = Math.floor(position / (size + gap));
        return Math.max(0, Math.min(places - 1, tile * size + Math.min(size - 1, position - tile * (size + gap))));
      };
      return { row: near(y, rows, down * rows), column: near(x, columns, across * columns) };
    },
  };
}

/**
 * Creates a card with the map of a block. With (block, neuron) it calls `look` for the neuron under the pointer,
 * `toggle` for one that is clicked or tapped, and `pin` for one that the arrow keys reach. Returns {element, draw(run,
 * step), mark(neuron, pinned)}.
 */
function createMap(block, shape, { look, toggle, pin }) {
  const layout = mapLayout(shape);
  const element = document.createElement("figure");
  element.className = `card map block-${block + 1}`;
  element.innerHTML =
    `<figcaption><b>Block ${block + 1}</b> <span class="shape">${shape.filter((size) => size > 1).join("×")}</span>` +
    `<span class="counts"></span></figcaption>` +
    `<div class="frame"><canvas tabindex="0" role="application"></canvas><i class="mark" hidden></i></div>`;
  const [canvas, mark, counts] = ["canvas", ".mark", ".counts"].map((selector) => element.querySelector(selector));
  [canvas.width, canvas.height] = [layout.width, layout.height];
  const pixelColours = colourer(layout, canvas);
  let marked = null;

  const markNeuron = (neuron, pinned) => {
    marked = neuron;
    mark.hidden = neuron === null;
    mark.classList.toggle("pinned", pinned);
    if (neuron === null) return;
    const { x, y } = layout.pixelOf(layout.placeOf(neuron));
    mark.style.cssText =
      `left:${(100 * x) / layout.width}%;top:${(100 * y) / layout.height}%;` +
      `width:${100 / layout.width}%;height:${100 / layout.height}%`;
  };
  const neuronUnder = (event) => {
    const box = canvas.getBoundingClientRect();
    const y = Math.floor(((event.clientY - box.top) / box.height) * layout.height);
    const x = Math.floor(((event.clientX - box.left) / box.width) * layout.width);
    return layout.neuronAt(layout.placeNear(y, x));
  };
  canvas.addEventListener("pointermove", (event) => {
    if (event.pointerType === "mouse") look(block, neuronUnder(event));
  });
  canvas.addEventListener("mousedown", (event) => event.preventDefault()); // a click must not move the focus
  canvas.addEventListener("click", (event) => toggle(block, neuronUnder(event)));
  canvas.addEventListener("keydown", (event) => {
    const move = { ArrowUp: [-1, 0], ArrowDown: [1, 0], ArrowLeft: [0, -1], ArrowRight: [0, 1] }[event.key];
    if (!move) return;
    event.preventDefault();
    const { row, column } = layout.placeOf(marked ?? 0);
    const moved = (value, by, places) => Math.max(0, Math.min(places - 1, value + by));
    const [down, right] = marked === null ? [0, 0] : move; // the first key chooses the first neuron
    const place = { row: moved(row, down, layout.placesDown), column: moved(column, right, layout.placesAcross) };
    pin(block, layout.neuronAt(place));
  });
  const fit = () => fitToPixels(element, canvas);
  new ResizeObserver(fit).observe(element);
  addEventListener("resize", fit); // for changes of the window's height, or of the size of a pixel

  return {
    element,
    mark: markNeuron,
    draw(run, step) {
      const [positive, negative] = [run.spikes[step].positive[block], run.spikes[step].negative[block]];
      const { spikes, counts: said } = run.record.blocks[block];
      pixelColours(spikes[step], said[step], run.largestCounts[block]);
      counts.innerHTML = coloured(positive, negative);
      canvas.setAttribute(
        "aria-label",
        `Map of block ${block + 1}, step ${step}: ${countOf(positive, "positive spike")}, ` +
          `${countOf(negative, "negative spike")}. Arrow keys move from neuron to neuron.`,
      );
    },
  };
}

/** Returns numbers of spikes in their colours, as HTML. */
function coloured(positive, negative) {
  const plus = positive > 0 ? `<span class="plus">+${withCommas(positive)}</span>` : "";
  const minus = negative > 0 ? `<span class="minus">−${withCommas(negative)}</span>` : "";
  return plus || minus ? `${plus} ${minus}` : "silent";
}

/** Returns a function that draws the spikes and counts of a block's neurons on its canvas. */
function colourer(layout, canvas) {
  const context = canvas.getContext("2d");
  const image = context.createImageData(layout.width, layout.height);
  const places = [];
  const set = (place, red, green, blue) => {
    image.data[place] = red;
    image.data[place + 1] = green;
    image.data[place + 2] = blue;
    image.data[place + 3] = 255;
  };
  for (let place = 0; place < image.data.length; place += 4) set(place, ...BETWEEN_CHANNELS);
  return (spikes, counts, largestCount) => {
    spikes.forEach((spike, neuron) => {
      if (places.length <= neuron) {
        const { x, y } = layout.pixelOf(layout.placeOf(neuron));
        places.push(4 * (y * layout.width + x));
      }
      const grey = NO_SPIKE + ((LIGHTEST_REST - NO_SPIKE) * counts[neuron]) / Math.max(1, largestCount);
      if (spike === 0) set(places[neuron], grey, grey, grey);
      else set(places[neuron], ...(spike > 0 ? POSITIVE : NEGATIVE));
    });
    context.putImageData(image, 0, 0);
  };
}

/**
 * Makes a map as large as the card's width and style.css's limit to its height allow. Each neuron is a whole number
 * of screen pixels wide, so that all look alike.
 */
function fitToPixels(card, canvas) {
  const { paddingLeft, paddingRight } = getComputedStyle(card);
  const width = card.clientWidth - parseFloat(paddingLeft) - parseFloat(paddingRight);
  const height = parseFloat(getComputedStyle(canvas.parentElement).maxHeight) || Infinity; // none
  const fitting = Math.min(width / canvas.width, height / canvas.height);
  const pixels = Math.max(1, Math.floor(fitting * devicePixelRatio));
  canvas.style.width = `${(pixels * canvas.width) / devicePixelRatio}px`;
}
