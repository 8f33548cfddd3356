"""How long a regular expression can take, before it ever runs. Pure.

Python's matcher backtracks: ``(a+)+$`` takes minutes on thirty letters. What it can try is bounded by the number of
ways in which the pattern's repeats can share a text, times the places where a match can begin. That number is counted
here from the pattern alone, so that nothing is judged by trying it out.
"""

import re
from re import _constants as op
from re import _parser as parser

MAX_PATTERN = 200  # characters
MAX_TEXT = 200  # characters that a pattern is ever tried on
MAX_STEPS = 1_000_000  # ways times places: some 50 ms
_ONE_WAY = {op.LITERAL, op.NOT_LITERAL, op.IN, op.ANY, op.AT}
_REPEATS = {op.MAX_REPEAT, op.MIN_REPEAT, op.POSSESSIVE_REPEAT}


def why_refused(pattern: str) -> str:
    """Why ``pattern`` may not stand in a schema, or nothing."""
    if len(pattern) > MAX_PATTERN:
        return f"A pattern has at most {MAX_PATTERN} characters."
    try:
        parsed = parser.parse(pattern)
        re.compile(pattern)
    except (re.error, RecursionError, OverflowError):
        return "A pattern is no regular expression."
    try:
        ways = _ways_in_row(parsed)
    except ValueError:
        return "A pattern looks around or back at what it matched: that can take for ever. Write it without."
    if ways * _starts(parsed) > MAX_STEPS:
        return (
            "A pattern can match the same text in too many ways and would take too long. Do not repeat what repeats "
            'itself, begin with "^", bound the repeats ("{1,20}" for "+"), and use few of them.'
        )
    return ""


def _starts(parsed) -> int:
    """At how many places a match can begin: behind ``^`` at one."""
    is_anchored = len(parsed) and parsed[0] == (op.AT, op.AT_BEGINNING) and not parsed.state.flags & re.MULTILINE
    return 1 if is_anchored else MAX_TEXT


def _ways_in_row(nodes) -> int:
    ways = 1
    for code, argument in nodes:
        ways = min(ways * _ways(code, argument), MAX_STEPS + 1)
    return ways


def _ways(code, argument) -> int:
    """Capped at ``MAX_STEPS + 1``; raises ``ValueError`` for what cannot be counted."""
    if code in _ONE_WAY:
        return 1
    if code is op.BRANCH:
        return sum(map(_ways_in_row, argument[1]))
    if code is op.SUBPATTERN:
        return _ways_in_row(argument[-1])
    if code is op.ATOMIC_GROUP:
        return _ways_in_row(argument)
    if code in _REPEATS:
        least, most, inner = argument
        once, most = _ways_in_row(inner), min(int(most), MAX_TEXT)
        if once == 1:
            return max(1, most - int(least) + 1)
        total = 0
        for times in range(most + 1):
            total += once**times
            if total > MAX_STEPS:
                return MAX_STEPS + 1
        return total
    raise ValueError(code)
