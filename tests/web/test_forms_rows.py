"""The buttons within a form: rows and the change of editor. Nothing that was typed is lost by any of them."""

from __future__ import annotations

from typing import Annotated, Any, Literal

import pytest
from pydantic import BaseModel, Field, SecretStr

from studio.forms import FormView, build, parse
from tests.web.browser_form import Items, Page, html_of, sent, typed


class Stop(BaseModel):
    city: str
    nights: int = 1
    notes: list[str] = []


class Train(BaseModel):
    by: Literal["train"] = "train"
    seat: str


class Car(BaseModel):
    by: Literal["car"] = "car"
    plate: str


class Trip(BaseModel):
    name: str
    stops: list[Stop] = Field([], max_length=4)
    prices: dict[str, int] = {}
    via: Annotated[Train | Car, Field(discriminator="by")]
    home: Stop | None = None
    extra: dict[str, Any] = {}


SCHEMA = Trip.model_json_schema()
A, B, C = ({"city": city, "nights": 1, "notes": [f"note {city}"]} for city in "ABC")
TRIP = {
    "name": "x", "stops": [A, B, C], "prices": {"one": 1, "two": 2}, "via": {"by": "car", "plate": "W-1"}, "home": None,
    "extra": {},
}  # fmt: skip


def pressed(view: FormView, action: str, **texts: str) -> FormView:
    """The form after a button was pressed, as the server shows it again."""
    parsed = parse(SCHEMA, [*typed(sent(view), **texts), ("_action", action)])
    assert str(parsed.action) == action
    return build(SCHEMA, typed=parsed.typed, errors=parsed.errors)


def value(view: FormView) -> Any:
    return parse(SCHEMA, sent(view)).value


@pytest.mark.parametrize(
    ("action", "stops"),
    [
        ("add:stops", [A, B, C, {"nights": 1, "notes": []}]),
        ("remove:stops:0", [B, C]),
        ("remove:stops:2", [A, B]),
        ("up:stops:2", [A, C, B]),
        ("up:stops:0", [A, B, C]),
        ("down:stops:0", [B, A, C]),
        ("down:stops:2", [A, B, C]),
        ("remove:stops:9", [A, B, C]),
        ("add:stops.1.notes", [A, {**B, "notes": ["note B", None]}, C]),
        ("remove:stops.1.notes:0", [A, {**B, "notes": []}, C]),
        ("add:nowhere", [A, B, C]),
        ("add:name", [A, B, C]),
    ],
)
def test_rows_are_added_removed_and_moved(action: str, stops: list[Any]) -> None:
    assert value(pressed(build(SCHEMA, TRIP), action)) == {**TRIP, "stops": stops}


def test_rows_of_a_dict_move_with_their_keys() -> None:
    view = pressed(pressed(build(SCHEMA, TRIP), "up:prices:1"), "add:prices")
    assert list(value(view)["prices"].items()) == [("two", 2), ("one", 1)]
    assert parse(SCHEMA, sent(view)).errors == {"prices.@2.key": "needed", "prices.@2.value": "needed"}
    assert list(value(pressed(view, "remove:prices:0"))["prices"]) == ["one"]


def test_a_row_moves_with_what_was_typed_into_it_whether_it_makes_sense_or_not() -> None:
    view = pressed(build(SCHEMA, TRIP), "up:stops:1", stops__1__nights="two weeks", stops__1__city="")
    assert dict(sent(view)) | {"$.stops.0.nights": "two weeks", "$.stops.0.city": ""} == dict(sent(view))
    assert [fault.message for fault in view.faults] == ["not a whole number"]  # nothing is missing yet


def test_a_full_list_takes_no_more_rows() -> None:
    def actions(view: FormView) -> set[str]:
        return {one.attributes.get("value", "") for one in Page(html_of(view)).of("button")}

    view = build(SCHEMA, TRIP)
    assert "add:stops" in actions(view)
    assert "add:stops" not in actions(pressed(view, "add:stops"))


def test_a_list_starts_with_the_rows_it_needs() -> None:
    schema = {"type": "array", "items": {"type": "string"}, "minItems": 2}
    assert parse(schema, sent(build(schema))).errors == {"0": "needed", "1": "needed"}


