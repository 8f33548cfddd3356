"""Serializer fields that take JSON's own types and nothing that merely resembles them.

DRF's stock fields read ``"1"`` and ``true`` as numbers, 5 as a text and ignore what they do not know. These refuse,
and say what to send instead; none repeats what was sent.
"""

import copy
import json
import math
import re
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any
from urllib.parse import urlsplit

from django.db.models import Choices
from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers
from rest_framework.exceptions import ErrorDetail

from .. import currencies
from ..untrusted import is_unseen
from .parser import MAX_INTEGER

_MAX_UNKNOWN = 20
_MAX_KEY = 100


class StrictSerializer(serializers.Serializer):
    """Refuses fields that it does not know, and fields that only an answer carries, beside every other error."""

    def get_fields(self) -> dict[str, serializers.Field]:
        """DRF makes every field anew from its arguments, for each request. Until it is bound, one that holds no other
        field is the same as its copy, which costs a tenth."""
        fields = self._declared_fields.items()
        return {name: copy.deepcopy(field) if _holds_others(field) else copy.copy(field) for name, field in fields}

    def to_internal_value(self, data: Any) -> dict[str, Any]:
        if not isinstance(data, Mapping):
            raise serializers.ValidationError({"non_field_errors": ["Send an object."]}, code="invalid")
        refused = self._refused(data)
        try:
            values = super().to_internal_value(data)
        except serializers.ValidationError as error:
            raise serializers.ValidationError({**error.detail, **refused}) from None
        if refused:
            raise serializers.ValidationError(refused)
        return values

    def _refused(self, data: Mapping[str, Any]) -> dict[str, list[ErrorDetail]]:
        known = {field.field_name for field in self._writable_fields}
        refused: dict[str, list[ErrorDetail]] = {}
        for key in data:
            if key in known:
                continue
            if len(refused) >= _MAX_UNKNOWN or len(key) > _MAX_KEY:
                refused.setdefault("non_field_errors", [_unknown("There are more fields that are not known here.")])
                continue
            refused[key] = [_unknown(self._advice(key))]
        return refused

    def _advice(self, key: str) -> str:
        if key == "case_id":
            return "The server chooses case_id: send your own key as external_id."
        if key in self.fields:
            return "This field is written by the server and cannot be sent."
        return "This field is not known here: check its spelling or leave it out."


def _holds_others(field: serializers.Field) -> bool:
    return isinstance(field, serializers.BaseSerializer) or hasattr(field, "child")


def _unknown(message: str) -> ErrorDetail:
    return ErrorDetail(message, code="unknown_field")


class StrictCharField(serializers.CharField):
    """A text, kept exactly as it was sent; NUL and lone surrogates are refused.

    What shows nothing counts as blank: white space, zero-width characters, alone or together.
    """

    default_error_messages = {
        "invalid": "Send a text.",
        "blank": "This text is empty.",
        "max_length": "Send at most {max_length} characters.",
        "min_length": "Send at least {min_length} characters.",
    }

    def __init__(self, *, max_length: int, **kwargs: Any) -> None:
        super().__init__(max_length=max_length, trim_whitespace=False, **kwargs)

    def run_validation(self, data: Any = serializers.empty) -> Any:
        if not self.allow_blank and isinstance(data, str) and _is_blank(data):
            self.fail("blank")
        return super().run_validation(data)

    def to_internal_value(self, data: Any) -> str:
        if not isinstance(data, str):
            self.fail("invalid")
        return data


def _is_blank(text: str) -> bool:
    return all(character.isspace() or is_unseen(character) for character in text)


class StrictIntegerField(serializers.IntegerField):
    """A JSON integer within ±(2^53 - 1), or within the given bounds; ``3.0``, ``"3"`` and ``true`` are refused."""

    default_error_messages = {"invalid": "Send a whole number."}

    def __init__(self, *, min_value: int = -MAX_INTEGER, max_value: int = MAX_INTEGER, **kwargs: Any) -> None:
        super().__init__(min_value=min_value, max_value=max_value, **kwargs)

    def to_internal_value(self, data: Any) -> int:
        if type(data) is not int:
            self.fail("invalid")
        return data


