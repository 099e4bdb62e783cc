"""Inputs that were given a name: what is kept, where, and how the page of a workflow deals with them."""

from __future__ import annotations

import json
import re
from concurrent.futures import ThreadPoolExecutor
from html import unescape
from pathlib import Path
from typing import Any

import pytest
from filelock import FileLock
from pydantic import BaseModel, Field, SecretStr
from starlette.testclient import TestClient

from engine import create_workflow, step
from studio import presets as module
from studio.app import create_app
from studio.hosting import Hosting
from studio.presets import LARGEST, LONGEST_NAME, MOST, PresetError, Presets, beside
from studio.settings import Settings
from tests.web.hosted import ORIGIN, POST, Studio, studio


class Order(BaseModel):
    item: str = Field(min_length=2)
    n: int = Field(default=1, ge=1)


class Sealed(BaseModel):
    n: int
    key: SecretStr
    password: str = ""


@step
async def pack(order: Order) -> int:
    return order.n


@step
async def use(sealed: Sealed) -> int:
    return sealed.n


SHOP = create_workflow(id="shop", input_schema=Order).then(pack)
SEALED = create_workflow(id="sealed", input_schema=Sealed).then(use)
TYPED = {"_mode": "form", "$.item": "a <kettle>", "$.n": "2"}


def sent(at: Studio, path: str, **data: str) -> Any:
    return at.client.post(path, data={**TYPED, **data}, **POST)


def shown(html: str) -> list[tuple[str, str]]:
    """The presets on a page: name, and the input in short."""
    found = re.findall(r'<bdi class="name">(.*?)</bdi><code class="grow cut faint">(.*?)</code>', html)
    return [(unescape(name), unescape(text)) for name, text in found]


def fields(html: str) -> dict[str, str]:
    return {name: unescape(value) for name, value in re.findall(r'name="\$\.([^"]*)" value="([^"]*)"', html)}


# -- the page


def test_what_is_typed_is_kept_under_a_name_chosen_and_deleted() -> None:
    with studio(SHOP) as at:
        answer = sent(at, "/workflows/shop/presets", _preset_name="  two &\nkettles ")
        assert (answer.status_code, shown(answer.text)) == (200, [("two & kettles", '{"item": "a <kettle>", "n": 2}')])
        assert fields(answer.text) == {"item": "a <kettle>", "n": "2"}  # what was typed stays
        assert "Kept as <b>two &amp; kettles</b>." in answer.text
        html = at.page("/workflows/shop")
        href = unescape(re.findall(r'href="([^"]*preset=[^"]*)"', html)[0])
        assert fields(html)["item"] == ""
        html = at.page(href)
        assert fields(html) == {"item": "a <kettle>", "n": "2"}
        assert "With the preset <b>two &amp; kettles</b>." in html
        assert 'href="/workflows/shop?tab=code&amp;preset=two+%26+kettles"' in html  # another tab keeps it
        answer = sent(at, "/workflows/shop/presets", _preset_sure="two & kettles", **{"$.n": "7"})
        assert (answer.status_code, shown(answer.text), fields(answer.text)["n"]) == (200, [], "7")
        assert "There is no preset" in at.page(href)
        assert at.client.get("/workflows/shop/presets", follow_redirects=False).headers["location"] == "/workflows/shop"


def test_deleting_asks_first_and_what_is_typed_stays() -> None:
    with studio(SHOP) as at:
        for name in ("one", "two"):
            sent(at, "/workflows/shop/presets", _preset_name=name)
        answer = sent(at, "/workflows/shop/presets", _preset_delete="one", **{"$.n": "7"})
        assert "Delete the preset <b>one</b>?" in answer.text
        assert [name for name, _ in shown(answer.text)] == ["two"]  # in its row stands the question
        assert fields(answer.text)["n"] == "7"
        assert [name for name, _ in shown(at.page("/workflows/shop"))] == ["one", "two"]
        buttons = re.findall(r'<button[^>]*name="(_preset_sure)" value="(\w+)"[^>]*formaction="([^"]+)"', answer.text)
        assert buttons == [("_preset_sure", "one", "/workflows/shop/presets")]