def test_the_new_row_has_the_focus() -> None:
    def focused(view: FormView) -> list[str]:
        found = [one.attributes for one in Page(html_of(view)).elements if "autofocus" in one.attributes]
        return [one.get("value") if one["name"] == "_action" else one["name"] for one in found]

    view = build({"type": "array", "items": {"type": "string"}}, ["a", "b"])
    schema = {"type": "array", "items": {"type": "string"}}

    def after(action: str) -> FormView:
        return build(schema, typed=parse(schema, [*sent(view), ("_action", action)]).typed)

    assert focused(after("add:")) == ["$.2"]
    assert focused(after("up::1")) == ["down::0"]  # the first row can't go up
    assert focused(after("remove::1")) == ["add:"]


def test_enter_in_a_field_sends_the_form_off() -> None:
    """A browser presses the first button of the form: that is not one of a row."""
    first = Page(html_of(build(SCHEMA, TRIP))).of("button")[0]
    assert "name" not in first.attributes


def test_every_button_needs_no_script_and_with_one_fetches_the_form_only() -> None:
    page = Page(html_of(build(SCHEMA, TRIP, action="/runs/1/resume")))
    form = page.of("form")
    assert [one.attributes["action"] for one in form] == ["/runs/1/resume"]
    for button in page.of("button"):
        assert button.attributes["type"] == "submit"
        if button.attributes.get("name") == "_action":
            assert button.attributes["hx-post"] == "/runs/1/resume"
            assert button.attributes["hx-target"] == "closest form"


# -- the two editors


def test_both_editors_carry_the_same_value() -> None:
    edited = pressed(build(SCHEMA, TRIP), "mode:json", name="new")
    assert edited.mode == "json"
    assert value(edited) == {**TRIP, "name": "new"}
    assert value(pressed(edited, "mode:form")) == {**TRIP, "name": "new"}


def test_what_json_can_not_hold_is_there_again_in_the_fields() -> None:
    strange = {
        "stops__0__nights": "two weeks",
        "extra": "{bad",
        "prices__@0__key": "two",
        "via__@0__seat": "7",
        "home__city": "Wien",
        "stops__1__city": "",
    }
    first = build(SCHEMA, TRIP)
    shown = sent(pressed(pressed(first, "mode:json", **strange), "mode:form"))
    assert sorted(shown) == sorted(typed(sent(first), **strange))


def edit(view: FormView, text: str) -> Items:
    return [(name, text if name == "_json" else was) for name, was in sent(view)]


def test_an_edited_value_is_shown_in_the_fields() -> None:
    edited = pressed(build(SCHEMA, TRIP), "mode:json")
    items = edit(edited, '{"name": "y", "stops": "none", "via": {"by": "train", "seat": "7"}, "other": 1}')
    parsed = parse(SCHEMA, [*items, ("_action", "mode:form")])
    view = build(SCHEMA, typed=parsed.typed, errors=parsed.errors)
    assert view.mode == "form"
    want = {"name": "y", "stops": "none", "prices": {}, "via": {"by": "train", "seat": "7"}, "home": None, "extra": {}}
    assert value(view) == {**want, "other": 1}


def test_text_that_is_no_json_stays_in_its_editor_with_the_error() -> None:
    edited = pressed(build(SCHEMA, TRIP), "mode:json")
    for action in (None, "mode:form"):
        items = edit(edited, '{\n  "name": oops')
        parsed = parse(SCHEMA, items if action is None else [*items, ("_action", action)])
        assert (parsed.mode, parsed.errors) == ("json", {"": "not JSON: expecting value at line 2, column 11"})
        view = build(SCHEMA, typed=parsed.typed, errors=parsed.errors)
        assert dict(sent(view))["_json"] == '{\r\n  "name": oops'
        assert [fault.message for fault in view.faults] == list(parsed.errors.values())
        # The fields as they were are still carried along.
        back = pressed(build(SCHEMA, typed=parse(SCHEMA, edit(view, dict(sent(edited))["_json"])).typed), "mode:form")
        assert value(back) == TRIP


def test_a_key_given_twice_is_no_json() -> None:
    parsed = parse(SCHEMA, [("_mode", "json"), ("_json", '{"a": 1, "a": 2}')])
    assert parsed.errors == {"": "the key 'a' is given twice"}


def test_secrets_do_not_travel_with_the_fields() -> None:
    class Login(BaseModel):
        token: SecretStr
        n: int

    schema = Login.model_json_schema()
    parsed = parse(schema, [("$.token", "s3cret"), ("$.n", "x"), ("_action", "mode:json")])
    assert "s3cret" not in str(parsed.typed)
