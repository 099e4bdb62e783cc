"""Large values that nobody can change are handed from step to step as they are, and still never lose anything.

In memory they need not be written for that; whoever reads gets the same as from a file.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable
from functools import cached_property
from typing import Any

import pytest
from pydantic import BaseModel

from engine import (
    Engine,
    NotSerializable,
    RetryPolicy,
    RunResult,
    Step,
    StepContext,
    create_step,
    create_workflow,
    from_step,
)
from tests.fixtures import OpenEngine


class Page(BaseModel, frozen=True):
    """One record of a large payload."""

    id: int
    title: str
    score: float = 0.5

    @cached_property
    def words(self) -> list[str]:
        """What is computed of it and kept beside its fields."""
        return self.title.split()


class Book(BaseModel, frozen=True):
    """A large value that nobody can change."""

    n: int
    pages: tuple[Page, ...]


class Bound(Book, frozen=True):
    """A book with a field that a ``Book`` has not."""

    cover: str = "red"


class Insert(Page, frozen=True):
    """A page with a field that a ``Page`` has not."""

    glue: int = 1


class Title(str):
    """No exact text."""

    __slots__ = ()


@dataclasses.dataclass(frozen=True, slots=True)
class Leaf:
    """The same without pydantic: making one checks nothing."""

    id: int
    title: str


@dataclasses.dataclass(frozen=True)
class Folder:
    """A large value that nobody can change, made of dataclasses."""

    n: int
    leaves: tuple[Leaf, ...]


ONCE_MORE = RetryPolicy(attempts=2)
PAGES = tuple(Page(id=i, title=f"page {i} " * 12) for i in range(400))
BOOK = Book(n=0, pages=PAGES)


def with_page(page: Any) -> tuple[Page, ...]:
    return (*PAGES[:7], page, *PAGES[8:])


def made(id: str, function: Callable[[Book], Any]) -> Step[Any, Any]:
    """A step from book to book."""

    async def execute(book: Book) -> Any:
        return function(book)

    return create_step(id=id, execute=execute, input_schema=Book, output_schema=Book)


async def through(open_engine: OpenEngine, function: Callable[[Book], Any]) -> tuple[RunResult, list[Book]]:
    """A run in which one step makes a book and the next gets it; what came of it, and what the next one got."""
    got: list[Book] = []
    workflow = create_workflow(id="w", input_schema=Book)
    for step in (made("make", function), made("next", lambda book: got.append(book) or book)):
        workflow = workflow.then(step)
    engine = await open_engine(workflow)
    return await (await engine.create_run("w")).start(BOOK), got


async def test_every_step_gets_the_very_object(open_engine: OpenEngine) -> None:
    seen: list[Any] = []

    async def look(book: Book, ctx: StepContext) -> Book:
        seen.extend((book.pages, ctx.init.pages, ctx.result_of("a").pages))
        return book

    look_step = create_step(id="look", execute=look, input_schema=Book, output_schema=Book)
    workflow = create_workflow(id="w", input_schema=Book).then(made("a", lambda book: book)).then(look_step)
    engine = await open_engine(workflow)

    assert (await (await engine.create_run("w")).start(BOOK)).status == "success"

    assert [pages is BOOK.pages for pages in seen] == [True, True, True]


async def test_whoever_reads_sees_the_same_as_in_a_file(open_engine: OpenEngine) -> None:
    workflow = create_workflow(id="w", input_schema=Book, output_schema=Book)
    for id in ("a", "b", "c"):
        workflow = workflow.then(made(id, lambda book: book.model_copy(update={"n": book.n + 1})))
    engine = await open_engine(workflow)
    run = await engine.create_run("w")
    books = [BOOK.model_copy(update={"n": n}).model_dump(mode="json") for n in range(4)]

    result = await run.start(BOOK)

    assert (result.input, result.result) == (books[0], books[3])
    assert [result.steps[id].output for id in "abc"] == books[1:]
    events = [event async for event in run.events(follow=False)]
    assert [event.data["output"] for event in events if event.type == "step.succeeded"] == books[1:]
    assert [event.data["input"] for event in events if event.type == "step.started"] == books[:3]
    fork = await run.fork(at="c")
    assert (await fork.wait(5)).result == books[3]
    assert (await (await run.rerun()).wait(5)).to_dict()["result"] == books[3]


LIES: dict[str, tuple[Callable[[Book], Any], str]] = {
    "a part of the wrong type": (
        lambda _: Book(n=1, pages=with_page(Page.model_construct(id=7, title="a", score="high"))),
        "pages[7].score: Input should be a valid number",
    ),
    "a part without a field": (
        lambda _: Book(n=1, pages=with_page(Page.model_construct(id=7, score=1.5))),
        "pages[7].title: Field required",
    ),
    "a whole without a field": (lambda book: Book.model_construct(pages=book.pages), "n: Field required"),
    "a list for a tuple": (
        lambda book: Book.model_construct(n=1, pages=list(book.pages)),
        "$.pages (type list) would come back as tuple",
    ),
    "a copy that nobody checked": (
        lambda book: book.model_copy(update={"n": "one"}),
        "n: Input should be a valid integer",
    ),
    "more pages, one of them wrong": (
        lambda book: book.model_copy(update={"pages": (*book.pages, Page.model_construct(id="x", title="a"))}),
        "pages[400].id: Input should be a valid integer",
    ),
    "a subclass": (lambda book: Bound(n=1, pages=book.pages), "(type Bound) would come back as Book"),
    "a part of a subclass": (
        lambda _: Book(n=1, pages=with_page(Insert(id=7, title="a"))),
        "$.pages[7] (type Insert) would come back as Page",
    ),
    "plain data for a part": (
        lambda _: Book.model_construct(n=1, pages=with_page({"id": 7, "title": "a"})),
        "$.pages[7] (type dict) would come back as Page",
    ),
    "changed behind Python's back": (
        lambda book: spoiled(Book(n=1, pages=book.pages)),
        "$.n (type object) can't be stored",
    ),
    "text of 33 MiB": (
        lambda _: Book(n=1, pages=(Page(id=1, title="x" * 33 * 2**20),)),
        "is 33.0 MiB when stored, and the limit is 32 MiB",
    ),
    "the same page far too often": (lambda _: Book(n=1, pages=PAGES * 1000), "and the limit is 32 MiB"),
}


def spoiled(book: Book) -> Book:
    object.__setattr__(book, "n", object())
    return book


@pytest.mark.parametrize("lie", LIES)
async def test_what_would_not_come_back_fails_the_step_that_returned_it(open_engine: OpenEngine, lie: str) -> None:
    function, message = LIES[lie]

    result, got = await through(open_engine, function)

    error = result.error or {}
    assert (result.status, error["type"], error["step"], got) == ("failed", "NotSerializable", "make", [])
    assert message in error["message"]


ODD: dict[str, Callable[[Book], Book]] = {
    "not a number": lambda _: Book(n=1, pages=with_page(Page(id=7, title="a", score=math.nan))),
    "infinite": lambda _: Book(n=1, pages=with_page(Page(id=7, title="a", score=-math.inf))),
    "lone surrogates": lambda _: Book(n=1, pages=with_page(Page.model_construct(id=7, title="a\ud800", score=1.5))),
    "no ASCII": lambda _: Book(n=1, pages=with_page(Page(id=7, title="Käse\U0001f9c0", score=1.5))),
    "control characters": lambda _: Book(n=1, pages=with_page(Page(id=7, title="\x00\x1f" * 500, score=1.5))),
    "like a tag": lambda _: Book(n=1, pages=with_page(Page(id=7, title="$engine:float", score=1.5))),
    "an int of 4,200 digits": lambda book: Book(n=10**4200, pages=book.pages),
    "an int of 65 bits": lambda book: Book(n=2**64, pages=book.pages),
    "an int for a float": lambda _: Book(n=1, pages=with_page(Page.model_construct(id=7, title="a", score=1))),
    "a subclass of text": lambda _: Book.model_construct(
        n=1, pages=with_page(Page.model_construct(id=7, title=Title("a"), score=1.5))
    ),
    "a cached property": lambda book: Book(n=len(book.pages[7].words), pages=book.pages),
    "nothing in it": lambda _: Book(n=1, pages=()),
}


@pytest.mark.parametrize("odd", ODD)
async def test_what_json_can_hardly_say_comes_through(open_engine: OpenEngine, odd: str) -> None:
    expected = ODD[odd](BOOK)

    result, got = await through(open_engine, ODD[odd])

    assert result.status == "success"
    assert repr(got) == repr([expected])  # NaN equals nothing
    shown = result.steps["make"].output
    assert [page["title"] for page in shown["pages"]] == [
        page.title if odd != "lone surrogates" or page.id != 7 else "a\\ud800" for page in expected.pages
    ]
    assert shown == result.result


@pytest.mark.parametrize("wrong", [None, Leaf(7, 7), Leaf("7", "a"), (7, "a")])  # type: ignore[arg-type]
async def test_frozen_dataclasses_are_checked_although_making_one_checks_nothing(
    open_engine: OpenEngine, wrong: Any
) -> None:
    folder = Folder(0, tuple(Leaf(i, f"leaf {i} " * 12) for i in range(400)))
    given, got = [], []

    async def put(folder: Folder) -> Folder:
        given.append(folder)
        return folder if wrong is None else Folder(1, (wrong, *folder.leaves[1:]))

    async def look(folder: Folder) -> int:
        got.append(folder)
        return len(folder.leaves)

    steps = [create_step(id=fn.__name__, execute=fn, input_schema=Folder, output_schema=out)
             for fn, out in ((put, Folder), (look, int))]  # fmt: skip
    engine = await open_engine(create_workflow(id="w", input_schema=Folder).then(steps[0]).then(steps[1]))

    result = await (await engine.create_run("w")).start(folder)

    # An instance that nobody has checked is taken as the data that it holds.
    fits = wrong is None or wrong == Leaf("7", "a")  # type: ignore[arg-type]
    assert (result.status, len(got)) == (("success", 1) if fits else ("failed", 0))
    assert all(type(leaf) is Leaf and type(leaf.id) is int for book in got for leaf in book.leaves)
    assert wrong is not None or got[0] is given[0]  # one that is exact is handed on, and not made anew


async def test_changing_a_frozen_object_that_was_handed_on_is_found_when_it_is_read() -> None:
    """Python can't forbid it. In memory the object is the record: reading it names the field; nothing else breaks."""
    own = Book(n=1, pages=tuple(page.model_copy() for page in PAGES))
    workflow = create_workflow(id="w", input_schema=Book).then(made("a", lambda _: own))
    async with Engine([workflow], store=":memory:") as engine:
        result = await (await engine.create_run("w")).start(BOOK)
        object.__setattr__(own.pages[3], "score", "high")

        assert result.status == "success"
        with pytest.raises(NotSerializable, match=r"pages\[3\]\.score"):
            assert result.steps["a"].output


