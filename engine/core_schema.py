"""What pydantic has compiled a type to: read it for what it promises, rewrite it for storage.

pydantic describes every type as nested dicts (its *core schema*). Two questions matter here. Is what its serializer
writes sure to come back equal (:func:`survey`)? And how can the same type be written without loss, whatever its
configuration says (:func:`for_storage`)? What is not known to be safe here is checked by reading it back, so that a new
kind of core schema costs time, never data.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import Any, cast

from pydantic import BaseModel, SecretBytes, ValidationInfo
from pydantic_core import CoreSchema, core_schema

from engine import codec
from engine.errors import NotSerializable, SchemaError

Node = dict[str, Any]

# Node type -> the keys under which it is sure to come back equal. Anything else (constraints, custom serializers, ...)
# is checked by reading back.
_SAFE: dict[str, frozenset[str]] = {
    kind: frozenset(keys.split()) | {"type", "ref", "metadata"}
    for kind, keys in {
        "none": "",
        "bool": "strict",
        "int": "strict",
        "float": "",
        "str": "strict",
        "bytes": "strict",
        "date": "",
        "timedelta": "microseconds_precision",
        "uuid": "strict",
        "decimal": "",
        "enum": "cls members sub_type missing",
        "literal": "expected",
        "list": "items_schema strict",
        "set": "items_schema strict",
        "frozenset": "items_schema strict",
        "tuple": "items_schema variadic_item_index strict",
        "dict": "keys_schema values_schema strict",
        "nullable": "schema",
        "default": "schema default default_factory default_factory_takes_data copy_default",
        "model": "cls config custom_init root_model schema frozen generic_origin",
        "model-fields": "computed_fields fields model_name",
        "model-field": "schema frozen validation_alias serialization_alias",
        "typed-dict": "cls cls_name computed_fields fields total config extra_behavior",
        "typed-dict-field": "schema required validation_alias serialization_alias",
        "dataclass": "cls cls_name config fields schema generic_origin slots frozen post_init",
        "dataclass-args": "computed_fields dataclass_name fields collect_init_only",
        "dataclass-field": "name schema kw_only init frozen validation_alias serialization_alias",
        "definitions": "schema definitions",
        "definition-ref": "schema_ref",
    }.items()
}
# The same for a value of which every part is known to be exactly what its type says (see :mod:`engine.proof`).
_PROVABLE: dict[str, frozenset[str]] = {
    "int": _SAFE["int"] | {"gt", "ge", "lt", "le"},
    "float": _SAFE["float"] | {"gt", "ge", "lt", "le"},
    "str": _SAFE["str"] | {"min_length", "max_length"},
    "datetime": frozenset({"type", "ref", "metadata", "microseconds_precision"}),
}
_SAFE_CONFIG = frozenset({"title", "frozen", "extra_fields_behavior", "from_attributes", "validate_by_name"})
_SAFE_KEYS = frozenset({"str", "int", "uuid", "date"})
_STREAMS = frozenset({"generator", "callable", "arguments", "arguments-v3"})
_IMPLICIT = {"list": "items_schema", "set": "items_schema", "frozenset": "items_schema", "dict": "values_schema"}
_LITERAL_LEAVES = frozenset(
    {"metadata", "config", "default", "members", "expected", "computed_fields", "serialization"}
)


@dataclasses.dataclass(slots=True)
class Survey:
    """What matters for storing a type."""

    safe: bool = True  # writing it is enough: it comes back equal
    provable: bool = True  # it does if every part is exactly what the type says
    recursive: bool = False  # its depth has no bound
    secrets: bool = False
    aliases: bool = False
    rewritten: bool = False  # pydantic's own serializer would lose something
    odd_equality: bool = False  # ``==`` of its classes does not look at everything
    plain_dataclasses: bool = False  # classes whose instances nobody has validated
    free_keys: bool = False  # has keys that a user may choose
    open: bool = False  # has parts of any type, so that its depth has no bound


def survey(schema: CoreSchema) -> Survey:
    """Look through a core schema. Raises :class:`SchemaError` for what can't be stored at all (functions, streams)."""
    found = Survey()
    _survey(cast(Node, schema), found)
    found.recursive = _is_recursive(cast(Node, schema))
    found.safe &= not found.recursive
    found.provable &= not found.recursive
    return found


def _survey(node: Node, found: Survey) -> None:
    kind = node.get("type")
    if kind in _STREAMS:
        raise SchemaError(f"a {kind} can't be stored; take a list, or a name that stands for it")
    if is_secret(node):
        found.secrets, found.safe, found.provable = True, False, False
        return
    if found.provable and isinstance(kind, str):
        safe = _is_safe(node)
        found.safe &= safe
        found.provable = safe or (kind in _PROVABLE and node.keys() <= _PROVABLE[kind])
    _note(node, found)
    for _, child in _children(node):
        _survey(child, found)


