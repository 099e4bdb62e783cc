// The picture of a workflow: pan, zoom, fit, search, walking by keys, following the step that works, and small changes
// of status. What each element shows is said by the server; the layout is never touched. Folded parts: fold.js.
import { READABLE, Viewport, made, rectangle } from "./viewport.js";

const ICONS = {
  success: "✓", bailed: "✓", running: "●", retrying: "↻", suspended: "?", waiting: "…", held: "‖",
  paused: "‖", failed: "✕", interrupted: "!", canceled: "⊘", skipped: "–",
};
const WORKS = ["running", "retrying", "suspended", "waiting", "failed", "interrupted", "held", "paused"];
const LARGE = 60; // from so many nodes there is a map
const KEY_PAN = 60;

const all = new Map(); // section -> Graph

class Graph extends Viewport {
  constructor(section) {
    super(section.querySelector("[data-canvas]"));
    this.section = section;
    this.told = null; // element's id -> what frames said of it, drawn or not; from the first frame on, which says all
    this.read(this.canvas.querySelector("svg.workflow"));
    this.follows = section.hasAttribute("data-follow");
    this.canvas.dataset.ready = "";
    this.selected = section.dataset.selected ?? "";
    this.rove(this.active() ?? this.shown(this.selected) ?? this.nodes[0]);
    this.start();
    this.listen();
    this.canvas.addEventListener("keydown", (event) => this.onKey(event));
    this.select(this.selected);
  }

  // What is drawn, and what of it is folded away.
  read(svg) {
    this.svg = svg;
    const [, , width, height] = svg.getAttribute("viewBox").split(" ").map(Number);
    this.whole = { width, height };
    this.nodes = [...svg.querySelectorAll(".node[data-place]")];
    for (const sign of svg.querySelectorAll(".ico:empty")) sign.append(""); // room for what comes
    this.drawn = new Map(); // id -> element
    for (const element of svg.querySelectorAll(".node, .edge, .cluster, .heading")) this.drawn.set(element.id, element);
    this.places = new Map(); // place -> the element that shows it
    for (const cluster of svg.querySelectorAll(".cluster:not([data-kind=branch])")) this.name(cluster, cluster.dataset.body);
    for (const node of this.nodes) this.name(node, node.dataset.block);
    this.folded = [...this.section.querySelectorAll("[data-graph-hidden] i")].map(({ dataset }) => (
      { element: this.drawn.get(dataset.in), opens: JSON.parse(dataset.opens), places: JSON.parse(dataset.places) }
    ));
    for (const { element, places } of this.folded) for (const place of places) this.places.set(place, element);
    this.out = new Map();
    this.into = new Map();
    for (const { dataset: { from, to } } of svg.querySelectorAll(".edge")) {
      add(this.out, from, to);
      add(this.into, to, from);
    }
    this.map?.remove();
    this.map = null;
    if (this.nodes.length >= LARGE) this.addMap();
  }

  name(element, other) {
    for (const place of [element.dataset.place, other]) {
      if (place !== undefined && (!this.places.has(place) || element.matches(".node"))) this.places.set(place, element);
    }
  }

  // The element of a place or path, or the folded box that it is in.
  shown(path) {
    return this.places.get((path ?? "").replace(/\[\d+\]/g, "[]"));
  }

  async addMap() {
    const { Minimap } = await import("./minimap.js");
    if (this.map || this.nodes.length < LARGE) return;
    this.map = new Minimap(this);
    this.map.show();
  }

  start() {
    const fit = this.fitting;
    if (fit >= READABLE) return this.fit();
    this.zoom = Math.max(READABLE, Math.min(1, this.room.width / (this.whole.width + 32)));
    const selected = this.shown(this.selected);
    const active = (isChosen() ? selected : null) ?? this.active() ?? selected;
    const first = this.svg.querySelector(".node");
    const top = { x: first ? this.middle(first).x : this.whole.width / 2, y: this.room.height / this.zoom / 2 - 16 };
    this.lookAt(active ? this.middle(active) : top);
  }

