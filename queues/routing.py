"""Which queue takes a case, and why: a pure function of facts and queues.

The queues are those of the case's own tenant. Most specific wins: the queue that fits and fills most conditions; then
the lower position, then the slug. The fallback takes what nothing else takes.

==========  =====================================  ==================================================================
condition   what a queue fills                     what a case brings
==========  =====================================  ==================================================================
domain      a list                                 its domain
language    a list, by primary subtag              its language, or the tenant's fallback language where it names none
risk        a list                                 its risk after triage
route       a list of review modes                 how people will look at it: quickly or fully
authority   one code                               the smallest authority that covers its proposed action
due         within so many minutes                 the caller's own deadline; a case without one is never due soon
skill       the skill that its people must have    a tag ``skill:law``; without one, a queue's skill turns nothing away
==========  =====================================  ==================================================================
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import NamedTuple

from cases.errors import Conflict
from cases.vocabulary import Risk

ANY = frozenset()
UNKNOWN_LANGUAGES = ("", "und")  # BCP 47: nobody said which.
SKILL_TAG = "skill:"
REASON_LENGTH = 300  # characters; what is added about the deadline has its own room.
NEAR_MISSES = 2


@dataclass(frozen=True)
class QueueFacts:
    """What routing knows of a queue. Empty sets and texts, and None, take anything."""

    slug: str
    position: int
    is_fallback: bool = False
    domains: frozenset[str] = ANY
    languages: frozenset[str] = ANY
    risks: frozenset[str] = ANY
    routes: frozenset[str] = ANY
    authority_code: str = ""
    skill: str = ""
    due_within: timedelta | None = None


@dataclass(frozen=True)
class CaseFacts:
    """What routing knows of a case.

    ``authority_code`` is what its action will need and ``skill`` what its caller asked for, if anything; ``due_in`` is
    how far away the caller's own deadline is (below zero: past). ``is_language_assumed`` where the tenant's stands in.
    """

    domain: str
    language: str
    risk: str
    route: str
    authority_code: str = ""
    skill: str = ""
    due_in: timedelta | None = None
    is_language_assumed: bool = False


class Look(NamedTuple):
    """One queue held against one case: the conditions that it fills and the case meets, and those that it does not."""

    queue: QueueFacts
    met: tuple[str, ...]
    missed: tuple[str, ...]


class PassedOver(NamedTuple):
    queue: QueueFacts
    why: str


@dataclass(frozen=True)
class Placement:
    """Where a case goes, why in one line, and why not elsewhere: the other queues, the nearest first."""

    queue: QueueFacts
    reason: str
    others: tuple[PassedOver, ...]


class NoQueue(Conflict):
    """The tenant has no fallback: it has no queue yet, since saving queues keeps one."""

    code = "no_queue"
    title = "This tenant has no queue yet"


def choose(case: CaseFacts, queues: Iterable[QueueFacts]) -> tuple[QueueFacts, str]:
    """The queue that takes ``case`` and the reason in words, of at most ``REASON_LENGTH`` characters.

    Raises ``NoQueue`` without a fallback where nothing else fits either.
    """
    looks = [_look(case, queue) for queue in queues]
    chosen = _winner(looks)
    return chosen.queue, _reason(chosen, looks)


def explain(case: CaseFacts, queues: Iterable[QueueFacts]) -> Placement:
    """``choose``, and what it made of every other queue. Raises ``NoQueue`` alike."""
    looks = [_look(case, queue) for queue in queues]
    chosen = _winner(looks)
    rest = sorted((look for look in looks if look is not chosen), key=_nearness)
    others = tuple(PassedOver(look.queue, _why_not(look, chosen)) for look in rest)
    return Placement(chosen.queue, _reason(chosen, looks), others)


def primary(language: str) -> str:
    """The primary language subtag of a BCP 47 tag: ``en`` of ``en-US``."""
    return language.split("-", 1)[0].lower()


def language_of(named: str, fallback: str) -> tuple[str, bool]:
    """The language to route by, and whether it is the tenant's ``fallback`` because the case names none."""
    if named.lower() in UNKNOWN_LANGUAGES and fallback.lower() not in UNKNOWN_LANGUAGES:
        return fallback, True
    return named, False


def skill_asked(tags: Iterable[str], known: Iterable[str]) -> str:
    """The skill that ``tags`` ask for: the first by name that some queue has. Others ask for nobody and do nothing."""
    asked = {tag.removeprefix(SKILL_TAG) for tag in tags if tag.startswith(SKILL_TAG)}
    return min(asked.intersection(known), default="")


def precedence(queue: QueueFacts) -> tuple[int, int, str]:
    """Lower comes first among queues that fit. The skill is left out: where it is asked for, all that fit have it."""
    filled = (queue.domains, queue.languages, queue.risks, queue.routes, queue.authority_code, queue.due_within)
    return -sum(value is not None and bool(value) for value in filled), queue.position, queue.slug


