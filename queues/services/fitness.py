"""What a reviewer may take: the queues that their rights, skills and shift open to them.

Asked at every claim, and so written as SQL: one statement where the ORM and guardian's shortcuts take five. The tests
hold it against guardian's own answer.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from django.db import connection
from django.db.models import QuerySet
from django.db.models.expressions import RawSQL

from cases import clock
from cases.models import Tenant, User

from ..models import Entry, Queue, Reviewer
from ..routing import primary
from . import shifts
from .sparing import is_spared

UNDETERMINED = "und"  # BCP 47: nobody said which language, so that anybody may try.

# A queue of the reviewer's tenant, on which they or a group of theirs hold ``work_queue``, and whose skill they have.
# Nobody is let in for being a superuser: a queue's cases are for those who were chosen for it.
_MAY_WORK = """
    queue.tenant_id = reviewer.tenant_id
    AND queue.id IN (
        SELECT own.content_object_id
        FROM queues_queueuserpermission own
        JOIN auth_permission permission ON permission.id = own.permission_id
        WHERE own.user_id = reviewer.user_id AND permission.codename = 'work_queue'
        UNION ALL
        SELECT shared.content_object_id
        FROM cases_user_groups member
        JOIN queues_queuegrouppermission shared ON shared.group_id = member.group_id
        JOIN auth_permission permission ON permission.id = shared.permission_id
        WHERE member.user_id = reviewer.user_id AND permission.codename = 'work_queue'
    )
    AND (queue.skill_id IS NULL OR EXISTS (
        SELECT FROM queues_reviewerskill skill
        WHERE skill.reviewer_id = reviewer.id AND skill.skill_id = queue.skill_id AND skill.level >= queue.skill_level
    ))
"""

_COLUMNS = Reviewer._meta.concrete_fields
_FIELDS = [field.attname for field in _COLUMNS]

# What is kept for them is asked from the moment at which it comes back; absence from its first to before its last.
_FITNESS = f"""
SELECT
    instant.at,
    membership.away_from <= instant.at AND (membership.away_until IS NULL OR instant.at < membership.away_until),
    (SELECT count(*) FROM queues_entry entry
     WHERE entry.kept_for_id = reviewer.user_id AND entry.tenant_id = reviewer.tenant_id
        AND entry.back_at <= instant.at),
    (SELECT count(*) FROM queues_entry entry
     WHERE entry.claimed_by_id = reviewer.user_id AND entry.tenant_id = reviewer.tenant_id),
    EXISTS (
        SELECT FROM queues_entry entry
        WHERE entry.tenant_id = reviewer.tenant_id AND (entry.kind = 'second' OR entry.spares_until IS NOT NULL)
            AND entry.claimed_by_id IS NULL AND entry.paused_at IS NULL AND entry.kept_for_id IS NULL
    ),
    adjudicator.is_one, open.ids, open.slugs, {", ".join(f"reviewer.{name}" for name in _FIELDS)}
FROM queues_reviewer reviewer
JOIN cases_tenant tenant ON tenant.id = reviewer.tenant_id
JOIN cases_membership membership
    ON membership.tenant_id = reviewer.tenant_id AND membership.user_id = reviewer.user_id
JOIN cases_user person ON person.id = reviewer.user_id
CROSS JOIN (SELECT coalesce(%(pretended)s::timestamptz, clock_timestamp()) AS at) instant
CROSS JOIN LATERAL (
    SELECT coalesce(array_agg(queue.id), '{{}}') AS ids, coalesce(array_agg(queue.slug), '{{}}') AS slugs
    FROM queues_queue queue
    WHERE {_MAY_WORK}
) open
CROSS JOIN LATERAL (
    SELECT EXISTS (
        SELECT FROM cases_tenantgrouppermission shared
        JOIN auth_permission permission ON permission.id = shared.permission_id
        JOIN cases_user_groups member ON member.group_id = shared.group_id
        WHERE shared.content_object_id = reviewer.tenant_id AND member.user_id = reviewer.user_id
            AND permission.codename = 'adjudicate_case'
        UNION ALL
        SELECT FROM cases_tenantuserpermission own
        JOIN auth_permission permission ON permission.id = own.permission_id
        WHERE own.content_object_id = reviewer.tenant_id AND own.user_id = reviewer.user_id
            AND permission.codename = 'adjudicate_case'
    ) AS is_one
) adjudicator
WHERE reviewer.user_id = %(user)s AND (%(tenant)s::uuid IS NULL OR reviewer.tenant_id = %(tenant)s)
    AND person.is_active AND tenant.is_active AND membership.is_active
