"""Labelling corrections: who says what, taking it back, many at once, and the page where it is done."""

import re
from datetime import timedelta

import pytest
from django.contrib.messages import get_messages
from django.db import DatabaseError, connection, transaction
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from cases.clock import db_now
from cases.ids import new_id
from cases.models import Case, Denial
from cases.permissions import Denied
from cases.vocabulary import Role, Verdict
from feedback.errors import LabelChanged, NotACorrection, NothingToTakeBack
from feedback.labels import Label
from feedback.models import Correction, CorrectionLabel, Review
from feedback.services import labels
from feedback.submission import Submission
from tests.feedback.corrections import decide, override, override_now
from tests.threads import failures, in_parallel
from tests.worlds import make_world

pytestmark = pytest.mark.django_db

LIST = "/admin/feedback/correction/"
INLINE = re.compile(r"<[^>]+\sstyle=|<style|<[^>]+\son[a-z]+=|<script(?![^>]*\ssrc=)")
E, R, T = Label.MODEL_ERROR, Label.BAD_RETRIEVAL, Label.TEMPORARY_POLICY


@pytest.fixture
def world():
    return make_world(rules={"new_release_reviews": 0, "sampling_share": 0.0})


@pytest.fixture
def senior(world):
    return world.person("sena", Role.SENIOR_REVIEWER)


@pytest.fixture
def client(world):
    return sign_in(world.supervisor)


def sign_in(user) -> Client:
    client = Client()
    client.force_login(user, backend="django.contrib.auth.backends.ModelBackend")
    return client


def stands(review: Review) -> str | None:
    return Review.objects.with_standing_label().get(pk=review.pk).standing_label


def is_disputed(review: Review) -> bool:
    return Review.objects.with_dispute().filter(standing_label__isnull=False).get(pk=review.pk).is_disputed


def label_url(review: Review) -> str:
    return f"{LIST}{review.pk}/label/"


def said(response) -> list[str]:
    return [str(message) for message in get_messages(response.wsgi_request)]


# --- who says what ----------------------------------------------------------------------------------------------------


def test_the_latest_label_stands_with_who_and_when(world, senior):
    review = override(world)
    labels.label(review.pk, E, actor=senior)
    row = labels.label(review.pk, R, actor=world.supervisor, note="the passage was old")
    assert stands(review) == "bad_retrieval"
    assert (row.labelled_by, row.source, row.note.text) == (world.supervisor, "person", {"note": "the passage was old"})
    assert db_now() - row.at < timedelta(minutes=1)


def test_two_people_who_differ_are_a_dispute_until_one_follows_the_other(world, senior):
    review = override(world)
    labels.label(review.pk, E, actor=senior)
    assert not is_disputed(review)
    labels.label(review.pk, R, actor=world.supervisor)
    assert is_disputed(review)
    labels.label(review.pk, R, actor=senior)
    assert not is_disputed(review)


def test_one_person_who_changes_their_mind_is_no_dispute(world, senior):
    review = override(world)
    labels.label(review.pk, E, actor=senior)
    labels.label(review.pk, R, actor=senior)
    assert (stands(review), is_disputed(review)) == ("bad_retrieval", False)


def test_taking_back_brings_what_stood_before(world, senior):
    review = override(world)
    labels.label(review.pk, E, actor=senior)
    row = labels.label(review.pk, R, actor=world.supervisor)
    labels.take_back(row.pk, actor=world.supervisor)
    assert stands(review) == "model_error"
    assert CorrectionLabel.objects.filter(review=review).count() == 3, "nothing is deleted"
    with pytest.raises(NothingToTakeBack):
        labels.take_back(row.pk, actor=world.supervisor)


def test_nobody_takes_back_anothers_label(world, senior):
    row = labels.label(override(world).pk, E, actor=senior)
    with pytest.raises(NothingToTakeBack):
        labels.take_back(row.pk, actor=world.supervisor)


def test_the_same_label_again_says_nothing_new(world):
    review = override(world)
    first = labels.label(review.pk, E, actor=world.supervisor)
    assert labels.label(review.pk, E, actor=world.supervisor) == first
    assert CorrectionLabel.objects.count() == 1


def test_only_a_final_override_of_a_real_case_can_be_labelled(world):
    hidden = override(world)
    Case.objects.filter(pk=hidden.case_id).update(purpose="challenge")
    accepted = decide(world, Submission(Verdict.ACCEPT))
    for review in (accepted, override_now(world), hidden):
        with pytest.raises(NotACorrection):
            labels.label(review.pk, E, actor=world.supervisor)
    assert not CorrectionLabel.objects.exists()


@pytest.mark.parametrize(
    ("role", "may"),
    [
        (Role.REVIEWER, False),
        (Role.APPROVER, False),
        (Role.COMPLIANCE, False),
        (Role.SENIOR_REVIEWER, True),
        (Role.SUPERVISOR, True),
        (Role.TENANT_ADMIN, True),
    ],
)
def test_labelling_is_a_right_of_its_own(world, role, may):
    review, user = override(world), world.person("new", role)
    if may:
        labels.label(review.pk, E, actor=user)
        return
    with pytest.raises(Denied):
        labels.label(review.pk, E, actor=user)
    assert sign_in(user).get(LIST).status_code == 403
    assert sign_in(user).get(label_url(review)).status_code in (403, 404)
    assert sign_in(user).get(f"{LIST}import/").status_code == 403
    assert sign_in(user).get(f"{LIST}label/").status_code == 403


