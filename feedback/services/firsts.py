"""Blind first: who is asked for an opinion before the draft is shown, and to take it.

Whether somebody is asked about a draft is a lot of the two, keyed with the product's secret: it never changes, however
often they open or take the case, and nobody can work it out. It is drawn against the tenant's policy, by the case's
risk and by the person's record as it was when they first took the case; nobody is asked beyond the cap on friction.
Where a quorum rule hides the draft from its voters, everybody is asked: that vote counts under the cap as a vote.

Before that, the draft is hidden from a reviewer who might be asked, so that reading the page first and taking the case
afterwards shows them nothing. Both ask ``blindness``, and so do all doors that show a draft.
"""

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from django.db import transaction
from django.db.models import Exists, OuterRef, QuerySet

from cases.clock import db_now
from cases.models import Case, Content, Tenant, User
from cases.permissions import require
from cases.services import lifecycle
from cases.services.policies import rules_of
from cases.states import State
from cases.vocabulary import Kind, Verdict
from queues.models import Claim, Consultation, Entry, QuorumRule, Reviewer
from queues.services.claims import hold

from ..blind import STREAK, Shares
from ..errors import FirstOpinionGiven, FirstOpinionMissing, ReviewInvalid
from ..models import ChallengeResult, FirstOpinion, Review
from . import friction
from .lots import lot, may_be_drawn, shares_of
from .votes import impact_of

LONGEST = 2_000  # characters of a first opinion in words


@dataclass(frozen=True)
class Blindness:
    """``hides``: nothing that the AI said of the case may be shown to this person now. ``asks``: they hold the case and
    see it once they have given their opinion. ``has_spoken``: they have given it."""

    hides: bool = False
    asks: bool = False
    has_spoken: bool = False


SEES = Blindness()


def blindness(case: Case, entry: Entry | None, person: User) -> Blindness:
    """What holds for ``person`` before the current draft of ``case``. One query where the tenant asks for nothing of
    the kind, and none for an entry of ``with_rules`` and a case that came with its tenant's policy."""
    if entry is None or entry.kind != Entry.Kind.REVIEW or entry.for_adjudicator:
        return SEES
    if case.state != State.PENDING_REVIEW or case.current_draft.is_absent:
        return SEES
    shares, by_rule = _asked_for(case, entry)
    if not by_rule and not may_be_drawn(case, person, shares):
        return SEES
    if FirstOpinion.objects.filter(draft=case.current_draft_id, person=person).exists():
        return Blindness(has_spoken=True)
    if not Reviewer.objects.filter(user=person, tenant=case.tenant_id).exists() or _knows_it(case, person):
        return SEES
    if entry.claimed_by_id != person.pk:
        return Blindness(hides=True)
    if by_rule or _is_drawn(case, person, shares):
        return Blindness(hides=True, asks=True)
    return SEES


def require_given(case: Case, entry: Entry, actor: User) -> None:
    """Raise ``FirstOpinionMissing`` where ``actor`` has yet to say what they would decide."""
    if blindness(case, entry, actor).asks:
        raise FirstOpinionMissing("Say first what you would decide; then the draft is shown. Nothing was changed.")


@transaction.atomic
def give(case_id: UUID, *, actor: User, generation: int, decision: str = "", answer: str = "") -> FirstOpinion:
    """What ``actor``, who holds the case, would decide; the draft is shown to them from then on. Given once, and never
    changed. Raises ``StaleClaim``, ``Denied``, ``FirstOpinionGiven`` or ``ReviewInvalid``."""
    case = lifecycle.locked(case_id)
    entry = hold(case.pk, actor, generation)
    require(actor, "work_queue", entry.queue)
    if not blindness(case, entry, actor).asks:
        raise FirstOpinionGiven("No opinion is asked for beforehand any more. Nothing was changed.")
    _check(case, decision, answer)
    now = db_now()
    content = Content(tenant=case.tenant, owner=Content.Owner.REVIEW, case_id=case.pk, body={"answer": answer.strip()})
    content.save(force_insert=True)
    opinion = FirstOpinion(
        tenant=case.tenant,
        case=case,
        draft=case.current_draft,
        person=actor,
        decision=decision,
        seconds=max(0.0, (now - entry.claimed_at).total_seconds()),
        generation=entry.generation,
        content=content,
        content_digest=content.digest(),
        created_at=now,
    )
    opinion.save(force_insert=True)
    return opinion


