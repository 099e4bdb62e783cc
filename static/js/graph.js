// The picture of a workflow: pan, zoom, fit, search, walking by keys, following the step that works, and small changes
// of status. It only flips attributes of what is drawn; the layout is never touched.
import { progress } from "./progress.js";

const ICONS = {
  success: "✓", bailed: "✓", running: "●", retrying: "↻", suspended: "?", waiting: "…", held: "‖",
  paused: "‖", failed: "✕", interrupted: "!", canceled: "⊘", skipped: "–",
};
const WORKS = ["running", "retrying", "suspended", "waiting", "failed", "interrupted", "held", "paused"];
const READABLE = 0.85; // the smallest zoom a picture starts at
const LARGE = 60; // from so many nodes there is a map
const KEY_PAN = 60;

const all = new Map(); // section -> Graph

class Graph {
  constructor(section) {
    this.section = section;
    this.canvas = section.querySelector("[data-canvas]");
    this.svg = this.canvas.querySelector("svg.workflow");
    const [, , width, height] = this.svg.getAttribute("viewBox").split(" ").map(Number);
    this.whole = { width, height };
    this.nodes = [...this.svg.querySelectorAll(".node[data-place]")];
    this.places = new Map(); // place -> its boxes
    for (const node of this.nodes) add(this.places, node.dataset.place, node);
    this.read();
    this.follows = section.hasAttribute("data-follow");
    this.canvas.dataset.ready = "";
    this.map = null;
    if (this.nodes.length >= LARGE) this.addMap();
    this.rove(this.active() ?? this.nodes[0]);
    this.start();
    this.listen();
    new ResizeObserver(() => this.keepCentre()).observe(this.canvas);
    this.select(section.dataset.selected ?? "");
  }

  // What is drawn, as plain values; `statuses` is what the page was told of each place.
  read() {
    this.drawn = new Map(); // id -> element
    this.models = [];
    this.statuses = new Map();
    for (const node of this.svg.querySelectorAll(".node")) {
      const { kind, place, block, status } = node.dataset;
      this.drawn.set(node.id, node);
      this.models.push({ id: node.id, kind, place, block });
      if (place !== undefined && status !== "pending") this.statuses.set(place, status);
    }
    this.out = new Map();
    this.into = new Map();
    this.lines = [...this.svg.querySelectorAll(".edge")].map((element) => {
      const { from, to, kind } = element.dataset;
      add(this.out, from, to);
      add(this.into, to, from);
      return { element, from, to, kind };
    });
    this.facts = new Map(this.nodes.map((node) => [node, node.querySelector("text.sub")?.textContent ?? ""]));
  }

  async addMap() {
    const { Minimap } = await import("./minimap.js");
    this.map = new Minimap(this);
    this.map.show();
  }

  // -- the part that is shown: a zoom and the point in the middle

  get room() {
    return { width: this.canvas.clientWidth || 1, height: this.canvas.clientHeight || 1 };
  }

  get fitting() {
    const { width, height } = this.room;
    return Math.min(width / (this.whole.width + 32), height / (this.whole.height + 32));
  }

  start() {
    const fit = this.fitting;
    if (fit >= READABLE) return this.fit();
    this.zoom = Math.max(READABLE, Math.min(1, this.room.width / (this.whole.width + 32)));
    const active = this.active();
    const top = { x: this.whole.width / 2, y: this.room.height / this.zoom / 2 - 16 };
    this.lookAt(active ? this.middle(active) : top);
  }

  // In a direction in which the whole fits, the whole is in the middle.
  lookAt({ x, y }) {
    const { width, height } = this.whole;
    this.centre = {
      x: this.room.width / this.zoom >= width ? width / 2 : x,
      y: this.room.height / this.zoom >= height ? height / 2 : y,
    };
    this.show();
  }

  fit() {
    this.zoom = Math.min(1.25, this.fitting);
    this.centre = { x: this.whole.width / 2, y: this.whole.height / 2 };
    this.show();
  }

  keepCentre() {
    if (this.canvas.clientWidth) this.show();
  }