  active() {
    const rank = (node) => WORKS.indexOf(node.dataset.status);
    return this.nodes.filter((node) => rank(node) >= 0 && node.dataset.kind !== "branch").sort((one, other) => rank(one) - rank(other))[0];
  }

  // -- selection and search

  select(place) {
    this.selected = place ?? "";
    for (const element of this.svg.querySelectorAll(".selected")) element.classList.remove("selected");
    this.shown(place)?.classList.add("selected");
  }

  // What somebody has chosen elsewhere comes into sight.
  choose(place) {
    this.select(place);
    const element = this.shown(place);
    if (element) this.glide(element);
  }

  open(node) {
    const { place } = node.dataset;
    this.select(place);
    this.rove(node);
    const links = document.querySelectorAll("a[data-place], button[data-place]");
    [...links].find((link) => link.dataset.place === place)?.click();
  }

  rove(node) {
    if (!node) return;
    for (const other of this.nodes) {
      const index = other === node ? "0" : "-1";
      if (other.getAttribute("tabindex") !== index) other.setAttribute("tabindex", index);
    }
  }

  // -- the search, loaded when somebody looks for something

  async search(field) {
    const { search } = await import("./find.js");
    search(this, field.value);
  }

  async nextFound(field) {
    const { next } = await import("./find.js");
    await next(this, field.value);
  }

  // -- keys: arrows walk along the lines; where none leads there, to the nearest box in that direction

  walk(node, key) {
    const known = (ids) => (ids ?? []).map((id) => this.reached(id, key)).find(Boolean);
    const next =
      key === "ArrowDown" ? known(this.out.get(node.id)) :
      key === "ArrowUp" ? known(this.into.get(node.id)) : null;
    const found = next ?? this.nearest(node, key);
    if (!found) return;
    this.rove(found);
    found.focus({ preventScroll: true });
    this.reveal(found);
  }

  // Past joins and ends, which can't be chosen.
  reached(id, key, seen = new Set()) {
    const node = document.getElementById(id);
    if (!node || seen.has(id)) return null;
    if (node.dataset.place) return node;
    seen.add(id);
    const further = (key === "ArrowDown" ? this.out : this.into).get(id) ?? [];
    return further.map((next) => this.reached(next, key, seen)).find(Boolean) ?? null;
  }

  nearest(node, key) {
    const from = this.middle(node);
    const side = key === "ArrowLeft" || key === "ArrowRight" ? "x" : "y";
    const sign = key === "ArrowLeft" || key === "ArrowUp" ? -1 : 1;
    let best = null;
    let least = Infinity;
    for (const other of this.nodes) {
      const to = this.middle(other);
      const along = (to[side] - from[side]) * sign;
      const across = Math.abs(side === "x" ? to.y - from.y : to.x - from.x);
      if (other === node || along < 8 || (side === "x" && across > 40)) continue;
      if (along + 3 * across < least) [best, least] = [other, along + 3 * across];
    }
    return best;
  }

  // -- what happened: {picture, elements: {id: {status, times, text, shares, taken}}, whole, breaks: [place]}

  change({ picture, elements, whole = false, breaks }) {
    if (breaks) this.stop(breaks);
    if (!elements || picture !== this.svg.dataset.picture) return; // drawn of other code
    if (whole) this.hear(elements);
    if (!this.told) return;
    let works = null;
    for (const [id, state] of Object.entries(elements)) {
      const before = this.drawn.get(id)?.dataset.status;
      this.tell(id, state);
      if (before !== undefined && before !== state.status && WORKS.includes(state.status)) works = this.working(id, works);
    }
    this.map?.paint();
    if (this.follows && works && !this.nodes.some((node) => isAtWork(node) && this.sees(node))) this.reveal(works);
  }

  // The whole picture: what is not named is as before the run.
  hear(elements) {
    this.told = new Map();
    for (const id of this.drawn.keys()) if (!(id in elements)) this.tell(id, {});
  }

  // What to keep in sight of several that began to work: a box before its frame.
  working(id, other) {
    const element = this.drawn.get(id);
    return element.matches(".node[data-place]:not([data-kind=branch])") ? element : other;
  }