def opinion_of(case: Case, person: User) -> FirstOpinion | None:
    """What ``person`` said before they saw the current draft."""
    given = FirstOpinion.objects.filter(draft=case.current_draft_id, person=person)
    return given.select_related("content").first()


def options_of(case: Case) -> tuple[str, ...]:
    """The decisions to choose from; empty where the opinion is a text."""
    rules = rules_of(case.current_draft.policy_version)
    return tuple(rules.decision_options) if rules and case.kind == Kind.DECISION else ()


def _check(case: Case, decision: str, answer: str) -> None:
    options = options_of(case)
    if options and decision not in options:
        raise ReviewInvalid(f"Choose one of: {', '.join(options)}.", pointer="/decision")
    if not options and decision:
        raise ReviewInvalid("This case is answered in words.", pointer="/decision")
    if not options and not answer.strip():
        raise ReviewInvalid("Say in a sentence what should be answered or decided.", pointer="/answer")
    if len(answer) > LONGEST:
        raise ReviewInvalid(f"At most {LONGEST:,} characters.", pointer="/answer")


def with_rules(entries: QuerySet[Entry]) -> QuerySet[Entry]:
    """``entries`` with what ``blindness`` asks of each, so that it asks nothing more where no rule holds."""
    hiding = QuorumRule.objects.filter(tenant=OuterRef("tenant"), is_active=True, hides_draft=True)
    return entries.annotate(may_hide=Exists(hiding))


def _asked_for(case: Case, entry: Entry) -> tuple[Shares | None, bool]:
    """The tenant's policy where it is on, and whether a quorum rule hides the draft from the voters of ``entry``."""
    tenant = case.tenant
    if not hasattr(entry, "may_hide"):
        asked = with_rules(Entry.objects.filter(pk=entry.pk)).select_related("tenant__blind_first_policy")
        found = asked.only("tenant__id", "tenant__blind_first_policy").get()
        entry.may_hide, tenant = found.may_hide, found.tenant
    shares = shares_of(tenant)
    if not entry.may_hide:
        return shares, False
    rules = QuorumRule.objects.filter(tenant=case.tenant_id, is_active=True, hides_draft=True)
    impact = impact_of(case)
    return shares, any(rule.as_demand().holds(queue=entry.queue_id, risk=case.risk, impact=impact) for rule in rules)


def _knows_it(case: Case, person: User) -> bool:
    """Who gave a review of the draft, or was asked about the case by its holder, has seen it."""
    draft = case.current_draft_id
    return (
        Review.objects.filter(draft=draft, reviewer=person).exists()
        or Consultation.objects.filter(case=case, colleague=person).exists()
    )


def _is_drawn(case: Case, person: User, shares: Shares) -> bool:
    """By the record as it was when the person first took the case under this draft: nothing that happens while they
    have it, or before they take it again, changes the answer."""
    claims = Claim.objects.filter(case=case, user=person, claimed_at__gte=case.current_draft.created_at)
    since = claims.order_by("generation").values_list("claimed_at", flat=True).first()
    if since is None:
        return False  # They had it before the draft came, and know the case: a new draft of an old question.
    missed, streak = _missed_last(person, case.tenant, since), _streak(case, person, since)
    if lot(case, person) >= shares.chance(case.risk, missed_last=missed, accepted_in_a_row=streak):
        return False
    return friction.has_room(person, case.tenant, at=since)


def _missed_last(person: User, tenant: Tenant, until: datetime) -> bool:
    results = ChallengeResult.objects.filter(person=person, tenant=tenant, judged_at__lt=until)
    return results.order_by("-judged_at").values_list("is_caught", flat=True).first() is False


def _streak(case: Case, person: User, until: datetime) -> int:
    """How many of the last ``STREAK`` reviews in a row accepted the draft."""
    kinds = (Review.Kind.DECISION, Review.Kind.VOTE)
    past = Review.objects.filter(
        reviewer=person, tenant=case.tenant_id, kind__in=kinds, superseded_by=None, created_at__lt=until
    )
    verdicts = list(past.order_by("-created_at").values_list("verdict", flat=True)[:STREAK])
    return next((place for place, verdict in enumerate(verdicts) if verdict != Verdict.ACCEPT), len(verdicts))
