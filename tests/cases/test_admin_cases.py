"""The ground floor's pages: cases, policies, people, the switch, webhooks."""

from dataclasses import replace

import pytest
from django.contrib.messages import get_messages
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from cases.admin.fields import MappingField, PairsField
from cases.models import (
    AutomationSwitch,
    Case,
    Delivery,
    Denial,
    Membership,
    Policy,
    PolicyVersion,
    User,
    WebhookEndpoint,
)
from cases.models.people import system_actor
from cases.rules import DEFAULT_RULES
from cases.services.policy_preview import Judged, Thresholds, preview, route_under
from cases.states import State
from cases.triage import Automation, Facts, triage
from cases.untrusted import shown
from cases.vocabulary import Kind, Risk, Role, Route, Signal
from tests.worlds import PASSWORD, SURE, WEAK, World, make_world

pytestmark = pytest.mark.django_db
CASES = "/admin/cases/case/"


def sign_in(user: User) -> Client:
    client = Client()
    client.force_login(user, backend="django.contrib.auth.backends.ModelBackend")
    return client


def said(response) -> str:
    return " ".join(str(message) for message in get_messages(response.wsgi_request))


def form_of(client: Client, url: str) -> dict:
    """What a browser would post back from the change page at ``url``, unchanged."""
    adminform = client.get(url).context["adminform"].form
    data = {}
    for bound in adminform:
        value = bound.field.prepare_value(bound.value())
        if isinstance(value, bool):
            value = "on" if value else None
        if value is not None:
            data[bound.html_name] = value
    return data


def empty_inline(prefix: str) -> dict:
    return {f"{prefix}-TOTAL_FORMS": 0, f"{prefix}-INITIAL_FORMS": 0}


@pytest.fixture
def world(db) -> World:
    return make_world("acme")


@pytest.fixture
def boss(world) -> Client:
    """A tenant admin, signed in."""
    return sign_in(world.person("ines", Role.TENANT_ADMIN))


# --- the list -------------------------------------------------------------------------------------------------------


def test_the_list_shows_state_queue_and_deadline(world):
    world.submit(external_id="conv-1", user_question="Where is my parcel?")
    text = sign_in(world.reviewer).get(CASES).content.decode()
    for words in ("conv-1", "Where is my parcel?", "Waiting for a person", "general", "in 4 h"):
        assert words in text


def test_a_case_is_found_by_its_wire_id_external_id_and_words(world):
    case = world.submit(
        external_id="conv-77", user_question="My zebra-striped tent leaks", model_draft="Sorry to hear."
    )
    world.submit(external_id="conv-78")
    client = sign_in(world.supervisor)
    for term in (case.wire_id, str(case.pk), "conv-77", "zebra tent", "sorry hear"):
        found = client.get(CASES, {"q": term}).context["cl"].result_list
        assert [one.pk for one in found] == [case.pk], term
    assert list(client.get(CASES, {"q": "zebra -tent"}).context["cl"].result_list) == []


@pytest.mark.parametrize("term", ["'", '"', "a & | !", ":*", "case_zz", "\u202e", "x" * 5000])
def test_no_search_term_breaks_the_list(world, term):
    world.submit()
    assert sign_in(world.supervisor).get(CASES, {"q": term}).status_code == 200


def test_searching_tells_nothing_of_a_customer_that_the_page_masks(world):
    world.submit(customer={"email": "anna@example.com", "reference": "cust_1"})
    assert len(sign_in(world.supervisor).get(CASES, {"q": "anna@example.com"}).context["cl"].result_list) == 1
    assert len(sign_in(world.reviewer).get(CASES, {"q": "anna@example.com"}).context["cl"].result_list) == 0


@pytest.mark.parametrize("path", ["cases/case", "queues/entry", "feedback/review", "cases/delivery"])
def test_a_list_asks_as_many_queries_for_fifty_rows_as_for_five(world, path):
    WebhookEndpoint(tenant=world.tenant, url="https://a.example/", secret="whsec_x").save_as(system_actor(), "x")
    client = sign_in(world.person("ines", Role.TENANT_ADMIN))
    counts = []
    for size in (5, 45):
        for number in range(size):
            world.submit(external_id=f"{size}-{number}")
        client.get(f"/admin/{path}/")
        with CaptureQueriesContext(connection) as queries:
            client.get(f"/admin/{path}/")
        counts.append(len(queries))
    assert counts[0] == counts[1] <= 15


