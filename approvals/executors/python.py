"""Executors in Python: classes with ``preview``, ``execute`` and ``look_up`` that ``settings.ACTION_EXECUTORS`` names.

Only names of that setting can be chosen, so that no form leads to arbitrary code. A call runs in a thread of its own
and is waited for so long and no longer; a thread cannot be ended, so a call that hangs keeps its place until it
returns, and an executor has ``PLACES`` of them in each process.
"""

import threading
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from typing import Any, Literal, get_args

import structlog
from django.conf import settings
from django.db import connections
from django.utils.module_loading import import_string

from . import Call, Executor, NoExecutor, Outcome, Preview, PreviewFailed, State, answers

log = structlog.get_logger(__name__)

PLACES = 8
BUSY_RETRY = 5  # seconds


def names() -> list[str]:
    """What an action type may choose from."""
    return sorted(settings.ACTION_EXECUTORS)


def python_executor(name: str, *, seconds: float) -> "PythonExecutor":
    """The executor of this name. Raises ``NoExecutor``."""
    if name not in settings.ACTION_EXECUTORS:
        raise NoExecutor("This server knows no executor of the name that the action type has: choose another.")
    path = settings.ACTION_EXECUTORS[name]
    return PythonExecutor(_loaded(path), seconds, _places(path))


@cache
def _loaded(path: str) -> Executor:
    return import_string(path)()


@cache
def _places(path: str) -> threading.BoundedSemaphore:
    return threading.BoundedSemaphore(PLACES)


class _Failed(Exception):
    """``was_sent``: the executor's own code may have run."""

    def __init__(self, cause: str, *, was_sent: bool, retry_after: int = 0) -> None:
        self.cause, self.was_sent, self.retry_after = cause, was_sent, retry_after
        super().__init__(cause)


@dataclass(frozen=True)
class PythonExecutor:
    """Holds ``inner`` to the interface: it may raise, hang or return nonsense."""

    inner: Executor
    seconds: float
    places: threading.BoundedSemaphore

    def preview(self, call: Call) -> Preview:
        try:
            found = self._run(self.inner.preview, call)
            if not isinstance(found, Preview):
                raise _Failed("The executor returned no preview.", was_sent=True)
            answers.check_part(found.binding, "binding")
            answers.check_part(found.info, "info")
        except answers.Unreadable as error:
            raise PreviewFailed("preview_unreadable", f"The executor's preview cannot be used. {error}") from None
        except _Failed as error:
            code = "preview_unreadable" if error.was_sent else "preview_not_sent"
            raise PreviewFailed(code, error.cause, retry_after=error.retry_after) from None
        return found

    def execute(self, call: Call) -> Outcome:
        return self._outcome(self.inner.execute, call, ("executed", "failed", "unknown"))

    def look_up(self, call: Call) -> Outcome:
        return self._outcome(self.inner.look_up, call, get_args(State))

    def _outcome(self, method: Callable[[Call], Outcome], call: Call, states: tuple[str, ...]) -> Outcome:
        try:
            found = self._run(method, call)
            if not isinstance(found, Outcome) or found.state not in states:
                raise _Failed("The executor returned no outcome.", was_sent=True)
            answers.check_part(found.detail, "detail")
        except answers.Unreadable as error:
            return Outcome("unknown", {}, f"The executor's outcome cannot be used. {error}")
        except PreviewFailed:
            return Outcome("unknown", {}, "The executor broke off.")
        except _Failed as error:
            return Outcome("unknown", {}, error.cause, was_sent=error.was_sent, retry_after=error.retry_after)
        return found

    def _run(self, method: Callable[[Call], Any], call: Call) -> Any:
        if not self.places.acquire(blocking=False):
            raise _Failed("All places of this executor are taken.", was_sent=False, retry_after=BUSY_RETRY)
        found: list[tuple[Literal["value", "error"], Any]] = []

        def work() -> None:
            try:
                found.append(("value", method(call)))
            except Exception as error:
                found.append(("error", error))
            finally:
                connections.close_all()  # This thread's own.
                self.places.release()

        thread = threading.Thread(target=work, daemon=True, name="executor")
        thread.start()
        thread.join(self.seconds)
        if not found:
            raise _Failed("The executor did not return in time.", was_sent=True)
        kind, value = found[0]
        if kind == "value":
            return value
        if isinstance(value, PreviewFailed):
            raise value
        log.error("executor_raised", action=call.action, action_id=call.action_id, exc_info=value)
        raise _Failed("The executor broke off; the server's log says why.", was_sent=True)
