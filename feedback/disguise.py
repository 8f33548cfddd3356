"""Making a template of a case: what names a person, an order or a day becomes a slot. Pure.

What a customer said and what tools answered is looked through; the house's own texts (policies, evidence) only lose
what was found there. It finds what has a shape, and names where people give them: a person reads the result before it
is kept.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from typing import Any

from .slots import Names

_MONTHS = "January|February|March|April|May|June|July|August|September|October|November|December"
_SHORT = "Jan|Feb|Mar|Apr|Jun|Jul|Aug|Sep|Oct|Nov|Dec"

# In this order: what is found first keeps its letters.
_FINDERS = (
    ("email", re.compile(r"[\w.+-]+@[\w-]+(?:\.[\w-]+)+")),
    ("date", re.compile(rf"\b(?:\d{{4}}-\d\d-\d\d|\d{{1,2}} (?:{_MONTHS}|{_SHORT})(?: \d{{4}})?)\b")),
    ("date", re.compile(rf"\b(?:{_MONTHS}|{_SHORT}) \d{{1,2}}(?:, \d{{4}})?\b")),
    ("phone", re.compile(r"(?<![\w.])\+?\(?\d{2,4}\)?(?:[ /-]\d{2,5}){2,4}(?![\w.])")),
    (
        "amount",
        re.compile(r"(?<=[$€£])\d[\d,]*(?:\.\d\d)?|\b\d[\d,]*(?:\.\d\d)?(?= ?(?:USD|EUR|GBP|CHF|dollars|euros)\b)"),
    ),
    ("id", re.compile(r"\b(?=[\w-]*\d)(?=[\w-]{5,})[A-Za-z0-9]+(?:[_-][A-Za-z0-9]+)*\b")),
)
_FORMATS = ("%Y-%m-%d", "%d %B %Y", "%d %b %Y", "%B %d, %Y", "%b %d, %Y", "%d %B", "%d %b", "%B %d", "%b %d")
_WORD = r"[A-Z][\w'’-]+"
_PERSON = re.compile(
    r"\b(?:[Mm]y name is|[Tt]his is|Dear|Hello|Hi|Hey|Mr\.?|Mrs\.?|Ms\.?|Dr\.?|[Rr]egards,?|[Cc]heers,?|Thanks,)\s+"
    rf"({_WORD}(?: {_WORD})?)"
)
_NO_NAMES = frozenset({"team", "there", "all", "sir", "madam", "support", "customer", "everyone", "again", "folks"})
_OURS = ("evidence", "policies", "model_draft", "reasoning", "model_decision")
_KEYS_KEPT = frozenset(
    {
        "action",
        "amount",
        "currency",
        "role",
        "tool",
        "status",
        "locale",
        "time_zone",
        "document_id",
        "policy_id",
        "at",
        "url",
    }
    | {"domain", "kind", "language", "risk_level", "tags", "triggers"}
)

FEW_NAMES = 8

# What is of the one case and not of what it teaches: planting gives each case its own.
ENVELOPE = (
    "external_id",
    "tenant_id",
    "release",
    "signals",
    "trace_id",
    "traceparent",
    "resume_token",
    "sla_deadline",
    "tags",
)
_THEIRS_ALONE = ("attachments",)  # Files of the customer; planting gives a case such as its domain's cases have.


@dataclass
class _Found:
    """Slots by what they stand for."""

    opened: datetime
    slots: dict[str, str] = field(default_factory=dict)
    words: dict[str, str] = field(default_factory=dict)  # the original, and the slot in its place

    def add(self, kind: str, original: str, like: str) -> str:
        if original not in self.words:
            name = f"{kind}{1 + sum(slot.rstrip('0123456789') == kind for slot in self.slots)}"
            self.slots[name] = f"{kind} {like}".strip()
            self.words[original] = f"[[{name}]]"
        return self.words[original]


def disguise(body: Mapping[str, Any], *, opened: datetime) -> tuple[dict[str, Any], dict[str, str]]:
    """An intake's body as a template and the definitions of its slots; ``opened`` is when the case came in. The
    envelope is left out, and so are the customer's files."""
    found = _Found(opened)
    left_out = (*ENVELOPE, *_THEIRS_ALONE)
    kept = {name: value for name, value in body.items() if name not in left_out and value not in (None, "", [], {})}
    theirs = {name: value for name, value in kept.items() if name not in _OURS}
    house = " ".join(_texts({name: kept[name] for name in ("evidence", "policies") if name in kept}))
    for text in _texts(theirs):
        _look_for_names(text, found)
    for text in _texts(theirs):
        _look_for_shapes(text, found, house)
    customer = kept.get("customer") or {}
    for key, kind in (("reference", "id"), ("phone", "phone")):
        if value := str(customer.get(key) or ""):
            found.add(kind, value, _shape_of(value) if any(map(str.isdigit, value)) else f"{kind}_######")
    return _replaced(kept, found), found.slots


