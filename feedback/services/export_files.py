"""The file of an export while it grows: on this machine's disk until it is whole, then in the storage ``exports``."""

import contextlib
import hashlib
import os
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, BinaryIO
from uuid import UUID

from django.conf import settings
from django.core.files import File
from django.core.files.storage import Storage, storages

from ..datasets.examples import examples_of
from ..datasets.manifest import Counts
from ..datasets.seen import Seen
from ..datasets.selection import Page
from ..formats import Destination, Format
from ..kinds import Kind

BLOCK = 1 << 20


class NoCheckpoint(Exception):
    """What was written before is not on this machine (any more): begin again."""


@dataclass
class ExportFile:
    """One file in the making, at ``path``. Use as a context manager: it closes the file, and keeps it."""

    path: Path
    format: Format
    destination: Destination
    split: str = ""
    rows_read: int = 0
    after: UUID | None = None
    counted: Counter = field(default_factory=Counter)
    splits: Counter = field(default_factory=Counter)
    seen: Seen = field(default_factory=Seen)

    def __enter__(self) -> "ExportFile":
        self.path.parent.mkdir(parents=True, exist_ok=True)
        is_new = self.after is None
        self._file: BinaryIO = self.path.open("wb" if is_new else "r+b")
        if is_new:
            self._write(self.format.head(self.destination))
        else:
            self._file.seek(0, os.SEEK_END)
        return self

    def __exit__(self, *failure: Any) -> None:
        self._file.close()

    def add(self, page: Page) -> None:
        """Append what the rows of ``page`` teach.

        Duplicates are told before the split is chosen: the same pair never stands on both sides.
        """
        self.rows_read += page.read
        self.after = page.last
        for row in page.rows:
            is_wanted = not self.split or row.split == self.split
            found = examples_of(self.destination.kind, row)
            if is_wanted:
                self.counted.update(rows=1, untrainable=not found)
            for example in found:
                if self.destination.kind != Kind.OVERRIDES and not self.seen.add(example.fingerprint):
                    self.counted["duplicates"] += is_wanted
                elif is_wanted:
                    lines = self._write(self.format.lines(example, self.destination))
                    self.counted.update(examples=1, lines=lines, unfit=not lines)
                    self.splits[row.split] += 1

    def _write(self, lines: Iterable[str]) -> int:
        count = 0
        for line in lines:
            # A lone surrogate cannot come in by the API; should one ever be stored, it may not stop an export.
            self._file.write((line + self.format.line_end).encode("utf-8", "replace"))
            count += 1
        return count

    @property
    def counts(self) -> Counts:
        names = ("rows", "untrainable", "duplicates", "examples", "unfit", "lines")
        return Counts(**{name: self.counted[name] for name in names}, splits=dict(sorted(self.splits.items())))

    # --- handing on ----------------------------------------------------------------------------------------------

    def checkpoint(self) -> dict[str, Any]:
        """Everything on disk, and where to go on: for the row."""
        self._file.flush()
        os.fsync(self._file.fileno())
        fresh = self._seen_path.with_suffix(".new")
        self.seen.save(fresh)
        fresh.replace(self._seen_path)
        return {
            "after": self.after.hex if self.after else None,
            "bytes": self._file.tell(),
            "rows_read": self.rows_read,
            "known": len(self.seen),
            "counted": dict(self.counted),
            "splits": dict(self.splits),
        }

    def go_on(self, checkpoint: dict[str, Any]) -> None:
        """Take up at ``checkpoint``, cutting off what was written after it; raises ``NoCheckpoint``."""
        try:
            seen = Seen.load(self._seen_path)
            is_whole = self.path.stat().st_size >= checkpoint["bytes"] and len(seen) == checkpoint["known"]
        except (OSError, EOFError, ValueError):
            is_whole = False
        if not is_whole or not checkpoint["after"]:
            raise NoCheckpoint
        os.truncate(self.path, checkpoint["bytes"])
        self.seen, self.after, self.rows_read = seen, UUID(checkpoint["after"]), checkpoint["rows_read"]
        self.counted, self.splits = Counter(checkpoint["counted"]), Counter(checkpoint["splits"])

    def discard(self) -> None:
        """Remove what was written. A disk that refuses is no reason to say nothing of the export's end."""
        for path in (self.path, self._seen_path):
            with contextlib.suppress(OSError):
                path.unlink()

    @property
    def _seen_path(self) -> Path:
        return self.path.with_suffix(".seen")


def scratch(export_id: UUID) -> Path:
    """Where the file of this export grows."""
    return Path(settings.EXPORT_SCRATCH) / f"{export_id.hex}.part"


def storage() -> Storage:
    return storages["exports"]


def digest_of(path: Path) -> tuple[str, int]:
    """SHA-256 in hexadecimal, and the length in bytes."""
    digest, length = hashlib.sha256(), 0
    with path.open("rb") as file:
        for block in iter(lambda: file.read(BLOCK), b""):
            digest.update(block)
            length += len(block)
    return digest.hexdigest(), length


def store(path: Path, key: str) -> str:
    """Hand ``path`` over to the storage under ``key``; returns the key that the storage chose."""
    with path.open("rb") as file:
        return storage().save(key, File(file))


def lines_of(key: str) -> Iterator[bytes]:
    """The stored file's lines with their ends."""
    with storage().open(key, "rb") as file:
        yield from file.file if hasattr(file, "file") else file
