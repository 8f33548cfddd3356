"""Judging drafts: what triage needs is read once for all of them, then each is judged by itself."""

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from functools import cache
from typing import Any

from django.conf import settings
from django.utils.module_loading import import_string

from ..digests import canonical
from ..models import Case, PolicyVersion, Release, Tenant
from ..models.drafts import RELEASE_PARTS
from ..triage import ActionFacts, Facts, Triage, triage
from ..vocabulary import Kind, Risk, Route
from ..wire.intake import Intake
from . import policies, switch


@dataclass(frozen=True)
class Judged:
    """What triage said of one draft, and what it stood on. ``policy_version`` is None where none could be read."""

    result: Triage
    release: Release
    policy_version: PolicyVersion | None

    @property
    def is_automatic(self) -> bool:
        return self.result.route == Route.AUTO_APPROVE


def judge(tenant: Tenant, intakes: Sequence[Intake], *, now: datetime, case: Case | None = None) -> list[Judged]:
    """Judge new cases, or the next draft of ``case``, which is never decided automatically.

    In one transaction with what follows from it: the switch holds until that commits. The number of statements does
    not depend on how many they are.
    """
    switches = switch.switches_of(tenant)
    versions = policies.versions_for(tenant, {_domain(intake, case) for intake in intakes})
    releases = _releases(tenant, [_release_key(intake) for intake in intakes], now)
    judged = []
    for intake, provided in zip(intakes, _provided(tenant, intakes, case), strict=True):
        domain, action = _domain(intake, case), intake.get("proposed_action") or {}
        version, release = versions[domain], releases[_release_key(intake)]
        automation = switches.automation(domain=domain, action=action.get("action", ""))
        facts = _facts(intake, provided, release, case)
        if automation.share < 100:
            facts = replace(facts, lot=lot_of(tenant, intake))
        result = triage(facts, policies.rules_of(version), automation=automation, may_auto=case is None)
        judged.append(Judged(result, release, version))
    return judged


def facts_of(tenant: Tenant, opened: Sequence[tuple[Intake, Release]]) -> list[Facts]:
    """What triage knows of new cases, for whoever judges them by other rules beside it.

    In the same transaction, and before anything follows from them: an action that is stored is part of its customer's
    past.
    """
    provided = _provided(tenant, [intake for intake, _ in opened])
    return [_facts(intake, known, release, None) for (intake, release), known in zip(opened, provided, strict=True)]


def lot_of(tenant: Tenant, intake: Intake) -> float:
    """A number in [0, 1) that is the case's own: the same when it is sent again, and unlike that of any other."""
    name = intake.get("external_id")
    digest = hashlib.sha256(tenant.pk.bytes + (name.encode() if name else canonical(intake.raw))).digest()
    return int.from_bytes(digest[:6]) / 2**48


def kind_of(intake: Intake) -> Kind:
    """What the caller says it is; else a decision where there is one to take, and an answer otherwise."""
    if kind := intake.get("kind"):
        return kind
    return Kind.DECISION if intake.get("model_decision") or intake.get("proposed_action") else Kind.ANSWER


def has_draft(intake: Intake) -> bool:
    return bool((intake.get("model_draft") or "").strip() or intake.get("model_decision"))


def customer_known(values: Mapping[str, Any]) -> bool:
    """Whether the caller said who the customer is; ``values`` are an intake's or the stored texts of its case."""
    return bool(values.get("customer"))


def _domain(intake: Intake, case: Case | None) -> str:
    return case.domain if case else intake.get("domain")


@cache
def _fact_providers() -> tuple:
    return tuple(import_string(path) for path in settings.CASE_FACT_PROVIDERS)


def _provided(tenant: Tenant, intakes: Sequence[Intake], case: Case | None = None) -> list[dict[str, Any]]:
    """Per intake what the rooms above know of it; a new draft has the domain of its ``case``."""
    sent = [{**intake.values, "domain": _domain(intake, case)} for intake in intakes]
    merged: list[dict[str, Any]] = [{} for _ in intakes]
    for provider in _fact_providers():
        for known, facts in zip(merged, provider(tenant, sent), strict=True):
            known |= facts
    return merged


def _facts(intake: Intake, provided: dict[str, Any], release: Release, case: Case | None) -> Facts:
    results, action = intake.get("tool_results", []), intake.get("proposed_action")
    return Facts(
        kind=Kind(case.kind) if case else kind_of(intake),
        domain=_domain(intake, case),
        language=case.language if case else intake.get("language", ""),
        risk_claimed=Risk(case.risk) if case else intake.get("risk_level"),
        signals=intake.get("signals", {}),
        has_draft=has_draft(intake),
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
        customer_known=customer_known(case.content.text if case else intake.values),
    )


def _action_facts(action: dict[str, Any], provided: dict[str, Any]) -> ActionFacts:
    return ActionFacts(
        name=action["action"],
        impact=provided.get("action_impact"),
        may_run_alone=provided.get("action_may_run_alone", False),
        amount=action.get("amount"),
        currency=action.get("currency", ""),
        customer_actions=provided.get("customer_actions_30d", 0),
        customer_amount=provided.get("customer_amount_30d", 0.0),
    )


ReleaseKey = tuple[str, str, str, str]


def _release_key(intake: Intake) -> ReleaseKey:
    named = intake.get("release") or {}
    return tuple(named.get(part) or "" for part in RELEASE_PARTS)


def _releases(tenant: Tenant, keys: Iterable[ReleaseKey], now: datetime) -> dict[ReleaseKey, Release]:
    """The release of each key; one that nobody has named before is stored."""
    wanted = sorted(set(keys))  # In one order everywhere, so that two callers never wait for each other.
    found = _stored_releases(tenant, wanted)
    if missing := [key for key in wanted if key not in found]:
        Release.objects.bulk_create(
            [
                Release(tenant=tenant, first_seen_at=now, **dict(zip(RELEASE_PARTS, key, strict=True)))
                for key in missing
            ],
            ignore_conflicts=True,  # Somebody else may store the same at this moment: then theirs is read.
        )
        found |= _stored_releases(tenant, missing)
    return found


def _stored_releases(tenant: Tenant, keys: Sequence[ReleaseKey]) -> dict[ReleaseKey, Release]:
    # Each part by itself: a few rows too many, and one plan for one key as for a thousand.
    parts = {f"{part}__in": {key[place] for key in keys} for place, part in enumerate(RELEASE_PARTS)}
    rows = Release.objects.filter(tenant=tenant, **parts)
    return {tuple(getattr(row, part) for part in RELEASE_PARTS): row for row in rows}
