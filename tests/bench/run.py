"""The command behind ``make bench``: servers, databases, measurements, one table."""

import argparse
import os
import sys
import time
from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from .own_servers import own_servers


@dataclass(frozen=True)
class Size:
    """How much is measured. ``reviewers`` is also the number of claims in a round."""

    few: int
    waiting: int
    past: int
    due: int
    reviewers: int
    rounds: int
    blocks: int
    requests: int
    loads: int
    decisions: int
    intakes: int
    flips: int
    deciders: int
    emptied: int
    breaks: int
    sealed: int
    resamples: int


@dataclass(frozen=True)
class Part:
    """One group of measurements, and the large databases without which it cannot run."""

    name: str
    measure: Callable[[], Iterable[Any]]  # of figures
    needs: Collection[str] = ()


FULL = Size(
    few=1_000,
    waiting=100_000,
    past=1_000_000,
    due=1_000,
    reviewers=160,
    rounds=4,
    blocks=10,
    requests=64,
    loads=20,
    decisions=100,
    intakes=300,
    flips=500,
    deciders=8,
    emptied=10_000,
    breaks=200,
    sealed=1_000_000,
    resamples=200,
)
QUICK = Size(
    few=100,
    waiting=1_000,
    past=2_000,
    due=20,
    reviewers=24,
    rounds=1,
    blocks=1,
    requests=16,
    loads=2,
    decisions=2,
    intakes=10,
    flips=10,
    deciders=2,
    emptied=200,
    breaks=2,
    sealed=2_000,
    resamples=2,
)


def main() -> None:
    parser = argparse.ArgumentParser(prog="make bench", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="a small version, to see that everything still runs")
    parser.add_argument(
        "--only", action="append", default=[], metavar="WORD", help="only measurements whose name holds a WORD"
    )
    parser.add_argument(
        "--answers", type=Path, metavar="FILE", help="real answers as JSON lines, with their .labels.jsonl beside them"
    )
    options = parser.parse_args()
    with own_servers(settings={"track_commit_timestamp": "on"}) as (url, folder):  # for ``flipping``
        size = QUICK if options.quick else FULL
        _measure(size, url, folder / "logs", only=options.only, answers=options.answers)


def _measure(size: Size, url: str, logs: Path, *, only: Sequence[str] = (), answers: Path | None = None) -> None:
    from . import (
        advising,
        asking,
        breaking,
        claiming,
        evaluating,
        flipping,
        going_on,
        ground,
        grounding,
        pages,
        seals,
        shadowing,
        sweeping,
        taking_in,
    )
    from .figures import Figure, table

    began = time.monotonic()

    def say(what: str) -> None:
        print(f"{time.monotonic() - began:5.0f} s  {what} …", file=sys.stderr, flush=True)

    say("building the first database")
    land = ground.build(url, reviewers=size.reviewers)
    ground.fill_past(size.few, first=1)
    ground.fill_waiting(size.few, first=size.few + 1)
    waiting, past = ground.WAITING, ground.PAST
    parts = [
        Part("claims in process", lambda: claiming.throughput(land, size.rounds), {waiting}),
        Part("claims over HTTP", lambda: claiming.over_http(land, size.rounds, logs), {waiting}),
        Part("claims beside a past", lambda: claiming.beside_a_past(land, size.blocks), {past}),
        Part("claims of a specialist", lambda: claiming.of_a_specialist(land, size.blocks), {waiting}),
        Part("an emptied queue", lambda: claiming.emptied(land, size.emptied), {waiting}),
        Part("pages", lambda: pages.pages(land, size.loads), {waiting}),
        Part("decide and next", lambda: going_on.going_on(land, size.decisions, logs), {waiting}),
        Part("sweeps", lambda: sweeping.sweeps(land, size.due), {waiting}),
        Part("intake over HTTP", lambda: taking_in.over_http(land, size.rounds, size.requests, logs)),
        Part("intake in process", lambda: taking_in.switch_read(land, size.intakes)),
        Part("shadow policies in an intake", lambda: shadowing.shadows_in_intake(land, size.intakes)),
        Part("evaluators in an intake", lambda: evaluating.evaluators_in_intake(land, size.intakes)),
        Part("breakers", lambda: breaking.breakers(size.breaks, answers)),
        Part("asking the switch", lambda: asking.in_process(land, size.intakes)),
        Part("asking the switch over HTTP", lambda: asking.over_http(land, size.intakes, logs)),
        Part("groundedness", lambda: grounding.groundedness_of_answers(size.resamples, answers)),
        Part("advice", lambda: advising.advice(size.resamples, answers)),
        Part("seals", lambda: seals.sealing_costs(land, size.intakes, size.sealed)),
        Part("flips of the switch", lambda: flipping.flips(land, size.flips, size.deciders)),
    ]
    chosen = [part for part in parts if not only or any(word in part.name for word in only)]
    needed = {name for part in chosen for name in part.needs}  # The large ones take minutes.
    first = 2 * size.few + 1
    if waiting in needed:
        say(f"a copy with {size.waiting:,} waiting cases")
        ground.copy(land, waiting)
        with land.on(waiting):
            ground.fill_waiting(size.waiting - size.few, first=first)
    if past in needed:
        say(f"a copy with {size.past:,} past cases")
        ground.copy(land, past)
        with land.on(past):
            ground.fill_past(size.past - size.few, first=first)

    figures: list[Figure] = []
    try:
        for part in chosen:
            say(part.name)
            figures += part.measure()
        say("done")
    finally:  # What was measured before a failure or Ctrl-C is still worth reading.
        print("\n".join(table(figures)))
        print(f"\nMedians of one run of {time.monotonic() - began:.0f} s on {os.cpu_count()} cores, servers durable.")


if __name__ == "__main__":
    main()
