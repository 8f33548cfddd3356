"""The main job's first half: a case comes in, is judged, and is let through or sent to people."""

import random
from dataclasses import dataclass, field
from functools import cache
from typing import Any
from uuid import UUID

from django.conf import settings
from django.db import IntegrityError, transaction
from django.utils.module_loading import import_string

from ..clock import db_now
from ..digests import customer_key, new_salt, salted_digest
from ..errors import Conflict
from ..ids import new_id
from ..models import Case, CaseEvent, Content, Draft, Release, RuleFailure, Tenant, User
from ..models.content import SEARCHED_CHARACTERS
from ..permissions import require
from ..states import State
from ..triage import ActionFacts, Facts, Triage, triage
from ..vocabulary import Kind, Risk, Route
from ..wire.intake import Intake
from . import policies, switch
from .events import record
from .lifecycle import NotOpen, locked

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


class ExternalIdTaken(Conflict):
    code = "external_id_taken"
    title = "This external_id belongs to another case"


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
    require(actor, "submit_case", tenant)
    with transaction.atomic():
        if known := _known(intake, tenant):
            return known
        try:
            with transaction.atomic():
                return _open(intake, actor=actor, tenant=tenant, purpose=purpose)
        except IntegrityError as error:
            if "external_id_is_unique_per_tenant" not in str(error):
                raise
            return _known(intake, tenant)  # A twin committed between our look and our insert.


def _known(intake: Intake, tenant: Tenant) -> Receipt | None:
    if not (external_id := intake.get("external_id", "")):
        return None
    case = Case.objects.with_text().filter(tenant=tenant, external_id=external_id).first()
    if case is None:
        return None
    if case.content.is_erased or salted_digest(case.content.salt, intake.raw) != bytes(case.intake_digest):
        raise ExternalIdTaken(
            "A case with this external_id exists and its body differs. Nothing was changed. "
            "Send a new external_id, or send what changed as a new draft of that case.",
            pointer="/external_id",
        )
    return Receipt(case, case.current_draft, is_new=False)


def _open(intake: Intake, *, actor: User, tenant: Tenant, purpose: str) -> Receipt:
    now = db_now()
    judged = _judge(intake, tenant, domain=intake.get("domain"), kind=_kind(intake), now=now)
    content = _case_content(intake, tenant)
    case = Case(
        id=content.case_id,
        tenant=tenant,
        external_id=intake.get("external_id", ""),
        intake_digest=salted_digest(content.salt, intake.raw),
        kind=_kind(intake),
        domain=intake.get("domain"),
        language=intake.get("language", "und"),
        risk=judged.result.risk,
        state=State.AUTO_APPROVED if judged.is_automatic else State.PENDING_REVIEW,
        purpose=purpose,
        content=content,
        opened_at=now,
        wanted_by=intake.get("sla_deadline"),
        open_actions=1 if intake.get("proposed_action") else 0,
        tags=intake.get("tags", []),
        trace_id=intake.get("trace_id", ""),
        traceparent=intake.get("traceparent", ""),
        resume_token=intake.get("resume_token", ""),
    )
    draft = _draft(case, intake, judged, number=1, now=now)
    case.current_draft = draft
    if judged.is_automatic:
        case.verdict, case.final_decision = "accept", draft.model_decision
        case.decided_by, case.decided_at, case.final_at = Case.DecidedBy.AUTOMATIC, now, now
    content.save(force_insert=True)
    case.save_as(actor, "intake", force_insert=True)
    _store_draft(draft, judged, now)
    payload = dict(intake.values) | {"raw": intake.raw}
    answers = record(
        case, CaseEvent.Kind.OPENED, actor, at=now, payload=payload, route=draft.route, triggers=draft.triggers
    )
    if judged.is_automatic:
        answers |= record(case, CaseEvent.Kind.AUTO_APPROVED, actor, at=now, confidence=draft.confidence)
    return Receipt(case, draft, is_new=True, answers=answers)


@transaction.atomic
def add_draft(case_id: UUID, intake: Intake, *, actor: User) -> Receipt:
    """A new draft for an open case. It is judged like the first and is never decided automatically."""
    case = locked(case_id)
    require(actor, "submit_case", case.tenant)
    if case.state not in (State.PENDING_REVIEW, State.NEEDS_EDIT):
        raise NotOpen("This case is decided or withdrawn and takes no further draft.")
    now = db_now()
    judged = _judge(intake, case.tenant, domain=case.domain, kind=case.kind, now=now, case=case)
    draft = _draft(case, intake, judged, number=case.current_draft.number + 1, now=now)
    case.current_draft = draft
    case.risk = judged.result.risk
    if case.state == State.NEEDS_EDIT:
        case.resume_review()
        case.redraft_by = None
    _store_draft(draft, judged, now)
    case.save_as(actor, f"draft {draft.number}")
    answers = record(case, CaseEvent.Kind.DRAFT_RECEIVED, actor, at=now, number=draft.number, route=draft.route)
    return Receipt(case, draft, is_new=True, answers=answers)


