"""What is watched after a release, and what each look finds."""

import math
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from .causes import Cause, Changes, Parts, parts_of
from .cells import ANY, Group, Segment
from .testing import Change, common_variance, compare, holm

# Deadlines and the age of queues depend on how many people work, and what is accepted is nearly what is not overridden.
WATCHED = (
    "escalation_rate",
    "rejection_rate",
    "override_rate",
    "automatic_approval_error",
    "average_handling_time",
    "reviewer_edit_distance",
    "user_satisfaction",
)
WORTH = 0.02  # the smallest change of a share that anybody is told of
WORTH_OF_BEFORE = {  # of the others, as a share of what was before
    "average_handling_time": 0.1,
    "reviewer_edit_distance": 0.1,
    "user_satisfaction": 0.025,
}
SURE = 1.96  # standard errors by which a segment has moved at least


@dataclass(frozen=True)
class Moved:
    """Where it moved most: any dimension may be ``ANY``. ``n`` are the facts after."""

    segment: Segment
    before: float
    after: float
    n: int


@dataclass(frozen=True)
class Finding:
    """One metric of one release at one look; as JSON it is what is kept.

    ``change`` is at equal traffic, with its interval of 95 % and its always valid ``p``.
    """

    metric: str
    n_before: int
    n_after: int
    before: float
    after: float
    change: float
    low: float
    high: float
    p: float
    inflation: float
    covered: float
    parts: Parts
    moved: Moved | None
    is_drift: bool = False

    @property
    def is_worth_telling(self) -> bool:
        share = WORTH_OF_BEFORE.get(self.metric)
        return abs(self.change) >= (WORTH if share is None else share * abs(self.before))

    def to_json(self) -> dict[str, Any]:
        return asdict(self)

    @classmethod
    def from_json(cls, kept: Mapping[str, Any]) -> "Finding":
        parts = dict(kept["parts"])
        parts["rest_of"] = tuple(Cause(name) for name in parts["rest_of"])
        moved = kept["moved"] and Moved(**{**kept["moved"], "segment": tuple(kept["moved"]["segment"])})
        return cls(**{**kept, "parts": Parts(**parts), "moved": moved})


def find(
    groups_of: Mapping[str, Sequence[Group]], changes_of: Mapping[str, Changes], *, known: Iterable[str] = ()
) -> list[Finding]:
    """What there is to say of each metric with enough facts; ``known`` were found at earlier looks and stay so."""
    seen = {name: compare(groups) for name, groups in groups_of.items()}
    findings = {
        name: _finding(name, change, groups_of[name], changes_of[name]) for name, change in seen.items() if change
    }
    known = set(known)
    asked = {name: one.p for name, one in findings.items() if name not in known and one.is_worth_telling}
    drifted = holm(asked, of=len(WATCHED), found=len(known)) | known
    return [_marked(findings[name], name in drifted) for name in WATCHED if name in findings]


def _marked(finding: Finding, is_drift: bool) -> Finding:
    return Finding(**{**vars(finding), "is_drift": is_drift})


def _finding(name: str, change: Change, groups: Sequence[Group], changes: Changes) -> Finding:
    low, high = change.interval
    return Finding(
        metric=name,
        n_before=change.n_before,
        n_after=change.n_after,
        before=change.before,
        after=change.after,
        change=change.value,
        low=low,
        high=high,
        p=change.p,
        inflation=change.inflation,
        covered=change.covered,
        parts=parts_of(change, groups, changes),
        moved=moved_most(change),
    )


def moved_most(change: Change) -> Moved | None:
    """The segment whose change, the same way, is the largest at the near end of its interval: small ones swing far.

    Segments are single strata and everything of one domain, language or risk; None where no part is surer than nothing.
    """
    within: dict[Segment, set[Segment]] = defaultdict(set)
    for name in change.strata:
        if name[0] != ANY:
            within[name].add(name)
        for place, value in enumerate(name):
            if value != ANY:
                within[tuple(value if at == place else ANY for at in range(3))].add(name)
    best, found = 0.0, None
    for segment, names in sorted(within.items()):
        if len(names) == len(change.strata) > 1:
            continue
        size, error = _within(change, names)
        surest = (size if change.value > 0 else -size) - SURE * error
        if surest > best:
            best, found = surest, _moved(change, segment, names)
    return found


def _within(change: Change, names: Iterable[Segment]) -> tuple[float, float]:
    """The change in some strata together, and its standard error."""
    total = size = variance = 0.0
    for name in names:
        before, after = change.strata[name]
        weight = change.weights[name]
        total += weight
        size += weight * (after.mean - before.mean)
        variance += weight * weight * common_variance(before, after) * (before.scale + after.scale)
    return size / total, math.sqrt(variance * change.inflation) / total


def _moved(change: Change, segment: Segment, names: Iterable[Segment]) -> Moved:
    """The plain means; those before at the traffic after."""
    total = sum(change.weights[name] for name in names)
    before, after = (
        sum(change.weights[name] * change.strata[name][side].mean for name in names) / total for side in (0, 1)
    )
    return Moved(segment, before, after, sum(change.strata[name][1].n for name in names))
