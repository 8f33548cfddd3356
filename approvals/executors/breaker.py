"""A breaker per tenant and host: after ``FAILURES`` failures in a row nothing is sent for ``PAUSE`` seconds, then one
call finds out whether the host is back while the others go on waiting.

All workers share it in Valkey. Where that does not answer, each process keeps its own: a breaker spares a host that is
down and our workers' time, and no promise rests on it.
"""

import time
from dataclasses import dataclass
from math import ceil
from threading import Lock

import structlog
from redis import RedisError

from cases import valkey

log = structlog.get_logger(__name__)

FAILURES = 5
PAUSE = 30  # seconds
PROBE = 60  # seconds that the finding out may take before somebody else may try: longer than any call.
MEMORY = 600  # seconds after which failures are forgotten
QUIET_SECONDS = 5.0  # After a failure Valkey is left alone so long.
MOST_LOCAL = 1_000  # hosts

# One step each, with the server's clock. ``open_until`` in milliseconds; a probe's turn reopens the breaker for others.
_WAIT = """
local now = redis.call('TIME'); now = now[1] * 1000 + math.floor(now[2] / 1000)
local open_until = tonumber(redis.call('HGET', KEYS[1], 'open_until') or 0)
if open_until == 0 then return 0 end
if now < open_until then return open_until - now end
redis.call('HSET', KEYS[1], 'open_until', now + ARGV[1])
return 0
"""
_FAILED = """
local now = redis.call('TIME'); now = now[1] * 1000 + math.floor(now[2] / 1000)
local failures = redis.call('HINCRBY', KEYS[1], 'failures', 1)
if failures >= tonumber(ARGV[1]) then redis.call('HSET', KEYS[1], 'open_until', now + ARGV[2]) end
redis.call('PEXPIRE', KEYS[1], ARGV[3])
return failures
"""

_quiet_until = 0.0
_local: dict[str, tuple[int, float]] = {}  # failures, and the monotonic instant until which it is open
_lock = Lock()


@dataclass(frozen=True)
class Circuit:
    """``name`` tells circuits apart: a tenant and a host."""

    name: str

    @property
    def key(self) -> str:
        return f"breaker:{self.name}"

    def wait(self) -> int:
        """Seconds that a call has to wait, 0 for go; who gets the 0 after a pause is the probe."""
        shared = _shared(lambda client: client.eval(_WAIT, 1, self.key, PROBE * 1000))
        return ceil(shared / 1000) if shared is not None else self._local_wait()

    def succeeded(self) -> None:
        with _lock:
            _local.pop(self.key, None)
        _shared(lambda client: client.delete(self.key))

    def failed(self) -> None:
        shared = _shared(lambda client: client.eval(_FAILED, 1, self.key, FAILURES, PAUSE * 1000, MEMORY * 1000))
        if shared is None:
            with _lock:
                failures = _local.get(self.key, (0, 0.0))[0] + 1
                if len(_local) >= MOST_LOCAL:
                    _local.clear()
                _local[self.key] = (failures, time.monotonic() + PAUSE if failures >= FAILURES else 0.0)

    def _local_wait(self) -> int:
        now = time.monotonic()
        with _lock:
            failures, open_until = _local.get(self.key, (0, 0.0))
            if now < open_until:
                return ceil(open_until - now)
            if open_until:
                _local[self.key] = (failures, now + PROBE)
            return 0


def _shared(ask):
    """What Valkey answers, or None where it does not."""
    global _quiet_until
    if time.monotonic() < _quiet_until:
        return None
    try:
        return ask(valkey.client())
    except RedisError as error:
        _quiet_until = time.monotonic() + QUIET_SECONDS
        log.warning("breaker_not_shared", error=type(error).__name__, quiet_seconds=QUIET_SECONDS)
        return None
