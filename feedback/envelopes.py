"""What a caller puts round a case, as its latest cases have it: ids, signals, release, trace, deadline. Pure.

A challenge takes its envelope from real cases of the same domain: whatever is usual there, nobody has to know.
"""

import random
import re
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from itertools import pairwise
from typing import Any

from .slots import shaped

NEAREST = 4  # gaps of a sequence, from its newest number down
SPREAD = 0.03  # of a signal, around the real one
_HEX = "0123456789abcdef"


def like_recent(names: Sequence[str], dice: random.Random) -> str:
    """A further external id in the manner of these, the newest first: of a sequence a number that it has lately left
    out, or its next where it leaves out none; otherwise one of the shape. Of names without a digit it makes none.

    The next number would soon be a real case's, and a made-up one has to give way to that and be left without a name.
    """
    name = names[0] if names else ""
    if not (last := _last_number(name)):
        return ""
    numbers = _in_sequence(name, names)
    if len(numbers) > 2:
        known = sorted(set(numbers), reverse=True)
        left_out = [(low + 1, high - 1) for high, low in pairwise(known) if high - low > 1][:NEAREST]
        made = dice.randint(*dice.choice(left_out)) if left_out else known[0] + 1
        return f"{name[: last.start()]}{str(made).zfill(len(last[0]))}{name[last.end() :]}"
    return same_shape(name, dice)


def _last_number(name: str) -> re.Match | None:
    return next(iter(reversed(list(re.finditer(r"\d+", name)))), None)


def _in_sequence(first: str, names: Sequence[str]) -> list[int]:
    """The numbers of those names that differ from ``first`` in their last number alone, where these mostly rise."""
    numbers = []
    last = _last_number(first)
    for name in names:
        found = _last_number(name)
        if found and (name[: found.start()], name[found.end() :]) == (first[: last.start()], first[last.end() :]):
            numbers.append(int(found[0]))
    falling = sum(one > other for one, other in pairwise(numbers))
    return numbers if len(numbers) > 2 and falling >= 0.8 * (len(numbers) - 1) else []


def same_shape(text: str, dice: random.Random) -> str:
    """Other digits and hexadecimal letters in the places of these; words stay."""
    parts = re.split(r"([^0-9A-Za-z])", text)
    return "".join(_other(part, dice) for part in parts)


def _other(part: str, dice: random.Random) -> str:
    if len(part) >= 4 and re.fullmatch(r"(?=.*\d)[0-9a-f]+", part):
        return "".join(dice.choice("0123456789" if mark.isdigit() else _HEX[10:]) for mark in part)
    return shaped(re.sub(r"\d", "#", part), dice)


def varied_signals(signals: Mapping[str, float], dice: random.Random) -> dict[str, float]:
    return {name: varied(value, dice) for name, value in signals.items()}


def varied(value: float, dice: random.Random) -> float:
    """Near ``value`` in [0, 1], with as many decimals. Exactly nothing and exactly all stay what they are."""
    if value in (0, 1):
        return value
    decimals = min(len(repr(float(value)).partition(".")[2]), 12)
    moved = value + dice.gauss(0, SPREAD)
    moved = -moved if moved < 0 else 2 - moved if moved > 1 else moved  # Mirrored: a pile at the ends would show.
    return round(min(max(moved, 0.0), 1.0), decimals)


def trace_parts(trace_id: str, traceparent: str, dice: random.Random) -> dict[str, str]:
    """A trace where the real case has one."""
    if traceparent:
        made = "".join(dice.choice(_HEX) for _ in range(48))
        return {"traceparent": f"00-{made[:32]}-{made[32:]}-{traceparent[-2:]}"}
    return {"trace_id": same_shape(trace_id, dice)} if trace_id else {}


def deadline_like(wanted_by: datetime, opened_at: datetime, now: datetime) -> str:
    """As far ahead as the real one was; on a whole minute where that was on one."""
    due = now + (wanted_by - opened_at)
    if wanted_by.second == 0 and wanted_by.microsecond == 0:
        due = due.replace(second=0, microsecond=0) + timedelta(minutes=1)
    return due.isoformat().replace("+00:00", "Z")


def attachments_like(attachments: Sequence[Mapping[str, Any]], dice: random.Random) -> list[dict[str, Any]]:
    """So many files of the same kinds, in the same places, under names and digests of which there are no files."""
    return [
        dict(one) | {"url": _other_file(str(one["url"]), dice), "sha256": "".join(dice.choice(_HEX) for _ in range(64))}
        for one in attachments
    ]


def _other_file(url: str, dice: random.Random) -> str:
    folder, slash, name = url.rpartition("/")
    stem, dot, ending = name.partition(".")
    made = same_shape(stem, dice)
    if made == stem:
        made = "".join(dice.choice(_HEX) for _ in range(max(8, len(stem))))
    return f"{folder}{slash}{made}{dot}{ending}"


def customer_like(customer: Mapping[str, Any], dice: random.Random, *, with_address: bool) -> dict[str, Any]:
    """A customer with the same things said of them."""
    made = {}
    for name, value in customer.items():
        if name in ("email", "phone") and not with_address:
            continue
        made[name] = value if name in ("locale", "time_zone") or not value else same_shape(str(value), dice)
    return made
