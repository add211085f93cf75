// The address of the page says what is shown, as in #k=1&spikes=4&image=121&step=4, so that a link leads back to it.

/** Returns what is shown as the part of an address after #; `image` is {pixels, number}, a drawing has no number. */
function toAddress({ k, maxSpikes, negative }, image, step) {
  const parts = [["k", k]];
  if (maxSpikes !== 1) parts.push(["spikes", maxSpikes === Infinity ? "any" : maxSpikes]);
  if (!negative) parts.push(["negative", "off"]);
  parts.push(image.number === undefined ? ["drawing", toText(image.pixels)] : ["image", image.number], ["step", step]);
  return parts.map((part) => part.join("=")).join("&");
}

/**
 * Returns what an address asks for: {k, maxSpikes, negative, image, step}, where what it leaves out is undefined, and
 * `wrong`, a list of the parts, such as "k=7", that this page does not have.
 */
function fromAddress(text, gallery) {
  const choices = (...pairs) => (value) => new Map(pairs).get(value);
  const readers = {
    k: choices(["0", 0], ["1", 1], ["2", 2]),
    spikes: choices(["1", 1], ["2", 2], ["4", 4], ["any", Infinity]),
    negative: choices(["on", true], ["off", false]),
    image: (value) => gallery.find(({ number }) => String(number) === value),
    drawing: fromText,
    step: (value) => (/^\d{1,3}$/.test(value) ? Number(value) : undefined),
  };
  const names = { spikes: "maxSpikes", drawing: "image" };
  const asked = { wrong: [] };
  for (const part of text.split("&").filter(Boolean)) {
    const [name, ...value] = part.split("=");
    const read = Object.hasOwn(readers, name) ? readers[name](value.join("=")) : undefined;
    if (read === undefined) asked.wrong.push(part.length > 30 ? `${part.slice(0, 29)}…` : part);
    else asked[names[name] ?? name] = read;
  }
  return asked;
}

/** Encodes bytes as text that may be part of an address. */
function toText(bytes) {
  return btoa(String.fromCharCode(...bytes)).replaceAll("+", "-").replaceAll("/", "_").replaceAll("=", "");
}

/** Returns the drawing whose pixels toText has encoded, or undefined if the text is anything else. */
function fromText(text) {
  try {
    const pixels = toBytes(text.replaceAll("-", "+").replaceAll("_", "/"));
    return pixels.length === IMAGE_SIZE ** 2 ? { pixels, label: null } : undefined;
  } catch {
    return undefined; // not base64
  }
}
