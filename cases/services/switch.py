"""Reading and moving the automation switch.

Every automatic path takes one shared advisory transaction lock and then reads; a stop takes the same lock exclusively.
So no automatic decision commits after the stop's commit: it either committed before, or waits and then reads "off".
What cannot be read is off: a lock that is not to be had, a table that cannot be read, a row that makes no sense.
"""

from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import structlog
from django.conf import settings
from django.db import DatabaseError, connection, transaction

from ..clock import db_now
from ..errors import CountersignError, IllegalState, NotPermitted
from ..models import AutomationSwitch, CaseEvent, ResumeRequest, Tenant, User
from ..permissions import require, require_platform
from ..statements import fetch
from ..triage import Automation
from ..vocabulary import Depth, Stage
from .events import record_for

log = structlog.get_logger(__name__)

SWITCH_LOCK = 0x436F756E  # One key for the whole installation: stopping is rare, reading is shared.
LONGEST_WAIT = "2s"  # for the shared lock, while a stop holds it: then an intake goes on, with automation off
REQUEST_LIFE = timedelta(hours=24)
UNREADABLE = "automation is off, because the switch could not be read"

# As text: every intake and every flow that asks before it calls its AI reads it.
ROWS = """
    SELECT tenant_id, domain, action, is_enabled, depth, share, reason
    FROM cases_automationswitch WHERE tenant_id IS NULL OR tenant_id = %s ORDER BY id
"""


class ReasonMissing(CountersignError):
    code = "reason_missing"
    status = 400
    title = "A reason is needed"


class NotWaiting(IllegalState):
    code = "resume_not_waiting"
    title = "This request waits no longer"


class OwnRequest(NotPermitted):
    code = "own_request"
    title = "A second person has to confirm"


@dataclass(frozen=True)
class Scope:
    """What a switch row governs: everything, a tenant, one of its domains or one of its action types."""

    tenant: Tenant | None = None
    domain: str = ""
    action: str = ""

    def columns(self) -> dict[str, Any]:
        return {"tenant": self.tenant, "domain": self.domain, "action": self.action}

    def __str__(self) -> str:
        named = [f"the domain {self.domain}" * bool(self.domain), f"the action {self.action}" * bool(self.action)]
        return ", ".join([*filter(None, named), str(self.tenant) if self.tenant else "every tenant"])


@dataclass(frozen=True)
class Resumed:
    """What a wish to resume led to: the switch has moved, or ``request`` waits for a second person."""

    switch: AutomationSwitch | None = None
    request: ResumeRequest | None = None


# --- reading ---------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Switches:
    """Every row that concerns a tenant, read once, for as many questions as there are. No rows at all: unreadable."""

    tenant: Tenant
    rows: tuple[tuple[Any, ...], ...] | None  # tenant, domain, action, is_enabled, depth, share, reason; oldest first

    def automation(self, *, domain: str = "", action: str = "", depth: Depth = Depth.DECISIONS) -> Automation:
        """Whether automation is on for this scope, and why not. A missing global or tenant row means off."""
        if self.rows is None:
            return Automation(allowed=False, why=UNREADABLE)
        rows = [row for row in self.rows if row[1] in ("", domain) and row[2] in ("", action)]
        seen = {row[:3] for row in rows}
        for scope, words in (((None, "", ""), "at all"), ((self.tenant.pk, "", ""), f"for {self.tenant}")):
            if scope not in seen and depth == Depth.DECISIONS:
                return Automation(allowed=False, why=f"automation was never switched on {words}")
        least = 100
        for tenant_id, row_domain, row_action, is_enabled, row_depth, share, reason in rows:
            if not _makes_sense(is_enabled, row_depth, share):
                return Automation(allowed=False, why=UNREADABLE)
            if not is_enabled and row_depth >= depth:
                where = row_action or row_domain or (str(self.tenant) if tenant_id else "everything")
                return Automation(allowed=False, why=f"automation is stopped for {where}: {reason}")
            least = min(least, share if is_enabled else least)
        if least < 100:
            why = f"automation is resuming: {least} % of what would pass by itself does"
            return Automation(allowed=True, why=why, share=least)
        return Automation(allowed=True, why="automation is on")


def _makes_sense(is_enabled: Any, depth: Any, share: Any) -> bool:
    """Constraints see to it; a row that got past them must not switch anything on."""
    return isinstance(is_enabled, bool) and depth in Depth.values and isinstance(share, int) and 0 < share <= 100