async def test_a_file_holds_what_a_frozen_object_was(sqlite_url: str) -> None:
    own = Book(n=1, pages=tuple(page.model_copy() for page in PAGES))
    workflow = create_workflow(id="w", input_schema=Book).then(made("a", lambda _: own))
    async with Engine([workflow], store=sqlite_url) as engine:
        result = await (await engine.create_run("w")).start(BOOK)
        object.__setattr__(own.pages[3], "score", "high")

        assert result.steps["a"].output["pages"][3]["score"] == 0.5


# -- what can be changed is copied


class Shelf(BaseModel, frozen=True):
    """Frozen, but not all the way down."""

    books: list[Book]


class Loose(BaseModel, frozen=True, extra="allow"):
    """Frozen, with room for anything."""

    pages: tuple[Page, ...]


class Anything(BaseModel, frozen=True):
    """Frozen around a part of any type."""

    pages: tuple[Page, ...]
    more: Any


CHANGES: dict[str, tuple[type[BaseModel], BaseModel, Callable[[Any], None]]] = {
    "a list inside": (Shelf, Shelf(books=[BOOK]), lambda shelf: shelf.books.clear()),
    "extra fields": (Loose, Loose(pages=PAGES, notes=["a"]), lambda loose: loose.notes.clear()),  # type: ignore[call-arg]
    "a part of any type": (Anything, Anything(pages=PAGES, more=["a"]), lambda one: one.more.clear()),
}


