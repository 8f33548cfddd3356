"""How people and machines were watched: challenges, the switch, and what went wrong."""

from django.db.models import Count, Max, Q
from django.db.models.functions import TruncDate

from cases.ids import to_wire
from cases.models import AutomationSwitch, BreakerAlarm, Case, CaseEvent, Delivery, Denial, RuleFailure, SelfTest

from ..models import ChallengeResult, TrainingAlert
from .tables import CHUNK, Rows, Section, Table, Window, in_force, within
from .working import events, standing_actions

_K = CaseEvent.Kind


# --- challenges -------------------------------------------------------------------------------------------------------


def challenges_by_person(window: Window) -> Rows:
    results = ChallengeResult.objects.filter(tenant=window.tenant, **within(window, "judged_at"))
    counted = results.values("person__username").annotate(n=Count("pk"), caught=Count("pk", filter=Q(is_caught=True)))
    for row in counted.order_by("person__username"):
        yield {
            "account": row["person__username"],
            "challenges": row["n"],
            "caught": row["caught"],
            "missed": row["n"] - row["caught"],
        }


def challenge_results(window: Window) -> Rows:
    results = ChallengeResult.objects.filter(tenant=window.tenant, **within(window, "judged_at"))
    for row in results.select_related("person").order_by("judged_at", "pk").iterator(chunk_size=CHUNK):
        yield {"judged_at": row.judged_at, "person": str(row.person), "is_caught": row.is_caught, "why": row.why}


def training_alerts(window: Window) -> Rows:
    alerts = TrainingAlert.objects.filter(tenant=window.tenant, **within(window, "raised_at"))
    alerts = alerts.select_related("person", "closed_by").order_by("raised_at", "pk")
    for row in alerts.iterator(chunk_size=CHUNK):
        yield {
            "raised_at": row.raised_at,
            "person": str(row.person),
            "misses": row.misses,
            "among": row.among,
            "has_paused": row.has_paused,
            "closed_at": row.closed_at,
            "closed_by": str(row.closed_by) if row.closed_by_id else "",
            "outcome": row.get_outcome_display(),
        }


# --- the switch -------------------------------------------------------------------------------------------------------


def switch_changes(window: Window) -> Rows:
    known = AutomationSwitch.history.model.objects.filter(Q(tenant_id=window.tenant.pk) | Q(tenant_id=None))
    for row in in_force(known.select_related("changed_by"), window, of=("id",), at="history_date"):
        yield {
            "scope": ", ".join(
                filter(None, ("this tenant" if row.tenant_id else "everywhere", row.domain, row.action))
            ),
            "is_enabled": row.is_enabled and row.history_type != "-",
            "share": row.share,
            "depth": row.get_depth_display(),
            "from": row.history_date,
            "until": row.ended,
            "by": str(row.changed_by),
            "reason": row.reason,
        }


def self_tests(window: Window) -> Rows:
    runs = SelfTest.objects.filter(**within(window, "at")).annotate(day=TruncDate("at"))
    counted = runs.values("day").annotate(
        n=Count("pk"), failed=Count("pk", filter=Q(passed=False)), slowest=Max("stop_seconds")
    )
    for row in counted.order_by("day"):
        yield {
            "day": row["day"].isoformat(),
            "tests": row["n"],
            "failed": row["failed"],
            "slowest_stop_seconds": round(row["slowest"], 3) if row["slowest"] is not None else None,
        }


def failed_tests(window: Window) -> Rows:
    for row in SelfTest.objects.filter(passed=False, **within(window, "at")).order_by("pk").iterator(chunk_size=CHUNK):
        yield {"at": row.at, "finding": row.finding}


# --- incidents --------------------------------------------------------------------------------------------------------


def breaker_alarms(window: Window) -> Rows:
    alarms = BreakerAlarm.objects.filter(tenant=window.tenant, **within(window, "at"))
    for row in alarms.select_related("reset__by").order_by("pk").iterator(chunk_size=CHUNK):
        reset = getattr(row, "reset", None)
        yield {
            "at": row.at,
            "breaker": row.name,
            "domain": row.domain,
            "seen": row.sentence,
            "stopped_automation": row.trips,
            "looked_at": reset.at if reset else None,
            "by": str(reset.by) if reset else "",
            "reason": reset.reason if reset else "",
        }


