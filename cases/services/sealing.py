"""Sealing the audit trail: batches of committed rows become seals, one after another, in one chain.

**Nothing is skipped.** A row carries the id of its transaction. Once every transaction below ``pg_snapshot_xmin`` has
ended, no row can be added below it any more: a seal covers the ids from where the last one ended to there. What commits
late has a higher id, or holds that limit back until it has ended.

**One chain.** Sealers take turns under an advisory lock, and the digest that a seal names as the one before it is
unique. A sealer that is killed leaves nothing: its seals commit with their tables, in one transaction.

**Transaction ids begin anew** in a cluster that a dump is restored into. Then sealing stops with ``ClusterRestored``
until the counter was raised; docs/production.md says how.
"""

import secrets
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from time import monotonic

from django.conf import settings
from django.db import connection, transaction

from .. import audit_keys
from ..clock import db_now
from ..errors import IllegalState
from ..history import sealed_models
from ..models import Heartbeat, Seal, SealedTable, SealVerification
from ..seals import NOTHING, Header, TableSeal, contents, digest, keys_bytes, leaf, microseconds, root, skip_of
from . import heartbeats
from .seal_proofs import export_selection
from .seal_rows import Rows, dump, keep_shapes, shapes, spell

__all__ = ["ClusterRestored", "Sealed", "Standing", "export_selection", "seal_due", "standing", "unsealed"]

BATCH = 5_000  # rows of a seal, and whatever else the last transaction wrote
SEALS_AT_ONCE = 20  # of one transaction
LOCK = "hashtextextended('audit seals', 0)"
HEARTBEAT = "audit seals"
LATE = timedelta(minutes=15)
VERIFIED_EVERY = timedelta(hours=24)
COUNTED = 10_000

Progress = Callable[[int], None]  # called with how many rows were sealed since it was called last


class ClusterRestored(IllegalState):
    code = "cluster_restored"
    title = "The database was restored into a cluster whose transaction ids begin anew"


@dataclass(frozen=True)
class Sealed:
    """What one call did. ``is_busy``: another sealer is at work."""

    seals: int = 0
    rows: int = 0
    is_busy: bool = False


def seal_due(*, seconds: float = 40, wait: bool = False, progress: Progress = lambda rows: None) -> Sealed:
    """Seal all rows whose transactions are over, until there are none or ``seconds`` have passed.

    ``wait`` for another sealer, or else leave it to them. Raises ``audit_keys.KeyUnusable`` and ``ClusterRestored``.
    """
    key = audit_keys.signing_key()
    ends, seals, rows = monotonic() + seconds, 0, 0
    while True:
        some = _seal_some(key, ends, wait, progress)
        seals, rows = seals + some.seals, rows + some.rows
        if some.is_busy or some.seals < SEALS_AT_ONCE or monotonic() > ends:
            if not some.is_busy:
                heartbeats.beat(Heartbeat.Kind.SWEEP, HEARTBEAT, seals=seals, rows=rows)
            return Sealed(seals, rows, some.is_busy)


@transaction.atomic
def _seal_some(key, ends: float, wait: bool, progress: Progress) -> Sealed:
    if not _take_turn(wait):
        return Sealed(is_busy=True)
    last = Seal.objects.order_by("-number").first()
    begin, horizon = (last.upto_xid if last else 0), _horizon()
    if horizon < begin:
        raise ClusterRestored(
            "This cluster's transaction ids are lower than those that are sealed: nothing was sealed. "
            "Raise its counter as docs/production.md says under “Restoring a dump”."
        )
    keep_shapes()
    spell()
    sealed = rows_sealed = 0
    with Rows(shapes(), begin, horizon) as rows:
        while (at := rows.next_xid()) is not None and sealed < SEALS_AT_ONCE and monotonic() < ends:
            batch = _Batch()
            while at is not None and batch.rows < BATCH:
                batch.add(rows, at + 1)
                upto, at = at + 1, rows.next_xid()
            last = _store(batch, last, upto if at is not None else horizon, key)
            sealed, rows_sealed = sealed + 1, rows_sealed + batch.rows
            progress(batch.rows)
    return Sealed(sealed, rows_sealed)


def _take_turn(wait: bool) -> bool:
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT pg_{'' if wait else 'try_'}advisory_xact_lock({LOCK})")
        return cursor.fetchone()[0] is not False


