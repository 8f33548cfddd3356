"""What the audit trail tells of the house itself: doors, breakers, notices, erasures; and everything of one request."""

import pytest
from django.db import connection
from django.test import Client
from django.urls import reverse

from cases.clock import db_now
from cases.models import (
    AccessEvent,
    BreakerAlarm,
    BreakerReset,
    BreakerRule,
    CaseEvent,
    ErasureReceipt,
    HeadReceipt,
    Seal,
    SealVerification,
    User,
)
from cases.models.people import system_actor
from cases.services import access
from cases.services.notices import News, tell
from feedback.audit import trail
from feedback.audit.sources import source_named, sources
from feedback.audit.trail import Question
from tests.feedback.test_audit import AUDIT, audit_key, browser, of_case, shown, whats
from tests.worlds import PASSWORD, World, make_world

__all__ = ["audit_key"]

pytestmark = pytest.mark.django_db
LOGIN = reverse("admin:login")
HOT = (
    *("cases.caseevent", "cases.historicalcase", "cases.dataview", "cases.denial", "cases.accessevent"),
    "approvals.historicalproposedaction",
)


@pytest.fixture
def world(settings) -> World:
    settings.AXES_FAILURE_LIMIT = 3
    return make_world("acme")


def sign_ins(client: Client, **asked) -> list[tuple[str, str, str]]:
    return [(line.what, line.who, line.behalf) for line in shown(client, source="cases.accessevent", **asked)]


def test_sign_ins_stand_in_the_trail_of_each_place_of_a_person_and_of_no_other(world):
    other = make_world("other")
    rita = world.reviewer
    for password in ("wrong", PASSWORD):
        Client().post(LOGIN, {"username": rita.username, "password": password})
    Client().post(LOGIN, {"username": "nobody@acme", "password": "wrong"})
    access.sign_out_everywhere(rita, actor=system_actor(), reason="lost her laptop")
    cleo = browser(world.compliance)
    theirs = [one for one in sign_ins(cleo) if str(rita) in one[1:]]
    assert theirs == [
        ("Signed out everywhere", "Countersign", str(rita)),
        ("Signed in", str(rita), ""),
        ("Sign-in failed", "Countersign", str(rita)),
    ]
    (failed,) = [line for line in shown(cleo, source="cases.accessevent") if line.what == "Sign-in failed"]
    assert "from 127.0.0.1" in failed.details
    assert cleo.get(failed.url).status_code == 200
    assert {one[2] or one[1] for one in sign_ins(cleo, person="rita")} == {str(rita)}
    assert "nobody@acme" not in cleo.get(AUDIT).content.decode()
    assert not [one for one in sign_ins(browser(other.compliance)) if str(rita) in one[1:]]


def test_pages_of_sign_ins_hold_each_once_whoevers_it_is(world):
    """They are read person by person: no page may lose one between two people, or show one twice."""
    for _ in range(2):
        for person in (world.reviewer, world.colleague, world.supervisor):
            access.note(person, AccessEvent.Kind.SIGNED_IN)
    question = Question(world.tenant, world.compliance, source="cases.accessevent")
    whole = [row.key for row in trail.found(question, None, 100)]
    assert whole == [str(key) for key in AccessEvent.objects.order_by("-at", "-id").values_list("pk", flat=True)]
    walked, after = [], None
    while True:
        rows, has_more = trail.page(question, after, 2)
        walked += [row.key for row in rows]
        if not has_more:
            break
        after = trail.Cursor.parse(rows[-1].cursor)
    assert walked == whole and len(whole) == 6


def test_who_runs_the_platform_is_seen_at_no_tenants_door(world):
    root = User.objects.create(username="root", first_name="Root", is_superuser=True, is_staff=True)
    world.tenant.memberships.create(user=root)
    event = access.note(root, AccessEvent.Kind.SIGNED_IN)
    cleo = browser(world.compliance)
    assert "Root" not in str(sign_ins(cleo))
    sent = {"row": f"cases_accessevent:{event.pk}", "reason": "curious"}
    assert "not on this page" in cleo.post(reverse("admin:audit-export"), sent, follow=True).content.decode()


def test_of_a_flood_of_wrong_passwords_a_bounded_number_is_kept(world, monkeypatch):
    monkeypatch.setattr(access, "FAILURES_KEPT", 2)
    for _ in range(4):
        access.on_failed(None, {"username": world.reviewer.username})
    access.on_failed(None, {"username": world.service.username})
    access.on_failed(None, {})
    assert list(AccessEvent.objects.values_list("user", "kind")) == [(world.reviewer.pk, "failed")] * 2


def test_alarms_their_resets_and_notices_stand_in_the_trail(world):
    rule = BreakerRule(tenant=world.tenant, name="Overrides rise", watches="overrides", domain="billing")
    rule.save_as(system_actor(), "made")
    now = db_now()
    alarm = BreakerAlarm.objects.create(
        **{"tenant": world.tenant, "rule": rule, "name": rule.name, "watches": "overrides", "domain": "billing"},
        **{"direction": "rise", "since": now, "at": now, "n": 40, "hits": 20, "baseline": 0.1, "low": 0.4},
        **{"high": 0.6, "statistic": 9.0, "limit": 5.0, "trips": True},
    )
    BreakerReset.objects.create(alarm=alarm, by=world.supervisor, at=db_now(), reason="bad", learns_anew=False)
    case = world.submit()
    told = {"tenant_id": world.tenant.pk, "kind": "sla.warn", "text": "Half of its time is over", "key": "k1"}
    tell([News(**told, to=[world.supervisor.pk], subject=case.wire_id)])
    cleo, oscar = browser(world.compliance), browser(make_world("other").compliance)
    found = shown(cleo)
    (raised,) = [line for line in found if line.what == "Alarm of a breaker"]
    assert raised.details == "Overrides rise, billing, 20 of 40 overrides, automation was stopped"
    (looked,) = [line for line in found if line.what == "Alarm looked at"]
    assert (looked.who, looked.row.reason, looked.url) == (str(world.supervisor), "bad", raised.url)
    (notice,) = [line for line in found if line.what == "Notice: sla.warn"]
    assert (notice.behalf, notice.details) == (str(world.supervisor), "Half of its time is over (waiting)")
    assert "Notice: sla.warn" in whats(of_case(cleo, case))
    for line in (raised, notice):
        assert cleo.get(line.url).status_code == 200
    assert not {"Alarm of a breaker", "Alarm looked at", "Notice: sla.warn"} & set(whats(shown(oscar)))


