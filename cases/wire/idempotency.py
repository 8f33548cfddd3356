"""Keyed POSTs: sent twice, done once, answered alike.

Follows draft-ietf-httpapi-idempotency-key-header: 400 for a malformed key, 409 while the first request is running,
422 for a key that belongs to another request. The answer is stored in the transaction of its effect, so
neither exists alone.
"""

import hashlib
import json
import re
from collections.abc import Callable
from datetime import timedelta
from functools import partial, wraps
from typing import Any
from uuid import UUID

from django.db import connection, transaction
from drf_spectacular.utils import OpenApiParameter
from rest_framework.renderers import JSONRenderer
from rest_framework.request import Request
from rest_framework.response import Response

from ..clock import db_now
from ..errors import InFlight, KeyReused
from ..models import IdempotencyKey
from .parser import WireError

KEPT = timedelta(days=7)
REPLAYED = "Idempotency-Replayed"
HEADER = OpenApiParameter(
    "Idempotency-Key",
    {"type": "string", "pattern": "^[!-~]{1,255}$"},
    OpenApiParameter.HEADER,
    description="Your own key for this request, 1 to 255 visible ASCII characters. Sent again within seven days with "
    "the same body, it gets the first answer again and nothing is done twice.",
)

_KEY = re.compile(r"[\x21-\x7e]{1,255}")
_NO_BODY = hashlib.sha256(b"").digest()

Handler = Callable[..., Response]


def idempotent(handler: Handler | None = None, *, prepare: Callable[..., Any] | None = None) -> Any:
    """Wraps a DRF view's ``post``; without the header the view runs as if this were not here.

    With it, the whole handler runs in one transaction. Only 2xx answers are kept: a refused request may be mended and
    sent again under the same key.

    ``prepare`` takes what the handler takes and runs before that transaction, unless the key's answer is known: for
    what may wait. The handler gets what it returns as ``prepared``.
    """
    if handler is None:
        return partial(idempotent, prepare=prepare)

    def prepared(view: Any, request: Request, *args: Any, **kwargs: Any) -> dict[str, Any]:
        return {**kwargs, "prepared": prepare(view, request, *args, **kwargs)} if prepare else kwargs

    @wraps(handler)
    def keyed(view: Any, request: Request, *args: Any, **kwargs: Any) -> Response:
        given = request.META.get("HTTP_IDEMPOTENCY_KEY")
        if given is None:
            return handler(view, request, *args, **prepared(view, request, *args, **kwargs))
        if not _KEY.fullmatch(given):
            raise WireError("invalid_idempotency_key", "Send an Idempotency-Key of 1 to 255 visible ASCII characters.")
        _ = request.data  # Unreadable JSON is refused before any row is looked at; the parser leaves the digest.
        digest = getattr(request._request, "body_digest", _NO_BODY)
        method_path = f"{request.method} {request.path}"[:300]
        known_keys = IdempotencyKey.objects.filter(caller=request.user, key=given)
        ready = None
        if prepare and not known_keys.exists():
            ready = prepared(view, request, *args, **kwargs)
        with transaction.atomic():
            _lock(request.user.pk, given)
            if known := known_keys.first():
                if known.created_at > db_now() - KEPT:
                    return _replay(known, method_path, digest)
                known.delete()  # Too old to count; purge() has not come by yet.
            response = handler(view, request, *args, **(ready or prepared(view, request, *args, **kwargs)))
            if 200 <= response.status_code < 300:
                _keep(request.user, given, method_path, digest, response)
            return response

    return keyed


def _lock(caller_id: UUID, key: str) -> None:
    """Held until the transaction ends. Waiting for the unique constraint instead would tie up a worker per retry."""
    name = hashlib.sha256(f"idempotency\0{caller_id}\0{key}".encode()).digest()
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_try_advisory_xact_lock(%s)", [int.from_bytes(name[:8], signed=True)])
        if not cursor.fetchone()[0]:
            raise InFlight("The first request with this key is still running. Send this one again in a second.")


def _replay(known: IdempotencyKey, method_path: str, digest: bytes) -> Response:
    if known.method_path != method_path or bytes(known.body_digest) != digest:
        raise KeyReused(
            "This Idempotency-Key was used with another address or body, whose answer is kept. Choose a new key."
        )
    return Response(known.body, status=known.status, headers={REPLAYED: "true"})


def _keep(caller: Any, key: str, method_path: str, digest: bytes, response: Response) -> None:
    data = getattr(response, "data", None)
    body = None if data is None else json.loads(JSONRenderer().render(data))
    IdempotencyKey.objects.create(
        caller=caller,
        key=key,
        method_path=method_path,
        body_digest=digest,
        status=response.status_code,
        body=body,
        created_at=db_now(),
    )


def purge() -> int:
    """Deletes the answers that are older than ``KEPT``; returns how many."""
    deleted, _ = IdempotencyKey.objects.filter(created_at__lte=db_now() - KEPT).delete()
    return deleted
