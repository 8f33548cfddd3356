"""What the tests of customers' notices do again and again."""

import email
import re
from datetime import timedelta
from email import policy

from django.db import transaction

from cases.clock import db_now, pretend_now
from cases.models import (
    Case,
    CaseEvent,
    CustomerNotice,
    CustomerNoticeSettings,
    CustomerTemplate,
)
from cases.models.people import system_actor
from cases.services import customer_sending, decisions, lifecycle
from cases.services.decisions import Decision
from cases.vocabulary import Verdict
from tests.worlds import make_world

ANNA = {"reference": "c_1", "email": "anna@example.com", "locale": "en"}
TEXTS = {
    "received": "{promise}\n\n{opt_out}",
    "decided": "{answer}\n\n{opt_out}",
    "delayed": "It takes longer. {promise}\n\n{opt_out}",
}
MINUTE, HOUR = timedelta(minutes=1), timedelta(hours=1)
NOON = "2027-05-10T12:00:00+00:00"  # a Monday


def furnished(slug: str = "acme", **tenant):
    world = make_world(slug, rules={"new_release_reviews": 0, "sampling_share": 0.0}, **tenant)
    CustomerNoticeSettings(tenant=world.tenant, is_on=True).save_as(system_actor(), "on")
    for occasion in TEXTS:
        template(world, occasion)
    return world


def template(world, occasion: str, **fields) -> CustomerTemplate:
    values = {"subject": "{company}: {reference}", "text": TEXTS[occasion]} | fields
    row = CustomerTemplate(tenant=world.tenant, occasion=occasion, **values)
    row.full_clean()
    row.save_as(system_actor(), "new")
    return row


def decide(case: Case, verdict: str = "accept") -> None:
    with transaction.atomic():
        decisions.decide(lifecycle.locked(case.pk), Decision(Verdict(verdict)), actor=system_actor(), now=db_now())


def send_after(span: timedelta = timedelta(0)) -> int:
    with pretend_now(db_now() + span):
        return customer_sending.send_due(seconds=5)


def read(text: str) -> tuple[str, str]:
    mail = email.message_from_string(text, policy=policy.default)
    return mail["Subject"], mail.get_content()


def states(**fields) -> list[tuple[str, str]]:
    found = CustomerNotice.objects.filter(**fields).order_by("id")
    return [(notice.occasion, notice.state) for notice in found]


def told(case: Case) -> list[str]:
    kinds = ("case.customer_told", "case.customer_not_told")
    return list(CaseEvent.objects.filter(case=case, kind__in=kinds).order_by("id").values_list("kind", flat=True))


def at_noon():
    return db_now().fromisoformat(NOON)


def link_in(mail: str) -> str:
    return re.search(r"/customers/opt-out/[^\s/]+/", read(mail)[1])[0]
