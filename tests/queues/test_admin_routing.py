"""The routing sandbox and “try this change”: what a supervisor sees before anything is saved."""

import re

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from cases.models import User
from cases.models.people import system_actor
from cases.vocabulary import Role
from queues.models import Queue, Skill
from tests.cases.test_admin_cases import form_of, sign_in
from tests.queues.test_placing import action, make_queue, refunds
from tests.worlds import World, make_world

pytestmark = pytest.mark.django_db
QUEUES = "/admin/queues/queue/"
SANDBOX = f"{QUEUES}routing/"


@pytest.fixture
def world(db) -> World:
    return make_world("acme")


@pytest.fixture
def desk(world) -> Client:
    return sign_in(world.supervisor)


def asked(client: Client, **facts: str):
    response = client.get(SANDBOX, facts)
    assert response.status_code == 200
    return response.context


def text(response) -> str:
    """The page in one line, without the token that differs each time."""
    return re.sub(r'(?<=csrfmiddlewaretoken" value=")\w+', "", " ".join(response.content.decode().split()))


# --- the sandbox ---------------------------------------------------------------------------------------------------


def test_pasted_facts_lead_to_a_queue_and_the_reason_for_every_other(world, desk):
    make_queue(world, "billing", domains=["billing"])
    make_queue(world, "legal", domains=["legal"], risks=["high", "critical"])
    response = desk.get(SANDBOX, {"domain": "billing", "language": "en", "risk": "low", "route": "quick_review"})
    page = text(response)
    assert "billing: domain billing; legal skipped: domain is billing and risk below high" in page
    others = {queue.slug: other.why for queue, other in response.context["answer"].others}
    assert others["general"] == "the fallback, only for what no other queue takes"
    assert "Passed over" in page


@pytest.mark.parametrize(
    ("facts", "queue"),
    [
        ({"authority": "upto_500"}, "refunds"),
        ({"skill": "law"}, "lawyers"),
        ({"due_minutes": "30"}, "soon"),
        ({"due_minutes": "300"}, "general"),
        ({"language": ""}, "english"),
        ({"language": "fr"}, "general"),
    ],
)
def test_every_fact_that_routing_knows_can_be_tried(world, desk, facts, queue):
    refunds(world, upto_500="500")
    law = Skill(tenant=world.tenant, code="law", name="Law")
    law.save_as(system_actor(), "x")
    make_queue(world, "refunds", authority_code="upto_500", position=1)
    make_queue(world, "lawyers", skill=law, position=2, risks=["critical", "medium"], domains=["x", "legal"])
    make_queue(world, "soon", due_within_minutes=60, position=3)
    make_queue(world, "english", languages=["en-GB"], position=4, domains=["any"])
    domain = {"lawyers": "legal", "english": "any"}.get(queue, "billing")
    found = asked(desk, domain=domain, risk="medium", **({"language": "fr"} | facts))
    assert found["answer"].queue.slug == queue


def test_a_case_is_picked_by_its_own_key_or_the_callers(world, desk):
    case = world.submit(external_id="conv-7")
    for name in ("conv-7", case.wire_id):
        page = text(desk.get(SANDBOX, {"case": name}))
        assert "It waits there now" in page
        assert "conv-7" in page
    make_queue(world, "billing", domains=["billing"])
    page = text(desk.get(SANDBOX, {"case": "conv-7"}))
    assert "It goes to" in page and "It waits in General now" in page


def test_the_action_of_a_case_counts(world, desk):
    refunds(world, upto_500="500")
    make_queue(world, "refunds", authority_code="upto_500")
    world.submit(external_id="conv-7", proposed_action=action("40.00"))
    assert asked(desk, case="conv-7")["answer"].facts.authority_code == "upto_500"


def test_an_outsider_finds_neither_the_case_nor_the_queues(world):
    case = world.submit(external_id="conv-7")
    make_queue(world, "secret-queue", domains=["billing"])
    outsider = sign_in(make_world("other").supervisor)
    for facts in ({"case": "conv-7"}, {"case": case.wire_id}, {"domain": "billing"}):
        for address in (facts, facts | {"tenant": str(world.tenant.pk)}):
            page = text(outsider.get(SANDBOX, address))
            assert "secret-queue" not in page and "Acme" not in page
            assert case.wire_id not in page.replace(address.get("case", "-"), "")
    nobodys = text(outsider.get(SANDBOX, {"case": "conv-8"}))
    assert text(outsider.get(SANDBOX, {"case": "conv-7"})).replace("conv-7", "conv-8") == nobodys


def test_somebody_of_two_tenants_chooses_and_gets_that_tenants_choices(world):
    other = make_world("other")
    refunds(other, theirs="500")
    olga = User(username="olga", is_superuser=True, is_staff=True)
    olga.save()
    client = sign_in(olga)
    assert "theirs" not in text(client.get(SANDBOX))
    page = text(client.get(SANDBOX, {"tenant": str(other.tenant.pk), "domain": "billing"}))
    assert "theirs" in page and "It goes to" in page


