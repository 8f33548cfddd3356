"""What customers are told meanwhile: the interim answer, chosen when a case comes in, and the time that is promised."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from ..customer_messages import best_match, customer_message, locale_for, promised_by
from ..models import Case, InterimTemplate, Promise, Tenant
from ..wire.intake import Intake

ANSWER = "interim_answer"  # In the case's content, where the caller sent no ``limited_answer``.


def locales_of(customer: Mapping[str, Any] | None, language: str, tenant: Tenant) -> list[str | None]:
    """In which language to write, best first: the customer's own, the case's, the tenant's."""
    return [(customer or {}).get("locale"), language, tenant.fallback_language]


def templates_for(tenant: Tenant, intakes: Iterable[Intake]) -> list[tuple[str, str, str]]:
    """The tenant's templates for the domains of ``intakes``, in one query; none is asked for that nobody needs."""
    domains = {intake.get("domain") for intake in intakes if not intake.get("limited_answer")}
    if not domains:
        return []
    found = InterimTemplate.objects.filter(tenant=tenant, domain__in={"", *domains})
    return list(found.order_by("id").values_list("domain", "locale", "text")[:1_000])


def interim_answer(intake: Intake, tenant: Tenant, templates: Sequence[tuple[str, str, str]]) -> str | None:
    """The template's text for a case without a ``limited_answer`` of its own."""
    if intake.get("limited_answer") or not templates:
        return None
    locales = locales_of(intake.get("customer"), intake.get("language", ""), tenant)
    return best_match(templates, domain=intake.get("domain"), locales=locales)


def told_meanwhile(case: Case) -> str | None:
    """What the caller or the tenant's template let the customer know, as it stood when the case came in."""
    return case.content.text.get("limited_answer") or case.content.text.get(ANSWER)


def keep_promises(cases: Sequence[Case], answers: Mapping[UUID, Mapping[str, Any]], now: datetime) -> None:
    """Store by when each customer is told to expect an answer: the deadline that the queues gave, and the undo window
    that a decision takes to be final."""
    promises = [
        Promise(case=case, by=promise_for(case, deadline), told_at=now)
        for case in cases
        if (deadline := answers.get(case.pk, {}).get("sla_deadline"))
    ]
    if promises:
        Promise.objects.bulk_create(promises)


def promise_for(case: Case, deadline: datetime) -> datetime:
    return promised_by(deadline + timedelta(seconds=case.tenant.undo_seconds))


def message_of(case: Case, by: datetime, *, now: datetime) -> str:
    """The sentence for the customer of ``case``, as it read at ``now``."""
    locale = locale_for(*locales_of(case.content.text.get("customer"), case.language, case.tenant))
    return customer_message(locale, by, now=now, time_zone=case.tenant.time_zone)


def last_message(case: Case) -> str | None:
    """What the customer was last told to expect; None where nothing was promised."""
    last = Promise.objects.filter(case=case).order_by("-id").first()
    return message_of(case, last.by, now=last.told_at) if last else None
