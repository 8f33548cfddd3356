"""What a change of a queue would do to a tenant's latest cases, before it is saved."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace

from cases.models import Case
from cases.vocabulary import Route

from ..models import Queue
from ..routing import CaseFacts, NoQueue, QueueFacts, choose
from .placing import authorities_of, case_facts, queue_facts, routed_queues, time_left
from .warnings import QueueWarning, shadowed

LOOKED_AT = 2_000  # of the latest cases, for those that went to people
LAST = 500
SHOWN = 20


@dataclass(frozen=True)
class Move:
    """A case that would be elsewhere, and why there; ``before`` and ``after`` are the queues' slugs."""

    case: Case
    before: str
    after: str
    reason: str


@dataclass(frozen=True)
class Trial:
    """``cases`` were routed twice; ``flows`` counts those that moved by (before, after), the largest first."""

    cases: int
    moved: int
    flows: Sequence[tuple[str, str, int]]
    moves: Sequence[Move]
    warning: QueueWarning | None = None


def try_change(changed: Queue) -> Trial:
    """Route the tenant's latest cases that went to people, at most ``LAST``, without and with ``changed``.

    ``changed`` is a queue with values that are not saved, new or known. Both times the queues are those of now: where a
    case once went, under queues of another day, says nothing about the change. Four queries; nothing is written.
    """
    stored = list(routed_queues([changed.tenant_id]))
    now = [queue_facts(queue) for queue in stored]
    then = _with(changed, stored)
    cases = _latest(changed)
    asks = any(facts.authority_code for facts in (*now, *then))
    authorities = authorities_of(cases) if asks else {}
    moves = []
    for case in cases:
        wanted_in = time_left(case.wanted_by, case.opened_at)
        known = {"authority": authorities.get(case.pk, ""), "wanted_in": wanted_in}
        before, _ = _placed(case_facts(case, _route(case), now, **known), now)
        after, reason = _placed(case_facts(case, _route(case), then, **known), then)
        if before != after:
            moves.append(Move(case, before, after, reason))
    flows = Counter((move.before, move.after) for move in moves)
    return Trial(
        cases=len(cases),
        moved=len(moves),
        flows=[(*ends, count) for ends, count in sorted(flows.items(), key=lambda flow: (-flow[1], flow[0]))],
        moves=moves[:SHOWN],
        warning=shadowed(then[0], then[1:]),
    )


def _with(changed: Queue, stored: Sequence[Queue]) -> list[QueueFacts]:
    """The stored queues with ``changed``, which stands first; as saving would leave them."""
    others = [queue_facts(queue) for queue in stored if queue.pk != changed.pk]
    mine = queue_facts(changed)
    if not any(other.is_fallback for other in others):
        mine = replace(mine, is_fallback=True)
    if mine.is_fallback:
        others = [replace(other, is_fallback=False) for other in others]
    return [mine, *others]


def _latest(changed: Queue) -> list[Case]:
    latest = Case.objects.real().filter(tenant=changed.tenant_id).order_by("-id").values("pk")[:LOOKED_AT]
    went_to_people = Case.objects.filter(pk__in=latest).exclude(current_draft__route=Route.AUTO_APPROVE)
    cases = list(went_to_people.select_related("current_draft").order_by("-id")[:LAST])
    for case in cases:
        case.tenant = changed.tenant
    return cases


def _route(case: Case) -> str:
    return case.current_draft.route


def _placed(case: CaseFacts, queues: Sequence[QueueFacts]) -> tuple[str, str]:
    try:
        chosen, reason = choose(case, queues)
    except NoQueue:  # A tenant's first queue: until it is saved, there is none.
        return "", ""
    return chosen.slug, reason
