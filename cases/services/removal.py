"""Removing audit rows whose retention period is over, so that the seals over them still verify.

Digests, keys and counts stay in the seals; the rows go, and an ``AuditRemoval`` says which, signed with the key that
signs seals (``cases.removals``). It takes both the tables' owner, since nobody else can put a guard aside, and that
key: the application, as production runs it, has no way to do it. Of each history the version that stood when the period
began stays, with all that came after; legal holds win.

What is removed (``KINDS``): views of data, refused attempts, sign-ins, past versions of what has a history. Events,
drafts, reviews, votes and results stay as long as their case: they hold no texts, and every number counts them.
"""

from bisect import bisect_right
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import cache
from itertools import groupby
from typing import Any
from uuid import UUID

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from django.db import connection, models, transaction

from .. import audit_keys
from ..clock import db_now
from ..errors import CountersignError
from ..history import current_request, sealed_models
from ..models import AccessEvent, AuditRemoval, Case, DataView, Denial, RetentionRule, Seal, SealedTable, Tenant, User
from ..removals import SIGNED, Note, spell_places
from ..seals import digest, keys_bytes, microseconds
from . import database_roles, holds
from .removal_checks import LOCK
from .seal_proofs import tenant_path
from .switch import ReasonMissing

BATCH = 2_000  # rows in one transaction, for which nobody can add to their table
PATIENCE = "5s"  # for that lock: others wait behind whoever waits for it

Progress = Callable[[int], object]


class RemovalRefused(CountersignError):
    code = "removal_refused"
    title = "Old audit rows cannot be removed here"


@dataclass(frozen=True)
class Kind:
    """A table that rows may go from, ``t`` in SQL; its keys are numbers.

    ``is_old``: what makes a row of %(tenant)s go, whose instant is below %(until)s. ``case``: the key of the case that
    a hold may stand on.
    """

    model: type[models.Model]
    is_old: str
    case: str = "NULL::uuid"

    @property
    def table(self) -> str:
        return self.model._meta.db_table

    @property
    def key(self) -> str:
        return self.model._meta.pk.column


WRITTEN = (
    Kind(DataView, "t.tenant_id = %(tenant)s AND t.at < %(until)s", case="t.case_id"),
    Kind(
        Denial,
        "t.tenant_id = %(tenant)s AND t.at < %(until)s",
        case="CASE WHEN t.subject LIKE 'cases.case:%%' THEN substring(t.subject FROM 12)::uuid END",
    ),
    # A person has one door: what happened at it goes when it is too old for every tenant that they belong to.
    Kind(
        AccessEvent,
        """t.at < %(until)s
            AND EXISTS (SELECT FROM cases_membership m WHERE m.user_id = t.user_id AND m.tenant_id = %(tenant)s)
            AND NOT EXISTS (
                SELECT FROM cases_membership m LEFT JOIN cases_retentionrule r ON r.tenant_id = m.tenant_id
                WHERE m.user_id = t.user_id
                    AND (coalesce(r.audit_days, 0) = 0 OR t.at >= %(now)s - make_interval(days => r.audit_days)))""",
    ),
)


@cache
def kinds() -> tuple[Kind, ...]:
    """Every table that rows may go from."""
    histories = [model for model in sealed_models() if hasattr(model, "instance_type")]
    return (*WRITTEN, *(_of_history(model) for model in histories if tenant_path(model)))


def _of_history(model: type[models.Model]) -> Kind:
    """Versions that had been replaced before the period began: the one that stood then and all after it stay."""
    table, key = model._meta.db_table, model.instance_type._meta.pk.column
    replaced = f"""EXISTS (SELECT FROM "{table}" later WHERE later."{key}" = t."{key}"
        AND later.history_id > t.history_id AND later.history_date < %(until)s)"""
    names = {field.column for field in model._meta.local_concrete_fields}
    case = f't."{key}"' if model.instance_type is Case else "t.case_id" if "case_id" in names else "NULL::uuid"
    return Kind(model, f"t.history_date < %(until)s AND {_of_tenant(model)} AND {replaced}", case)


