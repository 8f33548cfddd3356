"""The ground that is measured on: databases with one tenant each, alike but for how much is in them.

``few`` is built first, through the product's own services; the others are copies of it, so that tokens and reviewers
are the same everywhere, and what is large in them is then written by plain ``INSERT … SELECT``.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from urllib.parse import urlsplit, urlunsplit

import psycopg
from django.db import connection, connections, models
from guardian.shortcuts import assign_perm

from cases.models import Case, Content, Draft, Membership, User
from cases.models.people import system_actor
from cases.services import lifecycle, people
from cases.services.people import role_group
from cases.vocabulary import Role
from queues.models import Claim, Entry, Passage, Queue, Reviewer
from queues.services import claims
from queues.services.setup import create_queue
from tests.servers import MIGRATED
from tests.worlds import SURE, World, make_world

FEW, PAST, WAITING = "few", "past", "waiting"
RARE = "legal"
DOMAINS = ("billing", "returns", "delivery", "account")


@dataclass
class Ground:
    """``reviewers`` hold nothing between two rounds; each has a token."""

    url: str  # of the first database
    world: World
    reviewers: list[User]
    specialist: User  # works one queue alone, whose cases are the least urgent hundredth
    tokens: dict[str, str]  # by username

    def url_of(self, name: str) -> str:
        return urlunsplit(urlsplit(self.url)._replace(path=f"/{name}"))

    @contextmanager
    def on(self, name: str) -> Iterator[None]:
        """Within the block Django's connections, of new threads too, lead to the database ``name``."""
        settings = connections.settings["default"]
        before = settings["NAME"]
        connection.close()
        settings["NAME"] = name
        try:
            yield
        finally:
            connection.close()
            settings["NAME"] = before


def build(url: str, *, reviewers: int) -> Ground:
    """``few``, a copy of the migrated database that the server begins with (``servers.copy_migrated``): with a tenant,
    its people, and one case of each kind to copy from. Django is led there."""
    _create(url, FEW, template=MIGRATED)
    connections.settings["default"]["NAME"] = FEW
    world = make_world("bench", requests_per_minute=1_000_000)
    world.submit(domain=DOMAINS[0])
    world.submit(domain=DOMAINS[0], signals=SURE)
    gone = world.submit(domain=DOMAINS[0])
    claims.claim(gone, world.colleague)
    lifecycle.withdraw(gone.pk, actor=world.service, reason="The customer found the answer")
    hired, specialist = _hire(world, reviewers), _specialist(world)
    tokens = {
        user.username: people.issue_token(user, actor=system_actor(), tenant=world.tenant)
        for user in (*hired, world.service)
    }
    return Ground(url, world, hired, specialist, tokens)


def copy(ground: Ground, name: str) -> None:
    """A copy of ``few`` under ``name``."""
    connection.close()
    _create(ground.url, name, template=FEW)


def _create(url: str, name: str, template: str) -> None:
    with psycopg.connect(url, autocommit=True) as server:
        server.execute(f'CREATE DATABASE "{name}" TEMPLATE "{template}"')


def _hire(world: World, count: int) -> list[User]:
    """So many reviewers at once: the services that do it one by one, with history, are not what is measured."""
    users = User.objects.bulk_create(User(username=f"r{number}@bench", password="!") for number in range(count))
    group = role_group(world.tenant, Role.REVIEWER)
    group.user_set.add(*users)
    Membership.objects.bulk_create(
        Membership(tenant=world.tenant, user=user, roles=[Role.REVIEWER.value]) for user in users
    )
    Reviewer.objects.bulk_create(Reviewer(tenant=world.tenant, user=user) for user in users)
    return users


def _specialist(world: World) -> User:
    """Who works a queue of their own and no other; reviewers work both."""
    rare = create_queue(
        world.tenant,
        actor=system_actor(),
        slug=RARE,
        name="Legal",
        domains=["legal"],
        sla_policy=world.queue.sla_policy,
    )
    specialist = world.person("lee", Role.COMPLIANCE, reviews=True)
    assign_perm("queues.work_queue", specialist, rare)
    return specialist


# --- filling ---------------------------------------------------------------------------------------------------------


