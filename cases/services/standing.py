"""What stands still: one rule for the banner, the home page and the automation page."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from ..models import AutomationSwitch, Tenant
from ..rights import HeldRights

BANNER_ROWS = 3


@dataclass(frozen=True)
class Standing:
    """Whether a tenant's automation runs, decided by ``row``; None where nobody ever switched it on.

    ``share`` is the percentage that passes, 100 unless automation is resuming; ``narrower`` counts the stopped domains
    and actions.
    """

    tenant: Tenant
    is_on: bool
    row: AutomationSwitch | None
    narrower: int
    share: int = 100


@dataclass(frozen=True)
class Banner:
    """What the frame says on every page while something is stopped: rows of scopes, the widest first."""

    rows: Sequence[AutomationSwitch]
    more: int

    def __bool__(self) -> bool:
        return bool(self.rows)


def standings(tenants: Sequence[Tenant], rights: HeldRights) -> list[Standing]:
    """How each of ``tenants`` stands; they are among those of ``rights``."""
    whole: dict[UUID | None, AutomationSwitch] = {}
    narrower: dict[UUID | None, int] = {}
    for row in rights.switches:
        if not row.domain and not row.action:
            whole[row.tenant_id] = row
        elif not row.is_enabled:
            narrower[row.tenant_id] = narrower.get(row.tenant_id, 0) + 1
    return [_standing(tenant, whole, narrower) for tenant in tenants]


def _standing(tenant: Tenant, whole: dict[Any, AutomationSwitch], narrower: dict[Any, int]) -> Standing:
    below = narrower.get(tenant.pk, 0) + narrower.get(None, 0)
    above, own = whole.get(None), whole.get(tenant.pk)
    if above is None or not above.is_enabled:
        return Standing(tenant, is_on=False, row=above, narrower=below)
    if own is None or not own.is_enabled:
        return Standing(tenant, is_on=False, row=own, narrower=below)
    least = min(above, own, key=lambda row: row.share)
    return Standing(tenant, is_on=True, row=least, narrower=below, share=least.share)


def banner_of(rights: HeldRights) -> Banner:
    """The stops and unfinished resumptions that concern the person's tenants."""
    found = [row for row in rights.switches if _halts(row) and _concerns(row, rights)]
    found.sort(key=lambda row: (row.tenant_id is not None, bool(row.domain or row.action), row.is_enabled))
    return Banner(found[:BANNER_ROWS], max(0, len(found) - BANNER_ROWS))


def _halts(row: AutomationSwitch) -> bool:
    return not row.is_enabled or row.share < 100


def _concerns(row: AutomationSwitch, rights: HeldRights) -> bool:
    return row.tenant_id is None or rights.has("view_automation", row.tenant_id)
