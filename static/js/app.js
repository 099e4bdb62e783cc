// One listener per kind of event, on the document; markup says by data attributes what an element does.
import { startKeys } from "./keys.js";
import { startLive } from "./live.js";
import { startTimes } from "./times.js";

// What this browser remembers: theme, keys. Storage may be refused; then nothing is remembered.
function kept(name) {
  try {
    return localStorage.getItem(`studio.${name}`);
  } catch {
    return null;
  }
}

function keep(name, value) {
  try {
    localStorage.setItem(`studio.${name}`, value);
  } catch {
    // nothing to do
  }
}

const THEMES = ["auto", "light", "dark"];
const SAID = { auto: "automatic", light: "light", dark: "dark" };

function showTheme(theme) {
  document.documentElement.dataset.theme = theme;
  for (const sign of document.querySelectorAll("[data-theme-is]")) sign.hidden = sign.dataset.themeIs !== theme;
  for (const button of document.querySelectorAll("[data-theme-next]")) {
    button.setAttribute("aria-label", `Theme: ${SAID[theme]}`);
    button.title = `Theme: ${SAID[theme]}`;
  }
  for (const choice of document.querySelectorAll("input[name=theme]")) choice.checked = choice.value === theme;
}

function nextTheme() {
  const now = document.documentElement.dataset.theme;
  const next = THEMES[(THEMES.indexOf(now) + 1) % THEMES.length];
  keep("theme", next);
  showTheme(next);
}

async function copy(button) {
  try {
    await navigator.clipboard.writeText(button.dataset.copy);
  } catch {
    return; // not allowed: the text is in the page and can be selected
  }
  button.classList.add("copied");
  say("Copied.");
  setTimeout(() => button.classList.remove("copied"), 1200);
}

// For those who listen; who looks sees it at the button.
function say(text) {
  let voice = document.getElementById("voice");
  if (!voice) {
    voice = Object.assign(document.createElement("div"), { id: "voice", className: "sr" });
    voice.setAttribute("aria-live", "polite");
    document.body.append(voice);
  }
  voice.textContent = text;
}

function openDialog(id) {
  const dialog = document.getElementById(id);
  if (!dialog || dialog.open) return;
  for (const row of dialog.querySelectorAll("[data-when]")) row.hidden = !document.querySelector(row.dataset.when);
  dialog.showModal();
  dialog.querySelector("[data-palette]")?.select();
}

function filterPalette(input) {
  const wanted = input.value.trim().toLowerCase();
  let first = true;
  for (const link of input.closest("dialog").querySelectorAll("li a")) {
    const fits = link.textContent.toLowerCase().includes(wanted);
    link.parentElement.hidden = !fits;
    link.classList.toggle("chosen", fits && first);
    if (fits) first = false;
  }
}

function movePalette(input, event) {
  const links = [...input.closest("dialog").querySelectorAll("li:not([hidden]) a")];
  const at = links.findIndex((link) => link.classList.contains("chosen"));
  if (event.key === "Enter") {
    event.preventDefault();
    links[Math.max(at, 0)]?.click();
  } else if (event.key === "ArrowDown" || event.key === "ArrowUp") {
    event.preventDefault();
    const next = links[(at + (event.key === "ArrowDown" ? 1 : -1) + links.length) % links.length];
    links[at]?.classList.remove("chosen");
    next?.classList.add("chosen");
    next?.scrollIntoView({ block: "nearest" });
  }
}

document.addEventListener("click", (event) => {
  const target = event.target.closest?.("[data-copy], [data-dialog], [data-theme-next], [data-close]");
  if (target?.matches("[data-copy]")) copy(target);
  else if (target?.matches("[data-dialog]")) {
    event.preventDefault(); // a button may lead to a page that asks the same
    openDialog(target.dataset.dialog);
  }
  else if (target?.matches("[data-theme-next]")) nextTheme();
  else if (target?.matches("[data-close]")) {
    event.preventDefault(); // without a script the page is loaded without it
    target.closest(".notice, .banner")?.remove();
  }
  if (event.target instanceof HTMLDialogElement) event.target.close(); // beside it
  for (const menu of document.querySelectorAll("details.menu[open]")) {
    if (!menu.contains(event.target)) menu.open = false;
  }
});

