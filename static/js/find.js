// The search in a picture: boxes that fit, and what fits inside folded ones, which is opened when it is its turn.
import { opening, turn } from "./fold.js";

// `graph.found`: [{element, place, opens}]; with `opens`, the place is inside the element.
export function search(graph, text) {
  const wanted = text.trim().toLowerCase();
  const fits = (said) => wanted !== "" && said.toLowerCase().includes(wanted);
  const boxes = graph.nodes.filter((node) => fits(`${node.dataset.place} ${node.textContent}`));
  graph.found = boxes.map((element) => ({ element }));
  for (const { element, opens, places } of graph.folded) {
    for (const place of places) if (fits(place)) graph.found.push({ element, place, opens });
  }
  graph.at = -1;
  const marked = new Set(graph.found.map(({ element }) => element));
  for (const node of graph.nodes) {
    if (node.classList.contains("found") !== marked.has(node)) node.classList.toggle("found");
  }
  if (graph.found.length) graph.reveal(graph.found[0].element);
  say(graph, wanted);
}

function say(graph, wanted) {
  const said = graph.section.querySelector("[data-graph-found]");
  if (!said) return;
  const away = graph.found.filter(({ opens }) => opens).length;
  said.textContent = wanted ? `${graph.found.length} found${away ? `, ${away} in folded parts` : ""}` : "";
}

// The first that fits, then the next.
export async function next(graph, text) {
  if (!graph.found) search(graph, text);
  if (!graph.found.length) return;
  graph.at = (graph.at + 1) % graph.found.length;
  const { element, place, opens } = graph.found[graph.at];
  if (!opens) return graph.reveal(element);
  await turn(graph, opening(opens, []));
  search(graph, text);
  const shown = graph.shown(place);
  graph.at = graph.found.findIndex((one) => one.element === shown && !one.opens);
  if (shown) graph.reveal(shown);
}