  show() {
    const width = this.room.width / this.zoom;
    const height = this.room.height / this.zoom;
    this.view = { x: this.centre.x - width / 2, y: this.centre.y - height / 2, width, height };
    this.svg.setAttribute("viewBox", `${this.view.x} ${this.view.y} ${width} ${height}`);
    this.map?.show();
  }

  pan(dx, dy) {
    const clamp = (value, most) => Math.min(most, Math.max(0, value));
    this.centre.x = clamp(this.centre.x + dx / this.zoom, this.whole.width);
    this.centre.y = clamp(this.centre.y + dy / this.zoom, this.whole.height);
    this.show();
  }

  zoomBy(factor, at = { x: this.room.width / 2, y: this.room.height / 2 }) {
    const before = { x: this.view.x + at.x / this.zoom, y: this.view.y + at.y / this.zoom };
    this.zoom = Math.min(4, Math.max(Math.min(0.1, this.fitting), this.zoom * factor));
    this.centre = {
      x: before.x + (this.room.width / 2 - at.x) / this.zoom,
      y: before.y + (this.room.height / 2 - at.y) / this.zoom,
    };
    this.show();
  }

  middle(node) {
    const box = node.getBBox();
    return { x: box.x + box.width / 2 + this.shift, y: box.y + box.height / 2 };
  }

  get shift() {
    return this.svg.querySelector(".graph")?.transform.baseVal.consolidate()?.matrix.e ?? 0;
  }

  // Moves only as far as is needed to see it.
  reveal(node) {
    const { x, y } = this.middle(node);
    const room = { x: this.view.width / 2 - 120, y: this.view.height / 2 - 40 };
    const [dx, dy] = [x - this.centre.x, y - this.centre.y];
    if (Math.abs(dx) <= room.x && Math.abs(dy) <= room.y) return;
    this.lookAt({ x, y });
  }

  active() {
    const rank = (node) => WORKS.indexOf(node.dataset.status);
    return this.nodes.filter((node) => rank(node) >= 0 && node.dataset.kind !== "branch").sort((one, other) => rank(one) - rank(other))[0];
  }

  // -- selection and search

  select(place) {
    for (const node of this.svg.querySelectorAll(".node.selected")) node.classList.remove("selected");
    for (const node of this.places.get(place) ?? []) node.classList.add("selected");
  }

  open(node) {
    const { place } = node.dataset;
    this.select(place);
    this.rove(node);
    const links = document.querySelectorAll("a[data-place]");
    [...links].find((link) => link.dataset.place === place)?.click();
  }

  rove(node) {
    for (const other of this.nodes) other.setAttribute("tabindex", other === node ? "0" : "-1");
  }

  search(text) {
    const wanted = text.trim().toLowerCase();
    const found = this.nodes.filter((node) => {
      const fits = wanted !== "" && `${node.dataset.place} ${node.textContent}`.toLowerCase().includes(wanted);
      node.classList.toggle("found", fits);
      return fits;
    });
    this.found = found;
    this.at = 0;
    if (found.length) this.reveal(found[0]);
    const said = this.section.querySelector("[data-graph-found]");
    if (said) said.textContent = wanted ? `${found.length} found` : "";
  }

