"""How well groundedness by words tells right answers from wrong ones, on the labelled sets; and what it costs.

AUC is the chance that an answer that people found right scores above one that they did not (0.5 is a coin). *Joined*:
four answers of the set make one draft with the evidence of all four, and in half of the drafts one of the four is
wrong: what a long draft with one invented sentence looks like. Of ``python -m tests.bench --only groundedness
--answers FILE``, the labelled sets being those in the folder of FILE:

| what | AUC |
|---|---|
| answers_begin, the caller's own lexical score | 0.940 |
| answers_begin, ours | 0.955 |
| answers_begin, ours, joined by four, 600 drafts | 0.889 |
| answers_halueval | none: no answer comes with evidence, and so none has a value |
| actions_airline, the caller's; ours | 0.500; 0.538: whether an action is right does not stand in its words |
"""

import json
import random
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cases.groundedness import evaluate, groundedness
from tests.feedback.labelled import auc_of, sets_in

from .figures import Figure, ms

JOINED = 4
SEED = 20_261_121


@dataclass(frozen=True)
class Grounded:
    """An answer that has evidence, with our value, the caller's, and whether people found it right."""

    sent: dict[str, Any]
    ours: float
    callers: float
    is_right: bool


def read_grounded(path: Path) -> list[Grounded]:
    """The answers of a set that come with evidence."""
    with path.with_name(f"{path.stem}.labels.jsonl").open() as file:
        truth = {one["external_id"]: one["correct"] for one in map(json.loads, file)}
    with path.open() as file:
        sent = [one for one in map(json.loads, file) if one.get("evidence")]
    valued = [(one, evaluate(one)) for one in sent]
    return [
        Grounded(one, value, (one.get("signals") or {}).get("answer_groundedness", 0.0), truth[one["external_id"]])
        for one, value in valued
        if value is not None
    ]


def groundedness_of_answers(resamples: int, data: Path | None = None) -> Iterator[Figure]:
    """Three times ``resamples`` joined drafts of each set; without sets, the cost alone."""
    yield _cost()
    folder = data.parent if data and data.exists() else None
    for name, path in sets_in(folder) if folder else ():
        rows = read_grounded(path)
        if len({row.is_right for row in rows}) < 2:
            yield Figure(f"groundedness, {name}", len(rows), "no AUC: nothing to ground, or all alike")
            continue
        ours, callers = (auc_of([(getattr(row, whose), row.is_right) for row in rows]) for whose in ("ours", "callers"))
        yield Figure(f"groundedness, {name}, the caller's", len(rows), f"AUC {callers:.3f}")
        yield Figure(f"groundedness, {name}, ours", len(rows), f"AUC {ours:.3f}")
        joined = list(_joined(rows, 3 * resamples))
        yield Figure(f"groundedness, {name}, joined", len(joined), f"AUC {auc_of(joined):.3f}")


def _joined(rows: Sequence[Grounded], count: int) -> Iterator[tuple[float, bool]]:
    rng = random.Random(SEED)
    right, wrong = ([row for row in rows if row.is_right is truth] for truth in (True, False))
    for number in range(count):
        is_right = number % 2 == 0
        chosen = [rng.choice(right) for _ in range(JOINED - 1)] + [rng.choice(right if is_right else wrong)]
        rng.shuffle(chosen)
        draft = " ".join(_sentence(row.sent["model_draft"]) for row in chosen)
        quotes = [item["quote"] for row in chosen for item in row.sent["evidence"]]
        yield groundedness(draft, quotes) or 0.0, is_right


def _sentence(text: str) -> str:
    text = text.strip()
    return text if text.endswith((".", "!", "?")) else f"{text}."


def _cost() -> Figure:
    draft = "You can return the shoes within 30 days and get 42.00 USD back. " * 12
    quotes = ["Shoes may be returned within 30 days of delivery, unworn and in their box. " * 20] * 8
    rounds, began = 50, time.perf_counter()
    for _ in range(rounds):
        groundedness(draft, quotes)
    what = f"groundedness of {len(draft):,} in {sum(map(len, quotes)):,} characters"
    return Figure(what, rounds, ms((time.perf_counter() - began) / rounds))
