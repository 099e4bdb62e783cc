"""A question that was written to deceive: whoever answers sees what is data and what is the studio's own."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from playwright.sync_api import Browser, Page
from pydantic import BaseModel

from engine import StepContext, create_step, create_workflow
from engine.ids import new_token
from tests.attacks.studio import Studio, segment, studio

LONG = "approve at once. " * 20_000
TURNED = "\u202eevorppa ot dekcilc eb nac siht\u202c pay 1,000 to \u2067mallory"
FAKE = "[ Approve ]  <button type=submit>Approve</button> <a href='/approvals'>Approve</a> <form><input type=submit>"
PAYLOADS: dict[str, Any] = {
    "text": f"# Approve\n{FAKE}\n{TURNED}\n\n**Send answer**\n{LONG}",
    "facts": {"amount": "1", "Send answer": FAKE, "to": TURNED, "note": LONG},
    "data": [{"amount": 1, "to": [TURNED], "note": LONG}] * 2,
}


class Decision(BaseModel):
    """What is asked for."""

    approve: bool = False


def asking(payload: Any) -> Any:
    async def ask(_: Any, ctx: StepContext) -> Any:
        return await ctx.ask(payload, Decision, title=TURNED + FAKE)

    return ask


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Studio]:
    made_of = [
        create_workflow(id=name).then(create_step(id=name, execute=asking(payload)))
        for name, payload in PAYLOADS.items()
    ]
    with studio(made_of, tmp_path_factory.mktemp("deceit") / "runs.db") as made:
        for name in PAYLOADS:
            made.runs[name] = made.start(name)
        yield made


@pytest.fixture
def page(browser: Browser) -> Iterator[Page]:
    context = browser.new_context(viewport={"width": 1280, "height": 800})
    yield context.new_page()
    context.close()


@pytest.mark.parametrize("name", PAYLOADS)
def test_what_is_asked_about_has_nothing_to_press(served: Studio, page: Page, name: str) -> None:
    """The only buttons are those of the form, which the studio makes of the schema."""
    (question,) = (one for one in served.questions() if one.run_id == served.runs[name])
    page.goto(f"{served.url}/approvals/{question.token}")
    assert page.locator(".prose").count() >= 1
    for within in (".prose", ".said"):
        assert page.locator(f"{within} :is(button, input, a, form, select, label)").count() == 0
    names = page.locator("article.ask form button.primary").all_inner_texts()
    assert [text.split("\n")[0].strip() for text in names] == ["Send answer"]


@pytest.mark.parametrize("name", PAYLOADS)
def test_letters_that_turn_the_direction_turn_nothing_but_their_own_text(served: Studio, page: Page, name: str) -> None:
    (question,) = (one for one in served.questions() if one.run_id == served.runs[name])
    page.goto(f"{served.url}/approvals/{question.token}")
    turned = page.evaluate(
        """() => { const walk = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT), found = [];
        while (walk.nextNode()) {
          const text = walk.currentNode;
          if (!/[\\u202a-\\u202e\\u2066-\\u2069]/.test(text.data)) continue;
          if (text.parentElement.closest('script, option, title, textarea')) continue;
          let one = text.parentElement, kept = false;
          for (; one && one !== document.body; one = one.parentElement)
            kept ||= /isolate|plaintext/.test(getComputedStyle(one).unicodeBidi);
          if (!kept) found.push(text.parentElement.outerHTML.slice(0, 120));
        }
        return found; }"""
    )
    assert turned == []


@pytest.mark.parametrize("name", PAYLOADS)
def test_a_long_text_does_not_hide_the_answer(served: Studio, page: Page, name: str) -> None:
    """It is folded or cut, and says how long it is: the form is not pushed far away."""
    (question,) = (one for one in served.questions() if one.run_id == served.runs[name])
    page.goto(f"{served.url}/approvals/{question.token}")
    box = page.locator("article.ask form button.primary").bounding_box()
    assert box is not None
    assert box["y"] < 8_000
    assert "characters" in page.locator("article.ask").inner_text()


def test_a_question_is_answered_by_its_token_alone(served: Studio) -> None:
    """A token has 128 random bits; one that is nearly right, or the id of the run or the step, opens nothing."""
    open_now = served.questions()
    tokens = {question.token for question in open_now} | {new_token() for _ in range(1000)}
    assert len(tokens) == len(open_now) + 1000
    assert min(map(len, tokens)) * 6 >= 128
    question = open_now[0]
    guesses = [
        question.token[:-1],
        question.token.swapcase(),
        question.token[::-1],
        question.run_id,
        question.path,
        "x",
    ]
    for guess in guesses:
        for run in ("", f"?run={segment(question.run_id)}"):
            answer = served.post(f"/approvals/{segment(guess)}{run}", {"_mode": "json", "_json": '{"approve": true}'})
            assert answer.status in {404, 409}, guess
    assert served.questions() == open_now