def _of_tenant(model: type[models.Model]) -> str:
    """The condition that a version is of the tenant, along the foreign keys of ``seal_proofs.tenant_path``."""
    *ways, last = tenant_path(model).split("__")
    at, sql, ends = model, "t", ""
    condition = ""
    for number, name in enumerate(ways):
        column = at._meta.get_field(name)
        at = column.related_model
        condition += (
            f'EXISTS (SELECT FROM "{at._meta.db_table}" up{number} '
            f'WHERE up{number}."{at._meta.pk.column}" = {sql}."{column.column}" AND '
        )
        sql, ends = f"up{number}", ends + ")"
    return f'{condition}{sql}."{at._meta.get_field(last.removesuffix("_id")).column}" = %(tenant)s{ends}'


# --- what is due ------------------------------------------------------------------------------------------------------


def rules() -> models.QuerySet[RetentionRule]:
    """Those that say a period for audit rows, one for a tenant."""
    return RetentionRule.objects.exclude(audit_days=0).select_related("tenant").order_by("tenant__slug")


def count(rule: RetentionRule) -> dict[str, int]:
    """How many rows of each table are old enough now; holds, and rows that were sealed late, are not taken off."""
    found = {}
    with connection.cursor() as cursor:
        for kind in kinds():
            cursor.execute(f'SELECT count(*) FROM "{kind.table}" t WHERE {kind.is_old}', _bounds(rule, db_now()))
            if rows := cursor.fetchone()[0]:
                found[kind.table] = rows
    return found


def _bounds(rule: RetentionRule, now: datetime) -> dict[str, Any]:
    return {"tenant": rule.tenant_id, "until": now - timedelta(days=rule.audit_days), "now": now}


# --- removing ---------------------------------------------------------------------------------------------------------


def run(rule: RetentionRule, *, actor: User, reason: str, progress: Progress = lambda rows: None) -> int:
    """Remove what is too old; returns how many rows. Each batch is a transaction; safe to kill, and to run again.

    Raises ``RemovalRefused`` for a role that does not own the tables, ``ReasonMissing`` and ``audit_keys.KeyUnusable``.
    """
    if not reason.strip():
        raise ReasonMissing("Say on what ground the rows are removed. Nothing was removed.")
    if not database_roles.owns_the_audit_tables():
        raise RemovalRefused("Run this as the owner of the tables: the application's role cannot. Nothing was removed.")
    key = audit_keys.signing_key()
    return sum(_run_kind(rule, kind, key, actor, reason.strip()[:200], progress) for kind in kinds())


def _run_kind(
    rule: RetentionRule, kind: Kind, key: Ed25519PrivateKey, actor: User, reason: str, progress: Progress
) -> int:
    total, after = 0, (0, 0)
    while True:
        with transaction.atomic():
            _take_turn()
            holds.fence(rule.tenant)
            rows = _old_rows(rule, kind, after)
            removed = _Batch(rule, kind, key, actor, reason).remove(rows)
        total += removed
        progress(removed)
        if len(rows) < BATCH:
            return total
        after = rows[-1].xid, rows[-1].key


def _take_turn() -> None:
    """After those who verify, and before they read on; see ``removal_checks.keep_still``."""
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT pg_advisory_xact_lock({LOCK})")


@dataclass(frozen=True)
class _Old:
    xid: int
    key: int
    case: UUID | None


def _old_rows(rule: RetentionRule, kind: Kind, after: tuple[int, int]) -> list[_Old]:
    """The next rows that are old enough, in the order in which they were sealed."""
    with connection.cursor() as cursor:
        cursor.execute(
            f"""SELECT t.xid::text, t."{kind.key}", {kind.case} FROM "{kind.table}" t
                WHERE {kind.is_old} AND (t.xid, t."{kind.key}") > (%(xid)s::xid8, %(key)s)
                ORDER BY t.xid, t."{kind.key}" LIMIT {BATCH}""",
            _bounds(rule, db_now()) | {"xid": str(after[0]), "key": after[1]},
        )
        return [_Old(int(xid), key, case) for xid, key, case in cursor.fetchall()]


