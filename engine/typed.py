"""The stored form of values that have a Python type: what pydantic writes for it, made safe.

Nothing is lost silently. For most types pydantic's serializer, asked strictly, is a proof that what it wrote comes back
equal: one pass. For the others (``Any``, unions, constraints, validators, ...) the bytes are read back and compared.
"""

from __future__ import annotations

import contextlib
import secrets
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from pydantic import PydanticUserError, TypeAdapter, ValidationError
from pydantic_core import CoreSchema, SchemaSerializer, SchemaValidator, core_schema, to_json

from engine import codec
from engine.core_schema import STORAGE_CONFIG, Holes, Refused, Survey, for_storage, revalidating, survey
from engine.errors import DataFault, NotSerializable, SchemaError
from engine.faults import explain, fault_of
from engine.holes import Pointer, fill_holes, take_holes
from engine.parts import difference, find_part, is_equal

_DATA = SchemaSerializer(core_schema.any_schema())


# What the strict serializer writes for a value that is not exactly what its type says; it may still be storable.
_NOT_STRICT = "$engine:not-strict"
_NOT_STRICT_JSON = to_json(_NOT_STRICT)


def _give_up(_: object) -> str:
    return _NOT_STRICT


class TypedForm:
    """Validates, stores and reads the values of one Python type. Everything is compiled in the constructor."""

    def __init__(self, source: Any) -> None:
        """Raises :class:`SchemaError` for what is no type, or one whose values can't be stored."""
        self.adapter: TypeAdapter[Any] = _adapter(source)
        core = self.adapter.core_schema
        self.survey: Survey = survey(core)
        self._has_aliases = self.survey.aliases
        self._has_free_keys = self.survey.free_keys
        self._validator = self._input_validator(core)
        self._check: Callable[..., object] = self._validator.validate_python
        stored, validator = self._compile(core)
        self._storage = stored
        self._reader: SchemaValidator = validator
        self._read_json: Callable[..., object] = validator.validate_json
        self._nonce = secrets.token_hex(16) if self.survey.secrets else ""
        self.is_provable: bool = self.survey.provable and not self._has_aliases
        """Whether a value that is exactly what its type says comes back equal, so that writing it is enough."""
        if self.survey.safe and not self._has_aliases:
            self._strict: Callable[..., bytes] = _strict_serializer(self._stored_core).to_json
            self.encode: Callable[[object], bytes] = self._encode_strictly
        else:
            self.encode = self._encode_with_secrets if self.survey.secrets else self._encode_checked

    def _input_validator(self, core: CoreSchema) -> SchemaValidator:
        if not self.survey.plain_dataclasses:
            return self.adapter.validator  # type: ignore[return-value]
        return _validator(revalidating(core))

    def _compile(self, core: CoreSchema) -> tuple[SchemaSerializer, SchemaValidator]:
        if not self.survey.rewritten and not self.survey.secrets:
            self._stored_core = core
            return self.adapter.serializer, self.adapter.validator  # type: ignore[return-value]
        self._stored_core = for_storage(core)
        return _serializer(self._stored_core), _validator(self._stored_core, STORAGE_CONFIG)

    # -- values from outside

    def validate(self, value: object) -> object:
        """The typed value of Python data. Raises :class:`DataFault`."""
        try:
            if self._has_aliases:
                return self._check(value, by_alias=True, by_name=True)
            return self._check(value)
        except ValidationError as error:
            return self._validate_by_fields(value, error)
        except Exception as error:
            raise fault_of(error) from error

    def _validate_by_fields(self, value: object, first: ValidationError) -> object:
        """Take an instance of another class with fitting fields, at the top or inside."""
        hide = self.survey.secrets
        if isinstance(value, (str, int, float, bytes, Iterator)) or value is None:
            raise fault_of(first, hide=hide) from first
        try:
            data = _DATA.to_python(value, round_trip=True, by_alias=False, warnings=False)
        except Exception:  # noqa: BLE001 - no plain data in it: the first error says what is wrong
            raise fault_of(first, hide=hide) from first
        try:
            return self._check(data, by_alias=True, by_name=True)
        except ValidationError as error:
            shown = first if isinstance(value, (dict, list)) else error
            raise fault_of(shown, hide=hide) from error
        except Exception as error:
            raise fault_of(error) from error

    # -- storing

    def _encode_strictly(self, value: object) -> bytes:
        try:
            data = self._strict(value, round_trip=True, by_alias=False)
        except Exception:  # noqa: BLE001 - whatever it is, the checked way names it or copes with it
            return self._encode_checked(value)
        if data == _NOT_STRICT_JSON:
            return self._encode_checked(value)
        return self._within_limits(value, data)

    def encode_proven(self, value: object) -> bytes:
        """The stored form of a value that is known to be exactly what its type says (see :mod:`engine.proof`).

        Raises :class:`NotSerializable` if it was changed since.
        """
        try:
            data = self._storage.to_json(value, round_trip=True, by_alias=False, warnings="error")
        except Exception:  # noqa: BLE001 - whatever it is, the checked way names it
            return self._encode_checked(value)
        return self._within_limits(value, data)

    def _within_limits(self, value: object, data: bytes) -> bytes:
        if len(data) < codec.LONG and not self._has_free_keys:  # the way of most values
            return data
        return self._encode_checked(value) if codec.needs_tags(data) else codec.within_size(data)

    def _needs_tags(self, data: bytes) -> bool:
        return (len(data) >= codec.LONG or self._has_free_keys) and codec.needs_tags(data)

    def _encode_checked(self, value: object) -> bytes:
        back: object = None
        error: Exception | None = None
        try:
            data = self._storage.to_json(value, round_trip=True, by_alias=False, warnings=False)
            if not self._needs_tags(data):
                self._check_limits(data)
                back = self._read_json(data, by_alias=False, by_name=True)
                if self._is_same(value, back):
                    return data
        except NotSerializable:
            raise
        except Exception as caught:  # noqa: BLE001 - serializers and validators of the user may raise anything
            error = caught
        return self._encode_tagged(value, back, error)

    def _encode_tagged(self, value: object, back: object, error: Exception | None) -> bytes:
        """For what JSON can't say: text with lone surrogates, very long ints, keys like tags, ``NaN`` in ``Any``."""
        try:
            data = codec.encode_plain(self._to_plain(value, None))
            if self._is_same(value, self._read_tagged(data)):
                return data
        except Exception as caught:  # noqa: BLE001 - the first error says more
            error = error or caught
        raise self._refused_part(value) or explain(value, back, error, self._lenient_copy, self._faults) from error

    def _refused_part(self, value: object) -> NotSerializable | None:
        """The part of type ``Any`` that can't be stored, if that is what is wrong."""
        found = Refused()
        with contextlib.suppress(Exception):
            self._storage.to_json(value, round_trip=True, by_alias=False, warnings=False, context=found)
        if not found:
            return None
        part, error = found[0]
        path = find_part(value, part)
        # The message starts with the path inside the part.
        return NotSerializable(str(error).replace("$", path, 1), path=path + error.path[1:])

    def _to_plain(self, value: object, holes: Holes | None) -> object:
        return self._storage.to_python(
            value, mode="json", round_trip=True, by_alias=False, warnings=False, context=holes
        )

    def _check_limits(self, data: bytes) -> None:
        codec.within_size(data)
        if (self.survey.recursive or self.survey.open) and codec.is_too_deep(data):
            raise codec.too_deep()

    def _is_same(self, value: object, back: object) -> bool:
        if not self.survey.odd_equality and is_equal(value, back):
            return True
        return difference(value, back) is None

    def _lenient_copy(self, value: object) -> object:
        """What would come back if losses were accepted; for messages only."""
        return self._read(self.adapter.serializer.to_json(value, round_trip=True, by_alias=False, warnings=False))

    def _faults(self, value: object) -> DataFault | None:
        """What is wrong with an instance that was never validated, or changed since."""
        try:
            data = _DATA.to_python(value, round_trip=True, by_alias=False, warnings=False)
            self._check(data, by_alias=True, by_name=True)
        except ValidationError as error:
            return fault_of(error, hide=self.survey.secrets)
        except Exception as error:  # noqa: BLE001 - a validator of the user may raise anything
            return fault_of(error)
        return None

    # -- reading

    def decode(self, data: bytes) -> object:
        """The typed value of stored data, of this schema or another. Raises :class:`DataFault` if it does not fit."""
        try:
            if self._has_aliases or data.find(codec.TAG_SIGN) >= 0:
                return self._read(data)
            return self._read_json(data)
        except ValidationError as error:
            raise fault_of(error, hide=self.survey.secrets) from error
        except DataFault:
            raise
        except Exception as error:
            raise fault_of(error) from error

    def _read(self, data: bytes) -> object:
        if codec.is_tagged(data):
            return self._read_tagged(data)
        if not self._has_aliases:
            return self._read_json(data)
        try:
            return self._read_json(data, by_alias=False, by_name=True)
        except ValidationError:
            return self._read_json(data, by_alias=True, by_name=True)

    def _read_tagged(self, data: bytes) -> object:
        return self._read_plain(codec.decode_plain(data))

    def _read_plain(self, value: object) -> object:
        try:
            return self._read_json(to_json(value), by_alias=False, by_name=True)
        except Exception:  # noqa: BLE001 - what JSON can't say; the types that need JSON's rules don't have it
            return self._reader.validate_python(value, by_alias=False, by_name=True)

    # -- secrets

    def _encode_with_secrets(self, value: object) -> bytes:
        return self.encode_with_holes(value)[0]

    def encode_with_holes(self, value: object) -> tuple[bytes, tuple[Pointer, ...]]:
        """The stored form without the secrets, and where they are missing. Raises :class:`NotSerializable`."""
        if not self.survey.secrets:
            return self.encode(value), ()
        holes = Holes(self._nonce)
        whole: object = None
        try:
            written = self._to_plain(value, holes)
            holed, pointers, whole = take_holes(written, holes)
            data = codec.encode_plain(holed)
            if whole is None or self._is_same(value, self._read_plain(whole)):
                return data, pointers
        except NotSerializable:
            raise
        except Exception as error:
            raise explain(value, None, error, lambda _: None, self._faults) from error
        raise NotSerializable("$ would not come back as it is: a type in it is written with a loss", path="$")

    def encode_whole(self, value: object) -> bytes:
        """The stored form with the secrets in it, as far as they have a form as text: never to be written."""
        if not self.survey.secrets:
            return self.encode(value)
        holes = Holes(self._nonce)
        holed, _, whole = take_holes(self._to_plain(value, holes), holes)
        return codec.encode_plain(holed if whole is None else whole)

    def fill(self, data: bytes, answers: Mapping[str, object]) -> object:
        """The typed value of stored data whose holes are filled. Raises :class:`DataFault`."""
        try:
            return self._read_plain(fill_holes(codec.decode_plain(data), answers))
        except ValidationError as error:
            raise fault_of(error, hide=True) from None
        except DataFault:
            raise
        except Exception as error:  # noqa: BLE001 - a validator of the user may raise anything
            raise fault_of(error) from None


