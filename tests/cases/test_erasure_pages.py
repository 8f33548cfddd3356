"""The pages of customers' data: look, erase, receipt, report, holds; an outsider and the wrong roles on each."""

import json

import pytest
from django.test import Client
from django.urls import reverse

from cases.models import CaseEvent, Denial, ErasureReceipt, LegalHold
from cases.services import access_report, holds, lifecycle
from cases.services.subjects import Subject
from tests.cases.erasing import EMAIL, PERSON, REFERENCE, erase, held_texts
from tests.worlds import make_world

pytestmark = pytest.mark.django_db

ERASE, REPORT, PLACE = (
    reverse(f"admin:cases_{name}") for name in ("erasurereceipt_erase", "erasurereceipt_report", "legalhold_place")
)


def client_of(user) -> Client:
    client = Client()
    client.force_login(user, backend="django.contrib.auth.backends.ModelBackend")
    return client


def gone(world):
    case = world.submit(**PERSON)
    return lifecycle.withdraw(case.pk, actor=world.service)


def asked(world, **fields):
    return {"tenant": str(world.tenant.pk), "reference": REFERENCE, "email": "", "reason": "letter 7"} | fields


def test_compliance_looks_first_and_then_erases_and_meets_the_receipt():
    world = make_world()
    case, client = gone(world), client_of(world.compliance)
    page = client.post(ERASE, asked(world, look="1")).content.decode()
    assert "What it would hit" in page and 'name="confirm"' in page
    assert held_texts(case) == 2
    page = client.post(ERASE, asked(world, confirm="1"), follow=True).content.decode()
    receipt = ErasureReceipt.objects.get()
    assert receipt.wire_id in page and "letter 7" in page and REFERENCE not in page
    assert held_texts(case) == 0
    page = client.get(reverse("admin:cases_case_change", args=[case.pk])).content.decode()
    assert "were erased on" in page and f"by {world.compliance}" in page


def test_what_stands_in_the_way_is_said_before_and_after_the_button():
    world = make_world()
    case, client = world.submit(**PERSON), client_of(world.compliance)
    assert "open" in client.post(ERASE, asked(world, look="1")).content.decode()
    page = client.post(ERASE, asked(world, confirm="1")).content.decode()
    assert "A case is open" in page and "letter 7" in page
    assert held_texts(case) == 2


def test_a_hold_is_placed_and_released_and_takes_the_button_away():
    world = make_world()
    case, client = gone(world), client_of(world.compliance)
    placed = {"tenant": str(world.tenant.pk), "case": case.wire_id, "reference": "", "reason": "claim 12"}
    assert client.post(PLACE, placed, follow=True).status_code == 200
    hold = LegalHold.objects.get()
    page = client.post(ERASE, asked(world, look="1")).content.decode()
    assert "legal hold stands" in page and 'name="confirm"' not in page
    client.post(reverse("admin:cases_legalhold_release", args=[hold.pk]), {"reason": "settled"})
    hold.refresh_from_db()
    assert (hold.stands, hold.released_by) == (False, world.compliance)


def test_the_report_is_read_or_downloaded_and_leaves_a_line_without_a_name():
    world = make_world()
    gone(world)
    client = client_of(world.compliance)
    page = client.post(REPORT, asked(world, read="1")).content.decode()
    assert "Quetzalwort" in page and EMAIL in page and "<script>" not in page
    answer = client.post(REPORT, asked(world, json="1"))
    report = json.loads(answer.content)
    assert answer["Content-Disposition"].startswith("attachment") and "no-store" in answer["Cache-Control"]
    held = {name for text in report["cases"][0]["texts"] for name in text["holds"]}
    assert {"user_question", "customer", "model_draft", "reasoning"} <= held
    lines = CaseEvent.objects.filter(kind=CaseEvent.Kind.CUSTOMER_REPORTED)
    assert lines.count() == 2
    assert REFERENCE not in str([line.data for line in lines]) and not lines[0].is_public


def test_after_an_erasure_the_report_is_empty():
    world = make_world()
    gone(world)
    erase(world)
    report = access_report.make(Subject(world.tenant, reference=REFERENCE), actor=world.compliance)
    assert (report["cases"], report["without_a_case"]) == ([], [])


@pytest.mark.parametrize("who", ["reviewer", "supervisor"])
def test_other_roles_are_refused_on_every_page(who):
    world = make_world()
    client, case = client_of(getattr(world, who)), gone(world)
    for page in (ERASE, REPORT, PLACE, reverse("admin:cases_erasurereceipt_changelist")):
        assert client.get(page).status_code == 403
        assert client.post(page, asked(world, confirm="1", json="1", case=case.wire_id)).status_code == 403
    assert held_texts(case) == 2 and Denial.objects.exists()


def test_an_outsider_names_the_tenant_in_vain():
    world, other = make_world("inner"), make_world("outer")
    case, client = gone(world), client_of(other.compliance)
    for page, sent in ((ERASE, {"confirm": "1"}), (REPORT, {"json": "1"}), (PLACE, {"case": case.wire_id})):
        answer = client.post(page, asked(world, **sent))
        assert answer.status_code == 200 and "Quetzalwort" not in answer.content.decode()
    wrong = {"tenant": str(other.tenant.pk), "case": case.wire_id, "reference": "", "reason": "r"}
    assert "There is no such case" in client.post(PLACE, wrong).content.decode()
    hold = holds.place(world.tenant, case=case, reason="r", actor=world.compliance)
    client.post(reverse("admin:cases_legalhold_release", args=[hold.pk]), {"reason": "r"})
    hold.refresh_from_db()
    assert hold.stands and held_texts(case) == 2 and not ErasureReceipt.objects.exists()
    receipt = erase_after(world, hold)
    for name, key in (("erasurereceipt", receipt.pk), ("legalhold", hold.pk)):
        assert client.get(reverse(f"admin:cases_{name}_change", args=[key])).status_code == 302


def erase_after(world, hold):
    holds.release(hold.pk, reason="r", actor=world.compliance)
    return erase(world)
