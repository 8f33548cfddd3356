"""Actions as people read them: parameters under the schema's titles, previews with before and after, money. Pure."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from cases.currencies import CODES, minor_units

from .binding import amount_text
from .schema_form import label_of
from .schemas import SchemaInvalid, inlined

MAX_ROWS = 100
LONG = 120  # characters from which a value takes the whole width
BEFORE, AFTER = "before", "after"
IMPACT_MARKS = {"low": "○", "medium": "◐", "high": "▲", "critical": "■"}
HIDDEN_DIFFERENCES = frozenset({"/action_id", "/nonce"})
NAMES = {
    "params": "",
    "binding": "Preview",
    "executor": "Executor",
    "policy": "Policy",
    "customer_id": "Customer",
    "expires_at": "Valid until",
}


@dataclass(frozen=True)
class Row:
    """One labelled value. Where ``before`` is not None, ``value`` is what stands after."""

    label: str
    value: str
    before: str | None = None

    @property
    def is_long(self) -> bool:
        return len(self.value) > LONG or "\n" in self.value


@dataclass(frozen=True)
class Difference:
    label: str
    before: str
    after: str


def as_words(name: object) -> str:
    """``already_refunded`` → ``Already refunded``."""
    words = str(name).replace("_", " ")
    return words[:1].upper() + words[1:]


def plain_value(value: object) -> str:
    """A JSON value without the quotes and braces that its kind does not need."""
    if value is None:
        return "–"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, list) and all(isinstance(one, str | int | float) for one in value):
        return ", ".join(map(plain_value, value)) or "none"
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, indent=1)


def money_words(amount: Decimal | None, currency: str) -> str:
    """``4,200.00``: the digits of its currency, in groups of three; empty without an amount."""
    if amount is None:
        return ""
    digits = minor_units(currency) if currency in CODES else 2
    return f"{amount:,.{digits}f}"


def parameter_rows(params: Mapping[str, Any], schema: Mapping[str, Any] | None) -> list[Row]:
    """The parameters under the titles of ``schema``; objects are opened once, what the schema asks for comes first."""
    try:
        named = inlined(schema).get("properties", {}) if schema else {}
    except SchemaInvalid:
        named = {}
    required = schema.get("required", []) if schema else []
    rows: list[Row] = []
    for name in sorted(params, key=lambda name: name not in required):
        node, value = _node(named, name), params[name]
        if isinstance(value, Mapping) and value:
            inner = _node(node, "properties")
            rows += [Row(label_of((name, key), _node(inner, key)), plain_value(one)) for key, one in value.items()]
        else:
            rows.append(Row(label_of((name,), node), plain_value(value)))
    return rows[:MAX_ROWS]


def preview_rows(part: Mapping[str, Any]) -> list[Row]:
    """What a dry run says, as rows. It says what changes by ``{"before": …, "after": …}``, as a value or as the whole
    part, or by a pair of names such as ``balance`` and ``balance_after``."""
    rows: list[Row] = []
    for name, value in part.items():
        if isinstance(value, Mapping) and value.keys() == {BEFORE, AFTER}:
            rows += _changes(as_words(name), value[BEFORE], value[AFTER])
        elif name == BEFORE and AFTER in part:
            rows += _changes("", value, part[AFTER])
        elif name == AFTER and BEFORE in part:
            continue
        elif f"{name}_{AFTER}" in part:
            rows.append(Row(as_words(name), plain_value(part[f"{name}_{AFTER}"]), plain_value(value)))
        elif not (name.endswith(f"_{AFTER}") and name.removesuffix(f"_{AFTER}") in part):
            rows.append(Row(as_words(name), plain_value(value)))
    return rows[:MAX_ROWS]


def _changes(label: str, before: Any, after: Any) -> list[Row]:
    """One row for plain values, one for each name of two objects."""
    if not (isinstance(before, Mapping) and isinstance(after, Mapping)):
        return [Row(label or "Change", plain_value(after), plain_value(before))]
    names = [*before, *(name for name in after if name not in before)]
    prefix = f"{label}: " if label else ""
    return [
        Row(f"{prefix}{as_words(name)}", plain_value(after.get(name)), plain_value(before.get(name))) for name in names
    ]


def difference_rows(differences: Sequence[tuple[str, str, str]]) -> list[Difference]:
    """``binding.differences`` in words."""
    return [
        Difference(_path_words(path), before, after)
        for path, before, after in differences[:MAX_ROWS]
        if path not in HIDDEN_DIFFERENCES
    ]


def _path_words(path: str) -> str:
    first, *rest = (part.replace("~1", "/").replace("~0", "~") for part in path.lstrip("/").split("/"))
    head = NAMES.get(first, as_words(first))
    tail = " ".join(rest).replace("_", " ")
    return as_words(tail) if not head else f"{head}: {tail}" if tail else head


def _node(of: Any, name: str) -> Mapping[str, Any]:
    found = of.get(name) if isinstance(of, Mapping) else None
    return found if isinstance(found, Mapping) else {}


def money_text(amount: Decimal | None, currency: str) -> str:
    """What a form of the amount starts with: the digits of its currency, ungrouped."""
    return amount_text(amount, currency) or ""
