// Keys press buttons and links that are on the page: those with data-key. They do nothing else.

const PAUSE = 900; // between the two letters of "g w"
let before = "";
let forget = 0;
let lettersAreOn = () => true;

const writes = (element) =>
  element.isContentEditable || element.matches?.("input:not([type=checkbox], [type=radio], [type=range]), textarea, select");
const seen = (element) => element.checkVisibility?.() !== false && !element.disabled;

function name(event) {
  const mod = event.ctrlKey || event.metaKey ? "mod+" : "";
  return mod + (event.key.length === 1 ? event.key.toLowerCase() : event.key);
}

function press(key) {
  const open = document.querySelector("dialog[open]");
  const found = [...(open ?? document).querySelectorAll(`[data-key="${CSS.escape(key)}"]`)].find(seen);
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
  if (!lettersAreOn() || event.altKey) return false;
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
  return press(key);
}

function onKey(event) {
  if (event.defaultPrevented || event.isComposing) return;
  if ((event.ctrlKey || event.metaKey) && event.key === "Enter") {
    const form = event.target.closest?.("form");
    if (!form) return;
    event.preventDefault();
    form.requestSubmit(form.querySelector("[type=submit].primary") ?? undefined);
    return;
  }
  if (event.ctrlKey || event.metaKey) {
    if (press(name(event))) event.preventDefault();
    return;
  }
  if (writes(event.target) || event.key.length > 1) return;
  if (letters(event)) event.preventDefault();
}

export function startKeys(areOn) {
  lettersAreOn = areOn;
  document.addEventListener("keydown", onKey);
}
