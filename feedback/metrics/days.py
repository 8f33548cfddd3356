"""Keeping the sums by day: a day is summed anew from its hours, in the transaction that changed one of them.

A day is a date where the tenant is, in the time zone whose hours are kept: of 23, 24 or 25 hours. Nothing is ever added
to a day, and nothing counts in it that is in none of its hours.
"""

from collections.abc import Collection
from datetime import date
from uuid import UUID

from django.db import connection

from .definitions import ALL, KEPT, MEASURES

OF_DAYS = ("handling_counts", "opened_by_hour")  # beside what an hour has
VALUES = (*(measure.name for measure in MEASURES), "handling_values", *OF_DAYS)
_COLUMNS = ("dimension", "domain", "key", *VALUES)
_KEYS = "tenant_id, day, dimension, domain, key"
_SUMS = ", ".join(f"sum({measure.name}) AS {measure.name}" for measure in MEASURES)
AROUND_MIDNIGHT = "interval '3 hours'"  # further than any clock is set
DAY_OF_HOUR = "(hour AT TIME ZONE %(zone)s)::date"
HOUR_OF_DAY = "extract(hour FROM hour AT TIME ZONE %(zone)s)::int"
_OPENED = ", ".join(f"COALESCE(sum(opened) FILTER (WHERE hour_of_day = {number}), 0)" for number in range(24))


def summed(hours: str) -> str:
    """The columns of ``MetricDay``, from the materialised query ``hours`` with a ``day`` and an ``hour_of_day``.

    Values are counted under a number for each day and key: sorted by their names they took half of the time.
    """
    return f"""
        WITH days AS MATERIALIZED (
            SELECT {_KEYS}, {_SUMS}, row_number() OVER () AS n FROM {hours} GROUP BY {_KEYS}
        ), taken AS (
            SELECT n, value, count(*) AS times
            FROM {hours} JOIN days USING ({_KEYS}), unnest({hours}.handling_values) AS value GROUP BY n, value
        ), valued AS (
            SELECT n, array_agg(value ORDER BY value) AS handling_values,
                array_agg(times ORDER BY value) AS handling_counts
            FROM taken GROUP BY n
        ), loads AS (
            SELECT {_KEYS}, ARRAY[{_OPENED}]::bigint[] AS opened_by_hour
            FROM {hours} WHERE dimension = '{ALL}' GROUP BY {_KEYS}
        )
        SELECT {_KEYS}, {", ".join(f"days.{measure.name}" for measure in MEASURES)},
            COALESCE(handling_values, '{{}}') AS handling_values, COALESCE(handling_counts, '{{}}') AS handling_counts,
            COALESCE(opened_by_hour, '{{}}') AS opened_by_hour
        FROM days LEFT JOIN valued USING (n) LEFT JOIN loads USING ({_KEYS})
    """


_DELETE = """
    DELETE FROM feedback_metricday
    WHERE tenant_id = %(tenant)s AND dimension = ANY(%(dimensions)s) AND day = ANY(%(days)s::date[])
"""
_INSERT = f"""
    WITH hours AS MATERIALIZED (
        SELECT h.*, d.day, {HOUR_OF_DAY} AS hour_of_day FROM unnest(%(days)s::date[]) AS d (day)
        JOIN feedback_metrichour h ON h.tenant_id = %(tenant)s AND h.dimension = ANY(%(dimensions)s)
            AND h.hour >= (d.day::timestamp AT TIME ZONE %(zone)s) - {AROUND_MIDNIGHT}
            AND h.hour < ((d.day + 1)::timestamp AT TIME ZONE %(zone)s) + {AROUND_MIDNIGHT}
            AND {DAY_OF_HOUR} = d.day
    )
    INSERT INTO feedback_metricday (id, tenant_id, day, {", ".join(_COLUMNS)})
    SELECT gen_random_uuid(), s.* FROM ({summed("hours")}) s ORDER BY s.tenant_id, s.dimension, s.day, s.domain, s.key
"""

# The days of any tenant that are not what their hours add up to, by what names them: for ``config.invariants``.
ASTRAY = f"""
    WITH hours AS MATERIALIZED (
        SELECT h.*, (h.hour AT TIME ZONE s.time_zone)::date AS day,
            extract(hour FROM h.hour AT TIME ZONE s.time_zone)::int AS hour_of_day
        FROM feedback_metrichour h JOIN feedback_metricstate s ON s.tenant_id = h.tenant_id
    )
    SELECT concat_ws(' ', tenant_id, day, dimension, domain, key)
    FROM (SELECT {_KEYS}, {", ".join(VALUES)} FROM feedback_metricday) d
    FULL JOIN ({summed("hours")}) h USING ({_KEYS})
    WHERE ROW({", ".join(f"d.{name}" for name in VALUES)})
        IS DISTINCT FROM ROW({", ".join(f"h.{name}" for name in VALUES)})
"""


def replace_days(tenant_id: UUID, zone: str, days: Collection[date]) -> None:
    """Sum ``days`` anew from the hours as they are now; within the transaction and the lock of ``rollups``."""
    values = {"tenant": tenant_id, "zone": zone, "days": sorted(days), "dimensions": list(KEPT)}
    with connection.cursor() as cursor:
        cursor.execute(_DELETE, values)
        cursor.execute(_INSERT, values)
