"""Which way a case goes: by itself, past a quick look, or to a full investigation; and why.

Pure, and total: whatever the facts and the rules are, there is an answer, and doubt sends the case to people.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

from cases import reasons
from cases.conditions import ConditionFailed, evaluate
from cases.confidence import Confidence, combine, reported
from cases.rules import Rules
from cases.vocabulary import Kind, Risk, Route, Trigger


@dataclass(frozen=True)
class ActionFacts:
    """A proposed action. An ``impact`` of None is unknown; ``may_run_alone`` is what the impact rules say."""

    name: str
    impact: Risk | None = None
    may_run_alone: bool = False
    amount: Decimal | float | None = None
    currency: str = ""
    customer_actions: int = 0
    customer_amount: float = 0.0


@dataclass(frozen=True)
class Facts:
    """All that triage may know of a draft. Every default is the doubtful one.

    ``has_draft`` is true where there is a draft or a decision to judge. Lengths are in characters. ``route_quality`` is
    in [0, 1], None when unknown. ``release_reviews`` counts the reviews that the release has had, 0 when it is unknown.
    ``lot`` in [0, 1) is the case's own, the same whenever it is sent: while automation is resuming, those below the
    share pass; a case without one has the highest.
    """

    kind: Kind
    domain: str
    language: str = ""
    risk_claimed: Risk | None = None
    signals: Mapping[str, float] = field(default_factory=dict)
    has_draft: bool = False
    draft_length: int = 0
    question_length: int = 0
    evidence_count: int = 0
    policy_count: int = 0
    tools_failed: int = 0
    tools_total: int = 0
    caller_triggers: tuple[str, ...] = ()
    user_wants_person: bool = False
    tags: tuple[str, ...] = ()
    model_decision: str = ""
    action: ActionFacts | None = None
    route_quality: float | None = None
    release_model: str = ""
    release_version: str = ""
    release_reviews: int = 0
    customer_known: bool = False
    lot: float = 1.0


@dataclass(frozen=True)
class Automation:
    """What the automation switch says, and why, in words for people.

    ``share`` is the percentage of what would pass by itself that does: below 100 while automation is resuming.
    """

    allowed: bool
    why: str = ""
    share: int = 100


@dataclass(frozen=True)
class Triage:
    """The answer. ``triggers`` stand in the order of ``Trigger``, each once, and are empty only for ``auto_approve``.

    ``risk`` is the one that counts; ``threshold`` the upper one that was applied, stricter while ``cautious``;
    ``failures`` are the conditions that failed, each with its cause; ``sample_share`` in [0, 1] is the share of such
    drafts, had they passed by themselves, that a person looks at afterwards; ``conditions`` names those that hold.
    """

    route: Route
    risk: Risk
    confidence: Confidence
    triggers: tuple[Trigger, ...]
    reason: str
    threshold: float
    cautious: bool
    failures: tuple[tuple[str, str], ...] = ()
    sample_share: float = 1.0
    conditions: tuple[str, ...] = ()


class _Findings:
    """Triggers with their clauses, kept in the order of ``Trigger``."""

    def __init__(self) -> None:
        self._clauses: dict[Trigger, list[str]] = {}

    def add(self, trigger: Trigger, *clauses: str) -> None:
        self._clauses.setdefault(trigger, []).extend(clauses)

    def triggers(self) -> tuple[Trigger, ...]:
        return tuple(trigger for trigger in Trigger if trigger in self._clauses)

    def sentence(self) -> str:
        return reasons.sentence([clause for trigger in self.triggers() for clause in self._clauses[trigger]])


def triage(facts: Facts, rules: Rules | None, *, automation: Automation, may_auto: bool = True) -> Triage:
    """The route of a draft under a policy version, with the triggers and a sentence that says why.

    ``rules`` is None when the policy could not be read: a full investigation. ``may_auto`` is false for a draft that
    follows on one that was sent back, and for an appeal: people look, whatever the confidence. Raises nothing.
    """
    found = _Findings()
    _add_what_needs_no_policy(found, facts, automation, may_auto)
    if rules is None:
        found.add(Trigger.RULE_FAILED, reasons.POLICY_UNREADABLE)
        risk = max(facts.risk_claimed or Risk.MEDIUM, Risk.MEDIUM, key=lambda risk: risk.rank)
        return Triage(
            Route.FULL_INVESTIGATION,
            risk,
            Confidence(0.0),
            found.triggers(),
            found.sentence(),
            threshold=1.0,
            cautious=True,
        )
    risk = effective_risk(facts.risk_claimed, facts.domain, rules)
    confidence = combine(facts.signals, rules.signals, clear_margin=rules.clear_margin, learned=rules.learned)
    cautious = rules.is_cautious(facts.release_reviews)
    threshold = rules.threshold_for(facts.release_reviews)

    by_domain, by_risk = facts.domain in rules.high_stakes_domains, risk in rules.high_stakes_risks
    if by_domain or by_risk:
        found.add(Trigger.HIGH_STAKES, *reasons.high_stakes(facts.domain, risk, by_domain=by_domain, by_risk=by_risk))
    if rules.known_domains and facts.domain not in rules.known_domains:
        found.add(Trigger.UNKNOWN_DOMAIN, reasons.unknown_domain(facts.domain))
    if rules.known_languages and facts.language.split("-", 1)[0].lower() not in rules.known_languages:
        found.add(Trigger.UNKNOWN_LANGUAGE, reasons.unknown_language(facts.language))
    if confidence.missing_required:
        found.add(Trigger.MISSING_SIGNALS, reasons.missing_required(confidence))
    if confidence.value <= threshold:
        needs_more = cautious and confidence.value > rules.auto_approve_above
        # Without a draft its signals mean little, and ``no_draft`` says enough.
        clauses = reasons.low_confidence(confidence, threshold, cautious=needs_more) if facts.has_draft else ()
        found.add(Trigger.LOW_CONFIDENCE, *clauses)
    failures, holding = _add_conditions(found, rules, condition_facts(facts, risk, confidence))

    if automation.share < 100 and not found.triggers() and facts.lot >= automation.share / 100:
        # Of those that would pass and of no others: what goes to people anyway is not held back by this.
        found.add(Trigger.AUTOMATION_STOPPED, reasons.held_back(automation.share))

    triggers = found.triggers()
    route = _route(confidence.value, triggers, rules, has_draft=facts.has_draft)
    return Triage(
        route=route,
        risk=risk,
        confidence=confidence,
        triggers=triggers,
        reason=found.sentence() if triggers else reasons.automatic(confidence, threshold),
        threshold=threshold,
        cautious=cautious,
        failures=failures,
        sample_share=max(
            rules.sampling_for(facts.release_reviews),
            1
            - automation.share / 100,  # While automation is resuming, people look at the more the less is let through.
        ),
        conditions=holding,
    )


def effective_risk(claimed: Risk | None, domain: str, rules: Rules) -> Risk:
    """The claimed risk, or the policy's when none is claimed, but never below the domain's floor."""
    return max(
        claimed or rules.risk_when_absent, rules.risk_floor.get(domain, Risk.LOW), key=lambda risk: Risk(risk).rank
    )


def condition_facts(facts: Facts, risk: Risk, confidence: Confidence) -> dict[str, Any]:
    """The facts as ``conditions.FACTS`` documents them, in the types of CEL: plain strings, int apart from float."""
    action = facts.action or ActionFacts("")
    return {
        "kind": str(facts.kind),
        "domain": facts.domain,
        "language": facts.language,
        "risk": str(risk),
        "confidence": float(confidence.value),
        "signals": {str(name): value for name, sent in facts.signals.items() if (value := reported(sent)) is not None},
        "has_draft": facts.has_draft,
        "draft_length": facts.draft_length,
        "question_length": facts.question_length,
        "evidence_count": facts.evidence_count,
        "policy_count": facts.policy_count,
        "tools_failed": facts.tools_failed,
        "tools_total": facts.tools_total,
        "caller_triggers": [str(trigger) for trigger in facts.caller_triggers],
        "tags": list(facts.tags),
        "model_decision": facts.model_decision,
        "action": action.name,
        "amount": float(action.amount or 0),
        "currency": action.currency,
        "action_impact": str(action.impact or ""),
        "action_may_run_alone": action.may_run_alone,
        "customer_actions_30d": action.customer_actions,
        "customer_amount_30d": float(action.customer_amount),
        "route_quality": -1.0 if facts.route_quality is None else float(facts.route_quality),
        "release_model": facts.release_model,
        "release_version": facts.release_version,
        "release_reviews": facts.release_reviews,
        "customer_known": facts.customer_known,
    }


def _add_what_needs_no_policy(found: _Findings, facts: Facts, automation: Automation, may_auto: bool) -> None:
    if not facts.has_draft:
        found.add(Trigger.NO_DRAFT, reasons.NO_DRAFT)
    for trigger in Trigger:
        if trigger in facts.caller_triggers:
            found.add(trigger, reasons.from_caller(trigger))
    if facts.user_wants_person:
        found.add(Trigger.USER_ESCALATION, reasons.from_caller(Trigger.USER_ESCALATION))
    if facts.tools_failed > 0:
        found.add(Trigger.TOOL_RISK, reasons.failed_tools(facts.tools_failed, facts.tools_total))
    if (action := facts.action) and not _is_harmless(action):
        found.add(
            Trigger.TOOL_RISK, reasons.risky_action(action.name, action.impact, may_run_alone=action.may_run_alone)
        )
    if not automation.allowed:
        found.add(Trigger.AUTOMATION_STOPPED, reasons.automation_stopped(automation.why))
    if not may_auto:
        # Somebody found fault with what this case had before: that is the quality check that failed.
        found.add(Trigger.QUALITY_FAILURE, reasons.SEEN_BEFORE)


def _is_harmless(action: ActionFacts) -> bool:
    return action.may_run_alone and action.impact in (Risk.LOW, Risk.MEDIUM)


def _add_conditions(
    found: _Findings, rules: Rules, facts: dict[str, Any]
) -> tuple[tuple[tuple[str, str], ...], tuple[str, ...]]:
    """The conditions that failed, each with its cause, and the names of those that hold."""
    failures, holding = [], []
    for condition in rules.conditions:
        try:
            holds = evaluate(condition.expression, facts)
        except ConditionFailed as error:
            failures.append((condition.name, error.message))
            found.add(Trigger.RULE_FAILED, reasons.condition_failed(condition.name))
            continue
        if holds:
            found.add(condition.trigger, reasons.condition_holds(condition.name))
            holding.append(condition.name)
    return tuple(failures), tuple(holding)


def _route(confidence: float, triggers: tuple[Trigger, ...], rules: Rules, *, has_draft: bool) -> Route:
    """The lower threshold is included in quick review, and so is the upper one (``low_confidence`` up to it).

    High stakes by any voice are investigated in full: a caller or a condition can raise the stakes, not only the
    policy. So is a case without a draft, where there is nothing to look at quickly: the person answers.
    """
    if Trigger.HIGH_STAKES in triggers or not has_draft or confidence < rules.quick_review_from:
        return Route.FULL_INVESTIGATION
    return Route.QUICK_REVIEW if triggers else Route.AUTO_APPROVE
