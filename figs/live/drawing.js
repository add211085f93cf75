// The two sources of images: the drawing pad, and the gallery of test images.

// The pen's width is this share of the digit's longer side, so that small digits, once scaled to 28 x 28 pixels, have
// lines of 2 to 3 pixels like MNIST's. The limits are in pixels of the pad, which has 280 x 280.
const PEN = { share: 0.11, thinnest: 3, thickest: 22 };

/**
 * Creates the pad. After each stroke it calls `drawn(pixels)` with the prepared digit, or `unreadable()` if the
 * browser does not let the page read what was drawn. Returns {clear(), show(pixels)}. Fingers cannot draw on an image
 * that is shown, so that a swipe over it does not replace it.
 */
function createPad(canvas, { drawn, unreadable }) {
  const context = canvas.getContext("2d", { willReadFrequently: true });
  let strokes = []; // each a list of points {x, y}
  let pointer = null; // the id of the pointer that draws, while it is down

  const blacken = () => {
    context.fillStyle = "black";
    context.fillRect(0, 0, canvas.width, canvas.height);
  };
  const clear = () => {
    [strokes, pointer] = [[], null];
    canvas.classList.remove("image");
    blacken();
  };
  const draw = () => {
    const [xs, ys] = ["x", "y"].map((axis) => strokes.flat().map((point) => point[axis]));
    const size = Math.max(...[xs, ys].map((places) => Math.max(...places) - Math.min(...places)));
    const lineWidth = Math.min(PEN.thickest, Math.max(PEN.thinnest, PEN.share * size));
    blacken();
    Object.assign(context, { strokeStyle: "white", lineWidth, lineCap: "round", lineJoin: "round" });
    for (const [first, ...others] of strokes) {
      context.beginPath();
      context.moveTo(first.x, first.y);
      for (const { x, y } of [first, ...others]) context.lineTo(x, y); // a single point is a dot
      context.stroke();
    }
  };
  const positionOf = (event) => {
    const box = canvas.getBoundingClientRect();
    const scale = canvas.width / box.width;
    return { x: (event.clientX - box.left) * scale, y: (event.clientY - box.top) * scale };
  };
  const read = () => {
    const { data } = context.getImageData(0, 0, canvas.width, canvas.height);
    return Uint8Array.from({ length: data.length / 4 }, (_, index) => data[4 * index]); // grey
  };
  canvas.addEventListener("pointerdown", (event) => {
    if (pointer !== null || event.button !== 0) return; // ignore a second finger, the palm and other buttons
    if (event.pointerType === "touch" && canvas.classList.contains("image")) return; // a swipe scrolls the page
    canvas.classList.remove("image");
    pointer = event.pointerId;
    canvas.setPointerCapture(pointer);
    strokes.push([positionOf(event)]);
    draw();
  });
  canvas.addEventListener("pointermove", (event) => {
    if (event.pointerId !== pointer) return;
    const passed = event.getCoalescedEvents?.() ?? [];
    strokes.at(-1).push(...[...passed, event].map(positionOf));
    draw();
  });
  const penUp = (event) => {
    if (event.pointerId !== pointer) return;
    pointer = null;
    const pixels = canReadCanvas() && prepareDigit(read(), canvas.height, canvas.width);
    if (pixels) drawn(pixels);
    else unreadable();
  };
  for (const end of ["pointerup", "pointercancel", "lostpointercapture"]) canvas.addEventListener(end, penUp);
  clear();

  return {
    clear,
    show(pixels) {
      clear();
      canvas.classList.add("image");
      context.imageSmoothingEnabled = false;
      context.drawImage(pictureOf(pixels), 0, 0, canvas.width, canvas.height);
    },
  };
}

/** Whether the page can read what is drawn on a canvas: some browsers prevent it, as it may identify the user. */
function canReadCanvas() {
  const context = Object.assign(document.createElement("canvas"), { width: 16, height: 16 }).getContext("2d");
  const isWhite = (index) => (index + Math.floor(index / 16)) % 2 === 1; // a chessboard
  const fields = Array.from({ length: 256 }, (_, index) => index);
  context.fillStyle = "white";
  fields.filter(isWhite).forEach((index) => context.fillRect(index % 16, Math.floor(index / 16), 1, 1));
  try {
    const { data } = context.getImageData(0, 0, 16, 16);
    return fields.every((index) => (data[4 * index] >= 128) === isWhite(index));
  } catch {
    return false;
  }
}

/** Draws an image on a canvas of 28 x 28 pixels, which it returns. */
function pictureOf(pixels, canvas = document.createElement("canvas")) {
  canvas.width = canvas.height = IMAGE_SIZE;
  const context = canvas.getContext("2d");
  const image = context.createImageData(IMAGE_SIZE, IMAGE_SIZE);
  pixels.forEach((value, index) => image.data.set([value, value, value, 255], 4 * index));
  context.putImageData(image, 0, 0);
  return canvas;
}

/** Returns the images of the gallery as {pixels, label, number, group}. */
function decodeGallery(gallery) {
  return gallery.map((entry) => ({ ...entry, pixels: toBytes(entry.pixels) }));
}

/** Fills the gallery with a button for each image, which calls `choose(image)`. */
function createGallery(container, gallery, choose) {
  for (const group of new Set(gallery.map((image) => image.group))) {
    const element = document.createElement("div");
    element.innerHTML = `<span>${group}</span>`;
    for (const image of gallery.filter((one) => one.group === group)) {
      const { number, label, pixels } = image;
      const button = document.createElement("button");
      button.type = "button";
      button.className = "image";
      button.title = `test image ${number}, labelled ${label} (key ${gallery.indexOf(image) + 1})`;
      button.setAttribute("aria-label", `Test image ${number}, labelled ${label}; ${group}`);
      button.innerHTML = `<small>${gallery.indexOf(image) + 1}</small>`;
      button.append(pictureOf(pixels));
      button.addEventListener("click", () => choose(image));
      element.append(button);
    }
    container.append(element);
  }
}