  tell(id, state) {
    this.told.set(id, state);
    const element = this.drawn.get(id);
    if (element && !element.matches(".heading")) show(element, state);
    const heading = element?.matches(".cluster") && this.drawn.get(id.replace("cluster", "heading"));
    if (heading) corner(heading, element, state.times ?? "");
  }

  // The dots of breakpoints: places without the numbers of rounds and items, as in `item/check`.
  stop(breaks) {
    const stops = new Set();
    for (const [place, element] of this.places) { // of a loop it is the body that it stops at, not the frame around it
      if (breaks.includes(place.replaceAll("[]", "")) && !this.places.has(`${place}[]`)) stops.add(element);
    }
    for (const element of new Set(this.places.values())) {
      const marked = this.drawn.get(element.id.replace("cluster", "heading")) ?? element;
      if (marked.hasAttribute("data-breakpoint") === stops.has(element)) continue;
      marked.toggleAttribute("data-breakpoint", stops.has(element));
      if (!marked.querySelector(".bp")) {
        const { x, y } = rectangle(element);
        marked.append(made("circle", { class: "bp", cx: x + 1, cy: y + 1, r: 5 }));
      }
      const title = element.querySelector("title");
      const said = title?.textContent.replace(" · breakpoint", "");
      if (title) title.textContent = stops.has(element) ? `${said} · breakpoint` : said;
    }
  }

  onKey(event) {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    if (event.target.closest(".fold") && event.key !== " ") return; // a link: Enter is its own
    const node = event.target.closest(".node[data-place]");
    const ways = { ArrowUp: [0, -1], ArrowDown: [0, 1], ArrowLeft: [-1, 0], ArrowRight: [1, 0] };
    const fold = event.target.closest(".fold") ?? node?.querySelector("a.fold");
    if (fold && event.key === " ") this.turn(fold);
    else if (node && event.key === "Enter") this.open(node);
    else if (ways[event.key] && node) this.walk(node, event.key);
    else if (ways[event.key]) this.move(...ways[event.key]);
    else return;
    event.preventDefault();
  }

  move(x, y) {
    this.follow(false);
    this.pan(x * KEY_PAN, y * KEY_PAN);
  }

  // Another drawing of the same; `place` is what was opened or folded, and stays where it is on the screen.
  adopt(svg, place) {
    const old = this.shown(place);
    const was = old && this.top(old);
    const seen = was && { x: was.x - this.view.x, y: was.y - this.view.y };
    this.svg.replaceWith(svg);
    this.read(svg);
    if (this.told) for (const id of this.drawn.keys()) this.tell(id, this.told.get(id) ?? {}); // frames go on from there
    const made = this.shown(place);
    const at = seen && made && this.top(made);
    if (at) this.hold(at, { x: seen.x * this.zoom, y: seen.y * this.zoom });
    this.show();
    this.rove(made?.matches(".node") ? made : (this.active() ?? this.nodes[0]));
    this.select(this.selected);
    if (place) svg.querySelector(`a.fold[data-fold="${CSS.escape(place)}"]`)?.focus({ preventScroll: true });
  }

  async turn(link) {
    const { turn } = await import("./fold.js");
    await turn(this, link.getAttribute("href"), link.dataset.fold);
  }

  follow(is) {
    if (is === this.follows) return;
    this.follows = is;
    const button = this.section.querySelector('[data-graph-do="follow"]');
    button?.setAttribute("aria-pressed", String(is));
    if (is && this.active()) this.reveal(this.active());
  }

  act(what) {
    if (what === "in") this.zoomBy(1.25);
    else if (what === "out") this.zoomBy(0.8);
    else if (what === "fit") this.fit();
    else if (what === "follow") this.follow(!this.follows);
  }
}

function add(map, key, value) {
  if (map.has(key)) map.get(key).push(value);
  else map.set(key, [value]);
}

