// "3 min ago" and running clocks move on. Clocks stand still while the page is not live: they would lie.
const UNITS = [["s", 1, 60], ["min", 60, 3600], ["h", 3600, 86400], ["d", 86400, 14 * 86400]];

export function ago(seconds) {
  const away = Math.abs(seconds);
  if (away < 2) return "just now";
  const unit = UNITS.find(([, , limit]) => away < limit);
  if (!unit) return "";
  const said = `${Math.floor(away / unit[1])} ${unit[0]}`;
  return seconds > 0 ? `${said} ago` : `in ${said}`;
}

export function duration(seconds) {
  if (seconds < 0.9995) return `${Math.round(seconds * 1000)} ms`;
  if (seconds < 9.995) return `${Number(seconds.toFixed(2))} s`;
  if (seconds < 59.95) return `${Number(seconds.toFixed(1))} s`;
  const two = (number) => String(number).padStart(2, "0");
  const whole = Math.round(seconds);
  const [minutes, hours, days] = [Math.floor(whole / 60), Math.floor(whole / 3600), Math.floor(whole / 86400)];
  if (days) return `${days} d ${two(hours % 24)} h`;
  if (hours) return `${hours} h ${two(minutes % 60)} m`;
  return `${minutes} m ${two(whole % 60)} s`;
}

function tick() {
  if (document.hidden) return;
  const now = Date.now();
  for (const time of document.querySelectorAll("time[data-ago]")) {
    const said = ago((now - Date.parse(time.dateTime)) / 1000);
    if (said && said !== time.textContent) time.textContent = said;
  }
  const live = document.getElementById("light")?.dataset.state === "live";
  if (!live) return;
  for (const clock of document.querySelectorAll("[data-since]")) {
    const said = duration(Math.max(0, Math.floor((now - Date.parse(clock.dataset.since)) / 1000)));
    if (clock.firstChild && clock.textContent !== said) clock.firstChild.data = said;
  }
}

export function startTimes() {
  setInterval(tick, 1000);
}
