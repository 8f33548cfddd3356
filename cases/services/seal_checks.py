"""Verifying the seals: the chain, the signatures, and every sealed row as it stands in its table now.

What the seals alone show: a row that was changed, taken away, added or moved after its seal, and a seal that was
changed. What only a **published head** shows, since the database then holds nothing that contradicts itself: an old
backup in place of the database, the newest seals taken away together with their rows, and a chain made anew by
somebody who holds the signing key. Rows that went when their period was over are missing lawfully where a signed note
says so (``removal_checks``). What nothing here shows: a change before the row was sealed, and whether what was
written was true when it was written.
"""

import json
from collections.abc import Callable, Iterator, Mapping, Sequence, Set
from dataclasses import dataclass, field
from itertools import islice
from time import monotonic
from typing import Any

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from django.db import connection, transaction

from .. import audit_keys
from ..errors import CountersignError
from ..models import Seal, SealedTable, SealShape
from ..seals import (
    NOTHING,
    Header,
    TableSeal,
    digest,
    leaf,
    read_contents,
    root,
    skip_of,
    split_digests,
)
from .removal_checks import Removals, Removed, keep_still
from .seal_rows import Row, Rows, Shape, columns_in_place, key_columns, row_bytes, shapes, spell

SEALS_READ = 100  # at once
MOST_FINDINGS = 20
NAMED = 5  # rows of one table in one seal

Progress = Callable[[int], None]  # called with how many rows were read since it was called last


class HeadUnreadable(CountersignError):
    code = "head_unreadable"
    title = "This is no published head"


@dataclass(frozen=True)
class Head:
    """A head as it was published: its header's bytes and their signature."""

    header: bytes
    signature: bytes

    @classmethod
    def load(cls, text: str) -> "Head":
        """Raises ``HeadUnreadable``."""
        try:
            said = json.loads(text)
            head = cls(said["header"].encode(), bytes.fromhex(said["signature"]))
            Header.load(head.header)
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            raise HeadUnreadable("The file holds no head as Countersign publishes them.") from error
        return head


@dataclass(frozen=True)
class Finding:
    """One thing that is broken; ``seal`` is 0 where it belongs to none."""

    words: str
    seal: int = 0
    table: str = ""
    key: str = ""

    def __str__(self) -> str:
        return f"seal {self.seal}: {self.words}" if self.seal else self.words


@dataclass
class Report:
    """What was read and what was found. ``next_number`` is where to go on; None when the end was reached."""

    seals: int = 0
    rows: int = 0
    head: int = 0
    next_number: int | None = None
    findings: list[Finding] = field(default_factory=list)
    removed: Removed = field(default_factory=Removed)

    @property
    def is_sound(self) -> bool:
        return not self.findings

    def add(self, finding: Finding) -> None:
        if len(self.findings) < MOST_FINDINGS:
            self.findings.append(finding)

    @property
    def is_full(self) -> bool:
        return len(self.findings) >= MOST_FINDINGS


def verify(
    *,
    first: int = 1,
    heads: Sequence[Head] = (),
    trusted: Mapping[str, Ed25519PublicKey] | None = None,
    seconds: float | None = None,
    progress: Progress = lambda rows: None,
) -> Report:
    """Read the chain from seal ``first`` to its end, or until ``seconds`` have passed or ``MOST_FINDINGS`` were found.

    Memory holds one seal's keys and digests and a few hundred rows of each table, however long the chain is.
    Raises ``audit_keys.KeyUnusable``.
    """
    trusted = audit_keys.trusted_keys() if trusted is None else trusted
    ends = None if seconds is None else monotonic() + seconds
    with transaction.atomic():
        keep_still()
        spell()
        report = _Chain(first, trusted, ends, progress).read()
        for head in heads:
            for words in _against(head, trusted):
                report.add(Finding(words))
        if report.next_number is None and not report.is_full:
            for finding in _beside_the_chain():
                report.add(finding)
    return report


