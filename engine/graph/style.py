"""The look of the picture: one set of rules, as a page's stylesheet (with its variables) or written out for a file."""

from __future__ import annotations

import re

DARK = {
    "bg": "#0d0f12", "raised": "#1a1e25", "line": "#262b34", "line-strong": "#363d49", "edge": "#6b7686",
    "text": "#e7eaf0", "muted": "#97a0af", "faint": "#828b9a", "accent": "#7aa2ff",
    "success": "#3fcf8e", "running": "#5aa9ff", "suspended": "#ffb454", "failed": "#ff6b6b",
    "paused": "#c792ea", "pending": "#5b6472",
}  # fmt: skip
LIGHT = {
    "bg": "#f6f7f9", "raised": "#ffffff", "line": "#e3e6eb", "line-strong": "#c3cad5", "edge": "#7f899a",
    "text": "#171b22", "muted": "#5b6472", "faint": "#667080", "accent": "#3b6cf6",
    "success": "#0b7f4f", "running": "#1a6fd0", "suspended": "#a86400", "failed": "#d13c3c",
    "paused": "#8a4fc7", "pending": "#a3acb9",
}  # fmt: skip
FONTS = {
    "font": 'ui-sans-serif,system-ui,"Inter","Segoe UI",Roboto,"DejaVu Sans",sans-serif',
    "mono": 'ui-monospace,"JetBrains Mono","SF Mono",Menlo,Consolas,"DejaVu Sans Mono",monospace',
}

COLOURS = {
    "success": "success", "bailed": "success", "running": "running", "retrying": "running", "suspended": "suspended",
    "waiting": "suspended", "held": "paused", "paused": "paused", "failed": "failed", "interrupted": "failed",
    "canceled": "faint",
}  # fmt: skip
"""Status -> the token of its colour."""

_RULES = """
.bg{fill:var(--bg)}
.node rect,.node circle{fill:var(--raised);stroke:var(--line-strong);stroke-width:1.2}
.node text{fill:var(--text);font:600 12px var(--mono)}
.node text.sub,.node .mode{fill:var(--faint);font:11px var(--font)}
.node .stripe{stroke:none;fill:var(--pending)}
.node text.ico{fill:var(--faint);font:600 12px var(--font);text-anchor:middle}
.node circle{stroke:var(--edge)}
.node .core{fill:var(--edge);stroke:none}
.node .bp{display:none;fill:var(--failed);stroke:none}
.node[data-breakpoint] .bp{display:inline}
.node[data-status=suspended] rect.box,.node[data-status=waiting] rect.box{stroke:var(--suspended);stroke-width:1.8}
.node[data-status=running] rect.box{stroke:var(--running);stroke-width:1.8}
.node[data-status=failed] rect.box{stroke:var(--failed);stroke-width:1.8}
.node[data-status=held] rect.box{stroke:var(--paused);stroke-width:1.8}
.node[data-status=skipped]{opacity:.5}
.node[data-status=skipped] rect.box{stroke-dasharray:4 3}
.node.selected rect.box{stroke:var(--accent);stroke-width:2.2}
.node:focus{outline:none}
.node:focus-visible rect.box,.node:focus-visible circle{stroke:var(--accent);stroke-width:2.2}
.node text.times,.heading text.times{fill:var(--text);font:700 11px var(--font);stroke:var(--bg)}
.times{stroke-width:4px;paint-order:stroke;stroke-linejoin:round}
.heading .times,.heading .heat text{letter-spacing:0;text-transform:none}
.node .bar rect{stroke:none;fill:none}
.node .bar rect.rail{fill:var(--line)}
.node[data-status=pending] .bar{display:none}
.node .bar [data-share=done]{fill:var(--success)}
.node .bar [data-share=failed]{fill:var(--failed)}
.node .bar [data-share=waiting]{fill:var(--suspended)}
.node .bar [data-share=running]{fill:var(--running)}
.fold rect.room{fill:none;stroke:none;pointer-events:all}
.fold rect.sign{fill:var(--bg);stroke:var(--edge);stroke-width:1}
.fold path{fill:none;stroke:var(--text);stroke-width:1.5}
.fold:hover rect.sign,.fold:focus-visible rect.sign{stroke:var(--accent);stroke-width:2}
.fold:focus{outline:none}
.heading .bp{display:none;fill:var(--failed)}
.heading[data-breakpoint] .bp{display:inline}
.heat rect{fill:var(--bg);stroke:var(--edge);stroke-width:1.2}
.node .heat text,.heading .heat text{fill:var(--text);font:600 11px var(--font);stroke:none}
.heat[data-heat="2"] rect{stroke:var(--suspended)}
.heat[data-heat="3"] rect{stroke:var(--suspended);stroke-width:2}
.heat[data-heat="4"] rect{stroke:var(--suspended);stroke-width:3}
.edge path{fill:none;stroke:var(--edge);stroke-width:1.4}
.edge polygon{fill:var(--edge)}
.edge text{fill:var(--muted);font:11px var(--mono)}
.edge[data-kind=error] path{stroke-dasharray:4 4}
.edge.taken path{stroke:var(--success)}
.edge.taken polygon{fill:var(--success)}
.edge[data-kind=error].taken path{stroke:var(--failed)}
.edge[data-kind=error].taken polygon{fill:var(--failed)}
.cluster rect{fill:var(--raised);fill-opacity:.35;stroke:var(--line-strong);stroke-dasharray:3 4}
.cluster[data-status=running] rect{stroke:var(--running)}
.cluster[data-status=suspended] rect,.cluster[data-status=waiting] rect{stroke:var(--suspended)}
.cluster[data-status=failed] rect{stroke:var(--failed)}
.heading text{fill:var(--faint);font:600 10.5px var(--font);letter-spacing:.05em;text-transform:uppercase}
.heading text.name{fill:var(--muted);font:600 11px var(--mono);letter-spacing:0;text-transform:none}
.heading text.note{font:11px var(--font);letter-spacing:0;text-transform:none}
.heading text,.edge text{stroke:var(--bg);stroke-width:5px;paint-order:stroke;stroke-linejoin:round}
.edge text{stroke-width:9px}
.legend text{fill:var(--muted);font:11px var(--font)}
.legend rect{fill:var(--pending)}
.legend [data-status=skipped] rect{fill:none;stroke:var(--faint);stroke-dasharray:2 1.5}
"""


def _status_rules() -> str:
    lines = []
    for status, token in COLOURS.items():
        lines.append(f".node[data-status={status}] .stripe,.legend [data-status={status}] rect{{fill:var(--{token})}}")
        lines.append(f".node[data-status={status}] text.ico{{fill:var(--{token})}}")
    return "\n".join([*lines, ".node[data-status=success] .core{fill:var(--success)}"])


RULES = _RULES.strip() + "\n" + _status_rules()
"""The rules with ``var(--token)``, for a page that defines the tokens."""


def stylesheet(theme: str) -> str:
    """The rules without variables, in the colours of ``"dark"``, ``"light"`` or (``"auto"``) what a viewer prefers."""
    if theme != "auto":
        return _written(RULES, DARK if theme == "dark" else LIGHT)
    dark = "\n".join(line for line in RULES.splitlines() if "var(--" in line)
    return f"{_written(RULES, LIGHT)}\n@media (prefers-color-scheme:dark){{\n{_written(dark, DARK)}\n}}"


def _written(rules: str, tokens: dict[str, str]) -> str:
    return re.sub(r"var\(--([\w-]+)\)", lambda found: (tokens | FONTS)[found[1]], rules)
