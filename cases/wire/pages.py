"""Cursor pages over a unique key that grows with age."""

import re
from base64 import b64decode
from typing import Any
from urllib.parse import parse_qs

from django.core.exceptions import ValidationError
from django.db.models import QuerySet
from rest_framework.pagination import Cursor, CursorPagination
from rest_framework.request import Request
from rest_framework.response import Response

from .parser import WireError

_LIMIT = re.compile(r"[1-9][0-9]{0,2}")


class CursorPages(CursorPagination):
    """``{"results", "next", "previous"}``, newest first; ``?limit=`` 1 to 200 rows (50).

    ``ordering`` must be one unique field (a UUIDv7 ``id`` is), so that no row is skipped or shown twice while others
    come in. A cursor or limit that this class did not hand out is a 400.
    """

    ordering = "-id"
    page_size = 50
    max_page_size = 200
    page_size_query_param = "limit"
    page_size_query_description = "Rows on a page, 1 to 200."
    cursor_query_description = "Where the page starts: taken from `next` or `previous` of another page."

    def paginate_queryset(self, queryset: QuerySet, request: Request, view: Any = None) -> list | None:
        self._key = queryset.model._meta.get_field(self.ordering.lstrip("-"))
        return super().paginate_queryset(queryset, request, view)

    def get_page_size(self, request: Request) -> int:
        given = request.query_params.getlist(self.page_size_query_param)
        if not given:
            return self.page_size
        if len(given) > 1 or not _LIMIT.fullmatch(given[0]) or int(given[0]) > self.max_page_size:
            raise WireError("invalid_limit", f"Send limit once, as a whole number from 1 to {self.max_page_size}.")
        return int(given[0])

    def decode_cursor(self, request: Request) -> Cursor | None:
        given = request.query_params.getlist(self.cursor_query_param)
        if not given:
            return None
        try:
            (text,) = given
            tokens = parse_qs(b64decode(text, validate=True).decode("ascii"), strict_parsing=True)
            (position,) = tokens.pop("p")
            reverse = tokens.pop("r", ["0"]) == ["1"]
            if tokens:
                raise ValueError
            self._key.to_python(position)
        except (ValueError, KeyError, ValidationError):
            raise WireError(
                "invalid_cursor", "Send cursor once, as it stands in next or previous of another page."
            ) from None
        return Cursor(offset=0, reverse=reverse, position=position)

    def get_paginated_response(self, data: list) -> Response:
        return Response({"results": data, "next": self.get_next_link(), "previous": self.get_previous_link()})

    def get_paginated_response_schema(self, schema: dict) -> dict:
        link = {"type": "string", "format": "uri", "nullable": True}
        return {
            "type": "object",
            "required": ["results", "next", "previous"],
            "properties": {"results": schema, "next": link, "previous": link},
        }
