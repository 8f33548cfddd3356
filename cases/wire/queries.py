"""The query of a list, as strict as a body: a typo or an empty value must not list everything."""

from collections.abc import Collection
from datetime import datetime
from typing import Any

from django import forms
from django.core.exceptions import ValidationError
from django_filters import rest_framework as filters
from rest_framework import serializers
from rest_framework.request import Request

from .fields import AwareDateTimeField
from .parser import WireError

PAGE_PARAMETERS = ("limit", "cursor")


def check_query(request: Request, known: Collection[str] = (), *, paged: bool = True) -> None:
    """Raises ``WireError`` unless each parameter is one of ``known`` or a page's, sent once and not empty.

    ``paged`` is False for a list that comes whole.
    """
    taken = (*known, *(PAGE_PARAMETERS if paged else ()))
    for name, values in request.query_params.lists():
        if name not in taken:
            listed = ", ".join(taken) or "none"
            raise WireError("unknown_parameter", f"There is a parameter that is not known here. Known: {listed}.")
        if len(values) > 1 or not values[0].strip():
            raise WireError("empty_parameter", f"Send {name} once and with a value, or leave it out.")


class _InstantField(forms.Field):
    def to_python(self, value: Any) -> datetime | None:
        if value in self.empty_values:
            return None
        try:
            return AwareDateTimeField().to_internal_value(value)
        except serializers.ValidationError as error:
            raise ValidationError([ValidationError(str(item), code=item.code) for item in error.detail]) from None


class InstantFilter(filters.IsoDateTimeFilter):
    """An instant with its offset from UTC, as in a body."""

    field_class = _InstantField
