"""From rows to routing's facts: what routing is told of stored queues and cases, at intake and in the sandbox alike."""

from collections.abc import Callable, Collection, Sequence
from datetime import datetime, timedelta
from functools import cache
from typing import Any
from uuid import UUID

from django.conf import settings
from django.db.models import QuerySet
from django.utils.module_loading import import_string

from cases.models import Case

from ..models import Queue
from ..routing import CaseFacts, QueueFacts, language_of, skill_asked


@cache
def _asked_above(question: str) -> Callable[[Any], dict[UUID, Any]]:
    return import_string(settings.QUEUE_AUTHORITIES[question])


def authorities_of(cases: Sequence[Case]) -> dict[UUID, str]:
    """Per case the code of the authority that its action needs, as the approvals' side says."""
    return _asked_above("needed")(cases) if cases else {}


def authority_codes(tenant_ids: Collection[UUID]) -> dict[UUID, list[str]]:
    """Per tenant the authorities that there are."""
    return _asked_above("codes")(tenant_ids)


def routed_queues(tenant_ids: Collection[UUID]) -> QuerySet[Queue]:
    """The tenants' queues with all that routing and deadlines read of them."""
    queues = Queue.objects.filter(tenant__in=tenant_ids).select_related("sla_policy__calendar", "skill")
    return queues.prefetch_related("sla_policy__steps")


def queue_facts(queue: Queue) -> QueueFacts:
    return QueueFacts(
        slug=queue.slug,
        position=queue.position,
        is_fallback=queue.is_fallback,
        domains=frozenset(queue.domains),
        languages=frozenset(queue.languages),
        risks=frozenset(queue.risks),
        routes=frozenset(queue.routes),
        authority_code=queue.authority_code,
        skill=queue.skill.code if queue.skill_id else "",
        due_within=timedelta(minutes=queue.due_within_minutes) if queue.due_within_minutes else None,
    )


def case_facts(
    case: Case, route: str, queues: Collection[QueueFacts], *, authority: str = "", wanted_in: timedelta | None = None
) -> CaseFacts:
    """What routing among ``queues`` knows of ``case``; needs its tenant. ``wanted_in`` is ``time_left``."""
    language, is_assumed = language_of(case.language, case.tenant.fallback_language)
    return CaseFacts(
        domain=case.domain,
        language=language,
        risk=case.risk,
        route=route,
        authority_code=authority,
        skill=skill_asked(case.tags, {queue.skill for queue in queues}),
        due_in=wanted_in,
        is_language_assumed=is_assumed,
    )


def time_left(wanted_by: datetime | None, at: datetime) -> timedelta | None:
    """How far the caller's deadline is from ``at``, or None without one."""
    return wanted_by - at if wanted_by else None
