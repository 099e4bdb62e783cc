// What the statuses of places mean for the picture: the colour of its circles, and the lines that were taken. The same
// rules as engine/graph/progress.py, which draws the page; a test compares the two.
const DONE = new Set(["success", "bailed"]);
const UNTOUCHED = new Set(["pending", "skipped", "", undefined]);
const OURS = new Set(["join", "end", "branch"]);

// nodes: [{id, kind, place, block}], edges: [{from, to, kind}], statuses: Map of place -> status.
export function progress(nodes, edges, statuses) {
  const begun = [...statuses.values()].some((status) => !UNTOUCHED.has(status));
  const found = new Map();
  for (const { id, kind, place, block } of nodes) {
    const given = statuses.get(place) || statuses.get(block);
    found.set(id, kind === "start" && begun ? "success" : given || "pending");
  }
  const forth = edges.filter((edge) => edge.kind !== "back");
  const before = grouped(forth, "to");
  const after = grouped(forth, "from");
  const kinds = new Map(nodes.map((node) => [node.id, node.kind]));
  const silent = inOrder(nodes, before, after).filter((id) => OURS.has(kinds.get(id)) && found.get(id) === "pending");
  for (const id of silent) if (isReached(before.get(id) ?? [], after, found)) found.set(id, "success");
  for (const id of silent.reverse()) {
    const ways = (after.get(id) ?? []).filter((edge) => !UNTOUCHED.has(found.get(edge.to)));
    if (ways.length && ways.every((edge) => edge.kind !== "error")) found.set(id, "success");
  }
  const chosen = new Set(edges.filter((e) => e.kind === "case" && !UNTOUCHED.has(found.get(e.to))).map((e) => e.from));
  return { found, taken: edges.filter((edge) => isTaken(edge, found, chosen)) };
}

function isReached(into, after, found) {
  const done = (edge) => DONE.has(found.get(edge.from));
  const flows = into.filter((edge) => edge.kind !== "otherwise");
  if (flows.some((one) => after.get(one.from).some((edge) => edge.kind === "error"))) return flows.some(done);
  const settled = flows.every((edge) => done(edge) || found.get(edge.from) === "skipped");
  return settled && (flows.some(done) || into.some((edge) => edge.kind === "otherwise" && done(edge)));
}

function isTaken({ from, to, kind }, found, chosen) {
  if (kind === "back" || UNTOUCHED.has(found.get(to))) return false;
  if (kind === "error") return true;
  return DONE.has(found.get(from)) && !(kind === "otherwise" && chosen.has(from));
}

function inOrder(nodes, before, after) {
  const waiting = new Map(nodes.map(({ id }) => [id, (before.get(id) ?? []).length]));
  const ready = [...waiting].filter(([, count]) => count === 0).map(([id]) => id);
  for (const id of ready) {
    for (const { to } of after.get(id) ?? []) {
      waiting.set(to, waiting.get(to) - 1);
      if (waiting.get(to) === 0) ready.push(to);
    }
  }
  return ready;
}

function grouped(edges, end) {
  const found = new Map();
  for (const edge of edges) found.set(edge[end], [...(found.get(edge[end]) ?? []), edge]);
  return found;
}
