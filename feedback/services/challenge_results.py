"""What became of planted challenges: judging, alerts, pauses and the way back, and taking away what nobody met.

A review is judged when its decision is final: before that it can be undone, and nobody should learn what is right while
they can still change their mind.
"""

import hashlib
from datetime import datetime, timedelta
from uuid import UUID

from django.db import transaction
from django.db.models import QuerySet
from django.urls import reverse

from approvals.services.lifetimes import end_actions
from cases.clock import db_now
from cases.errors import IllegalState
from cases.models import Case, User
from cases.models.people import system_actor
from cases.permissions import Denied, require
from cases.services import lifecycle
from cases.services.notices import News, tell
from cases.states import DECIDED, State
from queues.models import Entry, Passage, Reviewer
from queues.services.alarms import supervisors_of
from queues.services.fitness import fitness_of
from queues.services.people import save_reviewer

from ..dose import misses_that_pause
from ..errors import ReviewInvalid
from ..gold import Expected, faults
from ..models import ChallengeResult, PlantedChallenge, ResultSeen, Review, TrainingAlert
from . import planting

BATCH = 200
JUDGED = (Review.Kind.DECISION, Review.Kind.VOTE)
RESERVED = timedelta(hours=4)  # Then colleagues are offered it as well: somebody should meet it.
UNMET = 0.8  # of the time to its deadline, after which the caller withdraws what nobody has taken
PAUSED = "Too many missed challenges: talk to your supervisor."


class AlertClosed(IllegalState):
    code = "alert_closed"
    title = "This alert is closed"


class OwnAlert(IllegalState):
    code = "own_alert"
    title = "This alert is about you"


def sweep() -> None:
    """What is due: judge what is final, take away what nobody met, let colleagues at what waits too long, open plans.

    Idempotent, and safe to run twice at once.
    """
    judge_due()
    retire()
    planting.open_due()


# --- judging ----------------------------------------------------------------------------------------------------------


def judge_due() -> int:
    """Judge what has become final; returns how many cases."""
    now = db_now()
    recent = PlantedChallenge.objects.filter(results=None, planted_at__gt=now - planting.RECENT)
    decided = recent.filter(case__state__in=DECIDED, case__final_at__lte=now)
    asked_again = recent.filter(case__state=State.NEEDS_EDIT)
    keys = [*decided.values_list("pk", flat=True)[:BATCH], *asked_again.values_list("pk", flat=True)[:BATCH]]
    return sum(bool(judge(key)) for key in keys)


@transaction.atomic
def judge(case_id: UUID) -> list[ChallengeResult]:
    """The results of one planted challenge, one for each person whose review of it stands; none before it is final."""
    case = lifecycle.locked(case_id)
    now = db_now()
    planted = PlantedChallenge.objects.select_related("tenant", "challenge").get(pk=case_id)
    is_final = case.final_at <= now if case.final_at else case.state == State.NEEDS_EDIT
    if not is_final or planted.results.exists():
        return []
    reviews = Review.objects.filter(case=case, kind__in=JUDGED, superseded_by=None).select_related(
        "content", "reviewer"
    )
    standing = list(reviews.order_by("id"))
    window = timedelta(seconds=case.tenant.undo_seconds)
    if any(review.created_at + window > now for review in standing):
        return []
    expected = Expected.from_document(planted.expected)
    results = [_judge(planted, expected, review, now) for review in standing]
    if case.state in (State.APPROVED, State.REJECTED):
        end_actions(case, actor=case.caller, now=now, why="its caller took it back")
    return results


def _judge(planted: PlantedChallenge, expected: Expected, review: Review, now: datetime) -> ChallengeResult:
    answer = review.content.text.get("final_answer") or ""
    found = faults(expected, verdict=review.verdict, decision=review.final_decision, answer=answer)
    result = ChallengeResult(
        tenant=planted.tenant,
        planted=planted,
        person=review.reviewer,
        review=review,
        is_caught=not found,
        why=[text[:400] for text in found],
        judged_at=now,
    )
    result.save(force_insert=True)
    if found:
        _alert(result, planted, now)
    return result


def _alert(result: ChallengeResult, planted: PlantedChallenge, now: datetime) -> TrainingAlert:
    """Tell the supervisors, and pause the person where the policy says so."""
    person, tenant = result.person, planted.tenant
    policy = planting.policy_for(planted.case)
    results = planting.counted_results(person, tenant)
    among = results[: policy.pause_among] if policy else results[:10]
    pauses = bool(policy and misses_that_pause(planting.rates_of(policy), results)) and _pause(person, tenant)
    alert = TrainingAlert(
        tenant=tenant,
        result=result,
        person=person,
        raised_at=now,
        has_paused=pauses,
        misses=sum(not is_caught for is_caught in among),
        among=len(among),
    )
    alert.save_as(system_actor(), "a challenge was missed")
    _tell(alert, planted.case)
    return alert


def _pause(person: User, tenant) -> bool:
    reviewer = Reviewer.objects.select_for_update(of=("self",)).filter(tenant=tenant, user=person).first()
    if reviewer is None or reviewer.is_paused:
        return False
    reviewer.is_paused = True
    save_reviewer(reviewer, actor=system_actor(), reason=PAUSED)
    return True


def _tell(alert: TrainingAlert, case: Case) -> None:
    """Whom it concerns stands on the page alone: a team's channel may hear of it too."""
    queue = Passage.objects.filter(case=case).order_by("-left_at").values_list("queue", flat=True).first()
    supervisors = supervisors_of({queue} if queue else set()).get(queue, [])
    tell(
        [
            News(
                tenant_id=alert.tenant_id,
                kind="training.alert",
                text="A training alert waits for a supervisor.",
                key=f"training:{alert.pk.hex}",
                to=[key for key in supervisors if key != alert.person_id],
                path=reverse("admin:feedback_trainingalert_change", args=[alert.pk]),
            )
        ],
        at=alert.raised_at,
    )


