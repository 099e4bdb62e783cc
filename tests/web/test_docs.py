"""What programs are told of the studio: every address that is served, as it really answers."""

from __future__ import annotations

import html
import json
import re
import shlex
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote, urlsplit

import pytest
from fastapi.routing import APIRoute, APIWebSocketRoute, iter_route_contexts
from starlette.testclient import TestClient

from engine import StepContext, create_workflow, step
from studio.app import create_app
from studio.guard import GuardRules
from studio.hosting import Hosting
from studio.promises import ANSWERS, EXAMPLES, FORMS, LEADS_ON, MAY_BE_WRONG, PARAMETERS, SOCKETS
from studio.shapes import Shapes
from tests.fixtures import add, fail
from tests.web.hosted import ORIGIN, Studio, studio

TOKEN = "a-token-for-tests-that-is-long-enough-0123456789"


@step
async def ask(data: dict[str, int], ctx: StepContext) -> dict[str, int]:
    return {"n": await ctx.ask({"n": data["n"]}, int, title="How many?")}


WORKFLOWS = (
    create_workflow(id="asks", input_schema=dict[str, int]).then(add("first")).then(ask),
    create_workflow(id="each").foreach(add("item"), concurrency=2),
    create_workflow(id="breaks", state_schema=dict[str, int]).then(add("first")).then(fail("broken")),
)


@pytest.fixture
def at() -> Iterator[Studio]:
    with studio(*WORKFLOWS) as at:
        yield at


def document_of(at: Studio) -> Any:
    return at.client.get("/openapi.json").json()


def operations(document: Any) -> dict[tuple[str, str], Any]:
    return {(verb, path): said for path, verbs in document["paths"].items() for verb, said in verbs.items()}


# -- it is whole


def test_it_has_every_address_that_is_served_and_no_other(at: Studio) -> None:
    served = set()
    for context in iter_route_contexts(at.client.app.routes):  # type: ignore[attr-defined]
        route = context.original_route
        if isinstance(route, APIWebSocketRoute):
            served.add(("get", context.path))
        if isinstance(route, APIRoute):
            served |= {(method.lower(), context.path) for method in route.methods}
    assert set(operations(document_of(at))) == served


def test_everything_in_it_is_explained(at: Studio) -> None:
    document = document_of(at)
    for where, said in operations(document).items():
        assert "" not in (said["summary"], *said["tags"]), where
        assert [one["name"] for one in said["parameters"] if not one["description"]] == [], where
        assert "post" not in where or said["requestBody"]["content"], where
        assert all(answer["description"] for name, answer in said["responses"].items() if name != "default"), where
    assert [name for name, shape in document["components"]["schemas"].items() if not shape["description"]] == []
    ids = [said["operationId"] for said in operations(document).values()]
    assert len(ids) == len(set(ids))
    assert document["openapi"] == "3.1.0"
    assert document["servers"] == [{"url": ORIGIN}]


def test_nothing_is_promised_that_there_is_not(at: Studio) -> None:
    """What is said beside the routes goes when they go."""
    told = operations(document_of(at))
    served, names = {path for _, path in told}, {one["name"] for said in told.values() for one in said["parameters"]}
    for promised in (ANSWERS, FORMS, EXAMPLES, SOCKETS, LEADS_ON, MAY_BE_WRONG):
        assert set(promised) - served == set()
    assert {name.rpartition("/")[2] for name in PARAMETERS} - names == set()


def test_the_page_has_all_of_it_and_is_found_from_the_settings(at: Studio) -> None:
    page = at.page("/docs")
    for verb, path in operations(document_of(at)):
        assert re.search(rf'<h3[^>]*><span class="verb">{verb.upper()}</span> {re.escape(path)}</h3>', page), path
    assert set(re.findall(r'href="#([^"]+)"', page)) - set(re.findall(r' id="([^"]+)"', page)) == set()
    assert 'href="/docs"' in at.page("/runs")  # in what is gone to by Ctrl+K
    settings = at.page("/settings")
    assert ('href="/docs"' in settings, 'href="/openapi.json"' in settings) == (True, True)


# -- it is true


