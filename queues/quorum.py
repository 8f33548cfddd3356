"""How many people have to look at a case: the queue's own number, raised by the rules that hold for it. Pure."""

from collections.abc import Iterable
from dataclasses import dataclass
from uuid import UUID

from cases.vocabulary import Risk

MOST = 5  # independent reviews that a queue or a rule can ask for


@dataclass(frozen=True)
class Demand:
    """A rule: ``reviews`` people where everything that it names holds; what it leaves empty is any."""

    reviews: int
    name: str
    queue: UUID | None = None
    risk_from: str = ""
    impact_from: str = ""

    @property
    def is_of_stakes(self) -> bool:
        """It names a risk or an impact, and not just where."""
        return bool(self.risk_from or self.impact_from)

    def holds(self, *, queue: UUID, risk: str, impact: str) -> bool:
        """``impact`` is the greatest of the case's open actions, empty without one."""
        return self.queue in (None, queue) and _reaches(risk, self.risk_from) and _reaches(impact, self.impact_from)


def required(own: int, demands: Iterable[Demand], *, queue: UUID, risk: str, impact: str = "") -> tuple[int, str]:
    """How many independent reviews, and why, in words. Rules raise the queue's ``own`` number and never lower it."""
    reviews, why = max(1, own), "the queue asks for it"
    for demand in demands:
        if demand.reviews > reviews and demand.holds(queue=queue, risk=risk, impact=impact):
            reviews, why = demand.reviews, f"rule “{demand.name}”"
    return min(reviews, MOST), why


def _reaches(level: str, least: str) -> bool:
    return not least or (bool(level) and Risk(level).rank >= Risk(least).rank)
