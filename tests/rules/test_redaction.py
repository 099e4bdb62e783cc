"""Everything that shows data redacts by field name and by registered values; the log keeps what steps get."""

from __future__ import annotations

import logging

import pytest
from pydantic import BaseModel

from engine import StepContext, Workflow, create_workflow, register_secret, step
from tests.fixtures import OpenEngine


class Account(BaseModel):
    api_key: int


def _login() -> Workflow[object, object]:
    @step
    async def login(given: dict[str, str], ctx: StepContext) -> dict[str, str]:
        ctx.logger.warning("trying password=%s for lima-oscar-2", given["password"])
        await ctx.ask({"note": f"really {given['password']}?"}, title="Log in with lima-oscar-2?")
        raise RuntimeError(f"refused password={given['password']}")

    return create_workflow(id="login").then(login).commit()


async def test_results_events_and_questions_can_be_shown_without_secrets(
    open_engine: OpenEngine, caplog: pytest.LogCaptureFixture
) -> None:
    register_secret("lima-oscar-2")
    engine = await open_engine(_login())
    run = await engine.create_run("login")
    with caplog.at_level(logging.WARNING, logger="engine.run"):
        await run.start({"user": "ada", "password": "quebec-17"})
    question = (await engine.suspensions(run.run_id)).items[0]
    result = await run.resume({})
    events = [event async for event in run.events(follow=False)]
    shown = [result.redacted(), question.redacted(), *(event.redacted() for event in events)]
    assert "quebec-17" not in repr(shown)
    assert "lima-oscar-2" not in repr(shown)
    assert caplog.messages == ["trying password=[redacted] for [redacted]"] * 2
    assert result.redacted().input == {"user": "ada", "password": "[redacted]"}
    assert result.redacted().steps["login"].error["message"] == "refused password=[redacted]"  # type: ignore[index]
    assert result.input == {"user": "ada", "password": "quebec-17"}
    assert events[1].data["input"]["password"] == "quebec-17"


async def test_a_refused_value_of_a_secret_field_is_not_repeated() -> None:
    @step
    async def use(account: Account) -> int:
        return account.api_key

    result = await create_workflow(id="use").map(lambda _: {"api_key": "sierra-tango"}).then(use).commit().run(None)
    assert result.status == "failed"
    assert "sierra-tango" not in str(result.error["message"])  # type: ignore[index]
