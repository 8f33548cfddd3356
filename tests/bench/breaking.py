"""Breakers by simulation: how often they alarm for nothing, and after how many cases they see a change.

Pure: no database, and the same seeds each time, so that a figure changes only when the tests do; ``Figure.n`` is the
number of runs. The tests are those of a new ``BreakerRule``: ten points worth an alarm, one false alarm in 5,000 cases,
learned from 200. Medians (95th percentile) of ``python -m tests.bench --only breakers --answers FILE``, 200 runs a row:

| what happens | what the breaker does |
|---|---|
| a share stays at 20 %, known | a false alarm in 5,422 cases; computed: 5,516 |
| the same, learned | one in 45,042, as the careful edge of the baseline counts; 10 of 200 within 500 |
| it jumps to 30, 40, 60 % | seen after 182 (895), 65 (138), 27 (44) cases |
| it drifts to 40 % within 500 cases | after 342 (484) |
| ten cases in each 1,000 at 90 % | after 2,062, two spikes; 8 of 200 never |
| 50 cases a day become 75, 150; or one more each day | after 2 (4), 1 (1); 17 (22) days |
| real answers: ctrl (21 of 114 overridden), then t5, doha or gpt2 alone | after 31, 23, 14 in their order |
| the same answers in 1,000 orders, 200 learned and 230 watched | 24 false alarms |
"""

import itertools
import json
import random
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from statistics import mean, median

from cases.breaker import Direction, Side, from_json, share_sides, to_json, volume_sides
from cases.replay_report import percentile

from .figures import Figure

RISE = [Direction.RISE]
SHIFT, EVERY, LEARNED = 0.1, 5_000, 200
HORIZON, DAYS = 60_000, 12_000  # observations, and slots, after which a run ends without an alarm
EARLY = 500


def breakers(runs: int, data: Path | None = None) -> Iterator[Figure]:
    """Every row: stationary, jumping, drifting and spiking shares and volumes, then the real answers."""
    yield from shares(runs)
    yield from volumes(runs)
    if data and data.exists():
        yield from answers(data, shuffles=runs * 5)


# --- series ----------------------------------------------------------------------------------------------------------


def coin(rng: random.Random, share: Callable[[int], float]) -> Iterator[bool]:
    return (rng.random() < share(number) for number in itertools.count())


def poisson(rng: random.Random, expected: float) -> int:
    """A count by the exponential waits that it is made of; above 500 by its normal limit."""
    if expected > 500:
        return max(0, round(rng.gauss(expected, expected**0.5)))
    count, waited = 0, rng.expovariate(1)
    while waited < expected:
        count, waited = count + 1, waited + rng.expovariate(1)
    return count


def until_alarm(sides: Sequence[Side], observations: Iterator[int], most: int = HORIZON) -> int | None:
    """After how many observations a fresh copy of the test alarms; None: not within ``most``."""
    fresh = from_json(to_json(sides))
    for number, one in enumerate(itertools.islice(observations, most), start=1):
        if any([side.see(one) for side in fresh]):
            return number
    return None


def learned(rng: random.Random, share: float) -> Sequence[Side]:
    hits = sum(rng.random() < share for _ in range(LEARNED))
    return share_sides(RISE, shift=SHIFT, every=EVERY, hits=hits, n=LEARNED)


def shares(runs: int) -> Iterator[Figure]:
    known = share_sides(RISE, shift=SHIFT, every=EVERY, share=0.2)

    def each(share: Callable[[int], float], test: Callable[[random.Random], Sequence[Side]]) -> list[int | None]:
        found = []
        for seed in range(runs):
            rng = random.Random(seed)
            found.append(until_alarm(test(rng), coin(rng, share)))
        return found

    for words, test in (
        ("known baseline", lambda rng: known),
        (f"learned from {LEARNED}", lambda rng: learned(rng, 0.2)),
    ):
        yield _rarely(f"share stays at 20 %, {words}", each(lambda number: 0.2, test))
    for to in (0.3, 0.4, 0.6):
        yield _soon(
            f"share jumps from 20 to {to:.0%}".replace("%", " %"),
            each(lambda number, to=to: to, lambda rng: learned(rng, 0.2)),
        )
    drift = each(lambda number: min(0.4, 0.2 + number * 0.2 / 500), lambda rng: learned(rng, 0.2))
    yield _soon("share drifts from 20 to 40 % within 500", drift)
    spike = each(lambda number: 0.9 if number % 1000 < 10 else 0.2, lambda rng: learned(rng, 0.2))
    yield _soon("share spikes to 90 % for 10 cases in 1,000", spike)


