"""The JSON Schema of an action's parameters: what of it is allowed, and whether parameters keep to it. Pure.

Schemas come from tenants and run on our workers, so they are kept to what is cheap by construction: a closed list of
keywords, references within the schema only and written out before use, bounded size and depth, patterns whose effort is
counted beforehand (``patterns``). Nothing is ever fetched.
"""

import json
import re
from collections.abc import Mapping
from datetime import date, datetime
from functools import lru_cache
from typing import Any
from uuid import UUID

import jsonschema
from jsonschema.validators import extend

from cases.errors import CountersignError
from cases.wire.pointers import pointer

from .patterns import MAX_TEXT, why_refused

MAX_SCHEMA_BYTES = 32_000
MAX_DEPTH = 12
MAX_NODES = 500  # subschemas, references written out
MAX_PARAMS_BYTES = 64_000
MAX_VALUES = 1_000  # in the parameters: the effort is theirs times the schema's parts
MAX_ERRORS = 20
LOCAL = re.compile(r"#/\$defs/([A-Za-z0-9_.-]{1,80})")

_ONE = frozenset({"items", "additionalProperties", "contains", "not", "if", "then", "else"})  # a subschema each
_MANY = frozenset({"anyOf", "oneOf", "allOf", "prefixItems"})  # a list of them
_NAMED = frozenset({"properties", "$defs", "dependentSchemas"})  # a mapping of them
_PLAIN = frozenset(
    {"$schema", "$id", "$comment", "$ref", "title", "description", "default", "examples", "deprecated", "readOnly"}
    | {"writeOnly", "type", "enum", "const", "format", "required", "pattern", "minimum", "maximum", "exclusiveMinimum"}
    | {"exclusiveMaximum", "multipleOf", "minLength", "maxLength", "minItems", "maxItems", "uniqueItems"}
    | {"minProperties", "maxProperties", "dependentRequired", "minContains", "maxContains"}
)
KEYWORDS = _ONE | _MANY | _NAMED | _PLAIN


class SchemaInvalid(CountersignError):
    """The schema cannot be saved."""

    code = "schema_invalid"
    title = "The schema is not valid"


def check_schema(schema: object) -> None:
    """Raise ``SchemaInvalid`` unless ``schema`` describes an object in JSON Schema 2020-12, within the bounds above."""
    if not isinstance(schema, dict) or schema.get("type") != "object":
        raise SchemaInvalid('The parameters are an object: the schema says "type": "object".')
    if len(json.dumps(schema, ensure_ascii=False).encode()) > MAX_SCHEMA_BYTES:
        raise SchemaInvalid(f"The schema is longer than {MAX_SCHEMA_BYTES:,} bytes.")
    _check_depth(schema)
    written_out = inlined(schema)
    try:
        jsonschema.Draft202012Validator.check_schema(written_out)
    except jsonschema.SchemaError as error:
        place = pointer(error.absolute_path) or "its top"
        raise SchemaInvalid(f"This is no JSON Schema: at {place}, {_expected(error)}.") from None


def inlined(schema: Mapping[str, Any]) -> dict[str, Any]:
    """``schema`` with every local reference replaced by what it refers to; no reference is left.

    Raises ``SchemaInvalid`` for unknown keywords, references elsewhere or in a circle, and patterns that could take
    too long.
    """
    left = [MAX_NODES]
    written = _written_out(schema, schema.get("$defs", {}), (), left)
    written.pop("$defs", None)
    return written


def _written_out(node: Any, defs: Any, path: tuple[str | int, ...], left: list[int]) -> Any:
    if isinstance(node, bool):
        return node
    at = pointer(path) or "its top"
    if not isinstance(node, Mapping):
        raise SchemaInvalid(f"At {at} of the schema stands no schema.")
    left[0] -= 1
    if left[0] < 0 or len(path) > 4 * MAX_DEPTH:
        raise SchemaInvalid(f"Written out, the schema has more than {MAX_NODES} parts, or it refers to itself.")
    if unknown := sorted(set(node) - KEYWORDS):
        raise SchemaInvalid(f"The keyword “{unknown[0][:40]}” at {at} of the schema is not supported.")
    if isinstance(node.get("pattern"), str) and (why := why_refused(node["pattern"])):
        raise SchemaInvalid(f"{why} It stands at {at} of the schema.")
    if "$ref" in node:
        return _referred(node, defs, path, left)
    found: dict[str, Any] = {}
    for name, value in node.items():
        here = (*path, name)
        if name in _ONE:
            found[name] = _written_out(value, defs, here, left)
        elif name in _MANY and isinstance(value, list):
            found[name] = [_written_out(one, defs, (*here, index), left) for index, one in enumerate(value)]
        elif name in _NAMED and isinstance(value, Mapping):
            found[name] = {key: _written_out(one, defs, (*here, key), left) for key, one in value.items()}
        elif name not in {"$schema", "$id"}:  # Both could change how the rest is read.
            found[name] = value
    return found


