"""Agreement among the people of a tenant, read from their votes.

Only the first two independent votes of each settled question count. A third is asked only where the first two differ:
to count it would fill the numbers with the hard cases. Adjudicators and second looks see what others said, and so they
are no independent voices.
"""

from collections import defaultdict
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from django.db.models import TextChoices

from cases.clock import db_now
from cases.models import Tenant, User

from ..agreement import Estimate, cohen_kappa, estimate, krippendorff_alpha
from ..models import Poll, Review

WINDOW = timedelta(days=90)
POLLS = 2_000  # questions that are read, the newest of the window
ROWS = 100  # groups that are shown, the largest first
CASES = 100  # cases behind a number that are listed, those on which the two differ first


class Cut(TextChoices):
    QUEUE = "queue", "Queue"
    DOMAIN = "domain", "Domain"
    PAIR = "pair", "Pair of reviewers"


@dataclass(frozen=True)
class Pairing:
    """The first two votes of one question: who said what. The two are in the order of their keys."""

    case_id: UUID
    case: str
    queue: tuple[str, str]  # key and name
    domain: str
    people: tuple[User, User]
    said: tuple[tuple[str, str], tuple[str, str]]

    @property
    def differs(self) -> bool:
        return self.said[0] != self.said[1]

    @property
    def words(self) -> list[str]:
        return [" ".join(filter(None, (verdict.replace("_", " "), decision))) for verdict, decision in self.said]

    def group(self, cut: Cut) -> tuple[str, str]:
        """Key and name of the group that this belongs to."""
        if cut == Cut.QUEUE:
            return self.queue
        if cut == Cut.DOMAIN:
            return self.domain, self.domain
        names = " and ".join(sorted(str(user) for user in self.people))
        return "-".join(user.pk.hex for user in self.people), names


@dataclass(frozen=True)
class Row:
    """One group: ``key`` is its name, ``code`` what the address says. ``kappa`` is Cohen's, for a pair of people."""

    key: str
    code: str
    alpha: Estimate
    kappa: Estimate | None
    differing: int


def agreement_of(tenant: Tenant, cut: Cut, *, now: datetime | None = None) -> list[Row]:
    """Agreement within ``tenant`` over ``WINDOW``, the groups with the most cases first. Two queries."""
    groups: dict[tuple[str, str], list[Pairing]] = defaultdict(list)
    for pairing in pairings(tenant, now=now):
        groups[pairing.group(cut)].append(pairing)
    largest = sorted(groups.items(), key=lambda item: (-len(item[1]), item[0][1]))[:ROWS]
    return [_row(code, name, found, cut) for (code, name), found in largest]


def behind(tenant: Tenant, cut: Cut, code: str, *, now: datetime | None = None) -> list[Pairing]:
    """The cases behind one number, those first on which the two differ."""
    found = [pairing for pairing in pairings(tenant, now=now) if pairing.group(cut)[0] == code]
    return sorted(found, key=lambda pairing: not pairing.differs)[:CASES]


def pairings(tenant: Tenant, *, now: datetime | None = None, window: timedelta = WINDOW) -> list[Pairing]:
    """The newest settled questions of ``tenant`` with two votes and more, of ``window`` until ``now``, newest first."""
    now = now or db_now()
    asked = Poll.objects.filter(tenant=tenant, opened_at__gte=now - window, opened_at__lt=now, case__purpose="real")
    settled = asked.exclude(closed_at=None)
    polls = {poll.pk: poll for poll in settled.select_related("queue", "case").order_by("-opened_at")[:POLLS]}
    votes = Review.objects.filter(poll__in=polls, is_blind=True, superseded_by=None).exclude(kind=Review.Kind.UNDO)
    first: dict[UUID, list[Any]] = defaultdict(list)
    for vote in votes.select_related("reviewer").order_by("id"):
        if len(first[vote.poll_id]) < 2:
            first[vote.poll_id].append(vote)
    return [_pairing(poll, first[key]) for key, poll in polls.items() if len(first[key]) == 2]


def _pairing(poll: Poll, votes: list[Review]) -> Pairing:
    one, other = sorted(votes, key=lambda vote: vote.reviewer_id)
    return Pairing(
        case_id=poll.case_id,
        case=str(poll.case),
        queue=(str(poll.queue_id), poll.queue.name),
        domain=poll.case.domain,
        people=(one.reviewer, other.reviewer),
        said=((one.verdict, one.final_decision), (other.verdict, other.final_decision)),
    )


def _row(code: str, name: str, found: list[Pairing], cut: Cut) -> Row:
    items = [pairing.said for pairing in found]
    return Row(
        key=name,
        code=code,
        alpha=estimate(krippendorff_alpha, items),
        kappa=estimate(cohen_kappa, items) if cut == Cut.PAIR else None,
        differing=sum(pairing.differs for pairing in found),
    )
