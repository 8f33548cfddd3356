"""Planting: a decision draws the lot, and a little later a challenge comes in like any other case.

It comes in through ``intake.submit`` under the account and in the manner of the domain's real callers, at its own
instant: so its ids, times, events and history are what they are for every case, since they are made in the same way.
Nothing is dated back, and somebody who watches the lists sees it arrive. It waits in its queue in the usual order. The
colleagues of the person it is meant for count as having passed it over, so that it is not offered to them; who takes
it all the same has it. A challenge that nobody met in time is withdrawn by its caller.
"""

import random
import secrets
import time
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

import structlog
from django.db import transaction
from django.db.models import F, Min, Q
from rest_framework.exceptions import ValidationError

from approvals.models import ProposedAction
from cases.clock import db_now
from cases.errors import CountersignError
from cases.evaluations import claimed_signals
from cases.models import Case, CaseEvent, CustomerNoticeSettings, Tenant, User
from cases.services import intake
from cases.services.events import Happening
from cases.states import OPEN, State
from cases.vocabulary import Route
from cases.wire.intake import parse_intake
from queues.models import Entry, Passage, Reviewer
from queues.services.fitness import Fitness, fitness_of

from .. import envelopes
from ..disguise import names_in
from ..dose import DAY, Rates, Record, chance
from ..gold import Expected
from ..models import Challenge, ChallengePlan, ChallengePolicy, ChallengeResult, PlantedChallenge, Review, TrainingAlert
from ..slots import Names, fill
from . import friction

log = structlog.get_logger(__name__)

DELAYS = (20, 15 * 60)  # seconds between the draw and the arrival
PERIOD = timedelta(seconds=15)  # of the sweep
RECENT = timedelta(days=30)
DONORS = 50  # the latest real cases of a domain, one of which lends its envelope
FEW_DONORS = 3  # Among fewer real cases a challenge would stand alone.
TRIES = 3
GOLDS = 200
COLLEAGUES = 1_000
RESULTS = 50  # of a person that are looked at
PREVIEW = "preview"  # in a gold case's body: what the dry run says of its action

_WORKED = {CaseEvent.Kind.DECIDED, CaseEvent.Kind.AUDITED}
_FIELDS = tuple(Rates.__dataclass_fields__)


class _DoesNotFit(Exception):
    """This variant would pass by itself, or land where the person does not work."""


# --- the draw ---------------------------------------------------------------------------------------------------------


def on_events(happenings: Sequence[Happening]) -> dict[UUID, dict[str, Any]]:
    """The event seam's receiver: each real case that a person has decided draws the lot."""
    for one in happenings:
        if one.event.kind in _WORKED and one.case.purpose == Case.Purpose.REAL and one.actor.is_person:
            draw(one.case, one.actor, now=one.event.at)
    return {}


def draw(case: Case, person: User, *, now: datetime, lot: float | None = None) -> ChallengePlan | None:
    """Plan a challenge for ``person`` if the lot says so. ``lot`` in [0, 1) is the system's own randomness: a seed, a
    counter or a clock could be learned by who is drawn for."""
    policy = policy_for(case)
    if policy is None or not policy.is_on:
        return None
    lot = secrets.randbelow(10**9) / 10**9 if lot is None else lot
    rates = rates_of(policy)
    if lot >= rates.highest:
        return None
    tenant = case.tenant
    if lot >= chance(rates, record_of(person, tenant, now), now) or friction.is_used_up(person, tenant):
        return None
    seconds = secrets.SystemRandom().uniform(*DELAYS)
    plan = ChallengePlan(tenant=tenant, person=person, domain=case.domain, due_at=now + timedelta(seconds=seconds))
    ChallengePlan.objects.bulk_create([plan], ignore_conflicts=True)  # Two decisions at once plan one.
    return plan


def policy_for(case: Case) -> ChallengePolicy | None:
    """The policy of the queue that ``case`` was last in, else the tenant's."""
    was_in = Passage.objects.filter(case=case).order_by("-left_at").values("queue")[:1]
    rows = ChallengePolicy.objects.filter(Q(queue=None) | Q(queue__in=was_in), tenant=case.tenant_id)
    return rows.order_by(F("queue").asc(nulls_last=True)).first()


