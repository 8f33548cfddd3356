"""Which queue takes a case, and why: a pure function of facts and queues."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from cases.errors import Conflict
from cases.vocabulary import Route

ANY = frozenset()


@dataclass(frozen=True)
class QueueFacts:
    """What routing knows of a queue. Empty sets take anything."""

    slug: str
    position: int
    is_fallback: bool = False
    domains: frozenset[str] = ANY
    languages: frozenset[str] = ANY
    risks: frozenset[str] = ANY
    routes: frozenset[str] = ANY
    authority_code: str = ""


@dataclass(frozen=True)
class CaseFacts:
    """What routing knows of a case. ``authority_code`` is what its action will need, if anything."""

    domain: str
    language: str
    risk: str
    route: str
    authority_code: str = ""


class NoQueue(Conflict):
    """The tenant has no fallback: it has no queue yet, since saving queues keeps one."""

    code = "no_queue"
    title = "This tenant has no queue yet"


def choose(case: CaseFacts, queues: Iterable[QueueFacts]) -> tuple[QueueFacts, str]:
    """The queue that takes ``case`` and the reason in words.

    The most specific match wins (the one that fills most conditions), then the lowest position, then the slug. Where
    nothing matches, the fallback takes it. Raises ``NoQueue`` without one.
    """
    judged = [(queue, _mismatch(case, queue)) for queue in queues]
    fits = [queue for queue, mismatch in judged if not mismatch and not queue.is_fallback]
    if fits:
        chosen = min(fits, key=lambda queue: (-_specificity(queue), queue.position, queue.slug))
        return chosen, _reason(case, chosen, judged)
    for queue, _ in judged:
        if queue.is_fallback:
            return queue, f"{queue.slug}: the fallback, as no other queue takes it{_skipped(judged, queue)}"
    raise NoQueue("No queue takes this case, so that nothing was stored. Ask a tenant admin to set up a queue.")


def _conditions(case: CaseFacts, queue: QueueFacts) -> Sequence[tuple[str, str, frozenset[str]]]:
    return (
        ("domain", case.domain, queue.domains),
        ("language", primary(case.language), frozenset(primary(language) for language in queue.languages)),
        ("risk", case.risk, queue.risks),
        ("route", case.route, queue.routes),
        ("authority", case.authority_code, frozenset({queue.authority_code} - {""})),
    )


def primary(language: str) -> str:
    """The primary language subtag of a BCP 47 tag: ``en`` of ``en-US``."""
    return language.split("-", 1)[0].lower()


def _mismatch(case: CaseFacts, queue: QueueFacts) -> str:
    for name, value, wanted in _conditions(case, queue):
        if wanted and value not in wanted:
            return f"{name} is {_words(value) or 'none'}"
    return ""


def _specificity(queue: QueueFacts) -> int:
    return sum(map(bool, (queue.domains, queue.languages, queue.risks, queue.routes, queue.authority_code)))


def _reason(case: CaseFacts, queue: QueueFacts, judged) -> str:
    met = [f"{name} {_words(value)}" for name, value, wanted in _conditions(case, queue) if wanted]
    return f"{queue.slug}: {', '.join(met) or 'takes anything'}{_skipped(judged, queue)}"


def _skipped(judged, chosen: QueueFacts) -> str:
    """The near misses: at most two, for a reader who expected another queue."""
    missed = [
        f"{queue.slug} skipped: {why}" for queue, why in judged if why and not queue.is_fallback and queue != chosen
    ]
    return f"; {'; '.join(missed[:2])}" if missed else ""


def _words(value: str) -> str:
    return value.replace("_", " ") if value in Route.values else value
