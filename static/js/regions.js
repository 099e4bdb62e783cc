// What has changed on a run's page: asked for when a frame has come, and put in its place so that only what is different
// is touched. What is about something else now (`data-of`) is replaced whole, and so is what is small (`data-whole`), as
// rows are.
const PAUSE = 300; // milliseconds from one answer to the next question
const MOST = 3; // rows that are changed one by one
const OWN = new Set(["data-htmx-powered", "open", "aria-busy"]); // attributes that the page itself sets
const FOCUSABLE = "a[href], button, input:not([type=hidden]), select, textarea, summary, [tabindex]";

let isAsking = false;
let begun = null; // what the page said when that was last asked
let address = null;
let isLate = false; // something has happened since it was asked

export async function refresh() {
  isLate = true;
  if (isAsking) return;
  isAsking = true;
  while (isLate) {
    isLate = false;
    await bring();
    await new Promise((done) => setTimeout(done, PAUSE));
  }
  isAsking = false;
}

const addressed = () => document.querySelector("#follow[data-address]")?.dataset.address ?? null;

// Another step, tab or window of events of the page that is open: only what is different is fetched, the picture stays.
let latest = 0; // of several that were chosen in a row the last one counts
let onTheWay = ""; // where that leads, until its answer is there

function goTo(href) {
  onTheWay = href;
  document.getElementById("run-events")?.setAttribute("aria-busy", String(href !== "")); // it leads on from there
}

export async function choose(href, isNew = true) {
  const url = new URL(href, location.href);
  url.hash = ""; // where a page that is loaded goes to
  if (url.href === onTheWay) return;
  const mine = ++latest;
  goTo(url.href);
  const regions = new URL(`${url.pathname}/regions${url.search}`, url);
  const question = new URL((begun === addressed() ? address : addressed()) ?? "", url).searchParams.get("question");
  if (question) regions.searchParams.set("question", question);
  const answer = await fetch(regions, { headers: { "HX-Request": "true", "HX-Current-URL": url.href } });
  const html = await answer.text();
  if (mine !== latest) return;
  if (!answer.ok) throw new Error(`answered with ${answer.status}`);
  const shown = new URL(answer.headers.get("HX-Replace-Url") ?? url, url).href; // the last event has its number then
  if (isNew && shown !== location.href) history.pushState(null, "", shown);
  const before = document.getElementById("inspector")?.dataset.of;
  begun = addressed();
  goTo("");
  take(html);
  turnTo(before);
}

// The list of a large workflow is not sent anew; the inspector begins at its top, on a phone below the picture.
function turnTo(before) {
  const { picked, of } = document.getElementById("inspector").dataset;
  for (const link of document.querySelectorAll("#run-outline a[data-place]")) {
    if (link.dataset.place === picked) link.setAttribute("aria-current", "true");
    else link.removeAttribute("aria-current");
  }
  const inspector = document.querySelector(".run > .inspector");
  const event = document.getElementById("event");
  if (event) return event.scrollIntoView({ block: "nearest" });
  inspector.querySelector(".pane").scrollTop = 0;
  if (before !== of && matchMedia("(max-width: 760px)").matches) inspector.scrollIntoView();
}

async function bring() {
  const said = addressed();
  if (!said) return;
  if (said !== begun) [begun, address] = [said, said]; // the page says something else since a button was pressed
  const asked = address;
  try {
    const answer = await fetch(asked, { headers: { "HX-Request": "true", "HX-Current-URL": location.href } });
    const html = answer.ok ? await answer.text() : "";
    if (asked !== address || said !== addressed()) isLate = true; // the viewer is somewhere else by now
    else if (html) holdEvent(() => take(html));
  } catch {
    // nobody answers: the light says so, and the frames of the next connection ask again
  }
}

// The chosen event stays where it is seen, whatever comes above it.
function holdEvent(change) {
  const top = () => document.getElementById("event")?.getBoundingClientRect().top ?? 0;
  const before = top();
  change();
  if (before) document.querySelector(".inspector > .pane").scrollTop += top() - before;
}

