"""The home page's data: what a person has to do now. Only reads, in a fixed number of queries, everything bounded."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

from django.contrib.postgres.expressions import ArraySubquery
from django.db.models import (
    Aggregate,
    BooleanField,
    Count,
    Exists,
    ExpressionWrapper,
    FloatField,
    Func,
    IntegerField,
    OuterRef,
    Q,
    QuerySet,
    Subquery,
)

from approvals.admin_inbox import ORDERS, reconcilable, waiting_for
from approvals.models import ProposedAction
from approvals.services.inbox import unknown_in
from cases.models import CaseEvent, Denial, Membership, RuleFailure, Tenant, User
from cases.rights import HeldRights
from cases.services.standing import Standing, standings
from cases.vocabulary import DUE_SOON, Role
from feedback.admin.finding import FindForm
from feedback.models import Export, Review
from queues.models import Entry, Queue, Reviewer
from queues.services.fitness import queues_of
from queues.services.staffing import with_staff

from .alerts import Alert, alerts_of, at_risk
from .seals_card import SealsCard, seals_card

COUNTED = 999  # Past it a count says "999+": nobody plans by the difference, and counting it reads every row.
QUEUES, HELD, PEOPLE, TENANTS, PROFILES = 60, 100, 60, 100, 5
FAILURES, DENIALS, EVENTS, ACTIONS, EXPORTS = 5, 10, 15, 5, 5
REVIEWS = frozenset({Role.REVIEWER, Role.SENIOR_REVIEWER})
APPROVES = frozenset({Role.APPROVER, Role.SENIOR_REVIEWER})


class Median(Aggregate):
    """PostgreSQL's continuous median."""

    function = "PERCENTILE_CONT"
    template = "%(function)s(0.5) WITHIN GROUP (ORDER BY %(expressions)s)"
    output_field = FloatField()


@dataclass(frozen=True)
class Desk:
    """A reviewer's own: profiles (one per tenant), what they hold, their queues, their day in each time zone."""

    profiles: Sequence[Reviewer]
    held: Sequence[Entry]
    queues: Sequence[Queue]
    decided: int
    median_minutes: float | None

    @property
    def waiting(self) -> int:
        return sum(queue.waiting for queue in self.queues)

    @property
    def can_take(self) -> bool:
        return any(profile.is_working for profile in self.profiles)


@dataclass(frozen=True)
class Floor:
    """What a supervisor watches."""

    queues: Sequence[Queue]
    held: Sequence[Entry]
    automation: Sequence[Standing]
    people: Sequence[Reviewer]
    failures: Sequence[RuleFailure]
    at_risk: Sequence[Entry]
    alerts: Sequence[Alert]


@dataclass(frozen=True)
class Audit:
    """What compliance staff watch. ``exports`` is None for who may make none; and who has a floor to watch sees neither
    them nor the seals."""

    form: FindForm
    denials: Sequence[Denial]
    events: Sequence[CaseEvent]
    seals: SealsCard | None
    exports: Sequence[Export] | None = None


@dataclass(frozen=True)
class ToSign:
    """What waits for a person's signature: the most pressing, and a bounded count. ``unknown`` counts the results that
    they may reconcile."""

    actions: Sequence[ProposedAction] = ()
    count: int = 0
    unknown: int = 0


@dataclass
class Home:
    """The sections that a person has; None where they have none."""

    now: datetime
    several_tenants: bool
    desk: Desk | None = None
    floor: Floor | None = None
    actions: ToSign | None = None
    audit: Audit | None = None
    tenants: Sequence[Tenant] | None = None
    notes: list[str] = field(default_factory=list)


def home_of(user: User, rights: HeldRights) -> Home:
    """Everything that the home page of ``user`` shows."""
    home = Home(now=rights.now, several_tenants=rights.sees_several())
    tenants = _tenants(home.now) if rights.is_superuser else None
    watched = tenants or [tenant for tenant in rights.places if rights.has("change_queue", tenant.pk)][:TENANTS]
    watched_ids = [tenant.pk for tenant in watched]
    profiles = _profiles(user, rights) if rights.by_tenant else []
    queues = _queues(user, profiles, watched_ids, home.now)
    held = _held(user, watched_ids)

    if profiles or rights.roles & REVIEWS:
        decided, median = _day(user, profiles, home.now)
        mine = [entry for entry in held if entry.claimed_by_id == user.pk]
        home.desk = Desk(profiles, mine, [queue for queue in queues if queue.is_mine], decided, median)
    if watched:
        theirs = [queue for queue in queues if queue.tenant_id in watched_ids]
        home.floor = Floor(
            queues=theirs,
            held=[entry for entry in held if entry.tenant_id in watched_ids],
            automation=standings(watched, rights),
            people=_people(watched_ids, home.now),
            failures=_failures(watched_ids),
            at_risk=at_risk(watched_ids, home.now),
            alerts=alerts_of(theirs, watched_ids, home.now),
        )
    home.actions = _actions(user, rights, home.now)
    if rights.has("view_audit"):
        exports = _exports(rights) if not home.floor and rights.has("export_data") else None
        seals = seals_card(rights, home.now) if not home.floor else None
        home.audit = Audit(FindForm(label_suffix=""), _denials(rights), _events(rights), seals, exports)
    home.tenants = tenants
    return home


def _profiles(user: User, rights: HeldRights) -> list[Reviewer]:
    own = Reviewer.objects.filter(user=user, tenant__in=list(rights.by_tenant))
    return list(own.select_related("tenant").order_by("tenant__slug")[:PROFILES])


