"""A selection of audit rows with the proof that each stands in a signed seal: a zip that anybody can check without the
database, by ``cases/verify_selection.py``, which goes along in it.

It holds the tenant's own rows. Of everything else there are digests alone, and headers, which tell no volumes.
"""

import io
import json
import zipfile
from collections.abc import Iterable, Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any
from uuid import UUID

from django.db import connection, models, transaction
from django.db.models import Q

from .. import audit_keys, verify_selection
from ..clock import db_now
from ..errors import CountersignError, NotFound
from ..event_bodies import rfc3339
from ..history import sealed_models
from ..models import AccessEvent, CaseEvent, HeadReceipt, Seal, SealedTable, SealShape, Tenant, User
from ..permissions import require
from ..seals import leaf, path, read_contents, row_bytes, split_digests, way
from .events import record_for
from .seal_rows import AS_TEXT, Shape, shapes, spell

MOST_ROWS = 5_000
HEADS = 50  # published ones that an export leads over
FORMAT = "countersign-selection-1"
READ_ME = """\
An export of audit rows from Countersign, each with the proof that it stands in a signed seal.

selection.json  whose rows, when, why, and the newest seal when this was made
rows.jsonl      one row a line: its bytes, its seal, its place in it and what stands beside it on the way to the root
seals.jsonl     the signed headers that lead from the newest seal to those of the rows
keys.txt        the public keys: compare them with what was published, for they come with the file

Check it with Python 3 alone; take the program and the keys from a source that you trust, not from this file:

    python verify_selection.py THIS.zip --keys keys.txt [--head published-head.json]

A row without a seal was too young to be sealed: nothing proves it yet.
"""


class SelectionTooLarge(CountersignError):
    code = "selection_too_large"
    title = "The selection is too large"


def export_selection(tenant: Tenant, selection: Sequence[tuple[str, Any]], *, actor: User, reason: str) -> bytes:
    """The zip of the rows that ``selection`` names as ``(table, primary key)``; the event ``audit.exported`` keeps who
    asked for it and why.

    Needs ``view_audit``. Raises ``NotFound`` for a row that is not the tenant's own or not sealed at all, and
    ``SelectionTooLarge`` beyond ``MOST_ROWS``. The time grows with the number of different seals.
    """
    require(actor, "view_audit", tenant)
    wanted = list(dict.fromkeys((table, str(key)) for table, key in selection))
    if len(wanted) > MOST_ROWS:
        raise SelectionTooLarge(f"One export holds {MOST_ROWS:,} rows at most: choose fewer. Nothing was exported.")
    with transaction.atomic():
        spell()
        head = Seal.objects.order_by("-number").first()
        rows = _rows(tenant, wanted)
        lines = list(_proven(rows, head))
        record_for(
            tenant,
            CaseEvent.Kind.AUDIT_EXPORTED,
            actor,
            note=reason,
            rows=len(wanted),
            seal=head.number if head else 0,
        )
        seals = _headers(head, {line["seal"] for line in lines if line["seal"]} | _published(tenant))
    about = {
        "format": FORMAT,
        "tenant": tenant.slug,
        "exported_at": rfc3339(db_now()),
        "exported_by": actor.username,
        "reason": reason,
        "rows": len(lines),
        "head": head.number if head else 0,
    }
    return _zip(about, lines, seals)


def _zip(about: Mapping[str, Any], lines: Iterable[Mapping], seals: Iterable[Mapping]) -> bytes:
    file = io.BytesIO()
    keys = "".join(f"{audit_keys.line_of(key)}\n" for key in audit_keys.trusted_keys().values())
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as made:
        made.writestr("README.txt", READ_ME)
        made.writestr("selection.json", json.dumps(about, indent=2, ensure_ascii=False))
        made.writestr("rows.jsonl", "".join(f"{json.dumps(line, ensure_ascii=False)}\n" for line in lines))
        made.writestr("seals.jsonl", "".join(f"{json.dumps(seal)}\n" for seal in seals))
        made.writestr("keys.txt", keys)
        made.writestr("verify_selection.py", Path(verify_selection.__file__).read_text())
    return file.getvalue()


# --- the rows, the tenant's own --------------------------------------------------------------------------------------


@cache
def _models() -> dict[str, type[models.Model]]:
    return {model._meta.db_table: model for model in sealed_models()}


@cache
def tenant_path(model: type[models.Model]) -> str:
    """How a query reaches the tenant of a row: along its first shortest way of foreign keys; empty: there is none.

    A history row keeps its object's key in columns of its own, which are tried first.
    """
    tracked = getattr(model, "instance_type", None)
    if tracked is Tenant:
        return "id"
    if model is AccessEvent:  # A person has one door: its rows are those of each of their places.
        return "user__memberships__tenant_id"
    ways: list[tuple[str, type[models.Model]]] = [("", model)]
    seen = {model}
    while ways:
        further = []
        for prefix, at in ways:
            for field in at._meta.concrete_fields:
                if not field.is_relation:
                    continue
                if field.related_model is Tenant:
                    return f"{prefix}{field.name}_id"
                if field.related_model not in seen and field.related_model is not User:
                    seen.add(field.related_model)
                    further.append((f"{prefix}{field.name}__", field.related_model))
        ways = further
    return ""


