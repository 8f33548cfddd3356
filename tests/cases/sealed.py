"""For tests of seals: a key, a sealed world, and the owner's SQL."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from django.db import connection, transaction

from cases import audit_keys
from cases.models import Seal, SealedTable
from cases.services import head_publishing, sealing


@pytest.fixture
def audit_key(settings, tmp_path) -> Path:
    """A signing key of the test's own, and a folder for heads."""
    path = tmp_path / "audit.pem"
    audit_keys.make(path)
    settings.AUDIT_SIGNING_KEY = str(path)
    settings.STORAGES = settings.STORAGES | {
        "audit-heads": {"BACKEND": "cases.head_folder.HeadFolder", "OPTIONS": {"location": tmp_path / "heads"}}
    }
    return path


def seal_all() -> int:
    """Seal what is committed; returns how many seals there are."""
    sealing.seal_due(wait=True)
    return Seal.objects.count()


def sealed_keys(table: str) -> list[str]:
    """The primary keys that seals hold of ``table``, as often as they do."""
    kept = SealedTable.objects.filter(table=table).values_list("keys", flat=True)
    return [key for keys in kept for key in bytes(keys).decode().split("\n")]


def publish(folder: Path) -> Path:
    """The newest head in a file, as it is published."""
    seal = Seal.objects.latest()
    path = folder / f"head-{seal.number}.json"
    path.write_bytes(head_publishing.document(seal))
    return path


@contextmanager
def as_owner(*tables: str) -> Iterator:
    """A cursor that gets past the guards of ``tables`` as only their owner can; they stand again afterwards."""
    with transaction.atomic(), connection.cursor() as cursor:
        for table in tables:
            cursor.execute(f'ALTER TABLE "{table}" DISABLE TRIGGER append_only')
        yield cursor
        cursor.execute("SET CONSTRAINTS ALL IMMEDIATE; SET LOCAL session_replication_role = origin")
        for table in tables:
            cursor.execute(f'ALTER TABLE "{table}" ENABLE ALWAYS TRIGGER append_only')