def test_filters_do_not_count(world):
    world.submit()
    client = sign_in(world.supervisor)
    with CaptureQueriesContext(connection) as queries:
        client.get(CASES)
    assert not [query["sql"] for query in queries if "GROUP BY" in query["sql"]]
    counting = [query["sql"] for query in queries if "COUNT(" in query["sql"]]
    assert all("LIMIT 5001" in sql for sql in counting)


# --- one case -------------------------------------------------------------------------------------------------------


def test_the_page_shows_untrusted_text_as_text(world):
    evil = "<script>alert(1)</script> \u202egnp.exe\u200b"
    case = world.submit(user_question=evil, model_draft=evil, customer={"reference": evil[:20]})
    text = sign_in(world.supervisor).get(f"{CASES}{case.pk}/change/").content.decode()
    assert "<script>alert" not in text
    assert "&lt;script&gt;alert(1)" in text
    assert "\u202e" not in text and "\u200b" not in text
    assert "U+202E" in text


def test_a_reviewer_sees_the_customer_masked(world):
    case = world.submit(customer={"email": "anna@example.com"})
    page = f"{CASES}{case.pk}/change/"
    assert "anna@example.com" in sign_in(world.supervisor).get(page).content.decode()
    text = sign_in(world.reviewer).get(page).content.decode()
    assert "anna@example.com" not in text and "Masked" in text


def test_what_a_case_is_for_is_told_nowhere(world, boss):
    case = world.submit(external_id="conv-1")
    Case.objects.filter(pk=case.pk).update(purpose=Case.Purpose.PROBE)
    for page in (CASES, f"{CASES}{case.pk}/change/", f"{CASES}{case.pk}/history/"):
        text = boss.get(page).content.decode().lower()
        assert "probe" not in text and "purpose" not in text


def test_a_case_cannot_be_edited_or_added_by_hand(world, boss):
    case = world.submit()
    assert boss.post(f"{CASES}{case.pk}/change/", {"state": "approved"}).status_code == 403
    assert boss.get(f"{CASES}add/").status_code == 403
    assert Case.objects.get(pk=case.pk).state == State.PENDING_REVIEW


def test_a_supervisor_withdraws_a_case_with_a_reason(world):
    case = world.submit()
    client = sign_in(world.supervisor)
    url = reverse("admin:cases_case_act", args=[case.pk, "withdraw"])
    assert "leaves its queue" in client.get(url).content.decode()
    assert "This field is required" in client.post(url, {"reason": " "}).content.decode()
    client.post(url, {"reason": "duplicate of conv-2"})
    assert Case.objects.get(pk=case.pk).state == State.WITHDRAWN
    assert "duplicate of conv-2" in client.get(f"{CASES}{case.pk}/change/").content.decode()


def test_an_automatic_approval_can_be_recalled_and_no_open_case_reopened(world):
    case = world.submit(signals=SURE, risk_level="low")
    assert case.state == State.AUTO_APPROVED
    client = sign_in(world.supervisor)
    url = reverse("admin:cases_case_act", args=[case.pk, "reopen"])
    client.post(url, {"reason": "the customer complained"})
    assert Case.objects.get(pk=case.pk).state == State.PENDING_REVIEW
    assert "moved on" in said(client.post(url, {"reason": "again"}))


def test_a_reviewer_is_offered_no_withdrawal_and_cannot_post_one(world):
    case = world.submit()
    client = sign_in(world.reviewer)
    assert "Withdraw" not in client.get(f"{CASES}{case.pk}/change/").content.decode()
    client.post(reverse("admin:cases_case_act", args=[case.pk, "withdraw"]), {"reason": "x"})
    assert Case.objects.get(pk=case.pk).state == State.PENDING_REVIEW


def test_history_names_the_person_and_the_reason(world, boss):
    url = f"/admin/cases/tenant/{world.tenant.pk}/"
    boss.post(f"{url}change/", form_of(boss, f"{url}change/") | {"name": "Acme Ltd", "reason": "renamed <b>by law</b>"})
    text = boss.get(f"{url}history/").content.decode()
    assert "Ines" in text and "Acme Ltd" in text and "renamed &lt;b&gt;by law&lt;/b&gt;" in text


# --- saving ---------------------------------------------------------------------------------------------------------


