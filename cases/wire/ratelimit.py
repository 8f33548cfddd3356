"""So many requests a minute for each token, counted in Valkey in one atomic step, however many workers ask at once.

A fixed window: it opens with a token's first request, lasts a minute and admits the tenant's ``requests_per_minute``.
Around its end up to twice as many can pass within a minute, which protects the servers well enough; in return the
limit is exact within a window, and the headers say plainly what is left and until when.

Headers: ``RateLimit-Policy`` and ``RateLimit`` as in draft-ietf-httpapi-ratelimit-headers-09, and beside them
``RateLimit-Limit``, ``-Remaining`` and ``-Reset`` of its revisions up to 06, which most clients read.

Without Valkey nothing is limited: a case that is turned away is lost to its caller, and counting is not worth that.
"""

import time
from collections.abc import Callable
from dataclasses import dataclass
from math import ceil
from typing import Any

import structlog
from django.db.models import Max
from django.http import HttpRequest, HttpResponse
from redis import RedisError
from rest_framework.request import Request
from rest_framework.throttling import BaseThrottle

from ..models import Tenant, User
from ..valkey import client as _valkey

log = structlog.get_logger(__name__)

WINDOW_SECONDS = 60
DEFAULT_LIMIT = Tenant._meta.get_field("requests_per_minute").default

QUIET_SECONDS = 5.0  # After a failure it is left alone so long: requests do not queue up behind a dead server.

# The window's first request opens it; the limit is read from the database once in each window and kept beside.
_COUNT = """
local count = redis.call('HINCRBY', KEYS[1], 'count', 1)
if count == 1 then redis.call('PEXPIRE', KEYS[1], ARGV[1]) end
return {count, redis.call('PTTL', KEYS[1]), tonumber(redis.call('HGET', KEYS[1], 'limit') or 0)}
"""
_KEEP_LIMIT = """
if redis.call('EXISTS', KEYS[1]) == 1 then redis.call('HSET', KEYS[1], 'limit', ARGV[1]) end
"""

_quiet_until = 0.0


@dataclass(frozen=True)
class Quota:
    """Where a token stands in its window: this was request ``count`` of ``limit``; it ends in ``reset`` seconds."""

    limit: int
    count: int
    reset: int

    @property
    def is_exceeded(self) -> bool:
        return self.count > self.limit

    @property
    def remaining(self) -> int:
        return max(0, self.limit - self.count)

    def headers(self) -> dict[str, str]:
        return {
            "RateLimit-Policy": f'"minute";q={self.limit};w={WINDOW_SECONDS}',
            "RateLimit": f'"minute";r={self.remaining};t={self.reset}',
            "RateLimit-Limit": str(self.limit),
            "RateLimit-Remaining": str(self.remaining),
            "RateLimit-Reset": str(self.reset),
        }


class TokenRateThrottle(BaseThrottle):
    """DRF's throttle. What has no token, the schema and the docs, is not counted."""

    def allow_request(self, request: Request, view: Any) -> bool:
        digest = getattr(request.auth, "digest", None)
        self.quota = count_request(digest, request.user) if digest else None
        if self.quota is None:
            return True
        request._request.quota = self.quota  # For the middleware, which writes the headers.
        return not self.quota.is_exceeded

    def wait(self) -> float | None:
        return self.quota.reset if self.quota else None


class RateLimitMiddleware:
    """Says on each counted answer where its token stands."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        response = self.get_response(request)
        if quota := getattr(request, "quota", None):
            for name, value in quota.headers().items():
                response[name] = value
        return response


def count_request(digest: str, user: User) -> Quota | None:
    """Count one request of the token with this digest; None, and nothing counted, where Valkey does not answer."""
    return count_in(window(digest), lambda: limit_of(user))


def count_in(key: str, limit_for_key: Callable[[], int]) -> Quota | None:
    """Count one request in the window ``key``, whose limit is asked for once; None where Valkey does not answer."""
    global _quiet_until
    if time.monotonic() < _quiet_until:
        return None
    try:
        count, milliseconds, limit = _valkey().eval(_COUNT, 1, key, WINDOW_SECONDS * 1000)
        if not limit:
            limit = limit_for_key()
            _valkey().eval(_KEEP_LIMIT, 1, key, limit)
    except RedisError as error:
        _quiet_until = time.monotonic() + QUIET_SECONDS
        log.warning("rate_limits_off", error=type(error).__name__, quiet_seconds=QUIET_SECONDS)
        return None
    return Quota(limit, count, max(1, ceil(milliseconds / 1000)))


def window(digest: str) -> str:
    """The key of a token's window; a part of the digest tells tokens apart and authenticates nobody."""
    return f"ratelimit:{digest[:32]}"


def limit_of(user: User) -> int:
    """Requests a minute for each token of ``user``: their tenant's setting, the highest where they have several."""
    tenants = Tenant.objects.filter(is_active=True, memberships__user=user, memberships__is_active=True)
    return tenants.aggregate(limit=Max("requests_per_minute"))["limit"] or DEFAULT_LIMIT
