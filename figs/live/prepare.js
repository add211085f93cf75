// Prepares a picture of one digit as MNIST's were, with the same integers as experiment/digit.py, which gives a
// reason for each step. In both languages, quotients of integers below 2^53 are rounded down to the same integer.

const DIGIT_SIZE = 20;
const IMAGE_SIZE = 28;
const FAINTEST = 16; // anything fainter than 1/16 of the darkest ink is background

/** Returns 28 x 28 pixels, 0 to 255, from a grey picture of rows x columns, 0 to 255; null if there is no ink. */
function prepareDigit(picture, rows, columns) {
  const ink = inkOf(picture, rows, columns);
  const box = boxOfInk(ink, rows, columns);
  return box && centredByMass(scaledToDigit(ink, columns, box));
}

/** Returns how far each pixel differs from the background, the median of the border, in the digit's direction. */
function inkOf(picture, rows, columns) {
  const border = [];
  for (let y = 0; y < rows; y++) {
    for (let x = 0; x < columns; x++) {
      if (y === 0 || x === 0 || y === rows - 1 || x === columns - 1) border.push(picture[y * columns + x]);
    }
  }
  const background = border.sort((a, b) => a - b)[Math.floor(border.length / 2)];
  let [lightest, darkest] = [background, background];
  for (const grey of picture) [lightest, darkest] = [Math.max(lightest, grey), Math.min(darkest, grey)];
  const sign = lightest - background >= background - darkest ? 1 : -1;
  return Int32Array.from(picture, (grey) => Math.max(0, sign * (grey - background)));
}

/** Returns the smallest box around the ink, {top, left, height, width}; null without ink. */
function boxOfInk(ink, rows, columns) {
  const peak = ink.reduce((a, b) => Math.max(a, b), 0);
  if (peak === 0) return null;
  let [top, left, bottom, right] = [rows, columns, -1, -1];
  ink.forEach((value, index) => {
    if (value * FAINTEST < peak) return;
    const x = index % columns;
    const y = (index - x) / columns;
    [top, bottom, left, right] = [Math.min(top, y), Math.max(bottom, y), Math.min(left, x), Math.max(right, x)];
  });
  return { top, left, height: bottom - top + 1, width: right - left + 1 };
}

/** Scales the box to 20 pixels in its longer direction by averaging areas, and the darkest pixel to 255. */
function scaledToDigit(ink, columns, { top, left, height, width }) {
  const longer = Math.max(height, width);
  const scaled = (size) => Math.max(1, Math.floor((2 * DIGIT_SIZE * size + longer) / (2 * longer)));
  const [rows, newColumns] = [scaled(height), scaled(width)];
  const sums = []; // sums of ink times area, where a pixel of the picture has an area of rows x newColumns
  for (let row = 0; row < rows; row++) {
    for (let column = 0; column < newColumns; column++) {
      let sum = 0;
      for (const [y, high] of overlaps(row, rows, height)) {
        for (const [x, wide] of overlaps(column, newColumns, width)) {
          sum += ink[(top + y) * columns + left + x] * high * wide;
        }
      }
      sums.push(sum);
    }
  }
  const darkest = Math.max(...sums);
  const values = sums.map((sum) => Math.floor((2 * 255 * sum + darkest) / (2 * darkest)));
  return { values, rows, columns: newColumns };
}

/** Returns the pixels of an axis of `size` that cell `index` of `cells` covers, and how much of each, in 1 / cells. */
function overlaps(index, cells, size) {
  const [start, end] = [index * size, (index + 1) * size];
  const found = [];
  for (let pixel = Math.floor(start / cells); pixel * cells < end; pixel++) {
    found.push([pixel, Math.min(end, (pixel + 1) * cells) - Math.max(start, pixel * cells)]);
  }
  return found;
}

/** Places the digit on 28 x 28 pixels, with its centre of mass as close to MNIST's centre, (14, 14), as possible. */
function centredByMass({ values, rows, columns }) {
  let [mass, momentY, momentX] = [0, 0, 0];
  values.forEach((value, index) => {
    const x = index % columns;
    mass += value;
    momentX += value * x;
    momentY += value * ((index - x) / columns);
  });
  const offset = (moment, size) => {
    const nearest = Math.floor(((IMAGE_SIZE + 1) * mass - 2 * moment) / (2 * mass));
    return Math.min(Math.max(nearest, 0), IMAGE_SIZE - size);
  };
  const [top, left] = [offset(momentY, rows), offset(momentX, columns)];
  const image = new Uint8Array(IMAGE_SIZE * IMAGE_SIZE);
  values.forEach((value, index) => {
    const x = index % columns;
    image[(top + (index - x) / columns) * IMAGE_SIZE + left + x] = value;
  });
  return image;
}