@dataclass(frozen=True)
class _Batch:
    rule: RetentionRule
    kind: Kind
    key: Ed25519PrivateKey
    actor: User
    reason: str

    def remove(self, rows: Sequence[_Old]) -> int:
        """Sign for those of ``rows`` that may go, and delete them, in the caller's transaction."""
        held = set(holds.held_among([row.case for row in rows if row.case]))
        free = [row for row in rows if row.case not in held]
        now, going = db_now(), []
        for seal, ones in self._by_seal(free, now):
            going += self._note(seal, {str(row.key) for row in ones}, now)
        if going:
            self._delete(going)
        return len(going)

    def _by_seal(self, rows: Sequence[_Old], now: datetime) -> Iterator[tuple[Seal, list[_Old]]]:
        """The rows by the seal that they stand in, of seals that are old enough themselves."""
        if not rows:
            return
        until = now - timedelta(days=self.rule.audit_days)
        seals = Seal.objects.filter(upto_xid__gt=rows[0].xid, from_xid__lte=rows[-1].xid, sealed_at__lt=until)
        old = list(seals.order_by("upto_xid").only("number", "header", "from_xid", "upto_xid"))
        ends = [seal.upto_xid for seal in old]
        for place, ones in groupby(rows, lambda row: bisect_right(ends, row.xid)):
            if place < len(old):
                yield old[place], [row for row in ones if row.xid >= old[place].from_xid]

    def _note(self, seal: Seal, keys: set[str], now: datetime) -> list[str]:
        """Keep which rows of ``seal`` go; returns their keys, those that the seal does not hold left out."""
        kept = SealedTable.objects.filter(seal=seal, table=self.kind.table).first()
        sealed = bytes(kept.keys).decode().split("\n") if kept else []
        places = [place for place, key in enumerate(sealed) if key in keys]
        if not places:
            return []
        going = [sealed[place] for place in places]
        note = Note(
            seal=seal.number,
            sha256=digest(seal.header).hex(),
            table=self.kind.table,
            places=spell_places(places),
            rows=len(going),
            keys=digest(keys_bytes(going)).hex(),
            tenant=self.rule.tenant.slug,
            days=self.rule.audit_days,
            at=microseconds(now),
            key=audit_keys.key_id(self.key.public_key()),
        )
        AuditRemoval.objects.create(
            tenant=self.rule.tenant,
            seal=seal,
            table=note.table,
            rows=note.rows,
            period_days=note.days,
            reason=self.reason,
            by=self.actor,
            at=now,
            request_id=current_request(),
            document=note.dump(),
            key_id=note.key,
            signature=audit_keys.sign(self.key, note.dump(), begin=SIGNED),
        )
        return going

    def _delete(self, keys: Sequence[str]) -> None:
        """Past the guard, which only the owner can put aside: it is back before anybody else sees the table."""
        table = self.kind.table
        with connection.cursor() as cursor:
            cursor.execute(f"SET LOCAL lock_timeout = '{PATIENCE}'")
            cursor.execute(f'ALTER TABLE "{table}" DISABLE TRIGGER append_only')
            cursor.execute(f'DELETE FROM "{table}" WHERE "{self.kind.key}" = ANY(%s::bigint[])', [list(keys)])
            if cursor.rowcount != len(keys):
                raise RemovalRefused("Rows went meanwhile: somebody else removes them too. Run this again.")
            cursor.execute(f'ALTER TABLE "{table}" ENABLE ALWAYS TRIGGER append_only')


def last_of(tenants: models.QuerySet[Tenant]) -> Mapping[str, Any] | None:
    """When rows of ``tenants`` went last, and how many have gone; None: never."""
    found = AuditRemoval.objects.filter(tenant__in=tenants).aggregate(at=models.Max("at"), rows=models.Sum("rows"))
    return found if found["at"] else None
