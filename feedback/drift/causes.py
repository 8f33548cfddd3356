"""Why did it change? Four causes, told apart where the data can, and said to be inseparable where it cannot.

The whole change, from the plain mean before to the plain mean after, is taken apart in this order:

* **traffic**: the means before, reweighted to the traffic after, less the plain mean before; and what kinds of traffic
  that had never been seen add to it;
* **policy**: cases of before, replayed through the policy that judged those after, less the same as they were judged;
* **retrieval**: what each level of the retrieval signal meant before, reweighted to the levels after, within the same
  stratum;
* the **model**, with its prompt, is what remains.

The last one is a remainder and no measurement: it is the model's only if nothing else can be in it. So each cause that
changed and could not be measured stays in the remainder, which then belongs to several: they changed together, and are
not identifiable. What the causes do only jointly is in the remainder too.
"""

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum

from .cells import Group, Segment
from .testing import Change

COVERED = 0.8  # of the traffic after, below which too much of it is new
MEASURED = 0.5  # of the facts on either side have a retrieval signal, from which it counts as measured
REPLAYED = 0.8  # of the traffic after is like cases that were replayed
FAITHFUL = 0.9  # of the replayed cases are judged by their own policy as they were then
DRAWN = 20  # facts of the line through all levels that each level's own mean begins with
MAIN = 0.5  # of the change, from which one cause is called the main one


class Cause(StrEnum):
    TRAFFIC = "traffic"
    POLICY = "policy"
    RETRIEVAL = "retrieval"
    MODEL = "model"


@dataclass(frozen=True)
class Replayed:
    """One case of before: what it adds to the metric as its policy judged it, and as that of after would have.

    Both are (a, b); b is 0 where it would add nothing, and a weight where it stands for others.
    """

    segment: Segment
    then: tuple[float, float]
    now: tuple[float, float]


@dataclass(frozen=True)
class Changes:
    """What is known to differ between before and after besides the traffic.

    ``replay`` is None where the metric cannot be replayed, or where no policy changed (``policy`` is False);
    ``faithful`` is the share of the replayed cases that their own policy judges again as it did; ``same_policy`` are
    the domains in which it did not change.
    """

    model: bool
    retrieval: bool
    policy: bool
    replay: Sequence[Replayed] | None = None
    faithful: float = 1.0
    same_policy: frozenset[str] = frozenset()


@dataclass(frozen=True)
class Parts:
    """The change by its causes, in the metric's own unit; None for what could not be measured.

    ``rest`` is what remains, and ``rest_of`` the causes that it may be due to: of one, it is that cause's part.
    """

    traffic: float
    policy: float | None
    retrieval: float | None
    rest: float
    rest_of: tuple[Cause, ...]
    is_traffic_known: bool = True

    @property
    def is_identified(self) -> bool:
        return len(self.rest_of) == 1 and self.is_traffic_known

    def of(self, cause: Cause) -> float | None:
        """The part of ``cause``; None where it is not identifiable."""
        if cause == Cause.TRAFFIC:
            return self.traffic if self.is_traffic_known else None
        if cause in self.rest_of:
            return self.rest if len(self.rest_of) == 1 else None
        return {Cause.POLICY: self.policy, Cause.RETRIEVAL: self.retrieval}.get(cause)

    @property
    def main(self) -> tuple[Cause, ...]:
        """What most of the change at equal traffic is due to: one cause, several inseparable ones, or nothing."""
        known = {(Cause.POLICY,): self.policy or 0.0, (Cause.RETRIEVAL,): self.retrieval or 0.0}
        known[self.rest_of] = known.get(self.rest_of, 0.0) + self.rest
        change = sum(known.values())
        causes, part = max(known.items(), key=lambda item: item[1] if change > 0 else -item[1])
        return causes if change and part / change >= MAIN else ()


