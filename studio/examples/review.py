"""A text goes round until its editor is content: checked by rules, shown to a person, mended, checked again.

Shows: ``do_until`` around a chain, a question in every round, ``max_iterations``, a branch on how it ended.
"""

from __future__ import annotations

import re
from typing import Literal

from pydantic import BaseModel, Field

from engine import StepContext, chain, create_workflow, from_step, step

LONGEST = 20  # words in a sentence
SAMPLE = "The the workflow  waits for you. It can wait long"


class Text(BaseModel):
    """The text to review."""

    text: str = Field(default=SAMPLE, min_length=1, description="A few sentences, with a fault or two")


class Draft(BaseModel):
    """The text in this round, what the rules say about it, and what the editor wants."""

    text: str
    findings: list[str] = []
    action: Literal["accept", "mend", "rewrite", "give up", "none yet"] = "none yet"


class Edit(BaseModel):
    """The editor's answer."""

    action: Literal["accept", "mend", "rewrite", "give up"] = Field(
        description="accept the text, mend it by the rules, rewrite it yourself, or give up"
    )
    text: str = Field(default="", description="Your text, if you rewrite it")


class Outcome(BaseModel):
    """How the review ended."""

    published: bool
    text: str
    words: int


@step
async def find_faults(draft: Draft) -> Draft:
    """Look for what can be seen without understanding: doubled words, spaces, long sentences, a missing end."""
    text = draft.text
    findings = [f"{word!r} is doubled" for word in re.findall(r"\b(\w+)\s+\1\b", text, re.IGNORECASE)]
    if re.search(r" {2,}", text) or text != text.strip():
        findings.append("there are too many spaces")
    if not text.rstrip().endswith((".", "!", "?")):
        findings.append("the last sentence has no end")
    lengths = [len(sentence.split()) for sentence in re.split(r"(?<=[.!?])\s+", text)]
    findings += [f"a sentence has {words} words, {LONGEST} are enough" for words in lengths if words > LONGEST]
    return Draft(text=text, findings=findings)


@step
async def ask_editor(draft: Draft, ctx: StepContext) -> Draft:
    """Show text and findings to a person. The run waits here, for minutes or for months."""
    question = {"text": draft.text, "findings": draft.findings}
    edit = await ctx.ask(question, Edit, title=f"Round {ctx.iteration}: what shall happen to this text?")
    return Draft(text=edit.text or draft.text, findings=draft.findings, action=edit.action)


@step
async def apply_edit(draft: Draft) -> Draft:
    """Mend what can be mended by rule, if that was the answer."""
    if draft.action != "mend":
        return draft
    text = re.sub(r"\b(\w+)(\s+\1\b)+", r"\1", draft.text, flags=re.IGNORECASE)
    text = re.sub(r" {2,}", " ", text).strip()
    return draft.model_copy(update={"text": text if text.endswith((".", "!", "?")) else f"{text}."})


@step
async def publish(draft: Draft) -> Outcome:
    """The accepted text."""
    return Outcome(published=True, text=draft.text, words=len(draft.text.split()))


@step
async def put_aside(draft: Draft) -> Outcome:
    """The text that nobody wants to mend any more."""
    return Outcome(published=False, text=draft.text, words=len(draft.text.split()))


one_round = chain("round").then(find_faults).then(ask_editor).then(apply_edit)

review_workflow = (
    create_workflow(
        id="review",
        input_schema=Text,
        output_schema=Outcome,
        description="Review a text until its editor accepts it",
    )
    .map(lambda given: Draft(text=given.text), id="first_draft")
    .do_until(one_round, "action in ['accept', 'give up']", max_iterations=10)
    .branch([("action == 'accept'", publish)], otherwise=put_aside)
    .map(from_step([publish, put_aside]))
    .commit()
)
