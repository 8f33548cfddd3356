"""Whether any case at all can reach a queue: pure, and exact as far as it counts.

Routing asks of a case only on which side of each queue's conditions it stands. So the cases of a tenant fall into
finitely many kinds: a box with a side for each condition, whose points are the values that some queue names and one
that stands for all others. A queue takes its own box, less the boxes of the queues that come before it. Nothing left:
nothing can reach it.
"""

from collections.abc import Iterable, Sequence
from datetime import timedelta

from cases.vocabulary import Risk, Route

from .routing import QueueFacts, precedence, primary

OTHER = ""  # Any value that no queue names.
STEPS = 5_000  # After so many, a queue counts as reached: a warning is always right, and is never waited for.

Box = tuple[frozenset, ...]


class _Enough(Exception):
    """The counting took longer than it is worth."""


def unreachable(queues: Iterable[QueueFacts]) -> dict[str, list[str]]:
    """The queues that no case can reach by routing, by slug, each with those that are enough to take all of its cases.

    An empty list: its conditions contradict what any case can be. The fallback comes after all others and takes
    anything, so that a queue without conditions puts it out of reach.
    """
    known = sorted(queues, key=lambda queue: (queue.is_fallback, precedence(queue)))
    sides = _sides(known)
    boxes = [_box(queue, sides) for queue in known]
    found = {}
    for place, queue in enumerate(known):
        before = {
            other.slug: box
            for other, box in zip(known[:place], boxes[:place], strict=True)
            if all(map(frozenset.intersection, box, boxes[place]))
        }
        try:
            if not _is_left(boxes[place], list(before.values()), [STEPS]):
                found[queue.slug] = _needed(boxes[place], before)
        except _Enough:
            continue
    return found


def _needed(box: Box, before: dict[str, Box]) -> list[str]:
    """The slugs of ``before`` without which something of ``box`` would be left; the later ones go first."""
    needed = dict(before)
    for slug in reversed(before):
        rest = [other for name, other in needed.items() if name != slug]
        if not _is_left(box, rest, [STEPS]):
            del needed[slug]
    return list(needed)


def _sides(queues: Sequence[QueueFacts]) -> Box:
    """For each condition every value that matters."""
    spans = sorted({queue.due_within for queue in queues if queue.due_within is not None})
    return (
        frozenset().union(*(queue.domains for queue in queues)) | {OTHER},
        frozenset(primary(language) for queue in queues for language in queue.languages) | {OTHER},
        frozenset(Risk.values),
        frozenset({Route.QUICK_REVIEW.value, Route.FULL_INVESTIGATION.value}),
        frozenset(queue.authority_code for queue in queues) | {OTHER},
        frozenset(queue.skill for queue in queues) | {OTHER},
        frozenset({*spans, timedelta.max}),  # “due within this, and not within the next shorter”; at last, never.
    )


def _box(queue: QueueFacts, sides: Box) -> Box:
    if queue.is_fallback:
        return sides
    domains, languages, risks, routes, authorities, skills, spans = sides
    return (
        domains & queue.domains if queue.domains else domains,
        languages & {primary(language) for language in queue.languages} if queue.languages else languages,
        risks & queue.risks if queue.risks else risks,
        routes & queue.routes if queue.routes else routes,
        authorities & {queue.authority_code} if queue.authority_code else authorities,
        skills & {OTHER, queue.skill},  # A case that asks for no skill goes anywhere.
        spans if queue.due_within is None else frozenset(span for span in spans if span <= queue.due_within),
    )


def _is_left(box: Box, taken: Sequence[Box], steps: list[int]) -> bool:
    """Whether any point of ``box`` lies in none of the boxes of ``taken``. ``steps`` counts down and is shared."""
    steps[0] -= 1
    if steps[0] < 0:
        raise _Enough
    if not all(box):
        return False
    if not taken:
        return True
    first, rest = taken[0], taken[1:]
    # What lies outside of the first box, cut into pieces that do not overlap: outside on this side, inside before it.
    for place, (mine, theirs) in enumerate(zip(box, first, strict=True)):
        inside = tuple(map(frozenset.intersection, box[:place], first[:place]))
        piece = (*inside, mine - theirs, *box[place + 1 :])
        if all(piece) and _is_left(piece, rest, steps):
            return True
    return False
