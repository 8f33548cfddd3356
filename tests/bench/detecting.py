"""How soon the challenge policy finds who does not look: ``python -m tests.bench.detecting``.

Simulated people decide so many cases a day; each decision draws by the product's own rules (``feedback.dose``, the
default policy, the cap on friction at 15 %), and a challenge that came in is missed with the person's known chance:
what they would let through of the real labelled sets' wrong answers.
"""

import argparse
import random
from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from statistics import median, quantiles

from feedback.dose import (
    DAY,
    DEFAULT_PERCENT,
    DEFAULTS,
    LOOKED_AT,
    Rates,
    Record,
    chance,
    has_room,
    misses_that_pause,
)

from .oversight import Person

DAYS = 250  # of work: a year
HOURS = 7
PEOPLE = (
    Person(0.05),  # misses 5 % of what is wrong
    Person(0.2),
    Person(0.05, carelessness=0.474),  # misses 50 %: nearly half of the cases are accepted unread
    Person(0.05, carelessness=0.789),  # misses 80 %
)


@dataclass(frozen=True)
class Found:
    """Working days until the first alert and until the first pause; None where there was none in the year. ``share``
    is that of challenges among all that was decided until then."""

    first_alert: int | None
    pause: int | None
    share: float


def year_of(person: Person, a_day: int, dice: random.Random, rates: Rates = DEFAULTS) -> Found:
    """One person from their first day on, ``a_day`` real cases a day, until they are paused or a year is over."""
    began = now = datetime(2026, 1, 5, 9, tzinfo=UTC)
    results: list[bool] = []  # newest first
    planted: list[datetime] = []
    last_kinds: deque[bool] = deque(maxlen=LOOKED_AT)
    is_next, first_alert, met = False, None, 0
    for n in range(a_day * DAYS):
        now = began + (n // a_day) * DAY + timedelta(hours=HOURS) * (n % a_day) / a_day
        if is_next:
            is_next, met = False, met + 1
            planted.insert(0, now)
            last_kinds.append(True)
            results.insert(0, dice.random() >= person.wrong(is_correct=False))
            if not results[0] and first_alert is None:
                first_alert = n // a_day + 1
            if not results[0] and misses_that_pause(rates, results):
                return Found(first_alert, n // a_day + 1, met / (n + met))
        last_kinds.append(False)
        record = Record(
            since=began,
            last_at=planted[0] if planted else None,
            within_a_day=sum(at > now - DAY for at in planted[:10]),
            results=results,
        )
        may_come = has_room(sum(last_kinds), len(last_kinds), DEFAULT_PERCENT)
        is_next = may_come and dice.random() < chance(rates, record, now)
    return Found(first_alert, None, met / (a_day * DAYS + met))


def measured(rounds: int, loads: Sequence[int] = (20, 60, 150)) -> Iterator[str]:
    """Lines of a Markdown table."""
    yield "| misses | cases a day | days to an alert (median, 90 %) | to a pause | paused in a year | share of work |"
    yield "|---|---|---|---|---|---|"
    for person in PEOPLE:
        for a_day in loads:
            dice = random.Random(f"{person} {a_day}")
            years = [year_of(person, a_day, dice) for _ in range(rounds)]
            paused = sum(year.pause is not None for year in years) / rounds
            share = sum(year.share for year in years) / rounds
            yield (
                f"| {person.wrong(is_correct=False):.0%} | {a_day} | {days([y.first_alert for y in years])} "
                f"| {days([y.pause for y in years])} | {paused:.0%} | {share:.1%} |"
            )


def days(found: Sequence[int | None]) -> str:
    known = [DAYS + 1 if one is None else one for one in found]
    middle, high = median(known), quantiles(known, n=10)[-1]
    return ", ".join("never" if one > DAYS else f"{one:.0f}" for one in (middle, high))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="fewer people")
    for line in measured(20 if parser.parse_args().quick else 400):
        print(line)


if __name__ == "__main__":
    main()
