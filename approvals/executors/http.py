"""Executors behind HTTPS: ``POST {url}/preview``, ``/execute`` and ``/lookup``, signed, once each, never redirected.

What is sent: ``docs/executors.md``. The address that was typed is as untrusted as a webhook's, so calls leave through
``cases.outbound``.
"""

import secrets as random
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TypeVar
from urllib.parse import urlsplit

import rfc8785
from django.conf import settings

from cases.outbound import Answer, OutboundFailed, OutboundRefused, post
from cases.signing import signature_headers

from . import Call, Outcome, Preview, PreviewFailed, answers, breaker

T = TypeVar("T")


class _NotAnswered(Exception):
    """No answer that counts. ``was_sent`` is False only if the executor cannot have acted."""

    def __init__(self, cause: str, *, was_sent: bool, retry_after: int = 0) -> None:
        self.cause, self.was_sent, self.retry_after = cause, was_sent, retry_after
        super().__init__(cause)


@dataclass(frozen=True)
class HttpExecutor:
    """``seconds`` bound a whole call; ``owner`` keeps one tenant's failures from closing the way for another's."""

    url: str
    secrets: Sequence[str]
    seconds: float
    owner: str

    def preview(self, call: Call) -> Preview:
        try:
            return self._ask("preview", call, call.payload, answers.read_preview)
        except _NotAnswered as error:
            code = "preview_unreadable" if error.was_sent else "preview_not_sent"
            raise PreviewFailed(code, error.cause, retry_after=error.retry_after) from None

    def execute(self, call: Call) -> Outcome:
        return self._outcome("execute", call, call.payload, answers.read_execution)

    def look_up(self, call: Call) -> Outcome:
        key = rfc8785.dumps({"action": call.action, "action_id": call.action_id})
        return self._outcome("lookup", call, key, answers.read_look_up)

    def _outcome(self, verb: str, call: Call, body: bytes, read: Callable[[Answer], Outcome]) -> Outcome:
        try:
            return self._ask(verb, call, body, read)
        except _NotAnswered as error:
            return Outcome("unknown", {}, error.cause, was_sent=error.was_sent, retry_after=error.retry_after)

    def _ask(self, verb: str, call: Call, body: bytes, read: Callable[[Answer], T]) -> T:
        """One request and its reading, under the breaker: whatever leaves us without an answer counts as a failure."""
        circuit = breaker.Circuit(f"{self.owner}:{urlsplit(self.url).netloc.lower()}")
        if wait := circuit.wait():
            cause = f"The executor failed {breaker.FAILURES} times in a row and is left alone for {wait} s more."
            raise _NotAnswered(cause, was_sent=False, retry_after=wait)
        try:
            found = read(self._send(verb, call, body))
        except PreviewFailed:  # A clear no is an answer.
            circuit.succeeded()
            raise
        except answers.Unreadable as error:
            circuit.failed()
            raise _NotAnswered(f"The executor's answer cannot be used. {error}", was_sent=True) from None
        except _NotAnswered:
            circuit.failed()
            raise
        circuit.succeeded()
        return found

    def _send(self, verb: str, call: Call, body: bytes) -> Answer:
        try:
            headers = self._headers(verb, call, body)
        except ValueError:  # Of base64 too.
            raise _NotAnswered("The signing secret cannot be used: make a new one.", was_sent=False) from None
        try:
            return post(
                f"{self.url.rstrip('/')}/{verb}",
                body,
                headers,
                total_seconds=self.seconds,
                max_response_bytes=answers.MAX_BYTES,
                allow_loopback=settings.OUTBOUND_ALLOW_LOOPBACK,
            )
        except OutboundRefused as error:
            raise _NotAnswered(str(error), was_sent=False) from None
        except OutboundFailed as error:
            raise _NotAnswered(str(error), was_sent=error.may_have_arrived) from None

    def _headers(self, verb: str, call: Call, body: bytes) -> dict[str, str]:
        # The address is not signed but the message's id is: with the verb in it, a preview cannot be replayed as an
        # execution. Each sending has its own id; what makes two of them the same is the idempotency key.
        message_id = f"{verb}_{call.action_id}_{random.token_hex(8)}"
        return {
            "Content-Type": "application/json",
            "Accept": "application/json",
            "User-Agent": "Countersign/1",
            "Idempotency-Key": call.action_id,
            **signature_headers(message_id, datetime.now(UTC), body, self.secrets),
        }
