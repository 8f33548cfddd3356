"""A pack while it grows: a folder on this machine's disk, table by table, then one signed archive.

A section is whole when ``done.json`` names it: whoever takes the pack up on this machine goes on after it, and anybody
else begins again.
"""

import hashlib
import json
import os
import shutil
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import Any

import rfc8785

from cases import audit_keys, verify_pack, verify_selection
from cases.event_bodies import rfc3339

from ..row_files import Csv, JsonLines
from .page import pages
from .tables import CHUNK, MOST_ROWS, Section, Table, Window

SHOWN = 25  # rows of a table on the page
READ_ME = """What this is: evidence of how people oversaw automated decisions, for one tenant and one window.
It claims no compliance with anything: it says what was recorded, and what that does not show.

index.html        begin here; it reads and prints without a network
mapping.html      which part speaks to which expectation of law and frameworks
data/             every table in full, as CSV and as JSON Lines
about.json        tenant, window, and the seed by which sample cases were drawn
manifest.json     each file's length and SHA-256
signature.json    the Ed25519 signature over the manifest, by the key that signs the seals
keys.txt          the public keys: compare them with what was published, for they come with the file

Check it with Python 3 alone; take the programs and the keys from a source that you trust, not from this file:

    python verify_pack.py THIS.zip --keys keys.txt
"""

Beat = Callable[[int], None]  # called with how many rows were written since it was called last


@dataclass
class PackFolder:
    """Where one pack grows. ``made``: for each whole section what was written of its tables."""

    path: Path
    made: dict[str, list[dict[str, Any]]] = field(default_factory=dict)

    @classmethod
    def open(cls, path: Path) -> "PackFolder":
        path.mkdir(parents=True, exist_ok=True, mode=0o700)
        try:
            return cls(path, json.loads((path / "done.json").read_text()))
        except (OSError, ValueError):
            return cls(path)

    @property
    def rows(self) -> int:
        return sum(table["rows"] for tables in self.made.values() for table in tables)

    def add(self, section: Section, window: Window, beat: Beat) -> None:
        """Write the tables of ``section``, and then say that they are whole."""
        self.made[section.key] = [_write(table, window, self.path, beat) for table in section.tables]
        fresh = self.path / "done.new"
        fresh.write_text(json.dumps(self.made))
        os.replace(fresh, self.path / "done.json")

    def written(self, table: Table) -> Iterator[dict[str, Any]]:
        """The rows of a table that is whole."""
        with (self.path / "data" / f"{table.name}.{JsonLines.suffix}").open("rb") as file:
            yield from map(json.loads, file)

    def seal(self, about: Mapping[str, Any], target: Path) -> None:
        """Write the archive to ``target``, signed. Raises ``audit_keys.KeyUnusable``."""
        key = audit_keys.signing_key()
        texts = {
            "README.txt": READ_ME.encode(),
            "about.json": json.dumps(about, indent=2, ensure_ascii=False).encode() + b"\n",
            "keys.txt": "".join(f"{audit_keys.line_of(one)}\n" for one in audit_keys.trusted_keys().values()).encode(),
            "verify_pack.py": Path(verify_pack.__file__).read_bytes(),
            "verify_selection.py": Path(verify_selection.__file__).read_bytes(),
            **pages(about, self.made),
        }
        data = [file for tables in self.made.values() for table in tables for file in table["files"]]
        files = [_entry(name, text) for name, text in texts.items()] + data
        manifest = rfc8785.dumps(
            {
                **{name: about[name] for name in ("pack", "tenant", "from", "to", "as_of")},
                "format": verify_pack.FORMAT,
                "files": sorted(files, key=lambda file: file["name"]),
            }
        )
        signature = key.sign(verify_pack.SIGNED + manifest)
        signed = verify_pack.signature_text(audit_keys.key_id(key.public_key()), signature).encode()
        texts |= {verify_pack.MANIFEST: manifest, verify_pack.SIGNATURE: signed}
        entries = [(name, len(text), verify_pack.opener_of(text)) for name, text in texts.items()]
        entries += [(file["name"], file["bytes"], partial((self.path / file["name"]).open, "rb")) for file in data]
        verify_pack.lay_out(target, entries)

    def discard(self) -> None:
        """Remove what was written. A disk that refuses is no reason to say nothing of the pack's end."""
        with suppress(OSError):
            shutil.rmtree(self.path)


def _entry(name: str, text: bytes) -> dict[str, Any]:
    return {"name": name, "sha256": hashlib.sha256(text).hexdigest(), "bytes": len(text)}


def _write(table: Table, window: Window, folder: Path, beat: Beat) -> dict[str, Any]:
    """Both files of ``table``, in the memory of a few rows; what they hold, for the page and the manifest."""
    (folder / "data").mkdir(exist_ok=True)
    names = [f"data/{table.name}.{writer.suffix}" for writer in (Csv, JsonLines)]
    first: list[dict[str, Any]] = []
    is_cut, since = False, 0
    with (folder / names[0]).open("wb") as one, (folder / names[1]).open("wb") as other:
        writers = (Csv(one, table.columns), JsonLines(other, table.columns))
        for number, row in enumerate(_told(table, window)):
            if number == MOST_ROWS:
                is_cut = True
                break
            for writer in writers:
                writer.write(row)
            if number < SHOWN:
                first.append(row)
            since += 1
            if since == CHUNK:
                beat(since)
                since = 0
        beat(since)
    return {
        "name": table.name,
        "title": table.title,
        "columns": list(table.columns),
        "rows": writers[0].rows,
        "is_cut": is_cut,
        "first": first,
        "files": [
            {"name": name, "sha256": writer.sha256, "bytes": writer.size}
            for name, writer in zip(names, writers, strict=True)
        ],
    }


def _told(table: Table, window: Window) -> Iterator[dict[str, Any]]:
    for row in table.rows(window):
        yield {name: _plain(row[name]) for name in table.columns}


def _plain(value: Any) -> Any:
    """What JSON can hold: instants as RFC 3339 in UTC; no text that UTF-8 cannot."""
    if isinstance(value, datetime):
        return rfc3339(value)
    if isinstance(value, str):
        return str(value).encode("utf-8", "replace").decode()
    if isinstance(value, Mapping):
        return {str(name): _plain(inner) for name, inner in value.items()}
    if isinstance(value, Sequence):
        return [_plain(inner) for inner in value]
    return value
