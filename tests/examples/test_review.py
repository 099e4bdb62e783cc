"""The example of a text that goes round."""

from __future__ import annotations

from studio.examples.review import review_workflow
from tests.fixtures import OpenEngine, launch

TEXT = "The the workflow  waits for you. It can wait long"
MENDED = "The workflow waits for you. It can wait long."


async def test_a_text_is_mended_and_accepted(open_engine: OpenEngine) -> None:
    engine = await open_engine(review_workflow)
    run = await launch(engine, review_workflow, {"text": TEXT})
    (first,) = (await engine.suspensions(run.run_id)).items
    await run.resume({"action": "mend"})
    (second,) = (await engine.suspensions(run.run_id)).items
    result = await run.resume({"action": "accept"})

    findings = ["'The' is doubled", "there are too many spaces", "the last sentence has no end"]
    assert first.title == "Round 1: what shall happen to this text?"
    assert first.payload == {"text": TEXT, "findings": findings}
    assert second.title == "Round 2: what shall happen to this text?"
    assert second.payload == {"text": MENDED, "findings": []}
    assert (result.status, result.result) == ("success", {"published": True, "text": MENDED, "words": 9})
    assert [record.status for record in result.steps["round"].iterations] == ["success", "success"]


async def test_a_rewritten_text_is_checked_again(open_engine: OpenEngine) -> None:
    engine = await open_engine(review_workflow)
    run = await launch(engine, review_workflow, {"text": "Short"})
    await run.resume({"action": "rewrite", "text": " ".join("abcdefghijklmnopqrstu") + "."})
    (asked,) = (await engine.suspensions(run.run_id)).items
    assert asked.payload["findings"] == ["a sentence has 21 words, 20 are enough"]


async def test_an_editor_may_give_up(open_engine: OpenEngine) -> None:
    engine = await open_engine(review_workflow)
    run = await launch(engine, review_workflow, {"text": TEXT})
    result = await run.resume({"action": "give up"})
    assert (result.status, result.result) == ("success", {"published": False, "text": TEXT, "words": 10})
    assert (result.steps["publish"].status, result.steps["put_aside"].status) == ("skipped", "success")


async def test_a_text_that_never_gets_good_fails(open_engine: OpenEngine) -> None:
    engine = await open_engine(review_workflow)
    run = await launch(engine, review_workflow, {"text": TEXT})
    for _ in range(10):
        result = await run.resume({"action": "rewrite", "text": TEXT})
    assert (result.status, result.error and result.error["type"]) == ("failed", "LoopLimit")
