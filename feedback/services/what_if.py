"""What a changed policy would have made of past cases: routes and queues, before anything changes.

Each case is judged twice by ``triage``, by the policy as it is and as it would be, and routed twice among the queues of
now. What triage knew then and nobody stored (a caller's own triggers, what a condition saw of an action that has
changed since) is taken from what it answered: a trigger that the version of that day would not raise by itself came
from elsewhere, and stays. That automation was stopped does not count. Nothing is written.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import timedelta
from typing import Any
from uuid import UUID

from approvals.models import ProposedAction
from cases.models import Case, Draft, Policy
from cases.rules import Rules
from cases.services.judging import customer_known
from cases.services.policies import rules_of
from cases.states import State
from cases.triage import ActionFacts, Automation, Facts, Triage, triage
from cases.vocabulary import Kind, Risk, Route, Trigger, Verdict
from queues.routing import NoQueue, QueueFacts, choose
from queues.services.placing import authorities_of, case_facts, queue_facts, routed_queues, time_left

from ..models import Review
from .shadows import LONG_KNOWN, ON

LAST = 1_000  # cases
EXAMPLES = 20
NOT_THE_CALLERS = frozenset({Trigger.AUTOMATION_STOPPED, Trigger.LOW_CONFIDENCE, Trigger.NO_DRAFT})


@dataclass(frozen=True)
class Moved:
    """A case that would go another way. ``said``: the first decision of a person that stands, if there is one."""

    case: Case
    before: Route
    after: Route
    queue_before: str
    queue_after: str
    reason: str
    said: str

    @property
    def said_words(self) -> str:
        return Verdict(self.said).label if self.said else "nobody has looked"

    @property
    def is_wrong(self) -> bool:
        """It would pass by itself, and a person did not accept it."""
        return self.after == Route.AUTO_APPROVE and self.said not in ("", Verdict.ACCEPT)


@dataclass
class WhatIf:
    """``flows`` counts cases by (route as it is, route as it would be), ``queues`` those by queue likewise.

    ``same`` of the cases were judged then as the version of that day judges them again.
    """

    cases: int = 0
    same: int = 0
    weeks: float = 1.0
    flows: Counter = field(default_factory=Counter)
    before: Counter = field(default_factory=Counter)
    after: Counter = field(default_factory=Counter)
    judged: Counter = field(default_factory=Counter)  # (route as it would be, said)
    wrong: list[Moved] = field(default_factory=list)
    held: list[Moved] = field(default_factory=list)
    moved: int = 0

    @property
    def rows(self) -> list[tuple[str, list[int], int]]:
        """Per route as it is: the cases by the route as it would be, and their sum."""
        found = []
        for was in Route:
            counts = [self.flows[was, will] for will in Route]
            found.append((was.label, counts, sum(counts)))
        return found

    @property
    def totals(self) -> list[int]:
        return [sum(self.flows[was, will] for was in Route) for will in Route]

    @property
    def load(self) -> list[tuple[str, float, float, float]]:
        """Per queue its cases a week as it is, as it would be, and the difference; the largest change first."""
        names = sorted(set(self.before) | set(self.after))
        rows = [(name, self.before[name] / self.weeks, self.after[name] / self.weeks) for name in names]
        return [(name, b, a, a - b) for name, b, a in sorted(rows, key=lambda row: (-abs(row[2] - row[1]), row[0]))]

    @property
    def newly_judged(self) -> tuple[int, int]:
        """Of those that would newly pass: how many people decided, and how many of these they did not accept."""
        n = self.judged["newly", True] + self.judged["newly", False]
        return n, self.judged["newly", True]


def replay(policy: Policy, document: Mapping[str, Any]) -> WhatIf:
    """The latest ``LAST`` cases that ``policy`` judged, by it and by ``document``. A fixed number of queries.

    Raises ``RulesInvalid`` for a document that no draft could be judged by.
    """
    changed = Rules.from_document(document)
    present = Rules.from_document(policy.document(), check_conditions=False)
    drafts = _latest(policy)
    actions, said = actions_of(drafts), _said(drafts)
    queues = [queue_facts(queue) for queue in routed_queues([policy.tenant_id])]
    authorities = authorities_of([draft.case for draft in drafts]) if any(q.authority_code for q in queues) else {}
    found = WhatIf(cases=len(drafts))
    if drafts:
        span = max(drafts[0].created_at - drafts[-1].created_at, timedelta(days=1))
        found.weeks = span / timedelta(days=7)
    for draft in drafts:
        facts, is_same = facts_then(draft, actions.get(draft.case_id))
        found.same += is_same
        was, will = (triage(facts, rules, automation=ON) for rules in (present, changed))
        known = {"queues": queues, "authority": authorities.get(draft.case_id, "")}
        _count(found, draft, (was, _queue(draft, was, **known)), (will, _queue(draft, will, **known)), said)
    return found


def _count(
    found: WhatIf, draft: Draft, was: tuple[Triage, str], will: tuple[Triage, str], said: Mapping[UUID, str]
) -> None:
    before, after = was[0].route, will[0].route
    found.flows[before, after] += 1
    for counter, (_, queue) in ((found.before, was), (found.after, will)):
        if queue:
            counter[queue] += 1
    if before == after and was[1] == will[1]:
        return
    found.moved += 1
    one = Moved(draft.case, before, after, was[1], will[1], will[0].reason, said.get(draft.pk, ""))
    if after == Route.AUTO_APPROVE != before and one.said:
        found.judged["newly", one.is_wrong] += 1
    if one.is_wrong and len(found.wrong) < EXAMPLES:
        found.wrong.append(one)
    elif before == Route.AUTO_APPROVE != after and len(found.held) < EXAMPLES:
        found.held.append(one)


def _latest(policy: Policy) -> list[Draft]:
    rows = (
        Draft.objects.filter(
            tenant=policy.tenant_id, number=1, policy_version__policy=policy, case__purpose=Case.Purpose.REAL
        )
        .exclude(case__state=State.WITHDRAWN)
        .select_related("case__content", "case__tenant", "content", "release", "policy_version")
        .order_by("-id")
    )
    return list(rows[:LAST])


def actions_of(drafts: Sequence[Draft]) -> dict[UUID, ProposedAction]:
    rows = ProposedAction.objects.filter(case__in=[draft.case_id for draft in drafts]).order_by("-id")
    return {action.case_id: action for action in rows}  # The first of each case wins, since it comes last.


def _said(drafts: Sequence[Draft]) -> dict[UUID, str]:
    """Per draft the verdict of the first decision that stands."""
    rows = Review.objects.countable().filter(draft__in=[draft.pk for draft in drafts]).order_by("-created_at", "-id")
    return dict(rows.values_list("draft_id", "verdict"))


def facts_then(draft: Draft, action: ProposedAction | None) -> tuple[Facts, bool]:
    """What triage knew of ``draft``, and whether its own version judges it by that as it did."""
    rules = rules_of(draft.policy_version)
    case, text, asked = draft.case, draft.content.text, draft.case.content.text
    results = text.get("tool_results") or []
    is_new = rules is not None and draft.threshold > rules.auto_approve_above
    facts = Facts(
        kind=Kind(case.kind),
        domain=case.domain,
        language="" if case.language == "und" else case.language,
        risk_claimed=Risk(case.risk),
        signals=draft.signals,
        has_draft=not draft.is_absent,
        draft_length=len(text.get("model_draft") or ""),
        question_length=len(asked.get("user_question") or ""),
        evidence_count=len(text.get("evidence") or []),
        policy_count=len(text.get("policies") or []),
        tools_failed=sum(result.get("status") != "ok" for result in results),
        tools_total=len(results),
        tags=tuple(case.tags),
        model_decision=draft.model_decision,
        action=_action_facts(action),
        release_model=draft.release.model,
        release_version=draft.release.version,
        release_reviews=0 if is_new else LONG_KNOWN,
        customer_known=customer_known(asked),
    )
    again = triage(facts, rules, automation=Automation(allowed=True))
    came_with = frozenset(draft.triggers) - frozenset(again.triggers) - NOT_THE_CALLERS
    facts = replace(facts, caller_triggers=tuple(trigger for trigger in Trigger if trigger in came_with))
    again = triage(facts, rules, automation=Automation(Trigger.AUTOMATION_STOPPED not in draft.triggers))
    return facts, again.route == draft.route


def _action_facts(action: ProposedAction | None) -> ActionFacts | None:
    if action is None:
        return None
    return ActionFacts(action.name, Risk(action.impact), action.may_run_alone, action.amount, action.currency)


def _queue(draft: Draft, judged: Triage, *, queues: Sequence[QueueFacts], authority: str) -> str:
    """The queue's slug; empty where no person looks."""
    if judged.route == Route.AUTO_APPROVE:
        return ""
    case = draft.case
    wanted_in = time_left(case.wanted_by, case.opened_at)
    facts = case_facts(case, judged.route, queues, authority=authority, wanted_in=wanted_in)
    try:
        return choose(replace(facts, risk=judged.risk), queues)[0].slug
    except NoQueue:
        return ""