// An element as a frame says it is; touches only what is different.
function show(element, { status = "pending", times = "", text = "", shares = [], taken = false }) {
  if (element.matches(".edge")) {
    if (element.classList.contains("taken") !== taken) element.classList.toggle("taken");
    return;
  }
  if (element.dataset.status !== status) element.dataset.status = status;
  const sub = text && element.querySelector(".sub:not([data-base])");
  if (sub) sub.dataset.base = sub.textContent;
  if (!element.matches(".node")) return;
  for (const line of element.querySelectorAll("text")) {
    if (line.matches(".ico")) write(line, ICONS[status] ?? "");
    else if (line.matches(".sub") && (text || line.dataset.base)) write(line, text || line.dataset.base);
  }
  corner(element, element, times);
  const bar = element.querySelector(".bar");
  if (bar) fill(bar, shares);
}

// How often it ran, at the corner of the box or frame.
function corner(parent, element, times) {
  const line = parent.querySelector(".times");
  if (line) write(line, times);
  if (line || !times) return;
  const { x, y, width } = rectangle(element);
  parent.append(made("text", { class: "times", x: x + width - 12, y: y + 4, "text-anchor": "end" }, times));
}

function write(line, text) {
  if (line.textContent === text) return;
  if (line.childNodes.length === 1 && line.firstChild.nodeType === Node.TEXT_NODE) line.firstChild.data = text;
  else line.textContent = text;
}

function fill(bar, shares) {
  const [rail, ...parts] = bar.children;
  let at = Number(rail.getAttribute("x"));
  for (const [number, part] of parts.entries()) {
    const width = Number(rail.getAttribute("width")) * (shares[number] ?? 0);
    set(part, "x", at);
    set(part, "width", width);
    at += width;
  }
}

function set(element, name, number) {
  const said = String(Math.round(number * 10) / 10);
  if (element.getAttribute(name) !== said) element.setAttribute(name, said);
}

const isAtWork = ({ dataset: { status, kind } }) => (status === "running" || status === "retrying") && kind !== "branch";

// Somebody has chosen the step: it is not what the run has come to.
const isChosen = () => new URLSearchParams(location.search).has("step");

const graphOf = (element) => all.get(element.closest?.("[data-graph]"));

let listens = false;
function listen() {
  if (listens) return;
  listens = true;
  document.addEventListener("click", (event) => {
    const button = event.target.closest?.("[data-graph-do]");
    if (button) graphOf(button)?.act(button.dataset.graphDo);
    const fold = event.target.closest?.("a[data-fold]");
    const plain = event.button === 0 && !event.ctrlKey && !event.metaKey && !event.shiftKey;
    const graph = fold && (graphOf(fold) ?? [...all.values()].find(({ section }) => section.isConnected));
    if (graph && plain) {
      event.preventDefault();
      graph.turn(fold);
    }
    const link = event.target.closest?.("a[data-place], button[data-place]");
    if (link) for (const graph of all.values()) graph.choose(link.dataset.place);
  });
  document.addEventListener("input", (event) => {
    if (event.target.matches?.("[data-graph-search]")) graphOf(event.target)?.search(event.target);
  });
  document.addEventListener("keydown", (event) => {
    if (event.key === "Enter" && event.target.matches?.("[data-graph-search]")) {
      event.preventDefault();
      graphOf(event.target)?.nextFound(event.target);
    }
  });
  document.addEventListener("studio:pick", (event) => {
    const query = new URLSearchParams(location.search);
    const isChosen = query.has("step") || query.has("event"); // not what the run has come to
    for (const graph of all.values()) graph[isChosen ? "choose" : "select"](event.detail);
  });
  document.addEventListener("studio:breaks", (event) => {
    for (const graph of all.values()) graph.change({ breaks: event.detail });
  });
  document.addEventListener("studio:graph", (event) => {
    for (const graph of all.values()) graph.change(event.detail);
  });
}

export function startGraphs() {
  listen();
  for (const section of all.keys()) if (!section.isConnected) all.delete(section);
  for (const section of document.querySelectorAll("[data-graph]")) {
    if (!all.has(section) && section.querySelector("[data-canvas] > svg.workflow")) all.set(section, new Graph(section));
  }
}
