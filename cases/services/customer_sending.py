"""Sending what ``customer_notices`` wrote: looked at once more under the case's lock, then sent outside of it.

At least once: a sender that dies between the mail server's yes and our storing leaves a lease that runs out, and the
mail goes again under the same Message-ID, by which most mailboxes show it once.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any
from urllib.parse import quote, urlsplit
from uuid import UUID

from django.conf import settings
from django.core.exceptions import ValidationError
from django.core.validators import validate_email
from django.db import connection, transaction
from django.db.models import F, Min

from .. import notice_ways
from ..clock import db_now
from ..customer_messages import customer_message, locale_for
from ..customer_texts import Occasion, Way, dialled, filled, one_line, sample
from ..models import (
    Case,
    CaseEvent,
    CustomerNotice,
    CustomerNoticeSettings,
    CustomerTemplate,
    Promise,
    Tenant,
    User,
)
from ..models.people import system_actor
from ..outcome import final_answer, is_final
from ..permissions import require
from ..states import DECIDED, State
from . import opt_outs
from .customer_notices import CANCELLED, WAITING, address_of, clock_of, earliest
from .events import record
from .lifecycle import locked
from .meanwhile import locales_of, told_meanwhile
from .notices import DESTINATIONS, LEASE, RETRY_DELAYS, NotFailed, in_rounds

COUNTED = 1000
FAILED_SHOWN = timedelta(days=7)  # The health page speaks of failures that are not older.


@dataclass(frozen=True)
class Letter:
    """One message, ready to go, ours until ``until``."""

    notice_id: UUID
    until: datetime
    way: str
    address: str
    subject: str
    body: str
    headers: Mapping[str, str] = field(default_factory=dict)
    service: str = ""  # the apprise URL of an SMS


@dataclass(frozen=True)
class Sent:
    """What came of it: ``error`` is empty where it was taken, ``is_final`` says that trying again is no use."""

    error: str = ""
    is_final: bool = False


class NotToBeSent(Exception):
    """Says why a notice is given up before it is sent."""


# --- leasing ----------------------------------------------------------------------------------------------------------

# A decision whose actions have not ended stays where it is, and costs a look at its case.
LEASE_DUE = """
    UPDATE cases_customernotice SET leased_until = %(until)s
    WHERE id IN (
        SELECT notice.id
        FROM cases_customernotice notice JOIN cases_case on_case ON on_case.id = notice.case_id
        WHERE notice.state = 'waiting' AND notice.next_attempt_at <= %(now)s
          AND (notice.leased_until IS NULL OR notice.leased_until <= %(now)s)
          AND (notice.occasion <> 'decided' OR on_case.open_actions = 0)
        ORDER BY notice.next_attempt_at LIMIT %(limit)s
        FOR NO KEY UPDATE OF notice SKIP LOCKED
    )
    RETURNING id, case_id