def test_a_change_needs_a_reason(world, boss):
    url = f"/admin/cases/tenant/{world.tenant.pk}/change/"
    response = boss.post(url, form_of(boss, url) | {"name": "Acme Ltd", "reason": ""})
    assert response.status_code == 200
    world.tenant.refresh_from_db()
    assert world.tenant.name == "Acme"


def test_a_form_that_was_open_too_long_overwrites_nothing(world, boss):
    url = f"/admin/cases/tenant/{world.tenant.pk}/change/"
    stale = form_of(boss, url)
    assert boss.post(url, form_of(boss, url) | {"name": "First", "reason": "one"}).status_code == 302
    response = boss.post(url, stale | {"name": "Second", "reason": "two"})
    assert "saved this at" in response.content.decode()
    world.tenant.refresh_from_db()
    assert world.tenant.name == "First"


@pytest.mark.parametrize(
    "url", ["http://a.example/", "https://me:secret@a.example/", "https://a.example:22/", "ftp://a/"]
)
def test_an_address_that_could_never_be_sent_to_is_not_saved(world, boss, settings, url):
    settings.OUTBOUND_ALLOW_LOOPBACK = False
    data = {"tenant": str(world.tenant.pk), "url": url, "is_active": "on", "reason": "created"}
    assert boss.post("/admin/cases/webhookendpoint/add/", data).status_code == 200
    assert not WebhookEndpoint.objects.exists()


def test_names_stay_unique_within_a_tenant_without_a_fault(world, boss):
    slugged = Membership.objects.get(user=world.reviewer)
    data = {"tenant": str(world.tenant.pk), "user": str(slugged.user_id), "roles": ["reviewer"], "reason": "again"}
    response = boss.post("/admin/cases/membership/add/", data)
    assert response.status_code == 200
    assert "already exists" in response.content.decode() or "violated" in response.content.decode()


# --- people ---------------------------------------------------------------------------------------------------------


def test_a_tenant_admin_makes_a_person_with_a_role(world, boss):
    data = {
        "username": "nina",
        "kind": "person",
        "tenant": str(world.tenant.pk),
        "roles": ["reviewer"],
        "usable_password": "true",
        "password1": PASSWORD,
        "password2": PASSWORD,
    }
    assert boss.post("/admin/cases/user/add/", data).status_code == 302
    nina = User.objects.get(username="nina")
    assert nina.check_password(PASSWORD)
    assert [group.name for group in nina.groups.all()] == ["acme:reviewer"]
    assert not nina.is_superuser


def test_rights_cannot_be_posted_past_the_roles(world, boss):
    url = f"/admin/cases/user/{world.reviewer.pk}/change/"
    boss.post(url, form_of(boss, url) | {"is_superuser": "on", "groups": ["1"], "user_permissions": ["1"]})
    world.reviewer.refresh_from_db()
    assert not world.reviewer.is_superuser
    assert [group.name for group in world.reviewer.groups.all()] == ["acme:reviewer"]


def test_roles_follow_the_membership_and_nobody_changes_their_own(world):
    ines = world.person("ines", Role.TENANT_ADMIN)
    client = sign_in(ines)
    theirs = Membership.objects.get(user=world.reviewer)
    url = f"/admin/cases/membership/{theirs.pk}/change/"
    client.post(url, form_of(client, url) | {"roles": ["supervisor"], "reason": "promoted"})
    assert [group.name for group in world.reviewer.groups.all()] == ["acme:supervisor"]
    own = Membership.objects.get(user=ines)
    url = f"/admin/cases/membership/{own.pk}/change/"
    client.post(url, form_of(client, url) | {"roles": ["supervisor", "tenant_admin"], "reason": "more for me"})
    own.refresh_from_db()
    assert own.roles == ["tenant_admin"]


def test_a_service_account_gets_no_persons_role(world, boss):
    place = Membership.objects.get(user=world.service)
    url = f"/admin/cases/membership/{place.pk}/change/"
    response = boss.post(url, form_of(boss, url) | {"roles": ["supervisor"], "reason": "x"})
    assert "no other" in response.content.decode()


# --- policies -------------------------------------------------------------------------------------------------------


def post_policy(client: Client, policy: Policy, **changes):
    url = f"/admin/cases/policy/{policy.pk}/change/"
    conditions = list(policy.conditions.all())
    data = form_of(client, url) | empty_inline("conditions")
    data |= {"conditions-TOTAL_FORMS": len(conditions), "conditions-INITIAL_FORMS": len(conditions)}
    for number, condition in enumerate(conditions):
        row = {"id": condition.pk, "policy": policy.pk, "position": condition.position, "name": condition.name}
        row |= {"trigger": condition.trigger, "expression": condition.expression, "is_active": "on"}
        data |= {f"conditions-{number}-{name}": value for name, value in row.items()}
    return client.post(url, data | changes)