def _rows(tenant: Tenant, wanted: Sequence[tuple[str, str]]) -> dict[tuple[str, str], int]:
    """The transaction of each row, in the order asked for. A row of another tenant is not found."""
    by_table: dict[str, list[str]] = {}
    for table, key in wanted:
        by_table.setdefault(table, []).append(key)
    found: dict[tuple[str, str], int] = {}
    for table, keys in by_table.items():
        model = _models().get(table)
        to_tenant = tenant_path(model) if model else ""
        if not to_tenant:
            raise NotFound(f"{table} is no audit table of a tenant.")
        own = model._base_manager.filter(**{"pk__in": _parsed(model, keys), to_tenant: tenant.pk})
        found |= {(table, str(key)): int(xid) for key, xid in own.values_list("pk", "xid")}
    if any(one not in found for one in wanted):
        raise NotFound("A row of the selection is not the tenant's own.")
    return {one: found[one] for one in wanted}


def _parsed(model: type[models.Model], keys: Sequence[str]) -> list[Any]:
    read = UUID if isinstance(model._meta.pk, models.UUIDField) else int
    try:
        return [read(key) for key in keys]
    except ValueError as error:
        raise NotFound("A row of the selection is not the tenant's own.") from error


# --- the proofs ------------------------------------------------------------------------------------------------------


def _proven(rows: Mapping[tuple[str, str], int], head: Seal | None) -> Iterable[dict[str, Any]]:
    """One line for each row, seal by seal, so that a seal's digests are read once."""
    by_seal: dict[int, list[tuple[str, str]]] = {}
    for one, xid in rows.items():
        by_seal.setdefault(_seal_of(xid, head), []).append(one)
    for number, ones in sorted(by_seal.items()):
        if not number:
            texts = _texts(ones, shapes())
            yield from ({"table": t, "pk": k, "row": texts[t, k].decode(), "seal": 0, "path": []} for t, k in ones)
            continue
        said = read_contents(bytes(Seal.objects.get(pk=number).contents))
        kept = {table.table: table for table in SealedTable.objects.filter(seal=number)}
        tops = [bytes.fromhex(said[name].root) for name in sorted(said)]
        stored = SealShape.objects.in_bulk([said[table].shape for table, _ in ones if table in said])
        used = shapes() | {one.table: Shape(one.table, tuple(one.columns)) for one in stored.values()}
        texts = _texts(ones, used)
        for table, key in ones:
            above = path(tops, sorted(said).index(table)) if table in said else []
            yield _line(table, key, number, texts[table, key], kept.get(table), above)


def _line(table: str, key: str, number: int, text: bytes, kept: SealedTable | None, above: list) -> dict[str, Any]:
    keys = bytes(kept.keys).decode().split("\n") if kept else []
    steps = [*path(split_digests(kept.digests), keys.index(key)), *above] if key in keys else []
    return {
        "table": table,
        "pk": key,
        "row": text.decode(),
        "leaf": leaf(text).hex(),
        "seal": number,
        "path": [f"{side}{digest.hex()}" for side, digest in steps],
    }


def _seal_of(xid: int, head: Seal | None) -> int:
    """The seal that a row of this transaction stands in; 0: none yet."""
    if head is None or xid >= head.upto_xid:
        return 0
    return Seal.objects.filter(upto_xid__gt=xid).order_by("upto_xid").values_list("number", flat=True)[0]


def _texts(ones: Sequence[tuple[str, str]], used: Mapping[str, Shape]) -> dict[tuple[str, str], bytes]:
    by_table: dict[str, list[str]] = {}
    for table, key in ones:
        by_table.setdefault(table, []).append(key)
    found = {}
    with connection.cursor() as cursor:
        for table, keys in by_table.items():
            shape, key = used[table], _models()[table]._meta.pk
            selected = ", ".join(AS_TEXT[kind].format(f'"{name}"') for name, kind in map(str.split, shape.columns))
            cursor.execute(
                f'SELECT "{key.column}"::text, {selected} FROM "{table}" WHERE "{key.column}" = ANY (%s)',
                [_parsed(_models()[table], keys)],
            )
            for pk, *values in cursor.fetchall():
                found[table, pk] = row_bytes(table, dict(zip(shape.names, values, strict=True)))
    return found


def _published(tenant: Tenant) -> set[int]:
    """The newest heads that the tenant was told, so that the export leads over them too."""
    told = HeadReceipt.objects.filter(Q(tenant=tenant) | Q(tenant=None)).order_by("-id")
    return set(told.values_list("seal", flat=True)[:HEADS])


def _headers(head: Seal | None, numbers: set[int]) -> list[dict[str, Any]]:
    """The seals that lead from ``head`` to each of ``numbers``, newest first."""
    if head is None:
        return []
    needed = {head.number} | {step for number in numbers for step in way(head.number, number)}
    return [
        {"header": bytes(seal.header).decode(), "signature": bytes(seal.signature).hex()}
        for seal in Seal.objects.filter(number__in=needed).order_by("-number").iterator(chunk_size=500)
    ]
