"""The signed note of a lawful removal: which rows of a seal went, and under which period. Pure.

The seal keeps the digest and the key of every row, in order; the note names the rows by their places in it. So it
speaks of that one seal alone, and of those rows alone: copied to another seal, or widened, it is false.
"""

import json
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass

from .digests import canonical

FORMAT = "countersign-removal-1"
SIGNED = b"countersign audit removal\n"  # before the note in what is signed, so that the signature fits nothing else
DAY = 86_400_000_000  # microseconds


@dataclass(frozen=True)
class Note:
    """``seal`` and ``sha256`` name the seal, ``places`` the rows of ``table`` in it (from 0, as ``0-4,7``), ``keys`` is
    the digest of their keys. ``at`` is when they went, in microseconds since the epoch; ``days`` the period."""

    seal: int
    sha256: str
    table: str
    places: str
    rows: int
    keys: str
    tenant: str
    days: int
    at: int
    key: str

    @property
    def until(self) -> int:
        """What was sealed later than this had not reached the end of the period: microseconds since the epoch."""
        return self.at - self.days * DAY

    def dump(self) -> bytes:
        """RFC 8785, numbers as text."""
        return canonical({"format": FORMAT} | {name: str(value) for name, value in asdict(self).items()})

    @classmethod
    def load(cls, data: bytes) -> "Note":
        """Raises ``ValueError`` for anything but the bytes of a note."""
        try:
            said = json.loads(data)
            if said.pop("format") != FORMAT:
                raise ValueError("another format")
            note = cls(**said | {name: int(said[name]) for name in ("seal", "rows", "days", "at")})
        except (AttributeError, KeyError, TypeError) as error:
            raise ValueError("no note of a removal") from error
        if note.dump() != bytes(data):
            raise ValueError("not in canonical form")
        return note


def spell_places(places: Iterable[int]) -> str:
    """``0, 1, 2, 7`` as ``0-2,7``."""
    spans: list[list[int]] = []
    for place in sorted(places):
        if spans and place == spans[-1][1] + 1:
            spans[-1][1] = place
        else:
            spans.append([place, place])
    return ",".join(f"{first}-{last}" if last > first else str(first) for first, last in spans)


def read_places(text: str, size: int) -> list[int]:
    """The places that ``spell_places`` wrote, all below ``size``. Raises ``ValueError``."""
    return list(_read(text, size))


def _read(text: str, size: int) -> Iterator[int]:
    after = -1
    for span in text.split(","):
        first, dash, last = span.partition("-")
        begin, end = int(first), int(last if dash else first)
        if not after < begin <= end < size:
            raise ValueError("places out of order")
        yield from range(begin, end + 1)
        after = end


def at_places(keys: Sequence[str], text: str) -> list[str]:
    """The keys that stand at these places. Raises ``ValueError``."""
    return [keys[place] for place in read_places(text, len(keys))]
