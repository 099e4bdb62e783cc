// Opening a folded part of the picture in place, and folding it again. The address says what is open, and the page at
// that address has the picture: it is fetched, and its picture and list take the place of what is there.

// The address of this page with some parts more open, and others folded.
export function opening(more, less) {
  const url = new URL(location.href);
  const open = new Set([...url.searchParams.getAll("open"), ...more]);
  for (const place of less) open.delete(place);
  url.searchParams.delete("open");
  for (const place of [...open].sort()) url.searchParams.append("open", place);
  return url.pathname + url.search;
}

let latest = 0; // of several that were turned in a row only the last answer counts: it has them all
let wanted = null; // what is to be open then

export async function turn(graph, href, place = "") {
  const mine = ++latest;
  const now = new Set(new URL(location.href).searchParams.getAll("open"));
  const asked = new Set(new URL(href, location.href).searchParams.getAll("open"));
  wanted ??= new Set(now);
  for (const one of asked) if (!now.has(one)) wanted.add(one);
  for (const one of now) if (!asked.has(one)) wanted.delete(one);
  const url = new URL(location.href);
  url.searchParams.delete("open");
  for (const one of [...wanted].sort()) url.searchParams.append("open", one);
  const page = await fetched(url);
  if (mine !== latest) return;
  wanted = null;
  const section = page?.getElementById(graph.section.id);
  const svg = section?.querySelector("svg.workflow");
  if (!svg) return location.assign(url.href); // as without scripts
  graph.section.querySelector("[data-graph-hidden]").replaceWith(section.querySelector("[data-graph-hidden]"));
  graph.adopt(document.adoptNode(svg), place);
  swapList(page);
  history.replaceState(history.state, "", url.href);
  keepOpen(url);
}

async function fetched(url) {
  try {
    const answer = await fetch(url, { headers: { accept: "text/html" } });
    if (!answer.ok) return null;
    return new DOMParser().parseFromString(await answer.text(), "text/html");
  } catch {
    return null;
  }
}

function swapList(page) {
  const [old, made] = [document, page].map((one) => one.querySelector("nav.outline"));
  if (!old || !made) return;
  const list = document.adoptNode(made);
  old.replaceWith(list);
  window.htmx?.process(list);
}

// Every link to this page, and what it asks for, keeps open what is open.
function keepOpen(url) {
  const open = url.searchParams.getAll("open");
  for (const name of ["href", "hx-get", "hx-post", "data-address", "formaction", "action"]) {
    for (const element of document.querySelectorAll(`[${name}]:not([data-fold])`)) {
      const to = new URL(element.getAttribute(name), location.href);
      if (to.origin !== url.origin || (to.pathname !== url.pathname && to.pathname !== `${url.pathname}/regions`)) continue;
      to.searchParams.delete("open");
      for (const place of open) to.searchParams.append("open", place);
      element.setAttribute(name, to.pathname + to.search + to.hash);
    }
  }
}