def _horizon() -> int:
    """Every transaction with a lower id has ended."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_snapshot_xmin(pg_current_snapshot())::text")
        return int(cursor.fetchone()[0])


class _Batch:
    """The leaves and keys of each table, as they come in."""

    def __init__(self) -> None:
        self.rows = 0
        self.tables: dict[str, tuple[list[bytes], list[str]]] = {}

    def add(self, rows: Rows, upto: int) -> None:
        for row in rows.below(upto):
            leaves, keys = self.tables.setdefault(row.table, ([], []))
            leaves.append(leaf(dump(row, shapes()[row.table])))
            keys.append(row.key)
            self.rows += 1


def _store(batch: _Batch, last: Seal | None, upto: int, key) -> Seal:
    tables = {
        name: TableSeal(len(leaves), root(leaves).hex(), digest(keys_bytes(keys)).hex(), shapes()[name].digest)
        for name, (leaves, keys) in sorted(batch.tables.items())
    }
    said = contents(secrets.token_hex(16), tables)
    number, now = (last.number + 1 if last else 1), db_now()
    header = Header(
        number=number,
        previous=last.hex if last else NOTHING.hex(),
        skip=_digest_of(skip_of(number)).hex(),
        from_xid=last.upto_xid if last else 0,
        upto_xid=upto,
        root=root([bytes.fromhex(one.root) for one in tables.values()]).hex(),
        contents=digest(said).hex(),
        sealed_at=microseconds(now),
        key=audit_keys.key_id(key.public_key()),
    )
    data = header.dump()
    seal = Seal(
        number=number,
        header=data,
        digest=digest(data),
        previous=bytes.fromhex(header.previous),
        from_xid=header.from_xid,
        upto_xid=upto,
        rows=batch.rows,
        contents=said,
        key_id=header.key,
        signature=audit_keys.sign(key, data),
        sealed_at=now,
    )
    seal.save(force_insert=True)
    SealedTable.objects.bulk_create(
        SealedTable(seal=seal, table=name, digests=b"".join(leaves), keys=keys_bytes(keys))
        for name, (leaves, keys) in sorted(batch.tables.items())
    )
    return seal


def _digest_of(number: int) -> bytes:
    return bytes(Seal.objects.values_list("digest", flat=True).get(pk=number)) if number else NOTHING


# --- how it stands ---------------------------------------------------------------------------------------------------


def unsealed() -> int:
    """How many rows wait for a seal, up to ``COUNTED``; rows of transactions that still run are not seen."""
    last = Seal.objects.order_by("-number").values_list("upto_xid", flat=True).first() or 0
    tables = " UNION ALL ".join(
        f'(SELECT 1 FROM "{model._meta.db_table}" WHERE xid >= %(begin)s::xid8 LIMIT {COUNTED})'
        for model in sealed_models()
    )
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT count(*) FROM ({tables} LIMIT {COUNTED}) waiting", {"begin": str(last)})
        return cursor.fetchone()[0]


@dataclass(frozen=True)
class Standing:
    """How the seals stand, in words for the health page. ``problem`` is broken, ``caution`` should be looked at.

    ``last`` is the newest seal, ``verified`` the last reading of the whole chain that came to its end.
    """

    words: str
    problem: str = ""
    caution: str = ""
    last: Seal | None = None
    verified: SealVerification | None = None

    @property
    def seals(self) -> int:
        return self.last.number if self.last else 0


def standing(now: datetime) -> Standing:
    """In a fixed number of queries, whatever was sealed."""
    last = Seal.objects.order_by("-number").only("number", "sealed_at").first()
    newest = list(SealVerification.objects.order_by("-id")[:2])  # One is under way at most.
    verified = next((one for one in newest if one.ended_at), None)
    unfinished = next((one for one in newest if one.ended_at is None), None)
    said = Standing(_seals(last.number) if last else "none yet", last=last, verified=verified)
    if findings := (verified.findings if verified else []) or (unfinished.findings if unfinished else []):
        return replace(said, problem=f"The audit trail does not verify: {findings[0]}")
    if not audit_keys.is_set():  # A test, or a demo that was started by hand: nothing to be cautious about.
        caution = "" if settings.INSECURE_HTTP else "Nothing is sealed: AUDIT_SIGNING_KEY is not set."
        return replace(said, caution=caution)
    sealer = heartbeats.last(HEARTBEAT)
    if sealer and now - sealer.at > LATE:
        return replace(said, problem="The audit trail is not being sealed: is the beat or the worker down?")
    if last and (verified is None or now - verified.ended_at > 3 * VERIFIED_EVERY):
        since = verified.ended_at if verified else _first_sealed_at()
        if now - since > 3 * VERIFIED_EVERY:
            return replace(said, caution="Nobody has verified the audit trail for three days.")
    return said


def _seals(count: int) -> str:
    return f"{count:,} seal{'s' * (count != 1)}"


def _first_sealed_at() -> datetime:
    return Seal.objects.order_by("number").values_list("sealed_at", flat=True).first()
