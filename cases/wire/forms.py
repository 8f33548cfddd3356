"""The strict parser for JSON that people type into admin forms."""

import json
from typing import Any

from django import forms
from django.core.exceptions import ValidationError
from django.forms.fields import InvalidJSONInput, JSONString

from .parser import WireError, parse_json

MAX_FORM_BYTES = 200_000


class IndentedJSON(json.JSONEncoder):
    """``encoder=IndentedJSON`` shows a field's value over several lines, as people write it."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**kwargs | {"indent": 2})


class StrictJSONFormField(forms.JSONField):
    """A ``forms.JSONField`` that refuses what the API would refuse.

    For a whole admin: ``formfield_overrides = {models.JSONField: {"form_class": StrictJSONFormField}}``.
    """

    def __init__(self, *, max_bytes: int = MAX_FORM_BYTES, **kwargs: Any) -> None:
        self.max_bytes = max_bytes
        super().__init__(**kwargs)

    def _parse(self, text: str) -> Any:
        # A lone surrogate in the form's text becomes bytes that the parser refuses as no UTF-8.
        return parse_json(text.encode("utf-8", "surrogatepass"), max_bytes=self.max_bytes)

    def to_python(self, value: Any) -> Any:
        if self.disabled or not isinstance(value, str) or isinstance(value, JSONString):
            return None if value in self.empty_values and not self.disabled else value
        if value in self.empty_values:
            return None
        try:
            parsed = self._parse(value)
        except WireError as error:
            place = f" At {error.pointer}." if error.pointer else ""
            raise ValidationError(f"{error.message}{place}", code=error.code) from None
        return JSONString(parsed) if isinstance(parsed, str) else parsed

    def bound_data(self, data: Any, initial: Any) -> Any:
        if self.disabled or data is None:
            return initial if self.disabled else None
        try:
            return self._parse(data)
        except WireError:
            return InvalidJSONInput(data)
