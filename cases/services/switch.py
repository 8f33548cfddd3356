"""Reading and moving the automation switch.

Every automatic path takes one shared advisory transaction lock and then reads; a stop takes the same lock exclusively.
So no automatic decision commits after the stop's commit: it either committed before, or waits and then reads "off".
"""

from dataclasses import dataclass
from typing import Any

from django.db import connection, transaction
from django.db.models import Q

from ..clock import db_now
from ..errors import CountersignError
from ..models import AutomationSwitch, CaseEvent, Tenant, User
from ..permissions import require, require_platform
from ..triage import Automation
from ..vocabulary import Depth
from .events import record_for

SWITCH_LOCK = 0x436F756E  # One key for the whole installation: stopping is rare, reading is shared.


class ReasonMissing(CountersignError):
    code = "reason_missing"
    status = 400
    title = "A reason is needed"


@dataclass(frozen=True)
class Scope:
    """What a switch row governs: everything, a tenant, one of its domains or one of its action types."""

    tenant: Tenant | None = None
    domain: str = ""
    action: str = ""


def _lock(*, shared: bool) -> None:
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT pg_advisory_xact_lock{'_shared' if shared else ''}(%s)", [SWITCH_LOCK])


@dataclass(frozen=True)
class Switches:
    """Every row that concerns a tenant, read once, for as many questions as there are."""

    tenant: Tenant
    rows: tuple[tuple[Any, ...], ...]  # tenant, domain, action, is_enabled, depth, reason; oldest first

    def automation(self, *, domain: str = "", action: str = "", depth: Depth = Depth.DECISIONS) -> Automation:
        """Whether automation is on for this scope, and why not. A missing global or tenant row means off."""
        rows = [row for row in self.rows if row[1] in ("", domain) and row[2] in ("", action)]
        seen = {row[:3] for row in rows}
        for scope, words in (((None, "", ""), "at all"), ((self.tenant.pk, "", ""), f"for {self.tenant}")):
            if scope not in seen and depth == Depth.DECISIONS:
                return Automation(allowed=False, why=f"automation was never switched on {words}")
        for tenant_id, row_domain, row_action, is_enabled, row_depth, reason in rows:
            if not is_enabled and row_depth >= depth:
                where = row_action or row_domain or (str(self.tenant) if tenant_id else "everything")
                return Automation(allowed=False, why=f"automation is stopped for {where}: {reason}")
        return Automation(allowed=True, why="automation is on")


def switches_of(tenant: Tenant) -> Switches:
    """The switches of ``tenant`` and of everything. In a transaction they hold until that commits."""
    if connection.in_atomic_block:
        _lock(shared=True)
    rows = AutomationSwitch.objects.filter(Q(tenant=None) | Q(tenant=tenant)).order_by("id")
    return Switches(tenant, tuple(rows.values_list("tenant_id", "domain", "action", "is_enabled", "depth", "reason")))


def read(tenant: Tenant, *, domain: str = "", action: str = "", depth: Depth = Depth.DECISIONS) -> Automation:
    """One question to ``switches_of``; ``depth`` asks about automatic decisions, or about dispatch of what people
    approved."""
    return switches_of(tenant).automation(domain=domain, action=action, depth=depth)


@transaction.atomic
def stop(scope: Scope, *, actor: User, reason: str, depth: Depth = Depth.DECISIONS) -> AutomationSwitch:
    """Stop automation in ``scope``; when this has committed, no automatic decision there commits any more."""
    return _move(scope, actor=actor, reason=reason, is_enabled=False, depth=depth)


@transaction.atomic
def resume(scope: Scope, *, actor: User, reason: str) -> AutomationSwitch:
    """Let automation run again in ``scope``; wider scopes that are stopped still stop it."""
    return _move(scope, actor=actor, reason=reason, is_enabled=True, depth=Depth.DECISIONS)


def _move(scope: Scope, *, actor: User, reason: str, is_enabled: bool, depth: Depth) -> AutomationSwitch:
    right = "resume_automation" if is_enabled else "stop_automation"
    if scope.tenant:
        require(actor, right, scope.tenant)
    else:
        require_platform(actor, right)
    if not reason.strip():
        raise ReasonMissing("Say why: the reason is shown to everybody whose work changes. Nothing was changed.")
    _lock(shared=False)
    switch = AutomationSwitch.objects.filter(tenant=scope.tenant, domain=scope.domain, action=scope.action).first()
    switch = switch or AutomationSwitch(tenant=scope.tenant, domain=scope.domain, action=scope.action)
    switch.is_enabled, switch.depth, switch.reason = is_enabled, depth, reason.strip()[:200]
    switch.changed_by, switch.changed_at = actor, db_now()
    switch.save_as(actor, switch.reason)
    kind = CaseEvent.Kind.AUTOMATION_RESUMED if is_enabled else CaseEvent.Kind.AUTOMATION_STOPPED
    record_for(scope.tenant, kind, actor, domain=scope.domain, action=scope.action, depth=Depth(depth).name.lower())
    return switch
