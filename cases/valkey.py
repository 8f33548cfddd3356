"""A client of the cache's server for what is asked on the way of a request: it gives up at once."""

from functools import cache

from django.conf import settings
from redis import Redis
from redis.backoff import NoBackoff
from redis.retry import Retry

CALL_SECONDS = 0.1  # for Valkey to take a connection, and to answer


@cache
def client() -> Redis:
    """Clients of our own on the cache's server: Django's waits for a silent one for ever."""
    return Redis.from_url(
        settings.CACHES["default"]["LOCATION"],
        socket_timeout=CALL_SECONDS,
        socket_connect_timeout=CALL_SECONDS,
        retry=Retry(NoBackoff(), 1),  # A pooled connection may have died with the server that it led to.
    )
