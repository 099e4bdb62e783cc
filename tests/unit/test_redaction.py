"""What is hidden from whatever shows data, and what is not."""

from __future__ import annotations

import sys
from datetime import UTC, datetime

import pytest

from engine import Event, RunResult, StepRecord, redacted, redaction, register_secret, without_secrets
from engine.redaction import HIDDEN, is_sensitive, redacted_text, redacted_traceback

TEXTS = [f"secret number {number}" for number in range(1000)]


@pytest.mark.parametrize(
    "name",
    [
        "password",
        "db_password",
        "PASSWORD",
        "passphrase",
        "apiKey",
        "api_key",
        "OPENAI_API_KEY",
        "X-Api-Key",
        "Authorization",
        "token",
        "cookie",
        "clientSecret",
        "client_secret",
        "access_token",
        "X-Auth-Token",
        "Set-Cookie",
        "privateKey",
        "aws_secret_access_key",
        "credentials",
    ],
)
def test_a_name_that_says_secret(name: str) -> None:
    assert is_sensitive(name)


@pytest.mark.parametrize(
    "name",
    [
        "tokens",
        "max_tokens",
        "next_token",
        "pageToken",
        "key",
        "primary_key",
        "keyboard",
        "author",
        "authorized",
        "passed",
        "compass",
        "secretary",
        "cookiecutter",
        "item",
        "token_count",
        "password_hint",
        "monkey",
    ],
)
def test_a_name_that_does_not(name: str) -> None:
    assert not is_sensitive(name)


def test_fields_are_hidden_at_any_depth_and_flags_are_not() -> None:
    data = {"user": "ada", "auth": [{"api_key": "k-1", "password": None, "secret": True}], "credentials": {"a": 1}}
    assert redacted(data) == {
        "user": "ada",
        "auth": [{"api_key": HIDDEN, "password": None, "secret": True}],
        "credentials": HIDDEN,
    }
    assert data["credentials"] == {"a": 1}


def test_a_secret_that_was_seen_in_a_field_is_hidden_in_other_texts() -> None:
    data = {"error": "no entry for tango-echo-4711", "Authorization": "Bearer tango-echo-4711"}
    assert redacted(data) == {"error": f"no entry for {HIDDEN}", "Authorization": HIDDEN}
    assert redacted(["tango-echo-4711"]) == [HIDDEN]


def test_a_registered_value_is_hidden_everywhere() -> None:
    register_secret("correct horse")
    assert redacted({"said": "it is correct horse battery"}) == {"said": f"it is {HIDDEN} battery"}


def test_a_short_value_is_not_registered() -> None:
    with pytest.raises(ValueError, match="at least 6 characters"):
        register_secret("abc")


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("api_key='k123'", f"api_key='{HIDDEN}'"),
        ('{"password": "pw", "n": 1}', f'{{"password": "{HIDDEN}", "n": 1}}'),
        ("GET /x?access_token=abc&n=1", f"GET /x?access_token={HIDDEN}&n=1"),
        ("Authorization: Bearer abcdef123456", f"Authorization: Bearer {HIDDEN}"),
        ("sent bearer abcdef123456 along", f"sent bearer {HIDDEN} along"),
        ("postgres://ada:pw@db/x", f"postgres://ada:{HIDDEN}@db/x"),
    ],
)
def test_what_texts_give_away_is_hidden(text: str, shown: str) -> None:
    assert redacted_text(text) == shown


@pytest.mark.parametrize(
    "text", ["max_tokens=4096", "the password: ask for it", "n = 1", "http://localhost:4111/a@b", "key='a'", "12:30"]
)
def test_innocent_texts_stay(text: str) -> None:
    assert redacted_text(text) == text


def test_the_source_lines_of_a_traceback_stay() -> None:
    trace = '  File "a.py", line 1, in f\n    login(password=ask_person)\nValueError: password=hunter2'
    assert redacted_traceback(trace) == (
        f'  File "a.py", line 1, in f\n    login(password=ask_person)\nValueError: password={HIDDEN}'
    )


def test_no_text_takes_long() -> None:
    for text in ("a" * 50_000 + ":", "token" * 20_000 + "=", "bearer " * 10_000, "://" * 20_000 + ":"):
        redacted_text(text)


def test_a_form_begins_without_secrets() -> None:
    data = {"user": "ada", "password": "pw", "urls": ["postgres://ada:pw@db/x", "b"], "note": "token=abcdefg"}
    assert without_secrets(data) == {"user": "ada", "urls": [None, "b"]}


def test_a_registered_secret_is_hidden_in_the_name_of_a_field() -> None:
    register_secret("key-of-the-cellar")
    assert redacted({"key-of-the-cellar": 1, "a": {"by key-of-the-cellar": 2}}) == {HIDDEN: 1, "a": {f"by {HIDDEN}": 2}}


def test_a_field_that_is_called_like_a_learned_secret_keeps_its_name() -> None:
    assert redacted({"password": "attic door", "attic door": 1}) == {"password": HIDDEN, "attic door": 1}


@pytest.mark.parametrize("data", [{"secrets": TEXTS}, [{"password": text} for text in TEXTS]])
def test_of_many_secrets_the_last_are_known_elsewhere(data: object, monkeypatch: pytest.MonkeyPatch) -> None:
    """They are put in order once, not once for each."""
    known = redaction._known
    sort, sorts = known._sort, list[int]()
    monkeypatch.setattr(known, "_sort", lambda: (sorts.append(1), sort()))
    redacted(data)
    assert len(sorts) == 1
    assert len(known._learned) == redaction.MOST_LEARNED


def test_what_is_a_secret_in_one_part_is_hidden_in_those_before_it() -> None:
    payload = {"title": "Is green-kettle-5 right?", "payload": {"password": "green-kettle-5"}}
    event = Event(1, "r", datetime.now(UTC), "step.suspended", data=payload)
    record = StepRecord("success", input="green-kettle-6", output={"token": "green-kettle-6"})
    result = RunResult("success", "r", "w", "green-kettle-7", {}, result={"token": "green-kettle-7"})

    assert event.redacted().data["title"] == f"Is {HIDDEN} right?"
    assert record.redacted().input == HIDDEN
    assert result.redacted().input == HIDDEN


def test_neither_a_long_name_nor_a_long_secret_is_kept() -> None:
    name, text = "x" * 100_000 + "_password", "y" * 100_000
    before = sys.getrefcount(name), sys.getrefcount(text)
    assert redacted([{name: "a"}, {"password": text}])[1] == {"password": HIDDEN}
    assert (sys.getrefcount(name), sys.getrefcount(text)) == before