@dataclass(frozen=True, slots=True)
class Line:
    """A line for a terminal, read as the program reads it."""

    verb: str
    url: str
    headers: dict[str, str]
    fields: dict[str, str]

    @classmethod
    def of(cls, text: str) -> Line:
        program, *words = shlex.split(text)
        assert program == "curl"
        url, options, headers, fields = words.pop(), iter(words), {}, {}
        verb = "get"
        for option in options:
            match option:
                case "-H":
                    name, _, value = next(options).partition(": ")
                    headers[name] = value
                case "--data-urlencode":
                    verb, (name, _, value) = "post", next(options).partition("=")
                    fields[name] = value
                case "-X":
                    verb = next(options).lower()
                case "-i":
                    pass
                case _:
                    raise AssertionError(option)
        return cls(verb, url, headers, fields)


def lines(page: str) -> dict[tuple[str, str], str]:
    """The line of each address that has one."""
    parts = re.split(r'<section class="panel" ', page)[1:]
    made = {}
    for part in parts:
        head = re.search(r'<span class="verb">(\w+)</span> ([^<]+)</h3>', part)
        line = re.search(r'<code tabindex="0">([^<]+)</code>', part)
        if head and line:
            made[head[1].lower(), head[2]] = html.unescape(line[1])
    return made


def faults(value: Any, schema: Any, named: Mapping[str, Any], where: str = "") -> list[str]:
    """Where a value is not as its schema says."""
    if "$ref" in schema:
        return faults(value, named[schema["$ref"].rpartition("/")[2]], named, where)
    if "anyOf" in schema:
        each = [faults(value, one, named, where) for one in schema["anyOf"]]
        return min(each, key=len)
    kinds = schema.get("type", kind_of(value))
    if kind_of(value) not in kinds and not (kind_of(value) == "integer" and "number" in kinds):
        return [f"{where}: {kind_of(value)} is no {kinds}"]
    found = []
    if isinstance(value, dict):
        parts, rest = schema.get("properties", {}), schema.get("additionalProperties", {})
        found += [f"{where}: no {name}" for name in schema.get("required", ()) if name not in value]
        for name, one in value.items():
            if name not in parts and rest is False:
                found.append(f"{where}: {name} is too much")
            else:
                found += faults(one, parts.get(name, rest), named, f"{where}/{name}")
    if isinstance(value, list):
        first = schema.get("prefixItems", [])
        found += [f"{where}: {len(value)} items"] if len(value) < schema.get("minItems", 0) else []
        for number, one in enumerate(value):
            item = first[number] if number < len(first) else schema.get("items", {})
            found += [f"{where}: too long"] if item is False else faults(one, item, named, f"{where}/{number}")
    return found


def kind_of(value: Any) -> str:
    kinds = {dict: "object", list: "array", str: "string", bool: "boolean", int: "integer", float: "number"}
    return kinds.get(type(value), "null")


def filled(text: str, run: str, token: str) -> str:
    return text.replace("WORKFLOW_ID", "asks").replace("RUN_ID", run).replace("TOKEN", quote(token, safe=""))


def test_every_line_for_a_terminal_does_what_it_says(at: Studio) -> None:
    """Each is sent as it stands on the page, with ids that there are: it answers as the document says."""
    document = document_of(at)
    named, made = document["components"]["schemas"], lines(at.page("/docs"))
    told = {where: said for where, said in operations(document).items() if not {"Pages", "Sockets"} & set(said["tags"])}
    assert set(made) == set(told)
    for where, said in told.items():
        run = at.start("asks", {"n": 1})
        token = at.client.get(f"/runs/{run}.json").json()["question"]["token"]
        line = Line.of(filled(made[where], run, token))
        assert line.verb == where[0]
        assert line.headers == ({"Origin": ORIGIN} if where[0] == "post" else {})
        if where == ("post", "/approvals/{token}"):
            line.fields["_json"] = "1"  # what is asked here
        answer = at.client.request(
            line.verb, line.url, headers=line.headers, data=line.fields or None, follow_redirects=False
        )
        good = "303" if "303" in said["responses"] else "200"
        assert str(answer.status_code) == good, (where, answer.text[:300])
        for media, content in said["responses"][good].get("content", {}).items():
            assert answer.headers["content-type"].partition(";")[0] == media, where
            bodies = answer.text.splitlines() if media == "application/x-ndjson" else [answer.text]
            if "schema" in content:
                assert [fault for body in bodies for fault in faults(json.loads(body), content["schema"], named)] == []
        if good == "303":
            where_to = urlsplit(answer.headers["location"]).path
            assert where_to == "/runs" or re.fullmatch(r"/runs/[\w-]+", where_to), where


