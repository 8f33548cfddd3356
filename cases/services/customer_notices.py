"""What customers are told and when, in the transaction of its cause; ``customer_sending`` sends it later.

**Received**: a case went to people. **Decided**: its outcome is final. **Delayed**: the promised time cannot be kept,
which is said before it has passed, once a case. Only of real cases, where the tenant switched it on and has a text for
it and the caller sent an address; by e-mail where there are an address and a text for that, else by SMS.

One per occasion: the row's ``key`` is unique, so that two workers write one. A decision that is undone, recalled or
reopened takes its unsent notice with it; a new decision has a new key.
"""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from django.db import connection

from .. import states
from ..clock import db_now
from ..customer_messages import best_match, promised_by
from ..customer_texts import Occasion, Way, after_quiet_hours, zone_of
from ..models import Case, CaseEvent, CustomerNotice, CustomerNoticeSettings, CustomerTemplate
from .events import Happening
from .meanwhile import locales_of

K = CaseEvent.Kind
WAITING, CANCELLED = CustomerNotice.State.WAITING, CustomerNotice.State.CANCELLED
TAKEN_BACK = {K.UNDONE, K.RECALLED, K.REOPENED}
OCCASIONS = {K.OPENED: Occasion.RECEIVED, K.DECIDED: Occasion.DECIDED, K.AUTO_APPROVED: Occasion.DECIDED}
ADDRESSES = {Way.EMAIL: "email", Way.SMS: "phone"}  # By preference.


def on_events(happenings: Sequence[Happening]) -> Mapping[UUID, dict[str, Any]]:
    """A handler of events (``settings.CASE_EVENT_HANDLERS``): writes and cancels notices; answers nothing."""
    kind = happenings[0].event.kind
    cases = [one.case for one in happenings]
    if kind in TAKEN_BACK:
        cancel(cases, "The decision was taken back.", occasion=Occasion.DECIDED)
    elif kind == K.WITHDRAWN:
        cancel(cases, "The case was withdrawn.")
    elif occasion := OCCASIONS.get(kind):
        fitting = states.DECIDED if occasion == Occasion.DECIDED else states.OPEN
        _write(
            [(one.case, _key(one.case, occasion, one.event)) for one in happenings if one.case.state in fitting],
            occasion,
            at=happenings[0].event.at,
        )
    return {}


def cancel(cases: Iterable[Case], why: str, *, occasion: str = "") -> None:
    """What has not been sent is not sent."""
    unsent = CustomerNotice.objects.filter(case__in=cases, state=WAITING)
    if occasion:
        unsent = unsent.filter(occasion=occasion)
    unsent.update(state=CANCELLED, last_error=why, leased_until=None)


def address_of(case: Case, way: str) -> str:
    """Where the caller says its customer is reached; empty where it did not say, or it was erased."""
    return ((case.content.text.get("customer") or {}).get(ADDRESSES[Way(way)]) or "").strip()


def _key(case: Case, occasion: str, event: CaseEvent) -> str:
    return f"{case.pk.hex}:{occasion}:{event.pk.hex}"


def _write(keyed: Sequence[tuple[Case, str]], occasion: str, *, at: datetime) -> None:
    keyed = [
        (case, key)
        for case, key in keyed
        if case.purpose == Case.Purpose.REAL and any(address_of(case, way) for way in ADDRESSES)
    ]
    if not keyed:
        return
    tenants = {case.tenant_id for case, _ in keyed}
    rules = {one.tenant_id: one for one in CustomerNoticeSettings.objects.filter(tenant__in=tenants, is_on=True)}
    templates = _templates(rules, occasion)
    notices = [
        _notice(case, key, template, occasion, rules[case.tenant_id], at)
        for case, key in keyed
        if case.tenant_id in rules and (template := template_for(case, templates))
    ]
    CustomerNotice.objects.bulk_create(notices, ignore_conflicts=True)


def _templates(tenants: Iterable[UUID], occasion: str) -> list[CustomerTemplate]:
    found = CustomerTemplate.objects.filter(tenant__in=tenants, occasion=occasion, is_active=True)
    return list(found.order_by("id")[:10_000])


def template_for(case: Case, templates: Iterable[CustomerTemplate]) -> CustomerTemplate | None:
    """The text for the customer of ``case``: by the first way that has an address and a text, in their language."""
    customer = case.content.text.get("customer")
    for way in ADDRESSES:
        if not address_of(case, way):
            continue
        by_id = {str(one.pk): one for one in templates if one.way == way and one.tenant_id == case.tenant_id}
        candidates = [(one.domain, one.locale, key) for key, one in by_id.items()]
        locales = locales_of(customer, case.language, case.tenant)
        if found := best_match(candidates, domain=case.domain, locales=locales):
            return by_id[found]
    return None


