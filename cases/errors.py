"""The errors of the domain: nouns with codes.

A service raises one; its ``code`` reaches the API's problem document and its message the reader, unchanged. The message
says what happened, what was kept and what to do next, and repeats nothing of the input.
"""


class CountersignError(Exception):
    """Something the caller can act on.

    ``code`` is stable and machine-readable, ``status`` the HTTP status, ``title`` the same for every occurrence,
    ``pointer`` is a JSON Pointer (RFC 6901) into the request's body where one is known.
    """

    code: str = "refused"
    status: int = 400
    title: str = "The request was refused"
    retry_after: int | None = None  # seconds

    def __init__(self, message: str = "", *, pointer: str | None = None) -> None:
        self.message = message or f"{self.title}."
        self.pointer = pointer
        super().__init__(self.message)

    @property
    def places(self) -> tuple[tuple[str, str, str], ...]:
        """``(pointer, code, message)`` of each part of the body that is at fault; none where that is not known."""
        return ((self.pointer, self.code, self.message),) if self.pointer is not None else ()


class NotPermitted(CountersignError):
    """Yours to see, but not to do."""

    code = "not_permitted"
    status = 403
    title = "You may not do this"


class NotFound(CountersignError):
    """Absent, or another tenant's: the answer is the same, and its message never leaves the server."""

    code = "not_found"
    status = 404
    title = "Not found"


class Conflict(CountersignError):
    """Another row already has this place."""

    code = "conflict"
    status = 409
    title = "This conflicts with what is stored"


class IllegalState(Conflict):
    """The thing is not in a state that allows this."""

    code = "illegal_state"
    title = "The current state does not allow this"


class InFlight(Conflict):
    """The same keyed request is running at this moment; ``retry_after`` is in seconds."""

    code = "in_flight"
    title = "The same request is still running"

    def __init__(self, message: str = "", *, pointer: str | None = None, retry_after: int = 1) -> None:
        self.retry_after = retry_after
        super().__init__(message, pointer=pointer)


class Stale(CountersignError):
    """What the caller saw has changed since: a payload hash, a generation or a version."""

    code = "stale"
    status = 412
    title = "What you saw has changed"


class KeyReused(CountersignError):
    """An idempotency key that already belongs to another request."""

    code = "key_reused"
    status = 422
    title = "This idempotency key belongs to another request"