def _texts(value: Any, key: str = "") -> Iterator[str]:
    if isinstance(value, str) and key not in _KEYS_KEPT:
        yield value
    elif isinstance(value, Mapping):
        for name, inner in value.items():
            yield from _texts(inner, name)
    elif isinstance(value, list | tuple):
        for inner in value:
            yield from _texts(inner, key)


def _look_for_names(text: str, found: _Found) -> None:
    for match in _PERSON.finditer(text):
        words = match[1].split()
        if words[0].lower() in _NO_NAMES or match[1] in found.words:
            continue
        slot = found.add("name", match[1], "")
        name = slot.strip("[]")
        if len(words) == 2:
            found.words.setdefault(words[0], f"[[{name}.first]]")
            found.words.setdefault(words[1], f"[[{name}.last]]")
        else:
            found.words[match[1]] = f"[[{name}.first]]"


def _look_for_shapes(text: str, found: _Found, house: str) -> None:
    left = text
    for kind, finder in _FINDERS:
        for original in finder.findall(left):
            if kind in ("id", "amount") and original in house:
                continue  # A limit, a clause: what the house says is what the answer is measured by.
            if like := _like(kind, original, found):
                found.add(kind, original, like)
        left = finder.sub(" ", left)


def _like(kind: str, original: str, found: _Found) -> str:
    if kind == "email":
        return next((name for name, of in found.slots.items() if of == "name"), "") or " "
    if kind == "date":
        return _date_like(original, found.opened)
    if kind == "amount":
        return original if sum(map(str.isdigit, original)) > 1 else ""
    return _shape_of(original)


def _date_like(original: str, opened: datetime) -> str:
    for shape in _FORMATS:
        full = original if "%Y" in shape else f"{original} {opened.year}"
        try:
            day = datetime.strptime(full, shape if "%Y" in shape else f"{shape} %Y").date()
        except ValueError:
            continue
        return f"{(day - _day(opened)).days} {shape}"
    return ""


def _day(at: datetime) -> date:
    return at.date()


def _shape_of(original: str) -> str:
    """Digits become #; the letters of codes and keys ~ or ^; lower-case words before them stay."""
    parts = re.split(r"([_ -])", original)
    return "".join(_part_shape(part) for part in parts)


def _part_shape(part: str) -> str:
    if len(part) >= 6 and re.fullmatch(r"(?=.*\d)[0-9a-f]+", part):
        return "~" * len(part)
    shape = re.sub(r"\d", "#", part)
    return re.sub(r"[A-Z]", "^", shape) if part.upper() == part else shape


def _replaced(value: Any, found: _Found, key: str = "") -> Any:
    if isinstance(value, Mapping):
        return {name: _replaced(inner, found, name) for name, inner in value.items()}
    if isinstance(value, list | tuple):
        return [_replaced(inner, found, key) for inner in value]
    if not isinstance(value, str):
        return value
    if key == "at":
        return _at(value, found.opened)
    if key == "amount":
        return found.words.get(value, value)  # The one of the text, where that says it alike.
    return value if key in _KEYS_KEPT else _with_slots(value, found.words)


def _with_slots(text: str, words: Mapping[str, str]) -> str:
    if not words:
        return text
    longest_first = sorted(words, key=len, reverse=True)
    anything = re.compile("|".join(rf"(?<!\w){re.escape(word)}(?!\w)" for word in longest_first))
    return anything.sub(lambda match: words[match[0]], text)


def _at(value: str, opened: datetime) -> str:
    try:
        at = datetime.fromisoformat(value)
    except ValueError:
        return "[[at:-600]]"
    return f"[[at:{min(-1, round((at - opened).total_seconds()))}]]"


def names_in(texts: Sequence[str]) -> Names:
    """First and last names that people give in ``texts``, each list by itself, so that no two belong together; our own
    lists where there are too few to choose from."""
    first, last = [], []
    for text in texts:
        for match in _PERSON.finditer(text):
            words = match[1].split()
            if words[0].lower() not in _NO_NAMES:
                first.append(words[0])
                last += words[1:]
    few = len(set(first)) < FEW_NAMES or len(set(last)) < FEW_NAMES
    return Names() if few else Names(tuple(first), tuple(last))