def _is_recursive(schema: Node) -> bool:
    """Whether some definition leads back to itself."""
    edges = {node["ref"]: _refs(node) for node in schema.get("definitions", ())}
    for start, first in edges.items():
        seen: set[str] = set()
        ahead = set(first)
        while ahead:
            if start in ahead:
                return True
            seen |= ahead
            ahead = {ref for name in ahead for ref in edges.get(name, ())} - seen
    return False


def _refs(node: Node) -> set[str]:
    found = {node["schema_ref"]} if node.get("type") == "definition-ref" else set()
    return found.union(*(_refs(child) for _, child in _children(node)))


def _note(node: Node, found: Survey) -> None:
    kind = node.get("type")
    found.rewritten |= kind in ("float", "bytes", "any")
    found.open |= kind == "any" or _IMPLICIT.get(str(kind), "type") not in node or node.get("extra_behavior") == "allow"
    found.rewritten |= found.open
    found.free_keys |= found.open or kind in ("dict", "typed-dict")
    found.aliases |= "validation_alias" in node or "serialization_alias" in node
    if kind in ("model", "dataclass"):
        cls = node["cls"]
        found.odd_equality |= _has_odd_equality(cls)
        found.plain_dataclasses |= kind == "dataclass" and not hasattr(cls, "__pydantic_validator__")


def _has_odd_equality(cls: type) -> bool:
    if issubclass(cls, BaseModel):
        return cls.__eq__ is not BaseModel.__eq__
    if not dataclasses.is_dataclass(cls):
        return True
    params = getattr(cls, "__dataclass_params__", None)
    return not getattr(params, "eq", False) or any(not field.compare for field in dataclasses.fields(cls))


def _is_safe(node: Node) -> bool:
    kind = node["type"]
    if kind not in _SAFE or not node.keys() <= _SAFE[kind] or node.get("computed_fields"):
        return False
    match kind:
        case "enum":
            return _is_uniform([member.value for member in node["members"]])
        case "literal":
            return _is_uniform(node["expected"])
        case "dict":
            return node.get("keys_schema", {}).get("type") in _SAFE_KEYS
        case "model":
            return (
                not node.get("custom_init")
                and not getattr(node["cls"], "__private_attributes__", None)
                and _is_safe_config(node)
            )
        case "typed-dict" | "dataclass":
            return _is_safe_config(node)
        case "dataclass-field":
            return node.get("init", True) is True
        case _:
            return True


def _is_safe_config(node: Node) -> bool:
    config = node.get("config") or {}
    if node.get("post_init") or node.get("extra_behavior") == "allow":
        return False
    return config.keys() <= _SAFE_CONFIG and config.get("extra_fields_behavior", "ignore") != "allow"


def _is_uniform(values: list[object]) -> bool:
    kinds = {type(value) for value in values}
    return kinds in ({str}, {int})


def _children(node: Node) -> list[tuple[str, Node]]:
    """The nodes directly below one, with the key that each is under."""
    found: list[tuple[str, Node]] = []
    for key, value in node.items():
        if key in _LITERAL_LEAVES:
            continue
        if isinstance(value, dict):
            found += [(key, value)] if "type" in value and isinstance(value["type"], str) else _named(key, value)
        elif isinstance(value, list):
            found += [(key, item) for item in _flat(value) if isinstance(item, dict)]
    return found


def _named(key: str, value: Node) -> list[tuple[str, Node]]:
    return [(key, item) for item in value.values() if isinstance(item, dict)]


def _flat(values: list[Any]) -> list[Any]:
    # A choice of a union may be a pair of schema and label.
    return [item[0] if isinstance(item, tuple) and item else item for item in values]


# -- secrets


def is_secret(node: Node) -> bool:
    """Whether a node is ``SecretStr``, ``SecretBytes`` or ``Secret[...]``."""
    function = (node.get("serialization") or {}).get("function")
    if getattr(function, "__module__", "") != "pydantic.types":
        return any(is_secret(child) for key, child in _children(node) if key in ("lax_schema", "strict_schema"))
    return getattr(function, "__name__", "").startswith("_serialize_secret")


def _is_secret_bytes(node: Node) -> bool:
    function = node.get("function")
    if isinstance(function, dict):
        cls = function.get("function")
        if isinstance(cls, type) and issubclass(cls, SecretBytes):
            return True
    return any(_is_secret_bytes(child) for _, child in _children(node))


class Holes(list[Any]):
    """Given as the context of a serializer: collects the secrets that it leaves out."""

    def __init__(self, nonce: str) -> None:
        super().__init__()
        self.nonce = nonce


