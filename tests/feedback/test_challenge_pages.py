"""The pages of challenges: who is let in, what they show, and that nothing is stored unseen."""

from datetime import timedelta

import pytest
from django.test import Client
from django.urls import reverse

from cases.clock import db_now, pretend_now
from cases.models import Case, Content, User
from feedback.models import Challenge, ChallengePolicy, Review
from feedback.services import challenge_results
from queues.models import Reviewer
from tests.feedback.challenging import decide, gold, judged, missed, plant, policy, real_cases
from tests.worlds import World, make_world

pytestmark = pytest.mark.django_db

QUESTION = "Hi, my name is Anna Miller, order ord_48213 has not come."
ANSWER = "Dear Anna, order ord_48213 is on its way."


@pytest.fixture
def world(db) -> World:
    return make_world("acme")


def web(user: User) -> Client:
    client = Client()
    client.force_login(user, backend="django.contrib.auth.backends.ModelBackend")
    return client


def decided(world: World) -> Case:
    """A real case of Anna's that people have corrected, final."""
    fields = {"user_question": QUESTION, "model_draft": "Dear Anna, order ord_48213 is lost.", "external_id": "real-1"}
    case = world.submit(**fields, customer={"reference": "cust_7781", "email": "anna@example.com"})
    now = db_now()
    with pretend_now(now - timedelta(hours=1)):
        decide(world, case, "edit", final_answer=ANSWER)
    return case


def of_case(case: Case) -> str:
    return reverse("admin:feedback_challenge_of_case", args=[case.pk])


def filled_in(client: Client, case: Case, **changes: str) -> dict[str, str]:
    """What the page proposes, with the explanation that only a person can write."""
    form = client.get(of_case(case)).context["form"]
    data = {}
    for name, field in form.fields.items():
        value = form.get_initial_for_field(field, name)
        value = field.prepare_value(value)
        if value not in (None, ""):
            data[name] = value
    return data | {"explanation": "The parcel was never lost.", "reason": "for training"} | changes


def test_a_decided_case_becomes_a_challenge_disguised_and_only_when_it_is_kept(world):
    case, client = decided(world), web(world.supervisor)
    page = client.get(of_case(case))
    text = page.content.decode()
    assert page.status_code == 200
    form = page.context["form"]
    proposed = str([form.initial, form.instance.body, form.instance.right_answer, form.instance.slots])
    assert not any(told in proposed for told in ("Anna", "Miller", "48213", "7781", "example.com"))
    data = filled_in(client, case)
    example = client.post(of_case(case), data | {"preview": "1"})
    assert example.status_code == 200 and "As a reviewer would read it" in example.content.decode()
    assert not Challenge.objects.exists()
    assert "style=" not in text
    kept = client.post(of_case(case), data | {"keep": "1"})
    assert kept.status_code == 302, kept.content.decode()
    challenge = Challenge.objects.get()
    assert challenge.source == case and challenge.right_verdicts == ["edit"] and challenge.domain == "billing"
    assert challenge.body["model_draft"] == "Dear [[name1.first]], order [[id1]] is lost."
    assert challenge.right_answer == "Dear [[name1.first]], order [[id1]] is on its way."


def test_what_could_not_come_in_is_refused_in_words(world):
    case, client = decided(world), web(world.supervisor)
    answer = client.post(of_case(case), filled_in(client, case, model_draft="Dear [[name9]].") | {"keep": "1"})
    assert answer.status_code == 400 and "[[name9]] is used and not defined" in answer.content.decode()
    answer = client.post(of_case(case), filled_in(client, case, user_question="") | {"keep": "1"})
    assert answer.status_code == 400 and "user_question" in answer.content.decode()
    assert not Challenge.objects.exists()


