"""JSON Pointers (RFC 6901) to the places that an error speaks of."""

from collections.abc import Iterable

MAX_POINTER = 300  # characters: a pointer is made of the caller's own keys, and must not echo a whole body.


def pointer(path: Iterable[str | int]) -> str:
    """``("cases", 3, "a/b")`` → ``/cases/3/a~1b``; cut at the last whole token that fits in ``MAX_POINTER``."""
    text = ""
    for token in path:
        step = "/" + str(token).replace("~", "~0").replace("/", "~1")
        if len(text) + len(step) > MAX_POINTER:
            break
        text += step
    return text
