"""Other cases beside the one that is looked at: the same customer's, and decided ones about the same things.

One statement for both. Each part reads so many rows of an index and no more, however many cases there are.
"""

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from django.db import connection

from cases.ids import to_wire
from cases.models import Case, User
from cases.states import State
from cases.veil import veiled
from cases.vocabulary import Verdict

LOOKED_AT = 300  # the latest decided cases of the domain, among which the most alike are found
CUSTOMERS = 8  # the latest cases of the same customer
ALIKE = 5
WORDS = 24
LEAST = 2  # shared words, or all where the question has fewer
EXCERPT = 300  # characters

_WORD = re.compile(r"[^\W_]{4,}")  # Shorter words are mostly grammar, in any language that is written with spaces.

_COLUMNS = """
    shown.id, shown.external_id, shown.domain, shown.opened_at, shown.state, shown.verdict, shown.final_decision,
    left(asked.body ->> 'user_question', %(excerpt)s),
    left(coalesce(nullif(final.body ->> 'final_answer', ''), written.body ->> 'model_draft'), %(excerpt)s)
"""
_TEXTS = """
    JOIN cases_case shown ON shown.id = found.id
    JOIN cases_content asked ON asked.id = shown.content_id
    JOIN cases_draft draft ON draft.id = shown.current_draft_id
    JOIN cases_content written ON written.id = draft.content_id
    LEFT JOIN cases_content final ON final.id = shown.final_content_id
"""
_BESIDE = f"""
WITH theirs AS (
    SELECT content.case_id AS id
    FROM cases_content content
    WHERE content.tenant_id = %(tenant)s AND content.customer_key = %(customer)s AND content.owner = 'case'
        AND content.case_id <> %(case)s
    ORDER BY content.id DESC
    LIMIT %(customers)s
), latest AS (
    SELECT other.id, other.content_id
    FROM cases_case other
    WHERE other.tenant_id = %(tenant)s AND other.domain = %(domain)s AND other.state IN ('approved', 'rejected')
        AND other.purpose = 'real' AND other.id <> %(case)s
        -- What a challenge was made of would stand beside it word for word, with what is right.
        AND NOT EXISTS (
            SELECT FROM feedback_plantedchallenge made JOIN feedback_challenge gold ON gold.id = made.challenge_id
            WHERE made.case_id = %(case)s AND gold.source_id = other.id
        )
    ORDER BY other.id DESC
    LIMIT %(looked_at)s
), alike AS (
    SELECT latest.id, shared.count
    FROM latest
    JOIN cases_content content ON content.id = latest.content_id
    CROSS JOIN LATERAL (
        SELECT count(*) AS count FROM unnest(tsvector_to_array(content.search)) word WHERE word = ANY(%(words)s)
    ) shared
    WHERE shared.count >= %(least)s
    ORDER BY shared.count DESC, latest.id DESC
    LIMIT %(alike)s
)
SELECT 'theirs', 0, {_COLUMNS} FROM theirs found {_TEXTS} WHERE shown.purpose = 'real'
UNION ALL
SELECT 'alike', found.count, {_COLUMNS} FROM alike found {_TEXTS}
"""


@dataclass(frozen=True)
class Beside:
    """Another case in a line or two. ``question`` and ``answer`` are untrusted, and cut to ``EXCERPT``."""

    id: UUID
    name: str
    domain: str
    opened: str
    standing: str
    question: str
    answer: str
    shared: int


@dataclass(frozen=True)
class Neighbours:
    theirs: Sequence[Beside] = ()
    alike: Sequence[Beside] = ()


def words_of(question: str) -> list[str]:
    """The words that say what a question is about: its longest ones, as the search index spells them."""
    known = dict.fromkeys(word.lower() for word in _WORD.findall(question))
    return sorted(known, key=len, reverse=True)[:WORDS]


def neighbours_of(case: Case, clock: Callable[[datetime], str], *, reader: User | None = None) -> Neighbours:
    """What stands beside ``case``, newest or most alike first, without the cases of which ``reader`` may not see the
    outcome. ``clock`` words an instant for them."""
    words = words_of(case.content.text.get("user_question") or "")
    customer = case.content.customer_key
    if not words and customer is None:
        return Neighbours()
    values = {
        "tenant": case.tenant_id,
        "case": case.pk,
        "domain": case.domain,
        "customer": customer,
        "words": words,
        "least": max(1, min(LEAST, len(words))),
        "looked_at": LOOKED_AT,
        "customers": CUSTOMERS,
        "alike": ALIKE,
        "excerpt": EXCERPT,
    }
    with connection.cursor() as cursor:
        cursor.execute(_BESIDE, values)
        rows = cursor.fetchall()
    if rows and reader is not None:
        hidden = Case.objects.filter(veiled(reader), pk__in=[row[2] for row in rows])
        keys = set(hidden.values_list("pk", flat=True))
        rows = [row for row in rows if row[2] not in keys]
    theirs = [_beside(row, clock) for row in sorted(rows, key=lambda row: row[2], reverse=True) if row[0] == "theirs"]
    alike = [_beside(row, clock) for row in sorted(rows, key=lambda row: (-row[1], row[2])) if row[0] == "alike"]
    return Neighbours(theirs, alike)


def _beside(row: tuple, clock: Callable[[datetime], str]) -> Beside:
    _, shared, case_id, external_id, domain, opened_at, state, verdict, decision, question, answer = row
    parts = [State(state).label, Verdict(verdict).label.lower() if verdict else "", decision]
    return Beside(
        id=case_id,
        name=external_id or to_wire(Case.PREFIX, case_id),
        domain=domain,
        opened=clock(opened_at),
        standing=", ".join(filter(None, parts)),
        question=question or "",
        answer=answer or "",
        shared=shared,
    )