def test_one_click_is_offered_on_the_page_of_a_decided_case_to_those_who_may(world):
    case = decided(world)
    page = reverse("admin:feedback_review_work", args=[case.pk])
    assert of_case(case) in web(world.supervisor).get(page).content.decode()
    assert of_case(case) not in web(world.reviewer).get(page).content.decode()
    open_case = world.submit()
    page = reverse("admin:feedback_review_work", args=[open_case.pk])
    assert of_case(open_case) not in web(world.supervisor).get(page).content.decode()
    assert web(world.supervisor).get(of_case(open_case)).status_code == 302


def test_a_challenge_is_kept_and_changed_by_hand(world):
    client, challenge = web(world.compliance), gold(world)
    change = reverse("admin:feedback_challenge_change", args=[challenge.pk])
    page = client.get(change)
    form = page.context["adminform"].form
    data = {
        name: value
        for name, field in form.fields.items()
        if (value := field.prepare_value(form.get_initial_for_field(field, name))) not in (None, "")
    }
    data |= {"reason": "shorter", "model_draft": "Yes, [[name1.first]], within 90 days."}
    saved = client.post(change, data)
    assert saved.status_code == 302, saved.context["adminform"].form.errors
    challenge.refresh_from_db()
    assert challenge.body["model_draft"] == "Yes, [[name1.first]], within 90 days."
    assert challenge.body["evidence"] == [
        {"document_id": "returns", "quote": "Shoes may be returned within 30 days.", "score": 0.83}
    ]
    assert client.post(change, data | {"seen": data["seen"], "must_contain": "[[id7]]"}).status_code == 200


def test_an_example_shows_no_slot(world):
    challenge = gold(world)
    at = reverse("admin:feedback_challenge_variant", args=[challenge.pk])
    text = web(world.supervisor).get(at).content.decode()
    assert "[[" not in text and "within 60 days" in text and "The policy says 30 days" in text


def test_a_policy_is_kept_with_a_reason(world):
    add = reverse("admin:feedback_challengepolicy_add")
    data = {
        "tenant": world.tenant.pk,
        "is_on": "on",
        "base_rate": "0.03",
        "rate_after_miss": "0.1",
        "quiet_days": "14",
        "rate_after_quiet": "0.08",
        "least_minutes": "30",
        "most_per_day": "2",
        "pause_misses": "3",
        "pause_among": "10",
        "reason": "we begin",
    }
    client = web(world.supervisor)
    assert client.post(add, data | {"pause_misses": "11"}).status_code == 200
    assert client.post(add, data).status_code == 302
    assert ChallengePolicy.objects.get().base_rate == 0.03


def test_reviewers_find_none_of_these_pages(world):
    real_cases(world)
    result = missed(world)
    challenge = result.planted.challenge
    client = web(world.colleague)
    for name, args in (
        ("challenge_changelist", []),
        ("challenge_change", [challenge.pk]),
        ("challenge_variant", [challenge.pk]),
        ("challenge_of_case", [decided(world).pk]),
        ("challengepolicy_changelist", []),
        ("challengeresult_changelist", []),
        ("challengeresult_people", []),
        ("plantedchallenge_changelist", []),
        ("trainingalert_changelist", []),
        ("trainingalert_change", [result.alert.pk]),
    ):
        assert client.get(reverse(f"admin:feedback_{name}", args=args)).status_code in (302, 403, 404), name
    mine = client.get(reverse("admin:feedback_challengeresult_mine")).content.decode()
    assert "got past you" not in mine
    assert "Training alerts" not in client.get("/admin/").content.decode()


def test_outsiders_get_what_is_not_there(world):
    real_cases(world)
    result, other = missed(world), make_world("other")
    client = web(other.supervisor)
    variant = reverse("admin:feedback_challenge_variant", args=[result.planted.challenge_id])
    assert client.get(variant).status_code == 404
    assert client.get(of_case(decided(world))).status_code == 404
    assert client.post(reverse("admin:feedback_challengeresult_read", args=[result.pk])).status_code == 404
    assert "Rita" not in client.get(reverse("admin:feedback_challengeresult_people")).content.decode()


