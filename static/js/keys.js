// Keys press buttons and links that are on the page: those with data-key. They do nothing else.

const PAUSE = 900; // between the two letters of "g w"
let before = "";
let forget = 0;
let lettersAreOn = () => true;

const writes = (element) =>
  element.isContentEditable || element.matches?.("input:not([type=checkbox], [type=radio], [type=range]), textarea, select");
const seen = (element) => element.checkVisibility?.() !== false && !element.disabled;

// Some keyboards write brackets with AltGr, which may be told as Ctrl and Alt; a Mac does so with Option.
const IS_MAC = /^Mac/.test(navigator.platform);
const writesWithAlt = (event) =>
  event.getModifierState("AltGraph") || (IS_MAC && event.altKey && !event.ctrlKey && !event.metaKey);
const commands = (event) => (event.ctrlKey || event.metaKey) && !writesWithAlt(event);

function name(event) {
  const mod = commands(event) ? "mod+" : "";
  return mod + (event.key.length === 1 ? event.key.toLowerCase() : event.key);
}

// A button that changes something is pressed when the answer to the one before is there, and it is there itself; what
// leads on from what is on its way is pressed when that is there.
const LATE = 5000; // milliseconds after the last answer in which it must come
let known = new Set(); // keys of such buttons when one was pressed
const underWay = new Set(); // requests
let held = []; // keys to press then
let since = 0;

const posts = (element) => element.form?.method === "post";
const waits = (element) => (underWay.size && posts(element)) || element.closest("[aria-busy=true]") !== null;

function hold(key, isRepeated) {
  if (!isRepeated) held.push(key);
  since = Date.now();
  return true;
}

function pressHeld() {
  if (!underWay.size && Date.now() - since > LATE) held = [];
  const next = held.length && find(held[0]);
  if (!next || waits(next)) return;
  held.shift();
  next.click();
}

function onPost({ detail: { ctx } }) {
  if (ctx.request.method !== "POST") return;
  underWay.add(ctx);
  known = new Set([...document.querySelectorAll("[data-key]")].filter(posts).map((one) => one.dataset.key));
}

function onAnswer({ detail: { ctx } }) {
  if (!underWay.delete(ctx)) return;
  since = Date.now();
  if (ctx.response?.status >= 400) held = [];
  else pressHeld();
}

function find(key) {
  const open = document.querySelector("dialog[open]");
  return [...(open ?? document).querySelectorAll(`[data-key="${CSS.escape(key)}"]`)].find(seen);
}

function press(key, isRepeated = false) {
  const found = find(key);
  if (found ? waits(found) : known.has(key)) return hold(key, isRepeated);
  if (!found) return false;
  if (found.matches("input, select, textarea")) found.focus();
  else found.click();
  return true;
}

function moveRow(step) {
  const rows = [...document.querySelectorAll("[data-row]")].filter(seen);
  if (!rows.length) return false;
  const at = rows.findIndex((row) => row === document.activeElement || row.contains(document.activeElement));
  const row = rows[at < 0 ? (step > 0 ? 0 : rows.length - 1) : Math.min(rows.length - 1, Math.max(0, at + step))];
  (row.matches("a, button") ? row : row.querySelector("a[href], button"))?.focus();
  row.scrollIntoView({ block: "nearest" });
  return true;
}

function letters(event) {
  if (!lettersAreOn() || (event.altKey && !writesWithAlt(event))) return false;
  const key = name(event);
  if (event.key === "/" || key === "?") return press(key);
  const pair = before && `${before} ${key}`;
  before = "";
  clearTimeout(forget);
  if (pair && press(pair)) return true;
  if (key === "j") return moveRow(1);
  if (key === "k") return moveRow(-1);
  if (key === "g") {
    before = key;
    forget = setTimeout(() => (before = ""), PAUSE);
    return true;
  }
  return press(key, event.repeat);
}

function onKey(event) {
  if (event.defaultPrevented || event.isComposing) return;
  if (!known.has(name(event)) && held[0] !== name(event)) held = []; // whoever does something else does not mean it
  if ((event.ctrlKey || event.metaKey) && event.key === "Enter") {
    const form = event.target.closest?.("form");
    if (!form) return;
    event.preventDefault();
    form.requestSubmit(form.querySelector("[type=submit].primary") ?? undefined);
    return;
  }
  if (commands(event)) {
    if (press(name(event))) event.preventDefault();
    return;
  }
  if (writes(event.target) || event.key.length > 1) return;
  if (letters(event)) event.preventDefault();
}

export function startKeys(areOn) {
  lettersAreOn = areOn;
  document.addEventListener("keydown", onKey);
  document.addEventListener("pointerdown", () => (held = []));
  document.addEventListener("htmx:before:request", onPost);
  document.addEventListener("htmx:finally:request", onAnswer);
  document.addEventListener("studio:regions", pressHeld);
}