def test_pages_answer_as_they_are_said_to(at: Studio) -> None:
    for (verb, path), said in operations(document_of(at)).items():
        if "Pages" not in said["tags"]:
            continue
        run = at.start("asks", {"n": 1})
        token = at.client.get(f"/runs/{run}.json").json()["question"]["token"]
        parts = {one["name"]: one["example"] for one in said["parameters"] if one["in"] == "path"}
        answer = at.client.request(verb, filled(path.format_map(parts), run, token), follow_redirects=False)
        assert str(answer.status_code) == next(iter(said["responses"])), path


def test_data_of_every_kind_is_as_it_is_said_to_be(at: Studio) -> None:
    """Of runs that failed, that wait, with rounds, with a state; and each tab of a workflow."""
    each, broken = at.start("each", [{"n": 1}, {"n": 2}]), at.start("breaks", {"n": 1})
    document, asks = document_of(at), at.start("asks", {"n": 1})
    named, told = document["components"]["schemas"], operations(document)
    found = []
    for pattern, paths in {
        "/runs/{run_id}.json": [
            f"/runs/{each}.json?step=item%5B1%5D",
            f"/runs/{broken}.json?event=3",
            f"/runs/{asks}.json?step=nowhere",
        ],
        "/workflows/{id}.json": [
            *(f"/workflows/{id}.json?tab={tab}" for id in ("asks", "breaks") for tab in ("runs", "code", "metrics")),
            "/workflows/each.json",
        ],
        "/runs.json": ["/runs.json?workflow=asks&since=2020-01-01"],
    }.items():
        schema = told["get", pattern]["responses"]["200"]["content"]["application/json"]["schema"]
        for path in paths:
            found += faults(at.client.get(path).json(), schema, named, path)
    assert found == []


def test_errors_are_answered_as_they_are_said_to_be(at: Studio) -> None:
    """What there is not is 404, and a query that does not fit 400: as problem JSON, or as a page."""
    document = document_of(at)
    named = document["components"]["schemas"]
    for (verb, path), said in operations(document).items():
        parts = {one["name"]: "cancel" if one["name"] == "verb" else "nobody" for one in said["parameters"]}
        asked = {}
        if "404" in said["responses"]:
            asked["404"] = path.format_map(parts)
        if "400" in said["responses"] and verb == "get":
            names = {one["name"] for one in said["parameters"]}
            asked["400"] = path.format_map({"run_id": at.start("asks", {"n": 1})}) + (
                "?before=0" if "before" in names else "?after=nonsense"
            )
        for status, address in asked.items():
            data = {"at": "first"} if verb == "post" else None
            answer = at.client.request(verb, address, data=data, headers={"origin": ORIGIN}, follow_redirects=False)
            ((media, content),) = said["responses"][status]["content"].items()
            assert (str(answer.status_code), answer.headers["content-type"].partition(";")[0]) == (status, media), path
            if media == "application/problem+json":
                assert faults(answer.json(), content["schema"], named) == []


def test_with_a_token_it_is_asked_for_and_every_line_has_it() -> None:
    with Hosting(WORKFLOWS) as hosting:
        app = create_app(hosting, rules=GuardRules(port=4111, token=TOKEN))
        app.state.settings = app.state.settings.__class__(token=TOKEN)
        client = TestClient(app, base_url=ORIGIN)
        signed = {"authorization": f"Bearer {TOKEN}"}
        for path in ("/docs", "/openapi.json"):
            assert client.get(path).status_code == 401
        document, page = client.get("/openapi.json", headers=signed).json(), client.get("/docs", headers=signed).text
        assert document["security"] == [{"token": []}]
        assert TOKEN not in page + json.dumps(document)
        for (_, path), text in lines(page).items():
            assert ('-H "Authorization: Bearer $STUDIO_TOKEN"' in text) == (path != "/healthz"), path


# -- schemas of views


def test_two_views_with_one_name_are_told_apart() -> None:
    def made() -> type:
        @dataclass
        class Twin:
            name: str

        return Twin

    shapes, first = Shapes(), made()
    assert shapes.of(first) == shapes.of(first) == {"$ref": "#/components/schemas/Twin"}
    with pytest.raises(TypeError, match="same name"):
        shapes.of(made())
    with pytest.raises(TypeError, match="no schema"):
        shapes.of(Iterator[int])
