"""What a run's frame has for everybody who watches: where the run stands.

What depends on the viewer (the chosen step, the view) is asked for by the page itself when a frame has come: see
``partials/follow.html``.
"""

from __future__ import annotations

from studio.live import LIVE_PARTS, Moment
from studio.pages.shell import live_rendering
from studio.views.run_head import header


def run_status(moment: Moment) -> str:
    """The status in the head of the page."""
    shown = header(moment.run.run_id, moment.run.workflow_id, moment.result.status)
    html = live_rendering().partial("partials/run_status.html", header=shown)
    return f'<hx-partial hx-target="#run-status" hx-swap="outerMorph">{html}</hx-partial>'


LIVE_PARTS.append(run_status)
