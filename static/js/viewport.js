// The part of a picture that is shown: a zoom, and the point in the middle. Moved by wheel, pointer, fingers.
export const READABLE = 0.85; // the smallest zoom a picture starts at
const EDGE = 16; // what is seen of the ground around a picture at its edge
const GLIDE = 220; // milliseconds
const FAR = 0.35; // below, nobody reads anything: boxes are coloured as a whole

// The rectangle or circle that a box, frame or circle is: read from what is written, which costs no layout.
export function rectangle(element) {
  const shape = element.querySelector("rect.box") ?? element.querySelector("rect, circle");
  const read = (name) => Number(shape.getAttribute(name));
  if (shape.matches("rect")) return { x: read("x"), y: read("y"), width: read("width"), height: read("height") };
  return { x: read("cx") - read("r"), y: read("cy") - read("r"), width: 2 * read("r"), height: 2 * read("r") };
}

export function made(name, attributes, text = "") {
  const element = document.createElementNS("http://www.w3.org/2000/svg", name);
  for (const [key, value] of Object.entries(attributes)) element.setAttribute(key, String(value));
  element.textContent = text;
  return element;
}

export class Viewport {
  constructor(canvas) {
    this.canvas = canvas;
    this.map = null;
  }

  get room() {
    return { width: this.canvas.clientWidth || 1, height: this.canvas.clientHeight || 1 };
  }

  get fitting() {
    const { width, height } = this.room;
    return Math.min(width / (this.whole.width + 32), height / (this.whole.height + 32));
  }

  // In a direction in which the whole fits, the whole is in the middle; else nothing is shown that lies far beyond it.
  lookAt({ x, y }) {
    const within = (value, room, whole) =>
      room >= whole ? whole / 2 : Math.min(whole + EDGE - room / 2, Math.max(room / 2 - EDGE, value));
    this.centre = {
      x: within(x, this.room.width / this.zoom, this.whole.width),
      y: within(y, this.room.height / this.zoom, this.whole.height),
    };
    this.show();
  }

  // Keeps a point of the picture where it is on the screen; what would be too wide gets smaller, as long as it can be read.
  hold(point, { x, y }) {
    const across = this.room.width / (this.whole.width + 32);
    this.zoom = Math.min(this.zoom, Math.max(READABLE, across));
    this.centre = {
      x: this.zoom <= across ? this.whole.width / 2 : point.x + (this.room.width / 2 - x) / this.zoom,
      y: point.y + (this.room.height / 2 - y) / this.zoom,
    };
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
    this.svg.classList.toggle("far", this.zoom < FAR);
    this.map?.show();
  }

  pan(dx, dy) {
    const clamp = (value, most) => Math.min(most, Math.max(0, value));
    this.centre = {
      x: clamp(this.centre.x + dx / this.zoom, this.whole.width),
      y: clamp(this.centre.y + dy / this.zoom, this.whole.height),
    };
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
    const box = rectangle(node);
    return { x: box.x + box.width / 2 + this.shift, y: box.y + box.height / 2 };
  }

  // How far the whole is moved to the right (beside a legend).
  get shift() {
    return this.svg.querySelector(".graph")?.transform.baseVal.consolidate()?.matrix.e ?? 0;
  }

  // Moves only as far as is needed to see it.
  reveal(node) {
    if (!this.sees(node)) this.lookAt(this.middle(node));
  }

  // The same in a moment that the eye can follow, unless somebody wants nothing to move, or moves it meanwhile.
  glide(node) {
    const from = this.centre;
    this.reveal(node);
    const to = this.centre;
    if (to === from || matchMedia("(prefers-reduced-motion: reduce)").matches) return;
    const began = performance.now();
    let at = to;
    const go = (now) => {
      if (this.centre !== at) return;
      const part = Math.min(1, Math.max(0, (now - began) / GLIDE));
      const done = 1 - (1 - part) ** 3;
      this.centre = at = { x: from.x + (to.x - from.x) * done, y: from.y + (to.y - from.y) * done };
      this.show();
      if (part < 1) requestAnimationFrame(go);
    };
    go(began);
  }

  sees(node) {
    const { x, y } = this.middle(node);
    const room = { x: this.view.width / 2 - 90, y: this.view.height / 2 - 30 };
    return Math.abs(x - this.centre.x) <= room.x && Math.abs(y - this.centre.y) <= room.y;
  }

  // The middle of its upper edge.
  top(element) {
    const box = rectangle(element);
    return { x: box.x + box.width / 2 + this.shift, y: box.y };
  }

  listen() {
    const fingers = new Map();
    let moved = 0;
    this.canvas.addEventListener("wheel", (event) => {
      event.preventDefault();
      const box = this.canvas.getBoundingClientRect();
      this.follow(false);
      if (!event.ctrlKey && !event.metaKey) return this.pan(event.deltaX, event.deltaY);
      this.zoomBy(Math.exp(-event.deltaY / 300), { x: event.clientX - box.left, y: event.clientY - box.top });
    }, { passive: false });
    this.canvas.addEventListener("pointerdown", (event) => {
      if (event.button !== 0 || event.target.closest(".minimap, .fold")) return;
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
    new ResizeObserver(() => this.keepCentre()).observe(this.canvas);
  }
}
