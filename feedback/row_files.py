"""Rows as files: JSON Lines and CSV, with the digest of what was written. Pure but for the file that it is given."""

import csv
import hashlib
import io
import json
from collections.abc import Mapping, Sequence
from typing import Any, BinaryIO, Protocol

# A cell that begins so is run as a formula by spreadsheets (OWASP, "CSV Injection").
FORMULA_STARTS = ("=", "+", "-", "@", "\t", "\r")


def formula_safe(text: str) -> str:
    """``text`` with an apostrophe before what a spreadsheet would run; ``formula_free`` takes it off again."""
    return f"'{text}" if text.startswith(FORMULA_STARTS) else text


def formula_free(text: str) -> str:
    """What ``formula_safe`` was given."""
    return text[1:] if text.startswith("'") and text[1:].startswith(FORMULA_STARTS) else text


class RowWriter(Protocol):
    """Writes one row after the other; ``sha256``, ``size`` (bytes) and ``rows`` are those of what was written."""

    suffix: str
    rows: int
    size: int

    def write(self, row: Mapping[str, Any]) -> None: ...

    @property
    def sha256(self) -> str: ...


class _Digested:
    """Counts and digests on the way to the file."""

    def __init__(self, file: BinaryIO) -> None:
        self._file, self._digest = file, hashlib.sha256()
        self.rows = self.size = 0

    def _put(self, data: bytes) -> None:
        self._file.write(data)
        self._digest.update(data)
        self.size += len(data)

    @property
    def sha256(self) -> str:
        return self._digest.hexdigest()


class JsonLines(_Digested):
    """One JSON object a line, UTF-8, absent values null."""

    suffix = "jsonl"

    def __init__(self, file: BinaryIO, columns: Sequence[str]) -> None:
        super().__init__(file)
        self._columns = columns

    def write(self, row: Mapping[str, Any]) -> None:
        document = {name: row[name] for name in self._columns}
        self._put(json.dumps(document, ensure_ascii=False, separators=(",", ":")).encode() + b"\n")
        self.rows += 1


class Csv(_Digested):
    """RFC 4180 with a header, UTF-8; absent values empty, lists as JSON, and no cell that a spreadsheet would run."""

    suffix = "csv"

    def __init__(self, file: BinaryIO, columns: Sequence[str]) -> None:
        super().__init__(file)
        self._columns = columns
        self._line = io.StringIO()
        self._csv = csv.writer(self._line)
        self._put_line(columns)

    def write(self, row: Mapping[str, Any]) -> None:
        self._put_line([_cell(row[name]) for name in self._columns])
        self.rows += 1

    def _put_line(self, cells: Sequence[str]) -> None:
        self._csv.writerow(cells)
        self._put(self._line.getvalue().encode())
        self._line.seek(0)
        self._line.truncate()


def _cell(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, str):
        return formula_safe(value)
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int | float):
        return str(value)
    return formula_safe(json.dumps(value, ensure_ascii=False))
