"""Who carries an action out: one interface, with an HTTPS service or a Python class behind it.

An executor is asked for a preview, then at most once to execute, and may be asked afterwards what became of a key. None
of these calls belongs into a transaction, and none raises for trouble on the way: what is not known is said to be so.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, Protocol

from cases.errors import CountersignError

State = Literal["executed", "failed", "unknown", "absent"]


@dataclass(frozen=True)
class Call:
    """What an executor is told. ``payload`` is RFC 8785 JSON and goes out byte for byte.

    ``action_id`` is the wire id and the idempotency key; ``action`` the type's name.
    """

    action_id: str
    action: str
    payload: bytes


@dataclass(frozen=True)
class Preview:
    """What the action would do. ``binding`` must still hold at dispatch; ``info`` is for the eye and may differ."""

    binding: Mapping[str, Any]
    info: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Outcome:
    """What came of an execution, or what a look-up found.

    - ``executed``: the effect took place, once.
    - ``failed``: it did not take place and never will under this key: the executor said so itself.
    - ``unknown``: nobody can tell. With ``was_sent`` false *this* call never reached the executor: it may be made again
      after ``retry_after`` seconds, with or without keys. What an earlier call did is as open as before.
    - ``absent``: of a look-up only, the executor never saw the key.

    ``detail`` is what the executor said, bounded (``answers``); ``cause`` is in words of ours.
    """

    state: State
    detail: Mapping[str, Any] = field(default_factory=dict)
    cause: str = ""
    was_sent: bool = True
    retry_after: int = 0


class PreviewFailed(CountersignError):
    """There is no preview. ``is_refusal``: the executor looked and said no, so that asking again changes nothing."""

    code = "preview_failed"
    status = 409
    title = "The preview failed"

    def __init__(self, code: str, message: str, *, is_refusal: bool = False, retry_after: int = 0) -> None:
        self.code = code
        self.is_refusal = is_refusal
        self.retry_after = retry_after or None
        super().__init__(message)


class Executor(Protocol):
    def preview(self, call: Call) -> Preview:
        """Change nothing and say what would change. Raises ``PreviewFailed``."""

    def execute(self, call: Call) -> Outcome:
        """Do it. Never raises: ``unknown`` wherever the effect may have taken place."""

    def look_up(self, call: Call) -> Outcome:
        """What became of the key; changes nothing, and never raises."""


class NoExecutor(CountersignError):
    """The type has no executor that can be called; the message says what to do."""

    code = "no_executor"
    status = 409
    title = "Nothing is set up that could carry this action out"


def executor_of(action_type: Any) -> Executor:
    """The executor that ``action_type`` (an ``ActionType``) names. Raises ``NoExecutor``."""
    from .http import HttpExecutor  # Both know the classes above.
    from .python import python_executor

    match action_type.executor_kind:
        case "http" if action_type.executor and action_type.executor_secret:
            return HttpExecutor(
                url=action_type.executor,
                secrets=(action_type.executor_secret, action_type.executor_previous_secret),
                seconds=action_type.executor_timeout_seconds,
                owner=str(action_type.tenant_id),
            )
        case "python":
            return python_executor(action_type.executor, seconds=action_type.executor_timeout_seconds)
        case "manual":
            raise NoExecutor(f"{action_type.title} is carried out by hand: there is nothing to call.")
        case _:
            raise NoExecutor(f"The executor of {action_type.title} lacks its address or its secret: open its page.")
