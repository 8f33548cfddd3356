"""Is it up, and does it keep its promises: read from the rows themselves, so that a dead beat shows by itself.

Each check compares what is stored with the database's clock. Nothing here is told by the beat or a worker that all is
well; it only misses what they leave behind.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any
from urllib.parse import urlsplit

from django.conf import settings
from django.contrib import admin
from django.core.exceptions import PermissionDenied
from django.db import DatabaseError, connection
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.template.response import TemplateResponse
from django.urls import resolve, reverse
from django.views.decorators.http import require_safe

from approvals.models import ProposedAction
from approvals.services import jobs
from approvals.states import ActionState
from cases.admin.wording import span_words
from cases.clock import db_now
from cases.models import Case
from cases.rights import rights_of
from cases.services import (
    breakers,
    customer_sending,
    database_roles,
    evaluation_counts,
    heartbeats,
    notices,
    sealing,
    selftest,
)
from cases.services.deliveries import backlog
from cases.states import State
from feedback.services import weekly
from queues.models import Entry
from queues.services.deadlines import SWEEP

# Sweeps run every few seconds; what they left undone for so long, nobody is sweeping.
GRACE = timedelta(seconds=90)
COUNTED = 1_000  # A count ends there: how many more there are changes nothing.


@dataclass(frozen=True)
class Check:
    """One promise: ``problem`` says what is broken, ``caution`` what somebody should look at; both empty is well."""

    name: str
    words: str
    problem: str = ""
    caution: str = ""
    link: str = ""
    figures: dict[str, Any] = field(default_factory=dict)


@require_safe
def live(request: HttpRequest) -> JsonResponse:
    """200 while the process answers; asks nobody else."""
    return JsonResponse({"status": "ok"})


@require_safe
def ready(request: HttpRequest) -> JsonResponse:
    """200 when the database answers and no sweep is behind, else 503; says what is wrong and nothing of any tenant."""
    found = checks()
    problems = [check.problem for check in found if check.problem]
    body: dict[str, Any] = {
        "status": "failing" if problems else "ok",
        "problems": problems,
        "cautions": [check.caution for check in found if check.caution],
        "figures": {name: value for check in found for name, value in check.figures.items()},
    }
    return JsonResponse(body, status=503 if problems else 200)


def page(request: HttpRequest) -> HttpResponse:
    """The same for people: who sets queues up or reads the audit trail."""
    rights = rights_of(request)
    if not (rights.has("change_queue") or rights.has("view_audit")):
        raise PermissionDenied("Supervisors, compliance staff and admins see how the system is doing.")
    found = checks()
    context = {
        **admin.site.each_context(request),
        "title": "Health",
        "checks": [check if _may_follow(request, check) else replace(check, link="") for check in found],
        "is_failing": any(check.problem for check in found),
        "at": db_now(),
    }
    return TemplateResponse(request, "admin/health.html", context)


def _may_follow(request: HttpRequest, check: Check) -> bool:
    """Whether the list behind the check's link, if any, is one that this reader sees."""
    if not check.link:
        return True
    return resolve(urlsplit(check.link).path).func.model_admin.has_view_permission(request)


def checks() -> list[Check]:
    """Every check, in a fixed number of queries."""
    try:
        with connection.cursor() as cursor:
            cursor.execute("SELECT 1")
        return list(_checks(db_now()))
    except DatabaseError:
        return [Check("Database", "does not answer", problem="The database does not answer.")]


def _checks(now: datetime) -> Iterator[Check]:
    yield Check("Database", "answers")
    yield _last_sweep(now)
    yield _steps(now)
    yield _leases(now)
    yield _workers()
    yield _redrafts(now)
    yield _deliveries(now)
    yield _notices()
    yield _customer_notices()
    yield _actions(now)
    yield _weekly(now)
    yield _switch(now)
    yield _breakers(now)
    yield _seals(now)
    yield _audit_tables()
    yield from _evaluations(now)


def _last_sweep(now: datetime) -> Check:
    sweep = heartbeats.last(SWEEP)
    figures = {"last_sweep_at": sweep.at.isoformat() if sweep else None}
    if sweep is None:
        return Check("Last sweep", "never", "No sweep of the queues has ever run: start the beat.", figures=figures)
    late = now - sweep.at > GRACE
    return Check(
        "Last sweep",
        _ago(sweep.at, now),
        "The queues are not being swept: is the beat or the worker down?" if late else "",
        figures=figures,
    )


def _steps(now: datetime) -> Check:
    behind = Entry.objects.step_before(now - GRACE)[:COUNTED].count()
    return Check(
        "Overdue and not escalated",
        _counted(behind),
        "Missed deadlines are not being marked and escalated: is the beat or the worker down?" if behind else "",
        link=f"{reverse('admin:queues_entry_changelist')}?deadline=over",
        figures={"overdue_not_escalated": behind},
    )


def _leases(now: datetime) -> Check:
    lost = Entry.objects.held().filter(lease_expires_at__lt=now - GRACE)[:COUNTED].count()
    problem = "Lost leases are not being returned: is the beat or the worker down?" if lost else ""
    return Check("Lost leases not returned", _counted(lost), problem, figures={"lost_leases": lost})


def _workers() -> Check:
    alive, dead = heartbeats.workers()
    names = ", ".join(worker.name for worker in dead[:5])
    return Check(
        "Workers",
        f"{len(alive)} alive" + (f", {len(dead)} silent" if dead else ""),
        "" if alive else "No worker is alive.",
        f"Fell silent within the hour: {names}." if alive and dead else "",
        figures={"workers_alive": len(alive), "workers_dead": len(dead)},
    )


