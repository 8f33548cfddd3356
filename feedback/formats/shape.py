"""What a format is: a name, the kinds that it can carry, and how one example becomes lines. Pure."""

import json
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

from ..datasets.examples import Example
from ..kinds import Kind

EVERY_KIND = frozenset(Kind)


@dataclass(frozen=True)
class Destination:
    """What a file says of itself: the names that tools file it under."""

    tenant: str
    dataset: str
    dataset_id: str
    kind: Kind


@dataclass(frozen=True)
class Format:
    """``lines`` turns one example into the lines of the file, without their ends; ``head`` is written first.

    An example that the format cannot carry gives no line; the manifest counts it as left out.
    """

    name: str
    title: str
    suffix: str
    media_type: str
    kinds: frozenset[Kind]
    lines: Callable[[Example, Destination], Iterable[str]]
    head: Callable[[Destination], Iterable[str]] = lambda destination: ()
    line_end: str = "\n"


_encode = json.JSONEncoder(ensure_ascii=False, separators=(",", ":")).encode


def line(document: Any) -> str:
    """One JSON document as one line. U+2028 and U+2029 are escaped: some readers take them for line ends."""
    text = _encode(document)
    return text.replace("\u2028", "\\u2028").replace("\u2029", "\\u2029").replace("\x85", "\\u0085")


def metadata(fields: dict[str, Any], *names: str) -> dict[str, Any]:
    """What a tool keeps beside an example: where it came from, and ``names``."""
    kept = ("split", "case_id", "external_id", "reviewed_at", "domain", "language", "risk_level", "release", "label")
    return {name: fields[name] for name in (*kept, "reason_code", *names) if name in fields}


def jsonl(name: str, title: str, kinds: Iterable[Kind], documents: Callable[[Example, Destination], Iterable[Any]]):
    """A format of one JSON document on each line."""
    return Format(
        name=name,
        title=title,
        suffix="jsonl",
        media_type="application/jsonl",
        kinds=frozenset(kinds),
        lines=lambda example, destination: map(line, documents(example, destination)),
    )