def test_the_pages_twin_has_them_without_secrets() -> None:
    with studio(SHOP, SEALED) as at:
        sent(at, "/workflows/shop/presets", _preset_name="two")
        kept = at.client.get("/workflows/shop.json").json()["presets"]
        assert kept == [{"name": "two", "input": {"item": "a <kettle>", "n": 2}}]
        typed = {"_mode": "form", "$.n": "5", "$.key": "sk-of-the-form", "$.password": "hush", "_preset_name": "five"}
        at.client.post("/workflows/sealed/presets", data=typed, **POST)
        assert at.client.get("/workflows/sealed.json").json()["presets"] == [{"name": "five", "input": {"n": 5}}]


def test_an_input_need_not_be_complete_but_must_be_understood() -> None:
    with studio(SHOP) as at:
        answer = sent(at, "/workflows/shop/presets", _preset_name="half", **{"$.item": "", "$.n": "3"})
        assert (answer.status_code, [name for name, _ in shown(answer.text)]) == (200, ["half"])
        answer = sent(at, "/workflows/shop/presets", _preset_name="wrong", **{"$.n": "many"})
        assert (answer.status_code, fields(answer.text)["n"]) == (422, "many")
        answer = sent(at, "/workflows/shop/presets", _preset_name=" ")
        assert (answer.status_code, "Give the preset a name." in answer.text) == (422, True)
        assert [name for name, _ in shown(at.page("/workflows/shop"))] == ["half"]


def test_json_that_is_typed_is_kept_too() -> None:
    with studio(SHOP) as at:
        data = {"_mode": "json", "_json": '{"item": "tea", "n": 4}', "_preset_name": "tea"}
        assert shown(sent(at, "/workflows/shop/presets", **data).text) == [("tea", '{"item": "tea", "n": 4}')]


def test_secrets_are_never_kept_and_asked_for_anew() -> None:
    with studio(SEALED) as at:
        typed = {"_mode": "form", "$.n": "5", "$.key": "sk-of-the-form", "$.password": "hush-hush-hush"}
        answer = at.client.post("/workflows/sealed/presets", data={**typed, "_preset_name": "five"}, **POST)
        assert "Kept as <b>five</b>, without what is secret: <code>key, password</code>." in answer.text
        assert at.client.app.state.presets.of("sealed") == {"five": {"n": 5}}  # type: ignore[attr-defined]
        html = at.page("/workflows/sealed?preset=five")
        assert fields(html)["n"] == "5"
        assert "Secrets are asked for anew." in html
        assert not re.search("sk-of-the-form|hush-hush", html)


def test_enter_beside_the_name_keeps_the_input_and_starts_no_run() -> None:
    with studio(SHOP) as at:
        answer = sent(at, "/workflows/shop/runs", _preset_name="by enter")
        assert (answer.status_code, [name for name, _ in shown(answer.text)]) == (200, ["by enter"])
        assert 'name="_preset_name" form="launch"' in answer.text
        assert "by enter" not in re.findall(r'name="_preset_name"[^>]*', answer.text)[0]  # the next one starts it
        assert sent(at, "/workflows/shop/runs", _preset_name=" ").status_code == 303


def test_presets_of_a_store_in_memory_end_with_the_process_and_others_stand_beside_the_file(tmp_path: Path) -> None:
    store = f"sqlite:///{tmp_path}/a%20b.db?durability=full"
    assert beside(Settings(store=store)) == tmp_path / "a b.db.presets.json"
    assert beside(Settings(store="runs.db")) == Path("runs.db.presets.json")
    assert beside(Settings(store=":memory:")) is None
    for _ in range(2):  # it is there after a restart
        with Hosting([SHOP], store=store) as hosting:
            app = create_app(hosting, Settings(store=store))
            with TestClient(app, base_url=ORIGIN) as client:
                at = Studio(hosting, client)
                answer = sent(at, "/workflows/shop/presets", _preset_name=f"{len(shown(at.page('/workflows/shop')))}")
                assert answer.status_code == 200
    kept = json.loads((tmp_path / "a b.db.presets.json").read_text("utf-8"))
    assert kept == {"shop": {key: {"item": "a <kettle>", "n": 2} for key in ["0", "1"]}}


# -- the file


