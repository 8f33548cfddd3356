"""The pages of a pack: an index with the first rows of each table, and what speaks to which expectation.

Pages without a script that fetch nothing: their style stands in them, pinned by its digest, so that they read and print
the same from any folder.
"""

import base64
import hashlib
from collections.abc import Mapping, Sequence
from typing import Any

from django.template.loader import get_template, render_to_string

from .mapping import EXPECTATIONS
from .registry import SECTIONS

PAGES = ("index", "mapping")
WIDEST = 300  # characters of a cell; the files hold the whole


def pages(about: Mapping[str, Any], made: Mapping[str, Sequence[Mapping[str, Any]]]) -> dict[str, bytes]:
    """File name → page. ``made`` holds for each section that is in the pack what was written of its tables."""
    style = get_template("feedback/evidence/print.css").template.source
    context = {
        "about": about,
        "sections": [(section, [_shown(table) for table in made.get(section.key, ())]) for section in SECTIONS],
        "here": set(made),
        "titles": {section.key: section.title for section in SECTIONS},
        "expectations": [(one, [(key, _title(key), key in made) for key in one.sections]) for one in EXPECTATIONS],
        "style": style,
        "style_digest": base64.b64encode(hashlib.sha256(style.encode()).digest()).decode(),
    }
    return {f"{name}.html": render_to_string(f"feedback/evidence/{name}.html", context).encode() for name in PAGES}


def _title(key: str) -> str:
    return next(section.title for section in SECTIONS if section.key == key)


def _shown(table: Mapping[str, Any]) -> dict[str, Any]:
    rows = [[_cell(row[name]) for name in table["columns"]] for row in table["first"]]
    return {**table, "cells": rows, "more": table["rows"] - len(rows)}


def _cell(value: Any) -> str:
    if value is None:
        return "–"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, list | tuple):
        text = ", ".join(map(_cell, value))
    elif isinstance(value, dict):
        text = ", ".join(f"{name}: {_cell(inner)}" for name, inner in value.items())
    else:
        text = str(value)
    return text if len(text) <= WIDEST else f"{text[:WIDEST]}…"
