"""Text from outside, made honest for the eye: what cannot be seen is named. Pure.

Bidirectional controls reorder what a reader sees, zero-width characters hide text or split words, tag characters and
variation selectors carry whole messages unseen (Unicode TR #36 and #39).
"""

import re
import unicodedata

from django.utils.html import escape
from django.utils.safestring import SafeString, mark_safe

# Beyond the categories below: drawn as nothing, though Unicode counts them as letters or marks.
_BLANK_LETTERS = frozenset("\u034f\u115f\u1160\u17b4\u17b5\u180b\u180c\u180d\u180f\u2800\u3164\uffa0")
_UNSEEN = frozenset({"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"})
_KEPT = frozenset("\n\t")
_JOINER = "\u200d"
_EMOJI_STYLE = frozenset("\ufe0e\ufe0f")
_ASCII = re.compile(r"[\n\t\x20-\x7e]*")
MAX_NAMED_RUNS = 2_000  # A text of nothing else would make a page of megabytes.


def is_unseen(character: str) -> bool:
    """Whether ``character`` is drawn as nothing, or changes how its neighbours are drawn."""
    if character in _KEPT:
        return False
    return (
        unicodedata.category(character) in _UNSEEN
        or character in _BLANK_LETTERS
        or "\ufe00" <= character <= "\ufe0f"
        or "\U000e0100" <= character <= "\U000e01ef"
    )


def shown(value: object) -> SafeString:
    """``value`` as escaped HTML in which every unseen character is replaced by its code point in a ``<span>``.

    Line feeds and tabs stay, and so do the joiners and style marks inside an emoji. Runs of the same character are
    counted. None is empty.
    """
    text = "" if value is None else str(value).replace("\r\n", "\n")
    if _ASCII.fullmatch(text):
        return escape(text)
    parts: list[str] = []
    plain_from = position = runs = 0
    while position < len(text):
        character = text[position]
        if (character.isascii() and character.isprintable()) or not is_unseen(character) or _in_emoji(text, position):
            position += 1
            continue
        end = position + 1
        while end < len(text) and (text[end] == character or (runs >= MAX_NAMED_RUNS and is_unseen(text[end]))):
            end += 1
        parts += [str(escape(text[plain_from:position])), _named(character, end - position)]
        plain_from = position = end
        runs += 1
    parts.append(str(escape(text[plain_from:])))
    return mark_safe("".join(parts))  # Every part is escaped above, or built of a code point.


def _in_emoji(text: str, position: int) -> bool:
    """A joiner between two symbols, or a style mark right after one: part of an emoji and no disguise."""
    before = text[position - 1] if position else ""
    if text[position] in _EMOJI_STYLE:
        return _is_symbol(before) or (before in "0123456789#*" and before != "")
    after = text[position + 1] if position + 1 < len(text) else ""
    return text[position] == _JOINER and (_is_symbol(before) or before in _EMOJI_STYLE) and _is_symbol(after)


def _is_symbol(character: str) -> bool:
    return bool(character) and unicodedata.category(character) in {"So", "Sk"}


def _named(character: str, count: int) -> str:
    code = f"U+{ord(character):04X}"
    name = unicodedata.name(character, "control character").lower()
    times = f" ×{count}" if count > 1 else ""
    return f'<span class="invisible" dir="ltr" title="{code} {escape(name)}{times}">{code}{times}</span>'