def rates_of(policy: ChallengePolicy) -> Rates:
    return Rates(**{name: getattr(policy, name) for name in _FIELDS})


def record_of(person: User, tenant: Tenant, now: datetime) -> Record:
    """What ``person`` had so far, in four queries."""
    mine = PlantedChallenge.objects.filter(tenant=tenant, person=person)
    times = list(
        mine.filter(planted_at__gt=now - 400 * DAY).order_by("-planted_at").values_list("planted_at")[:RESULTS]
    )
    is_planned = ChallengePlan.objects.filter(tenant=tenant, person=person).exists()
    is_waiting = mine.filter(case__state=State.PENDING_REVIEW, planted_at__gt=now - RECENT).exists()
    first = Review.objects.filter(reviewer=person, tenant=tenant).aggregate(at=Min("created_at"))["at"]
    return Record(
        since=first or now,
        last_at=times[0][0] if times else None,
        within_a_day=sum(at > now - DAY for (at,) in times),
        is_planned=is_planned or is_waiting,
        results=counted_results(person, tenant),
    )


def counted_results(person: User, tenant: Tenant) -> list[bool]:
    """Whether each of the last results was caught, newest first. Not those whose challenge was at fault, and not those
    before somebody ended a pause: who was trained begins anew."""
    alerts = TrainingAlert.objects.filter(person=person, tenant=tenant, closed_at__isnull=False, has_paused=True)
    results = ChallengeResult.objects.filter(person=person, tenant=tenant).exclude(
        alert__outcome=TrainingAlert.Outcome.CHALLENGE_WRONG
    )
    if anew := alerts.order_by("-closed_at").values_list("closed_at", flat=True).first():
        results = results.filter(judged_at__gt=anew)
    return list(results.order_by("-judged_at").values_list("is_caught", flat=True)[:RESULTS])


# --- the arrival ------------------------------------------------------------------------------------------------------


def open_due(*, within: timedelta = PERIOD) -> int:
    """Open what is due before the next sweep, each at its own instant; returns how many came in.

    It waits for that instant: a case that only ever arrives when a sweep runs would be known by its seconds.
    """
    plans = ChallengePlan.objects.filter(due_at__lte=db_now() + within).order_by("due_at")
    count = 0
    for plan in list(plans[:20]):
        time.sleep(min(max(0.0, (plan.due_at - db_now()).total_seconds()), within.total_seconds()))
        count += open_plan(plan.pk) is not None
    return count


@transaction.atomic
def open_plan(plan_id: UUID) -> PlantedChallenge | None:
    """Let the challenge come in; None where the person does not work now, has had their share of such work meanwhile,
    or nothing fits. The plan is over then."""
    plan = ChallengePlan.objects.select_for_update(skip_locked=True, of=("self",)).filter(pk=plan_id).first()
    if plan is None:
        return None
    fitness = fitness_of(plan.person, plan.tenant)
    planted = None
    if fitness is not None and fitness.is_working and friction.has_room(plan.person, plan.tenant):
        planted = plant(plan.person, plan.tenant, plan.domain, fitness)
    plan.delete()
    return planted


def plant(person: User, tenant: Tenant, domain: str, fitness: Fitness) -> PlantedChallenge | None:
    """One challenge of ``domain`` that ``person`` has not had, now among the cases that wait. In a transaction."""
    donors = donors_of(tenant, domain)
    if len(donors) < FEW_DONORS:
        return None
    dice = secrets.SystemRandom()
    action, alike = _alike(donors, dice)
    for challenge in _new_to(person, tenant, domain, dice, action):
        for donor in dice.sample(alike, min(TRIES, len(alike))):
            try:
                with transaction.atomic(), structlog.contextvars.bound_contextvars(request_id=str(uuid4())):
                    return _open(challenge, donor, donors, person, fitness)
            except _DoesNotFit:
                continue
            except (CountersignError, ValidationError) as error:
                log.warning("challenge_does_not_come_in", challenge=str(challenge.pk), error=type(error).__name__)
    return None


