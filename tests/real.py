"""Real model output with people's labels: it lies beside the repository (see its README) and is no part of it.

Tests that walk cases through the whole product take the first of each set; ``REAL_LINES=1000`` takes all of them.
``REAL_DATA`` names another folder.
"""

import json
import os
from itertools import islice
from pathlib import Path
from typing import Any

import pytest

DATA = Path(os.environ.get("REAL_DATA") or Path(__file__).resolve().parents[2] / "shared" / "data")
RECORDS = {"actions_airline": 152, "answers_begin": 430, "answers_halueval": 1000}

needed = pytest.mark.skipif(not DATA.is_dir(), reason=f"the folder of real input is not here: {DATA.name}")


def bound(usual: int) -> int:
    """How many records of a set to take."""
    return int(os.environ.get("REAL_LINES", usual))


def records(name: str, usual: int = 1000) -> list[dict[str, Any]]:
    """What was sent, first come first."""
    with (DATA / f"{name}.jsonl").open() as file:
        return [json.loads(line) for line in islice(file, bound(usual))]


def truths(name: str) -> dict[str, dict[str, Any]]:
    """The label of each record, by ``external_id``."""
    with (DATA / f"{name}.labels.jsonl").open() as file:
        return {truth["external_id"]: truth for truth in map(json.loads, file)}