  nextFound() {
    if (!this.found?.length) return;
    this.at = (this.at + 1) % this.found.length;
    this.reveal(this.found[this.at]);
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

  // -- what happened: [{place, status, count}], or {nodes: [...], breakpoints: {place: true}}

  change(detail) {
    const { nodes = [], breakpoints = {} } = Array.isArray(detail) ? { nodes: detail } : detail;
    for (const { place, status, count, sub } of nodes) {
      if (status !== undefined) this.statuses.set(place, status);
      for (const node of this.places.get(place) ?? []) this.tell(node, sub, count);
    }
    for (const [place, is] of Object.entries(breakpoints)) {
      for (const node of this.places.get(place) ?? []) node.toggleAttribute("data-breakpoint", Boolean(is));
    }
    if (nodes.length) this.paint();
    const works = nodes.filter(({ status }) => WORKS.includes(status)).at(-1);
    const shown = works && this.places.get(works.place)?.[0];
    if (this.follows && shown) this.reveal(shown);
  }

  // Touches only what is different.
  paint() {
    const { found, taken } = progress(this.models, this.lines, this.statuses);
    for (const [id, status] of found) {
      const node = this.drawn.get(id);
      if (node.dataset.status === status) continue;
      node.dataset.status = status;
      const sign = node.querySelector("text.ico");
      if (sign) sign.textContent = ICONS[status] ?? "";
    }
    const gone = new Set(taken);
    for (const line of this.lines) {
      if (line.element.classList.contains("taken") !== gone.has(line)) line.element.classList.toggle("taken");
    }
    this.map?.paint();
  }

  // The line under the id: what it is, and how often it ran.
  tell(node, sub, count) {
    const line = node.querySelector("text.sub");
    if (!line || (sub === undefined && count === undefined)) return;
    const said = [sub ?? this.facts.get(node), count > 1 ? `×${count}` : ""].filter(Boolean).join(" · ");
    if (line.textContent !== said) line.textContent = said;
  }

  // -- pointers

  listen() {
    const fingers = new Map();
    let moved = 0;
    this.canvas.addEventListener("wheel", (event) => {
      event.preventDefault();
      const box = this.canvas.getBoundingClientRect();
      if (!event.ctrlKey && !event.metaKey) return this.pan(event.deltaX, event.deltaY);
      this.zoomBy(Math.exp(-event.deltaY / 300), { x: event.clientX - box.left, y: event.clientY - box.top });
    }, { passive: false });
    this.canvas.addEventListener("pointerdown", (event) => {
      if (event.button !== 0 || event.target.closest(".minimap")) return;
      fingers.set(event.pointerId, event);
      moved = 0;
    });
    this.canvas.addEventListener("pointermove", (event) => {
      const last = fingers.get(event.pointerId);
      if (!last) return;
      const [dx, dy] = [event.clientX - last.clientX, event.clientY - last.clientY];
      moved += Math.abs(dx) + Math.abs(dy);
      if (moved < 4) return;
      this.canvas.classList.add("drags");
      this.canvas.setPointerCapture(event.pointerId);
      const other = [...fingers.values()].find((finger) => finger.pointerId !== event.pointerId);
      if (other) {
        const gap = (one) => Math.hypot(one.clientX - other.clientX, one.clientY - other.clientY) || 1;
        this.zoomBy(gap(event) / gap(last));
      } else {
        this.pan(-dx, -dy);
      }
      fingers.set(event.pointerId, event);
      this.follow(false);
    });
    const up = (event) => {
      const held = fingers.delete(event.pointerId);
      this.canvas.classList.remove("drags");
      const node = event.target.closest?.(".node[data-place]");
      if (held && event.type === "pointerup" && moved < 4 && node) this.open(node);
    };
    this.canvas.addEventListener("pointerup", up);
    this.canvas.addEventListener("pointercancel", up);
    this.canvas.addEventListener("keydown", (event) => this.onKey(event));
  }

  onKey(event) {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    const node = event.target.closest(".node[data-place]");
    const ways = { ArrowUp: [0, -1], ArrowDown: [0, 1], ArrowLeft: [-1, 0], ArrowRight: [1, 0] };
    if (node && event.key === "Enter") this.open(node);
    else if (ways[event.key] && node) this.walk(node, event.key);
    else if (ways[event.key]) this.pan(ways[event.key][0] * KEY_PAN, ways[event.key][1] * KEY_PAN);
    else return;
    event.preventDefault();
  }

  follow(is) {
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

const graphOf = (element) => all.get(element.closest?.("[data-graph]"));

let listens = false;
function listen() {
  if (listens) return;
  listens = true;
  document.addEventListener("click", (event) => {
    const button = event.target.closest?.("[data-graph-do]");
    if (button) graphOf(button)?.act(button.dataset.graphDo);
    const link = event.target.closest?.("a[data-place]");
    if (link) for (const graph of all.values()) graph.select(link.dataset.place);
  });
  document.addEventListener("input", (event) => {
    if (event.target.matches?.("[data-graph-search]")) graphOf(event.target)?.search(event.target.value);
  });
  document.addEventListener("keydown", (event) => {
    if (event.key === "Enter" && event.target.matches?.("[data-graph-search]")) {
      event.preventDefault();
      graphOf(event.target)?.nextFound();
    }
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
