"""The command behind ``make bench``: servers, databases, measurements, one table."""

import argparse
import os
import shutil
import sys
import tempfile
import time
import warnings
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from config import embedded


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
    emptied: int
    breaks: int
    resamples: int


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
    emptied=10_000,
    breaks=200,
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
    emptied=200,
    breaks=2,
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
    warnings.filterwarnings("ignore", message="No directory at")  # whitenoise's, of static files collected for nobody
    folder = Path(tempfile.mkdtemp(prefix="countersign-bench-"))
    try:
        running = embedded.start(folder, durable=True)
        try:
            os.environ.update(
                DATABASE_URL=running.database_url,
                REDIS_URL=running.redis_url,
                COUNTERSIGN_DATA=os.devnull,
                COUNTERSIGN_INSECURE_HTTP="1",
                DJANGO_SETTINGS_MODULE="config.settings",
                LOG_LEVEL="ERROR",
            )
            size = QUICK if options.quick else FULL
            _measure(size, running.database_url, folder / "logs", only=options.only, answers=options.answers)
        finally:
            running.stop()
    except embedded.CannotStart as error:
        sys.exit(str(error))
    except KeyboardInterrupt:
        sys.exit(130)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _measure(size: Size, url: str, logs: Path, *, only: Sequence[str] = (), answers: Path | None = None) -> None:
    import django

    django.setup()
    from . import advising, breaking, claiming, flipping, going_on, ground, pages, shadowing, sweeping, taking_in
    from .figures import Figure, table

    began = time.monotonic()

    def say(what: str) -> None:
        print(f"{time.monotonic() - began:5.0f} s  {what} …", file=sys.stderr, flush=True)

    say("building the first database")
    land = ground.build(url, reviewers=size.reviewers)
    ground.fill_past(size.few, first=1)
    ground.fill_waiting(size.few, first=size.few + 1)
    first = 2 * size.few + 1
    if not only:  # The large ones take minutes.
        say(f"a copy with {size.waiting:,} waiting cases")
        ground.copy(land, ground.WAITING)
        with land.on(ground.WAITING):
            ground.fill_waiting(size.waiting - size.few, first=first)
        say(f"a copy with {size.past:,} past cases")
        ground.copy(land, ground.PAST)
        with land.on(ground.PAST):
            ground.fill_past(size.past - size.few, first=first)

    parts: list[tuple[str, Callable[[], Iterable[Figure]]]] = [
        ("claims in process", lambda: claiming.throughput(land, size.rounds)),
        ("claims over HTTP", lambda: claiming.over_http(land, size.rounds, logs)),
        ("claims beside a past", lambda: claiming.beside_a_past(land, size.blocks)),
        ("claims of a specialist", lambda: claiming.of_a_specialist(land, size.blocks)),
        ("an emptied queue", lambda: claiming.emptied(land, size.emptied)),
        ("pages", lambda: pages.pages(land, size.loads)),
        ("decide and next", lambda: going_on.going_on(land, size.decisions, logs)),
        ("sweeps", lambda: sweeping.sweeps(land, size.due)),
        ("intake over HTTP", lambda: taking_in.over_http(land, size.rounds, size.requests, logs)),
        ("intake in process", lambda: taking_in.switch_read(land, size.intakes)),
        ("shadow policies in an intake", lambda: shadowing.shadows_in_intake(land, size.intakes)),
        ("breakers", lambda: breaking.breakers(size.breaks, answers)),
        ("advice", lambda: advising.advice(size.resamples, answers)),
        ("asking the switch", lambda: flipping.asking(land, size.intakes)),
        ("flips of the switch", lambda: flipping.flips(land, size.flips)),
    ]
    figures: list[Figure] = []
    try:
        for name, measure in [part for part in parts if not only or any(word in part[0] for word in only)]:
            say(name)
            figures += measure()
        say("done")
    finally:  # What was measured before a failure or Ctrl-C is still worth reading.
        print("\n".join(table(figures)))
        print(f"\nMedians of one run of {time.monotonic() - began:.0f} s on {os.cpu_count()} cores, servers durable.")


if __name__ == "__main__":
    main()
