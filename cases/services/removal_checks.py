"""What a verification makes of removed rows: lawful where a signed note says so and the period was over, and else gone.

A note is believed if a trusted key has signed it, if it speaks of this very seal, and if the seal was as old as the
period says when the rows went; no period is shorter than ``SHORTEST_AUDIT``. So nobody without the key can dress a
deletion up as a removal, and nobody with it a deletion of what is young. Which periods a tenant decided on, no
signature tells: the report names them, to be held against the decision.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from django.db import connection

from .. import audit_keys
from ..clock import db_now
from ..models import AuditRemoval, Seal, SealedTable
from ..models.erasure import SHORTEST_AUDIT
from ..removals import SIGNED, Note, at_places
from ..seals import digest, keys_bytes, microseconds

LOCK = "hashtextextended('audit removals', 0)"


def keep_still() -> None:
    """Until this transaction ends nobody removes: rows and notes are read by different statements, one after another,
    and have to agree. Many may read at once; who removes waits for them, and they for its batch."""
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT pg_advisory_xact_lock_shared({LOCK})")


@dataclass
class Removed:
    """What went lawfully from the seals that were read: rows by tenant, period in days and day."""

    rows: Counter[tuple[str, int, str]] = field(default_factory=Counter)

    def add(self, note: Note, at: datetime) -> None:
        self.rows[note.tenant, note.days, f"{at:%Y-%m-%d}"] += note.rows

    @property
    def total(self) -> int:
        return self.rows.total()

    def words(self) -> list[str]:
        return [
            f"{rows:,} rows of {tenant} were removed lawfully on {day}, kept for {days:,} days before."
            for (tenant, days, day), rows in sorted(self.rows.items(), key=lambda one: (one[0][2], one[0]))
        ]


class Removals:
    """The notes of the seals that are being read, a slice at a time. Where there are none, nothing is asked."""

    def __init__(self, trusted: Mapping[str, Ed25519PublicKey]) -> None:
        self.trusted, self.now = trusted, microseconds(db_now())
        self.any = AuditRemoval.objects.exists()
        self.removed = Removed()
        self._notes: dict[int, list[AuditRemoval]] = {}

    def read(self, seals: Sequence[Seal]) -> None:
        self._notes = {}
        if self.any:
            for row in AuditRemoval.objects.filter(seal__in=seals).select_related("tenant").order_by("id"):
                self._notes.setdefault(row.seal_id, []).append(row)

    def of(self, seal: Seal, tables: Sequence[SealedTable], sealed_at: int) -> tuple[dict[str, set[str]], list[str]]:
        """The keys that may be missing from each table, and what is wrong with the notes, in words."""
        kept = {table.table: table for table in tables}
        gone: dict[str, set[str]] = {}
        wrong = []
        for row in self._notes.get(seal.number, ()):
            try:
                note = self._believed(row, seal, sealed_at)
                table = kept.get(note.table)
                keys = at_places(bytes(table.keys).decode().split("\n"), note.places) if table else []
                if len(keys) != note.rows or digest(keys_bytes(keys)).hex() != note.keys:
                    raise ValueError("it names other rows than this seal holds")
            except ValueError as error:
                wrong.append(f"a note of removed rows ({row.pk}) proves nothing: {error}.")
                continue
            gone.setdefault(note.table, set()).update(keys)
            self.removed.add(note, row.at)
        return gone, wrong

    def _believed(self, row: AuditRemoval, seal: Seal, sealed_at: int) -> Note:
        note = Note.load(bytes(row.document))
        public = self.trusted.get(note.key)
        if public is None or not audit_keys.is_signed(public, row.document, row.signature, begin=SIGNED):
            raise ValueError("no trusted key has signed it")
        if (note.seal, note.sha256) != (seal.number, digest(seal.header).hex()):
            raise ValueError("it speaks of another seal")
        said = (note.table, note.rows, note.days, note.at, note.key, note.tenant)
        if said != (row.table, row.rows, row.period_days, microseconds(row.at), row.key_id, row.tenant.slug):
            raise ValueError("its columns say something else than what was signed")
        if note.days < SHORTEST_AUDIT or note.at > self.now or sealed_at > note.until:
            raise ValueError("the rows were too young to go")
        return note
