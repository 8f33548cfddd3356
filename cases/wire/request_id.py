"""The id of the request that is being answered, for logs, history rows and problem documents."""

import re
from contextvars import ContextVar
from uuid import uuid4

current_request_id: ContextVar[str] = ContextVar("current_request_id", default="")

_ACCEPTABLE = re.compile(r"[A-Za-z0-9._-]{1,64}", re.ASCII)


def choose(incoming: str | None) -> str:
    """The caller's own id where it is harmless in a log line, else a new one."""
    if incoming and _ACCEPTABLE.fullmatch(incoming):
        return incoming
    return str(uuid4())
