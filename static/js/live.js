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
    document.dispatchEvent(new CustomEvent("studio:pick", { detail: picked }));
  }
  const list = document.querySelector("[data-breaks]");
  if (!list) return;
  if (list.dataset.breaks === stops) return;
  stops = list.dataset.breaks;
  document.dispatchEvent(new CustomEvent("studio:breaks", { detail: JSON.parse(stops) }));
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

export function startLive() {
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
  on("studio:regions", tellPicture);
  on("htmx:ws:after:message:incoming", ({ target, detail }) => {
    const { after, seq, gap, picture, elements, whole } = frame(detail.message);
    if (Number.isInteger(seq)) continueAfter(detail.connection, seq);
    if (elements) document.dispatchEvent(new CustomEvent("studio:graph", { detail: { picture, elements, whole } }));
    if (seq > after || gap) refresh();
    turn(target, "live");
    countInTitle();
  });
}
