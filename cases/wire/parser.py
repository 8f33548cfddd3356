"""Strict JSON: one reading of the bytes, or a clear refusal.

What is accepted is I-JSON (RFC 7493) that survives RFC 8785 canonicalisation and PostgreSQL's ``jsonb``: UTF-8, no
duplicate keys, no NUL, no lone surrogates, and no number that a double would change. No message repeats the input.
"""

import hashlib
import json
import re
from collections.abc import Iterator
from typing import Any, BinaryIO

from django.conf import settings
from django.http import UnreadablePostError
from django.utils.http import parse_header_parameters
from rest_framework.parsers import BaseParser

from ..errors import CountersignError
from .pointers import pointer

MAX_DEPTH = 32
MAX_INTEGER = 2**53 - 1  # The largest integer that every JSON reader gets right (RFC 8785, section 3.2.2.3).
_READ_BYTES = 64 * 1024

# Consumes whole strings, so that brackets inside them do not count. Possessive: linear on any input.
_TOKENS = re.compile(r'"(?:[^"\\]++|\\.)*+"?|[\[{]|[\]}]', re.DOTALL)
# A NUL or half a surrogate pair can only be written as an escape; raw ones fail earlier.
_DOUBTFUL_ESCAPE = re.compile(r"\\u(?:0000|[dD][89a-fA-F])")
_SURROGATE = re.compile("[\ud800-\udfff]")

_SEND_AS_STRING = "This number is too large to arrive unchanged everywhere: send it as a string."


class WireError(CountersignError):
    """The bytes of a request cannot be read, or its headers and query cannot be understood."""

    title = "The request cannot be read"

    def __init__(self, code: str, message: str, *, status: int = 400, pointer: str | None = None) -> None:
        self.code, self.status = code, status
        super().__init__(message, pointer=pointer)


class _Refused:
    """Stands in the parsed tree for a value that must not pass, until its place is known."""

    def __init__(self, code: str, message: str, key: str | None = None) -> None:
        self.code, self.message, self.key = code, message, key


class _Reading:
    """The hooks of one ``json.loads``; ``doubtful`` once any of them refused something."""

    def __init__(self) -> None:
        self.doubtful = False

    def refuse(self, code: str, message: str, key: str | None = None) -> _Refused:
        self.doubtful = True
        return _Refused(code, message, key)

    def constant(self, name: str) -> _Refused:
        return self.refuse("not_a_number", "NaN and Infinity are not JSON: send null or leave the field out.")

    def integer(self, digits: str) -> int | _Refused:
        # The length first: converting a million digits takes quadratic time.
        if len(digits) > 17 or abs(number := int(digits)) > MAX_INTEGER:
            return self.refuse("number_too_large", _SEND_AS_STRING)
        return number

    def floating(self, digits: str) -> float | _Refused:
        # Beyond 2^53 a double is an integer again, and jsonb would write it as one; this catches 1e400 as well.
        if not abs(number := float(digits)) <= MAX_INTEGER:
            return self.refuse("number_too_large", _SEND_AS_STRING)
        return number

    def pairs(self, pairs: list[tuple[str, Any]]) -> dict[str, Any] | _Refused:
        members = dict(pairs)
        if len(members) == len(pairs):
            return members
        seen: set[str] = set()
        for key, _ in pairs:
            if key in seen:
                break
            seen.add(key)
        return self.refuse("duplicate_key", "This key stands twice in its object: send it once.", key)


def parse_json(raw: bytes, *, max_bytes: int) -> Any:
    """The JSON value in ``raw``; raises ``WireError`` (413 when larger than ``max_bytes``, else 400)."""
    if len(raw) > max_bytes:
        raise _too_large(max_bytes)
    if raw.startswith(b"\xef\xbb\xbf"):
        raise WireError("byte_order_mark", "The body starts with a byte order mark: send plain UTF-8 without one.")
    try:
        text = raw.decode("utf-8")
    except UnicodeDecodeError as error:
        raise WireError("not_utf8", f"The body is not valid UTF-8 at byte {error.start}.") from None
    _check_depth(text)
    reading = _Reading()
    try:
        value = json.loads(
            text,
            object_pairs_hook=reading.pairs,
            parse_int=reading.integer,
            parse_float=reading.floating,
            parse_constant=reading.constant,
        )
    except json.JSONDecodeError as error:
        raise WireError(
            "not_json", f"The body is not valid JSON at line {error.lineno}, column {error.colno}."
        ) from None
    if reading.doubtful or _DOUBTFUL_ESCAPE.search(text):
        _check_values(value)
    return value


