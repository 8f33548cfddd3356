"""The raw facts as SQL: one row for each case and each review, with its dimensions and what it adds to each measure.

This is the query that everything else is compared with. It reads only what ``definitions`` names, within a tenant and a
window: ``%(tenant)s``, ``%(start)s`` included, ``%(end)s`` not, ``%(now)s``, ``%(zone)s``.
"""

from ..counting import COUNTABLE
from .definitions import ALL, MEASURES, SEVERAL, Dimension, Source


def _measures(source: Source) -> str:
    return ",\n        ".join(
        f"{measure.expression if measure.source == source else '0'} AS {measure.name}" for measure in MEASURES
    )


_WINDOW = {
    Source.CASE: "c.opened_at >= %(start)s AND c.opened_at < %(end)s",
    Source.REVIEW: "r.created_at >= %(start)s AND r.created_at < %(end)s",
}

_CASES = f"""
    SELECT c.id AS case_id, NULL::uuid AS review_id, c.opened_at AS at, c.domain, c.risk,
        first.release_id::text AS release, first.route, stay.queue_id::text AS queue, NULL::text AS reviewer,
        first.triggers AS trigger, first.conditions AS condition, array_to_string(first.triggers, '+') AS reasons,
        {_measures(Source.CASE)}
    FROM cases_case c
    JOIN cases_draft first ON first.case_id = c.id AND first.number = 1
    LEFT JOIN LATERAL (  -- Its stays in queues, with the one that goes on: was any late, and where was the last?
        SELECT bool_or(one.is_late) AS is_late,
            (array_agg(one.queue_id ORDER BY one.until DESC, one.id DESC))[1] AS queue_id
        FROM (
            SELECT p.id, p.queue_id, p.left_at AS until, p.breached_at IS NOT NULL OR p.left_at > p.due_at AS is_late
            FROM queues_passage p WHERE p.case_id = c.id AND p.kind = 'review'
            UNION ALL
            SELECT w.id, w.queue_id, 'infinity', w.breached_at IS NOT NULL
            FROM queues_entry w WHERE w.case_id = c.id AND w.kind = 'review'
        ) one
    ) stay ON true
    LEFT JOIN LATERAL (
        SELECT (e.data ->> 'score')::int AS score FROM cases_caseevent e
        WHERE e.case_id = c.id AND e.kind = 'case.satisfaction' ORDER BY e.id DESC LIMIT 1
    ) said ON true
    WHERE c.tenant_id = %(tenant)s AND ({_WINDOW[Source.CASE]}) AND c.purpose = 'real'
"""

_REVIEWS = f"""
    SELECT c.id, r.id, r.created_at, c.domain, c.risk, d.release_id::text, r.route, k.queue_id::text,
        r.reviewer_id::text, d.triggers, d.conditions, array_to_string(d.triggers, '+'),
        {_measures(Source.REVIEW)}
    FROM feedback_review r
    JOIN cases_case c ON c.id = r.case_id
    JOIN cases_draft d ON d.id = r.draft_id
    JOIN cases_tenant t ON t.id = r.tenant_id
    LEFT JOIN queues_claim k ON k.generation = r.generation
    WHERE r.tenant_id = %(tenant)s AND ({_WINDOW[Source.REVIEW]}) AND {COUNTABLE}
"""

FACTS = f"{_CASES}    UNION ALL{_REVIEWS}"
FACTS_OF = {Source.CASE: _CASES, Source.REVIEW: _REVIEWS}
_DIMENSIONS = ("domain", "risk", "release", "route", "queue", "reviewer", "trigger", "condition", "reasons")
COLUMNS = ("case_id", "review_id", "at", *_DIMENSIONS, *(measure.name for measure in MEASURES))  # in this order

_SINGLE = [dimension for dimension in Dimension if dimension not in SEVERAL and dimension != Dimension.DOMAIN]

SUMS = ", ".join(f"sum(f.{measure.name}) AS {measure.name}" for measure in MEASURES)
HANDLING = "COALESCE(array_agg(f.handling_seconds ORDER BY f.handling_seconds) FILTER (WHERE f.handled = 1), '{}')"

# The same facts as sums: a row for each hour, domain, dimension and key. An hour is told by its beginning where the
# tenant is; where clocks are set by half an hour, facts of the hour before may lie within the window.
HOURS = f"""
    SELECT date_trunc('hour', f.at, %(zone)s) AS hour, d.dimension, f.domain, left(d.key, 250) AS key, {SUMS},
        {HANDLING} AS handling_values
    FROM ({FACTS}) f
    CROSS JOIN LATERAL (
        VALUES ('{ALL}', ''), {", ".join(f"('{name}', f.{name})" for name in _SINGLE)}
        UNION ALL SELECT '{Dimension.TRIGGER}', unnest(f.trigger)
        UNION ALL SELECT '{Dimension.CONDITION}', unnest(f.condition)
    ) d (dimension, key)
    WHERE d.key IS NOT NULL AND date_trunc('hour', f.at, %(zone)s) >= %(start)s
    GROUP BY 1, 2, 3, 4
"""


# What lies in any of several windows, by an array of keys, so that it is settled first what is looked at: a planner
# that is told of a limit would rather walk through all that lies in between. OFFSET keeps it to the index on the time.
_IN_WINDOWS = """
    {key} = ANY(ARRAY(
        SELECT held.id FROM unnest(%(starts)s::timestamptz[], %(ends)s::timestamptz[], %(domains)s::text[])
            AS span (start_at, end_at, domain),
            LATERAL (
                SELECT x.id FROM {table} x
                WHERE x.tenant_id = %(tenant)s AND x.{at} >= span.start_at AND x.{at} < span.end_at{narrowed} OFFSET 0
            ) held
    ))
"""
_WHERE = {
    Source.CASE: _IN_WINDOWS.format(
        key="c.id", table="cases_case", at="opened_at", narrowed=" AND x.domain = span.domain"
    ),
    Source.REVIEW: _IN_WINDOWS.format(key="r.id", table="feedback_review", at="created_at", narrowed=""),
}

# The facts of one kind in any of the windows from ``%(starts)s`` to ``%(ends)s``, of a case those of ``%(domains)s``.
FACTS_WITHIN = {source: FACTS_OF[source].replace(_WINDOW[source], _WHERE[source]) for source in Source}
