"""What a reviewer weighs, as the page draws it: signals, evidence, policies, tool results, the customer.

Made of rows and stored JSON that are already loaded; no queries. All texts are untrusted; the templates escape them.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from cases.models import Case
from cases.presentation import customer_document, reading_words
from cases.vocabulary import Signal
from queues.models import Consultation

from .checklist import documents_of
from .wording import laid_out, percent

LONG_TEXT = 700  # characters; longer policies and outputs start folded.


@dataclass(frozen=True)
class SignalBar:
    """One signal's part in the confidence. ``got`` and ``possible`` are widths in percent of the heaviest signal."""

    name: str
    value: str
    reading: str
    points: str
    got: float
    possible: float
    lost: float


def signal_bars(contributions: Sequence[Mapping[str, Any]]) -> list[SignalBar]:
    """The signals that weigh something, heaviest first."""
    used = sorted((part for part in contributions if part["weight"] > 0), key=lambda part: -part["weight"])
    heaviest = used[0]["weight"] if used else 1.0
    return [
        SignalBar(
            name=Signal(part["signal"]).label if part["signal"] in Signal.values else part["signal"],
            value="missing" if part["value"] is None else f"{part['value']:.2f}",
            reading=reading_words(part),
            points=f"{part['points'] * 100:.0f} of {part['weight'] * 100:.0f} points",
            got=round(100 * part["points"] / heaviest, 1),
            possible=round(100 * part["weight"] / heaviest, 1),
            lost=part["weight"] - part["points"],
        )
        for part in used
    ]


def weakest(bars: Sequence[SignalBar]) -> SignalBar | None:
    """The signal that holds the confidence down most."""
    return max(bars, key=lambda bar: bar.lost, default=None)


@dataclass(frozen=True)
class Evidence:
    number: int
    document_id: str
    quote: str
    score: str
    share: float | None
    url: str
    is_best: bool
    place: int  # of its document among those that are cited; where the document is marked
    is_first: bool  # of its document


def evidence_of(items: Sequence[Mapping[str, Any]]) -> list[Evidence]:
    """In the caller's order; the one with the highest score, else the first, is the best."""
    scores = [item["score"] if isinstance(item.get("score"), int | float) else -1.0 for item in items]
    best = scores.index(max(scores)) if scores else None
    names = [item["document_id"] for item in items]
    places = {name: place for place, name in enumerate(documents_of(items), start=1)}
    return [
        Evidence(
            number=position + 1,
            document_id=item["document_id"],
            quote=item["quote"],
            score=percent(scores[position]) if scores[position] >= 0 else "",
            share=round(100 * scores[position], 1) if scores[position] >= 0 else None,
            url=item.get("url") or "",
            is_best=position == best,
            place=places[item["document_id"]],
            is_first=names.index(item["document_id"]) == position,
        )
        for position, item in enumerate(items)
    ]


@dataclass(frozen=True)
class Passage:
    """A policy's text or a tool's output under its name."""

    name: str
    text: str
    is_long: bool
    status: str = ""

    @property
    def has_failed(self) -> bool:
        return bool(self.status) and self.status != "ok"


def policies_of(items: Sequence[Mapping[str, Any]]) -> list[Passage]:
    return [Passage(item["policy_id"], item["text"], len(item["text"]) > LONG_TEXT) for item in items]


def tools_of(items: Sequence[Mapping[str, Any]]) -> list[Passage]:
    passages = []
    for item in items:
        text = laid_out(item.get("output") or "")
        passages.append(Passage(item["tool"], text, len(text) > LONG_TEXT, item["status"]))
    return passages


@dataclass(frozen=True)
class Message:
    who: str
    at: str
    text: str


def messages_of(items: Sequence[Mapping[str, Any]], clock: Callable[[datetime], str]) -> list[Message]:
    """``clock`` words an instant for the reader."""
    return [
        Message(item["role"], clock(datetime.fromisoformat(item["at"])) if item.get("at") else "", item["content"])
        for item in items
    ]


@dataclass(frozen=True)
class Customer:
    fields: list[tuple[str, str]]
    is_masked: bool


def customer_of(case: Case, visible: frozenset[str]) -> Customer | None:
    document = customer_document(case, unmasked="customer" in visible)
    fields = [(name.capitalize(), str(value)) for name, value in (document or {}).items() if value]
    return Customer(fields, "customer" not in visible) if fields else None


@dataclass(frozen=True)
class Consulted:
    """A question to a colleague and what became of it; its texts are people's own words."""

    asker: str
    colleague: str
    question: str
    asked: str
    answer: str
    answerer: str
    ended: str
    end: str
    answer_by: str
    is_open: bool


def consulted(row: Consultation, clock: Callable[[datetime], str]) -> Consulted:
    return Consulted(
        asker=str(row.asker),
        colleague=str(row.colleague),
        question=row.question.text.get("note") or "",
        asked=clock(row.asked_at),
        answer=(row.answer.text.get("note") or "") if row.answer else "",
        answerer=str(row.ended_by) if row.ended_by else "",
        ended=clock(row.ended_at) if row.ended_at else "",
        end=row.get_end_display(),
        answer_by=clock(row.answer_by),
        is_open=row.is_open,
    )