class StrictFloatField(serializers.FloatField):
    """A finite JSON number, whole or not."""

    default_error_messages = {"invalid": "Send a number."}

    def to_internal_value(self, data: Any) -> float:
        if type(data) not in (int, float) or abs(data) > MAX_INTEGER or not math.isfinite(data):
            self.fail("invalid")
        return float(data)


class StrictUnitField(StrictFloatField):
    """A number from 0 to 1, both included."""

    default_error_messages = {
        "invalid": "Send a number from 0 to 1.",
        "min_value": "Send a number from 0 to 1.",
        "max_value": "Send a number from 0 to 1.",
    }

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(min_value=0.0, max_value=1.0, **kwargs)


class StrictBooleanField(serializers.BooleanField):
    """``true`` or ``false``."""

    default_error_messages = {"invalid": "Send true or false."}

    def to_internal_value(self, data: Any) -> bool:
        if type(data) is not bool:
            self.fail("invalid")
        return data


class EnumField(serializers.ChoiceField):
    """One of a Django ``Choices`` class, whose member it returns, or of a list of texts."""

    default_error_messages = {"invalid_choice": "Send one of: {allowed}."}

    def __init__(self, choices: type[Choices] | Iterable[str], **kwargs: Any) -> None:
        self.enum = choices if isinstance(choices, type) else None
        super().__init__(choices=self.enum.choices if self.enum else list(choices), **kwargs)

    def to_internal_value(self, data: Any) -> Any:
        if not isinstance(data, str) or data not in self.choices:
            self.fail("invalid_choice", allowed=", ".join(map(str, self.choices)))
        return self.enum(data) if self.enum else data


_RFC3339 = re.compile(
    r"(?P<clock>\d{4}-\d\d-\d\d[Tt]\d\d:\d\d:\d\d(?:\.\d{1,9})?)(?P<offset>[Zz]|[+-]\d\d:\d\d)?", re.ASCII
)


class AwareDateTimeField(serializers.DateTimeField):
    """An instant in RFC 3339 with its offset, years 1970 to 9999; returned in UTC, sub-microseconds cut."""

    default_error_messages = {
        "invalid": "Send an instant such as 2027-05-09T18:00:00Z.",
        "naive": "Send the instant with its offset from UTC, such as 2027-05-09T18:00:00Z.",
        "year": "Send an instant of the years 1970 to 9999.",
    }

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(default_timezone=UTC, **kwargs)

    def to_internal_value(self, value: Any) -> datetime:
        match = _RFC3339.fullmatch(value) if isinstance(value, str) else None
        if not match:
            self.fail("invalid")
        if not match["offset"]:
            self.fail("naive")
        try:
            aware = datetime.fromisoformat(value.upper())
        except ValueError:
            self.fail("invalid")
        try:
            instant = aware.astimezone(UTC)
        except OverflowError:
            self.fail("year")
        if instant.year < 1970:
            self.fail("year")
        return instant


_MONEY = re.compile(r"(?:0|[1-9][0-9]{0,14})(?:\.[0-9]{1,4})?")


@extend_schema_field({"type": "string", "pattern": f"^{_MONEY.pattern}$", "example": "4200.00"})
class MoneyField(serializers.Field):
    """An amount of money as a decimal text, such as ``"4200.00"``: a ``Decimal``, never negative, never a float."""

    default_error_messages = {
        "invalid": 'Send the amount as a decimal text such as "4200.00": digits, at most 15 before the point.'
    }

    def to_internal_value(self, data: Any) -> Decimal:
        if not isinstance(data, str) or not _MONEY.fullmatch(data):
            self.fail("invalid")
        return Decimal(data)

    def to_representation(self, value: Decimal) -> str:
        return format(value, "f")


