"""The main job's first half: a case comes in, is judged, and is let through or sent to people.

One case or a thousand take the same way: ``submit_all`` is the rule, ``submit`` is a list of one.
"""

import random
from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from uuid import UUID

from django.conf import settings
from django.db import IntegrityError, transaction

from ..clock import db_now
from ..digests import canonical, customer_key, new_salt, salted_digest
from ..errors import Conflict, IllegalState
from ..evaluations import annotated
from ..ids import new_id
from ..models import Case, CaseEvent, Content, Draft, RuleFailure, Tenant, User
from ..models.content import SEARCHED_CHARACTERS
from ..permissions import require
from ..states import State
from ..vocabulary import Verdict
from ..wire.intake import Intake, trace_of
from .evaluating import evaluated
from .events import Occurrence, record, record_all
from .judging import Judged, has_draft, judge, kind_of
from .lifecycle import NotOpen, locked
from .meanwhile import ANSWER as INTERIM_ANSWER
from .meanwhile import interim_answer, keep_promises, templates_for

CASE_TEXTS = (
    "user_question",
    "messages",
    "reason_for_escalation",
    "limited_answer",
    "customer",
    "attachments",
    "metadata",
)
DRAFT_TEXTS = ["model_draft", "reasoning", "evidence", "policies", "tool_results"]


class DraftsExhausted(IllegalState):
    code = "drafts_exhausted"
    title = "This case takes no further draft"


class ExternalIdTaken(Conflict):
    """``positions`` are those of the intakes, from 0, whose ``external_id`` stands for another body."""

    code = "external_id_taken"
    title = "This external_id belongs to another case"

    def __init__(self, positions: Sequence[int] = (0,)) -> None:
        self.positions = positions
        super().__init__(
            "A case with this external_id exists and its body differs. Nothing was changed. "
            "Send a new external_id, or send what changed as a new draft of that case.",
            pointer="/external_id",
        )


@dataclass(frozen=True)
class Receipt:
    """What became of an intake. ``answers`` are the handlers' fields: queue, deadline, action."""

    case: Case
    draft: Draft
    is_new: bool
    answers: dict[str, Any] = field(default_factory=dict)


def submit(intake: Intake, *, actor: User, tenant: Tenant, purpose: str = Case.Purpose.REAL) -> Receipt:
    """Take a case in: judge it by the tenant's policy, and store all of it or nothing.

    The same ``external_id`` with the same body answers with the case that is there; with another body it raises
    ``ExternalIdTaken``. Raises ``Denied``.
    """
    return submit_all([intake], actor=actor, tenant=tenant, purpose=purpose)[0]


def submit_all(
    intakes: Sequence[Intake], *, actor: User, tenant: Tenant, purpose: str = Case.Purpose.REAL
) -> list[Receipt]:
    """``submit`` for many cases of one tenant: all are stored, or none. The receipts stand in the intakes' order.

    An ``external_id`` that stands twice among them is treated as if they had come one after the other.
    """
    require(actor, "submit_case", tenant)
    intakes = evaluated(intakes)
    with transaction.atomic():
        while True:
            known = _known(intakes, tenant)
            if clashes := _clashes(intakes, known):
                raise ExternalIdTaken(clashes)
            fresh = _fresh(intakes, known)
            try:
                with transaction.atomic():
                    opened = _open([intakes[i] for i in fresh], actor=actor, tenant=tenant, purpose=purpose)
                break
            except IntegrityError as error:
                if "external_id_is_unique_per_tenant" not in str(error):
                    raise
                # A twin committed between our look and our insert: the next look sees it. Or a challenge has the name.
                _make_way(intakes, tenant)
    receipts = dict(zip(fresh, opened, strict=True))
    known |= {receipt.case.external_id: receipt.case for receipt in opened}
    return [receipts.get(i) or _repeated(known[intake.get("external_id")]) for i, intake in enumerate(intakes)]


def _known(intakes: Sequence[Intake], tenant: Tenant) -> dict[str, Case]:
    names = {name for intake in intakes if (name := intake.get("external_id"))}
    if not names:
        return {}
    cases = Case.objects.with_text().filter(tenant=tenant, external_id__in=names)
    return {case.external_id: case for case in cases.exclude(purpose=Case.Purpose.CHALLENGE)}


def _make_way(intakes: Sequence[Intake], tenant: Tenant) -> None:
    """A challenge whose made-up ``external_id`` a caller now uses in earnest loses it: callers hear of no challenge."""
    names = [name for intake in intakes if (name := intake.get("external_id"))]
    made_up = Case.objects.filter(tenant=tenant, external_id__in=names, purpose=Case.Purpose.CHALLENGE)
    for case in made_up.select_for_update(no_key=True).order_by("external_id"):
        case.external_id = ""
        case.save_as(case.caller, "intake")


