"""Many decided cases at once: taken in by the intake, their reviews written as rows, since one by one takes long."""

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

from cases.clock import db_now, pretend_now
from cases.models import Case, Content, Draft
from cases.services import intake
from cases.vocabulary import Verdict
from cases.wire.intake import parse_intake
from feedback.models import Review
from tests.worlds import World


def opened(
    world: World, signals: Sequence[Mapping[str, float]], *, at: datetime | None = None, **fields: Any
) -> list[Draft]:
    """The first draft of a case for each of ``signals``, taken in together at ``at``, by default two hours ago."""
    sent = [
        parse_intake({"domain": "billing", "user_question": "?", "model_draft": "Yes.", "signals": dict(one)} | fields)
        for one in signals
    ]
    with pretend_now(at or db_now() - timedelta(hours=2)):
        receipts = intake.submit_all(sent, actor=world.service, tenant=world.tenant)
    return [receipt.draft for receipt in receipts]


def decide_all(
    world: World, drafts: Sequence[Draft], rights: Sequence[bool], *, ago: timedelta = timedelta(minutes=50)
) -> list[Review]:
    """A decision on each of ``drafts``, a second apart, in their order: accepted where it is right, else rejected."""
    begun = db_now() - ago
    contents = [Content(tenant=world.tenant, owner="review", case_id=draft.case_id, body={}) for draft in drafts]
    Content.objects.bulk_create(contents)
    rows = [
        Review(
            tenant=world.tenant,
            case_id=draft.case_id,
            draft=draft,
            policy_version=draft.policy_version,
            reviewer=world.reviewer,
            verdict=Verdict.ACCEPT if is_right else Verdict.REJECT,
            route=draft.route,
            is_override=not is_right,
            handling_seconds=5.0,
            generation=number + 1,
            displayed_digest=b"",
            content=content,
            content_digest=b"",
            created_at=begun + timedelta(seconds=number),
        )
        for number, (draft, is_right, content) in enumerate(zip(drafts, rights, contents, strict=True))
    ]
    return Review.objects.bulk_create(rows)


def decided(world: World, outcomes: Sequence[tuple[Mapping[str, float], bool]], **fields: Any) -> list[Case]:
    """``opened`` and ``decide_all`` together; of automatic approvals, those that were sampled are decided."""
    drafts = opened(world, [signals for signals, _ in outcomes], **fields)
    looked_at = [
        (draft, is_right)
        for draft, (_, is_right) in zip(drafts, outcomes, strict=True)
        if draft.route != "auto_approve" or draft.is_sampled
    ]
    decide_all(world, [draft for draft, _ in looked_at], [is_right for _, is_right in looked_at])
    return [draft.case for draft in drafts]
