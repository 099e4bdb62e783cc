"""Whether one schema's values can ever fit another: a static check on the JSON Schemas of both.

Only what can never fit is a problem. Where either side says nothing (any value, a keyword not looked at), nothing is
reported. An object that lists its properties is taken to have these and no others, unless it says
``additionalProperties``. Text is no number, though pydantic would read ``"5"`` as one.
"""

from __future__ import annotations

from typing import Any

from engine.json_schema import referred

Node = dict[str, Any]
_LISTED = 6
_SHORT = {"string": "str", "integer": "int", "number": "float", "boolean": "bool", "null": "None"}

# Output type -> the input types that pydantic may take it for, besides its own.
_TAKES = {
    "integer": {"number", "boolean"},
    "number": {"integer", "boolean"},
    "boolean": {"integer", "number"},
}


def find_misfits(output: Node, wanted: Node) -> list[str]:
    """The reasons why no value of ``output`` fits ``wanted``; empty if one may."""
    return _Check(output, wanted).compare(output, wanted, "", 0)


class _Check:
    def __init__(self, output: Node, wanted: Node) -> None:
        self.output = output
        self.wanted = wanted

    def compare(self, out: object, into: object, at: str, depth: int) -> list[str]:
        outs, intos = _choices(out, self.output), _choices(into, self.wanted)
        if outs is None or intos is None or depth > 20:
            return []
        best: list[str] | None = None
        for one in outs:
            for other in intos:
                found = self.pair(one, other, at, depth)
                if not found:
                    return []
                # The most telling misfit is the one between two alternatives of the same kind.
                if best is None or one.get("type") == other.get("type"):
                    best = found
        if (len(outs) == 1 and len(intos) == 1) or (
            best and any(o.get("type") == i.get("type") for o in outs for i in intos)
        ):
            return best or []
        return [self.mismatch(out, into, at)]

    def mismatch(self, out: object, into: object, at: str) -> str:
        wanted, gets = self.describe(into, self.wanted), self.describe(out, self.output)
        return f"expects '{at}: {wanted}' but gets '{at}: {gets}'" if at else f"expects {wanted} but gets {gets}"

    def pair(self, out: Node, into: Node, at: str, depth: int) -> list[str]:
        """Two single alternatives, references resolved."""
        known = _values(out), _values(into)
        if known[0] is not None and known[1] is not None:
            return [] if any(value in known[1] for value in known[0]) else [self.mismatch(out, into, at)]
        kinds = _kind(out), _kind(into)
        if kinds[0] is None or kinds[1] is None:
            return []
        if kinds[0] != kinds[1]:
            return [] if _converts(out, into, kinds[0], kinds[1]) else [self.mismatch(out, into, at)]
        if kinds[0] == "array":
            return self.arrays(out, into, at, depth)
        return self.objects(out, into, at, depth) if kinds[0] == "object" else []

    def arrays(self, out: Node, into: Node, at: str, depth: int) -> list[str]:
        first, second = out.get("prefixItems"), into.get("prefixItems")
        if first and second:
            pairs = zip(first, second, strict=False)
            return [line for n, (a, b) in enumerate(pairs) for line in self.compare(a, b, f"{at}[{n}]", depth + 1)]
        if first or second or out.get("maxItems") == 0:
            return []
        found = self.compare(out.get("items", {}), into.get("items", {}), f"{at}[]", depth + 1)
        items = _choices(into.get("items", {}), self.wanted) or []
        return [self.mismatch(out, into, at)] if found and any(_kind(item) != "object" for item in items) else found

    def objects(self, out: Node, into: Node, at: str, depth: int) -> list[str]:
        have, want = out.get("properties") or {}, into.get("properties") or {}
        required = into.get("required") or ()
        more = out.get("additionalProperties", not have)
        found: list[str] = []
        spare = [name for name in have if name not in want]
        for name, schema in want.items():
            if name in have:
                if name in required or _is_sure(out, name):
                    found += self.compare(have[name], schema, _below(at, name), depth + 1)
            elif name in required:
                found += self.missing(name, schema, (have, spare, more), at, depth)
        found += [
            f"expects '{_below(at, name)}', which is missing{self.listed(have)}"
            for name in required
            if name not in want and name not in have and more is False
        ]
        return found + self.extras(out, into, at, depth)

    def missing(
        self, name: str, schema: object, given: tuple[Node, list[str], object], at: str, depth: int
    ) -> list[str]:
        """A required field that the output does not list."""
        have, spare, more = given
        if more is True or isinstance(more, dict):
            return self.compare(more if isinstance(more, dict) else {}, schema, _below(at, name), depth + 1)
        wanted = f"'{_below(at, name)}: {self.describe(schema, self.wanted)}'"
        like = [other for other in spare if not self.compare(have[other], schema, "", depth + 1)]
        if len(like) == 1 and len(spare) == 1:
            other = f"'{_below(at, like[0])}: {self.describe(have[like[0]], self.output)}'"
            return [f"expects {wanted} but gets {other}"]
        return [f"expects {wanted}, which is missing{self.listed(have)}"]

    def extras(self, out: Node, into: Node, at: str, depth: int) -> list[str]:
        """Fields of the output that the input does not list."""
        rule, want = into.get("additionalProperties", True), into.get("properties") or {}
        have = {name: schema for name, schema in (out.get("properties") or {}).items() if name not in want}
        sure = [name for name in have if _is_sure(out, name)]
        if rule is False:
            return [f"does not take the field '{_below(at, name)}'" for name in sure]
        if isinstance(rule, dict):
            return [line for name in sure for line in self.compare(have[name], rule, _below(at, name), depth + 1)]
        return []

    def listed(self, have: Node) -> str:
        if not have:
            return " (no field is known)"
        names = [f"'{name}: {self.describe(schema, self.output)}'" for name, schema in have.items()]
        shown = names[:_LISTED] + (["..."] if len(names) > _LISTED else [])
        return f" (gets {', '.join(shown)})"

    def describe(self, schema: object, document: Node) -> str:
        choices = _choices(schema, document)
        if choices is None:
            return "any"
        return " | ".join(dict.fromkeys(self.name(choice, document) for choice in choices))

    def name(self, schema: Node, document: Node) -> str:
        values = _values(schema)
        kind = _kind(schema)
        if values is not None and kind != "object":
            return " | ".join(repr(value) for value in values[:4])
        if kind == "array":
            items = schema.get("items")
            return f"list[{self.describe(items, document)}]" if items else "list"
        if kind == "object":
            return str(schema.get("title") or "object")
        return str(schema["format"]) if "format" in schema else _SHORT.get(str(kind), "any")