@extend_schema_field({"type": "string", "enum": sorted(currencies.CODES), "example": "USD"})
class CurrencyField(serializers.Field):
    """An ISO 4217 code in capitals."""

    default_error_messages = {"invalid": "Send an ISO 4217 currency code such as USD."}

    def to_internal_value(self, data: Any) -> str:
        if not isinstance(data, str) or data not in currencies.CODES:
            self.fail("invalid")
        return data

    def to_representation(self, value: str) -> str:
        return value


def check_money(amount: Decimal | None, currency: str | None) -> None:
    """For a serializer's ``validate``: both or neither, and no more digits than the currency has minor units."""
    if (amount is None) != (currency is None):
        missing = "amount" if amount is None else "currency"
        raise serializers.ValidationError({missing: "Send the amount and its currency together."}, code="required")
    if amount is not None and not currencies.fits(amount, currency):
        digits = currencies.minor_units(currency)
        raise serializers.ValidationError(
            {"amount": f"{currency} has {digits} digits after the point: send no more."}, code="minor_units"
        )


class SlugListField(serializers.ListField):
    """Short texts, such as tags: none twice, at most ``max_length`` (20) of them, in the order in which they came."""

    default_error_messages = {
        "not_a_list": "Send a list of texts.",
        "duplicate": "Send each text once.",
        "max_length": "Send at most {max_length} texts.",
    }

    def __init__(self, *, max_length: int = 20, item_length: int = 50, **kwargs: Any) -> None:
        super().__init__(child=StrictCharField(max_length=item_length), max_length=max_length, **kwargs)

    def to_internal_value(self, data: Any) -> list[str]:
        if not isinstance(data, list):
            self.fail("not_a_list")
        if len(data) > self.max_length:
            self.fail("max_length", max_length=self.max_length)
        texts = super().to_internal_value(data)
        if len(set(texts)) < len(texts):
            self.fail("duplicate")
        return texts


@extend_schema_field({"type": "object", "additionalProperties": {}})
class JSONObjectField(serializers.Field):
    """Any JSON object of at most ``max_bytes`` (as compact UTF-8), with whatever inside."""

    default_error_messages = {
        "invalid": "Send an object.",
        "too_large": "This object is larger than {max_bytes} bytes.",
    }

    def __init__(self, *, max_bytes: int, **kwargs: Any) -> None:
        self.max_bytes = max_bytes
        super().__init__(**kwargs)

    def to_internal_value(self, data: Any) -> dict[str, Any]:
        if not isinstance(data, dict):
            self.fail("invalid")
        if len(json.dumps(data, ensure_ascii=False, separators=(",", ":")).encode()) > self.max_bytes:
            self.fail("too_large", max_bytes=f"{self.max_bytes:,}")
        return data

    def to_representation(self, value: dict[str, Any]) -> dict[str, Any]:
        return value


_HOST_AND_PATH = re.compile(r"[^\s\x00-\x1f\x7f\\<>\"]+")


@extend_schema_field({"type": "string", "format": "uri", "pattern": "^https?://", "maxLength": 2000})
class StrictURLField(StrictCharField):
    """An ``http`` or ``https`` address of at most 2,000 characters, for people to follow; never with a user name in it.

    It is shown, not fetched: addresses inside the caller's own network are as good as any.
    """

    default_error_messages = {"invalid": "Send an address that starts with https:// or http://."}

    def __init__(self, *, max_length: int = 2000, **kwargs: Any) -> None:
        super().__init__(max_length=max_length, **kwargs)

    def to_internal_value(self, data: Any) -> str:
        text = super().to_internal_value(data)
        try:
            parts = urlsplit(text)
            known = parts.scheme in {"http", "https"} and parts.hostname and parts.username is None
            _ = parts.port  # Raises where it is no number.
        except ValueError:
            known = False
        if not known or not _HOST_AND_PATH.fullmatch(text):
            self.fail("invalid")
        return text