def parts_of(change: Change, groups: Iterable[Group], changes: Changes) -> Parts:
    policy = _policy(change, changes) if changes.policy else 0.0
    retrieval = _retrieval(change, groups)
    owners = [Cause.MODEL] if changes.model or not changes.retrieval else []
    if changes.retrieval and (retrieval is None or not owners):
        owners.append(Cause.RETRIEVAL)
        retrieval = None  # With the same model, what retrieval did beyond its signal is retrieval's too.
    if policy is None:
        owners.append(Cause.POLICY)
    rest = change.value - (policy or 0.0) - (retrieval or 0.0)
    return Parts(
        traffic=change.after - change.before - change.value,
        policy=policy,
        retrieval=retrieval,
        rest=rest,
        rest_of=tuple(owners),
        is_traffic_known=change.covered >= COVERED,
    )


def _policy(change: Change, changes: Changes) -> float | None:
    """What another policy alone would have made of the cases before; None where that is not known."""
    if changes.replay is None or changes.faithful < FAITHFUL:
        return None
    sums: dict[Segment, list[float]] = defaultdict(lambda: [0.0] * 4)
    for one in changes.replay:
        if one.segment in change.of.of:
            kept = sums[change.of.of[one.segment]]
            for place, number in enumerate((*one.then, *one.now)):
                kept[place] += number
    usable = {
        name: n / m - a / b
        for name, (a, b, n, m) in sums.items()
        if name in change.weights and name[0] not in changes.same_policy and b > 0 and m > 0
    }
    usable |= {name: 0.0 for name in change.weights if name[0] in changes.same_policy}
    known = sum(change.weights[name] for name in usable)
    if known < REPLAYED:
        return None
    return sum(change.weights[name] * moved for name, moved in usable.items()) / known


def _retrieval(change: Change, groups: Iterable[Group]) -> float | None:
    """What the shift of the signal explains; None where too few facts have one.

    What a level means is taken over all strata together, as what facts of that level were before above or below the
    mean of their stratum: single strata have too few facts of each.
    """
    shares: dict[int | None, float] = defaultdict(float)
    before_of: dict[int | None, list[float]] = defaultdict(lambda: [0.0, 0.0])
    measured, all_of = [0.0, 0.0], [0.0, 0.0]
    for group in groups:
        name = change.of.of.get(group.segment)
        if name not in change.weights:
            continue
        side, cell = change.strata[name][group.is_after], group.cell
        all_of[group.is_after] += cell.b
        measured[group.is_after] += cell.b if group.level is not None else 0.0
        shares[group.level] += change.weights[name] * cell.b / side.b * (1 if group.is_after else -1)
        if not group.is_after:
            known = before_of[group.level]
            known[0] += cell.a - side.mean * cell.b
            known[1] += cell.b
    if any(part < MEASURED * whole for part, whole in zip(measured, all_of, strict=True)):
        return None
    effects = _effects({level: (above / weight, weight) for level, (above, weight) in before_of.items() if weight})
    return sum(share * effects(level) for level, share in shares.items())


def _effects(seen: Mapping[int | None, tuple[float, float]]) -> Callable[[int | None], float]:
    """What a level means, of (mean, weight) of each: its own mean, drawn towards the line through all of them.

    The line speaks for levels of which there were few facts before, and beyond the last one.
    """
    levels = {level: one for level, one in seen.items() if level is not None}
    total = sum(weight for _, weight in levels.values()) or 1.0
    middle = sum(level * weight for level, (_, weight) in levels.items()) / total
    height = sum(mean * weight for mean, weight in levels.values()) / total
    wide = sum(weight * (level - middle) ** 2 for level, (_, weight) in levels.items())
    slope = sum(weight * (level - middle) * (mean - height) for level, (mean, weight) in levels.items())
    slope = slope / wide if wide else 0.0

    def effect(level: int | None) -> float:
        if level is None:
            return seen.get(None, (0.0, 0.0))[0]
        line = height + slope * (level - middle)
        mean, weight = levels.get(level, (0.0, 0.0))
        return (mean * weight + line * DRAWN) / (weight + DRAWN)

    return effect
