"""What exactly is approved: one canonical document of an action, and its hash.

Whoever signs, signs these bytes; whoever executes is sent these bytes. They are built anew from the stored rows when a
person signs and when a worker executes, and must come out the same: whatever was changed in between, by whatever way,
makes another hash.

| member | what it holds |
|---|---|
| ``action_id, revision, tenant, proposer`` | whose proposal, in which wording |
| ``action, params, amount, currency, customer_id`` | what is to be done |
| ``executor`` | its version and the digest of its address, schema and promise |
| ``policy`` | the rules' version and what they demand |
| ``binding`` | what the dry run said and must still say |
| ``expires_at`` | the instant, in UTC with microseconds |
| ``nonce`` | random, so that the hash tells nothing once the text is erased |
"""

import hashlib
import json
from collections.abc import Mapping
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

from cases.currencies import CODES, minor_units
from cases.digests import canonical


def amount_text(amount: Decimal | None, currency: str) -> str | None:
    """``"4200.00"``: an amount with exactly the digits of its currency."""
    if amount is None:
        return None
    digits = minor_units(currency) if currency in CODES else 2
    return f"{amount:.{digits}f}"


def instant(at: datetime) -> str:
    return at.astimezone(UTC).isoformat(timespec="microseconds").replace("+00:00", "Z")


def request_document(
    *,
    action_id: str,
    revision: int,
    tenant: str,
    action: str,
    params: Mapping[str, Any],
    amount: str | None,
    currency: str | None,
    customer_id: str | None,
    executor: Mapping[str, Any],
) -> dict[str, Any]:
    """What a dry run is told: what is asked for, without anything that an approval adds. ``executor`` is its version
    and digest."""
    return {
        "action_id": action_id,
        "revision": revision,
        "tenant": tenant,
        "action": action,
        "params": params,
        "amount": amount,
        "currency": currency,
        "customer_id": customer_id,
        "executor": executor,
    }


def payload(document: Mapping[str, Any]) -> bytes:
    """The RFC 8785 bytes of a document as above."""
    return canonical(document)


def payload_hash(content: bytes) -> bytes:
    """SHA-256, 32 bytes; on the wire ``sha256:`` and 64 hex digits."""
    return hashlib.sha256(content).digest()


def to_wire(digest: bytes | None) -> str | None:
    return f"sha256:{bytes(digest).hex()}" if digest else None


def from_wire(text: str) -> bytes | None:
    """The 32 bytes, or None where ``text`` is no such hash: then it equals none."""
    name, _, digits = text.strip().partition(":")
    try:
        found = bytes.fromhex(digits)
    except ValueError:
        return None
    return found if name == "sha256" and len(found) == hashlib.sha256().digest_size else None


def differences(before: bytes, after: bytes) -> list[tuple[str, str, str]]:
    """``(path, before, after)`` of each leaf that differs between two payloads, but for the nonce; in path order.

    An absent leaf is an empty text; paths are JSON Pointers.
    """
    old, new = _leaves(json.loads(before)), _leaves(json.loads(after))
    paths = sorted((old.keys() | new.keys()) - {"/nonce"})
    return [(path, old.get(path, ""), new.get(path, "")) for path in paths if old.get(path) != new.get(path)]


def _leaves(value: Any, path: str = "") -> dict[str, str]:
    if isinstance(value, dict) and value:
        return {k: v for name, part in value.items() for k, v in _leaves(part, f"{path}/{_escaped(name)}").items()}
    if isinstance(value, list) and value:
        return {k: v for place, part in enumerate(value) for k, v in _leaves(part, f"{path}/{place}").items()}
    return {path: value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)}


def _escaped(name: str) -> str:
    return name.replace("~", "~0").replace("/", "~1")
