"""Code that fails with variables of its own, and what an error keeps of them."""

from __future__ import annotations

from typing import Any

from engine import create_step, create_workflow
from tests.fixtures import OpenEngine, launch


def raising(error: BaseException | None = None, **variables: Any) -> Any:
    """A workflow with one step that raises, in a function that has these variables."""
    code = "".join(f"    {name} = given[{name!r}]\n" for name in variables)
    made: dict[str, Any] = {}
    source = compile(f"def work():\n{code}    raise given['']\n", __file__, "exec")
    exec(source, {"given": {**variables, "": error or ValueError("no")}}, made)  # noqa: S102 - names of our own
    return create_workflow(id="raising").then(create_step(id="work", execute=made["work"]))


async def frames(open_engine: OpenEngine, workflow: Any, given: Any = None) -> list[tuple[str, dict[str, str]]]:
    """The functions that a failed run names, with their variables; innermost first."""
    run = await launch(await open_engine(workflow, locals_in_errors=True), workflow, given)
    error = (await run.result()).error
    assert error is not None
    return [(frame["function"], frame["locals"]) for frame in error.get("frames", ())]


async def shown(open_engine: OpenEngine, **variables: Any) -> dict[str, str]:
    """How variables are shown."""
    ((function, found),) = await frames(open_engine, raising(**variables))
    assert function == "work"
    return found
