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