"""


def send_due(*, seconds: float = 40) -> int:
    """Send what is due until nothing is or ``seconds`` have passed; returns how many were tried.

    Any number of senders may run: each notice is leased by one of them. Not for a transaction.
    """
    return in_rounds(_lease_due, _send, _finish, seconds=seconds)


def _lease_due() -> list[Letter]:
    """Letters to send; looks on where everything that was due turned out not to be sent."""
    while True:
        now = db_now()
        until = now + LEASE
        with connection.cursor() as cursor:
            cursor.execute(LEASE_DUE, {"now": now, "until": until, "limit": DESTINATIONS})
            leased = cursor.fetchall()
        letters = [letter for notice_id, case_id in leased if (letter := _claim(notice_id, case_id, until))]
        if letters or not leased:
            return letters


@transaction.atomic
def _claim(notice_id: UUID, case_id: UUID, until: datetime) -> Letter | None:
    # Whoever undoes, reopens or withdraws holds this lock and cancels our row: afterwards we see that.
    case = locked(case_id)
    ours = CustomerNotice.objects.filter(pk=notice_id, state=WAITING, leased_until=until)
    notice = ours.select_related("template").first()
    if notice is None:
        return None
    now = db_now()
    try:
        rules = _rules(case.tenant)
        if wait := _not_before(notice, case, rules, now):
            ours.update(next_attempt_at=wait, leased_until=None)
            return None
        letter = _letter(notice, case, rules, until, now)
    except NotToBeSent as why:
        ours.update(state=CANCELLED, last_error=str(why)[:300], leased_until=None)
        return None
    version = notice.template.history.order_by("-history_id").values("history_id")[:1]
    ours.update(attempts=F("attempts") + 1, template_version=version)
    return letter


def _rules(tenant: Tenant) -> CustomerNoticeSettings:
    rules = CustomerNoticeSettings.objects.filter(tenant=tenant, is_on=True).first()
    if rules is None or not tenant.is_active:
        raise NotToBeSent("Customer notices were switched off.")
    return rules


def _not_before(notice: CustomerNotice, case: Case, rules: CustomerNoticeSettings, now: datetime) -> datetime | None:
    """Until when the notice waits; None where it may go. Raises ``NotToBeSent``."""
    if case.state == State.WITHDRAWN:
        raise NotToBeSent("The case was withdrawn.")
    if notice.occasion == Occasion.DECIDED:
        if case.state not in DECIDED:
            raise NotToBeSent("The decision was taken back.")
        if not is_final(case, now):
            return max(case.final_at, now + timedelta(seconds=5))
    elif is_final(case, now):
        raise NotToBeSent("The case was decided before this went out.")
    elif case.state in DECIDED and case.open_actions == 0:
        return case.final_at  # Then it is final, or was undone and the customer waits on.
    due = earliest(case, notice.template, rules, now)
    return due if due > now else None


# --- writing ----------------------------------------------------------------------------------------------------------


def _letter(
    notice: CustomerNotice, case: Case, rules: CustomerNoticeSettings, until: datetime, now: datetime
) -> Letter:
    template = notice.template
    if not template.is_active:
        raise NotToBeSent("The text was switched off.")
    if case.content.is_erased:
        raise NotToBeSent("The customer's data were erased.")
    if opt_outs.has_opted_out(case.tenant_id, opt_outs.keys_of(case)):
        raise NotToBeSent("The customer wants no notices.")
    answer = final_answer(case) if notice.occasion == Occasion.DECIDED else None
    text = template.text
    if notice.occasion == Occasion.DECIDED and not answer:
        text = template.text_without_answer
        if not text:
            raise NotToBeSent("No answer takes effect, and the text has no words for that.")
    link = opt_outs.link_for(case)
    values = {
        "company": case.tenant.name,
        "reference": case.external_id or case.wire_id,
        "promise": _promise(notice, case, now),
        "interim_answer": told_meanwhile(case) or "",
        "answer": answer or "",
        "opt_out": link,
    }
    return Letter(
        notice_id=notice.pk,
        until=until,
        way=notice.way,
        address=_checked_address(case, notice.way),
        subject=one_line(filled(template.subject, values)),
        body=filled(text, values),
        headers=_headers(notice.pk, link) if notice.way == Way.EMAIL else {},
        service=rules.sms_url,
    )


def _promise(notice: CustomerNotice, case: Case, now: datetime) -> str:
    last = Promise.objects.filter(case=case).order_by("-id").first()
    by = notice.promised_by or (last.by if last else now)
    locale = locale_for(*locales_of(case.content.text.get("customer"), case.language, case.tenant))
    return customer_message(locale, by, now=now, time_zone=str(clock_of(case)))


def _checked_address(case: Case, way: str) -> str:
    address = address_of(case, way)
    if way == Way.SMS:
        number = dialled(address)
        if number is None:
            raise NotToBeSent("What the caller sent is no phone number.")
        return number
    try:
        validate_email(address)
    except ValidationError as error:
        raise NotToBeSent("What the caller sent is no e-mail address.") from error
    return address


def _headers(notice_id: UUID, link: str) -> dict[str, str]:
    """RFC 3834 and 2369; the Message-ID is the notice's own, so that a second sending can be told."""
    host = urlsplit(settings.PUBLIC_URL).hostname or "countersign"
    return {
        "Message-ID": f"<{notice_id.hex}@{host}>",
        "Auto-Submitted": "auto-generated",
        "List-Unsubscribe": f"<{link}>",
    }


# --- sending ----------------------------------------------------------------------------------------------------------


def _send(letter: Letter) -> Sent:
    """Never raises and never touches the database: it runs in a thread."""
    try:
        if letter.way == Way.EMAIL:
            notice_ways.send_email(letter.address, letter.subject, letter.body, dict(letter.headers))
        elif letter.service:
            notice_ways.send_to_service(sms_address(letter.service, letter.address), "", letter.body)
        else:
            return Sent("The tenant has no service for SMS.", is_final=True)
    except notice_ways.NotSent as error:
        return Sent(str(error), is_final=error.is_bounce)
    return Sent()


def sms_address(url: str, number: str) -> str:
    """The apprise URL that leads to ``number``, which is digits and a plus."""
    return url.replace("{phone}", quote(number, safe=""))