def test_a_person_reads_their_result_with_what_was_right(world):
    real_cases(world)
    result, client = missed(world), web(world.reviewer)
    work = reverse("admin:feedback_review_work", args=[world.submit().pk])
    assert "its result is there" in client.get(work).content.decode()
    assert "its result is there" not in web(world.colleague).get(work).content.decode()
    mine = reverse("admin:feedback_challengeresult_mine")
    text = client.get(mine).content.decode()
    for told in ("This one got past you", "The policy says 30 days", "It is never more than 15 %", "You chose: accept"):
        assert told in text, told
    client.post(reverse("admin:feedback_challengeresult_read", args=[result.pk]))
    assert "You read this on" in client.get(mine).content.decode()
    assert "its result is there" not in client.get(work).content.decode()


def test_the_page_of_a_decided_challenge_says_nothing_to_a_colleague(world):
    real_cases(world)
    gold(world)
    planted = plant(world)
    decide(world, planted.case)
    judged(world, planted)
    client = web(world.colleague)
    for at in (
        reverse("admin:feedback_review_work", args=[planted.pk]),
        reverse("admin:cases_case_change", args=[planted.pk]),
        reverse("admin:cases_case_history", args=[planted.pk]),
        reverse("admin:feedback_review_changelist"),
    ):
        text = client.get(at).content.decode().replace("My challenges", "").replace("challengeresult/mine", "")
        assert "hallenge" not in text and "purpose" not in text, at


def test_supervisors_see_the_miss_take_it_on_and_end_the_pause(world):
    real_cases(world)
    policy(world, pause_misses=1, pause_among=1)
    alert = missed(world).alert
    client = web(world.supervisor)
    assert str(alert.pk) in client.get(reverse("admin:feedback_trainingalert_changelist")).content.decode()
    at = reverse("admin:feedback_trainingalert_change", args=[alert.pk])
    assert "Their reviews were paused" in client.get(at).content.decode()
    client.post(at, {"take": "1"})
    assert client.post(at, {"close": "1", "outcome": "talked", "note": ""}).status_code == 400
    client.post(at, {"close": "1", "outcome": "talked", "note": "A busy day.", "ends_pause": "on"})
    alert.refresh_from_db()
    assert (alert.seen_by, alert.closed_by, alert.outcome) == (world.supervisor, world.supervisor, "talked")
    assert not Reviewer.objects.get(user=world.reviewer).is_paused
    assert "A busy day." in client.get(at).content.decode()


def test_results_by_person_are_in_the_order_of_names_with_their_interval(world):
    real_cases(world)
    missed(world)
    gold(world, "Another")
    planted = plant(world, world.colleague)
    decide(world, planted.case, "reject", by=world.colleague)
    judged(world, planted)
    text = web(world.supervisor).get(reverse("admin:feedback_challengeresult_people")).content.decode()
    assert text.index("Carl") < text.index("Rita")
    assert "0 to 79 %" in text and "21 to 100 %" in text and "says little yet" in text


def test_texts_of_a_challenge_are_shown_as_text(world):
    gold(world, body={"user_question": "<script>alert(1)</script>", "model_draft": "No.", "language": "en"}, slots={})
    challenge = Challenge.objects.get()
    text = web(world.supervisor).get(reverse("admin:feedback_challenge_variant", args=[challenge.pk])).content.decode()
    assert "<script>alert(1)" not in text and "&lt;script&gt;" in text


def test_an_erased_case_makes_no_challenge(world):
    case = decided(world)
    now = db_now()
    Content.objects.filter(pk=case.content_id).update(
        body=None, salt=None, search_text="", customer_key=None, erased_at=now
    )
    assert web(world.supervisor).get(of_case(case)).status_code == 302
    assert Review.objects.exists() and not challenge_results.unread_of(world.reviewer).exists()