class _Chain:
    def __init__(self, first: int, trusted, ends: float | None, progress: Progress) -> None:
        self.first, self.trusted, self.ends, self.progress = first, trusted, ends, progress
        self.report = Report()
        self.shapes = {one.digest: Shape(one.table, tuple(one.columns)) for one in SealShape.objects.all()}
        self.readable = self._readable()
        self.removals = Removals(trusted)
        self.report.removed = self.removals.removed
        self.known = {0: NOTHING}  # digests of the seals that a later one may still name, by number

    def _readable(self) -> dict[str, Shape]:
        """Per table, every column that any seal speaks of and that is still there; so each row is read once."""
        in_place, known_keys = columns_in_place(), key_columns()
        wanted: dict[str, set[str]] = {}
        for shape in (*self.shapes.values(), *shapes().values()):
            if shape.table in in_place and shape.table in known_keys:
                there = [column for column in shape.columns if column.split(" ")[0] in in_place[shape.table]]
                wanted.setdefault(shape.table, set()).update(there)
        return {table: Shape(table, tuple(sorted(columns))) for table, columns in wanted.items()}

    def read(self) -> Report:
        report = self.report
        last = Seal.objects.order_by("-number").first()
        if last is None:
            return report
        report.head = last.number
        before = Seal.objects.filter(number=self.first - 1).first()
        if before:
            prefixes = Seal.objects.filter(number__in=list(_prefixes(self.first - 1)))
            self.known |= {one.number: bytes(one.digest) for one in prefixes}
        expected, begin = self.first, before.upto_xid if before else 0
        with Rows(self.readable, begin, last.upto_xid) as rows:
            for seal, tables in self._seals(last.number):
                if seal.number != expected:
                    missing = f"{expected:,}" if seal.number == expected + 1 else f"{expected:,} to {seal.number - 1:,}"
                    report.add(Finding(f"seal {missing} is missing from the chain.", expected))
                    self.known[seal.number - 1] = bytes(seal.previous)  # Go on from what it says itself.
                    begin = seal.from_xid
                    for _ in rows.below(begin):
                        pass
                found = _Reading(self, seal, tables, begin).findings(rows)
                for finding in found:
                    report.add(finding)
                report.seals, report.rows = report.seals + 1, report.rows + seal.rows
                self.progress(seal.rows)
                expected, begin = seal.number + 1, seal.upto_xid
                self._remember(seal)
                if report.is_full or (self.ends and monotonic() > self.ends and seal.number < last.number):
                    report.next_number = expected
                    break
        return report

    def _seals(self, last: int) -> Iterator[tuple[Seal, list[SealedTable]]]:
        at = self.first
        while some := list(Seal.objects.filter(number__gte=at, number__lte=last).order_by("number")[:SEALS_READ]):
            self.removals.read(some)
            for seal in some:
                yield seal, list(SealedTable.objects.filter(seal=seal).order_by("table"))
            at = some[-1].number + 1

    def _remember(self, seal: Seal) -> None:
        self.known[seal.number] = digest(seal.header)
        needed = set(_prefixes(seal.number + 1)) | set(_prefixes(seal.number))
        self.known = {number: one for number, one in self.known.items() if number in needed}


def _prefixes(number: int) -> Iterator[int]:
    """Whatever a later seal may name of those up to ``number``: its binary prefixes, with itself and nothing."""
    while number:
        yield number
        number = skip_of(number)
    yield 0


