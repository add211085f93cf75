// What gives the network its image: the pad, on which one draws, and the gallery of test images.

const INK_WIDTH = 22; // of 280 pixels; once the digit is scaled, about the 2 to 3 of 28 that MNIST's pens have

/** The pad. `drawn(pixels)` is called after each stroke with the prepared digit. Returns {clear(), show(pixels)}. */
function createPad(canvas, drawn) {
  const context = canvas.getContext("2d", { willReadFrequently: true });
  let last = null; // where the pen is while it is down
  let drawing = false; // whether the pad shows a drawing, not a test image

  const clear = () => {
    context.fillStyle = "black";
    context.fillRect(0, 0, canvas.width, canvas.height);
    drawing = false;
  };
  const positionOf = (event) => {
    const box = canvas.getBoundingClientRect();
    const scale = canvas.width / box.width;
    return { x: (event.clientX - box.left) * scale, y: (event.clientY - box.top) * scale };
  };
  const lineTo = (position) => {
    Object.assign(context, { strokeStyle: "white", lineWidth: INK_WIDTH, lineCap: "round", lineJoin: "round" });
    context.beginPath();
    context.moveTo(last.x, last.y);
    context.lineTo(position.x, position.y);
    context.stroke();
    last = position;
  };
  canvas.addEventListener("pointerdown", (event) => {
    if (!event.isPrimary || event.button !== 0) return;
    if (!drawing) clear();
    drawing = true;
    canvas.setPointerCapture(event.pointerId);
    last = positionOf(event);
    lineTo(last); // a dot
  });
  canvas.addEventListener("pointermove", (event) => {
    if (last === null || !event.isPrimary) return;
    for (const passed of event.getCoalescedEvents?.() ?? []) lineTo(positionOf(passed));
    lineTo(positionOf(event));
  });
  const penUp = () => {
    if (last === null) return;
    last = null;
    const { data } = context.getImageData(0, 0, canvas.width, canvas.height);
    const grey = Uint8Array.from({ length: data.length / 4 }, (_, index) => data[4 * index]);
    const pixels = prepareDigit(grey, canvas.height, canvas.width);
    if (pixels) drawn(pixels);
  };
  canvas.addEventListener("pointerup", penUp);
  canvas.addEventListener("pointercancel", penUp);
  clear();

  return {
    clear,
    show(pixels) {
      clear();
      context.imageSmoothingEnabled = false;
      context.drawImage(pictureOf(pixels), 0, 0, canvas.width, canvas.height);
    },
  };
}

/** A canvas of 28 x 28 pixels with an image on it. */
function pictureOf(pixels, canvas = document.createElement("canvas")) {
  canvas.width = canvas.height = IMAGE_SIZE;
  const context = canvas.getContext("2d");
  const image = context.createImageData(IMAGE_SIZE, IMAGE_SIZE);
  pixels.forEach((value, index) => image.data.set([value, value, value, 255], 4 * index));
  context.putImageData(image, 0, 0);
  return canvas;
}

/** Fills the gallery with a button for each image; `choose(image)` is called with {pixels, label, number}. */
function createGallery(container, gallery, choose) {
  for (const group of new Set(gallery.map((entry) => entry.group))) {
    const element = document.createElement("div");
    element.innerHTML = `<span>${group}</span>`;
    for (const { number, label, pixels: base64 } of gallery.filter((entry) => entry.group === group)) {
      const pixels = Uint8Array.from(atob(base64), (character) => character.charCodeAt(0));
      const button = document.createElement("button");
      button.type = "button";
      button.className = "image";
      button.title = `test image ${number}, labelled ${label}`;
      button.setAttribute("aria-label", `Test image ${number}, labelled ${label}; ${group}`);
      button.append(pictureOf(pixels));
      button.addEventListener("click", () => choose({ pixels, label, number }));
      element.append(button);
    }
    container.append(element);
  }
}
