"""The manifest of a version: everything that is needed to make the same bytes again, and their digest. Pure."""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import rfc8785

from .examples import DEDUPLICATED_BY, SCHEMA
from .splits import RULE

MANIFEST = "countersign.manifest/1"


@dataclass(frozen=True)
class Counts:
    """``rows`` were read, ``untrainable`` gave nothing (by label or for want of a text), ``duplicates`` were dropped,
    ``examples`` were written as ``lines``, but for those that are ``unfit`` for the format. ``splits``: by split."""

    rows: int = 0
    untrainable: int = 0
    duplicates: int = 0
    examples: int = 0
    unfit: int = 0
    lines: int = 0
    splits: Mapping[str, int] | None = None

    def document(self) -> dict[str, Any]:
        return {**self.__dict__, "splits": dict(self.splits or {})}


def manifest_document(
    *,
    tenant: str,
    dataset: str,
    dataset_id: str,
    kind: str,
    version: int,
    format: str,
    filters: Mapping[str, Any],
    xid: str,
    at: datetime,
    customer_fields: str,
    counts: Counts,
    file: Mapping[str, Any],
) -> dict[str, Any]:
    return {
        "manifest": MANIFEST,
        "schema": SCHEMA,
        "tenant": tenant,
        "dataset": dataset,
        "dataset_id": dataset_id,
        "kind": kind,
        "version": version,
        "format": format,
        "filters": dict(filters),
        "watermark": {"xid": xid, "at": at.astimezone(UTC).isoformat()},
        "order": "by review id",
        "split_rule": RULE,
        "deduplicated_by": DEDUPLICATED_BY,
        "customer_fields": customer_fields,
        "counts": counts.document(),
        "files": [dict(file)],
    }


def canonical(document: Mapping[str, Any]) -> tuple[bytes, str]:
    """RFC 8785 bytes and their SHA-256 in hexadecimal."""
    content = rfc8785.dumps(dict(document))
    return content, hashlib.sha256(content).hexdigest()
