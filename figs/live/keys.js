// Keys that work wherever the focus is, for somebody who stands beside a projector.

/**
 * Space calls togglePlay(), the arrows move(-1 or 1), a digit >= 1 chooseImage(index), k nextLevel(), Escape free().
 * An element that was reached with Tab keeps its own keys.
 */
function listenToKeys({ togglePlay, move, chooseImage, nextLevel, free }) {
  let reachedByKeyboard = false;
  let taken = null; // the key that was handled and is still down: releasing it must not press a button
  const actions = {
    " ": togglePlay,
    ArrowLeft: () => move(-1),
    ArrowRight: () => move(1),
    k: nextLevel,
    K: nextLevel,
    Escape: free,
    ...Object.fromEntries(Array.from("123456789", (digit, index) => [digit, () => chooseImage(index)])),
  };
  const own = { " ": "button, input:not([type=range]), summary, select", ArrowLeft: "input:not([type=range]), select" };
  own.ArrowRight = own.ArrowLeft;
  document.addEventListener("pointerdown", () => (reachedByKeyboard = false), true);
  document.addEventListener("keydown", (event) => {
    if (event.key === "Tab") reachedByKeyboard = true;
    if (event.ctrlKey || event.altKey || event.metaKey || event.defaultPrevented) return;
    const key = /^Digit([1-9])$/.exec(event.code)?.[1] ?? event.key; // on some keyboards digits need Shift
    if (!Object.hasOwn(actions, key)) return;
    if (reachedByKeyboard && own[key] && event.target.matches?.(own[key])) return;
    event.preventDefault();
    taken = event.key;
    if (!event.repeat || key.startsWith("Arrow")) actions[key]();
  });
  document.addEventListener("keyup", (event) => {
    if (event.key === taken) event.preventDefault();
    taken = null;
  });
}