export function take(html) {
  const made = new DOMParser().parseFromString(html, "text/html");
  for (const part of made.querySelectorAll("hx-partial")) {
    const old = document.querySelector(part.getAttribute("hx-target"));
    const now = part.firstElementChild;
    if (now?.dataset.address) address = now.dataset.address; // where to ask next: nobody sees it
    else if (old && now) patch(old, now);
  }
  document.dispatchEvent(new CustomEvent("studio:regions"));
}

function patch(old, made) {
  if (old.isEqualNode(made)) return;
  if (old.nodeType !== Node.ELEMENT_NODE) {
    if (old.data !== made.data) old.data = made.data;
    return;
  }
  if (old.hasAttribute("hx-morph-skip")) return;
  if (isOther(old, made)) return replace(old, made);
  const isSameClock = old.dataset.since && old.dataset.since === made.dataset.since;
  if (isAnew(old, made)) return replace(old, made);
  match(old, made);
  if (!isSameClock) fill(old, made); // a clock is counted on by the page
}

function isOther(old, made) {
  if (old.nodeName !== made.nodeName || old.id !== made.id || about(old) !== about(made)) return true;
  if (old.hasAttribute("data-row") || old.hasAttribute("data-whole")) return true;
  return made.getAttributeNames().some((name) => name.startsWith("hx-") && old.getAttribute(name) !== made.getAttribute(name));
}

const about = (element) => element.dataset.of ?? (element.matches(".pill") ? element.dataset.status : "");

// Rows of which many are different are drawn anew at once, as when the scale of the timeline has grown.
function isAnew(old, made) {
  if (!old.hasAttribute("data-rows")) return false;
  const known = new Map([...old.children].map((child) => [key(child), child]));
  return [...made.children].filter((child) => !known.get(key(child))?.isEqualNode(child)).length > MOST;
}

// Attributes; of the classes those of htmx come and go by themselves.
function match(old, made) {
  for (const name of made.getAttributeNames()) {
    if (old.getAttribute(name) !== made.getAttribute(name)) old.setAttribute(name, made.getAttribute(name));
  }
  for (const name of old.getAttributeNames()) {
    const isOwn = OWN.has(name) || (name === "class" && /^(htmx-\S+\s*)*$/.test(old.className));
    if (!made.hasAttribute(name) && !isOwn) old.removeAttribute(name);
  }
}

// What is in it: known again by id, a row by where it leads, else by order.
function fill(old, made) {
  const wanted = [...made.childNodes].filter(counts);
  const known = new Map([...old.children].map((child) => [key(child), child]));
  const keys = new Set(wanted.map(key));
  let at = settled(old.firstChild);
  for (const child of wanted) {
    const name = key(child);
    const found = name ? known.get(name) : alike(at, child, keys);
    while (found && at && at !== found && !(key(at) && keys.has(key(at)))) at = removed(at);
    if (found && found === at) at = settled(at.nextSibling);
    else old.insertBefore(found ?? child, at);
    if (found) patch(found, child);
    else start(child);
  }
  while (at) at = removed(at);
}

function alike(at, child, keys) {
  for (let other = at; other && !(key(other) && keys.has(key(other))); other = settled(other.nextSibling)) {
    if (!key(other) && other.nodeName === child.nodeName) return other;
  }
  return null;
}

const linkOf = (row) => (row.matches("a") ? row : row.querySelector("a"))?.getAttribute("href");
const key = (node) => node.id || node.dataset?.place || (node.matches?.("[data-row]") && linkOf(node)) || "";
const counts = (node) => node.nodeType === Node.ELEMENT_NODE || (node.nodeType === Node.TEXT_NODE && !/^\s*\n\s*$/.test(node.data));

function settled(node) {
  let found = node;
  while (found && !counts(found)) found = found.nextSibling;
  return found;
}

function removed(node) {
  const next = settled(node.nextSibling);
  node.remove();
  return next;
}

// The keyboard stays where it was: at the same place of what came instead.
function replace(old, made) {
  const order = (element) => [element, ...element.querySelectorAll(FOCUSABLE)];
  const at = order(old).indexOf(document.activeElement);
  old.replaceWith(made);
  start(made);
  if (at >= 0) (order(made)[at] ?? made).focus({ preventScroll: true });
}

function start(node) {
  if (node.nodeType === Node.ELEMENT_NODE) globalThis.htmx?.process(node);
}
