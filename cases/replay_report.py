"""The closing table of a replay: what came of its lines, counted as they are answered."""

from array import array
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from math import ceil

from .replay import Accepted, Answer, Refusal
from .untrusted import is_unseen
from .vocabulary import Route, Trigger

REFUSALS_SHOWN = 20
COMPLAINTS_SHOWN = 3  # of one line
_WIDTH = 160


@dataclass
class Tally:
    """Counts of one replay; bounded however long the file is, but for eight bytes a line."""

    new: int = 0
    known: int = 0
    refusals: Counter[str] = field(default_factory=Counter)
    shown: list[tuple[int, Refusal]] = field(default_factory=list)  # the first, with their line numbers
    routes: Counter[str] = field(default_factory=Counter)
    queues: Counter[str | None] = field(default_factory=Counter)
    triggers: Counter[str] = field(default_factory=Counter)
    without_trigger: int = 0
    seconds: array = field(default_factory=lambda: array("d"))  # of each answer

    @property
    def accepted(self) -> int:
        return self.new + self.known

    @property
    def refused(self) -> int:
        return self.refusals.total()

    def add(self, number: int, answer: Answer, seconds: float) -> None:
        """Count the answer to line ``number``, which took ``seconds``."""
        self.seconds.append(seconds)
        if isinstance(answer, Accepted):
            self._accept(answer)
            return
        self.refusals[answer.code] += 1
        if len(self.shown) < REFUSALS_SHOWN:
            self.shown.append((number, answer))

    def _accept(self, answer: Accepted) -> None:
        self.new += answer.is_new
        self.known += not answer.is_new
        self.routes[answer.route] += 1
        self.queues[answer.queue] += 1
        self.triggers.update(answer.triggers)
        self.without_trigger += not answer.triggers

    def lines(self, elapsed: float, waited: float = 0.0) -> Iterator[str]:
        """The table, line by line; ``elapsed`` is the whole replay in seconds, ``waited`` what of it was asked for."""
        rows = [
            ("accepted", f"{self.accepted:,}"),
            ("  new", f"{self.new:,}"),
            ("  already known", f"{self.known:,}"),
            ("refused", f"{self.refused:,}"),
            *((f"  {_plain(code)}", f"{count:,}") for code, count in _sorted(self.refusals)),
            ("", ""),
            ("answered in, p50", _milliseconds(percentile(self.seconds, 0.50))),
            ("answered in, p95", _milliseconds(percentile(self.seconds, 0.95))),
            ("records a second", f"{len(self.seconds) / elapsed:,.0f}" if self.seconds and elapsed else "–"),
            *([("waited as asked", f"{waited:,.0f} s")] if waited else []),
            *_group("by route", [(_label(Route, route), count) for route, count in _sorted(self.routes)]),
            *_group("by queue", [(_plain(queue or "no queue"), count) for queue, count in _sorted(self.queues)]),
            *_group(
                "by trigger",
                [(_label(Trigger, name), count) for name, count in _sorted(self.triggers)]
                + ([("none", self.without_trigger)] if self.without_trigger else []),
            ),
        ]
        width = max(len(label) for label, _ in rows)
        number = max(len(figure) for _, figure in rows)
        yield from (f"{label:<{width}}  {figure:>{number}}".rstrip() for label, figure in rows)
        if self.shown:
            yield ""
            yield "refused lines"
            for line_number, refusal in self.shown:
                yield from _refusal_lines(line_number, refusal)
            if (more := self.refused - len(self.shown)) > 0:
                yield f"  and {more:,} more"


def percentile(values: Iterable[float], share: float) -> float | None:
    """The nearest-rank percentile: the smallest value that at least ``share`` of all do not exceed."""
    ordered = sorted(values)
    return ordered[max(0, ceil(share * len(ordered)) - 1)] if ordered else None


def _group(title: str, rows: list[tuple[str, int]]) -> list[tuple[str, str]]:
    return [("", ""), (title, ""), *((f"  {label}", f"{count:,}") for label, count in rows)] if rows else []


def _sorted(counter: Counter) -> list[tuple]:
    """The most frequent first, then by name."""
    return sorted(counter.items(), key=lambda item: (-item[1], str(item[0])))


def _label(words: type[Route] | type[Trigger], value: str) -> str:
    return words(value).label if value in words.values else _plain(value)


def _milliseconds(seconds: float | None) -> str:
    return "–" if seconds is None else f"{seconds * 1000:,.1f} ms"


def _refusal_lines(number: int, refusal: Refusal) -> Iterator[str]:
    for pointer, sentence in refusal.complaints[:COMPLAINTS_SHOWN]:
        yield f"  line {number}: {_plain(f'{pointer}: {sentence}' if pointer else sentence)}"
    if (more := len(refusal.complaints) - COMPLAINTS_SHOWN) > 0:
        yield f"  line {number}: and {more} more complaints"


def _plain(text: str) -> str:
    """Safe for a terminal: pointers are made of the file's own keys, and a server may answer anything."""
    line = " ".join(text[:1000].split())
    line = "".join("\ufffd" if is_unseen(character) else character for character in line)
    return line if len(line) <= _WIDTH else line[: _WIDTH - 1] + "…"