def test_without_a_right_over_queues_there_is_no_page(world):
    service_like = User(username="guest", is_staff=True)
    service_like.save()
    assert sign_in(service_like).get(SANDBOX).status_code == 302
    assert Client().get(SANDBOX).status_code == 302


@pytest.mark.parametrize(
    "facts",
    [
        {"domain": ""},
        {"domain": "billing", "risk": "huge"},
        {"domain": "billing", "due_minutes": "soon"},
        {"domain": "billing", "due_minutes": "99999999999999999999"},
        {"domain": "billing", "authority": "nobody's"},
        {"domain": "b" * 51},
        {"case": "case_1"},
        {"case": "x" * 201},
        {"tenant": "nonsense", "domain": "billing"},
    ],
)
def test_what_cannot_be_understood_is_said_beside_its_field(desk, facts):
    found = asked(desk, **facts)
    assert found["answer"] is None
    assert found["form"].errors


def test_hostile_facts_are_shown_as_text(desk):
    page = desk.get(SANDBOX, {"domain": "<script>x\u202e"}).content.decode()
    assert "<script>x" not in page
    assert "U+202E" in page


def test_the_page_asks_equally_often_however_many_queues_there_are(world, desk):
    counts = []
    for number in range(12):
        make_queue(world, f"q{number}", domains=[f"d{number}"])
        if number in (0, 11):
            desk.get(SANDBOX)
            with CaptureQueriesContext(connection) as queries:
                desk.get(SANDBOX, {"domain": "d1"})
            counts.append(len(queries))
    assert counts[0] == counts[1] <= 25


def test_warnings_stand_on_the_sandbox_the_list_and_the_queue(world, desk):
    make_queue(world, "first", position=1, domains=["billing"])
    later = make_queue(world, "later", position=2, domains=["billing"])
    assert "No case can reach this queue: first comes before it" in text(desk.get(SANDBOX))
    assert "▲ nothing reaches it" in text(desk.get(QUEUES))
    assert "No case can reach this queue" in text(desk.get(f"{QUEUES}{later.pk}/change/"))


def test_the_list_of_queues_asks_equally_often_however_long_it_is(world, desk):
    counts = []
    for number in range(12):
        make_queue(world, f"q{number}", domains=[f"d{number}"])
        if number in (0, 11):
            desk.get(QUEUES)
            with CaptureQueriesContext(connection) as queries:
                desk.get(QUEUES)
            counts.append(len(queries))
    assert counts[0] == counts[1]


# --- trying a change -----------------------------------------------------------------------------------------------


def test_a_change_is_tried_from_the_queues_page_without_a_reason_and_saves_nothing(world, desk):
    billing = make_queue(world, "billing", domains=["billing"])
    world.submit(external_id="conv-7")
    url = f"{QUEUES}{billing.pk}/change/"
    versions = billing.history.count()
    data = form_of(desk, url) | {"domains": "legal", "reason": "", "_try": "1"}
    page = text(desk.post(url, data))
    assert "1 of the last 1 case that went to people would go elsewhere. Nothing was saved." in page
    assert "conv-7" in page and "general: the fallback" in page
    assert "Please correct" not in page
    assert 'value="legal"' in page or "legal</textarea>" in page, "what was tried stands in the form"
    billing.refresh_from_db()
    assert (billing.domains, billing.history.count()) == (["billing"], versions)


def test_a_new_queue_is_tried_before_it_is_saved(world, desk):
    world.submit()
    data = {"tenant": str(world.tenant.pk), "slug": "billing", "name": "Billing", "position": 1, "_try": "1"}
    data |= {"sla_policy": str(world.queue.sla_policy.pk), "skill_level": 1, "domains": "billing"}
    page = text(desk.post(f"{QUEUES}add/", data))
    assert "would go elsewhere" in page
    assert Queue.objects.filter(tenant=world.tenant).count() == 1


def test_a_faulty_change_is_not_tried(world, desk):
    url = f"{QUEUES}{world.queue.pk}/change/"
    page = text(desk.post(url, form_of(desk, url) | {"domains": "Not A Domain", "_try": "1"}))
    assert "would go elsewhere" not in page and "Nothing was saved" not in page


def test_a_trial_is_refused_to_who_may_not_change_the_queue(world):
    client = sign_in(world.person("emil", Role.APPROVER))
    url = f"{QUEUES}{world.queue.pk}/change/"
    assert client.post(url, {"_try": "1"}).status_code == 403
    assert "Try this change" not in text(client.get(url))
    outsider = sign_in(make_world("other").supervisor)
    assert outsider.post(url, {"_try": "1"}).status_code == 302


def test_the_tenants_fallback_language_is_edited_and_checked(world):
    client = sign_in(world.person("tara", Role.TENANT_ADMIN))
    url = f"/admin/cases/tenant/{world.tenant.pk}/change/"
    data = form_of(client, url) | {"reason": "we are German"}
    assert "BCP 47" in text(client.post(url, data | {"fallback_language": "deutsch, bitte"}))
    assert client.post(url, data | {"fallback_language": "de"}).status_code == 302
    world.tenant.refresh_from_db()
    assert world.tenant.fallback_language == "de"
