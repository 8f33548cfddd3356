"""Conditional GET: an answer that is still what its reader has is a 304 without a body (RFC 9110, section 13).

The tag is a digest of the rendered answer and so of what this caller may see of it: nothing has to be kept in step, and
no tag tells of anything that the answer does not show.
"""

import hashlib
from collections.abc import Callable
from functools import wraps
from typing import Any

from django.http import HttpResponse, HttpResponseNotModified
from django.utils.http import parse_etags
from drf_spectacular.utils import OpenApiParameter, OpenApiResponse
from rest_framework.request import Request
from rest_framework.response import Response

CACHE_CONTROL = "private, no-cache"  # A client may keep it, and asks each time whether it still holds.
_CARRIED = ("Cache-Control", "ETag", "Vary")

IF_NONE_MATCH = OpenApiParameter(
    "If-None-Match",
    {"type": "string"},
    OpenApiParameter.HEADER,
    description="The ETag of the answer that you have. Where nothing has changed you get 304 and no body.",
)
ETAG = OpenApiParameter(
    "ETag",
    {"type": "string"},
    OpenApiParameter.HEADER,
    required=True,
    response=[200, 304],
    description="Names this state of the answer: send it as If-None-Match.",
)
NOT_MODIFIED = OpenApiResponse(description="Nothing has changed")

Handler = Callable[..., Response]


def conditional(handler: Handler) -> Handler:
    """Wraps a DRF view's ``get``: its 200 carries an ``ETag``, or becomes a 304 for who has it already."""

    @wraps(handler)
    def tagged(view: Any, request: Request, *args: Any, **kwargs: Any) -> Response:
        response = handler(view, request, *args, **kwargs)
        if response.status_code == 200:
            response["Cache-Control"] = CACHE_CONTROL
            known = request.META.get("HTTP_IF_NONE_MATCH", "")
            response.add_post_render_callback(lambda rendered: _tag(rendered, known))
        return response

    return tagged


def _tag(response: HttpResponse, known: str) -> HttpResponse:
    response["ETag"] = f'"{hashlib.sha256(response.content).hexdigest()[:32]}"'
    if not _is_known(response["ETag"], known):
        return response
    short = HttpResponseNotModified()
    for name in _CARRIED:
        if name in response:
            short[name] = response[name]
    return short


def _is_known(etag: str, known: str) -> bool:
    """Weak comparison: a proxy that compressed the answer has marked our tag as weak."""
    tags = parse_etags(known)
    return "*" in tags or etag in (tag.removeprefix("W/") for tag in tags)