def volumes(runs: int) -> Iterator[Figure]:
    """Days of cases: 28 to learn from, half as many more worth an alarm, a false alarm in 1,000 days."""

    def each(moved: Callable[[int], float], wild: float = 0.0) -> list[int | None]:
        found = []
        for seed in range(runs):
            rng = random.Random(seed)

            def day(expected: float, rng: random.Random = rng) -> int:
                return poisson(rng, expected * (rng.gammavariate(1 / wild, wild) if wild else 1.0))

            sides = volume_sides(RISE, shift=0.5, every=1_000, counts=[day(50) for _ in range(28)])
            found.append(until_alarm(sides, (day(moved(number)) for number in itertools.count()), most=DAYS))
        return found

    yield _rarely("volume stays at 50 a day", each(lambda number: 50), "days", DAYS)
    yield _rarely("volume stays at 50, varies four times as much", each(lambda number: 50, wild=0.06), "days", DAYS)
    yield _soon("volume jumps from 50 to 75 a day", each(lambda number: 75), "days")
    yield _soon("volume jumps from 50 to 150 a day", each(lambda number: 150), "days")
    yield _soon("volume grows by 1 a day", each(lambda number: 50 + number), "days")


# --- real answers ----------------------------------------------------------------------------------------------------


def answers(data: Path, shuffles: int) -> Iterator[Figure]:
    """Four real models, a wrong answer being an override: the best one's answers are the baseline, then one of the
    others takes its place; and the best one's in ``shuffles`` orders, half to learn from and half to watch."""
    by_model = overrides_by_model(data)
    first = min(by_model, key=lambda name: mean(by_model[name]))
    usual = by_model.pop(first)
    test = share_sides(RISE, shift=SHIFT, every=EVERY, hits=sum(usual), n=len(usual))
    words = f"{first}: {sum(usual)} of {len(usual)} overridden"
    for name, said in sorted(by_model.items(), key=lambda pair: mean(pair[1])):
        as_sent = until_alarm(test, iter(said))
        runs = []
        for seed in range(100):
            order = said[:]
            random.Random(seed).shuffle(order)
            runs.append(until_alarm(test, iter(order)))
        seen = f"as sent {as_sent or 'none'}; {_delay(runs)}"
        yield Figure(f"answers: {words}; then {name}, {mean(said):.0%}".replace("%", " %"), len(said), seen)
    false = 0
    for seed in range(shuffles):
        order = usual[:]
        random.Random(seed).shuffle(order)
        half = len(order) // 2
        sides = share_sides(RISE, shift=SHIFT, every=EVERY, hits=sum(order[:half]), n=half)
        false += until_alarm(sides, iter(order[half:])) is not None
    yield Figure(f"answers: {first} shuffled, half learned, half watched", shuffles, f"{false} false alarms")
    pooled = [one for said in (usual, *by_model.values()) for one in said]
    false = 0
    for seed in range(shuffles):
        random.Random(seed).shuffle(pooled)
        sides = share_sides(RISE, shift=SHIFT, every=EVERY, hits=sum(pooled[:LEARNED]), n=LEARNED)
        false += until_alarm(sides, iter(pooled[LEARNED:])) is not None
    what = f"answers: all shuffled, {LEARNED} learned, {len(pooled) - LEARNED} watched"
    yield Figure(what, shuffles, f"{false} false alarms")


def overrides_by_model(data: Path) -> dict[str, list[bool]]:
    """Per model, in the order of the file, whether a person would have overridden its answer."""
    labels = data.with_name(data.name.replace(".jsonl", ".labels.jsonl"))
    truth = {one["external_id"]: one["correct"] for one in map(json.loads, labels.read_text().splitlines())}
    found: dict[str, list[bool]] = {}
    for one in map(json.loads, data.read_text().splitlines()):
        found.setdefault(one["release"]["model"], []).append(not truth[one["external_id"]])
    return found


def _rarely(what: str, runs: Sequence[int | None], unit: str = "cases", most: int = HORIZON) -> Figure:
    """``n`` runs of which some alarm early; alarms over all that was watched is the rate."""
    alarmed = [run for run in runs if run]
    watched = sum(run or most for run in runs)
    rate = f"one in {watched / len(alarmed):,.0f} {unit}" if alarmed else f"none in {watched:,} {unit}"
    early = sum(bool(run and run <= EARLY) for run in runs)
    return Figure(what, len(runs), f"{rate}, median {median(run or most for run in runs):,.0f}; {early} within {EARLY}")


def _soon(what: str, runs: Sequence[int | None], unit: str = "cases") -> Figure:
    return Figure(what, len(runs), f"{_delay(runs)} {unit}")


def _delay(runs: Sequence[int | None]) -> str:
    seen = [run for run in runs if run]
    missed = f", {len(runs) - len(seen)} never" if len(seen) < len(runs) else ""
    if not seen:
        return "never seen"
    return f"seen after p50 {percentile(seen, 0.5):.0f}, p95 {percentile(seen, 0.95):.0f}{missed}"