@pytest.mark.parametrize("kind", CHANGES)
async def test_a_step_that_changes_a_part_that_is_not_frozen_changes_nobody_elses(
    open_engine: OpenEngine, kind: str
) -> None:
    model, value, change = CHANGES[kind]
    before = value.model_dump(mode="json")
    attempts = []

    async def give(data: Any) -> Any:
        return data

    async def spoil(data: Any) -> Any:
        attempts.append(data.model_dump(mode="json"))
        change(data)
        if len(attempts) == 1:
            raise ValueError("once more")
        return None

    steps = {
        id: create_step(id=id, execute=fn, input_schema=model, output_schema=out, retry=retry)
        for id, fn, out, retry in (
            ("give", give, model, None),
            ("one", spoil, None, ONCE_MORE),
            ("two", give, model, None),
        )
    }
    workflow = create_workflow(id="w", input_schema=model).then(steps["give"]).parallel([steps["one"], steps["two"]])
    engine = await open_engine(workflow.map(from_step("two")))

    result = await (await engine.create_run("w")).start(value)

    assert (result.status, result.result, result.input, attempts) == ("success", before, before, [before, before])
    assert value.model_dump(mode="json") == before


class Draft(BaseModel):
    """A large value that can be changed."""

    n: int
    lines: list[dict[str, int]]


