"""The labelled sets as the advisor reads them: signals, whether the answer was right, and halves drawn at random.

Pure: neither a database nor a policy version is needed to ask whether what half of a set says holds in the other.
"""

import json
import random
import re
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

from feedback.advisor.comparing import auc
from feedback.advisor.evidence import Group
from feedback.advisor.intervals import Sums
from feedback.advisor.thresholds import Kind, Level, Recommendation, grid, levels, recommend

SAID = (Kind.LOWER, Kind.RAISE, Kind.KEEP)  # What states an error of what passes.


@dataclass(frozen=True)
class Answer:
    signals: dict[str, float]
    is_right: bool


def read(path: Path, *, with_readings: bool = False) -> list[Answer]:
    """A set and the ``.labels.jsonl`` beside it."""
    labels = path.with_name(f"{path.stem}.labels.jsonl")
    with labels.open() as file:
        truth = {one["external_id"]: one["correct"] for one in map(json.loads, file)}
    with path.open() as file:
        sent = [json.loads(line) for line in file]
    return [
        Answer((one.get("signals") or {}) | (readings(one) if with_readings else {}), truth[one["external_id"]])
        for one in sent
    ]


def readings(sent: dict[str, Any]) -> dict[str, float]:
    """Four simple readings of an answer beside its passage, in the places of four signals: how much of its pairs of
    words, of its names and numbers, of the question the passage has, and how long the answer is beside it."""
    passage = " ".join(one.get("quote", "") for one in sent["evidence"])
    answer, question = sent["model_draft"], sent["user_question"]
    known = words(passage)
    pairs, names = set(pairwise(known)), re.findall(r"\b(?:[A-Z]\w+|\d[\d,.]*)", answer)
    told = words(answer)
    return {
        "judge_score": share([pair in pairs for pair in pairwise(told)]),
        "policy_classifier_score": share([name.lower() in passage.lower() for name in names]),
        "retrieval_score": share([word in known for word in words(question)]),
        "calibrated_confidence": min(1.0, len(passage) / max(1, len(answer)) / 2),
    }


def words(text: str) -> list[str]:
    return re.findall(r"\w+", text.lower())


def share(found: Sequence[bool]) -> float:
    return sum(found) / len(found) if found else 1.0


def halves(rows: Sequence[Answer], rng: random.Random) -> tuple[list[Answer], list[Answer]]:
    drawn = rng.sample(rows, len(rows))
    return drawn[: len(rows) // 2], drawn[len(rows) // 2 :]


def evidence(
    scored: Sequence[tuple[float, bool]], rng: random.Random, *, passed_above: float, sampled: float
) -> list[Group]:
    """As if what lay above ``passed_above`` had passed by itself and only ``sampled`` of it had been looked at."""
    cases: Counter = Counter()
    seen: dict[tuple[float, bool], Sums] = {}
    for confidence, is_right in scored:
        key = (round(confidence, 4), confidence > passed_above)
        chance = sampled if key[1] else 1.0
        cases[key] += 1
        if rng.random() < chance:
            w, e = 1 / chance, not is_right
            seen[key] = seen.get(key, Sums()) + Sums(1, w, w * w, int(e), w * e, w * w * e)
    return [Group(c, True, was, cases[c, was], seen.get((c, was), Sums())) for c, was in sorted(cases)]


@dataclass(frozen=True)
class Held:
    """What half a set advised, and how it went in the other half: the errors among what passed there."""

    one: Recommendation
    errors: int
    passed: int

    @property
    def is_as_expected(self) -> bool:
        """Whether the errors lie within what the advice let expect for so many cases."""
        least, most = self.one.level.expected(self.passed)
        return least <= self.errors <= most

    def holds(self, truth: float) -> bool:
        low, high = self.one.level.interval
        return low <= truth <= high


def advised(
    rows: Sequence[Answer], signal: str, rng: random.Random, *, tolerance: float, current: float, sampled: float
) -> Held:
    """Advice from a half of ``rows`` whose confidence is one signal, held against the other half."""
    first, second = ([(one.signals.get(signal, 0.0), one.is_right) for one in half] for half in halves(rows, rng))
    groups = evidence(first, rng, passed_above=current, sampled=sampled)
    found = levels(groups, grid(current, 0.1), weeks=1)
    one = recommend(found, current=current, tolerance=tolerance)
    passing = [is_right for confidence, is_right in second if confidence > one.level.threshold]
    return Held(one, passing.count(False), len(passing))


def error_above(rows: Sequence[Answer], signal: str, level: Level) -> float:
    """The error in all of ``rows``."""
    passing = [one.is_right for one in rows if one.signals.get(signal, 0.0) > level.threshold]
    return passing.count(False) / len(passing) if passing else 0.0


def auc_of(scored: Sequence[tuple[float, bool]]) -> float:
    return auc([(s, 1.0) for s, is_right in scored if is_right], [(s, 1.0) for s, is_right in scored if not is_right])


def brier_of(scored: Sequence[tuple[float, bool]]) -> float:
    return sum((s - is_right) ** 2 for s, is_right in scored) / len(scored)


def sets_in(folder: Path) -> Iterator[tuple[str, Path]]:
    for path in sorted(folder.glob("*.jsonl")):
        if not path.name.endswith(".labels.jsonl"):
            yield path.stem, path