def test_the_database_keeps_every_label_as_it_was(world):
    row = labels.label(override(world).pk, E, actor=world.supervisor)
    for broken in (
        lambda: CorrectionLabel.objects.filter(pk=row.pk).update(label="bad_retrieval"),
        lambda: CorrectionLabel.objects.filter(pk=row.pk).delete(),
        lambda: CorrectionLabel.objects.create(
            tenant=row.tenant, review=row.review, labelled_by=row.labelled_by, at=row.at
        ),
    ):
        with pytest.raises(DatabaseError), transaction.atomic():
            broken()


@pytest.mark.django_db(transaction=True)
def test_labels_of_one_review_are_written_in_turn(world, senior):
    review = override(world)
    people = [world.person(f"p{number}", Role.SENIOR_REVIEWER) for number in range(6)]
    results = in_parallel([lambda user=user: labels.label(review.pk, E, actor=user) for user in people])
    assert failures(results) == []
    rows = list(CorrectionLabel.objects.filter(review=review).order_by("id"))
    assert len(rows) == 6
    assert [row.at for row in rows] == sorted(row.at for row in rows)


# --- many at once -----------------------------------------------------------------------------------------------------


def test_all_unlabelled_with_one_reason_are_labelled_and_what_was_labelled_keeps_its_label(world, senior):
    kept, one, two = override(world), override(world), override(world)
    other = override(world, reason_code="tone")
    labels.label(kept.pk, R, actor=senior)
    alike = Review.objects.corrections().filter(reason_code="wrong_fact")
    rows = labels.label_alike(alike, E, tenant=world.tenant, actor=world.supervisor, expected=2)
    assert {row.review_id for row in rows} == {one.pk, two.pk}
    assert [stands(review) for review in (kept, one, two, other)] == [
        "bad_retrieval",
        "model_error",
        "model_error",
        None,
    ]


def test_a_count_that_is_off_labels_nothing(world):
    override(world)
    alike = Review.objects.corrections()
    with pytest.raises(LabelChanged):
        labels.label_alike(alike, E, tenant=world.tenant, actor=world.supervisor, expected=2)
    assert not CorrectionLabel.objects.exists()


def test_a_bulk_never_reaches_another_tenant(world):
    other = make_world("other")
    mine, theirs = override(world), override(other)
    labels.label_alike(Review.objects.corrections(), E, tenant=world.tenant, actor=world.supervisor, expected=1)
    assert (stands(mine), stands(theirs)) == ("model_error", None)
    with pytest.raises(Denied):
        labels.label_alike(Review.objects.corrections(), E, tenant=other.tenant, actor=world.supervisor, expected=1)


# --- the page ---------------------------------------------------------------------------------------------------------


def test_the_page_shows_the_question_the_change_and_what_the_review_says(world, client):
    review = override(
        world, final_answer="No. You can return the shoes within 30 days.", incorrect_evidence=("returns",)
    )
    text = client.get(label_url(review)).content.decode()
    assert "Can I still send the shoes back?" in text
    assert re.search(r"<del>[^<]*Yes", text)
    assert re.search(r"<ins>[^<]*No", text)
    assert "30 days, not 60" in text
    assert "marked as wrong" in text
    assert "Suggested because the review marks evidence as wrong" in text
    assert INLINE.search(text) is None


def test_a_label_is_one_press_and_leads_to_the_next_unlabelled(world, client):
    first, second = override(world), override(world)
    response = client.post(label_url(first), {"label": "model_error"})
    assert response["Location"] == label_url(second)
    assert stands(first) == "model_error"
    assert "Model error" in said(response)[0]
    response = client.post(label_url(second), {"label": "one_off_context", "note": "a goodwill gesture"})
    assert response["Location"] == LIST
    assert client.get(label_url(second)).content.decode().count("a goodwill gesture") == 1


def test_filters_go_along_from_one_to_the_next(world, client):
    first = override(world, case={"domain": "returns"})
    override(world)
    third = override(world, case={"domain": "returns"})
    response = client.get(f"{LIST}label/?domain=returns&nonsense=1")
    assert response["Location"] == f"{label_url(first)}?domain=returns"
    response = client.post(response["Location"], {"label": "model_error"})
    assert response["Location"] == f"{label_url(third)}?domain=returns"


def test_what_is_skipped_stays_unlabelled_and_comes_again(world, client):
    first, second = override(world), override(world)
    assert client.get(f"{LIST}label/", {"after": first.pk})["Location"] == label_url(second)
    assert client.get(f"{LIST}label/", {"after": second.pk})["Location"] == LIST
    assert client.get(f"{LIST}label/")["Location"] == label_url(first)
    assert client.get(f"{LIST}label/", {"after": "nonsense"})["Location"] == label_url(first)


