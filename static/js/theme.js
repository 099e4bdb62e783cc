// Runs before the first paint, so that a page never flashes in the other theme. Not a module: those wait.
{
  const root = document.documentElement;
  root.dataset.js = "";
  try {
    const kept = localStorage.getItem("studio.theme");
    if (kept === "light" || kept === "dark") root.dataset.theme = kept;
  } catch {
    // No storage: the theme follows the system.
  }
}

// Until the picture's script has come, a step that is clicked in it is what its link is.
{
  let early = null;
  addEventListener("pointerdown", ({ target }) => {
    const isLink = target.closest?.("a");
    early = isLink ? null : target.closest?.("[data-canvas]:not([data-ready]) .node[data-place]");
  });
  addEventListener("click", ({ target }) => {
    if (!early?.contains(target)) return;
    const links = [...document.querySelectorAll("a[data-place], button[data-place]")];
    links.find((link) => link.dataset.place === early.dataset.place)?.click();
  });
}
