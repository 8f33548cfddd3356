"""The page of thresholds: who sees it, who acts on it, and nothing of another tenant's."""

from uuid import uuid4

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from cases.models import Denial, PolicyVersion, User
from cases.models.people import system_actor
from cases.vocabulary import Role
from feedback.models import LearnedWeights, ShadowPolicy, ThresholdEvidence
from feedback.services import learning, threshold_changes
from tests.feedback.decided import decided
from tests.feedback.test_advising import RULES, outcomes
from tests.feedback.test_learned_weights import balanced, kept_weights
from tests.worlds import World, make_world

pytestmark = pytest.mark.django_db
PAGE, WHAT_IF = reverse("admin:feedback_thresholds"), reverse("admin:feedback_what_if")
ACTS = [
    f"admin:feedback_{name}"
    for name in ("threshold_apply", "weights_learn", "weights_adopt", "weights_shadow", "weights_back")
]


@pytest.fixture
def bare() -> World:
    return make_world(rules=RULES, undo_seconds=0)


@pytest.fixture
def world(bare) -> World:
    decided(bare, outcomes((0.95, 10, 0), (0.75, 25, 1), (0.6, 5, 15)), external_id=None)
    return bare


def sign_in(user: User) -> Client:
    client = Client()
    client.force_login(user, backend="django.contrib.auth.backends.ModelBackend")
    return client


def admin_of(world: World, name: str = "adam") -> Client:
    return sign_in(world.person(name, Role.TENANT_ADMIN))


def sent(world: World, **fields):
    return {
        "policy": str(world.policy.pk),
        "version": "1",
        "days": "91",
        "threshold": "0.6",
        "reason": "As shown.",
    } | fields


def taught(world: World) -> LearnedWeights:
    """Just enough decisions, and weights learned from them."""
    rows = [({str(name): value for name, value in one.signals.items()}, one.is_right) for one in balanced(186)]
    decided(world, rows)
    return learning.learn(world.policy, actor=system_actor())


def test_the_page_says_what_the_evidence_says_in_words_pictures_and_tables(world):
    page = sign_in(world.supervisor).get(PAGE)
    text = page.content.decode()
    for words in (
        "cases a week more go by themselves, expected error 2.8 % (0.1 to 14.5)",
        "Does the confidence mean what it says?",
        "Brier score",
        'role="img"',
        "As a table",
        "recommended",
        "Whoever may change policies can apply this.",
    ):
        assert words in text, words
    assert "Publish the threshold" not in text and "style=" not in text
    assert 'href="/admin/feedback/thresholdevidence/advice/"' in text, "the menu leads here"
    assert "Publish the threshold" in admin_of(world).get(PAGE).content.decode()


def test_a_person_publishes_the_advice_and_finds_it_again(world):
    client = admin_of(world)
    page = client.post(reverse(ACTS[0]), sent(world), follow=True)
    assert "Version 2 lets drafts pass above 0.60." in page.content.decode()
    kept = ThresholdEvidence.objects.get()
    detail = client.get(reverse("admin:feedback_thresholdevidence_change", args=[kept.pk])).content.decode()
    assert "What the person saw" in detail and "nobody has looked at one yet" in detail
    assert "style=" not in detail and "<script>" not in detail
    assert client.get(reverse("admin:feedback_thresholdevidence_add")).status_code == 403
    assert "0.6" in client.get(reverse("admin:feedback_thresholdevidence_changelist")).content.decode()
    again = client.post(reverse(ACTS[0]), sent(world), follow=True).content.decode()
    assert "Somebody has published another version" in again
    assert PolicyVersion.objects.count() == 2


@pytest.mark.parametrize("change", [{"days": "5"}, {"version": "x"}, {"policy": "x"}, {"policy": str(uuid4())}])
def test_what_is_no_act_is_a_404(bare, change):
    assert admin_of(bare).post(reverse(ACTS[0]), sent(bare, **change)).status_code == 404


def test_an_act_needs_a_reason_and_the_right(bare):
    text = admin_of(bare).post(reverse(ACTS[0]), sent(bare, reason=" "), follow=True).content.decode()
    assert "Say why. Nothing was changed." in text
    for act in ACTS:
        weights = {"weights": str(uuid4())} if "adopt" in act or "shadow" in act else {}
        expected = 404 if weights else 403
        assert sign_in(bare.supervisor).post(reverse(act), sent(bare, **weights)).status_code == expected, act
        assert sign_in(bare.reviewer).post(reverse(act), sent(bare)).status_code == 403
        assert sign_in(bare.supervisor).get(reverse(act)).status_code == 405
    assert Denial.objects.filter(tenant=bare.tenant, permission="change_policy").count() == 3
    assert PolicyVersion.objects.count() == 1


