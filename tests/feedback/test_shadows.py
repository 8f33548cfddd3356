"""Shadow policies: they judge beside the policy in force, change nothing, and are compared with what people did."""

import pytest
from django.contrib.messages import get_messages
from django.db import IntegrityError, connection, transaction
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from cases.models import AutomationSwitch, Case, User
from cases.models.people import system_actor
from cases.permissions import Denied
from cases.services import switch
from cases.services.switch import Scope
from cases.vocabulary import Role, Route
from feedback.models import ShadowPolicy, ShadowVerdict
from feedback.services import shadows
from feedback.services.shadow_report import report
from feedback.services.shadows import ShadowFixed, TooManyShadows
from feedback.submission import Submission
from tests.feedback.corrections import decide_case
from tests.worlds import FAIR, SURE, World, make_world

pytestmark = pytest.mark.django_db
CALM = {"new_release_reviews": 0, "sampling_share": 0.0}
LENIENT = {"auto_approve_above": 0.5, "quick_review_from": 0.3}


@pytest.fixture
def world() -> World:
    return make_world(rules=CALM, undo_seconds=0)


def shadow_of(world: World, name: str = "Lenient", **fields) -> ShadowPolicy:
    rules = {key: fields.pop(key) for key in list(fields) if key in world.policy.document()} or LENIENT
    shadow = ShadowPolicy(
        tenant=world.tenant, policy=world.policy, name=name, document=world.policy.document() | rules, **fields
    )
    return shadows.start(shadow, actor=system_actor(), reason="tests")


def sign_in(user: User) -> Client:
    client = Client()
    client.force_login(user, backend="django.contrib.auth.backends.ModelBackend")
    return client


def admin_of(world: World) -> User:
    return world.person("adam", Role.TENANT_ADMIN)


# --- within an intake ------------------------------------------------------------------------------------------------


def test_a_shadow_says_what_it_would_do_and_nothing_follows_from_it(world):
    shadow = shadow_of(world)
    case = world.submit()
    assert (case.state, case.current_draft.route) == ("pending_review", Route.QUICK_REVIEW)
    verdict = ShadowVerdict.objects.get(shadow=shadow)
    assert (verdict.draft, verdict.route, verdict.triggers) == (case.current_draft, Route.AUTO_APPROVE, [])
    assert verdict.confidence == case.current_draft.confidence
    shadow.is_active = False
    shadows.change(shadow, actor=system_actor(), reason="seen enough")
    world.submit()
    assert ShadowVerdict.objects.count() == 1


def test_a_shadow_with_the_policys_own_rules_says_what_the_policy_says(world):
    shadow_of(world, new_release_reviews=0)
    action = {"action": "issue_refund", "params": {"order_id": "o_1"}, "amount": "10.00", "currency": "USD"}
    kinds = (
        {"signals": SURE},
        {"signals": FAIR},
        {"signals": {}},
        {"risk_level": "high"},
        {"model_draft": None},
        {"signals": SURE, "proposed_action": action, "customer": {"reference": "c1"}},
        {"signals": SURE, "tool_results": [{"tool": "t", "status": "error"}]},
    )
    for fields in kinds:
        world.submit(**fields)
    for verdict in ShadowVerdict.objects.select_related("draft"):
        own = verdict.draft
        assert (verdict.route, verdict.triggers, verdict.confidence) == (own.route, own.triggers, own.confidence)
    assert ShadowVerdict.objects.count() == len(kinds)


def test_the_switch_has_no_say_and_a_trusted_release_is_no_new_one(db):
    world = make_world(rules={"new_release_reviews": 50, "new_release_threshold": 1.0})
    shadow_of(world, name="Trusting", new_release_threshold=1.0, trusts_releases=True)
    shadow_of(world, name="Wary", new_release_threshold=1.0)
    shadow_of(world, name="Other release", new_release_threshold=1.0, release_model="another")
    switch.stop(Scope(world.tenant), actor=system_actor(), reason="stopped")
    assert world.submit(signals=SURE, release={"model": "new"}).state == "pending_review"
    said = dict(ShadowVerdict.objects.values_list("shadow__name", "route"))
    assert said == {"Trusting": Route.AUTO_APPROVE, "Wary": Route.QUICK_REVIEW}


def test_a_shadow_that_fails_does_not_touch_the_intake(world, caplog):
    broken = shadow_of(world)
    ShadowPolicy.objects.filter(pk=broken.pk).update(document={"auto_approve_above": "nonsense"})
    assert world.submit(signals=SURE).state == "auto_approved"
    with connection.cursor() as cursor:
        cursor.execute("ALTER TABLE feedback_shadowverdict ADD CONSTRAINT broken CHECK (confidence < 0)")
    fine = shadow_of(world, name="Fine")
    assert world.submit(signals=SURE).state == "auto_approved"
    assert Case.objects.filter(tenant=world.tenant).count() == 2
    assert not ShadowVerdict.objects.filter(shadow__in=[broken, fine]).exists()


def test_anothers_shadow_another_policys_and_probes_are_not_judged(world):
    shadow_of(world)
    shadow_of(make_world("other"))
    world.submit(signals=SURE)
    assert set(ShadowVerdict.objects.values_list("shadow__tenant__slug", flat=True)) == {"acme"}


def test_shadows_cost_a_bulk_intake_no_statement_per_case(world):
    from cases.services import intake
    from cases.wire.intake import parse_intake

    shadow_of(world)

    def statements(count: int) -> int:
        sent = [parse_intake({"domain": "billing", "user_question": f"{count} {n}?"}) for n in range(count)]
        with CaptureQueriesContext(
            connection,
        ) as queries:
            intake.submit_all(sent, actor=world.service, tenant=world.tenant)
        return len(queries)

    statements(2)
    assert statements(40) == statements(3)