def missed_deadlines(window: Window) -> Rows:
    for row in events(window, _K.SLA_BREACHED).iterator(chunk_size=CHUNK):
        yield {"case_id": to_wire(Case.PREFIX, row.case_id), "at": row.at}


def unknown_executions(window: Window) -> Rows:
    found = list(events(window, _K.ACTION_UNKNOWN).values_list("subject", "at")[:1_000])
    states = standing_actions(subject for subject, _ in found)
    for subject, at in found:
        yield {"action_id": subject, "unknown_since": at, "state_now": states[subject]}


def failed_deliveries(window: Window) -> Rows:
    dead = Delivery.objects.filter(
        state=Delivery.State.DEAD, event__tenant=window.tenant, **within(window, "event__at")
    )
    for row in dead.select_related("event", "endpoint").order_by("event__at", "pk").iterator(chunk_size=CHUNK):
        yield {
            "event": row.event.kind,
            "at": row.event.at,
            "to": row.endpoint.url,
            "attempts": row.attempts,
            "last_status": row.last_status,
        }


def failed_conditions(window: Window) -> Rows:
    found = RuleFailure.objects.filter(
        policy_version__policy__tenant=window.tenant, case__purpose=Case.Purpose.REAL, **within(window, "at")
    )
    for row in found.order_by("pk").iterator(chunk_size=CHUNK):
        yield {"at": row.at, "case_id": to_wire(Case.PREFIX, row.case_id), "condition": row.condition}


def denials(window: Window) -> Rows:
    found = Denial.objects.filter(tenant=window.tenant, **within(window, "at")).select_related("actor")
    for row in found.order_by("pk").iterator(chunk_size=CHUNK):
        yield {"at": row.at, "person": str(row.actor), "right": row.permission, "on": row.subject}


CHALLENGES = Section(
    "challenges",
    "Challenges and training alerts",
    "How often reviewers found what was wrong in cases that were planted to be wrong, and what was done after a miss.",
    "It does not show how attentive anybody was to any other case, and small numbers say little of one person.",
    (
        Table("challenges_by_person", "By person", ("account", "challenges", "caught", "missed"), challenges_by_person),
        Table("challenge_results", "Results", ("judged_at", "person", "is_caught", "why"), challenge_results),
        Table(
            "training_alerts",
            "Training alerts",
            ("raised_at", "person", "misses", "among", "has_paused", "closed_at", "closed_by", "outcome"),
            training_alerts,
        ),
    ),
    right="manage_challenges",
)
SWITCH = Section(
    "switch",
    "The switch: tests and stops",
    "When automation was on, for what and by whose word, and that the installation tested its stop in a sandbox.",
    "It does not show that somebody would have pressed the button in time.",
    (
        Table(
            "switch",
            "Where the switch stood",
            ("scope", "is_enabled", "share", "depth", "from", "until", "by", "reason"),
            switch_changes,
        ),
        Table("self_tests", "Its tests, by day (UTC)", ("day", "tests", "failed", "slowest_stop_seconds"), self_tests),
        Table("failed_self_tests", "Tests that failed", ("at", "finding"), failed_tests),
    ),
)
INCIDENTS = Section(
    "incidents",
    "Incidents",
    "Alarms, missed deadlines, actions of which nobody knew the result, deliveries given up, conditions that failed "
    "and attempts that were refused.",
    "It does not show what nobody and nothing noticed.",
    (
        Table(
            "breaker_alarms",
            "Alarms of breakers",
            ("at", "breaker", "domain", "seen", "stopped_automation", "looked_at", "by", "reason"),
            breaker_alarms,
        ),
        Table("missed_deadlines", "Deadlines that passed", ("case_id", "at"), missed_deadlines),
        Table(
            "unknown_executions",
            "Actions whose result was unknown",
            ("action_id", "unknown_since", "state_now"),
            unknown_executions,
        ),
        Table(
            "failed_deliveries",
            "Deliveries that were given up",
            ("event", "at", "to", "attempts", "last_status"),
            failed_deliveries,
        ),
        Table("failed_conditions", "Conditions that failed", ("at", "case_id", "condition"), failed_conditions),
        Table("denials", "Attempts that were refused", ("at", "person", "right", "on"), denials),
    ),
)