def test_weights_are_learned_run_in_shadow_adopted_and_given_back_on_the_page():
    rules = {"signals": {name: {"weight": 1.0, "use": "optional"} for name in ("answer_groundedness", "tool_success")}}
    world = make_world(rules=RULES | rules, undo_seconds=0)
    client = admin_of(world)
    few = client.post(reverse(ACTS[1]), sent(world), follow=True).content.decode()
    assert "Learning needs 30 drafts that people accepted" in few
    weights = taught(world)
    text = client.get(PAGE).content.decode()
    assert "Not worse than the weights set by hand." in text and "Adopt these weights" in text and "AUC" in text
    fields = sent(world, weights=str(weights.pk))
    assert "without effect" in client.post(reverse(ACTS[3]), fields, follow=True).content.decode()
    assert ShadowPolicy.objects.get().document["learned"]["version"] == 1
    what_if = client.get(WHAT_IF, {"policy": str(world.policy.pk), "learned": "1"}).content.decode()
    assert "Load of the queues" in what_if
    adopted = client.post(reverse(ACTS[2]), fields, follow=True).content.decode()
    assert "judges by weights learned, version 1." in adopted and "Go back to the weights" in adopted
    policy_page = client.get(reverse("admin:cases_policy_change", args=[world.policy.pk])).content.decode()
    assert "weights learned, version 1; those below wait" in policy_page
    back = client.post(reverse(ACTS[4]), sent(world, version="2"), follow=True).content.decode()
    assert "Version 3 judges by the weights set by hand." in back


def test_the_what_if_shows_movements_and_refuses_what_is_no_policy(world):
    client, query = sign_in(world.supervisor), {"policy": str(world.policy.pk)}
    assert "Replay past cases" in client.get(WHAT_IF, query).content.decode()
    text = client.get(WHAT_IF, query | {"auto_approve_above": "0.7"}).content.decode()
    assert "26 of the last 56 cases would have gone another way" in text
    assert "people have decided 26 and did not accept 1" in text
    assert "Would pass, and a person did not accept it" in text
    for wrong, words in (
        ({"auto_approve_above": "0.1"}, "Must not be above"),
        ({"weights": "vibes: 1"}, "is not a signal and its weight"),
        ({"learned": "7"}, "Select a valid choice"),
    ):
        assert words in client.get(WHAT_IF, query | wrong).content.decode()
    assert PolicyVersion.objects.count() == 1


def test_the_pages_are_for_those_who_may_see_metrics(bare):
    for url in (PAGE, f"{WHAT_IF}?policy={bare.policy.pk}"):
        assert sign_in(bare.reviewer).get(url).status_code == 403
        assert Client().get(url).status_code == 302
        assert sign_in(bare.compliance).get(url).status_code == 200


def test_the_number_of_queries_is_fixed(world):
    client = sign_in(world.supervisor)
    client.get(PAGE)
    with CaptureQueriesContext(connection) as few:
        client.get(PAGE)
    decided(world, outcomes((0.85, 10, 3)), domain="returns")
    with CaptureQueriesContext(connection) as many:
        client.get(PAGE)
    assert len(many) == len(few) <= 30


def test_an_outsider_sees_and_changes_nothing(world):
    other = make_world("other", rules=RULES)
    client = admin_of(other)
    kept = threshold_changes.apply(world.policy.pk, days=91, threshold=0.6, version=1, actor=system_actor(), reason="x")
    text = client.get(PAGE, {"policy": str(world.policy.pk)}).content.decode()
    assert "Acme" not in text and str(world.policy.pk) not in text
    assert "Acme" not in client.get(reverse("admin:feedback_thresholdevidence_changelist")).content.decode()
    theirs = client.get(reverse("admin:feedback_thresholdevidence_change", args=[kept.pk]))
    assert theirs.status_code == 302
    assert client.get(WHAT_IF, {"policy": str(world.policy.pk)}).status_code == 404
    for act in ACTS:
        assert client.post(reverse(act), sent(world, version="2")).status_code == 404, act
    mine = sent(other, weights=str(uuid4()))
    assert client.post(reverse(ACTS[2]), mine).status_code == 404
    assert PolicyVersion.objects.filter(policy=world.policy).count() == 2


def test_anothers_weights_are_nobodys(bare):
    other = make_world("other", rules=RULES)
    weights, client = kept_weights(bare, 1, may_be_adopted=True), admin_of(other)
    for act in (ACTS[2], ACTS[3]):
        assert client.post(reverse(act), sent(other, weights=str(weights.pk))).status_code == 404
    assert not PolicyVersion.objects.filter(number=2).exists()