def _referred(node: Mapping[str, Any], defs: Any, path: tuple[str | int, ...], left: list[int]) -> Any:
    match = LOCAL.fullmatch(node["$ref"]) if isinstance(node["$ref"], str) else None
    if match is None or not isinstance(defs, Mapping) or match[1] not in defs:
        raise SchemaInvalid(f'A "$ref" at {pointer(path) or "its top"} of the schema leads elsewhere: use "#/$defs/…".')
    target = _written_out(defs[match[1]], defs, (*path, "$ref"), left)
    beside = _written_out({name: value for name, value in node.items() if name != "$ref"}, defs, path, left)
    if isinstance(target, bool):
        return {**beside, "allOf": [target]}
    if set(target) & set(beside) - {"title", "description", "default", "examples"}:
        return {**beside, "allOf": [*beside.get("allOf", []), target]}
    return {**target, **beside}


def _check_depth(value: Any, depth: int = 0) -> None:
    if depth > 3 * MAX_DEPTH:  # Each level of parameters takes up to three of the schema.
        raise SchemaInvalid("The schema is nested too deep.")
    for inner in value.values() if isinstance(value, Mapping) else value if isinstance(value, list) else ():
        _check_depth(inner, depth + 1)


def _expected(error: jsonschema.ValidationError) -> str:
    return _SAYS.get(str(error.validator), lambda value: "something is not as the standard has it")(
        error.validator_value
    )


# --- parameters -------------------------------------------------------------------------------------------------------


def _pattern(validator, pattern, instance, schema):
    """The library's own, but never on a text that is longer than the effort was counted for."""
    if isinstance(instance, str) and (len(instance) > MAX_TEXT or not re.search(pattern, instance)):
        yield jsonschema.ValidationError("pattern")


_Validator = extend(jsonschema.Draft202012Validator, {"pattern": _pattern})
_formats = jsonschema.FormatChecker(formats=())
_DECIMAL = re.compile(r"-?(?:0|[1-9][0-9]{0,14})(?:\.[0-9]{1,4})?")
_EMAIL = re.compile(r"[^@\s]{1,64}@[^@\s.]{1,63}(?:\.[^@\s.]{1,63}){1,8}")


@_formats.checks("date", raises=ValueError)
def _is_date(value: object) -> bool:
    return not isinstance(value, str) or (len(value) == 10 and bool(date.fromisoformat(value)))


@_formats.checks("date-time", raises=ValueError)
def _is_instant(value: object) -> bool:
    return not isinstance(value, str) or ("T" in value and datetime.fromisoformat(value).tzinfo is not None)


@_formats.checks("uuid", raises=ValueError)
def _is_uuid(value: object) -> bool:
    return not isinstance(value, str) or str(UUID(value)) == value.lower()


@_formats.checks("email")
def _is_email(value: object) -> bool:
    return not isinstance(value, str) or bool(_EMAIL.fullmatch(value))


@_formats.checks("decimal")
def _is_decimal(value: object) -> bool:
    """Ours: an amount as a decimal text, which no reader rounds."""
    return not isinstance(value, str) or bool(_DECIMAL.fullmatch(value))


_TYPE_WORDS = {
    "string": "a text",
    "number": "a number",
    "integer": "a whole number",
    "boolean": "true or false",
    "object": "an object",
    "array": "a list",
    "null": "null",
}
_FORMAT_WORDS = {
    "date": "a date such as 2027-05-09",
    "date-time": "an instant such as 2027-05-09T18:00:00Z",
    "uuid": "a UUID",
    "email": "an e-mail address",
    "decimal": 'an amount as a decimal text such as "42.00"',
}


