"""How the review page says things: spans of time, deadlines, JSON. Pure."""

import json
import re
from dataclasses import dataclass
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

from cases.vocabulary import DUE_SOON

MAX_JSON = 100_000  # characters that are laid out; longer texts are shown as they came.
DEEPEST_INDENT = 12
_JSON_TOKEN = re.compile(r'"(?:[^"\\]|\\.)*"|[{}\[\],:]|[^\s{}\[\],:"]+')


def span(length: timedelta) -> str:
    """A length of time in its two greatest units, ``3 h 12 min`` or ``2 d 4 h``; or ``less than a minute``."""
    minutes = int(abs(length).total_seconds() // 60)
    days, hours, minutes = minutes // 1440, minutes % 1440 // 60, minutes % 60
    parts = [f"{count} {unit}" for count, unit in ((days, "d"), (hours, "h"), (minutes, "min")) if count]
    return " ".join(parts[:2]) or "less than a minute"


def wall_clock(at: datetime, zone: ZoneInfo, now: datetime) -> str:
    """``16:30`` today, else ``Sat 21 Nov, 16:30``, in another year ``3 Jan 2027, 16:30``; on the clock of ``zone``."""
    local, today = at.astimezone(zone), now.astimezone(zone)
    if local.date() == today.date():
        return f"{local:%H:%M}"
    if local.year == today.year:
        return f"{local:%a} {local.day} {local:%b}, {local:%H:%M}"
    return f"{local.day} {local:%b %Y}, {local:%H:%M}"


@dataclass(frozen=True)
class Deadline:
    """An instant as people read it. ``level`` is ``calm``, ``soon`` or ``over``; the words say the same."""

    at: datetime
    level: str
    words: str
    clock: str


def deadline(due_at: datetime, now: datetime, zone: ZoneInfo) -> Deadline:
    """``due in 3 h 12 min`` with ``16:30``; from half an hour before it is soon, from its instant on it is over."""
    left = due_at - now
    clock = wall_clock(due_at, zone, now)
    if left <= timedelta(0):
        return Deadline(due_at, "over", f"overdue by {span(left)}", clock)
    return Deadline(due_at, "soon" if left <= DUE_SOON else "calm", f"due in {span(left)}", clock)


def laid_out(text: str) -> str:
    """JSON indented, token by token: no number is rewritten, no repeated key dropped. Anything else as it came."""
    if len(text) > MAX_JSON or not text.lstrip().startswith(("{", "[")):
        return text
    try:
        json.loads(text)
    except (ValueError, RecursionError):
        return text
    parts: list[str] = []
    depth = 0
    tokens = _JSON_TOKEN.findall(text)
    for position, token in enumerate(tokens):
        if token in "{[":
            depth += 1
            is_empty = tokens[position + 1] in "}]"
            parts += [token] if is_empty else [token, _line(depth)]
        elif token in "}]":
            depth -= 1
            was_empty = tokens[position - 1] in "{["
            parts += [token] if was_empty else [_line(depth), token]
        elif token == ",":
            parts += [token, _line(depth)]
        else:
            parts.append(": " if token == ":" else token)
    return "".join(parts)


def _line(depth: int) -> str:
    return "\n" + "  " * min(depth, DEEPEST_INDENT)


def percent(share: float) -> str:
    """``0.62`` as ``62 %``."""
    return f"{round(share * 100)} %"
