"""What an executor may answer, read strictly. Pure; the shapes are documented in docs/executors.md.

An answer is only believed where status and body agree: a gateway that says 409 by itself has not said that nothing was
executed.
"""

import json
from collections.abc import Mapping
from typing import Any

from cases.outbound import Answer
from cases.wire.parser import WireError, parse_json

from . import Outcome, Preview, PreviewFailed

MAX_BYTES = 64_000  # of a whole answer
MAX_PART = 16_000  # of a preview's binding or info, as compact JSON
MAX_DEPTH = 6
REFUSED = (409, 422)
TEXTS = {"reference": 200, "message": 500, "code": 50}  # characters; longer ones are cut

EXECUTED = "The executor carried it out."
FAILED = "The executor refused it; nothing was done."
ABSENT = "The executor never received it."
STILL_UNKNOWN = "The executor cannot tell what became of it."


class Unreadable(Exception):
    """The answer is none of those documented; the message says what is wrong with it and repeats nothing."""


def read_preview(answer: Answer) -> Preview:
    """Raises ``PreviewFailed`` for a refusal and ``Unreadable`` for anything undocumented."""
    body = _document(answer)
    if answer.status in REFUSED:
        if body.get("state") != "failed":
            raise Unreadable(f'Its status is {answer.status} and its body does not say "state": "failed".')
        raise PreviewFailed("preview_refused", _words(body), is_refusal=True)
    _only(body, {"binding", "info"})
    return Preview(_part(body, "binding", required=True), _part(body, "info"))


def read_execution(answer: Answer) -> Outcome:
    """Raises ``Unreadable``: whatever that is, the effect may have taken place."""
    body = _document(answer)
    state = body.get("state")
    if answer.status == 200 and state == "executed":
        return Outcome("executed", _detail(body), EXECUTED)
    if state == "failed":
        return Outcome("failed", _detail(body), FAILED)
    raise Unreadable('Its "state" is neither "executed" nor "failed".')


def read_look_up(answer: Answer) -> Outcome:
    """Raises ``Unreadable``. Absent needs its word: a 404 may come from anything on the way."""
    body = _document(answer)
    if answer.status != 200:
        raise Unreadable(f"Its status is {answer.status}.")
    causes = {"executed": EXECUTED, "failed": FAILED, "absent": ABSENT, "unknown": STILL_UNKNOWN}
    state = body.get("state")
    if not isinstance(state, str) or state not in causes:
        raise Unreadable('Its "state" is none of executed, failed, absent and unknown.')
    return Outcome(state, _detail(body), causes[state])


def _document(answer: Answer) -> dict[str, Any]:
    if answer.status != 200 and answer.status not in REFUSED:
        raise Unreadable(f"Its status is {answer.status}.")
    media_type = answer.headers.get("content-type", "").partition(";")[0].strip().lower()
    if media_type != "application/json":
        raise Unreadable("It is not application/json.")
    try:
        body = parse_json(answer.body, max_bytes=MAX_BYTES)
    except WireError as error:
        raise Unreadable(f"It is no strict JSON ({error.code}).") from None
    if not isinstance(body, dict):
        raise Unreadable("It is no JSON object.")
    return body


def _detail(body: Mapping[str, Any]) -> dict[str, str]:
    """Reference, message and code, cut. The rest of the answer is ignored, so that an executor may say more."""
    found = {}
    for name, length in TEXTS.items():
        value = body.get(name)
        if isinstance(value, str) and value:
            found[name] = value[:length]
        elif value is not None and value != "":
            raise Unreadable(f'Its "{name}" is no text.')
    return found


def _words(body: Mapping[str, Any]) -> str:
    return _detail(body).get("message") or "The executor refuses this action and gives no reason."


def _only(body: Mapping[str, Any], names: set[str]) -> None:
    if unknown := set(body) - names:
        raise Unreadable(f"It holds {len(unknown)} undocumented members.")


def _part(body: Mapping[str, Any], name: str, *, required: bool = False) -> dict[str, Any]:
    if name not in body and not required:
        return {}
    value = body.get(name)
    if not isinstance(value, dict):
        raise Unreadable(f'Its "{name}" is no object.')
    check_part(value, name)
    return value


def check_part(value: Mapping[str, Any], name: str) -> None:
    """Raise ``Unreadable`` for a binding or info that people could not take in, whoever made it."""
    try:
        size = len(json.dumps(value, ensure_ascii=False, allow_nan=False, separators=(",", ":")).encode())
    except (TypeError, ValueError, RecursionError):
        raise Unreadable(f'Its "{name}" is no JSON.') from None
    if size > MAX_PART:
        raise Unreadable(f'Its "{name}" is longer than {MAX_PART:,} bytes.')
    if _depth(value) > MAX_DEPTH:
        raise Unreadable(f'Its "{name}" is nested deeper than {MAX_DEPTH} levels.')


def _depth(value: Any) -> int:
    inner = value.values() if isinstance(value, Mapping) else value if isinstance(value, list) else None
    return 0 if inner is None else 1 + max(map(_depth, inner), default=0)
