"""A step that ends its process at once, the first time."""

from __future__ import annotations

import asyncio
import os
from pathlib import Path
from typing import Any

from engine import Engine, Workflow, create_step, create_workflow


def workflow(folder: Path) -> Workflow[Any, Any]:
    async def leaves(data: Any) -> str:
        if not (folder / "left").exists():
            (folder / "left").touch()
            os._exit(3)
        return "stayed"

    return create_workflow(id="w").then(create_step(id="leaves", execute=leaves)).commit()


def go(folder: str) -> None:
    async def work() -> None:
        async with Engine([workflow(Path(folder))], store=Path(folder, "runs.db")) as engine:
            await (await engine.create_run("w", run_id="r1")).start()

    asyncio.run(work())