def test_a_second_look_shows_what_others_have_labelled(world, senior, client):
    review = override(world)
    labels.label(review.pk, E, actor=senior)
    assert client.get(f"{LIST}label/")["Location"] == LIST
    assert client.get(f"{LIST}label/?labels=labelled")["Location"] == f"{label_url(review)}?labels=labelled"
    client.post(f"{label_url(review)}?labels=labelled", {"label": "bad_retrieval"})
    assert client.get(f"{LIST}label/?labels=labelled")["Location"] == f"{LIST}?labels=labelled"
    assert "people disagree" in client.get(label_url(review)).content.decode()
    text = client.get(f"{LIST}?labels=disputed").content.decode()
    assert str(review.pk) in text
    assert "≠ disputed" in text


def test_the_last_label_is_taken_back_by_the_button_in_the_message(world, client):
    review = override(world)
    client.post(label_url(review), {"label": "model_error"})
    row = CorrectionLabel.objects.get()
    assert f'value="{row.pk}"' in client.get(label_url(review)).content.decode()
    response = client.post(f"{LIST}{review.pk}/take-back/", {"number": row.pk})
    assert response["Location"] == label_url(review)
    assert stands(review) is None
    for number in ("", "x", "9" * 30, str(row.pk + 1000)):
        assert client.post(f"{LIST}{review.pk}/take-back/", {"number": number}).status_code == 404


def test_a_press_without_a_label_or_with_an_unknown_one_stores_nothing(world, client):
    review = override(world)
    for data in ({}, {"label": "modelerror"}, {"label": "model_error", "note": "x" * 2001}):
        assert client.post(label_url(review), data).status_code == 400
    assert not CorrectionLabel.objects.exists()


@pytest.mark.parametrize("name", ["labels", "window", "domain", "reason_code"])
@pytest.mark.parametrize("value", ["x", "7", "\x00", "00000000-0000-7000-8000-000000000009", "é" * 300])
def test_odd_filters_break_nothing(world, client, name, value):
    override(world)
    expected = 400 if value == "\x00" else 200  # A NUL is refused at the door, whatever the page.
    assert client.get(LIST, {name: value}).status_code == expected
    assert client.get(f"{LIST}label/", {name: value, "tenant": value}).status_code in (302, expected)


def test_many_with_the_same_reason_are_counted_shown_and_then_labelled(world, client):
    reviews = [override(world) for _ in range(3)]
    override(world, reason_code="tone")
    url = f"{LIST}{reviews[0].pk}/alike/"
    text = client.get(url).content.decode()
    assert "3 unlabelled corrections" in text
    assert INLINE.search(text) is None
    assert client.post(url, {"label": "model_error", "expected": "4"}).status_code == 412
    assert client.post(url, {"expected": "3"}).status_code == 400
    assert client.post(url, {"label": "model_error", "expected": "3"}).status_code == 302
    assert [stands(review) for review in reviews] == ["model_error"] * 3
    assert CorrectionLabel.objects.count() == 3


def test_hostile_texts_are_shown_and_never_run(world, client):
    review = override(world, final_answer="<script>alert(1)</script> \u202etxt", notes='"><img src=x onerror=alert(1)>')
    text = client.get(label_url(review)).content.decode()
    assert "<script>alert" not in text
    assert "<img src=x" not in text
    assert "U+202E" in text


def test_an_outsider_sees_labels_and_changes_nothing(world, senior, client):
    row = labels.label(override(world).pk, E, actor=senior)
    review, missing = row.review, new_id()
    other = make_world("other")
    outsider = sign_in(other.person("oscar", Role.SUPERVISOR, Role.TENANT_ADMIN))
    assert "acme" not in outsider.get(LIST).content.decode().lower()
    assert outsider.get(f"{LIST}label/?labels=labelled&tenant={world.tenant.pk}")["Location"].startswith(LIST + "?")
    for page, data in (
        ("label/", {"label": "model_error"}),
        ("take-back/", {"number": row.pk}),
        ("alike/", {}),
        ("", {}),
    ):
        for method in ("get", "post"):
            theirs, nobodys = (getattr(outsider, method)(f"{LIST}{key}/{page}", data) for key in (review.pk, missing))
            assert (theirs.status_code, theirs.headers.get("Location")) == (
                nobodys.status_code,
                nobodys.headers.get("Location"),
            )
            assert theirs.status_code in (404, 405)
    assert CorrectionLabel.objects.count() == 1
    assert not Denial.objects.exists()


def test_the_list_asks_the_same_queries_however_many_there_are(world, client):
    counts = []
    for size in (1, 6):
        for _ in range(size):
            labels.label(override(world).pk, E, actor=world.supervisor)
        client.get(LIST)
        with CaptureQueriesContext(connection) as queries:
            assert client.get(LIST).status_code == 200
        counts.append(len(queries))
    assert counts[0] == counts[1]


def test_a_correction_leads_to_its_labelling_page(world, client):
    review = override(world)
    url = reverse("admin:feedback_correction_change", args=[review.pk])
    assert client.get(url)["Location"] == label_url(review)
    assert str(Correction.objects.get(pk=review.pk)).startswith("Edit of")
