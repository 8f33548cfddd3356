"""Every failure of the API as a problem document (RFC 9457).

``handle`` is DRF's exception handler; ``ProblemMiddleware`` covers what fails outside DRF. Both end in ``respond``, so
that the same failure has the same bytes whichever way it came.
"""

import json
import logging
import re
from collections.abc import Callable
from typing import Any
from urllib.parse import unquote_to_bytes

import structlog
from django.conf import settings
from django.core.exceptions import DisallowedHost
from django.core.signals import got_request_exception
from django.dispatch import receiver
from django.http import HttpRequest, HttpResponse, HttpResponseBadRequest
from django_structlog.signals import bind_extra_request_metadata

from ..client_address import client_address
from .documents import Problem, problem_for_status, problem_of
from .request_id import choose, current_request_id

logger = logging.getLogger(__name__)

API_PREFIX = "/api/"
CONTENT_TYPE = "application/problem+json"
_KEPT_HEADERS = ("Allow", "Retry-After", "WWW-Authenticate")
_SAFE_METHODS = {"GET", "HEAD", "OPTIONS"}


def respond(problem: Problem) -> HttpResponse:
    """The document as bytes; a plain Django response, so that no renderer of the view can change it."""
    document = {
        "type": f"{settings.PUBLIC_URL}/api/docs/errors#{problem.code}",
        "title": problem.title,
        "status": problem.status,
        "detail": problem.detail,
        "code": problem.code,
        "request_id": current_request_id.get(),
        "errors": [{"pointer": at, "code": code, "detail": detail} for at, code, detail in problem.errors],
    }
    body = json.dumps(document, ensure_ascii=False, separators=(",", ":")).encode()
    return HttpResponse(body, status=problem.status, content_type=CONTENT_TYPE, headers=problem.headers)


def handle(exc: Exception, context: dict[str, Any]) -> HttpResponse:
    """DRF's ``EXCEPTION_HANDLER``."""
    request = context.get("request")
    return answer(exc, getattr(request, "_request", request))


def answer(exc: Exception, request: HttpRequest | None) -> HttpResponse:
    """The response to any exception; one that is our fault is logged, announced and told to nobody."""
    problem = problem_of(exc)
    if problem is None:
        logger.error("Unexpected %s, request %s", type(exc).__name__, current_request_id.get(), exc_info=exc)
        # Error monitors and the test client listen to this signal; Django sends it only for what leaves a view.
        got_request_exception.send(sender=None, request=request)
        problem = problem_for_status(500)
    elif problem.status == 503:
        logger.warning("Database unavailable, request %s: %s", current_request_id.get(), type(exc).__name__)
    return respond(problem)


class ProblemMiddleware:
    """Stands first, so that nothing answers before it.

    Sets ``request.request_id`` and ``current_request_id``, sends it back as ``X-Request-ID``. Below ``/api/`` no answer
    may be stored by a cache, and each 4xx and 5xx is ``application/problem+json``.
    """

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        request.request_id = choose(request.META.get("HTTP_X_REQUEST_ID"))
        token = current_request_id.set(request.request_id)
        try:
            with structlog.contextvars.bound_contextvars(request_id=request.request_id):
                inner = self._api if request.path_info.startswith(API_PREFIX) else self._page
                response = inner(request)
        finally:
            current_request_id.reset(token)
        response["X-Request-ID"] = request.request_id
        return response

    def process_exception(self, request: HttpRequest, exc: Exception) -> HttpResponse | None:
        """What a view that is not DRF's raised."""
        return answer(exc, request) if request.path_info.startswith(API_PREFIX) else None

    def _page(self, request: HttpRequest) -> HttpResponse:
        if _is_unreadable(request):
            return HttpResponseBadRequest("The address cannot be read.")
        return self.get_response(request)

    def _api(self, request: HttpRequest) -> HttpResponse:
        response = _refuse_early(request) or self.get_response(request)
        if _is_lost_redirect(request, response):
            response = _problem(404)
        elif response.status_code >= 400 and not response.get("Content-Type", "").startswith(CONTENT_TYPE):
            kept = {name: response[name] for name in _KEPT_HEADERS if name in response}
            response = _problem(response.status_code, **kept)
        response.setdefault("Cache-Control", "no-store")
        return response


def _problem(status: int, **headers: str) -> HttpResponse:
    return respond(problem_for_status(status, **headers))


def _refuse_early(request: HttpRequest) -> HttpResponse | None:
    try:
        request.get_host()
    except DisallowedHost:
        return respond(Problem(400, "unknown_host", "The request cannot be read", "This host name is not served here."))
    if _is_unreadable(request):
        detail = "The address holds a NUL character or is not UTF-8 once decoded."
        return respond(Problem(400, "bad_address", "The request cannot be read", detail))
    if "HTTP_TRANSFER_ENCODING" in request.META and not request.META.get("CONTENT_LENGTH"):
        return _problem(411)  # Django would read an empty body and answer as if nothing had been sent.
    return None


def _is_unreadable(request: HttpRequest) -> bool:
    """Whether the address holds what PostgreSQL takes in no text: a NUL, or bytes that are not UTF-8."""
    query = unquote_to_bytes(request.META.get("QUERY_STRING", "").encode("iso-8859-1"))
    return "\x00" in request.path_info or b"\x00" in query or not _is_utf8(query)


def _is_utf8(raw: bytes) -> bool:
    try:
        raw.decode()
    except UnicodeDecodeError:
        return False
    return True


def _is_lost_redirect(request: HttpRequest, response: HttpResponse) -> bool:
    """Whether ``APPEND_SLASH`` would turn a POST into a GET and lose its body."""
    # A redirect to HTTPS has a scheme and a host, and stays.
    if response.status_code != 301 or request.method in _SAFE_METHODS:
        return False
    return re.match("/[^/]", response.get("Location", "")) is not None


@receiver(bind_extra_request_metadata)
def _in_our_words(sender, request: HttpRequest, **kwargs) -> None:
    """django-structlog makes an id of its own: log lines carry ours instead, and the address as our proxies vouch."""
    structlog.contextvars.bind_contextvars(ip=client_address(request))
    if request_id := getattr(request, "request_id", None):
        structlog.contextvars.bind_contextvars(request_id=request_id)
