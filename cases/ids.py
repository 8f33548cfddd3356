"""Keys: UUIDv7 in the database (RFC 9562), prefixed hexadecimal on the wire, so that both sort by age."""

from datetime import datetime
from uuid import UUID

import uuid_utils.compat


def new_id() -> UUID:
    """A UUIDv7: 48 bits of milliseconds, then random bits; never derived from anything that it names."""
    return uuid_utils.compat.uuid7()


def to_wire(prefix: str, key: UUID) -> str:
    """``case_0199…``: the prefix and 32 hexadecimal digits."""
    return f"{prefix}_{key.hex}"


def from_wire(prefix: str, text: object) -> UUID | None:
    """The key that ``to_wire`` wrote, or None for anything else."""
    if not isinstance(text, str) or not text.startswith(f"{prefix}_"):
        return None
    digits = text[len(prefix) + 1 :]
    if len(digits) != 32 or any(c not in "0123456789abcdef" for c in digits):
        return None
    return UUID(hex=digits)


def first_id_at(at: datetime) -> UUID:
    """The lowest key of the millisecond ``at``: a key that was made then or later is not below it."""
    return UUID(int=(int(at.timestamp() * 1000) << 80) | (0x7 << 76) | (0b10 << 62))