def _is_sure(out: Node, name: str) -> bool:
    """Whether every output has this field: it is required, or has a default."""
    schema = (out.get("properties") or {}).get(name)
    return name in (out.get("required") or ()) or (isinstance(schema, dict) and "default" in schema)


def _below(at: str, name: str) -> str:
    return f"{at}.{name}" if at else name


def _choices(schema: object, document: Node) -> list[Node] | None:
    """The alternatives of a schema, without references; ``None`` if it says nothing."""
    for _ in range(50):
        if not isinstance(schema, dict):
            return None
        if "$ref" in schema:
            schema = referred(document, str(schema["$ref"]))
        elif len(schema.get("allOf", ())) == 1 and "type" not in schema and "properties" not in schema:
            schema = schema["allOf"][0]
        else:
            break
    if not isinstance(schema, dict):
        return None
    for keyword in ("anyOf", "oneOf"):
        if keyword in schema:
            found = [_choices(choice, document) for choice in schema[keyword]]
            return None if any(f is None for f in found) else [node for f in found if f is not None for node in f]
    if isinstance(schema.get("type"), list):
        return [{**schema, "type": kind} for kind in schema["type"]]
    return [schema] if _kind(schema) or _values(schema) else None


def _kind(schema: Node) -> str | None:
    kind = schema.get("type")
    if isinstance(kind, str):
        return kind
    if "properties" in schema:
        return "object"
    values = _values(schema)
    if values is None or not values:
        return None
    names = {bool: "boolean", int: "integer", float: "number", str: "string", type(None): "null"}
    kinds = {names.get(type(value)) for value in values}
    return kinds.pop() if len(kinds) == 1 else None


def _values(schema: Node) -> list[Any] | None:
    if "const" in schema:
        return [schema["const"]]
    values = schema.get("enum")
    return values if isinstance(values, list) else None


def _converts(out: Node, into: Node, kind: str, wanted: str) -> bool:
    if wanted in _TAKES.get(kind, ()):
        return True
    # Dates, durations and decimals are text in JSON and may also be given as numbers, or turn into them.
    if kind == "string" and wanted in ("number", "integer"):
        return "format" in out or "pattern" in out
    return wanted == "string" and kind in ("number", "integer") and ("format" in into or "pattern" in into)