def _clashes(intakes: Sequence[Intake], known: Mapping[str, Case]) -> list[int]:
    """Where an ``external_id`` comes with another body than the case or the intake that had it first."""
    names = Counter(intake.get("external_id") for intake in intakes)
    first: dict[str, bytes] = {}
    clashes = []
    for position, intake in enumerate(intakes):
        name = intake.get("external_id")
        if not name:
            continue
        if name in known:
            is_same = _is_body_of(known[name], intake)
        else:
            is_same = names[name] == 1 or first.setdefault(name, body := canonical(intake.raw)) == body
        if not is_same:
            clashes.append(position)
    return clashes


def _is_body_of(case: Case, intake: Intake) -> bool:
    content = case.content
    return not content.is_erased and salted_digest(content.salt, intake.raw) == bytes(case.intake_digest)


def _fresh(intakes: Sequence[Intake], known: Collection[str]) -> list[int]:
    """The positions of those that open a case: the first of each ``external_id``, and all that have none."""
    seen, fresh = set(known), []
    for position, intake in enumerate(intakes):
        name = intake.get("external_id")
        if not name or name not in seen:
            fresh.append(position)
            seen.add(name)
    return fresh


def _repeated(case: Case) -> Receipt:
    return Receipt(case, case.current_draft, is_new=False)


def _open(intakes: Sequence[Intake], *, actor: User, tenant: Tenant, purpose: str) -> list[Receipt]:
    if not intakes:
        return []
    now = db_now()
    judged = judge(tenant, intakes, now=now)
    waiting = [intake for intake, one in zip(intakes, judged, strict=True) if not one.is_automatic]
    templates = templates_for(tenant, waiting)
    cases = [
        _case(*pair, actor=actor, tenant=tenant, purpose=purpose, now=now, templates=templates)
        for pair in zip(intakes, judged, strict=True)
    ]
    Content.objects.bulk_create([content for case in cases for content in (case.content, case.current_draft.content)])
    # In one order everywhere, so that two callers with the same external_ids never wait for each other.
    Case.create_all_as(actor, sorted(cases, key=lambda case: case.external_id), "intake")
    _store_drafts(zip((case.current_draft for case in cases), judged, strict=True), now)
    answers = _record_opened(cases, intakes, actor, now)
    keep_promises(cases, answers, now)
    return [Receipt(case, case.current_draft, is_new=True, answers=answers[case.pk]) for case in cases]


def _record_opened(
    cases: Sequence[Case], intakes: Sequence[Intake], actor: User, now: datetime
) -> dict[UUID, dict[str, Any]]:
    opened = [
        Occurrence(
            case,
            {"route": case.current_draft.route, "triggers": case.current_draft.triggers},
            payload=dict(intake.values) | {"raw": intake.raw},
        )
        for case, intake in zip(cases, intakes, strict=True)
    ]
    automatic = [
        Occurrence(case, {"confidence": case.current_draft.confidence})
        for case in cases
        if case.state == State.AUTO_APPROVED
    ]
    answers: dict[UUID, dict[str, Any]] = {case.pk: {} for case in cases}
    for kind, occurrences in ((CaseEvent.Kind.OPENED, opened), (CaseEvent.Kind.AUTO_APPROVED, automatic)):
        for case_id, fields in record_all(occurrences, kind, actor, at=now).items():
            answers[case_id] |= fields
    return answers


def _case(
    intake: Intake,
    judged: Judged,
    *,
    actor: User,
    tenant: Tenant,
    purpose: str,
    now: datetime,
    templates: Sequence[tuple[str, str, str]],
) -> Case:
    content = _case_content(intake, tenant)
    if not judged.is_automatic and (told := interim_answer(intake, tenant, templates)):
        content.body[INTERIM_ANSWER] = told
    case = Case(
        id=content.case_id,
        tenant=tenant,
        external_id=intake.get("external_id", ""),
        intake_digest=salted_digest(content.salt, intake.raw),
        kind=kind_of(intake),
        domain=intake.get("domain"),
        language=intake.get("language", "und"),
        risk=judged.result.risk,
        state=State.AUTO_APPROVED if judged.is_automatic else State.PENDING_REVIEW,
        purpose=purpose,
        content=content,
        caller=actor,
        opened_at=now,
        wanted_by=intake.get("sla_deadline"),
        open_actions=1 if intake.get("proposed_action") else 0,
        tags=intake.get("tags", []),
        trace_id=intake.get("trace_id") or trace_of(intake.get("traceparent", "")),
        traceparent=intake.get("traceparent", ""),
        resume_token=intake.get("resume_token", ""),
    )
    case.current_draft = _draft(case, intake, judged, number=1, now=now)
    if judged.is_automatic:
        case.verdict, case.final_decision = Verdict.ACCEPT, case.current_draft.model_decision
        case.decided_by, case.decided_at, case.final_at = Case.DecidedBy.AUTOMATIC, now, now
    return case


