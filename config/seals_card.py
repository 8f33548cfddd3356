"""The home page's card for the audit trail: how its seals stand. Only reads, in a fixed number of queries."""

from dataclasses import dataclass
from datetime import datetime

from cases.models import HeadReceipt
from cases.rights import HeldRights
from cases.services import sealing
from cases.services.sealing import Standing


@dataclass(frozen=True)
class SealsCard:
    """How the seals stand, and the last head that left."""

    standing: Standing
    told: HeadReceipt | None


def seals_card(rights: HeldRights, now: datetime) -> SealsCard:
    """As ``rights`` may see it: heads of other tenants are not told of."""
    told = rights.within(HeadReceipt.objects.all(), "view_audit").order_by("-at").first()
    return SealsCard(sealing.standing(now), told)
