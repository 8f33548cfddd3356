"""What must hold across the rooms at any committed moment, each as one query that returns the rows that break it."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from django.db import connection

from approvals.states import TERMINAL
from cases.rules_document import ALWAYS_HIGH_STAKES
from cases.states import OPEN, State
from feedback.metrics.days import ASTRAY
from feedback.services.weekly import MISSED

SHOWN = 5  # broken rows named per rule


@dataclass(frozen=True)
class Invariant:
    """``sql`` selects the keys that break ``rule``; nothing selected means that it holds."""

    rule: str
    sql: str


def _in(words: Iterable[str]) -> str:
    """``('approved', 'rejected')``, for SQL: words of our own closed lists."""
    quoted = ", ".join(f"'{word}'" for word in sorted(words))
    return f"({quoted})"


INVARIANTS = (
    Invariant(
        "A case that waits for a person has exactly one open entry",
        f"""SELECT c.id FROM cases_case c LEFT JOIN queues_entry e ON e.case_id = c.id AND e.kind = 'review'
            WHERE c.state IN {_in(OPEN)} AND e.id IS NULL""",
    ),
    Invariant(
        "A case that waits for nobody has no open entry, but for the sample of an automatic approval or a second look",
        f"""SELECT c.id FROM cases_case c JOIN queues_entry e ON e.case_id = c.id
            WHERE c.state NOT IN {_in(OPEN)} AND (c.state <> '{State.AUTO_APPROVED}' OR e.kind <> 'audit')
              AND (c.state NOT IN {_in((State.APPROVED, State.REJECTED))} OR e.kind <> 'second')""",
    ),
    Invariant(
        "Every case began with an event, and its current draft is its own last one",
        """SELECT c.id FROM cases_case c JOIN cases_draft d ON d.id = c.current_draft_id
           WHERE d.case_id <> c.id OR EXISTS (SELECT FROM cases_draft x WHERE x.case_id = c.id AND x.number > d.number)
              OR NOT EXISTS (SELECT FROM cases_caseevent v WHERE v.case_id = c.id AND v.kind = 'case.opened')""",
    ),
    Invariant(
        "An outcome waits for exactly the actions that are not at their end",
        f"""SELECT c.id FROM cases_case c LEFT JOIN approvals_proposedaction a ON a.case_id = c.id
             AND a.state NOT IN {_in(TERMINAL)}
           GROUP BY c.id, c.open_actions HAVING count(a.id) <> c.open_actions""",
    ),
    Invariant(
        "A held entry is under exactly one claim that has not ended",
        """SELECT e.id FROM queues_entry e LEFT JOIN queues_claim k ON k.case_id = e.case_id AND k.ended_at IS NULL
           GROUP BY e.id, e.claimed_by_id, e.generation
           HAVING count(k.generation) <> (CASE WHEN e.claimed_by_id IS NULL THEN 0 ELSE 1 END)
               OR (e.claimed_by_id IS NOT NULL AND max(k.generation) <> e.generation)""",
    ),
    Invariant(
        "Whoever sweeps looks at each entry whose clock runs when its deadline passes, at the latest",
        """SELECT e.id FROM queues_entry e WHERE e.paused_at IS NULL AND e.breached_at IS NULL
             AND (e.next_step_at IS NULL OR e.next_step_at > e.due_at)""",
    ),
    Invariant(
        "High stakes are never decided automatically",
        f"""SELECT c.id FROM cases_case c
            WHERE c.state = '{State.AUTO_APPROVED}' AND c.risk IN {_in(ALWAYS_HIGH_STAKES)}""",
    ),
    Invariant(
        "A case that a person decided has a review that nothing supersedes",
        """SELECT c.id FROM cases_case c WHERE c.decided_by = 'human' AND NOT EXISTS (
             SELECT FROM feedback_review r LEFT JOIN feedback_review u ON u.supersedes_id = r.id
             WHERE r.case_id = c.id AND r.kind = 'decision' AND u.id IS NULL)""",
    ),
    Invariant(
        "Nothing about an undecided outcome was sent",
        """SELECT v.id FROM cases_delivery v
           JOIN cases_caseevent e ON e.id = v.event_id JOIN cases_case c ON c.id = e.case_id
           WHERE e.kind IN ('case.decided', 'case.auto_approved') AND v.state = 'delivered' AND c.final_at > now()
             AND e.at >= c.decided_at""",
    ),
    Invariant(
        "A case, its drafts, its entry and its actions belong to one tenant",
        """SELECT c.id FROM cases_case c
           WHERE EXISTS (SELECT FROM cases_draft d WHERE d.case_id = c.id AND d.tenant_id <> c.tenant_id)
              OR EXISTS (SELECT FROM queues_entry e JOIN queues_queue q ON q.id = e.queue_id
                         WHERE e.case_id = c.id AND (e.tenant_id <> c.tenant_id OR q.tenant_id <> c.tenant_id))
              OR EXISTS (SELECT FROM approvals_proposedaction a
                         WHERE a.case_id = c.id AND a.tenant_id <> c.tenant_id)""",
    ),
    Invariant(
        "Challenges and probes have no event that is sent",
        """SELECT v.id FROM cases_delivery v
           JOIN cases_caseevent e ON e.id = v.event_id JOIN cases_case c ON c.id = e.case_id
           WHERE c.purpose <> 'real'""",
    ),
    Invariant(
        "No action of a challenge or a probe was sent to an executor",
        """SELECT a.id FROM approvals_execution x
           JOIN approvals_proposedaction a ON a.id = x.action_id JOIN cases_case c ON c.id = a.case_id
           WHERE c.purpose <> 'real'""",
    ),
    Invariant("An override that a weekly export should hold went out with one", MISSED),
    Invariant("What the metrics keep of a day is what they keep of its hours", ASTRAY),
)


def broken() -> Iterator[tuple[Invariant, list[str]]]:
    """Each invariant that does not hold, with the first keys that break it."""
    with connection.cursor() as cursor:
        for invariant in INVARIANTS:
            cursor.execute(f"SELECT * FROM ({invariant.sql}) found LIMIT {SHOWN}")
            if rows := cursor.fetchall():
                yield invariant, [str(row[0]) for row in rows]
