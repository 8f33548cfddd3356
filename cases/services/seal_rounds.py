"""The verification that runs by itself: once a day through the whole chain, in slices that fit a task.

It is the house looking after itself: whoever owns the database owns its result too. ``manage.py verify_audit`` with a
published head, run from elsewhere, is the proof.
"""

from ..clock import db_now
from ..models import Seal, SealVerification
from .seal_checks import MOST_FINDINGS, verify
from .sealing import VERIFIED_EVERY


def go_on(*, seconds: float = 40) -> SealVerification | None:
    """Verify the next slice of the round that is under way, or begin one if the last is a day old.

    Returns the round, or None where there is nothing to do now. A slice that is killed is read again; of two that read
    the same, one counts. Not for a transaction: its id would hold back what can be sealed and exported.
    """
    run = _under_way()
    if run is None:
        return None
    report = verify(first=run.next_number, seconds=seconds)
    is_over = report.next_number is None or report.is_full
    SealVerification.objects.filter(pk=run.pk, ended_at=None, next_number=run.next_number).update(
        rows=run.rows + report.rows,
        findings=[*run.findings, *map(str, report.findings)][:MOST_FINDINGS],
        next_number=report.next_number or report.head + 1,
        ended_at=db_now() if is_over else None,
    )
    run.refresh_from_db()
    return run


def _under_way() -> SealVerification | None:
    if not Seal.objects.exists():
        return None
    now, last = db_now(), SealVerification.objects.order_by("-id").first()
    if last is None or (last.ended_at and now - last.ended_at >= VERIFIED_EVERY):
        return SealVerification.objects.create(started_at=now)
    return last if last.ended_at is None else None