def _queues(user: User, profiles: Sequence[Reviewer], watched: Sequence[UUID], now: datetime) -> list[Queue]:
    """The person's own queues and those that they watch, with their figures, in one query."""
    own = Queue.objects.none()
    for profile in profiles:
        own |= queues_of(user, profile)
    if not profiles and not watched:
        return []
    own = own.order_by().values("pk")
    queues = Queue.objects.filter(Q(pk__in=own) | Q(tenant__in=watched)).select_related("tenant", "skill")
    queues = with_staff(_with_figures(queues, "queue", now))
    mine = Exists(Queue.objects.filter(pk=OuterRef("pk"), pk__in=own))
    return list(queues.annotate(is_mine=mine).order_by("tenant__slug", "position", "slug")[:QUEUES])


def _with_figures(rows: QuerySet, column: str, now: datetime) -> QuerySet:
    """``rows`` with bounded counts of their entries, and when the most urgent of these is due and came in."""
    entries = Entry.objects.filter(**{column: OuterRef("pk")}).order_by()
    running = entries.filter(paused_at=None)
    urgent = entries.waiting().order_by("due_at")
    return rows.annotate(
        waiting=_bounded(entries.waiting()),
        held=_bounded(entries.held()),
        due_soon=_bounded(running.filter(due_at__range=(now, now + DUE_SOON))),
        overdue=_bounded(running.due_before(now)),
        next_due=Subquery(urgent.values("due_at")[:1]),
        oldest=Subquery(urgent.values("entered_at")[:1]),
    )


def _bounded(rows: QuerySet) -> Func:
    return Func(ArraySubquery(rows.values("pk")[: COUNTED + 1]), function="CARDINALITY", output_field=IntegerField())


def _held(user: User, watched: Sequence[UUID]) -> list[Entry]:
    """One's own first, then what others hold in the watched tenants."""
    held = Entry.objects.held().filter(Q(claimed_by=user) | Q(tenant__in=watched))
    held = held.annotate(is_mine=ExpressionWrapper(Q(claimed_by=user), output_field=BooleanField()))
    return list(held.select_related("case", "queue", "claimed_by").order_by("-is_mine", "lease_expires_at")[:HELD])


def _day(user: User, profiles: Sequence[Reviewer], now: datetime) -> tuple[int, float | None]:
    """Decisions since midnight where the person works, and their median handling time in minutes."""
    zone = ZoneInfo(profiles[0].tenant.time_zone) if profiles else ZoneInfo("UTC")
    midnight = now.astimezone(zone).replace(hour=0, minute=0, second=0, microsecond=0)
    today = Review.objects.filter(
        reviewer=user, created_at__gte=midnight, kind=Review.Kind.DECISION, superseded_by=None
    ).aggregate(decided=Count("pk"), median=Median("handling_seconds"))
    return today["decided"], today["median"] / 60 if today["median"] is not None else None


def _people(watched: Sequence[UUID], now: datetime) -> list[Reviewer]:
    """Everybody whose shift is on, with ``is_away`` and, on the row, whether they are within their hours."""
    away = Membership.objects.away(now).filter(user=OuterRef("user"), tenant=OuterRef("tenant"))
    holding = Entry.objects.filter(claimed_by=OuterRef("user"), tenant=OuterRef("tenant")).order_by()
    people = Reviewer.objects.filter(tenant__in=watched, is_on_shift=True, user__is_active=True)
    people = people.annotate(holds=_bounded(holding), is_away=Exists(away)).select_related("user", "tenant")
    return list(people.order_by("tenant__slug", "-holds", "user__username")[:PEOPLE])


def _failures(watched: Sequence[UUID]) -> list[RuleFailure]:
    latest = RuleFailure.objects.filter(policy_version__policy__tenant__in=watched).order_by("-id")
    return list(latest.select_related("case", "policy_version__policy")[:FAILURES])


def _actions(user: User, rights: HeldRights, now: datetime) -> ToSign | None:
    """What waits for a signature and what has an unknown result; None for who approves nothing and has neither."""
    if not rights.tenant_ids("view_action"):
        return None
    waiting, counted = waiting_for(user, rights, now), {}
    counted["signable"] = _bounded(waiting)
    if places := reconcilable(rights):
        counted["unknown"] = _bounded(unknown_in(places))
    counts = User.objects.annotate(**counted).values(*counted).get(pk=user.pk)
    if not (any(counts.values()) or rights.roles & APPROVES):
        return None
    rows = waiting.select_related("action_type").order_by(*ORDERS["deadline"][1])
    return ToSign(list(rows[:ACTIONS]) if counts["signable"] else (), counts["signable"], counts.get("unknown", 0))


def _denials(rights: HeldRights) -> list[Denial]:
    return list(rights.within(Denial.objects, "view_audit").select_related("actor", "tenant").order_by("-id")[:DENIALS])


def _events(rights: HeldRights) -> list[CaseEvent]:
    events = rights.within(CaseEvent.objects, "view_audit").select_related("actor", "case", "tenant")
    return list(events.order_by("-id")[:EVENTS])


def _exports(rights: HeldRights) -> list[Export]:
    newest = rights.within(Export.objects, "export_data").select_related("dataset", "requested_by", "tenant")
    return list(newest.order_by("-id")[:EXPORTS])


def _tenants(now: datetime) -> list[Tenant]:
    members: dict[str, Any] = {"members": Count("memberships", filter=Q(memberships__is_active=True))}
    return list(_with_figures(Tenant.objects.annotate(**members), "tenant", now).order_by("slug")[:TENANTS])
