"""The page that the ``type`` of every problem document points to: one entry for each code."""

from collections.abc import Iterator

from django.http import HttpRequest, HttpResponse
from django.utils.html import format_html, format_html_join

from ..errors import CountersignError
from .documents import BY_STATUS
from .parser import WireError

# Codes that are not a class of their own: what the bytes, the headers or the address of a request can be refused for.
WIRE_CODES = {
    "authentication_failed": (401, "The token is malformed, unknown or expired, or its account is closed."),
    "bad_address": (400, "The path or the query holds a NUL character, or is not UTF-8 once decoded."),
    "body_unreadable": (400, "The connection ended before the whole body had arrived."),
    "byte_order_mark": (400, "The body starts with a byte order mark."),
    "duplicate_key": (400, "A key stands twice in the same object."),
    "empty_parameter": (400, "A parameter of the query was sent twice, or without a value."),
    "invalid": (400, "One or more fields were refused: each stands in errors with a pointer."),
    "invalid_cursor": (400, "The cursor is none that a page handed out."),
    "invalid_idempotency_key": (400, "The Idempotency-Key is empty, longer than 255, or not visible ASCII."),
    "invalid_limit": (400, "The limit is no whole number from 1 to 200."),
    "lone_surrogate": (400, "A text holds half a surrogate pair."),
    "not_a_number": (400, "NaN and Infinity are not JSON."),
    "not_json": (400, "The body is not valid JSON."),
    "not_utf8": (400, "The body is not valid UTF-8."),
    "nul": (400, "A text holds a NUL character."),
    "number_too_large": (400, "A number is beyond 2^53 - 1 and would not arrive unchanged everywhere."),
    "too_deep": (400, "The body is nested deeper than 32 levels."),
    "unknown_host": (400, "The Host header names no host that is served here."),
    "unknown_parameter": (400, "The query holds a parameter that this address does not know."),
    "unsupported_charset": (415, "The charset is not UTF-8."),
    "unsupported_encoding": (415, "The body is compressed."),
}

_PAGE = """<!doctype html>
<html lang="en"><meta charset="utf-8"><title>{0}</title>
<h1>{0}</h1>
<dl>
{1}
</dl></html>
"""


def catalogue() -> dict[str, tuple[int, str]]:
    """Every code with its status and meaning, in alphabetical order."""
    entries = dict(WIRE_CODES)
    entries |= {code: (status, f"{title}. {detail}") for status, (code, title, detail) in BY_STATUS.items()}
    for error in _subclasses(CountersignError):
        if not issubclass(error, WireError):
            entries.setdefault(error.code, (error.status, f"{error.title}. {_first_line(error)}"))
    return dict(sorted(entries.items()))


def errors_page(request: HttpRequest) -> HttpResponse:
    """Plain HTML without a style, so that it needs no exception from any policy."""
    rows = ((code, code, status, meaning) for code, (status, meaning) in catalogue().items())
    listed = format_html_join("\n", '<dt id="{}"><code>{}</code> ({})</dt>\n<dd>{}</dd>', rows)
    return HttpResponse(format_html(_PAGE, "Errors of the Countersign API", listed))


def _subclasses(error: type[CountersignError]) -> Iterator[type[CountersignError]]:
    for child in error.__subclasses__():
        yield child
        yield from _subclasses(child)


def _first_line(error: type[CountersignError]) -> str:
    return (error.__doc__ or "").strip().split("\n")[0]
