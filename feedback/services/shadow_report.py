"""What a shadow policy would have done, beside what triage did and what people said of it."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from uuid import UUID

from django.db import connection

from cases.breaker import interval
from cases.clock import db_now
from cases.vocabulary import Route, Verdict

from ..models import ShadowPolicy

LATEST = 5_000  # verdicts that a report is made of
EXAMPLES = 20

# The shadow's latest verdicts, each with the route that was taken and the first decision of a person that stands.
_VERDICTS = f"""
    WITH latest AS (
        SELECT v.id, v.draft_id, v.route, v.at FROM feedback_shadowverdict v
        WHERE v.shadow_id = %(shadow)s ORDER BY v.id DESC LIMIT {LATEST}
    )
    SELECT v.id, v.at, v.route, d.route AS taken, c.id AS case_id, c.external_id,
        CASE WHEN r.verdict = '{Verdict.NEEDS_EDIT}' THEN 'redraft' WHEN r.is_override THEN 'override'
             WHEN r.id IS NOT NULL THEN 'accept' ELSE '' END AS said
    FROM latest v
    JOIN cases_draft d ON d.id = v.draft_id
    JOIN cases_case c ON c.id = d.case_id AND c.purpose = 'real' AND c.state <> 'withdrawn'
    JOIN cases_tenant t ON t.id = c.tenant_id
    LEFT JOIN LATERAL (
        SELECT r.id, r.verdict, r.is_override FROM feedback_review r
        WHERE r.draft_id = v.draft_id AND r.kind = 'decision'
          AND r.created_at + make_interval(secs => t.undo_seconds) <= %(now)s
          AND NOT EXISTS (SELECT FROM feedback_review u WHERE u.supersedes_id = r.id)
        ORDER BY r.created_at, r.id LIMIT 1
    ) r ON true
"""
_COUNTS = f"SELECT route, taken, said, count(*), min(at) FROM ({_VERDICTS}) one GROUP BY 1, 2, 3"
_ERRORS = f"""
    SELECT case_id, external_id, taken, at FROM ({_VERDICTS}) one
    WHERE route = '{Route.AUTO_APPROVE}' AND said = 'override' ORDER BY id DESC LIMIT {EXAMPLES}
"""


@dataclass
class Group:
    """Some of the cases: how many, and what people said of those that they looked at."""

    cases: int = 0
    accepted: int = 0
    overridden: int = 0
    redrafts: int = 0

    @property
    def judged(self) -> int:
        return self.accepted + self.overridden

    @property
    def error(self) -> float | None:
        """The share of overrides among people's decisions; None where there is none."""
        return self.overridden / self.judged if self.judged else None

    @property
    def error_words(self) -> str:
        if not self.judged:
            return "nobody has looked at one"
        low, high = interval(self.overridden, self.judged)
        return f"{self.error:.1%} ({low:.1%} to {high:.1%})"

    def add(self, said: str, cases: int) -> None:
        self.cases += cases
        self.accepted += cases if said == "accept" else 0
        self.overridden += cases if said == "override" else 0
        self.redrafts += cases if said == "redraft" else 0


@dataclass(frozen=True)
class Wrong:
    """A case that the shadow would have let through and that a person overrode."""

    case_id: UUID
    external_id: str
    taken: str
    at: datetime


@dataclass
class Report:
    """``agreement`` holds a group per (route of the shadow, route that was taken)."""

    cases: int = 0
    since: datetime | None = None
    agreement: dict[tuple[Route, Route], Group] = field(default_factory=dict)
    wrong: Sequence[Wrong] = ()

    def _sum(self, wanted) -> Group:
        whole = Group()
        for pair, group in self.agreement.items():
            if wanted(*pair):
                whole.cases += group.cases
                whole.accepted += group.accepted
                whole.overridden += group.overridden
                whole.redrafts += group.redrafts
        return whole

    @property
    def passes(self) -> Group:
        """What the shadow would have let through."""
        return self._sum(lambda would, taken: would == Route.AUTO_APPROVE)

    @property
    def passed(self) -> Group:
        """What triage let through."""
        return self._sum(lambda would, taken: taken == Route.AUTO_APPROVE)

    @property
    def newly(self) -> Group:
        """What the shadow would have let through and triage sent to people."""
        return self._sum(lambda would, taken: would == Route.AUTO_APPROVE != taken)

    @property
    def held(self) -> Group:
        """What triage let through and the shadow would have sent to people."""
        return self._sum(lambda would, taken: taken == Route.AUTO_APPROVE != would)

    @property
    def agreed(self) -> float:
        same = self._sum(lambda would, taken: would == taken).cases
        return same / self.cases if self.cases else 0.0

    @property
    def summary(self) -> list[tuple[str, str, Group]]:
        """The rows of the first table: what, its share of all cases, and the group."""
        named = (
            ("would pass by itself", self.passes),
            ("passed by itself", self.passed),
            ("would pass, went to people", self.newly),
            ("passed, would go to people", self.held),
        )
        return [(words, f"{group.cases / self.cases:.1%}" if self.cases else "–", group) for words, group in named]

    @property
    def rows(self) -> list[tuple[str, list[int]]]:
        """The agreement table: per route of the shadow the cases by the route that was taken."""
        return [
            (would.label, [self.agreement.get((would, taken), Group()).cases for taken in Route]) for would in Route
        ]


def report(shadow: ShadowPolicy) -> Report:
    """The latest ``LATEST`` verdicts of ``shadow``, in two queries."""
    made = Report()
    values = {"shadow": shadow.pk, "now": db_now()}
    with connection.cursor() as cursor:
        cursor.execute(_COUNTS, values)
        for would, taken, said, cases, since in cursor.fetchall():
            made.agreement.setdefault((Route(would), Route(taken)), Group()).add(said, cases)
            made.cases += cases
            made.since = min(since, made.since or since)
        cursor.execute(_ERRORS, values)
        made.wrong = [Wrong(*row) for row in cursor.fetchall()]
    return made
