// The page's side of its sockets (hx-ws holds them). A frame is JSON:
//   {"after": 40, "seq": 41, "content": "<hx-partial hx-target=...>...", "picture": "...", "elements": {...}}
// hx-ws swaps `content`; `seq` goes into the address, so that a reconnect continues there; `elements` go to graph.js.
const SAID = {
  connecting: "connecting",
  live: "live",
  paused: "paused: tab hidden",
  reconnecting: "reconnecting",
  gone: "disconnected, retrying",
  ended: "run has ended",
  lost: "not live: reload the page",
};
const ORDER = ["lost", "gone", "reconnecting", "connecting", "paused", "ended", "live"]; // what counts first
const HAS_ENDED = 1000; // the run is over: nothing more will come
const states = new Map(); // socket's element -> state

function show() {
  const light = document.getElementById("light");
  if (!light || states.size === 0) return;
  for (const element of states.keys()) if (!element.isConnected) states.delete(element);
  const found = [...states.values()];
  const state = ORDER.find((name) => found.includes(name)) ?? "reconnecting";
  if (light.dataset.state === state) return;
  light.dataset.state = state;
  const word = light.querySelector("[data-light]");
  if (word) word.textContent = SAID[state];
}

function turn(element, state) {
  if (!element.matches?.("[hx-ws\\:connect]")) return;
  states.set(element, state);
  show();
}

function frame(message) {
  try {
    const found = JSON.parse(message.data);
    return typeof found === "object" && found !== null ? found : {};
  } catch {
    return {};
  }
}

function continueAfter(connection, seq) {
  const url = new URL(connection.url, location.href);
  url.searchParams.set("after", String(seq));
  connection.url = url.href;
}

export function countInTitle() {
  const waiting = Number(document.getElementById("count-approvals")?.dataset.count ?? 0);
  const bare = document.title.replace(/^\(\d+\) /, "");
  const title = waiting ? `(${waiting}) ${bare}` : bare;
  if (document.title !== title) document.title = title;
}

// What the regions of a run's page say of its picture, which is never fetched anew: the chosen step, and the dots.
let picked = null;
let stops = null;

function tellPicture() {
  const inspector = document.querySelector("#inspector[data-picked]");
  if (inspector && inspector.dataset.picked !== picked) {
    picked = inspector.dataset.picked;
    tell("studio:pick", picked);
  }
  const list = document.querySelector("[data-breaks]");
  if (!list) return;
  if (list.dataset.breaks === stops) return;
  stops = list.dataset.breaks;
  tell("studio:breaks", JSON.parse(stops));
}

// Its script may still be on the way.
let pictures = null;

async function tell(name, detail) {
  await pictures;
  document.dispatchEvent(new CustomEvent(name, { detail }));
}

// The regions that depend on what the viewer has chosen are asked for when something has happened.
async function refresh() {
  if (!document.querySelector("#follow[data-address]")) return;
  try {
    (await import("./regions.js")).refresh();
  } catch {
    // nobody answers: the next frame tries again
  }
}

// A link to another step or tab of the run's page that is open, or a form that leads there; its address is the same but for
// that.
function isWithin(href) {
  const here = document.querySelector("#run-views [aria-current]");
  if (!here) return false;
  const view = (url) => [url.pathname, url.searchParams.get("view") ?? "graph", url.searchParams.getAll("open").sort()].join(" ");
  const [from, to] = [here.href, href].map((one) => new URL(one, location.href));
  return from.origin === to.origin && (!to.hash || to.hash === "#event") && view(from) === view(to);
}

async function choose(href, isNew) {
  try {
    await (await import("./regions.js")).choose(href, isNew);
  } catch {
    location.assign(href); // as without scripts
  }
}

function startChoosing() {
  document.addEventListener("click", (event) => {
    const link = event.target.closest?.("main a[href]:not([target], [download])");
    const isPlain = event.button === 0 && !event.ctrlKey && !event.metaKey && !event.shiftKey && !event.altKey;
    if (!link || !isPlain || event.defaultPrevented || !isWithin(link.getAttribute("href"))) return;
    event.preventDefault();
    choose(link.getAttribute("href"), true);
  });
  document.addEventListener("submit", (event) => {
    const form = event.target;
    if (form.method !== "get" || event.defaultPrevented || !form.closest("main")) return;
    const url = new URL(form.action);
    url.search = new URLSearchParams(new FormData(form, event.submitter));
    if (!isWithin(url)) return;
    event.preventDefault();
    choose(url.href, true);
  });
  // Back and forward; with other parts of the picture open the page is loaded.
  addEventListener("popstate", () => {
    if (!document.getElementById("run-views")) return;
    if (isWithin(location.href)) choose(location.href, false);
    else if (!location.hash) location.reload();
  });
  document.addEventListener("htmx:before:history:restore", (event) => {
    if (document.getElementById("run-views")) event.preventDefault();
  });
}

// What a run's frame has for everybody is put in its place by regions.js, which touches less than a swap; else htmx does.
async function takeContent(message) {
  const { content, ...rest } = frame(message);
  if (!content || !Number.isInteger(rest.seq)) return;
  try {
    (await import("./regions.js")).take(content);
    message.data = JSON.stringify(rest);
  } catch {
    // it can't be loaded
  }
}

// The answer to a button may be older than the frames that have come meanwhile.
let seen = 0;

function catchUp({ detail }) {
  const follow = document.getElementById("follow");
  if (detail.ctx?.request?.method === "POST" && Number(follow?.dataset.seq) < seen) refresh();
}

export function startLive(whenPictured) {
  pictures = whenPictured;
  document.getElementById("event")?.scrollIntoView({ block: "nearest" });
  startChoosing();
  const on = (name, act) => document.addEventListener(name, act);
  on("htmx:ws:before:connection", ({ target }) => {
    const before = states.get(target);
    turn(target, before === "gone" ? "gone" : before ? "reconnecting" : "connecting");
  });
  on("htmx:ws:after:connection", ({ target }) => turn(target, "live"));
  on("htmx:ws:close", ({ target, detail }) => {
    const again = detail.reason === "closed" && detail.connection.config.reconnectCodes.includes(detail.code);
    if (detail.reason === "removed") states.delete(target);
    else if (document.hidden && detail.connection.config.pauseOnBackground) turn(target, "paused");
    else if (again) turn(target, states.get(target) === "live" ? "reconnecting" : "gone"); // it was tried in vain
    else turn(target, detail.code === HAS_ENDED ? "ended" : "lost");
    show();
  });
  stops = document.querySelector("[data-breaks]")?.dataset.breaks ?? null;
  picked = document.querySelector("#inspector[data-picked]")?.dataset.picked ?? null;
  on("htmx:after:swap", tellPicture);
  on("htmx:after:swap", catchUp);
  on("studio:regions", tellPicture);
  on("htmx:ws:before:message:incoming", ({ detail }) => detail.waitUntil(takeContent(detail.message)));
  on("htmx:ws:after:message:incoming", ({ target, detail }) => {
    const { after, seq, gap, picture, elements, whole } = frame(detail.message);
    if (Number.isInteger(seq)) {
      continueAfter(detail.connection, seq);
      seen = seq;
    }
    if (elements) tell("studio:graph", { picture, elements, whole });
    if (seq > after || gap) refresh();
    turn(target, "live");
    countInTitle();
  });
}