def switches_of(tenant: Tenant) -> Switches:
    """The switches of ``tenant`` and of everything. In a transaction they hold until that commits.

    Never raises for what cannot be read: then everything is off, and the caller's transaction goes on.
    """
    try:
        if not connection.in_atomic_block:
            return Switches(tenant, tuple(fetch(ROWS, [tenant.pk])))
        with transaction.atomic():  # A savepoint: a failed statement would end the caller's transaction.
            _share_lock()
            return Switches(tenant, tuple(fetch(ROWS, [tenant.pk])))
    except DatabaseError as error:
        log.error("switch_unreadable", error=type(error.__cause__ or error).__name__)
        return Switches(tenant, None)


def _share_lock() -> None:
    with connection.cursor() as cursor:  # Three statements, one round trip.
        cursor.execute(
            f"SET LOCAL lock_timeout = '{LONGEST_WAIT}'; "
            f"SELECT pg_advisory_xact_lock_shared({SWITCH_LOCK}); SET LOCAL lock_timeout = DEFAULT"
        )


def wait_for_automatic_decisions() -> None:
    """Hold the switch's lock alone until the transaction ends: whatever automatic was under way has committed."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_xact_lock(%s)", [SWITCH_LOCK])


def read(tenant: Tenant, *, domain: str = "", action: str = "", depth: Depth = Depth.DECISIONS) -> Automation:
    """One question to ``switches_of``; ``depth`` asks about automatic decisions, or about dispatch of what people
    approved."""
    return switches_of(tenant).automation(domain=domain, action=action, depth=depth)


def state_of(scope: Scope) -> Automation:
    """How ``scope`` stands, that of every tenant included, for whoever has just moved it."""
    if scope.tenant:
        return read(scope.tenant, domain=scope.domain, action=scope.action)
    row = _row(scope)
    if row._state.adding or not row.is_enabled:
        return Automation(allowed=False, why=f"automation is stopped for {scope}: {row.reason}")
    return Automation(allowed=True, why="automation is on, where no narrower stop says otherwise", share=row.share)


# --- moving ----------------------------------------------------------------------------------------------------------


@transaction.atomic
def stop(scope: Scope, *, actor: User, reason: str, depth: Depth = Depth.DECISIONS) -> AutomationSwitch:
    """Stop automation in ``scope``; when this has committed, no automatic decision there commits any more.

    One person's right. A stop never loosens: what is frozen stays frozen. Raises ``Denied`` and ``ReasonMissing``.
    """
    _check(scope, "stop_automation", actor, reason)
    wait_for_automatic_decisions()
    switch = _row(scope)
    if not switch._state.adding and not switch.is_enabled:
        depth = max(depth, switch.depth)
    _void_requests(scope, actor)
    return _move(switch, scope, actor=actor, reason=reason, is_enabled=False, depth=depth)


@transaction.atomic
def resume(scope: Scope, *, actor: User, reason: str, stage: Stage = Stage.ALL) -> Resumed:
    """Let automation run again in ``scope`` up to ``stage``; wider scopes that are stopped still stop it.

    Where two people have to agree, the first one's wish waits, and the same wish of another person confirms it. Going
    back a stage is one person's. Raises ``Denied`` and ``ReasonMissing``.
    """
    _check(scope, "resume_automation", actor, reason)
    wait_for_automatic_decisions()
    switch = _row(scope)
    if _needs_two(scope) and not actor.is_system and stage > stage_of(switch):
        asked = ResumeRequest.objects.filter(**scope.columns(), state=ResumeRequest.State.WAITING).first()
        if asked is None or asked.stage != stage or asked.asked_by_id == actor.pk or _is_stale(asked):
            return Resumed(request=_ask(scope, asked, actor=actor, reason=reason, stage=stage))
        _answer(asked, ResumeRequest.State.CONFIRMED, actor)
    return Resumed(switch=_resume_to(switch, scope, stage, actor=actor, reason=reason))


@transaction.atomic
def confirm(request_id: int, *, actor: User) -> AutomationSwitch:
    """The second person agrees: the switch moves. Raises ``Denied``, ``OwnRequest`` and ``NotWaiting``."""
    wait_for_automatic_decisions()
    asked = _waiting(request_id, actor)
    if asked.asked_by_id == actor.pk:
        raise OwnRequest("You asked for this yourself: another person has to confirm it. Nothing was changed.")
    _answer(asked, ResumeRequest.State.CONFIRMED, actor)
    scope = Scope(asked.tenant, asked.domain, asked.action)
    return _resume_to(_row(scope), scope, Stage(asked.stage), actor=actor, reason=asked.reason)


@transaction.atomic
def refuse(request_id: int, *, actor: User) -> ResumeRequest:
    """Somebody with the right to resume says no, or takes back their own wish."""
    wait_for_automatic_decisions()
    asked = _waiting(request_id, actor)
    _answer(asked, ResumeRequest.State.REFUSED, actor)
    return asked


def stage_of(switch: AutomationSwitch) -> int:
    """How far a row lets automation go: -1 where nothing is dispatched at all, then the stages' percentages."""
    if switch._state.adding:
        return Stage.PEOPLE
    if switch.is_enabled:
        return switch.share
    return -1 if switch.depth == Depth.DISPATCH else Stage.PEOPLE