@dataclass
class _Reading:
    """One seal against what stands in the tables now."""

    chain: _Chain
    seal: Seal
    tables: list[SealedTable]
    begin: int

    def findings(self, rows: Rows) -> list[Finding]:
        found = [Finding(words, self.seal.pk) for words in self._of_the_header()]
        found += self._of_the_rows(rows)
        return found

    # --- the header ----------------------------------------------------------------------------------------------

    def _of_the_header(self) -> Iterator[str]:
        seal, known = self.seal, self.chain.known
        try:
            header = Header.load(bytes(seal.header))
        except ValueError:
            yield "its header is not readable: the seal was changed."
            return
        if digest(seal.header) != bytes(seal.digest):
            yield "its header does not have the digest that is stored with it: the seal was changed."
        if (public := self.chain.trusted.get(header.key)) is None:
            yield f"it is signed with the key {header.key}, which is not among the trusted ones."
        elif not audit_keys.is_signed(public, seal.header, seal.signature):
            yield "its signature is false: the seal was changed or made by somebody else."
        if header.number != seal.number or header.from_xid != self.begin:
            yield "it does not go on where the seal before it ended."
        for word, number, named in (
            ("before it", seal.number - 1, header.previous),
            ("further back", skip_of(seal.number), header.skip),
        ):
            if number in known and known[number].hex() != named:
                yield f"it names another seal {number:,} than the one {word}: the chain is broken."
        columns = (header.upto_xid, header.contents, header.previous, header.key)
        if columns != (seal.upto_xid, digest(seal.contents).hex(), bytes(seal.previous).hex(), seal.key_id):
            yield "its columns say something else than its header: the seal was changed."

    # --- the rows ------------------------------------------------------------------------------------------------

    def _of_the_rows(self, rows: Rows) -> Iterator[Finding]:
        number = self.seal.number
        try:
            said = read_contents(bytes(self.seal.contents))
        except (ValueError, KeyError, TypeError):
            said = {}
            yield Finding("its contents are not readable: the seal was changed.", number)
        used = {table: self.chain.shapes.get(one.shape) for table, one in said.items()}
        leaves: dict[str, dict[str, bytes]] = {}
        for row in rows.below(self.seal.upto_xid):
            shape = used.get(row.table) or shapes()[row.table]
            leaves.setdefault(row.table, {})[row.key] = leaf(self._bytes(row, shape))
        kept = {table.table: table for table in self.tables}
        removed, wrong = self.chain.removals.of(self.seal, self.tables, self._sealed_at())
        yield from (Finding(words, number) for words in wrong)
        if said and root([bytes.fromhex(said[name].root) for name in sorted(said)]).hex() != self._root():
            yield Finding("its contents do not lead to its root: the seal was changed.", number)
        for table in sorted(said.keys() | leaves.keys() | kept.keys()):
            shape, digests, now = used.get(table), kept.get(table), leaves.get(table, {})
            yield from self._of_one_table(table, said.get(table), shape, digests, now, removed.get(table, set()))

    def _root(self) -> str:
        try:
            return Header.load(bytes(self.seal.header)).root
        except ValueError:
            return ""

    def _sealed_at(self) -> int:
        """As it was signed; for what cannot be read an instant that is never long enough ago."""
        try:
            return Header.load(bytes(self.seal.header)).sealed_at
        except ValueError:
            return self.chain.removals.now

    def _bytes(self, row: Row, shape: Shape) -> bytes:
        there = dict(zip(self.chain.readable[row.table].columns, row.values, strict=True))
        return row_bytes(
            row.table, {name: there.get(f"{name} {kind}") for name, kind in (one.split(" ") for one in shape.columns)}
        )

    def _of_one_table(
        self,
        table: str,
        said: TableSeal | None,
        shape: Shape | None,
        kept: SealedTable | None,
        now: Mapping[str, bytes],
        removed: Set[str],
    ) -> Iterator[Finding]:
        number = self.seal.number
        if said is None:
            yield from self._named(table, {key: "was added after this seal was made" for key in now})
            if kept is not None:
                yield Finding(f"digests of {table} were added to it: the seal was changed.", number, table)
            return
        if shape is None or shape.digest != said.shape or shape.table != table:
            yield Finding(f"the list of the columns of {table} was changed.", number, table)
            return
        gone = set(shape.columns) - set(self.chain.readable.get(table, Shape(table, ())).columns)
        if gone:
            names = ", ".join(sorted(column.split(" ")[0] for column in gone))
            yield Finding(f"{table} has lost what was sealed: {names}.", number, table)
            return
        if kept is None:
            yield Finding(f"the digests of {table} are gone: the seal was changed.", number, table)
            was: dict[str, bytes] = {}
            intact = False
        else:
            keys, digests = bytes(kept.keys).decode(errors="replace").split("\n"), split_digests(kept.digests)
            intact = (
                len(keys) == len(digests) == said.rows
                and root(digests).hex() == said.root
                and digest(kept.keys).hex() == said.keys
            )
            was = dict(zip(keys, digests, strict=False))
            if not intact:
                yield Finding(f"the digests of {table} were changed.", number, table)
        if now and not removed and root(list(now.values())).hex() == said.root:
            return  # What counts is signed: these are the rows that were sealed.
        if not intact:
            yield Finding(
                f"the rows of {table} are not those that were sealed; which, nothing tells any more.", number, table
            )
            return
        wrong = {key: "was changed" for key in was if key in now and now[key] != was[key]}
        wrong |= {key: "is gone" for key in was if key not in now and key not in removed}
        wrong |= {key: "was removed lawfully and is here again" for key in now if key in removed}
        wrong |= {key: "was added after this seal was made" for key in now if key not in was}
        if not wrong and removed and list(now) == [key for key in was if key not in removed]:
            return
        yield from self._named(table, wrong or {next(iter(now)): "stands in another order than it was sealed in"})

    def _named(self, table: str, wrong: Mapping[str, str]) -> Iterator[Finding]:
        for key, what in islice(wrong.items(), NAMED):
            yield Finding(f"row {key} of {table} {what}.", self.seal.number, table, key)
        if len(wrong) > NAMED:
            yield Finding(f"and {len(wrong) - NAMED:,} more rows of {table}.", self.seal.number, table)