def _adapter(source: Any) -> TypeAdapter[Any]:
    try:
        adapter: TypeAdapter[Any] = TypeAdapter(source)
        adapter.core_schema["type"]  # raises if a name in it is not defined yet
    except Exception as error:
        text = error.message if isinstance(error, PydanticUserError) else str(error)
        # pydantic goes on with advice about its own configuration.
        reason = text.split("\n")[0].split(". ")[0]
        raise SchemaError(f"{_shown(source)} can't be a schema: {reason}") from error
    return adapter


def _shown(source: object) -> str:
    text = source.__qualname__ if isinstance(source, type) else repr(source)
    return text if len(text) <= 80 else text[:77] + "..."


def _strict_serializer(schema: CoreSchema) -> SchemaSerializer:
    """Writes a value that is exactly what its type says, in every part; else :data:`_NOT_STRICT`.

    A union first tries its choices strictly, in order: exact classes, every required field, no conversions. That the
    second choice takes everything keeps it from going on to the lenient round.
    """
    give_up = core_schema.any_schema(serialization=core_schema.plain_serializer_function_ser_schema(_give_up))
    return _serializer(core_schema.union_schema([schema, give_up]))


def _serializer(schema: CoreSchema) -> SchemaSerializer:
    # pydantic would else take the ready-made serializers of the classes, which don't know of the changes.
    return SchemaSerializer(schema, STORAGE_CONFIG, _use_prebuilt=False)


def _validator(schema: CoreSchema, config: core_schema.CoreConfig | None = None) -> SchemaValidator:
    return SchemaValidator(schema, config, _use_prebuilt=False)
