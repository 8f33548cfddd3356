"""What the watch over new releases finds: ``python -m tests.bench.drift``.

Simulated releases, each with four weeks before it and four weeks of its own, looked at every second day by the
product's own code (``feedback.drift``). A draft has a retrieval score; the policy sends those of little confidence and
one in ten of the others to people; they override by domain, language, risk, retrieval score and model. What differs
after the release is known, and so are its causes. Beside it stands the test that one would do by hand: two shares, as
they are, at 5 %, on the same days.
"""

import argparse
import math
import random
from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from statistics import mean, median

from feedback.drift.causes import Cause, Changes, Replayed
from feedback.drift.cells import Cell, Group, Segment
from feedback.drift.findings import Finding, find

BEFORE = AFTER = 28  # days
LOOKS = tuple(range(2, AFTER + 1, 2))
DOMAINS = {"billing": (0.4, 0.12), "returns": (0.3, 0.2), "delivery": (0.2, 0.08), "account": (0.1, 0.3)}
LANGUAGES = {"en": (0.7, 0.0), "de": (0.3, 0.05)}
RISKS = {"low": (0.5, 0.0), "medium": (0.35, 0.03), "high": (0.15, 0.1)}
SAMPLED = 0.1
THRESHOLD = 0.55
OVERRIDE, ESCALATION = "override_rate", "escalation_rate"


@dataclass(frozen=True)
class World:
    """What holds on one side. ``worse`` is added to the chance of an override, in ``only`` one domain or in all."""

    account: float = 1.0  # times as much traffic of the domain whose drafts are overridden most
    german: float = 1.0
    worse: float = 0.0
    only: str = ""
    retrieval: float = 0.0  # added to the score
    threshold: float = THRESHOLD
    days_differ: float = 0.0  # standard deviation of a day's own chance of an override


@dataclass(frozen=True)
class Scenario:
    name: str
    after: World = field(default_factory=World)
    before: World = field(default_factory=World)
    cause: Cause | None = None  # what an alarm of the override rate should name; None where nothing moved it
    metric: str = OVERRIDE


_MIX = {"account": 4.0, "german": 1.8}
_DAYS = World(days_differ=0.06)
SCENARIOS = (
    Scenario("nothing changed"),
    Scenario("only the mix changed", World(**_MIX)),
    Scenario("nothing changed, days differ", _DAYS, _DAYS),
    Scenario("only the mix changed, days differ", World(**_MIX, days_differ=0.06), _DAYS),
    Scenario("model 4 points worse", World(worse=0.04), cause=Cause.MODEL),
    Scenario("model 8 points worse", World(worse=0.08), cause=Cause.MODEL),
    Scenario("model 8 points worse, and the mix changed", World(worse=0.08, **_MIX), cause=Cause.MODEL),
    Scenario("model 8 points worse, days differ", World(worse=0.08, days_differ=0.06), _DAYS, Cause.MODEL),
    Scenario("model 25 points worse in one domain", World(worse=0.25, only="delivery"), cause=Cause.MODEL),
    Scenario("retrieval worse by 0.15", World(retrieval=-0.15), cause=Cause.RETRIEVAL),
    Scenario("threshold 0.55 to 0.70", World(threshold=0.7), cause=Cause.POLICY, metric=ESCALATION),
)


@dataclass(frozen=True)
class Case:
    segment: Segment
    score: float
    confidence: float
    day: int
    is_sampled: bool
    is_override: bool


def cases_of(world: World, a_day: int, days: int, dice: random.Random) -> Iterator[Case]:
    names = list(DOMAINS)
    shares = [share * (world.account if name == "account" else 1.0) for name, (share, _) in DOMAINS.items()]
    german = min(0.9, LANGUAGES["de"][0] * world.german)
    for day in range(days):
        luck = dice.gauss(0.0, world.days_differ) if world.days_differ else 0.0
        for _ in range(a_day):
            domain = dice.choices(names, shares)[0]
            language = "de" if dice.random() < german else "en"
            risk = dice.choices(list(RISKS), [share for share, _ in RISKS.values()])[0]
            score = min(0.999, max(0.0, dice.betavariate(5, 3) + world.retrieval))
            chance = DOMAINS[domain][1] + LANGUAGES[language][1] + RISKS[risk][1] + 0.5 * (0.625 - score) + luck
            chance += world.worse if world.only in ("", domain) else 0.0
            yield Case(
                (domain, language, risk),
                score,
                0.5 * score + 0.5 * dice.random(),
                day,
                dice.random() < SAMPLED,
                dice.random() < min(1.0, max(0.0, chance)),
            )


def is_escalated(case: Case, threshold: float) -> bool:
    return case.segment[2] == "high" or case.confidence <= threshold


def groups_of(cases: Sequence[Case], world: World, *, is_after: bool) -> dict[str, list[Group]]:
    counts: dict[str, dict[tuple, list[int]]] = {
        OVERRIDE: defaultdict(lambda: [0, 0]),
        ESCALATION: defaultdict(lambda: [0, 0]),
    }
    for case in cases:
        key = case.day, case.segment, int(10 * case.score)
        escalated = is_escalated(case, world.threshold)
        _count(counts[ESCALATION][key], escalated)
        if escalated or case.is_sampled:
            _count(counts[OVERRIDE][key], case.is_override)
    return {
        name: [Group(is_after, *key, Cell(n, hits, n, hits, hits, n)) for key, (hits, n) in of.items()]
        for name, of in counts.items()
    }