@transaction.atomic
def _finish(letter: Letter, sent: Sent) -> None:
    """Store what came of it, where the lease is still ours, and write it into the case's timeline."""
    ours = CustomerNotice.objects.filter(pk=letter.notice_id, state=WAITING, leased_until=letter.until)
    notice = ours.first()
    if notice is None:
        return
    case = locked(notice.case_id)
    now = db_now()
    changes: dict[str, Any] = {"leased_until": None, "last_error": sent.error[:300]}
    tried = notice.attempts - 1
    if not sent.error:
        changes |= {"state": CustomerNotice.State.SENT, "sent_at": now}
    elif sent.is_final or tried >= len(RETRY_DELAYS):
        changes["state"] = CustomerNotice.State.FAILED
    else:
        changes["next_attempt_at"] = now + RETRY_DELAYS[tried]
    if not ours.update(**changes) or "state" not in changes:
        return
    if not sent.error and notice.promised_by:
        Promise(case=case, by=notice.promised_by, told_at=now).save(force_insert=True)
    kind = CaseEvent.Kind.CUSTOMER_NOT_TOLD if sent.error else CaseEvent.Kind.CUSTOMER_TOLD
    record(case, kind, system_actor(), at=now, occasion=notice.occasion, way=notice.way)


# --- what people do and see -------------------------------------------------------------------------------------------


@transaction.atomic
def resend(notice_id: UUID, *, actor: User) -> CustomerNotice:
    """Give a notice that could not be sent a new set of attempts. Raises ``Denied`` and ``NotFailed``."""
    notice = CustomerNotice.objects.select_for_update(of=("self",)).select_related("tenant").get(pk=notice_id)
    require(actor, "change_queue", notice.tenant)
    if notice.state != CustomerNotice.State.FAILED:
        raise NotFailed("Only a notice that could not be sent can be sent again. Nothing was changed.")
    notice.state, notice.attempts, notice.next_attempt_at = WAITING, 0, db_now()
    notice.save(update_fields=["state", "attempts", "next_attempt_at"])
    return notice


@dataclass(frozen=True)
class Preview:
    """A template with made-up values, as a customer would read it."""

    subject: str
    text: str
    text_without_answer: str


def preview(template: CustomerTemplate) -> Preview:
    tenant = template.tenant
    locale = locale_for(template.locale, tenant.fallback_language)
    values = sample(template.occasion, company=tenant.name, locale=locale, now=db_now(), time_zone=tenant.time_zone)
    return Preview(
        one_line(filled(template.subject, values)),
        filled(template.text, values),
        filled(template.text_without_answer, values),
    )


def send_test(template_id: UUID, *, actor: User, phone: str = "") -> str:
    """Send the preview to the person's own address, or to ``phone``, which is not stored; returns what went wrong, or
    nothing. Raises ``Denied``. Not for a transaction."""
    template = CustomerTemplate.objects.select_related("tenant").get(pk=template_id)
    require(actor, "change_policy", template.tenant)
    shown = preview(template)
    if template.way == Way.SMS:
        rules = CustomerNoticeSettings.objects.filter(tenant=template.tenant).first()
        number = dialled(phone)
        if number is None:
            return "Give your phone number."
        service = rules.sms_url if rules else ""
        return _send(Letter(template.pk, db_now(), Way.SMS, number, "", shown.text, service=service)).error
    if not actor.email:
        return "Your account has no e-mail address."
    return _send(Letter(template.pk, db_now(), Way.EMAIL, actor.email, f"Test: {shown.subject}", shown.text)).error


@dataclass(frozen=True)
class Backlog:
    """Figures for the health page; the counts end at ``COUNTED``."""

    late: timedelta  # since when the longest due notice could have been tried; a retry's time is not late
    waiting: int
    failed: int  # lately
    failing: int  # of those that wait: tried at least once, and refused


def backlog() -> Backlog:
    now = db_now()
    waiting = CustomerNotice.objects.filter(state=WAITING)
    untried = waiting.filter(attempts=0, next_attempt_at__lte=now, leased_until=None, tenant__is_active=True)
    free = untried.exclude(occasion=Occasion.DECIDED, case__open_actions__gt=0)
    due = free.aggregate(at=Min("next_attempt_at"))["at"]
    failed = CustomerNotice.objects.filter(state=CustomerNotice.State.FAILED, created_at__gt=now - FAILED_SHOWN)
    return Backlog(
        late=now - due if due else timedelta(0),
        waiting=waiting[:COUNTED].count(),
        failed=failed[:COUNTED].count(),
        failing=waiting.filter(attempts__gt=0).exclude(last_error="")[:COUNTED].count(),
    )