def test_an_erasure_stands_in_the_trail_and_names_nobody(world):
    ErasureReceipt.objects.create(
        **{"tenant": world.tenant, "cause": "request", "subject": "ab" * 32, "reason": "asked by letter"},
        **{"counts": {"cases": 2}, "by": world.compliance, "at": db_now()},
    )
    (line,) = shown(browser(world.compliance), source="cases.erasurereceipt")
    assert (line.what, line.details, line.row.reason) == (
        "Texts erased: a customer's request",
        "2 cases",
        "asked by letter",
    )
    assert "abab" not in browser(world.compliance).get(AUDIT).content.decode()


def test_everything_of_one_request_is_found_by_its_id(world):
    tess = browser(world.person("tess", "tenant_admin"))
    page = reverse("admin:cases_tenant_change", args=[world.tenant.pk])
    form = tess.get(page).context["adminform"].form
    sent = {name: form[name].value() for name in form.fields if form[name].value() is not None}
    answer = tess.post(page, sent | {"undo_seconds": 60, "reason": "people asked"})
    assert answer.status_code == 302, answer.context["adminform"].form.errors
    world.submit()
    cleo = browser(world.compliance)
    (change,) = [line for line in shown(cleo, source="cases.historicaltenant") if line.row.reason == "people asked"]
    assert change.row.request and change.request_url.endswith(f"request={change.row.request}")
    found = cleo.get(change.request_url).context["lines"]
    assert {line.row.request for line in found} == {change.row.request}
    assert change.row.key in {line.row.key for line in found}
    assert shown(cleo, request="no-such-request") == []
    oscar = browser(make_world("other").compliance)
    assert shown(oscar, request=change.row.request) == []


def test_what_grows_with_the_work_has_an_index_for_requests(world):
    """So that the search reads a few rows of ten million; what is small is read whole."""
    with connection.cursor() as cursor:
        for name in HOT:
            cursor.execute(
                "SELECT count(*) FROM pg_indexes WHERE tablename = %s AND indexdef LIKE '%%(request_id) WHERE%%'",
                [source_named(name).table],
            )
            assert cursor.fetchone()[0] == 1, name
    for source in sources():
        if trail._has_request(source):
            trail.page(Question(world.tenant, world.compliance, None, source=source.name, request="r"))


def test_sign_ins_leave_with_their_proof(world, audit_key):
    access.note(world.reviewer, AccessEvent.Kind.SIGNED_IN)
    answer = browser(world.compliance).post(
        f"{reverse('admin:audit-export')}?source=cases.accessevent", {"everything": "1", "reason": "inspection"}
    )
    assert answer["Content-Type"] == "application/zip"
    assert CaseEvent.objects.filter(kind="audit.exported").exists()


def test_home_shows_compliance_how_the_seals_stand_and_leads_to_the_trail(world, audit_key):
    empty = browser(world.compliance).get("/admin/").content.decode()
    assert "Nothing is sealed yet" in empty and f'href="{AUDIT}"' in empty
    now = db_now()
    seal = Seal.objects.create(
        **{"number": 1, "header": b"h", "digest": b"d" * 32, "previous": b"p" * 32, "from_xid": 0, "upto_xid": 9},
        **{"rows": 4, "contents": b"", "key_id": "k", "signature": b"s", "sealed_at": now},
    )
    SealVerification.objects.create(started_at=now, ended_at=now)
    other = make_world("other")
    HeadReceipt.objects.create(tenant=other.tenant, seal=seal, way="folder", at=now)
    cleo = browser(world.compliance)
    page = cleo.get("/admin/").content.decode()
    assert "seal 1" in page and "everything as it was sealed" in page
    assert "<dt>Head published</dt>\n    <dd>not yet</dd>" in page, "another tenant's is nobody else's"
    HeadReceipt.objects.create(tenant=world.tenant, seal=seal, way="folder", at=now)
    assert "<dt>Head published</dt>\n    <dd>seal 1" in cleo.get("/admin/").content.decode()
    assert "seals-title" not in browser(world.reviewer).get("/admin/").content.decode()


def test_sessions_that_are_over_are_forgotten(world, settings):
    from django.contrib.sessions.models import Session

    from cases.tasks import forget_sessions

    browser(world.reviewer)
    old = browser(world.colleague).session.session_key
    Session.objects.filter(pk=old).update(expire_date="2020-01-01T00:00:00Z")
    forget_sessions()
    assert Session.objects.count() == 1 and not Session.objects.filter(pk=old).exists()
    assert settings.CELERY_BEAT_SCHEDULE["forget-sessions"]["task"] == "cases.tasks.forget_sessions"
