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
  else if (target?.matches("[data-dialog]")) openDialog(target.dataset.dialog);
  else if (target?.matches("[data-theme-next]")) nextTheme();
  else if (target?.matches("[data-close]")) target.closest(".notice")?.remove();
  if (event.target instanceof HTMLDialogElement) event.target.close(); // beside it
  for (const menu of document.querySelectorAll("details.menu[open]")) {
    if (!menu.contains(event.target)) menu.open = false;
  }
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
  const { startGraphs } = await import("./graph.js");
  startGraphs();
}

showTheme(THEMES.includes(kept("theme")) ? kept("theme") : "auto");
for (const box of document.querySelectorAll("[data-setting]")) box.checked = kept(box.dataset.setting) !== "off";
startKeys(() => kept("keys") !== "off");
startLive();
startTimes();
startPictures();
document.addEventListener("htmx:after:swap", startPictures);
