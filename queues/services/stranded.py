"""Cases that wait and that nobody may take: everybody who could has voted or declined, or nobody reads their language.

A queue with people is no proof that each of its cases will be taken. What is asked here is the rule of ``fitness`` for
all people and many cases at once: in a fixed number of queries, and none of them reads all that waits.
"""

from collections.abc import Collection, Iterable
from uuid import UUID

from django.contrib.postgres.expressions import ArraySubquery
from django.contrib.postgres.fields import ArrayField
from django.db import connection
from django.db.models import Exists, F, Func, IntegerField, JSONField, OuterRef, Q, QuerySet

from ..models import Entry, Queue
from ..models.entries import FREE, NARROWED, PRIMARY_LANGUAGE
from .fitness import UNDETERMINED, reads
from .staffing import ADJUDICATES, Demand, staff_for, with_readers, with_staff

# Of the cases that not everybody may take, the most urgent: what nobody takes becomes one of them in time.
LOOKED_AT = 100

# The languages in which a queue's cases wait, read from ``entry_next_to_read`` one by one: a step for each language.
_LANGUAGES = """
WITH RECURSIVE spoken AS (
    SELECT line.queue_id, first.language
    FROM unnest(%(queues)s::uuid[]) AS line (queue_id), LATERAL (
        SELECT split_part(lower(entry.language), '-', 1) AS language FROM queues_entry entry
        WHERE entry.queue_id = line.queue_id
            AND entry.claimed_by_id IS NULL AND entry.paused_at IS NULL AND entry.kept_for_id IS NULL
        ORDER BY 1 LIMIT 1
    ) first
    UNION ALL
    SELECT spoken.queue_id, further.language
    FROM spoken, LATERAL (
        SELECT split_part(lower(entry.language), '-', 1) AS language FROM queues_entry entry
        WHERE entry.queue_id = spoken.queue_id AND split_part(lower(entry.language), '-', 1) > spoken.language
            AND entry.claimed_by_id IS NULL AND entry.paused_at IS NULL AND entry.kept_for_id IS NULL
        ORDER BY 1 LIMIT 1
    ) further
)
SELECT queue_id, array_agg(language) FROM spoken GROUP BY queue_id
"""

_OF_ENTRY = Demand(
    queue=OuterRef(OuterRef("queue")),
    tenant=OuterRef("tenant"),
    skill=OuterRef(OuterRef("queue__skill")),
    level=OuterRef(OuterRef("queue__skill_level")),
)


def languages_waiting(queue_ids: Collection[UUID]) -> dict[UUID, set[str]]:
    """Per queue the primary subtags of what is free to be taken there, but for what nobody named."""
    with connection.cursor() as cursor:
        cursor.execute(_LANGUAGES, {"queues": list(queue_ids)})
        return {queue_id: {*languages} - {UNDETERMINED, ""} for queue_id, languages in cursor.fetchall()}


def unread(waiting: Iterable[str], readers: Iterable[Collection[str]]) -> set[str]:
    """The languages of ``waiting`` that nobody reads among ``readers``, the languages of each person (none: any)."""
    people = list(readers)
    return {language for language in waiting if not any(reads(known, language) for known in people)}


def unread_in(queues: QuerySet[Queue]) -> dict[UUID, set[str]]:
    """Per queue with people the languages in which cases wait and that none of these reads; two queries."""
    people = dict(with_readers(queues).order_by().values_list("pk", "readers"))
    waiting = languages_waiting(people)
    found = {key: unread(waiting.get(key, ()), readers) for key, readers in people.items() if readers}
    return {key: languages for key, languages in found.items() if languages}


def barred(queues: QuerySet[Queue]) -> list[Entry]:
    """What is free in ``queues`` and may go to nobody though its queue has people, the most urgent first.

    One query; looks at ``LOOKED_AT`` of those that somebody may not have.
    """
    entries = with_takers(Entry.objects.filter(FREE, NARROWED, queue__in=queues.order_by().values("pk")))
    looked_at = entries.select_related("case", "queue").by_urgency()[:LOOKED_AT]
    return [entry for entry in looked_at if _is_nobodys(entry)]


def is_stranded(entry: Entry) -> bool:
    """Whether ``entry`` waits and nobody at all may take it, at work or not; one query."""
    row = with_takers(Entry.objects.filter(FREE, pk=entry.pk)).first()
    return row is not None and _is_nobodys(row)


def stranded(queues: QuerySet[Queue]) -> QuerySet[Entry]:
    """Both kinds as one list; what waits in a queue without people is not in it. Three queries to make it."""
    languages = unread_in(queues)
    found = Q(pk__in=[entry.pk for entry in barred(with_staff(queues).filter(staff__gt=0))])
    for queue_id, unknown in languages.items():
        found |= Q(queue=queue_id, spoken__in=unknown)
    return Entry.objects.alias(spoken=PRIMARY_LANGUAGE).filter(FREE, found)


def with_takers(entries: QuerySet[Entry]) -> QuerySet[Entry]:
    """``entries`` with ``takers``: for each person who may have it, language apart, the languages that they read."""
    position = Func(OuterRef("excluded"), F("user"), function="array_position", output_field=IntegerField())
    anybodys = Exists(Entry.objects.filter(pk=OuterRef(OuterRef("pk")), for_adjudicator=False))
    people = staff_for(_OF_ENTRY).alias(position=position).filter(Q(anybodys) | ADJUDICATES, position=None)
    listed = Func("languages", function="to_jsonb", output_field=JSONField())
    return entries.annotate(takers=ArraySubquery(people.values(listed=listed), output_field=ArrayField(JSONField())))


def _is_nobodys(entry: Entry) -> bool:
    return not any(reads(known, entry.language) for known in entry.takers)
