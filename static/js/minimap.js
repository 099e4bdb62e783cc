// A small map of a large picture: a rectangle for each box, and the part that is shown.
const SVG = "http://www.w3.org/2000/svg";

function rectangle(x, y, width, height) {
  const made = document.createElementNS(SVG, "rect");
  for (const [name, value] of Object.entries({ x, y, width, height })) made.setAttribute(name, String(value));
  return made;
}

export class Minimap {
  constructor(graph) {
    this.graph = graph;
    this.svg = document.createElementNS(SVG, "svg");
    this.svg.setAttribute("class", "minimap");
    this.svg.setAttribute("aria-hidden", "true");
    const { width, height } = graph.whole;
    this.svg.setAttribute("viewBox", `0 0 ${width} ${height}`);
    this.boxes = graph.nodes.map((node) => {
      const { x, y, width: wide, height: high } = node.getBBox();
      const box = rectangle(x + graph.shift, y, wide, high);
      this.svg.append(box);
      return [node, box];
    });
    this.window = rectangle(0, 0, 0, 0);
    this.window.setAttribute("class", "window");
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

  paint() {
    for (const [node, box] of this.boxes) {
      if (box.dataset.status !== node.dataset.status) box.dataset.status = node.dataset.status;
    }
  }

  show() {
    for (const [name, value] of Object.entries(this.graph.view)) this.window.setAttribute(name, String(value));
  }
}
