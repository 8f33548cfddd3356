"""What is wrong with queues as they stand: nobody can work one, or no case can reach it."""

from collections import Counter
from collections.abc import Collection, Iterable, Sequence
from typing import NamedTuple
from uuid import UUID

from ..models import Queue
from ..reach import unreachable
from ..routing import QueueFacts, primary
from .placing import authority_codes, queue_facts, routed_queues
from .staffing import with_readers, with_staff
from .stranded import barred, languages_waiting, unread

NAMED = 3  # A warning names so many queues or languages and counts the rest.


class QueueWarning(NamedTuple):
    """``short`` for a list, ``text`` for a page; ``code`` for tests and styles."""

    code: str
    short: str
    text: str


def warnings_of(queues: Iterable[Queue]) -> dict[UUID, list[QueueWarning]]:
    """The warnings of ``queues``, by key; one that is in order has an empty list.

    A fixed number of queries, however many they are and whatever tenants they belong to.
    """
    asked = Queue.objects.filter(pk__in=[queue.pk for queue in queues]).select_related("skill")
    staffed = list(with_readers(with_staff(asked)))
    found = {queue.pk: staff_warnings(queue) for queue in staffed}
    for key, warnings in case_warnings(staffed).items():
        found[key] += warnings
    by_tenant: dict[UUID, list[Queue]] = {}
    for queue in routed_queues({queue.tenant_id for queue in staffed}):
        by_tenant.setdefault(queue.tenant_id, []).append(queue)
    codes = authority_codes([tenant for tenant, all_ in by_tenant.items() if any(q.authority_code for q in all_)])
    for tenant_id, theirs in by_tenant.items():
        for key, warning in _of_routing(theirs, codes.get(tenant_id, ())):
            if key in found:
                found[key].append(warning)
    return found


def staff_warnings(queue: Queue) -> list[QueueWarning]:
    """Whether people are there for ``queue``, a row of ``with_staff``: no query, where its skill is loaded."""
    if queue.staff == 0:
        skilled = f", and the skill “{queue.skill}” at level {queue.skill_level}" if queue.skill else ""
        text = f"Nobody can work this queue: no reviewer has the right{skilled}. Its cases wait until somebody can."
        return [QueueWarning("nobody", "nobody can work it", text)]
    if queue.on_shift == 0:
        text = f"Nobody is on shift: {queue.staff} could work this queue, and its cases wait until one comes."
        return [QueueWarning("off_shift", "nobody on shift", text)]
    return []


def case_warnings(queues: Iterable[Queue]) -> dict[UUID, list[QueueWarning]]:
    """Where cases wait that none of a queue's people may take, or would: per queue with people. ``queues`` are rows of
    ``with_readers`` and ``with_staff``. Two queries."""
    peopled = {queue.pk: queue for queue in queues if queue.staff}
    waiting = languages_waiting(peopled)
    found: dict[UUID, list[QueueWarning]] = {key: [] for key in peopled}
    for key, queue in peopled.items():
        named = {primary(language) for language in queue.languages}
        if unknown := unread(named | waiting.get(key, set()), queue.readers):
            found[key].append(nobody_reads(unknown, waiting.get(key, set())))
    left = Counter(entry.queue_id for entry in barred(Queue.objects.filter(pk__in=peopled)))
    for key, count in left.items():
        found[key].append(nobody_left(count))
    return found


def nobody_reads(languages: Collection[str], waiting: Collection[str]) -> QueueWarning:
    words = _listed(sorted(languages))
    follows = "Cases in such a language wait until somebody does."
    if wait := {*languages} & {*waiting}:
        follows = f"Cases in {_listed(sorted(wait))} wait for that."
    text = f"Nobody who can work this queue reads {words}. {follows}"
    return QueueWarning("unread", f"nobody reads {words}", text)


def nobody_left(count: int) -> QueueWarning:
    """Everybody who could take these cases has voted on them, declined them or judged them before."""
    cases, wait = ("1 case", "waits") if count == 1 else (f"{count} cases", "wait")
    text = (
        f"{cases} {wait} that nobody may take: all who could have voted, declined or decided before, or may not settle "
        "a disagreement. Add a person to this queue."
    )
    return QueueWarning("stranded", f"{cases} nobody may take", text)


def _of_routing(queues: Sequence[Queue], codes: Collection[str]) -> list[tuple[UUID, QueueWarning]]:
    targets = {queue.escalation_target_id for queue in queues}
    lost = unreachable(map(queue_facts, queues))
    warnings = []
    for queue in queues:
        if queue.slug in lost and queue.pk not in targets:  # Escalations reach their target without routing.
            warnings.append((queue.pk, nothing_reaches(lost[queue.slug], is_fallback=queue.is_fallback)))
        if queue.authority_code and queue.authority_code not in codes:
            text = f"There is no authority “{queue.authority_code}”, so that no action can need it and no case comes."
            warnings.append((queue.pk, QueueWarning("no_authority", "unknown authority", text)))
    return warnings


def nothing_reaches(earlier: Sequence[str], *, is_fallback: bool) -> QueueWarning:
    """No case can be routed here, as the queues ``earlier`` take them all, or as its conditions exclude each other."""
    cause = "no case can meet its conditions"
    if earlier:
        does = "comes before it and takes" if len(earlier) == 1 else "come before it and take"
        advice = "Fill more of its conditions, or lower its position number"
        if is_fallback:
            advice = "The fallback takes only what no other queue does: give the others conditions"
        cause = f"{_listed(earlier)} {does} every case that fits. {advice}"
    return QueueWarning("unreachable", "nothing reaches it", f"No case can reach this queue: {cause}.")


def shadowed(changed: QueueFacts, others: Iterable[QueueFacts]) -> QueueWarning | None:
    """Whether a queue that is not saved yet would be out of reach among ``others``."""
    lost = unreachable([changed, *others])
    return nothing_reaches(lost[changed.slug], is_fallback=changed.is_fallback) if changed.slug in lost else None


def _listed(words: Sequence[str]) -> str:
    rest = len(words) - NAMED
    return ", ".join(words[:NAMED]) + (f" and {rest} more" if rest > 0 else "")
