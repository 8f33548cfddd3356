"""How much of a draft stands in its evidence, by its words alone. Pure; an evaluator that a deployment may name.

The formula. A text is cut into *units*. A word is its first five letters, so that endings do not tell words apart; a
number is itself, without grouping marks or an empty fraction. Where a script writes words without spaces between them,
or with many endings of one or two characters (Chinese, Japanese, Korean, Thai, Lao, Khmer, Burmese), every pair of
neighbouring characters is a unit. A number weighs 2, since a wrong one costs most, and everything else 1.

    coverage(text) = weight of its units that the evidence has / weight of all its units
    groundedness   = (coverage(draft) + the least coverage of its sentences of three units or more) / 2

The second half is there because one invented sentence among nine that are copied is what a reviewer wants to hear of.

It knows words and not what they say: a sentence that turns its evidence round with a "not" is grounded in it, and a
good paraphrase is not. What it measured on answers that people labelled stands in ``tests/bench/grounding.py``.
"""

import re
import unicodedata
from collections.abc import Iterable, Iterator, Mapping
from functools import cache
from typing import Any

PREFIX = 5  # letters
NUMBER_WEIGHT = 2.0
LEAST_UNITS = 3  # of a sentence that counts by itself
DRAFT_READ, EVIDENCE_READ = 20_000, 200_000  # characters; what is longer is cut, so that the time is bounded
DIGITS = 4

# Thai, Lao, Burmese, Khmer, kana, Han, Hangul.
_PAIRED = (
    "\u0e00-\u0e7f\u0e80-\u0eff\u1000-\u109f\u1780-\u17ff\u3040-\u30ff\u31f0-\u31ff"
    "\u3400-\u4dbf\u4e00-\u9fff\uac00-\ud7af\uf900-\ufaff\U00020000-\U0002fa1f"
)
_SENTENCE_END = re.compile(r"(?<=[.!?…؟।])\s+|(?<=[。！？｡])|\n+")
_FRACTION = re.compile(r"[.,]0+\Z")
_GROUPING = re.compile(r"[.,'’](?=[0-9]{3}(?![0-9]))")


def evaluate(sent: Mapping[str, Any]) -> float | None:
    """The groundedness of an intake's draft in what came with it: its evidence, the policies that it cites and what
    its tools answered. None without a draft, or with nothing to ground it in: nobody can say, which is not safe.
    """
    draft = sent.get("model_draft") or ""
    return groundedness(draft, _texts(sent)) if draft.strip() else None


def groundedness(draft: str, evidence: Iterable[str]) -> float | None:
    """In [0, 1], with four digits; None where the draft or the evidence has no words."""
    known = _known(evidence)
    units = list(_units(draft[:DRAFT_READ]))
    if not units or not known:
        return None
    whole = _coverage(units, known)
    sentences = (list(_units(part)) for part in _SENTENCE_END.split(draft[:DRAFT_READ]))
    least = min((_coverage(part, known) for part in sentences if len(part) >= LEAST_UNITS), default=whole)
    return round((whole + least) / 2, DIGITS)


def _texts(sent: Mapping[str, Any]) -> Iterator[str]:
    for item in sent.get("evidence") or ():
        yield item.get("quote") or ""
    for policy in sent.get("policies") or ():
        yield policy.get("text") or ""
    for result in sent.get("tool_results") or ():
        if result.get("status") == "ok":
            yield result.get("output") or ""


def _known(evidence: Iterable[str]) -> set[str]:
    """The units of the evidence, with single characters where pairs are units: a lone one in a draft is one of them."""
    known: set[str] = set()
    left = EVIDENCE_READ
    for text in evidence:
        if left <= 0:
            break
        known.update(_units(text[:left]))
        left -= len(text)
    known.update(character for unit in list(known) if len(unit) == 2 and _is_paired(unit) for character in unit)
    return known


def _units(text: str) -> Iterator[str]:
    for found in _pattern().finditer(unicodedata.normalize("NFKC", text).casefold()):
        kind, word = found.lastgroup, found.group()
        if kind == "number":
            yield _GROUPING.sub("", _FRACTION.sub("", word))
        elif kind == "paired" and len(word) > 1:
            yield from (word[at : at + 2] for at in range(len(word) - 1))
        else:
            yield word[:PREFIX]


@cache
def _pattern() -> re.Pattern[str]:
    """Numbers, runs of paired scripts, and words; the marks that many scripts put on letters belong to their word."""
    marks = "".join(chr(code) for code in range(0x300, 0x10000) if unicodedata.category(chr(code))[0] == "M")
    return re.compile(
        r"(?P<number>[0-9]+(?:[.,'’][0-9]+)*(?![^\W_]))"
        rf"|(?P<paired>[{_PAIRED}]+)"
        rf"|(?P<word>(?:[^\W_{_PAIRED}]|[{marks}])+)"
    )


def _is_paired(unit: str) -> bool:
    return re.match(rf"[{_PAIRED}]", unit) is not None


def _coverage(units: list[str], known: set[str]) -> float:
    weights = [NUMBER_WEIGHT if unit[0].isdigit() else 1.0 for unit in units]
    return sum(weight for unit, weight in zip(units, weights, strict=True) if unit in known) / sum(weights)