# --- one queue ------------------------------------------------------------------------------------------------------


def _look(case: CaseFacts, queue: QueueFacts) -> Look:
    met, missed = [], []
    for holds, if_met, if_missed in _conditions(case, queue):
        (met if holds else missed).append(if_met if holds else if_missed)
    return Look(queue, tuple(met), tuple(missed))


def _conditions(case: CaseFacts, queue: QueueFacts) -> Iterator[tuple[bool, str, str]]:
    """The conditions that ``queue`` fills: whether the case meets each, and the words for either answer."""
    if queue.domains:
        yield case.domain in queue.domains, f"domain {case.domain}", f"domain is {case.domain}"
    if queue.languages:
        spoken = primary(case.language)
        note = " (the tenant's fallback, as the case names none)" if case.is_language_assumed else ""
        holds = spoken in {primary(language) for language in queue.languages}
        yield holds, f"language {spoken}{note}", f"language is {spoken or 'not named'}"
    if queue.risks:
        yield case.risk in queue.risks, f"risk {case.risk}", _risk_missed(case.risk, queue.risks)
    if queue.routes:
        words = case.route.replace("_", " ")
        yield case.route in queue.routes, f"route {words}", f"route is {words}"
    if queue.authority_code:
        needed = case.authority_code or "none"
        yield case.authority_code == queue.authority_code, f"authority {needed}", f"authority is {needed}"
    if queue.due_within is not None:
        within = duration_words(queue.due_within)
        holds = case.due_in is not None and case.due_in <= queue.due_within
        missed = "the caller set no deadline" if case.due_in is None else f"not due within {within}"
        yield holds, f"due within {within}", missed
    if case.skill:
        yield queue.skill == case.skill, f"skill {case.skill}", f"skill {case.skill} is asked for"


def _risk_missed(risk: str, wanted: frozenset[str]) -> str:
    ranks = sorted(Risk(one).rank for one in wanted)
    if Risk(risk).rank < ranks[0]:
        return f"risk below {list(Risk)[ranks[0]]}"
    if Risk(risk).rank > ranks[-1]:
        return f"risk above {list(Risk)[ranks[-1]]}"
    return f"risk is {risk}"


def duration_words(span: timedelta) -> str:
    """``90 min``, ``4 h``."""
    minutes = round(span.total_seconds() / 60)
    return f"{minutes // 60} h" if minutes and minutes % 60 == 0 else f"{minutes} min"


# --- among queues ---------------------------------------------------------------------------------------------------


def _winner(looks: Sequence[Look]) -> Look:
    fits = [look for look in looks if not look.missed and not look.queue.is_fallback]
    if fits:
        return min(fits, key=lambda look: precedence(look.queue))
    for look in looks:
        if look.queue.is_fallback:
            return look
    raise NoQueue("No queue takes this case, so that nothing was stored. Ask a tenant admin to set up a queue.")


def _nearness(look: Look) -> tuple:
    """The fewest conditions missed, then the most met."""
    return look.queue.is_fallback, len(look.missed), -len(look.met), look.queue.position, look.queue.slug


def _reason(chosen: Look, looks: Sequence[Look]) -> str:
    """The chosen queue and what it met, then the nearest misses, for a reader who expected another queue."""
    slug, met = chosen.queue.slug, chosen.met
    words = "the fallback, as no other queue takes it" if chosen.queue.is_fallback else ", ".join(met)
    text = f"{slug}: {words or 'takes anything'}"
    if len(text) > REASON_LENGTH:
        text = f"{text[: REASON_LENGTH - 1]}…"
    missed = sorted((look for look in looks if look.missed and not look.queue.is_fallback), key=_nearness)
    for look in missed[:NEAR_MISSES]:
        longer = f"{text}; {look.queue.slug} skipped: {_missed_words(look)}"
        if len(longer) > REASON_LENGTH:
            break
        text = longer
    return text


def _missed_words(look: Look) -> str:
    return " and ".join(look.missed[:2])


def _why_not(look: Look, chosen: Look) -> str:
    if look.queue.is_fallback:
        return "the fallback, only for what no other queue takes"
    if look.missed:
        return ", ".join(look.missed)
    ours, theirs = precedence(look.queue), precedence(chosen.queue)
    if ours[0] != theirs[0]:
        return f"takes it too, but fills fewer conditions ({-ours[0]}, {chosen.queue.slug} {-theirs[0]})"
    if ours[1] != theirs[1]:
        return f"takes it too, but stands at position {ours[1]}, {chosen.queue.slug} at {theirs[1]}"
    return f"takes it too, at the same position; {chosen.queue.slug} comes first by name"