def test_saving_a_policy_publishes_a_version_that_holds_its_conditions(world, boss):
    response = post_policy(
        boss,
        world.policy,
        quick_review_from="0.8",
        reason="stricter",
        **{"conditions-0-expression": "confidence < 0.2", "reason_codes": "wrong: Wrong it is"},
    )
    assert response.status_code == 302, response.context["adminform"].form.errors
    version = PolicyVersion.objects.get(policy=world.policy, number=2)
    assert version.document["quick_review_from"] == 0.8
    assert version.document["conditions"][0]["expression"] == "confidence < 0.2"
    assert version.document["reason_codes"] == [["wrong", "Wrong it is"]]
    assert version.document["signals"] == DEFAULT_RULES.to_document()["signals"]
    assert version.reason == "stricter"


@pytest.mark.parametrize(
    "changes",
    [
        {"auto_approve_above": "1.5"},
        {"auto_approve_above": "nan"},
        {"quick_review_from": "0.99"},
        {"risk_floor": "billing: huge"},
        {"reason_codes": "no colon"},
        {"conditions-0-expression": "amount >"},
        {"use_judge_score": "maybe"},
    ],
)
def test_a_policy_that_no_draft_could_be_judged_by_is_not_saved(world, boss, changes):
    response = post_policy(boss, world.policy, reason="x", **changes)
    assert response.status_code == 200
    assert PolicyVersion.objects.filter(policy=world.policy).count() == 1


def test_a_preview_counts_past_cases_and_saves_nothing(world, boss):
    for number in range(3):
        world.submit(external_id=f"fair-{number}")
    world.submit(external_id="weak", signals=WEAK)
    response = post_policy(
        boss, world.policy, quick_review_from="0.94", auto_approve_above="0.95", _preview="1", reason="x"
    )
    rows = {label: (now, then) for label, now, then, _ in response.context["preview"].rows}
    assert rows["Quick review"] == (3, 0)
    assert rows["Full investigation"] == (1, 4)
    text = response.content.decode()
    assert "Nothing was saved" in text and "Please correct" not in text
    assert Policy.objects.get().quick_review_from == 0.7


@pytest.mark.parametrize("score", [0.2, 0.69, 0.7, 0.71, 0.94, 0.95, 0.951, 0.98, 0.99, 1.0])
@pytest.mark.parametrize("thresholds", [(0.95, 0.7), (0.9, 0.9), (1.0, 0.0), (0.5, 0.2)])
@pytest.mark.parametrize("is_cautious", [True, False])
def test_the_preview_routes_as_triage_does(score, thresholds, is_cautious):
    rules = replace(DEFAULT_RULES, auto_approve_above=thresholds[0], quick_review_from=thresholds[1])
    signals = dict.fromkeys(Signal, score) | {Signal.RERANK_MARGIN: score * rules.clear_margin}
    for risk, has_draft in ((Risk.LOW, True), (Risk.HIGH, True), (Risk.LOW, False)):
        facts = Facts(
            kind=Kind.ANSWER,
            domain="billing",
            risk_claimed=risk,
            signals=signals,
            has_draft=has_draft,
            release_reviews=0 if is_cautious else 1_000,
        )
        judged = triage(facts, rules, automation=Automation(allowed=True))
        stored = Judged(judged.confidence.value, frozenset(judged.triggers), not has_draft, judged.cautious)
        assert route_under(stored, Thresholds(*thresholds, rules.new_release_threshold)) == judged.route


def test_a_preview_of_a_new_policy_counts_nothing(world):
    counted = preview(Policy(tenant=world.tenant, domain="new"), Thresholds(0.9, 0.5))
    assert (counted.cases, counted.now[Route.AUTO_APPROVE]) == (0, 0)


# --- the switch, webhooks, denials ----------------------------------------------------------------------------------


def test_a_supervisor_stops_automation_with_a_reason(world):
    client = sign_in(world.supervisor)
    url = "/admin/cases/automationswitch/"
    data = {"where": str(world.tenant.pk), "depth": "1", "stop": "1"}
    assert "This field is required" in client.post(url, data | {"reason": ""}).content.decode()
    client.post(url, data | {"reason": "wrong refunds since noon"})
    row = AutomationSwitch.objects.get(tenant=world.tenant)
    assert (row.is_enabled, row.reason, row.changed_by) == (False, "wrong refunds since noon", world.supervisor)
    assert "wrong refunds since noon" in client.get("/admin/").content.decode()


