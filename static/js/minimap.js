// A small map of a large picture: a rectangle for each box, and the part that is shown.
import { made, rectangle } from "./viewport.js";

const COLOURED = new Set(["success", "running", "suspended", "waiting", "failed"]); // the others look alike

export class Minimap {
  constructor(graph) {
    this.graph = graph;
    const { width, height } = graph.whole;
    this.svg = made("svg", { class: "minimap", "aria-hidden": "true", viewBox: `0 0 ${width} ${height}` });
    this.boxes = graph.nodes.map((node) => {
      const at = rectangle(node);
      const box = made("rect", { ...at, x: at.x + graph.shift });
      this.svg.append(box);
      return [node, box];
    });
    this.window = made("rect", { class: "window" });
    this.svg.append(this.window);
    graph.canvas.append(this.svg);
    const go = (event) => {
      if (event.buttons !== 1) return;
      const at = new DOMPoint(event.clientX, event.clientY).matrixTransform(this.svg.getScreenCTM().inverse());
      graph.centre = { x: at.x, y: at.y };
      graph.show();
    };
    this.svg.addEventListener("pointerdown", go);
    this.svg.addEventListener("pointermove", go);
    this.paint();
  }

  remove() {
    this.svg.remove();
  }

  paint() {
    for (const [node, box] of this.boxes) {
      const status = COLOURED.has(node.dataset.status) ? node.dataset.status : "";
      if ((box.dataset.status ?? "") !== status) box.dataset.status = status;
    }
  }

  show() {
    for (const [name, value] of Object.entries(this.graph.view)) this.window.setAttribute(name, String(value));
  }
}
