"""Variants of a story as a table of text: one line each, columns parted by ``|``. Pure."""

from collections.abc import Mapping
from typing import Any

from config.demo.story import Step

_MINUTES = {"m": 1.0, "h": 60.0, "d": 1440.0}


def table(text: str, **outcomes: tuple[Step, ...]) -> tuple[Mapping[str, Any], ...]:
    """The lines of ``text`` as ``Story.variants``; the first names the columns.

    ``age`` is a number with m, h or d. ``then``, where there is one, names the outcome that the line has, or is empty.
    """
    head, *lines = [[cell.strip() for cell in line.split("|")] for line in text.strip().splitlines()]
    rows = []
    for cells in lines:
        row: dict[str, Any] = dict(zip(head, cells, strict=True))
        row["age"] = float(row["age"][:-1]) * _MINUTES[row["age"][-1]]
        then = row.pop("then", "")
        row["steps"] = outcomes[then] if then else ()
        rows.append(row)
    return tuple(rows)
