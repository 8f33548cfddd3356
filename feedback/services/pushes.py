"""Sending a finished export to Langfuse or Phoenix over HTTP, batch by batch, with a report.

The stored file is what is sent: each of its lines is a body that the tool's own API takes. How many lines the tool
has taken stands in the row after every batch, so that a push that broke off goes on where it was. Langfuse upserts by
id, and anything may be sent to it twice. Phoenix appends: where an answer was lost, the batch may be in or not, and
the push ends as "may have arrived in part" instead of sending it again.
"""

import base64
import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import timedelta
from itertools import islice
from time import monotonic
from typing import Any

import structlog
from django.conf import settings
from django.db import transaction

from cases.clock import db_now
from cases.models import CaseEvent, User
from cases.nudges import nudge
from cases.outbound import OutboundFailed, OutboundRefused, checked_url, post
from cases.permissions import require
from cases.services.events import record_for

from ..errors import CannotPush
from ..models import Export, Push, PushTarget
from ..states import ExportState
from .export_files import lines_of
from .exports import told

log = structlog.get_logger(__name__)

RUN = "feedback.tasks.run_pushes"
LEASE = timedelta(seconds=60)
CALL_SECONDS = 15
SLICE_SECONDS = 40
RETRY_DELAYS = tuple(timedelta(seconds=seconds) for seconds in (5, 30, 120, 600, 1800, 3600, 4 * 3600))
PHOENIX_LINES, PHOENIX_BYTES = 100, 2_000_000
DEFINITE = (400, 401, 403, 404, 405, 409, 413, 415, 422)  # Sending the same again will not help.
BUSY = (429, 503)  # Nothing was taken.

State = Push.State


class LeaseLost(Exception):
    """Another worker has the push."""


@dataclass(frozen=True)
class Call:
    """One POST; ``lines`` of the file are in when it is answered 2xx."""

    path: str
    body: bytes
    lines: int


# --- what people do ----------------------------------------------------------------------------------------------


@transaction.atomic
def request(export: Export, target: PushTarget, *, actor: User) -> Push:
    """Queue a push; the same one again begins anew where it had failed. Raises ``Denied`` and ``CannotPush``."""
    require(actor, "export_data", export.tenant)
    if export.tenant_id != target.tenant_id or not target.is_active:
        raise CannotPush("Choose one of the tenant's targets that are switched on. Nothing was sent.")
    if export.state != ExportState.READY or export.format != target.system:
        raise CannotPush(f"Only a finished export in the format {target.system} can be sent there. Nothing was sent.")
    now = db_now()
    push, is_new = Push.objects.select_for_update().get_or_create(
        export=export,
        target=target,
        defaults={"tenant": export.tenant, "requested_by": actor, "requested_at": now, "next_attempt_at": now},
    )
    if not is_new:
        if push.state != State.FAILED:
            raise CannotPush(f"It was pushed there: {push.get_state_display().lower()}. Nothing was sent again.")
        push.state, push.attempts, push.next_attempt_at, push.finished_at = State.WAITING, 0, now, None
        push.save(update_fields=["state", "attempts", "next_attempt_at", "finished_at"])
    record_for(
        export.tenant,
        CaseEvent.Kind.EXPORT_PUSHED,
        actor,
        subject=export.wire_id,
        **told(export),
        target=target.name,
    )
    transaction.on_commit(lambda: nudge(RUN))
    return push


def check_address(url: str) -> None:
    """Raises ``OutboundRefused`` with the reason where a target's address may not be called."""
    checked_url(url, allow_loopback=settings.OUTBOUND_ALLOW_LOOPBACK)


# --- what workers do ---------------------------------------------------------------------------------------------


def sweep(*, seconds: float = SLICE_SECONDS) -> int:
    """Send what is due, until nothing is or ``seconds`` have passed; returns how many pushes were worked on."""
    ends, count = monotonic() + seconds, 0
    while monotonic() < ends and (push := _lease()):
        _work(push, ends)
        count += 1
    return count


@transaction.atomic
def _lease() -> Push | None:
    now = db_now()
    due = Push.objects.filter(state=State.WAITING, next_attempt_at__lte=now).exclude(leased_until__gt=now)
    rows = due.select_for_update(of=("self",), skip_locked=True).select_related("target", "export__dataset")
    push = rows.order_by("next_attempt_at").first()
    if push is not None:
        push.leased_until = now + LEASE
        push.save(update_fields=["leased_until"])
    return push


def _work(push: Push, ends: float) -> None:
    """Send batch after batch; no call is made inside a transaction."""
    try:
        for call in _calls(push):
            if not _send(push, call):
                return
            if monotonic() >= ends:
                _save(push, leased_until=None)
                nudge(RUN)
                return
    except LeaseLost:
        return
    except Exception:
        log.exception("push_failed", push=str(push.pk))
        _failed(push, None, "It could not be sent; the log says why.")
        return
    _save(push, state=State.SENT, finished_at=db_now(), leased_until=None, last_error="")