# --- what people do about it ------------------------------------------------------------------------------------------


def unread_of(person: User) -> QuerySet[ChallengeResult]:
    """Their results that they have not read yet, the oldest first."""
    rows = ChallengeResult.objects.filter(person=person, seen=None).select_related("planted__case", "review__content")
    return rows.order_by("judged_at")


def acknowledge(result_id: UUID, *, person: User) -> ResultSeen:
    """The person has read their result. Raises ``ChallengeResult.DoesNotExist`` for anybody else's."""
    result = ChallengeResult.objects.get(pk=result_id, person=person)
    ResultSeen.objects.bulk_create([ResultSeen(result=result, at=db_now())], ignore_conflicts=True)
    return ResultSeen.objects.get(pk=result.pk)


@transaction.atomic
def take_on(alert_id: UUID, *, actor: User) -> TrainingAlert:
    """``actor`` has seen the alert and will talk to the person. Raises ``Denied`` or ``OwnAlert``."""
    alert = _locked(alert_id, actor)
    if alert.seen_at is None:
        alert.seen_by, alert.seen_at = actor, db_now()
        alert.save_as(actor, "taken on")
    return alert


@transaction.atomic
def close(alert_id: UUID, *, actor: User, outcome: str, note: str, ends_pause: bool = False) -> TrainingAlert:
    """Say what came of an alert; ``ends_pause`` gives the person cases again, by the rules of ``save_reviewer``.

    A challenge at fault is taken out of use, and its result counts for nobody. Raises ``Denied``, ``OwnAlert``,
    ``AlertClosed`` or ``ReviewInvalid``.
    """
    alert = _locked(alert_id, actor)
    if not alert.is_open:
        raise AlertClosed(f"{alert.closed_by} closed this alert at {alert.closed_at:%d %b %H:%M} UTC. Nothing changed.")
    if not note.strip():
        raise ReviewInvalid("Say what you talked about or found.", pointer="/note")
    now = db_now()
    alert.outcome, alert.note = TrainingAlert.Outcome(outcome), note.strip()[:1_000]
    alert.closed_by, alert.closed_at = actor, now
    if alert.seen_at is None:
        alert.seen_by, alert.seen_at = actor, now
    alert.save_as(actor, f"closed: {alert.get_outcome_display()}")
    if alert.outcome == TrainingAlert.Outcome.CHALLENGE_WRONG:
        challenge = alert.result.planted.challenge
        challenge.is_active = False
        challenge.save_as(actor, "at fault")
    if ends_pause:
        _end_pause(alert, actor)
    return alert


def _end_pause(alert: TrainingAlert, actor: User) -> None:
    reviewer = Reviewer.objects.select_for_update(of=("self",)).filter(tenant=alert.tenant, user=alert.person).first()
    if reviewer is not None and reviewer.is_paused:
        reviewer.is_paused = False
        save_reviewer(reviewer, actor=actor, reason=f"{alert.get_outcome_display()}: {alert.note}"[:200])


def _locked(alert_id: UUID, actor: User) -> TrainingAlert:
    TrainingAlert.objects.select_for_update().only("pk").get(pk=alert_id)
    links = ("tenant", "person", "closed_by", "result__planted__challenge__tenant")
    alert = TrainingAlert.objects.select_related(*links).get(pk=alert_id)
    require(actor, "manage_challenges", alert.tenant)
    if alert.person_id == actor.pk:
        raise OwnAlert("This alert is about you: somebody else talks to you about it. Nothing was changed.")
    return alert


# --- what nobody met --------------------------------------------------------------------------------------------------


def retire() -> int:
    """Withdraw, as their callers would, what nobody took in time and what asks for a draft that will never come; offer
    to everybody what its person cannot take. Returns how many were withdrawn."""
    now, count = db_now(), 0
    for planted in list(planting.still_open().order_by("planted_at")[:BATCH]):
        if planted.case.state == State.NEEDS_EDIT:
            if now >= _until(planted.case, now):
                count += _withdraw(planted.case)
            continue
        entry = Entry.objects.filter(case=planted.case).first()
        if entry is None or entry.claimed_by_id or entry.kept_for_id:
            continue
        if now >= entry.entered_at + UNMET * (entry.due_at - entry.entered_at):
            count += _withdraw(planted.case)
        elif entry.passed_by and entry.passed_at is None and not _is_theirs(planted, now):
            Entry.objects.filter(pk=entry.pk, passed_at=None).update(passed_by=[])
    return count


def _until(case: Case, now: datetime) -> datetime:
    """How long this case waits for its draft before its caller gives up: somewhere within the time for it."""
    window = timedelta(minutes=case.tenant.redraft_minutes)
    share = 0.05 + 0.6 * hashlib.sha256(case.pk.bytes).digest()[0] / 255
    return (case.redraft_by or now) - (1 - share) * window


def _is_theirs(planted: PlantedChallenge, now: datetime) -> bool:
    if now - planted.planted_at > RESERVED:
        return False
    fitness = fitness_of(planted.person, planted.tenant)
    return fitness is not None and fitness.is_working


def _withdraw(case: Case) -> bool:
    try:
        lifecycle.withdraw(case.pk, actor=case.caller)
    except Denied:  # The caller has left: the house does it.
        lifecycle.withdraw(case.pk, actor=system_actor())
    except lifecycle.NotOpen:
        return False
    return True