def test_a_verdict_is_never_changed(world):
    shadow_of(world)
    world.submit()
    with pytest.raises(IntegrityError, match="append-only"), transaction.atomic():
        ShadowVerdict.objects.update(route=Route.QUICK_REVIEW)


def test_few_shadows_run_at_once_and_their_rules_do_not_change(world):
    first, *_ = [shadow_of(world, name=f"Shadow {number}") for number in range(shadows.MOST)]
    with pytest.raises(TooManyShadows):
        shadow_of(world, name="One more")
    first.document = first.document | {"auto_approve_above": 0.1}
    with pytest.raises(ShadowFixed):
        shadows.change(first, actor=system_actor(), reason="quietly")
    with pytest.raises(Denied):
        shadows.change(first, actor=world.supervisor, reason="no right to policies")


# --- beside what people did ------------------------------------------------------------------------------------------


def test_the_report_sets_what_it_would_do_beside_what_people_did(world):
    shadow = shadow_of(world)
    world.submit(signals=SURE)
    right, wrong, redone = world.submit(), world.submit(external_id="wrong-one"), world.submit()
    decide_case(world, right, Submission("accept"))
    decide_case(world, wrong, Submission("reject", notes="No"))
    decide_case(world, redone, Submission("needs_edit", notes="Say it again"))
    world.submit()
    made = report(shadow)
    assert made.cases == 5
    passes, newly = made.passes, made.newly
    assert (passes.cases, newly.cases, made.passed.cases, made.held.cases) == (5, 4, 1, 0)
    assert (newly.accepted, newly.overridden, newly.redrafts, newly.error) == (1, 1, 1, 0.5)
    assert made.held.error_words == "nobody has looked at one"
    assert made.agreed == 0.2
    assert dict(made.rows)["Automatic approval"] == [1, 4, 0]
    assert [(one.external_id, one.taken) for one in made.wrong] == [("wrong-one", "quick_review")]


def test_the_page_shows_it_in_as_many_queries_however_much_there_is(world):
    shadow = shadow_of(world)
    client, url = sign_in(admin_of(world)), reverse("admin:feedback_shadowpolicy_change", args=[shadow.pk])
    decide_case(world, world.submit(external_id="<b>bad</b>"), Submission("reject", notes="No"))
    client.get(url)
    with CaptureQueriesContext(connection) as few:
        page = client.get(url).content.decode()
    assert "Would pass, went to people" in page and "&lt;b&gt;bad&lt;/b&gt;" in page
    for _ in range(5):
        world.submit()
    with CaptureQueriesContext(connection) as many:
        assert client.get(url).status_code == 200
    assert len(many) == len(few)


def test_a_shadow_is_started_from_a_policy_with_what_differs(world):
    client = sign_in(admin_of(world))
    url = reverse("admin:feedback_shadowpolicy_add")
    assert client.get(url).status_code == 200
    sent = {
        "tenant": str(world.tenant.pk),
        "name": "Milder",
        "policy": str(world.policy.pk),
        "auto_approve_above": "0.8",
        "weights": "judge_score: 0",
        "left_out": "Judge model disagrees",
        "conditions": "Long answers | policy_boundary | draft_length > 5000",
        "reason": "May we let more through?",
    }
    for wrong, words in (
        ({"weights": "nonsense: 1"}, "is not a signal and its weight"),
        ({"left_out": "No such"}, "The policy has no condition"),
        ({"conditions": "only a name"}, "is not “name | trigger | CEL”"),
        ({"conditions": "x | policy_boundary | nonsense >"}, "conditions"),
        ({"quick_review_from": "0.9"}, "quick_review_from"),
    ):
        page = client.post(url, sent | wrong)
        assert page.status_code == 200 and words in page.content.decode(), wrong
    assert client.post(url, sent).status_code == 302
    shadow = ShadowPolicy.objects.get()
    assert (shadow.document["auto_approve_above"], shadow.is_active) == (0.8, True)
    names = [one["name"] for one in shadow.document["conditions"]]
    assert "Long answers" in names and "Judge model disagrees" not in names
    assert shadow.document["signals"]["judge_score"] == {"weight": 0.0, "use": "unused"}
    page = client.get(reverse("admin:feedback_shadowpolicy_change", args=[shadow.pk])).content.decode()
    assert "auto approve above" in page and "0.95 → 0.8" in page
    assert ShadowPolicy.history.get().history_change_reason == "May we let more through?"


def test_an_outsider_sees_and_starts_nothing(world):
    other = make_world("other")
    oscar = other.person("oscar", Role.TENANT_ADMIN)
    shadow = shadow_of(world)
    client = sign_in(oscar)
    assert "Lenient" not in client.get(reverse("admin:feedback_shadowpolicy_changelist")).content.decode()
    response = client.get(reverse("admin:feedback_shadowpolicy_change", args=[shadow.pk]))
    assert response.status_code == 302 and "doesn’t exist" in str(next(iter(get_messages(response.wsgi_request))))
    sent = {"tenant": str(other.tenant.pk), "name": "Mine", "policy": str(world.policy.pk), "reason": "x"}
    assert "Select a valid choice" in client.post(reverse("admin:feedback_shadowpolicy_add"), sent).content.decode()
    assert ShadowPolicy.objects.count() == 1 and AutomationSwitch.objects.exists()