@dataclass(frozen=True)
class _Judged:
    result: Triage
    release: Release
    policy_version: Any

    @property
    def is_automatic(self) -> bool:
        return self.result.route == Route.AUTO_APPROVE


@cache
def _fact_providers() -> tuple:
    return tuple(import_string(path) for path in settings.CASE_FACT_PROVIDERS)


def _judge(intake: Intake, tenant: Tenant, *, domain: str, kind: str, now, case: Case | None = None) -> _Judged:
    action = intake.get("proposed_action") or {}
    automation = switch.read(tenant, domain=domain, action=action.get("action", ""))
    version, rules = policies.rules_for(tenant, domain)
    release = _release(intake, tenant, now)
    provided: dict[str, Any] = {}
    for provider in _fact_providers():
        provided |= provider(tenant, intake.values)
    facts = _facts(intake, action, provided, release, domain=domain, kind=kind, case=case)
    return _Judged(triage(facts, rules, automation=automation, may_auto=case is None), release, version)


def _facts(intake, action, provided, release, *, domain, kind, case) -> Facts:
    results = intake.get("tool_results", [])
    return Facts(
        kind=Kind(kind),
        domain=domain,
        language=case.language if case else intake.get("language", ""),
        risk_claimed=Risk(case.risk) if case else intake.get("risk_level"),
        signals=intake.get("signals", {}),
        has_draft=_has_draft(intake),
        draft_length=len(intake.get("model_draft", "")),
        question_length=len(intake.get("user_question", "")),
        evidence_count=len(intake.get("evidence", [])),
        policy_count=len(intake.get("policies", [])),
        tools_failed=sum(result["status"] != "ok" for result in results),
        tools_total=len(results),
        caller_triggers=tuple(intake.get("triggers", [])),
        tags=tuple(case.tags if case else intake.get("tags", [])),
        model_decision=intake.get("model_decision", ""),
        action=_action_facts(action, provided) if action else None,
        route_quality=provided.get("route_quality"),
        release_model=release.model,
        release_version=release.version,
        release_reviews=release.reviews,
        customer_known=bool(intake.get("customer")) if case is None else case.content.customer_key is not None,
    )


def _action_facts(action: dict[str, Any], provided: dict[str, Any]) -> ActionFacts:
    return ActionFacts(
        name=action["action"],
        impact=provided.get("action_impact"),
        may_run_alone=provided.get("action_may_run_alone", False),
        amount=action.get("amount"),
        currency=action.get("currency", ""),
    )


def _kind(intake: Intake) -> str:
    if kind := intake.get("kind"):
        return kind
    return Kind.DECISION if intake.get("model_decision") or intake.get("proposed_action") else Kind.ANSWER


def _release(intake: Intake, tenant: Tenant, now) -> Release:
    named = intake.get("release") or {}
    parts = {name: named.get(name) or "" for name in ("model", "version", "prompt_version", "retrieval_version")}
    release = Release.objects.filter(tenant=tenant, **parts).first()
    if release is None:
        release, _ = Release.objects.get_or_create(tenant=tenant, **parts, defaults={"first_seen_at": now})
    return release


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


def _draft(case: Case, intake: Intake, judged: _Judged, *, number: int, now) -> Draft:
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
        is_absent=not _has_draft(intake),
        release=judged.release,
        policy_version=judged.policy_version,
        model_decision=intake.get("model_decision", ""),
        signals=dict(intake.get("signals", {})),
        confidence=result.confidence.value,
        contributions=[
            {"signal": c.signal, "value": c.value, "weight": c.weight, "points": c.points, "reading": c.reading}
            for c in result.confidence.contributions
        ],
        triggers=[trigger.value for trigger in result.triggers],
        route=result.route,
        threshold=result.threshold,
        reason=result.reason[:400],
        is_sampled=judged.is_automatic and random.SystemRandom().random() < result.sample_share,
        content=content,
        content_digest=content.digest(),
        created_at=now,
    )


def _has_draft(intake: Intake) -> bool:
    return bool((intake.get("model_draft") or "").strip() or intake.get("model_decision"))


def _store_draft(draft: Draft, judged: _Judged, now) -> None:
    draft.content.save(force_insert=True)
    draft.save(force_insert=True)
    RuleFailure.objects.bulk_create(
        RuleFailure(
            policy_version=judged.policy_version, case=draft.case, condition=name[:60], cause=cause[:300], at=now
        )
        for name, cause in judged.result.failures
    )