async def test_what_a_step_keeps_of_a_value_that_can_be_changed_stays_as_it_was(open_engine: OpenEngine) -> None:
    """A cache of the producer's, the workflow's input, an earlier output, items of a list: nobody sees a change."""
    cached = Draft(n=0, lines=[{"at": at} for at in range(50)])
    before = cached.model_dump()
    seen: list[Any] = []

    async def give(draft: Draft) -> Draft:
        return cached

    async def spoil(draft: Draft, ctx: StepContext) -> Draft:
        seen.extend(one.model_dump() for one in (draft, ctx.init, ctx.result_of("give")))
        for one in (draft, ctx.init, ctx.result_of("give")):
            one.lines[0]["at"] = -1
            one.lines.clear()
        return draft

    async def spoil_item(item: dict[str, int], ctx: StepContext) -> int:
        item["at"] += 1
        ctx.result_of("give").lines.clear()
        return item["at"]

    steps = [create_step(id=fn.__name__, execute=fn, input_schema=Draft, output_schema=Draft) for fn in (give, spoil)]
    item = create_step(id="item", execute=spoil_item, input_schema=dict[str, int], output_schema=int)
    workflow = create_workflow(id="w", input_schema=Draft).then(steps[0]).then(steps[1])
    workflow = workflow.map(from_step("give", "lines")).foreach(item, concurrency=7)
    engine = await open_engine(workflow)
    given = Draft(n=1, lines=[{"at": 5}])

    results = [await (await engine.create_run("w")).start(given) for _ in range(2)]

    assert [result.result for result in results] == [list(range(1, 51))] * 2
    assert seen == [before, given.model_dump(), before] * 2
    assert (cached.model_dump(), given.lines) == (before, [{"at": 5}])
    assert [result.steps["give"].output for result in results] == [before] * 2