def _redrafts(now: datetime) -> Check:
    overdue = Case.objects.filter(state=State.NEEDS_EDIT, redraft_by__lt=now - GRACE)[:COUNTED].count()
    problem = "Cases whose new draft did not come are not returned to people: is the beat down?" if overdue else ""
    return Check("Redrafts overdue and not returned", _counted(overdue), problem, figures={"overdue_redrafts": overdue})


def _deliveries(now: datetime) -> Check:
    behind = backlog()
    words = f"oldest event {_ago(behind.oldest, now)}" if behind.oldest else "all delivered"
    return Check(
        "Webhooks",
        words,
        "Webhooks are not being sent: is the worker down?" if behind.late > GRACE else "",
        "Some webhooks were given up." if behind.dead else "",
        link=reverse("admin:cases_delivery_changelist"),
        figures={
            "oldest_undelivered_event_at": behind.oldest.isoformat() if behind.oldest else None,
            "deliveries_given_up": behind.dead,
        },
    )


def _notices() -> Check:
    behind = notices.backlog()
    return Check(
        "Notices",
        f"{_counted(behind.waiting)} waiting, {_counted(behind.failed)} could not be sent",
        "Notices are not being sent: is the worker down?" if behind.late > GRACE else "",
        "Some notices could not be sent." if behind.failed else "",
        link=f"{reverse('admin:cases_notice_changelist')}?state__exact=failed",
        figures={"notices_waiting": behind.waiting, "notices_failed": behind.failed},
    )


def _customer_notices() -> Check:
    behind = customer_sending.backlog()
    return Check(
        "Customer notices",
        f"{_counted(behind.waiting)} waiting, {_counted(behind.failed)} could not be sent within the week",
        "Customers are not being written to: is the worker down?" if behind.late > GRACE else "",
        _sentences(
            (behind.failed, "Some customers could not be written to."),
            (behind.failing, "Messages to customers fail and are tried again: does the mail server answer?"),
        ),
        link=f"{reverse('admin:cases_customernotice_changelist')}?state__exact=failed",
        figures={
            "customer_notices_waiting": behind.waiting,
            "customer_notices_failing": behind.failing,
            "customer_notices_failed": behind.failed,
        },
    )


def _actions(now: datetime) -> Check:
    behind = jobs.overdue(now - GRACE)[:COUNTED].count()
    unknown = ProposedAction.objects.filter(state=ActionState.UNKNOWN)[:COUNTED].count()
    failing = jobs.failing()[:COUNTED].count()
    return Check(
        "Actions",
        f"{_counted(behind)} behind, {_counted(unknown)} of unknown result",
        "Actions are not being previewed or carried out: is the worker down?" if behind else "",
        _sentences(
            (unknown, "What became of some actions is unknown: somebody has to find out."),
            (failing, "Dry runs of actions fail and are tried again: does their executor answer?"),
        ),
        link=f"{reverse('admin:approvals_proposedaction_changelist')}?state__exact={ActionState.UNKNOWN}",
        figures={"actions_behind": behind, "actions_unknown": unknown, "actions_failing": failing},
    )


def _weekly(now: datetime) -> Check:
    problem = "Weekly exports are not being made or delivered: is the beat, the worker or the storage down?"
    is_behind = weekly.is_behind(now)
    return Check(
        "Weekly exports",
        "behind" if is_behind else "delivered",
        problem if is_behind else "",
        link=reverse("admin:feedback_weeklyexport_changelist"),
        figures={"weekly_exports_behind": is_behind},
    )


def _switch(now: datetime) -> Check:
    problem = selftest.problem(now)
    return Check("Proof that a stop stops", "fails" if problem else "holds", problem or "")


def _breakers(now: datetime) -> Check:
    alarms = breakers.open_alarms()[:COUNTED].count()
    return Check(
        "Breakers",
        f"{_counted(alarms)} alarms that nobody has looked at",
        "Breakers do not read on: is the beat or the worker down?" if breakers.is_behind(now) else "",
        "A breaker has alarmed: somebody has to look." if alarms else "",
        link=reverse("admin:cases_breakeralarm_changelist"),
        figures={"breaker_alarms": alarms},
    )


def _sentences(*found: tuple[int, str]) -> str:
    """What is said of the counts that are not 0."""
    return " ".join(words for count, words in found if count)


def _seals(now: datetime) -> Check:
    found = sealing.standing(now)
    return Check(
        "Seals of the audit trail",
        found.words,
        found.problem,
        found.caution,
        link=reverse("admin:cases_seal_changelist"),
        figures={"seals": found.seals},
    )


def _audit_tables() -> Check:
    """In the demo and in tests the application owns its tables; for real it must not."""
    can = database_roles.what_the_application_could()
    words = "only added to" if not can else "could be altered by the application"
    caution = "The application's database role could alter its own audit tables." if can else ""
    return Check("Audit tables", words, caution="" if settings.INSECURE_HTTP else caution)


def _evaluations(now: datetime) -> Iterator[Check]:
    """Nothing where no signal is computed here."""
    counted = evaluation_counts.recent(now)
    if not (settings.SIGNAL_EVALUATORS or counted):
        return
    total, faults = sum(one.total for one in counted), sum(one.faults for one in counted)
    names = ", ".join(one.signal for one in counted if one.faults)
    yield Check(
        "Signals computed here",
        f"{total:,} within the hour, {faults:,} late or failed",
        caution=f"Evaluators are late or fail, and their signal is missing then: {names}." if faults else "",
        figures={"evaluations": total, "evaluations_late_or_failed": faults},
    )


def _counted(count: int) -> str:
    return f"{count:,} or more" if count >= COUNTED else f"{count:,}"


def _ago(at: datetime, now: datetime) -> str:
    seconds = max(0, round((now - at).total_seconds()))
    return f"{seconds} s ago" if seconds < 120 else f"{span_words(seconds // 60)} ago"
