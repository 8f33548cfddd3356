"""What the caller is told about a failure: the content of a problem document (RFC 9457), whatever raised it."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Any

from django.core.exceptions import BadRequest, PermissionDenied, RequestDataTooBig, SuspiciousOperation
from django.db import InterfaceError, OperationalError
from django.http import Http404, UnreadablePostError
from rest_framework import exceptions

from ..errors import CountersignError
from .pointers import pointer

MAX_ERRORS = 200
RETRY_SECONDS = 2  # After a lock timeout, a deadlock or a restart of the database.


@dataclass(frozen=True)
class Problem:
    """A problem document before it is written; ``errors`` are ``(pointer, code, detail)``."""

    status: int
    code: str
    title: str
    detail: str
    errors: tuple[tuple[str, str, str], ...] = ()
    headers: dict[str, str] = field(default_factory=dict)


# One answer to each status, whichever exception led to it: in particular every 404 is the same.
BY_STATUS = {
    400: ("bad_request", "The request cannot be read", "The request is malformed. Nothing was stored."),
    401: ("not_authenticated", "Not authenticated", "Send a valid token: Authorization: Token …"),
    403: ("not_permitted", "You may not do this", "Your account is not permitted to do this. Nothing was changed."),
    404: (
        "not_found",
        "Not found",
        "There is nothing here that you may see. Check the address, its closing slash and the id.",
    ),
    405: ("method_not_allowed", "Method not allowed", "This address does not take this method: see the Allow header."),
    406: ("not_acceptable", "Not acceptable", "The API answers in application/json: accept that."),
    411: ("length_required", "Length required", "Send the body with a Content-Length. Nothing was stored."),
    413: ("body_too_large", "The request cannot be read", "The body is too large. Nothing was stored."),
    415: ("unsupported_media_type", "Unsupported media type", "Send the body as application/json. Nothing was stored."),
    429: ("throttled", "Too many requests", "Too many requests: wait as long as Retry-After says."),
    500: (
        "internal_error",
        "Internal error",
        "Something failed on our side. Send the request again with the same Idempotency-Key, and quote request_id.",
    ),
    503: (
        "unavailable",
        "Temporarily unavailable",
        "The database did not answer in time. Nothing was stored: send the request again.",
    ),
}


def problem_for_status(status: int, **headers: str) -> Problem:
    """The standing answer to a status; another 4xx gets its standard phrase."""
    if status not in BY_STATUS:
        phrase = HTTPStatus(status).phrase if status in HTTPStatus._value2member_map_ else "Refused"
        return Problem(status, phrase.lower().replace(" ", "_"), phrase, f"{phrase}.", headers=headers)
    return Problem(status, *BY_STATUS[status], headers=headers)


def problem_of(exc: Exception) -> Problem | None:
    """What the caller is told about ``exc``, or None where it is our fault."""
    match exc:
        case CountersignError():
            return _domain_problem(exc)
        case exceptions.ValidationError():
            return _validation_problem(exc)
        case exceptions.Throttled():
            return problem_for_status(429, **{"Retry-After": str(exc.wait or 1)})
        case exceptions.AuthenticationFailed() if exc.status_code == 401:
            found = Problem(401, "authentication_failed", BY_STATUS[401][1], str(exc.detail))
            found.headers["WWW-Authenticate"] = getattr(exc, "auth_header", "Token")
            return found
        case exceptions.NotAuthenticated() if exc.status_code == 401:
            return problem_for_status(401, **{"WWW-Authenticate": getattr(exc, "auth_header", "Token")})
        case exceptions.APIException() if exc.status_code < 500:
            return problem_for_status(exc.status_code)
        case exceptions.APIException():
            return None
        case Http404():
            return problem_for_status(404)
        case PermissionDenied():
            return problem_for_status(403)
        case RequestDataTooBig():
            return problem_for_status(413)
        case SuspiciousOperation() | BadRequest() | UnreadablePostError():
            return problem_for_status(400)
        case OperationalError() | InterfaceError():
            # Canceled statements, lock timeouts, deadlocks, an exhausted pool, a restart: all pass by themselves.
            return problem_for_status(503, **{"Retry-After": str(RETRY_SECONDS)})
    return None


def _domain_problem(exc: CountersignError) -> Problem:
    headers = {"Retry-After": str(exc.retry_after)} if exc.retry_after is not None else {}
    if exc.status == 404:
        return problem_for_status(404)
    return Problem(exc.status, exc.code, exc.title, exc.message, exc.places[:MAX_ERRORS], headers)


def _validation_problem(exc: exceptions.ValidationError) -> Problem:
    errors = tuple(_flatten(exc.detail, ()))
    detail = "One field was refused." if len(errors) == 1 else f"{len(errors)} fields were refused."
    if len(errors) > MAX_ERRORS:
        detail += f" The first {MAX_ERRORS} are listed."
    return Problem(400, "invalid", "The request is not valid", f"{detail} Nothing was stored.", errors[:MAX_ERRORS])


def _flatten(detail: Any, path: tuple[str | int, ...]) -> Iterator[tuple[str, str, str]]:
    """DRF's nested dicts and lists of errors → ``(pointer, code, message)``, in the order of the fields."""
    if isinstance(detail, dict):
        for key, inner in detail.items():
            yield from _flatten(inner, path if key == "non_field_errors" else (*path, key))
    elif isinstance(detail, list):
        for index, inner in enumerate(detail):
            yield from _flatten(inner, path if isinstance(inner, str) else (*path, index))
    else:
        yield pointer(path), getattr(detail, "code", None) or "invalid", str(detail)