def _alike(donors: Sequence[Case], dice: random.Random) -> tuple[str, list[Case]]:
    """The action of one of ``donors``, or nothing, and all that propose the same: challenges come with an action as
    often as the domain's cases do, or who sees one, or none, would know."""
    rows = ProposedAction.objects.filter(case__in=donors).order_by("-id").values_list("case", "name")
    actions = dict(rows)
    action = actions.get(dice.choice(donors).pk, "")
    return action, [case for case in donors if actions.get(case.pk, "") == action]


def _new_to(person: User, tenant: Tenant, domain: str, dice: random.Random, action: str) -> Iterator[Challenge]:
    """What proposes this ``action``, or none, and they have neither been meant for nor decided, in no order; a few,
    since each may be tried."""
    golds = Challenge.objects.filter(tenant=tenant, domain=domain, is_active=True)
    proposing = {"body__proposed_action__action": action} if action else {"body__has_key": "proposed_action"}
    golds = golds.filter(**proposing) if action else golds.exclude(**proposing)
    had = PlantedChallenge.objects.filter(Q(person=person) | Q(results__person=person), tenant=tenant)
    keys = list(golds.exclude(pk__in=had.values("challenge")).values_list("pk", flat=True)[:GOLDS])
    for key in dice.sample(keys, min(TRIES, len(keys))):
        yield golds.get(pk=key)


def donors_of(tenant: Tenant, domain: str) -> list[Case]:
    """The latest real cases of the domain that went to people, newest first."""
    rows = Case.objects.real().filter(tenant=tenant, domain=domain, opened_at__gt=db_now() - RECENT)
    rows = rows.exclude(current_draft__route=Route.AUTO_APPROVE).filter(current_draft__number=1)
    return list(rows.select_related("content", "current_draft__release", "caller").order_by("-id")[:DONORS])


def _open(
    challenge: Challenge, donor: Case, donors: Sequence[Case], person: User, fitness: Fitness
) -> PlantedChallenge:
    now, seed, dice = db_now(), secrets.randbits(62), secrets.SystemRandom()
    names = names_in([str(case.content.text.get("user_question") or "") for case in donors])
    tenant = challenge.tenant
    payload = payload_of(challenge, donor, donors, seed=seed, now=now, dice=dice, names=names)
    receipt = intake.submit(parse_intake(payload), actor=donor.caller, tenant=tenant, purpose=Case.Purpose.CHALLENGE)
    case = receipt.case
    entry = Entry.objects.filter(case=case).first()
    if not receipt.is_new or entry is None or case.state != State.PENDING_REVIEW or not fitness.fits(entry):
        raise _DoesNotFit
    if not fitness.reads(entry.language):
        raise _DoesNotFit
    planted = PlantedChallenge(
        case=case,
        tenant=tenant,
        challenge=challenge,
        person=person,
        expected=fill(
            expected_of(challenge).as_document() | {PREVIEW: challenge.body.get(PREVIEW)},
            challenge.slots,
            seed=seed,
            now=now,
            names=names,
        ),
        planted_at=now,
    )
    planted.save(force_insert=True)
    others = Reviewer.objects.filter(tenant=tenant).exclude(user=person).values_list("user", flat=True)
    entry.passed_by = sorted(others[:COLLEAGUES])
    entry.save(update_fields=["passed_by"])
    return planted


def expected_of(challenge: Challenge) -> Expected:
    names = ("right_decision", "right_answer", "least_similarity", "explanation")
    lists = ("right_verdicts", "must_contain", "must_not_contain")
    return Expected(
        **{name: getattr(challenge, name) for name in names},
        **{name: tuple(getattr(challenge, name)) for name in lists},
    )