def _write_secret(value: Any, info: core_schema.SerializationInfo[Any]) -> object:
    if not isinstance(info.context, Holes):
        raise TypeError("a secret is never written")
    info.context.append(value)
    return f"{info.context.nonce}{len(info.context) - 1}"


def _read_secret_bytes(value: object, _: ValidationInfo) -> SecretBytes:
    match value:
        case SecretBytes():
            return value
        case bytes():
            return SecretBytes(value)
        case str():
            return SecretBytes(value.encode())
        case _:
            raise ValueError("Input should be a secret text")


def _secret_for_storage(node: Node) -> Node:
    writer = core_schema.plain_serializer_function_ser_schema(_write_secret, info_arg=True)
    if _is_secret_bytes(node):
        return cast(Node, core_schema.with_info_plain_validator_function(_read_secret_bytes, serialization=writer))
    copy = {key: _rewrite_value(key, value, lambda n: _with_writer(n, writer)) for key, value in node.items()}
    return _with_writer(copy, writer)


def _with_writer(node: Node, writer: Any) -> Node:
    return {**node, "serialization": writer} if "serialization" in node or "lax_schema" in node else node


# -- rewriting

STORAGE_CONFIG: core_schema.CoreConfig = {  # for the builders, too: it is what counts outside of models
    "ser_json_inf_nan": "strings",
    "ser_json_bytes": "base64",
    "val_json_bytes": "base64",
}


class Refused(list[tuple[object, NotSerializable]]):
    """Given as the context of a serializer: collects the parts without a type that can't be stored."""


def _write_any(value: object, info: core_schema.SerializationInfo[Any]) -> object:
    """A part of a value that no type describes follows the rules of plain values."""
    try:
        codec.check_plain(value)
    except NotSerializable as error:
        if isinstance(info.context, Refused):
            info.context.append((value, error))
        raise
    return value


def for_storage(schema: CoreSchema) -> CoreSchema:
    """The same type, written without loss: non-finite floats, any bytes; ``Any`` parts must be plain.

    Secrets are written as the nonce of the :class:`Holes` in the serializer's context.
    """
    any_node = core_schema.any_schema(
        serialization=core_schema.plain_serializer_function_ser_schema(_write_any, info_arg=True)
    )

    def rewrite(node: Node) -> Node:
        if is_secret(node):
            return _secret_for_storage(node)
        kind = node.get("type")
        if kind == "any" and "serialization" not in node:
            return {**node, "serialization": any_node["serialization"]}
        copy = {key: _rewrite_value(key, value, rewrite) for key, value in node.items()}
        if kind in ("model", "dataclass", "typed-dict"):
            copy["config"] = {**(node.get("config") or {}), **STORAGE_CONFIG}
        if kind in _IMPLICIT:
            copy.setdefault(_IMPLICIT[kind], any_node)
        if kind == "dict":
            copy.setdefault("keys_schema", any_node)
        if node.get("extra_behavior") == "allow":
            copy.setdefault("extras_schema", any_node)
        return copy

    return cast(CoreSchema, rewrite(cast(Node, schema)))


def revalidating(schema: CoreSchema) -> CoreSchema:
    """The same type, where instances of plain dataclasses are validated too: making one checks nothing."""

    def rewrite(node: Node) -> Node:
        copy = {key: _rewrite_value(key, value, rewrite) for key, value in node.items()}
        if node.get("type") != "dataclass" or hasattr(node["cls"], "__pydantic_validator__"):
            return copy
        ref = copy.pop("ref", None)
        before = core_schema.no_info_before_validator_function(_fields_of(node["cls"]), cast(CoreSchema, copy))
        return {**before, "ref": ref} if ref else cast(Node, before)

    return cast(CoreSchema, rewrite(cast(Node, schema)))


def _fields_of(cls: type) -> Callable[[object], object]:
    names = [field.name for field in dataclasses.fields(cls) if field.init]

    def fields(value: object) -> object:
        # An instance of a subclass stays what it is; storing it then says what would be lost.
        return {name: getattr(value, name) for name in names} if type(value) is cls else value

    return fields


def _rewrite_value(key: str, value: Any, rewrite: Callable[[Node], Node]) -> Any:
    if key in _LITERAL_LEAVES:
        return value
    if isinstance(value, dict):
        if isinstance(value.get("type"), str):
            return rewrite(value)
        return {name: rewrite(item) if isinstance(item, dict) else item for name, item in value.items()}
    if isinstance(value, list):
        return [_rewrite_item(item, rewrite) for item in value]
    return value


def _rewrite_item(item: Any, rewrite: Callable[[Node], Node]) -> Any:
    if isinstance(item, dict):
        return rewrite(item)
    return (rewrite(item[0]), *item[1:]) if isinstance(item, tuple) and item and isinstance(item[0], dict) else item