def _notice(
    case: Case, key: str, template: CustomerTemplate, occasion: str, rules: CustomerNoticeSettings, at: datetime
) -> CustomerNotice:
    due = max(at, case.final_at) if occasion == Occasion.DECIDED and case.final_at else at
    return CustomerNotice(
        tenant_id=case.tenant_id,
        case=case,
        occasion=occasion,
        way=template.way,
        template=template,
        key=key,
        created_at=at,
        next_attempt_at=earliest(case, template, rules, due),
    )


def earliest(case: Case, template: CustomerTemplate, rules: CustomerNoticeSettings, at: datetime) -> datetime:
    """``at``, or the end of the quiet hours on the customer's clock that it falls into."""
    if template.is_urgent:
        return at
    return after_quiet_hours(at, rules.quiet_from, rules.quiet_until, clock_of(case))


def clock_of(case: Case):
    return zone_of((case.content.text.get("customer") or {}).get("time_zone"), case.tenant.time_zone)


# --- a promise that cannot be kept ------------------------------------------------------------------------------------

# A case whose actions wait is undecided for its customer. What was missed for a day is no longer "delayed".
ENDANGERED = """
    SELECT promise.case_id, max(promise.by)
    FROM cases_promise promise
    JOIN cases_case on_case ON on_case.id = promise.case_id
    JOIN cases_customernoticesettings rules ON rules.tenant_id = on_case.tenant_id AND rules.is_on
    JOIN cases_content content ON content.id = on_case.content_id
    WHERE on_case.purpose = 'real'
      AND (on_case.state = ANY(%(open)s) OR (on_case.open_actions > 0 AND on_case.state = ANY(%(decided)s)))
      AND promise.by <= %(now)s
          + least(make_interval(mins => rules.warn_minutes), (promise.by - promise.told_at) / 4)
      AND promise.by > %(now)s - interval '1 day'
      AND coalesce(content.body->'customer'->>'email', content.body->'customer'->>'phone', '') <> ''
      AND EXISTS (
          SELECT FROM cases_customertemplate template
          WHERE template.tenant_id = on_case.tenant_id AND template.occasion = 'delayed' AND template.is_active
      )
      AND NOT EXISTS (
          SELECT FROM cases_customernotice notice
          WHERE notice.case_id = promise.case_id AND notice.occasion = 'delayed'
      )
    GROUP BY promise.case_id ORDER BY 2 LIMIT %(limit)s
"""


def warn_of_delays(*, limit: int = 500) -> int:
    """Write the second, earlier notice for promises that will be missed; returns how many. Any number may run."""
    now = db_now()
    bounds = {
        "now": now,
        "limit": limit,
        "open": list(map(str, states.OPEN)),
        "decided": list(map(str, states.DECIDED)),
    }
    with connection.cursor() as cursor:
        cursor.execute(ENDANGERED, bounds)
        promised = dict(cursor.fetchall())
    if not promised:
        return 0
    cases = list(Case.objects.with_text().filter(pk__in=promised))
    rules = {
        one.tenant_id: one
        for one in CustomerNoticeSettings.objects.filter(tenant__in={case.tenant_id for case in cases})
    }
    templates = _templates(rules, Occasion.DELAYED)
    notices = [
        _delayed(case, template_for(case, templates), rules[case.tenant_id], promised[case.pk], now) for case in cases
    ]
    CustomerNotice.objects.bulk_create(notices, ignore_conflicts=True)
    return len(notices)


def _delayed(
    case: Case,
    template: CustomerTemplate | None,
    rules: CustomerNoticeSettings,
    promised: datetime,
    now: datetime,
) -> CustomerNotice:
    """Without a text in their language it is kept as not sent, so that it is seen, and not looked for again."""
    key = f"{case.pk.hex}:{Occasion.DELAYED}"
    if template is None:
        way = next(way for way in ADDRESSES if address_of(case, way))
        return CustomerNotice(
            tenant_id=case.tenant_id,
            case=case,
            occasion=Occasion.DELAYED,
            way=way,
            key=key,
            created_at=now,
            next_attempt_at=now,
            state=CANCELLED,
            last_error="There is no text in a language that the customer reads.",
        )
    later = max(promised, now) + timedelta(minutes=rules.delay_minutes)
    notice = _notice(case, key, template, Occasion.DELAYED, rules, now)
    # Nobody is promised an answer at three in the morning, and nobody reads it then.
    notice.promised_by = promised_by(after_quiet_hours(later, rules.quiet_from, rules.quiet_until, clock_of(case)))
    return notice