def _send(push: Push, call: Call) -> bool:
    """Make one call and store what came of it; whether to go on."""
    try:
        answer = post(
            push.target.url.rstrip("/") + call.path,
            call.body,
            _headers(push.target),
            total_seconds=CALL_SECONDS,
            allow_loopback=settings.OUTBOUND_ALLOW_LOOPBACK,
        )
    except OutboundRefused as error:
        return _failed(push, None, str(error), for_good=True)
    except OutboundFailed as error:
        is_safe = push.target.system == PushTarget.System.LANGFUSE or not error.may_have_arrived
        return _failed(push, error.status, str(error)) if is_safe else _unknown(push, error.status, str(error))
    if 200 <= answer.status < 300:
        push.lines_sent += call.lines
        _save(
            push,
            lines_sent=push.lines_sent,
            attempts=0,
            last_status=answer.status,
            last_error="",
            leased_until=db_now() + LEASE,
        )
        push.attempts = 0
        return True
    cause = f"{push.target.get_system_display()} answered {answer.status}."
    if answer.status in DEFINITE or 300 <= answer.status < 400:
        return _failed(push, answer.status, cause, for_good=True)
    if push.target.system == PushTarget.System.LANGFUSE or answer.status in BUSY:
        return _failed(push, answer.status, cause)
    return _unknown(push, answer.status, cause)


def _failed(push: Push, status: int | None, cause: str, *, for_good: bool = False) -> bool:
    attempts = push.attempts + 1
    if for_good or attempts > len(RETRY_DELAYS):
        changes: dict[str, Any] = {"state": State.FAILED, "finished_at": db_now()}
    else:
        changes = {"next_attempt_at": db_now() + RETRY_DELAYS[attempts - 1]}
    _save(push, attempts=attempts, last_status=status, last_error=cause[:300], leased_until=None, **changes)
    return False


def _unknown(push: Push, status: int | None, cause: str) -> bool:
    cause = f"After {push.lines_sent} lines: {cause} Look there before you send the rest."
    _save(
        push,
        state=State.UNKNOWN,
        finished_at=db_now(),
        last_status=status,
        last_error=cause[:300],
        leased_until=None,
    )
    return False


def _save(push: Push, **changes: Any) -> None:
    """Only while the push waits and the lease is ours: a worker that was away too long changes nothing."""
    held = Push.objects.filter(pk=push.pk, state=State.WAITING, leased_until=push.leased_until)
    if not held.update(**changes):
        raise LeaseLost
    push.leased_until = changes.get("leased_until", push.leased_until)


# --- what is sent ------------------------------------------------------------------------------------------------


def _headers(target: PushTarget) -> dict[str, str]:
    headers = {"Content-Type": "application/json", "User-Agent": "Countersign/1"}
    if target.system == PushTarget.System.LANGFUSE:
        pair = base64.b64encode(f"{target.public_key}:{target.secret}".encode()).decode()
        return headers | {"Authorization": f"Basic {pair}"}
    return headers | ({"Authorization": f"Bearer {target.secret}"} if target.secret else {})


def _calls(push: Push) -> Iterator[Call]:
    lines = islice(lines_of(push.export.file_key), push.lines_sent, None)
    if push.target.system == PushTarget.System.LANGFUSE:
        # Items of a data set that is not there are refused; making one that is changes nothing but its description.
        name = push.export.dataset.name
        about = json.dumps({"name": name, "description": f"From Countersign: {push.export.dataset.kind}"})
        yield Call("/api/public/v2/datasets", about.encode(), 0)
        for line in lines:
            yield Call("/api/public/dataset-items", line.rstrip(b"\n"), 1)
    else:
        for batch in _batches(lines):
            yield Call("/v1/datasets/upload?sync=true", _merged(batch), len(batch))


def _batches(lines: Iterator[bytes]) -> Iterator[list[bytes]]:
    batch: list[bytes] = []
    size = 0
    for line in lines:
        if batch and (len(batch) >= PHOENIX_LINES or size + len(line) > PHOENIX_BYTES):
            yield batch
            batch, size = [], 0
        batch.append(line)
        size += len(line)
    if batch:
        yield batch


def _merged(batch: Sequence[bytes]) -> bytes:
    """Several upload bodies as one."""
    bodies = [json.loads(line) for line in batch]
    lists = {name: [entry for body in bodies for entry in body[name]] for name in ("inputs", "outputs", "metadata")}
    return json.dumps(bodies[0] | lists, ensure_ascii=False, separators=(",", ":")).encode()