def until(groups: Sequence[Group], day: int) -> list[Group]:
    """The groups of earlier days as those of one: nothing asks for the days after."""
    merged: dict[tuple, Cell] = defaultdict(Cell)
    for one in groups:
        if one.day < day:
            merged[one.segment, one.level] += one.cell
    return [Group(True, 0, segment, level, cell) for (segment, level), cell in merged.items()]


def _count(count: list[int], is_hit: bool) -> None:
    count[0] += is_hit
    count[1] += 1


def replays(cases: Sequence[Case], before: World, after: World, metric: str) -> list[Replayed]:
    """The cases of before through the thresholds of both sides."""
    found = []
    for case in cases:
        then, now = is_escalated(case, before.threshold), is_escalated(case, after.threshold)
        if metric == ESCALATION:
            found.append(Replayed(case.segment, (float(then), 1.0), (float(now), 1.0)))
        elif then or case.is_sampled:
            chance = 1.0 if then else SAMPLED
            weight = (1.0 if now else SAMPLED) / chance
            hit = float(case.is_override)
            found.append(Replayed(case.segment, (hit, 1.0), (hit * weight, weight)))
    return found


@dataclass(frozen=True)
class Life:
    """What one release's looks gave: the day of the first alarm by metric, what it said, and whether it was right."""

    first: dict[str, int]
    said: dict[str, Finding]
    by_hand: bool
    holds: bool  # whether the interval held the true change of overrides at every look


def live(scenario: Scenario, a_day: int, dice: random.Random) -> Life:
    old = list(cases_of(scenario.before, a_day, BEFORE, dice))
    new = list(cases_of(scenario.after, a_day, AFTER, dice))
    was, will = groups_of(old, scenario.before, is_after=False), groups_of(new, scenario.after, is_after=True)
    has_policy = scenario.before.threshold != scenario.after.threshold
    changes = {
        name: Changes(
            model=True,
            retrieval=scenario.after.retrieval != 0,
            policy=has_policy,
            replay=replays(old, scenario.before, scenario.after, name) if has_policy else None,
        )
        for name in was
    }
    first, said, by_hand, holds = {}, {}, False, True
    for day in LOOKS:
        groups = {name: [*was[name], *until(will[name], day)] for name in was}
        for one in find(groups, changes, known=first):
            if one.is_drift and one.metric not in first:
                first[one.metric], said[one.metric] = day, one
            if one.metric == OVERRIDE and scenario.cause in (None, Cause.MODEL) and not scenario.after.only:
                holds = holds and one.low <= scenario.after.worse <= one.high
        by_hand = by_hand or plainly_differs(groups[OVERRIDE])
    return Life(first, said, by_hand, holds)


def plainly_differs(groups: Sequence[Group]) -> bool:
    """Two shares as they are, by the usual test of 5 %."""
    sides = [Cell(), Cell()]
    for group in groups:
        sides[group.is_after] += group.cell
    before, after = sides
    share = (before.a + after.a) / (before.n + after.n)
    error = math.sqrt(share * (1 - share) * (1 / before.n + 1 / after.n))
    return error > 0 and abs(after.mean - before.mean) > 1.96 * error


def measured(rounds: int, loads: Sequence[int], only: str = "") -> Iterator[str]:
    """Lines of a Markdown table."""
    yield "| what changed | a day | by hand | any alarm | alarm | after days | named right | interval holds |"
    yield "|---|---:|---:|---:|---:|---:|---:|---:|"
    for scenario in SCENARIOS:
        for a_day in loads:
            if only and only not in scenario.name:
                continue
            dice = random.Random(f"{scenario.name} {a_day}")
            yield _line(scenario, a_day, [live(scenario, a_day, dice) for _ in range(rounds)])


def _line(scenario: Scenario, a_day: int, lives: Sequence[Life]) -> str:
    found = [life for life in lives if scenario.metric in life.first]
    named = Counter(life.said[scenario.metric].parts.main for life in found)
    cells = (
        scenario.name,
        f"{a_day}",
        f"{mean(life.by_hand for life in lives):.0%}",
        f"{mean(bool(life.first) for life in lives):.1%}",
        f"{len(found) / len(lives):.1%}",
        f"{median(life.first[scenario.metric] for life in found):.0f}" if scenario.cause and found else "–",
        f"{named[(scenario.cause,)] / len(found):.0%}" if scenario.cause and found else "–",
        "–"
        if scenario.after.only or scenario.cause not in (None, Cause.MODEL)
        else f"{mean(life.holds for life in lives):.1%}",
    )
    return f"| {' | '.join(cells)} |"


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m tests.bench.drift", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="few releases, to see that everything still runs")
    parser.add_argument("--rounds", type=int, help="simulated releases for each line")
    parser.add_argument("--only", default="", help="the lines with these words")
    options = parser.parse_args()
    rounds, loads = (2, (40,)) if options.quick else (200, (40, 150))
    for line in measured(options.rounds or rounds, loads, options.only):
        print(line, flush=True)


if __name__ == "__main__":
    main()