// What takes a while says so from the click on; the answer brings the button anew.
document.addEventListener("submit", (event) => {
  const button = event.submitter ?? event.target.querySelector("[data-busy]");
  if (!button?.dataset.busy) return;
  const label = button.querySelector("span");
  button.dataset.idle = label.textContent;
  label.textContent = button.dataset.busy;
  button.setAttribute("aria-disabled", "true");
  say(button.dataset.busy);
});

// What was pressed and not done is told: without a script the browser would show a page that says so.
function complain(text) {
  const notice = Object.assign(document.createElement("div"), { className: "notice is-failed", textContent: text });
  document.getElementById("notices")?.replaceChildren(notice);
  setTimeout(() => notice.remove(), 8000);
  for (const button of document.querySelectorAll("[data-idle]")) {
    button.querySelector("span").textContent = button.dataset.idle;
    button.removeAttribute("aria-disabled");
    delete button.dataset.idle;
  }
}

document.addEventListener("htmx:before:response", (event) => {
  const { request, response, hx, swap } = event.detail.ctx;
  const isPart = hx?.replaceurl || response.status < 400 || (response.status < 500 && swap !== "none");
  if (request.method !== "POST" || isPart) return;
  event.preventDefault(); // a page about an error is no part of this one: what is here stays
  complain(`That was not done: the studio answered with ${response.status}. Reload the page and try again.`);
});
document.addEventListener("htmx:error", ({ detail }) => {
  if (detail.ctx?.request?.method === "POST") complain("No answer from the studio: that may not have been done.");
});

// A tab of a page with a form takes along what was typed there; what was never touched needs no sending.
const touched = new WeakSet();
for (const name of ["input", "change"]) {
  document.addEventListener(name, ({ target }) => target.form && touched.add(target.form));
}
document.addEventListener("click", (event) => {
  const link = event.target.closest?.("a[data-keeps]");
  const form = link && document.getElementById(link.dataset.keeps);
  const isPlain = event.button === 0 && !event.ctrlKey && !event.metaKey && !event.shiftKey;
  if (!form || !isPlain || !(touched.has(form) || form.closest("[data-typed]"))) return;
  event.preventDefault();
  form.action = link.href;
  form.submit();
});

document.addEventListener("input", (event) => {
  if (event.target.matches?.("[data-palette]")) filterPalette(event.target);
});

document.addEventListener("change", (event) => {
  const { target } = event;
  if (target.matches?.("input[name=theme]")) {
    keep("theme", target.value);
    showTheme(target.value);
  }
  if (target.matches?.("[data-setting]")) keep(target.dataset.setting, target.checked ? "on" : "off");
  if (target.matches?.("[data-check-all]")) {
    for (const box of target.closest("form").querySelectorAll("tbody input[type=checkbox]")) box.checked = target.checked;
  }
  if (target.matches?.("[data-submit-on-change]")) target.form?.requestSubmit();
});

document.addEventListener("keydown", (event) => {
  if (event.target.matches?.("[data-palette]")) movePalette(event.target, event);
  if (event.key === "Escape") for (const menu of document.querySelectorAll("details.menu[open]")) menu.open = false;
});

async function startPictures() {
  if (!document.querySelector("[data-graph]")) return;
  let graphs;
  try {
    graphs = await import("./graph.js");
  } catch {
    return; // the studio is gone: what is drawn stays, and the next change of the page tries again
  }
  graphs.startGraphs();
}

showTheme(THEMES.includes(kept("theme")) ? kept("theme") : "auto");
for (const box of document.querySelectorAll("[data-setting]")) box.checked = kept(box.dataset.setting) !== "off";
startKeys(() => kept("keys") !== "off");
startLive(startPictures());
startTimes();
document.addEventListener("htmx:after:swap", startPictures);
