"""Who writes the texts for customers, and sees what became of them."""

import pytest

from cases.models import (
    CustomerNotice,
    CustomerNoticeSettings,
    CustomerTemplate,
)
from tests.cases.customers.telling import ANNA, send_after
from tests.cases.test_admin_cases import sign_in
from tests.worlds import make_world

pytestmark = pytest.mark.django_db


def test_a_tenant_admin_writes_previews_and_tests_a_text(world, mailbox):
    tara = world.person("tara", "tenant_admin")
    client = sign_in(tara)
    add = "/admin/cases/customertemplate/add/"
    data = {"tenant": str(world.tenant.pk), "occasion": "decided", "way": "email", "domain": "legal", "locale": "es"}
    data |= {"subject": "{company}", "text": "<b>{answer}</b> {opt_out}", "is_active": "on", "reason": "new"}
    page = client.post(add, data | {"text": "{answr} {opt_out}"}).content.decode()
    assert "Unknown here: {answr}. Known are {answer}" in page
    assert client.post(add, data).status_code == 302
    row = CustomerTemplate.objects.get(domain="legal")
    change = f"/admin/cases/customertemplate/{row.pk}/change/"
    assert "&lt;b&gt;You can send the shoes back until 30 May." in client.get(change).content.decode()
    test = f"/admin/cases/customertemplate/{row.pk}/test/"
    assert "no e-mail address" in client.post(test, follow=True).content.decode()
    tara.email = "tara@acme.example"
    tara.save()
    assert "The test went out" in client.post(test, follow=True).content.decode()
    assert "To: tara@acme.example" in mailbox.mails[0]
    outsider = sign_in(make_world("other").person("oscar", "tenant_admin", "supervisor"))
    assert outsider.get(change).status_code == outsider.post(test).status_code == 302
    assert len(mailbox.mails) == 1


def test_the_list_masks_the_address_and_shows_a_failure(world, mailbox):
    mailbox.refuses = True
    case = world.submit(customer=ANNA)
    send_after()
    page = sign_in(world.supervisor).get("/admin/cases/customernotice/").content.decode()
    assert "an•••" in page and "anna@" not in page and "refused the address" in page
    timeline = sign_in(world.supervisor).get(f"/admin/cases/case/{case.pk}/change/").content.decode()
    assert "Customer could not be told" in timeline
    notice = CustomerNotice.objects.get()
    mailbox.refuses = False
    sign_in(world.supervisor).post(f"/admin/cases/customernotice/{notice.pk}/resend/")
    assert send_after() == 1
    outsider = sign_in(make_world("other").person("oscar", "supervisor"))
    assert "an•••" not in outsider.get("/admin/cases/customernotice/").content.decode()
    assert outsider.post(f"/admin/cases/customernotice/{notice.pk}/resend/").status_code == 302


def test_the_service_for_sms_is_written_and_never_shown(world):
    client = sign_in(world.person("tara", "tenant_admin"))
    rules = CustomerNoticeSettings.objects.get()
    url = f"/admin/cases/customernoticesettings/{rules.pk}/change/"
    seen = rules.history.latest("history_id").pk
    data = {"is_on": "on", "warn_minutes": 60, "delay_minutes": 240, "reason": "sms", "seen": seen}
    for bad in ("http://10.0.0.1/{phone}", "twilio://a:b@15551234567/"):
        assert client.post(url, data | {"new_sms_url": bad}).status_code == 200
    account = "AC" + "a" * 32
    good = f"twilio://{account}:{'b' * 32}@15551234567/{{phone}}"
    assert client.post(url, data | {"new_sms_url": good}).status_code == 302
    rules.refresh_from_db()
    assert rules.sms_url == good
    assert "bbbb" not in client.get(url).content.decode()