def fill_waiting(count: int, *, first: int = 1) -> None:
    """``count`` cases that wait for a person, due over the next days, of all risks and domains; none is overdue. Every
    hundredth waits in the specialist's queue, behind all others."""
    template = Entry.objects.filter(claimed_by=None).earliest("id")
    rare = Queue.objects.get(slug=RARE).pk
    with _without_key_checks():
        _copy_cases(template.case, first, count)
        _copy(
            Entry,
            template.pk,
            first,
            count,
            id=_key(5),
            case_id=_key(4),
            priority="CASE mod(n, 100) WHEN 0 THEN 0 ELSE mod(n, 4) * 10 END",
            due_at="now() + interval '1 hour' + CASE mod(n, 100) WHEN 0 THEN 9973 ELSE mod(n, 9973) END "
            "* interval '1 minute'",
            entered_at="now() - mod(n, 9973) * interval '1 second'",
            clock=_key(6),
            clock_started_at="now() - mod(n, 9973) * interval '1 second'",
            next_step_at="now() + interval '1 hour'",
            queue_id=f"CASE mod(n, 100) WHEN 0 THEN '{rare}'::uuid ELSE t.queue_id END",
            excluded="'{}'",
        )
    _settle()


def fill_past(count: int, *, first: int) -> None:
    """``count`` cases that are over, each with the claim and the passage that a person's case leaves behind.

    Their texts are empty: no claim reads them, and writing them would take most of the time.
    """
    passage = Passage.objects.earliest("id")
    template = Case.objects.filter(state="auto_approved").earliest("id")
    with _without_key_checks():
        _copy_cases(template, first, count, body="'{}'", search_text="''")
        _copy(Passage, passage.pk, first, count, id=_key(5), case_id=_key(4), xid="DEFAULT")
        _copy(
            Claim,
            Claim.objects.earliest("generation").pk,
            first,
            count,
            generation="nextval('queues_generation')",
            case_id=_key(4),
        )
    _settle()


def _copy_cases(case: Case, first: int, count: int, **texts: str) -> None:
    draft = case.current_draft
    _copy(Content, case.content_id, first, count, id=_key(1), case_id=_key(4), **texts)
    _copy(Content, draft.content_id, first, count, id=_key(2), case_id=_key(4), **texts)
    _copy(Draft, draft.pk, first, count, id=_key(3), case_id=_key(4), content_id=_key(2))
    _copy(
        Case,
        case.pk,
        first,
        count,
        id=_key(4),
        content_id=_key(1),
        current_draft_id=_key(3),
        external_id="''",
        domain=f"(ARRAY{list(DOMAINS)!r})[1 + mod(n, {len(DOMAINS)})]",
    )


def _key(kind: int) -> str:
    """A UUIDv7 of long ago that counts up with ``n``; ``kind`` keeps the tables apart."""
    return f"('01700000-{kind:04x}-7000-8000-' || lpad(to_hex(n), 12, '0'))::uuid"


def _copy(model: type[models.Model], key: object, first: int, count: int, **replaced: str) -> None:
    """``count`` copies of the row ``key``, with the columns of ``replaced`` computed from ``n``."""
    columns = {
        field.column: replaced.get(field.column, f't."{field.column}"')
        for field in model._meta.concrete_fields
        if not field.generated and replaced.get(field.column) != "DEFAULT"
    }
    table, primary = model._meta.db_table, model._meta.pk.column
    names = ", ".join(f'"{name}"' for name in columns)
    with connection.cursor() as cursor:
        cursor.execute(
            f'INSERT INTO "{table}" ({names}) SELECT {", ".join(columns.values())} '
            f'FROM "{table}" t, generate_series(%s::bigint, %s::bigint) n WHERE t."{primary}" = %s',
            [first, first + count - 1, key],
        )


@contextmanager
def _without_key_checks() -> Iterator[None]:
    """Foreign keys of copies hold by construction, and checking each would take minutes. Other guards stay on: they are
    ``ENABLE ALWAYS``."""
    with connection.cursor() as cursor:
        cursor.execute("SET session_replication_role = replica")
        try:
            yield
        finally:
            cursor.execute("RESET session_replication_role")


def _settle() -> None:
    """As a server that has been running for a while: with statistics, with nothing left to write."""
    with connection.cursor() as cursor:
        for model in (Content, Draft):
            cursor.execute(f'ANALYZE "{model._meta.db_table}"')
        for model in (Case, Entry, Claim, Passage):
            cursor.execute(f'VACUUM (ANALYZE) "{model._meta.db_table}"')
        cursor.execute("CHECKPOINT")


def give_back() -> None:
    """End every claim, past the services: all entries wait again."""
    Claim.objects.filter(ended_at=None).update(ended_at=models.F("claimed_at"), end=Claim.End.RELEASED)
    Entry.objects.held().update(claimed_by=None, claimed_at=None, lease_expires_at=None)