def test_the_file_is_for_its_owner_and_replaced_as_a_whole(tmp_path: Path) -> None:
    file = tmp_path / "p.json"
    Presets(file).save("shop", "one", {"n": 1})
    other = tmp_path / "other"
    file.rename(other)
    file.symlink_to(other)
    Presets(file).save("shop", "two", 2)
    assert (file.is_symlink(), file.stat().st_mode & 0o777) == (False, 0o600)
    assert json.loads(other.read_text("utf-8")) == {"shop": {"one": {"n": 1}}}
    assert Presets(file).of("shop") == {"one": {"n": 1}, "two": 2}
    Presets(file).delete("shop", "one")
    Presets(file).delete("shop", "two")
    assert sorted(path.name for path in tmp_path.iterdir()) == [".p.json.lock", "other", "p.json"]
    assert file.read_text("utf-8") == "{}"


def test_number_and_size_are_bounded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    presets = Presets(tmp_path / "p.json")
    for number in range(MOST):
        presets.save("shop", str(number), number)
    presets.save("shop", "7", "again")
    with pytest.raises(PresetError, match="at most 50 presets"):
        presets.save("shop", "one more", 1)
    with pytest.raises(PresetError, match="at most 60 characters"):
        presets.save("other", "x" * (LONGEST_NAME + 1), 1)
    monkeypatch.setattr(module, "LARGEST", 2_000)
    with pytest.raises(PresetError, match="at most 2,000 bytes"):
        presets.save("other", "large", "x" * 2_000)
    assert presets.of("other") == {}


def test_of_those_who_write_at_once_nobody_loses_anything(tmp_path: Path) -> None:
    writers = [Presets(tmp_path / "p.json") for _ in range(4)]  # as many studios: they share nothing but the file
    with ThreadPoolExecutor(len(writers)) as pool:
        for number in range(5):
            list(pool.map(lambda at, n=number: writers[at].save("shop", f"{at}.{n}", n), range(len(writers))))
    kept = {f"{at}.{number}": number for number in range(5) for at in range(len(writers))}
    assert Presets(tmp_path / "p.json").of("shop") == kept


def test_who_waits_for_another_studio_gives_up_in_the_end(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "PATIENCE", 0.02)
    presets = Presets(tmp_path / "p.json")
    presets.save("shop", "one", 1)
    with FileLock(tmp_path / ".p.json.lock"):
        with pytest.raises(PresetError, match="held by another process; try again"):
            presets.delete("shop", "one")
        assert presets.of("shop") == {"one": 1}  # reading waits for nobody


def test_a_slow_disk_holds_up_nobody_else(tmp_path: Path) -> None:
    store = f"sqlite:///{tmp_path}/runs.db"
    with Hosting([SHOP], store=store) as hosting:
        app = create_app(hosting, Settings(store=store))
        with TestClient(app, base_url=ORIGIN) as client, ThreadPoolExecutor(1) as other:
            at = Studio(hosting, client)
            with FileLock(tmp_path / ".runs.db.presets.json.lock"):
                saving = other.submit(sent, at, "/workflows/shop/presets", _preset_name="one")
                for _ in range(20):
                    assert shown(at.page("/workflows/shop")) == []
                assert not saving.done()
            assert shown(saving.result(5).text) == [("one", '{"item": "a <kettle>", "n": 2}')]


@pytest.mark.parametrize("text", [b"{", b"[]", b'{"shop": 1}', b"\xff", b"[" * 100_000, b" " * (LARGEST + 1)])
def test_a_file_that_is_something_else_is_left_as_it_is(tmp_path: Path, text: bytes) -> None:
    file = tmp_path / "p.json"
    file.write_bytes(text)
    presets = Presets(file)
    assert presets.of("shop") == {}
    with pytest.raises(PresetError, match="move it away"):
        presets.save("shop", "one", 1)
    assert file.read_bytes() == text


def test_a_folder_that_can_not_be_and_what_is_no_json_are_refused(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(PresetError, match="can't be written"):
        Presets(tmp_path / "file" / "p.json").save("shop", "one", 1)
    with pytest.raises(PresetError, match="can't be kept as JSON"):
        Presets().save("shop", "one", float("nan"))