def payload_of(
    challenge: Challenge,
    donor: Case,
    donors: Sequence[Case],
    *,
    seed: int,
    now: datetime,
    dice: random.Random,
    names: Names,
) -> dict[str, Any]:
    """The intake's body: the gold case with its slots filled, in the envelope of ``donor``."""
    body = fill(challenge.body, challenge.slots, seed=seed, now=now, names=names)
    body.pop(PREVIEW, None)
    body["domain"] = challenge.domain
    draft, release = donor.current_draft, donor.current_draft.release
    parts = {name: getattr(release, name) for name in ("model", "version", "prompt_version", "retrieval_version")}
    if any(parts.values()):
        body["release"] = {name: value for name, value in parts.items() if value}
    if signals := claimed_signals(draft.signals, draft.evaluations):  # What is evaluated here is evaluated anew.
        body["signals"] = envelopes.varied_signals(signals, dice)
    for item in body.get("evidence", ()):
        if "score" in item:
            item["score"] = envelopes.varied(item["score"], dice)
    body |= envelopes.trace_parts(donor.trace_id, donor.traceparent, dice)
    if donor.resume_token:
        body["resume_token"] = envelopes.same_shape(donor.resume_token, dice)
    if donor.wanted_by:
        body["sla_deadline"] = envelopes.deadline_like(donor.wanted_by, donor.opened_at, now)
    if donor.external_id and (name := _free_name(challenge.tenant, donors, dice)):
        body["external_id"] = name
    body["tags"] = list(donor.tags)
    body["customer"] = _customer(body.get("customer"), donor, challenge.tenant, dice)
    if "attachments" not in body:
        body["attachments"] = envelopes.attachments_like(donor.content.text.get("attachments") or (), dice)
    if named := (body.get("proposed_action") or {}).get("customer_id"):
        body["proposed_action"]["customer_id"] = body["customer"].get("reference") or envelopes.same_shape(named, dice)
    return {name: value for name, value in body.items() if value}


def _customer(own: dict[str, Any] | None, donor: Case, tenant: Tenant, dice: random.Random) -> dict[str, Any]:
    """A customer where the donor has one, or such cases would come with one too often.

    Where customers are written to, without an address: nobody writes to one who is none, and the timeline would show
    that nobody did.
    """
    theirs = donor.content.text.get("customer")
    if not theirs:
        return {}
    with_address = not CustomerNoticeSettings.objects.filter(tenant=tenant, is_on=True).exists()
    if own is None:
        return envelopes.customer_like(theirs, dice, with_address=with_address)
    return {name: value for name, value in own.items() if with_address or name not in ("email", "phone")}


def _free_name(tenant: Tenant, donors: Sequence[Case], dice: random.Random) -> str:
    names = [case.external_id for case in donors if case.external_id]
    for _ in range(5):
        name = envelopes.like_recent(names, dice)
        if name and not Case.objects.filter(tenant=tenant, external_id=name).exists():
            return name
    return ""


def preview_of(action: ProposedAction) -> Mapping[str, Any] | None:
    """For ``ACTION_STAND_INS``: what the dry run of a challenge's action says. Numbers that are told for information,
    such as how much is open today, are those of the type's last real dry run: old ones would stand out."""
    expected = PlantedChallenge.objects.filter(case=action.case_id).values_list("expected", flat=True).first()
    said = (expected or {}).get(PREVIEW)
    if not said or not (info := said.get("info")):
        return said
    real = ProposedAction.objects.filter(Q(case=None) | Q(case__purpose=Case.Purpose.REAL))
    last = real.filter(action_type=action.action_type_id, current_preview__isnull=False).order_by("-id")
    told = last.select_related("current_preview__content").first()
    now_said = (told.current_preview.content.text.get("info") or {}) if told else {}
    numbers = {name: value for name, value in now_said.items() if _is_number(value) and _is_number(info.get(name))}
    return said | {"info": info | numbers}


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def still_open() -> Any:
    """The planted challenges whose case is not decided yet."""
    recent = PlantedChallenge.objects.filter(planted_at__gt=db_now() - RECENT, case__state__in=OPEN)
    return recent.select_related("case__tenant", "case__caller", "person", "tenant")