# --- beside the chain ------------------------------------------------------------------------------------------------


def _against(head: Head, trusted: Mapping[str, Ed25519PublicKey]) -> Iterator[str]:
    """What a published head proves against the database."""
    header = Header.load(head.header)
    public = trusted.get(header.key)
    if public is None or not audit_keys.is_signed(public, head.header, head.signature):
        yield f"The published head {header.number:,} is not signed by a trusted key: it proves nothing."
        return
    here = Seal.objects.filter(number=header.number).first()
    if here is None:
        last = Seal.objects.order_by("-number").values_list("number", flat=True).first() or 0
        yield (
            f"Seal {header.number:,} was published and is not here; the chain ends with {last:,}: its newest part was "
            "taken away, or an old backup stands in its place."
        )
    elif digest(here.header) != digest(head.header):
        yield f"Seal {header.number:,} is another one than the published one: the chain was made anew."


def _beside_the_chain() -> Iterator[Finding]:
    """Rows that claim a transaction that never was, and guards that are off."""
    in_place = columns_in_place()
    for table in sorted(key_columns().keys() - in_place.keys()):
        yield Finding(f"The table {table} is gone.", 0, table)
    mine = "coalesce(pg_current_xact_id_if_assigned()::text, '0')::xid8"
    asked = " UNION ALL ".join(
        f"""(SELECT '{table}', "{key}"::text FROM "{table}"
             WHERE xid >= pg_snapshot_xmax(pg_current_snapshot()) AND xid <> {mine} ORDER BY xid LIMIT 1)"""
        for table, key in key_columns().items()
        if table in in_place
    )
    with connection.cursor() as cursor:
        cursor.execute(asked)
        for table, key in cursor.fetchall():
            words = f"Row {key} of {table} claims a transaction that has not been yet: it would never be sealed."
            yield Finding(words, 0, table, key)
        cursor.execute(
            """SELECT name FROM unnest(%s::text[]) name WHERE NOT EXISTS (
                   SELECT FROM pg_trigger WHERE tgrelid = to_regclass(quote_ident(name)) AND tgname = 'append_only'
                     AND tgenabled = 'A' AND NOT tgisinternal) ORDER BY name""",
            [[*in_place, "cases_seal", "cases_sealedtable", "cases_sealshape"]],
        )
        for (table,) in cursor.fetchall():
            yield Finding(f"The guard of {table} is off or gone: it is no longer append-only.", 0, table)


def sealed_rows() -> int:
    """How many rows the seals speak of."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT coalesce(sum(rows), 0) FROM cases_seal")
        return int(cursor.fetchone()[0])


def head_document(seal: Seal) -> dict[str, Any]:
    """What is published of a head: ``Head.load`` reads it, and ``cases/verify_selection.py``."""
    return {
        "seal": seal.number,
        "digest": seal.hex,
        "header": bytes(seal.header).decode(),
        "signature": bytes(seal.signature).hex(),
        "key": seal.key_id,
    }
