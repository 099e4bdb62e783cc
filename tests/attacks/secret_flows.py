"""Workflows that are given secrets, and are careless with them: they echo, log, print, ask with and fail with them."""

from __future__ import annotations

import os
from typing import Any

from pydantic import BaseModel, SecretStr

from engine import StepContext, create_step, create_workflow

TYPED = "typed-5f2c9d7713aa40"
"""In a field whose type is made for secrets: it is never stored."""
NAMED = {
    "api_key": "sk-named-81c20b54e9",
    "password": "named pass 66d0f1",
    "Authorization": "Bearer eyJ-named.0a77",
    "client_secret": "named-cs-9931bd",
    "X-Auth-Token": "named-xat-c04417",
    "cookie": "sid=named-cookie-77",
    "privateKey": "-----BEGIN KEY----- named-pk-1",
}
"""In fields whose names say it: kept in the store, shown nowhere."""
IN_ADDRESS = "named-url-5512"
REGISTERED = "registered-30f1aa"
OF_ENVIRONMENT = "environment-7be013"
MINTED = "minted-c0ffee-11"
"""In what a step gives, not in what it gets."""
SHOWN_NOWHERE = [TYPED, *NAMED.values(), IN_ADDRESS, REGISTERED, MINTED]


class Login(BaseModel):
    """An input with secrets of each kind."""

    user: str
    pin: SecretStr
    headers: dict[str, str]
    note: str = ""
    deep: list[dict[str, Any]] = []


def value(*, typed: bool = True) -> dict[str, Any]:
    """An input as JSON."""
    return {
        "user": "ada",
        "pin": TYPED if typed else "0000",
        "headers": NAMED,
        "note": f"see postgres://ada:{IN_ADDRESS}@db/x?password={NAMED['client_secret']} and {REGISTERED}",
        "deep": [{"more": [NAMED, {"session": {"access_token": NAMED["api_key"]}}]}],
    }


async def careless(data: Login, ctx: StepContext) -> dict[str, Any]:
    key = data.headers["api_key"]
    ctx.logger.info("got %s", data.headers)
    ctx.logger.warning("the key %s of %s is %s, %s", key, data.user, REGISTERED, os.environ.get("MY_API_KEY", ""))
    ctx.set_state(headers=data.headers, text=f"key={key}")
    await ctx.write({"said": key, "headers": data.headers})
    return {"echo": data.headers, "said": f"used {key} with {data.headers['Authorization']}", "note": data.note}


async def ask(data: dict[str, Any], ctx: StepContext) -> dict[str, Any]:
    key = data["echo"]["api_key"]
    answer = await ctx.ask({"why": f"the key is {key}", **data["echo"]}, dict[str, str], title=f"Use {key}?")
    return {**data, "answer": answer}


class Refused(Exception):
    """An error that carries what it was given."""

    def __init__(self, headers: dict[str, str]) -> None:
        super().__init__(f"401 for {headers!r}: the key {headers['api_key']} is not {REGISTERED}")
        self.headers = headers
        self.request = {"headers": headers}


async def refuse(data: dict[str, Any]) -> None:
    raise Refused(data["echo"])


CARELESS = create_step(id="careless", execute=careless, input_schema=Login)
ASKS = create_workflow(id="asks", input_schema=Login).then(CARELESS).then(create_step(id="ask", execute=ask))
FAILS = create_workflow(id="fails", input_schema=Login).then(CARELESS).then(create_step(id="refuse", execute=refuse))


async def mint() -> dict[str, str]:
    return {"user": "ada", "session_token": MINTED}


async def spend(data: dict[str, str]) -> None:
    raise Refused({"api_key": data["session_token"]})


MINTS = (
    create_workflow(id="mints").then(create_step(id="mint", execute=mint)).then(create_step(id="spend", execute=spend))
)
