"""CSV (RFC 4180, UTF-8) with a column for each documented field; lists and objects stand in their cell as JSON.

A cell that a spreadsheet would run as a formula gets an apostrophe in front (OWASP, "CSV Injection"): it begins with
one of ``= + - @``, a tab or a carriage return.
"""

import csv
import io
from collections.abc import Iterable
from typing import Any

from ..datasets.examples import FIELDS, Example
from ..row_files import formula_safe
from .shape import EVERY_KIND, Destination, Format, line


def _cell(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, str):
        return formula_safe(value)
    return line(value) if isinstance(value, dict | list) else str(value)


def _record(cells: Iterable[str]) -> str:
    text = io.StringIO()
    csv.writer(text, quoting=csv.QUOTE_ALL, lineterminator="").writerow(cells)
    return text.getvalue()


def _head(destination: Destination) -> list[str]:
    return [_record(FIELDS[destination.kind])]


def _lines(example: Example, destination: Destination) -> list[str]:
    return [_record(_cell(example.fields[name]) for name in FIELDS[destination.kind])]


FORMAT = Format(
    name="csv",
    title="CSV",
    suffix="csv",
    media_type="text/csv",
    kinds=EVERY_KIND,
    lines=_lines,
    head=_head,
    line_end="\r\n",
)
