"""What a change of policy alone would have done to the cases before a release: they are judged again, as in what-if.

Per metric a case counts once as it was judged then, and once as the policy of after would have: a review that would no
longer be asked for counts only as often as a sample is drawn, and one that was drawn as a sample stands for all that
would now go to people. What people said of a draft is taken to be the same on whatever page they say it.
"""

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from uuid import UUID

from cases.models import Case, Draft, PolicyVersion
from cases.services.policies import rules_of
from cases.states import State
from cases.triage import Facts, triage
from cases.vocabulary import Route, Trigger

from ..drift.causes import Replayed
from ..drift.cells import Segment
from . import drift_facts
from .drift_facts import OF_REVIEWS, Single, Span, Way
from .shadows import LONG_KNOWN, ON
from .what_if import actions_of, facts_then

LATEST = 500  # cases that are judged again
WAYS = 3  # of a domain after, those by which most were judged

Judge = tuple[UUID | None, bool]  # a version of a policy, and whether it judged cautiously


@dataclass(frozen=True)
class Policies:
    """``changed`` are the domains of after in which cases are judged otherwise than before, ``same`` the others.

    ``after`` are the ways in which a changed domain's cases are judged, each with its share.
    """

    changed: frozenset[str]
    same: frozenset[str]
    after: Mapping[str, Sequence[tuple[Judge, float]]]


@dataclass(frozen=True)
class Replay:
    """Per metric what was replayed; ``faithful`` is the share that is judged again as it was then."""

    of: Mapping[str, Sequence[Replayed]]
    faithful: float


def policies_of(before: Iterable[Way], after: Iterable[Way]) -> Policies:
    before, after = list(before), list(after)
    versions = PolicyVersion.objects.in_bulk({way.version_id for way in (*before, *after) if way.version_id})
    counts = [_judges(side, versions) for side in (before, after)]
    changed, ways = set(), {}
    for domain, judges in counts[1].items():
        if _documents(counts[0][domain], versions) == _documents(judges, versions):
            continue
        changed.add(domain)
        most = judges.most_common(WAYS)
        ways[domain] = [(judge, cases / sum(n for _, n in most)) for judge, cases in most]
    return Policies(frozenset(changed), frozenset(set(counts[1]) - changed), ways)


def _judges(ways: Iterable[Way], versions: Mapping[UUID, PolicyVersion]) -> dict[str, Counter[Judge]]:
    found: dict[str, Counter[Judge]] = defaultdict(Counter)
    for way in ways:
        version = versions.get(way.version_id)
        is_cautious = version is not None and way.threshold > version.document["auto_approve_above"]
        found[way.domain][way.version_id, is_cautious] += way.cases
    return found


def _documents(judges: Iterable[Judge], versions: Mapping[UUID, PolicyVersion]) -> list[tuple[str, bool]]:
    return sorted(
        {(str(versions[version].document) if version in versions else "", cautious) for version, cautious in judges}
    )


def replay(span: Span, policies: Policies) -> Replay:
    """The newest cases of the changed domains, judged again. A fixed number of queries."""
    drafts = _latest(span, policies.changed)
    actions, facts = actions_of(drafts), drift_facts.singles(span, [draft.case_id for draft in drafts])
    judges = {judge for ways in policies.after.values() for judge, _ in ways}
    versions = PolicyVersion.objects.in_bulk({version for version, _ in judges if version})
    rules = {version: rules_of(versions.get(version)) for version, _ in judges}
    found: dict[str, list[Replayed]] = defaultdict(list)
    same = 0
    for draft in drafts:
        known, is_same = facts_then(draft, actions.get(draft.case_id))
        same += is_same
        if (single := facts.get(draft.case_id)) is None:
            continue
        case = draft.case
        segment = case.domain, case.language.lower().split("-")[0], case.risk
        chance = _then(draft)
        now = [(share, _judged(known, rules[judge[0]], judge[1])) for judge, share in policies.after[case.domain]]
        for name, one in _replayed(segment, draft, single, chance, now):
            found[name].append(one)
    return Replay(found, same / len(drafts) if drafts else 0.0)


def _latest(span: Span, domains: Iterable[str]) -> list[Draft]:
    rows = (
        Draft.objects.filter(
            number=1,
            case__tenant=span.release.tenant_id,
            case__purpose=Case.Purpose.REAL,
            case__domain__in=domains,
            case__opened_at__gte=span.since,
            case__opened_at__lt=span.at,
        )
        .exclude(release=span.release)
        .exclude(case__state=State.WITHDRAWN)
        .exclude(triggers__contains=[Trigger.AUTOMATION_STOPPED])  # The switch sent these, and no policy.
        .select_related("case__content", "content", "release", "policy_version")
        .order_by("-case__opened_at")
    )
    return list(rows[:LATEST])


def _then(draft: Draft) -> float:
    """The chance that a person looked at it as triage judged it; 0 where that is not known."""
    if draft.route != Route.AUTO_APPROVE:
        return 1.0
    return (draft.sample_share or 0.0) if draft.is_sampled else 0.0


def _judged(known: Facts, rules, is_cautious: bool) -> tuple[float, float]:
    """The chances that a case of such facts passes by itself, and that a person looks at it."""
    result = triage(replace(known, release_reviews=0 if is_cautious else LONG_KNOWN), rules, automation=ON)
    passes = result.route == Route.AUTO_APPROVE
    return float(passes), result.sample_share if passes else 1.0


def _replayed(
    segment: Segment, draft: Draft, single: Single, chance: float, now: Sequence[tuple[float, tuple[float, float]]]
) -> Iterable[tuple[str, Replayed]]:
    passed = draft.route == Route.AUTO_APPROVE
    passes = sum(share * one for share, (one, _) in now)
    looked_at = sum(share * one for share, (_, one) in now)
    a, b = single.of.get("escalation_rate", (0.0, 0.0))
    if b:
        yield "escalation_rate", Replayed(segment, (float(not passed), b), ((1 - passes) * b, b))
    a, b = single.of.get("rejection_rate", (0.0, 0.0))
    if b and passed:  # What goes to people now is known of samples only, which stand for the others.
        others = (1 - passes) / chance if chance else 0.0
        yield "rejection_rate", Replayed(segment, (a, b), (a * (passes + others), b * (passes + others)))
    elif b:
        yield "rejection_rate", Replayed(segment, (a, b), (a * (1 - passes), b))
    if not chance or single.is_wrong is None:
        return
    for name in OF_REVIEWS:
        a, b = single.of.get(name, (0.0, 0.0))
        weight = looked_at / chance
        yield name, Replayed(segment, (a, b), (a * weight, b * weight))
    a, b = single.of.get("automatic_approval_error", (0.0, 0.0))
    weight = passes / chance
    yield "automatic_approval_error", Replayed(segment, (a, b), (single.is_wrong * weight, weight))