def _types(value: Any) -> str:
    return " or ".join(_TYPE_WORDS.get(one, "another type") for one in ([value] if isinstance(value, str) else value))


# What to send instead, by keyword. None repeats what was sent: the schema's own values are no secret.
_SAYS = {
    "type": lambda value: f"send {_types(value)}",
    "enum": lambda value: f"send one of: {', '.join(map(_short, value[:12]))}",
    "const": lambda value: f"send {_short(value)}",
    "format": lambda value: f"send {_FORMAT_WORDS.get(value, f'what is written as {value}')}",
    "pattern": lambda value: "this text is not of the form that the schema asks for",
    "minimum": lambda value: f"send at least {value}",
    "maximum": lambda value: f"send at most {value}",
    "exclusiveMinimum": lambda value: f"send more than {value}",
    "exclusiveMaximum": lambda value: f"send less than {value}",
    "multipleOf": lambda value: f"send a multiple of {value}",
    "minLength": lambda value: f"send at least {value} characters",
    "maxLength": lambda value: f"send at most {value} characters",
    "minItems": lambda value: f"send at least {value} entries",
    "maxItems": lambda value: f"send at most {value} entries",
    "uniqueItems": lambda value: "send each entry once",
    "minProperties": lambda value: f"send at least {value} members",
    "maxProperties": lambda value: f"send at most {value} members",
    "required": lambda value: "this is required",
    "dependentRequired": lambda value: "something that belongs to what was sent is missing",
    "additionalProperties": lambda value: "this is not known here: check its spelling or leave it out",
}


def _short(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False)[:60]


def check_params(schema: Mapping[str, Any], params: object) -> list[dict[str, str]]:
    """What is wrong with ``params``: ``pointer`` (RFC 6901, into them), ``code`` (the keyword) and ``message`` each.

    Empty where nothing is. At most ``MAX_ERRORS``, in the order of the schema; a message repeats nothing of ``params``.
    """
    try:
        size = len(json.dumps(params, ensure_ascii=False, allow_nan=False).encode("utf-8"))
    except (TypeError, ValueError, RecursionError):
        return [_error((), "json", "These parameters are no JSON.")]
    if size > MAX_PARAMS_BYTES:
        return [_error((), "too_large", f"The parameters are longer than {MAX_PARAMS_BYTES:,} bytes.")]
    if _count(params) > MAX_VALUES:
        return [_error((), "too_many", f"The parameters hold more than {MAX_VALUES:,} values.")]
    try:
        validator = _validator(json.dumps(schema, sort_keys=True))
    except SchemaInvalid as error:
        return [_error((), "schema_invalid", f"The action type's schema cannot be used. {error.message}")]
    found: list[dict[str, str]] = []
    for error in validator.iter_errors(params):
        found += _told(error)
        if len(found) >= MAX_ERRORS:
            break
    return found[:MAX_ERRORS]


def _count(value: Any) -> int:
    inner = value.values() if isinstance(value, Mapping) else value if isinstance(value, list) else ()
    return 1 + sum(map(_count, inner))


@lru_cache(maxsize=256)
def _validator(schema: str):
    return _Validator(inlined(json.loads(schema)), format_checker=_formats)


def _told(error: jsonschema.ValidationError) -> list[dict[str, str]]:
    path, keyword = tuple(error.absolute_path), str(error.validator)
    if keyword == "required":
        missing = [name for name in error.validator_value if name not in error.instance]
        # The library reports each missing name by itself; which one, it says only in its message.
        missing = [name for name in missing if error.message.startswith(repr(name))]
        return [_error((*path, name), keyword, "This is required.") for name in missing]
    if keyword == "additionalProperties" and error.validator_value is False:
        known = error.schema.get("properties", {})
        unknown = [name for name in error.instance if name not in known]
        return [_error((*path, name), keyword, _sentence(keyword, None)) for name in unknown]
    return [_error(path, keyword, _sentence(keyword, error.validator_value))]


def _sentence(keyword: str, value: Any) -> str:
    says = _SAYS.get(keyword)
    words = says(value) if says else "this is not as the schema has it"
    return f"{words[0].upper()}{words[1:]}."


def _error(path: tuple[str | int, ...], code: str, message: str) -> dict[str, str]:
    return {"pointer": pointer(path), "code": code, "message": message}
