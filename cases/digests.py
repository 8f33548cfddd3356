"""Digests that prove a text without keeping it, and keys that find a customer without naming them."""

import hashlib
import hmac
import secrets
from typing import Any

import rfc8785

SALT_BYTES = 16  # 128 bits: a short text cannot be guessed from its digest once the salt is gone.


def new_salt() -> bytes:
    return secrets.token_bytes(SALT_BYTES)


def canonical(value: Any) -> bytes:
    """The RFC 8785 bytes of a JSON value; raises ``rfc8785.CanonicalizationError`` on what I-JSON cannot carry."""
    return rfc8785.dumps(value)


def salted_digest(salt: bytes, value: Any) -> bytes:
    """32 bytes: SHA-256 over the salt and the canonical value."""
    return hashlib.sha256(bytes(salt) + canonical(value)).digest()


def customer_key(secret: str, tenant_id: Any, reference: str) -> bytes:
    """32 bytes that are equal for the same customer of the same tenant, and useless without ``secret``."""
    return hmac.digest(secret.encode(), f"{tenant_id}\x00{reference}".encode(), "sha256")