def add_draft(case_id: UUID, intake: Intake, *, actor: User) -> Receipt:
    """A new draft for an open case. It is judged like the first and is never decided automatically."""
    (intake,) = evaluated([intake])
    return _add_draft(case_id, intake, actor=actor)


@transaction.atomic
def _add_draft(case_id: UUID, intake: Intake, *, actor: User) -> Receipt:
    case = locked(case_id)
    require(actor, "submit_case", case.tenant)
    if case.state not in (State.PENDING_REVIEW, State.NEEDS_EDIT):
        raise NotOpen("This case is decided or withdrawn and takes no further draft.")
    if case.current_draft.number >= case.tenant.max_drafts:
        raise DraftsExhausted("This case has had all the drafts that the tenant allows: a person decides it now.")
    now = db_now()
    (judged,) = judge(case.tenant, [intake], now=now, case=case)
    draft = _draft(case, intake, judged, number=case.current_draft.number + 1, now=now)
    case.current_draft = draft
    case.risk = judged.result.risk
    if case.state == State.NEEDS_EDIT:
        case.resume_review()
        case.redraft_by = None
    draft.content.save(force_insert=True)
    _store_drafts([(draft, judged)], now)
    case.save_as(actor, f"draft {draft.number}")
    answers = record(case, CaseEvent.Kind.DRAFT_RECEIVED, actor, at=now, number=draft.number, route=draft.route)
    keep_promises([case], {case.pk: answers}, now)
    return Receipt(case, draft, is_new=True, answers=answers)


def _case_content(intake: Intake, tenant: Tenant) -> Content:
    case_id = new_id()
    body = {name: intake.raw[name] for name in CASE_TEXTS if intake.raw.get(name) is not None}
    customer = intake.get("customer") or {}
    reference = customer.get("reference") or (intake.get("proposed_action") or {}).get("customer_id")
    return Content(
        tenant=tenant,
        owner=Content.Owner.CASE,
        case_id=case_id,
        body=body,
        salt=new_salt(),
        customer_key=customer_key(settings.CUSTOMER_KEY_SECRET, tenant.pk, reference) if reference else None,
        search_text=" ".join(
            filter(None, (intake.get("external_id"), reference, customer.get("email"), intake.get("user_question")))
        )[:SEARCHED_CHARACTERS],
    )


def _draft(case: Case, intake: Intake, judged: Judged, *, number: int, now: datetime) -> Draft:
    result = judged.result
    content = Content(
        tenant=case.tenant,
        owner=Content.Owner.DRAFT,
        case_id=case.pk,
        body={name: intake.raw[name] for name in DRAFT_TEXTS if intake.raw.get(name) is not None},
        salt=new_salt(),
        search_text=(intake.get("model_draft") or "")[:SEARCHED_CHARACTERS],
    )
    return Draft(
        tenant=case.tenant,
        case=case,
        number=number,
        is_absent=not has_draft(intake),
        release=judged.release,
        policy_version=judged.policy_version,
        model_decision=intake.get("model_decision", ""),
        signals=dict(intake.get("signals", {})),
        confidence=result.confidence.value,
        contributions=[
            annotated(
                {"signal": c.signal, "value": c.value, "weight": c.weight, "points": c.points, "reading": c.reading},
                intake.evaluations or {},
            )
            for c in result.confidence.contributions
        ],
        evaluations={name: found.to_json() for name, found in (intake.evaluations or {}).items()},
        triggers=[trigger.value for trigger in result.triggers],
        route=result.route,
        threshold=result.threshold,
        reason=result.reason[:400],
        sample_share=result.sample_share,
        conditions=[name[:60] for name in result.conditions],
        is_sampled=judged.is_automatic and random.SystemRandom().random() < result.sample_share,
        content=content,
        content_digest=content.digest(),
        created_at=now,
    )


def _store_drafts(drafts: Iterable[tuple[Draft, Judged]], now: datetime) -> None:
    pairs = list(drafts)
    Draft.objects.bulk_create([draft for draft, _ in pairs])
    RuleFailure.objects.bulk_create(
        RuleFailure(
            policy_version=judged.policy_version, case=draft.case, condition=name[:60], cause=cause[:300], at=now
        )
        for draft, judged in pairs
        for name, cause in judged.result.failures
    )