def _too_large(max_bytes: int) -> WireError:
    return WireError("body_too_large", f"The body is larger than {max_bytes:,} bytes. Nothing was stored.", status=413)


def _check_depth(text: str) -> None:
    if text.count("[") + text.count("{") <= MAX_DEPTH:
        return
    depth = 0
    for token in _TOKENS.finditer(text):
        mark = token[0]
        if mark in "[{":
            depth += 1
            if depth > MAX_DEPTH:
                raise WireError("too_deep", f"The body is nested deeper than {MAX_DEPTH} levels.")
        elif mark in "]}":
            depth -= 1


def _check_values(value: Any) -> None:
    for path, item in _walk(value, ()):
        if isinstance(item, _Refused):
            raise WireError(item.code, item.message, pointer=pointer(path if item.key is None else (*path, item.key)))
        if isinstance(item, str):
            if "\x00" in item:
                raise WireError("nul", "A NUL character is not allowed in a text.", pointer=pointer(path))
            if _SURROGATE.search(item):
                raise WireError("lone_surrogate", "Half a surrogate pair is not a character.", pointer=pointer(path))


def _walk(value: Any, path: tuple[str | int, ...]) -> Iterator[tuple[tuple[str | int, ...], Any]]:
    """Every scalar with its path, and every key with its object's; at most ``MAX_DEPTH`` deep."""
    if isinstance(value, dict):
        for key, item in value.items():
            yield path, key
            yield from _walk(item, (*path, key))
    elif isinstance(value, list):
        for index, item in enumerate(value):
            yield from _walk(item, (*path, index))
    else:
        yield path, value


class StrictJSONParser(BaseParser):
    """``application/json`` for DRF.

    The limit is the view's ``max_body_bytes``, else ``settings.MAX_BODY_BYTES``. Leaves the SHA-256 of the raw bytes on
    the Django request as ``body_digest``, for idempotency keys.
    """

    media_type = "application/json"

    def parse(self, stream: BinaryIO, media_type: str | None = None, parser_context: dict | None = None) -> Any:
        context = parser_context or {}
        limit = getattr(context.get("view"), "max_body_bytes", None) or settings.MAX_BODY_BYTES
        request = context.get("request")
        _check_headers(media_type or "", request.META if request else {}, limit)
        raw = _read(stream, limit + 1)
        value = parse_json(raw, max_bytes=limit)
        if request is not None:
            getattr(request, "_request", request).body_digest = hashlib.sha256(raw).digest()
        return value


def _check_headers(media_type: str, meta: dict[str, Any], limit: int) -> None:
    charset = parse_header_parameters(media_type)[1].get("charset", "utf-8")
    if charset.lower() not in {"utf-8", "utf8"}:
        raise WireError("unsupported_charset", "JSON is UTF-8: leave the charset out or send utf-8.", status=415)
    if meta.get("HTTP_CONTENT_ENCODING", "identity").strip().lower() not in {"", "identity"}:
        raise WireError("unsupported_encoding", "Send the body uncompressed, without Content-Encoding.", status=415)
    length = str(meta.get("CONTENT_LENGTH") or "")
    if length.isdecimal() and (len(length) > 18 or int(length) > limit):
        raise _too_large(limit)


def _read(stream: BinaryIO, at_most: int) -> bytes:
    chunks, left = [], at_most
    try:
        while left and (chunk := stream.read(min(left, _READ_BYTES))):
            chunks.append(chunk)
            left -= len(chunk)
    except UnreadablePostError:
        raise WireError("body_unreadable", "The connection ended before the whole body had arrived.") from None
    return b"".join(chunks)
