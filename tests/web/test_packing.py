"""Pages are compressed for who takes that, and only where it is worth it."""

from __future__ import annotations

import gzip

import pytest
from starlette.requests import Request
from starlette.responses import HTMLResponse

from studio.packing import LEAST, packed

LONG = "<li>one more row</li>" * 500


def answer(html: str, accepted: str | None) -> HTMLResponse:
    headers = [] if accepted is None else [(b"accept-encoding", accepted.encode())]
    return packed(Request({"type": "http", "headers": headers}), HTMLResponse(html, 422))


@pytest.mark.parametrize("accepted", ["br, gzip", "gzip;q=0.5", "gzip;q=1.0, br;q=0"])
def test_a_long_page_is_compressed_and_says_so(accepted: str) -> None:
    made = answer(LONG, accepted)
    assert gzip.decompress(bytes(made.body)).decode() == LONG
    assert (made.status_code, made.headers["content-encoding"], made.headers["vary"]) == (
        422,
        "gzip",
        "Accept-Encoding",
    )
    assert int(made.headers["content-length"]) == len(made.body) < len(LONG) / 10


@pytest.mark.parametrize(
    ("html", "accepted"),
    [
        (LONG, None),
        (LONG, "br"),
        ("x" * (LEAST - 1), "gzip"),
        (LONG, "gzip;q=0"),
        (LONG, "br, gzip ; q=0.000, *"),
        (LONG, "gzip; q=0, br"),
    ],
)
def test_what_is_short_or_not_taken_stays_as_it_is(html: str, accepted: str | None) -> None:
    made = answer(html, accepted)
    assert (bytes(made.body).decode(), made.headers["content-length"]) == (html, str(len(html)))
    assert "content-encoding" not in made.headers
    assert made.headers["vary"] == "Accept-Encoding"