ORDER BY tenant.slug
LIMIT 1
"""

_QUEUES = f"""
SELECT queue.id FROM queues_reviewer reviewer, queues_queue queue
WHERE reviewer.id = %s AND reviewer.user_id = %s AND {_MAY_WORK}
"""


@dataclass(frozen=True)
class Fitness:
    """One person in one tenant: the queues they may work, the languages they read (empty: any), how much they hold."""

    reviewer: Reviewer
    slugs: dict[UUID, str]  # of each queue that they may work, by its key
    languages: tuple[str, ...]  # primary subtags
    held: int  # entries under a claim of theirs in this tenant
    back: int = 0  # entries that they set aside or were given, and that are due back
    is_away: bool = False
    at: datetime | None = None  # the database's clock when this was asked
    is_spared: bool = False  # has had their share of second looks and further votes
    adjudicates: bool = False  # holds ``adjudicate_case``: is offered the cases on which reviewers disagree

    @property
    def queue_ids(self) -> list[UUID]:
        return list(self.slugs)

    @property
    def queues(self) -> QuerySet[Queue]:
        return Queue.objects.filter(pk__in=self.slugs)

    @property
    def is_on_shift(self) -> bool:
        """The flag, and the hours as they are at this very instant."""
        return self.reviewer.is_on_shift and shifts.is_in_hours(self.reviewer, self.at)

    @property
    def is_working(self) -> bool:
        """Whether cases are given to them now."""
        return self.is_on_shift and not self.is_away and not self.reviewer.is_paused

    @property
    def has_room(self) -> bool:
        return self.held < self.reviewer.capacity

    def fits(self, entry: Entry) -> bool:
        """Whether ``entry`` may be theirs, had nobody else: what the SQL of ``claims`` asks, for buttons and errors."""
        return self.works(entry) and self.reads(entry.language) and not self.spares(entry)

    def works(self, entry: Entry) -> bool:
        if entry.for_adjudicator and not self.adjudicates:
            return False
        return entry.queue_id in self.slugs and self.reviewer.user_id not in entry.excluded

    def spares(self, entry: Entry) -> bool:
        """Whether ``entry`` is a second look that is for somebody else, as they have had their share; one that they set
        aside or were given stays theirs. Of further votes they are only not offered any."""
        return self.is_spared and entry.kind == Entry.Kind.SECOND and entry.kept_for_id is None

    def reads(self, language: str) -> bool:
        return reads(self.languages, language)


def reads(languages: Iterable[str], language: str) -> bool:
    """Whether somebody with these languages (none: any) reads this BCP 47 one; anybody reads what nobody named."""
    known = {primary(code) for code in languages}
    return not known or primary(language) in {UNDETERMINED, *known}


def fitness_of(user: User, tenant: Tenant | None = None) -> Fitness | None:
    """``user`` as a reviewer, or None: no profile, no membership, not active, or not in this tenant.

    Without a tenant it is the first by slug of those that they review for. One query; ``reviewer`` comes without its
    tenant and its user loaded. While second looks or further votes wait, the cap on friction is asked as well.
    """
    with connection.cursor() as cursor:
        asked = {"user": user.pk, "tenant": tenant.pk if tenant else None, "pretended": clock.pretended()}
        cursor.execute(_FITNESS, asked)
        row = cursor.fetchone()
    if row is None:
        return None
    at, is_away, back, held, has_sparing, adjudicates, ids, slugs, *fields = row
    values = [
        column.from_db_value(value, None, connection) if hasattr(column, "from_db_value") else value
        for column, value in zip(_COLUMNS, fields, strict=True)
    ]
    reviewer = Reviewer.from_db(connection.alias, _FIELDS, values)
    languages = tuple(primary(code) for code in reviewer.languages)
    return Fitness(
        reviewer,
        dict(zip(ids, slugs, strict=True)),
        languages,
        held,
        back,
        bool(is_away),
        at,
        is_spared=has_sparing and is_spared(user, reviewer.tenant),
        adjudicates=adjudicates,
    )


def queues_of(user: User, reviewer: Reviewer) -> QuerySet[Queue]:
    """The queues that ``reviewer``, a profile of ``user``, may work by right and skill, shift or not."""
    return Queue.objects.filter(pk__in=RawSQL(_QUEUES, (reviewer.pk, user.pk))).order_by("position", "slug")
