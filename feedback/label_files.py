"""Labels that were made elsewhere, as they come home: a CSV or JSON Lines file, read strictly. Pure.

Columns or members: ``case_id`` (``case_…``) or ``external_id``, ``label``, and optionally ``note``. Others are ignored,
so that a weekly file with its labels filled in can come back as it is. Messages name lines and never repeat the input.
"""

import csv
import io
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from cases.wire.parser import WireError, parse_json

from .errors import FileRefused
from .labels import Label
from .row_files import formula_free

MAX_BYTES = 10_000_000
MAX_ROWS = 20_000
MAX_NOTE = 2_000
MAX_KEY = 200
_BOM = "\ufeff"
_NAMES = ("case_id", "external_id", "label", "note")
_LABELS = {word.lower(): label for label in Label for word in (label.value, label.label)}

csv.field_size_limit(MAX_BYTES)  # For the whole process; what a file may hold is bounded before it is read.


@dataclass(frozen=True)
class LabelRow:
    """One usable line. ``key`` is a case's id on the wire or its external id, as ``is_external`` says."""

    line: int
    key: str
    is_external: bool
    label: Label
    note: str = ""


@dataclass(frozen=True)
class Complaint:
    """Why a line is not used."""

    line: int
    message: str


@dataclass
class Reading:
    """What a file says. ``unlabelled`` counts the lines whose label is empty: they say nothing."""

    rows: list[LabelRow] = field(default_factory=list)
    complaints: list[Complaint] = field(default_factory=list)
    unlabelled: int = 0


def read_labels(raw: bytes) -> Reading:
    """Read a whole file; JSON Lines if it begins with a brace, else CSV. Raises ``FileRefused`` for what is neither."""
    if len(raw) > MAX_BYTES:
        raise FileRefused(f"The file is larger than {MAX_BYTES:,} bytes: send it in parts. Nothing was stored.")
    if raw.startswith((b"\xff\xfe", b"\xfe\xff")):
        raise FileRefused("The file is UTF-16: save it as UTF-8 (in a spreadsheet “CSV UTF-8”) and send it again.")
    try:
        text = raw.decode("utf-8").removeprefix(_BOM)
    except UnicodeDecodeError as error:
        raise FileRefused(f"The file is not UTF-8 at byte {error.start}: save it as UTF-8 and send it again.") from None
    if "\x00" in text:
        raise FileRefused("The file holds a NUL character: it is no text. Nothing was stored.")
    if not text.strip():
        raise FileRefused("The file is empty.")
    reading = Reading()
    documents = _json_lines(text, reading) if text.lstrip().startswith("{") else _table(text)
    for count, (line, values) in enumerate(documents, start=1):
        if count > MAX_ROWS:
            raise FileRefused(f"The file has more than {MAX_ROWS:,} rows: send it in parts. Nothing was stored.")
        _take(reading, line, values)
    return reading


def _table(text: str) -> Iterator[tuple[int, Mapping[str, Any]]]:
    header = text.split("\n", 1)[0]
    delimiter = (
        ";" if ";" in header and "," not in header else ","
    )  # As spreadsheets write it where a comma is decimal.
    rows = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True)
    try:
        names = [name.strip().lower() for name in next(rows)]
        _check_header(names)
        for cells in rows:
            if any(cell.strip() for cell in cells):
                yield rows.line_num, {name: formula_free(cell) for name, cell in zip(names, cells, strict=False)}
    except csv.Error:
        raise FileRefused(f"The file is no CSV at line {rows.line_num}: is a quotation mark missing?") from None


def _check_header(names: list[str]) -> None:
    if "label" not in names or not {"case_id", "external_id"} & set(names):
        raise FileRefused("The first line must name the columns: case_id or external_id, and label; note if you like.")
    if any(names.count(name) > 1 for name in _NAMES):
        raise FileRefused("The first line names a column twice.")


def _json_lines(text: str, reading: Reading) -> Iterator[tuple[int, Mapping[str, Any]]]:
    for line, part in enumerate(text.split("\n"), start=1):
        if not part.strip():
            continue
        try:
            values = parse_json(part.encode(), max_bytes=MAX_BYTES)
        except WireError:
            reading.complaints.append(Complaint(line, "This line is not valid JSON."))
            continue
        if isinstance(values, dict):
            yield line, values
        else:
            reading.complaints.append(Complaint(line, "This line is not a JSON object."))


def _take(reading: Reading, line: int, values: Mapping[str, Any]) -> None:
    """Count one line: as a row, as one without a label, or as a complaint."""
    texts = {name: values.get(name) if values.get(name) is not None else "" for name in _NAMES}
    if not all(isinstance(text, str) for text in texts.values()):
        reading.complaints.append(Complaint(line, "Ids, label and note must be texts."))
        return
    texts = {name: text.strip() for name, text in texts.items()}
    key = texts["case_id"] or texts["external_id"]
    label = _LABELS.get(texts["label"].lower())
    if not texts["label"]:
        reading.unlabelled += 1
    elif not key or len(key) > MAX_KEY:
        reading.complaints.append(Complaint(line, "This line names no case."))
    elif label is None:
        reading.complaints.append(Complaint(line, f"The label must be one of: {', '.join(Label.values)}."))
    elif len(texts["note"]) > MAX_NOTE:
        reading.complaints.append(Complaint(line, f"The note is longer than {MAX_NOTE:,} characters."))
    else:
        reading.rows.append(LabelRow(line, key, not texts["case_id"], label, texts["note"]))