def test_compliance_may_stop_and_a_refused_resumption_is_kept(world):
    client = sign_in(world.compliance)
    url = "/admin/cases/automationswitch/"
    data = {"where": str(world.tenant.pk), "depth": "1", "reason": "x"}
    client.post(url, data | {"stop": "1"})
    assert client.post(url, data | {"resume": "1"}).status_code == 403
    assert not AutomationSwitch.objects.get(tenant=world.tenant).is_enabled
    assert Denial.objects.get().permission == "resume_automation"


def test_nobody_but_the_platform_stops_every_tenant(world):
    client = sign_in(world.supervisor)
    data = {"where": "everywhere", "depth": "1", "reason": "x", "stop": "1"}
    assert "Select a valid choice" in client.post("/admin/cases/automationswitch/", data).content.decode()


def test_a_webhooks_secret_is_shown_once(world, boss):
    data = {"tenant": str(world.tenant.pk), "url": "https://a.example/hook", "is_active": "on", "reason": "created"}
    response = boss.post("/admin/cases/webhookendpoint/add/", data, follow=True)
    endpoint = WebhookEndpoint.objects.get()
    assert endpoint.secret in response.content.decode()
    page = f"/admin/cases/webhookendpoint/{endpoint.pk}/"
    for url in (f"{page}change/", f"{page}history/", "/admin/cases/webhookendpoint/"):
        assert endpoint.secret not in boss.get(url).content.decode()
    boss.post(f"{page}new-secret/")
    changed = WebhookEndpoint.objects.get()
    assert changed.previous_secret == endpoint.secret != changed.secret


def test_a_delivery_that_was_given_up_is_sent_again(world, boss):
    WebhookEndpoint(tenant=world.tenant, url="https://a.example/", secret="whsec_x").save_as(system_actor(), "x")
    world.submit()
    delivery = Delivery.objects.first()
    Delivery.objects.filter(pk=delivery.pk).update(state=Delivery.State.DEAD, attempts=13)
    page = f"/admin/cases/delivery/{delivery.pk}/"
    assert "Send again" in boss.get(f"{page}change/").content.decode()
    assert "Send again" not in sign_in(world.compliance).get(f"{page}change/").content.decode()
    boss.post(f"{page}resend/")
    delivery.refresh_from_db()
    assert (delivery.state, delivery.attempts) == (Delivery.State.PENDING, 0)
    assert "given up" in said(boss.post(f"{page}resend/"))


# --- fields and unseen characters -----------------------------------------------------------------------------------


def test_pairs_and_mappings_are_read_as_they_are_shown():
    pairs = [["a", "Words: with a colon"], ["b", "Others"]]
    field = PairsField()
    assert field.clean(field.prepare_value(pairs)) == pairs
    assert MappingField().clean("billing: high\r\n\r\n legal : critical ") == {"billing": "high", "legal": "critical"}


@pytest.mark.parametrize(
    ("text", "html"),
    [
        ("a < b & c", "a &lt; b &amp; c"),
        ("line\r\nnext\tcolumn", "line\nnext\tcolumn"),
        ("naïve Ω 日本 עברית", "naïve Ω 日本 עברית"),
        ("👩\u200d💻 ❤\ufe0f 1\ufe0f", "👩\u200d💻 ❤\ufe0f 1\ufe0f"),
        (None, ""),
        (5, "5"),
    ],
)
def test_what_can_be_seen_is_shown_as_it_is(text, html):
    assert shown(text) == html


@pytest.mark.parametrize(
    "code", [0x0, 0x1B, 0xAD, 0x61C, 0x200B, 0x200D, 0x202E, 0x2066, 0x3164, 0xFE0F, 0xFEFF, 0xE0041]
)
def test_what_cannot_be_seen_is_named(code):
    html = shown(f"a{chr(code)}b")
    assert chr(code) not in html
    assert f"U+{code:04X}</span>b" in html


def test_a_text_of_nothing_but_unseen_characters_stays_small():
    assert len(shown("\u200b" * 100_000)) < 200
    assert len(shown("\u200b\u200c" * 100_000)) < 300_000
