"""A form drawn from the JSON Schema of an action's parameters, so that people edit fields and never a text of braces.

Nothing is lost by editing: what the schema does not name, and what no field can show, stays in a strict JSON field, and
a field left alone gives back the very value that it was drawn from. What the form returns has passed ``check_params``,
the same check as the API's.
"""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from django import forms
from django.core.exceptions import ValidationError

from cases.untrusted import shown
from cases.wire.forms import IndentedJSON, StrictJSONFormField
from cases.wire.parser import MAX_INTEGER
from cases.wire.pointers import pointer

from .schemas import SchemaInvalid, check_params, inlined

REST = "rest"  # the JSON field for all that has none of its own
MAX_FIELDS = 60
LONG = 120  # characters from which a text gets an area
MAX_TEXT = 10_000
_MISSING = object()


@dataclass(frozen=True)
class Place:
    """Where a field's value stands among the parameters, and how it got there."""

    path: tuple[str, ...]
    initial: Any = _MISSING


class ParamsForm(forms.Form):
    """Bound with ``data`` it validates; ``params`` then holds the parameters. Use ``schema_form``."""

    def __init__(self, schema: Mapping[str, Any], initial: Mapping[str, Any], **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.schema = schema
        self.params: dict[str, Any] = {}
        self.places: dict[str, Place] = {}
        rest = dict(initial)
        for path, node, is_required in _leaves(schema):
            if len(self.places) >= MAX_FIELDS:
                break
            value = _value_at(initial, path)
            field = _field(path, node, value, is_required)
            if field is not None:
                name = "__".join(path)
                self.fields[name] = field
                self.places[name] = Place(path, value)
                rest = rest if value is _MISSING else _without(rest, path)
        if rest or not self.places or schema.get("additionalProperties", True) is not False or _has_more(self, schema):
            self.fields[REST] = StrictJSONFormField(
                label="Parameters" if not self.places else "Further parameters",
                required=False,
                initial=rest,
                encoder=IndentedJSON,
                widget=forms.Textarea(attrs={"rows": 6 if rest else 2, "class": "lines", "spellcheck": "false"}),
                help_text="A JSON object.",
            )

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean()
        if self.errors:
            return cleaned
        rest = cleaned.get(REST)
        if rest is not None and not isinstance(rest, dict):
            self.add_error(REST, "Enter a JSON object, in braces.")
            return cleaned
        params = json.loads(json.dumps(rest or {}))
        for name, place in self.places.items():
            value = self._given(name, place, cleaned[name])
            if value is not _MISSING and not _put(params, place.path, value):
                self.add_error(REST, f"“{place.path[0]}” has a field of its own above: leave it out here.")
        if not self.errors:
            self._check(params)
        self.params = params
        return cleaned

    def _given(self, name: str, place: Place, value: Any) -> Any:
        """The value to keep; an empty field leaves the parameter out, unless it was as good as empty before."""
        if value is None or value == "":
            return place.initial if place.initial in (None, "") else _MISSING
        return place.initial if _same(value, place.initial) else value

    def _check(self, params: dict[str, Any]) -> None:
        owners = {pointer(place.path): name for name, place in self.places.items()}
        for error in check_params(self.schema, params):
            owner = owners.get(error["pointer"])
            if owner is None and REST in self.fields:
                owner = REST
            at = f"{error['pointer']}: " if owner in (None, REST) and error["pointer"] else ""
            self.add_error(owner, ValidationError(f"{at}{error['message']}", code=error["code"]))


def schema_form(
    schema: Mapping[str, Any],
    initial: Mapping[str, Any] | None = None,
    data: Mapping[str, Any] | None = None,
    *,
    prefix: str = "params",
) -> ParamsForm:
    """The form for ``schema``, showing ``initial``; with ``data`` (a POST) bound, and once ``is_valid()`` said yes, its
    ``params`` are the parameters. A schema that cannot be used gives one JSON field, whose content never validates."""
    try:
        written_out = inlined(schema)
    except SchemaInvalid:
        written_out = dict(schema) | {"properties": {}}
    return ParamsForm(written_out, initial or {}, data=data, prefix=prefix)


# --- the schema's leaves ----------------------------------------------------------------------------------------------


def _leaves(schema: Mapping[str, Any]) -> Iterator[tuple[tuple[str, ...], Mapping[str, Any], bool]]:
    """Each property that can have a field, with its path and whether it must be there; objects are entered once."""
    for name, node, is_required in _properties(schema):
        if isinstance(node.get("properties"), Mapping) and node.get("type") == "object":
            for inner, inner_node, inner_required in _properties(node):
                yield (name, inner), inner_node, is_required and inner_required
        else:
            yield (name,), node, is_required


def _properties(schema: Mapping[str, Any]) -> Iterator[tuple[str, Mapping[str, Any], bool]]:
    required = schema.get("required", [])
    properties = schema.get("properties", {})
    # What is required comes first: the database keeps no order of a schema's names.
    named = sorted(properties.items(), key=lambda pair: pair[0] not in required) if properties else ()
    for name, node in named:
        if isinstance(node, Mapping) and name and "__" not in name and name != REST:
            yield name, node, name in required


def _has_more(form: ParamsForm, schema: Mapping[str, Any]) -> bool:
    """Whether a property has no field: too deep, a list, of several types."""
    shown_paths = {place.path for place in form.places.values()}
    named = set(schema.get("properties", {}))
    leaves = {path for path, _, _ in _leaves(schema)}
    return bool(leaves - shown_paths) or bool(named - {path[0] for path in leaves})


def _field(path: tuple[str, ...], node: Mapping[str, Any], value: Any, is_required: bool) -> forms.Field | None:
    """The field for one property, or None where none would show ``value`` as it is."""
    kinds = [node["type"]] if isinstance(node.get("type"), str) else list(node.get("type", []))
    kind = next((one for one in kinds if one != "null"), "") if len(set(kinds) - {"null"}) == 1 else ""
    common = {
        "label": label_of(path, node),
        "help_text": shown(node["description"][:500]) if isinstance(node.get("description"), str) else "",
        "required": is_required and "null" not in kinds,
    }
    options = [node["const"]] if "const" in node else node.get("enum")
    if isinstance(options, list) and all(isinstance(one, str | int | float | bool | None) for one in options):
        return _choice([one for one in options if one is not None], value, common)
    if kind not in _FITS or not (value is _MISSING or value is None or _fits(kind, value)):
        return None
    initial = None if value is _MISSING else value
    if kind == "boolean":
        return _choice([True, False], value, common)
    if kind == "integer":
        return forms.IntegerField(**common, initial=initial, **_bounds(node, MAX_INTEGER))
    if kind == "number":
        return NumberField(**common, initial=initial, widget=forms.NumberInput(attrs={"step": "any"}))
    return _text(node, initial, common)


_FITS = {"string": str, "integer": int, "number": (int, float), "boolean": bool}


def _fits(kind: str, value: Any) -> bool:
    return isinstance(value, _FITS[kind]) and (kind == "boolean") == isinstance(value, bool)


def _choice(options: list[Any], value: Any, common: dict[str, Any]) -> forms.Field | None:
    keys = [json.dumps(one) for one in options]
    if value is not _MISSING and value is not None and json.dumps(value) not in keys:
        return None
    words = {True: "yes", False: "no"}
    named = [(key, words[one] if isinstance(one, bool) else str(one)) for key, one in zip(keys, options, strict=True)]
    blank = [] if common["required"] and value not in (_MISSING, None) else [("", "–")]
    initial = "" if value is _MISSING or value is None else json.dumps(value)
    return forms.TypedChoiceField(
        **common, choices=[*blank, *named], coerce=json.loads, empty_value=None, initial=initial
    )


def _text(node: Mapping[str, Any], initial: str | None, common: dict[str, Any]) -> forms.Field:
    if node.get("format") == "date":
        widget: forms.Widget = forms.DateInput(attrs={"type": "date"}, format="%Y-%m-%d")
        return TextField(**common, initial=initial, widget=widget, max_length=10)
    longest = node.get("maxLength") if isinstance(node.get("maxLength"), int) else MAX_TEXT
    has_lines = any(end in (initial or "") for end in "\r\n")
    is_short = (longest <= LONG or "format" in node or "pattern" in node) and not has_lines
    if is_short or ("maxLength" not in node and len(initial or "") <= LONG and not has_lines):
        attrs = {"inputmode": "decimal"} if node.get("format") == "decimal" else {}
        widget = forms.TextInput(attrs={"class": "vTextField", "autocomplete": "off", **attrs})
    else:
        widget = forms.Textarea(attrs={"rows": 4, "class": "vLargeTextField"})
    return TextField(**common, initial=initial, widget=widget, max_length=min(longest, MAX_TEXT))


def _bounds(node: Mapping[str, Any], most: int) -> dict[str, int]:
    """The schema's own bounds are checked by ``check_params``; these keep the number within what JSON carries."""
    low, high = node.get("minimum"), node.get("maximum")
    return {
        "min_value": low if isinstance(low, int) and abs(low) < most else -most,
        "max_value": high if isinstance(high, int) and abs(high) < most else most,
    }


def label_of(path: tuple[str, ...], node: Mapping[str, Any]) -> str:
    """The schema's title of a parameter, or its name in words."""
    title = node.get("title")
    words = title[:80] if isinstance(title, str) and title.strip() else path[-1].replace("_", " ")[:80]
    words = words[:1].upper() + words[1:]
    return words if len(path) == 1 else f"{path[0].replace('_', ' ')[:40].capitalize()}: {words}"


class TextField(forms.CharField):
    """A text exactly as it was typed; browsers send line ends as CRLF, whatever they were."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(strip=False, **kwargs)

    def to_python(self, value: Any) -> str:
        return super().to_python(value).replace("\r\n", "\n").replace("\r", "\n")


class NumberField(forms.FloatField):
    """A JSON number: whole ones stay whole."""

    def to_python(self, value: Any) -> int | float | None:
        found = super().to_python(value)
        if found is not None and abs(found) > MAX_INTEGER:
            raise ValidationError("This number is too large to arrive unchanged everywhere.")
        return int(found) if found is not None and found.is_integer() else found


def _same(value: Any, before: Any) -> bool:
    """Whether the field was left alone: a form changes line ends, and 5.0 into 5."""
    if isinstance(value, str) and isinstance(before, str):
        return value == before.replace("\r\n", "\n").replace("\r", "\n")
    return type(value) in (int, float) and type(before) in (int, float) and value == before


# --- values by path ---------------------------------------------------------------------------------------------------


def _value_at(params: Mapping[str, Any], path: tuple[str, ...]) -> Any:
    value: Any = params
    for name in path:
        if not isinstance(value, Mapping) or name not in value:
            return _MISSING
        value = value[name]
    return value


def _without(params: Mapping[str, Any], path: tuple[str, ...]) -> dict[str, Any]:
    name, *inner = path
    if name not in params:
        return dict(params)
    left = {key: value for key, value in params.items() if key != name}
    if inner and isinstance(params[name], Mapping):
        kept = _without(params[name], tuple(inner))
        return left | {name: kept} if kept else left
    return left | ({name: params[name]} if inner else {})


def _put(params: dict[str, Any], path: tuple[str, ...], value: Any) -> bool:
    """False where something else stands there already."""
    for name in path[:-1]:
        params = params.setdefault(name, {})
        if not isinstance(params, dict):
            return False
    if path[-1] in params:
        return False
    params[path[-1]] = value
    return True