def _needs_two(scope: Scope) -> bool:
    return scope.tenant.resume_needs_two if scope.tenant else settings.RESUME_EVERYWHERE_NEEDS_TWO


def _waiting(request_id: int, actor: User) -> ResumeRequest:
    asked = ResumeRequest.objects.select_related("tenant").filter(pk=request_id).first()
    if asked is None:
        raise NotWaiting("There is no such request. Nothing was changed.")
    _require(Scope(asked.tenant), "resume_automation", actor)
    if asked.state != ResumeRequest.State.WAITING or _is_stale(asked):
        raise NotWaiting(
            "This request was answered, waited too long, or something was stopped after it. Nothing was changed. "
            "Ask again if it is still right to resume."
        )
    return asked


def _is_stale(asked: ResumeRequest) -> bool:
    return asked.asked_at + REQUEST_LIFE < db_now()


def _ask(scope: Scope, before: ResumeRequest | None, *, actor: User, reason: str, stage: Stage) -> ResumeRequest:
    if before:
        _answer(before, ResumeRequest.State.VOID, actor)
    asked = ResumeRequest(
        **scope.columns(), stage=stage, reason=reason.strip()[:200], asked_by=actor, asked_at=db_now()
    )
    asked.save_as(actor, "asked to resume")
    return asked


def _answer(asked: ResumeRequest, state: ResumeRequest.State, actor: User) -> None:
    asked.state, asked.answered_by, asked.answered_at = state, actor, db_now()
    asked.save_as(actor, f"request {ResumeRequest.State(state).value}")


def _void_requests(scope: Scope, actor: User) -> None:
    """Whoever asked to resume did not know of this stop. One of everything concerns the requests of all tenants."""
    waiting = ResumeRequest.objects.filter(state=ResumeRequest.State.WAITING)
    if scope.tenant:
        waiting = waiting.filter(tenant=scope.tenant)
    for asked in waiting.order_by("pk"):  # One per scope at most.
        _answer(asked, ResumeRequest.State.VOID, actor)


def _require(scope: Scope, right: str, actor: User) -> None:
    if scope.tenant:
        require(actor, right, scope.tenant)
    else:
        require_platform(actor, right)


def _check(scope: Scope, right: str, actor: User, reason: str) -> None:
    _require(scope, right, actor)
    if not reason.strip():
        raise ReasonMissing("Say why: the reason is shown to everybody whose work changes. Nothing was changed.")


def _row(scope: Scope) -> AutomationSwitch:
    return AutomationSwitch.objects.filter(**scope.columns()).first() or AutomationSwitch(**scope.columns())


def _resume_to(switch: AutomationSwitch, scope: Scope, stage: Stage, *, actor: User, reason: str) -> AutomationSwitch:
    if stage == Stage.PEOPLE:
        return _move(switch, scope, actor=actor, reason=reason, is_enabled=False, depth=Depth.DECISIONS)
    switch.share = stage
    return _move(switch, scope, actor=actor, reason=reason, is_enabled=True, depth=Depth.DECISIONS)


def _move(
    switch: AutomationSwitch, scope: Scope, *, actor: User, reason: str, is_enabled: bool, depth: Depth
) -> AutomationSwitch:
    """Under the exclusive lock: write the row and tell everybody."""
    resumes = is_enabled or (stage_of(switch) < Stage.PEOPLE and depth == Depth.DECISIONS)
    switch.is_enabled, switch.depth, switch.reason = is_enabled, depth, reason.strip()[:200]
    switch.changed_by, switch.changed_at = actor, db_now()
    switch.save_as(actor, switch.reason)
    where = {"domain": scope.domain, "action": scope.action, "depth": Depth(depth).name.lower()}
    if resumes:
        share = switch.share if is_enabled else 0
        record_for(scope.tenant, CaseEvent.Kind.AUTOMATION_RESUMED, actor, **where, share=share)
    else:
        record_for(scope.tenant, CaseEvent.Kind.AUTOMATION_STOPPED, actor, **where)
    return switch
