"""What somebody with an account and bad intentions tried, and an operator with bad luck."""

import threading

import pytest
from django.contrib import admin
from django.core.exceptions import PermissionDenied
from django.db import connection, transaction
from django.test import Client, RequestFactory
from django.urls import reverse

from cases.admin.scoped import TenantScoped
from cases.errors import NotPermitted
from cases.models import Case, Draft, Release
from cases.models.people import system_actor
from cases.permissions import Denied
from cases.services import lifecycle, people
from cases.states import State
from config.invariants import broken
from feedback.models import Review, ReviewDraft
from feedback.services import reviews
from feedback.submission import Submission
from queues.errors import StaleClaim
from queues.models import Entry
from tests.worlds import WEAK, World, make_world

PRIVATE = ("secret", "previous_secret", "purpose", "resume_token", "intake_digest", "digest", "password", "tags")


@pytest.fixture
def world(db) -> World:
    return make_world("acme")


def sign_in(user) -> Client:
    client = Client()
    client.force_login(user, backend="django.contrib.auth.backends.ModelBackend")
    return client


@pytest.mark.parametrize("lookup", ["", "__startswith", "__in", "__regex", "__contains", "__isnull"])
def test_no_list_can_be_asked_about_a_private_column(world, lookup):
    request = RequestFactory().get("/")
    request.user = world.compliance
    scoped = [page for page in admin.site._registry.values() if isinstance(page, TenantScoped)]
    assert len(scoped) > 15
    for page in scoped:
        for column in PRIVATE:
            assert not page.lookup_allowed(f"{column}{lookup}", "x", request), f"{page.opts.label}: {column}{lookup}"


def test_a_list_answers_a_filter_that_it_does_not_offer_with_a_400(world):
    client = sign_in(world.reviewer)
    for query in ("purpose=challenge", "domain__regex=(", "tags__contains=beta", "domain=%00"):
        assert client.get(f"{reverse('admin:cases_case_changelist')}?{query}").status_code == 400, query


def test_a_form_takes_nothing_from_its_address(world):
    client = sign_in(world.person("tina", "tenant_admin"))
    page = client.get(f"{reverse('admin:cases_membership_add')}?user=zzz&away_from=x")
    assert page.status_code == 200


def test_a_name_that_no_account_can_have_does_not_sign_in(db):
    answer = Client().post(reverse("admin:login"), {"username": "x" * 5000, "password": "y"})
    assert answer.status_code == 200 and b"enter a correct" in answer.content.lower()


@pytest.mark.django_db(transaction=True)
def test_a_supervisor_withdraws_reopens_and_takes_back_outside_of_any_transaction_of_the_test():
    world = make_world("acme", undo_seconds=0)
    client = sign_in(world.supervisor)
    waiting, decided = world.submit(external_id="a"), world.submit(external_id="b", signals=WEAK)
    entry = world.claim()
    taken_back = client.post(reverse("admin:queues_entry_take_back", args=[entry.pk]))
    assert taken_back.status_code == 302
    assert not Entry.objects.held().exists()

    act = "admin:cases_case_act"
    assert client.post(reverse(act, args=[waiting.pk, "withdraw"]), {"reason": "sent twice"}).status_code == 302
    assert Case.objects.get(pk=waiting.pk).state == State.WITHDRAWN

    entry = world.claim()
    rejected = Submission(verdict="reject", notes="no", no_evidence_applies=True)
    reviews.submit(decided.pk, rejected, actor=world.reviewer, generation=entry.generation)
    assert client.post(reverse(act, args=[decided.pk, "reopen"]), {"reason": "appeal"}).status_code == 302
    assert Case.objects.get(pk=decided.pk).state == State.PENDING_REVIEW
    assert list(broken()) == []


@pytest.mark.django_db(transaction=True)
def test_a_review_that_waited_for_a_new_draft_is_stale_and_keeps_its_text():
    world = make_world("acme")
    case = world.submit()
    entry = world.claim()
    shown = bytes(case.current_draft.content_digest)
    holds, outcome = threading.Event(), []

    def review() -> None:
        holds.wait(10)
        try:
            reviews.submit(
                case.pk,
                Submission(verdict="edit", final_answer="My long text"),
                actor=world.reviewer,
                generation=entry.generation,
                displayed_digest=shown,
            )
        except Exception as error:
            outcome.append(error)
        finally:
            connection.close()

    thread = threading.Thread(target=review)
    thread.start()
    with transaction.atomic():
        held = lifecycle.locked(case.pk)
        held.current_draft = _second_draft(held)
        held.save_as(system_actor(), "draft 2")
        holds.set()
        thread.join(1)  # By now it waits for our lock.
        assert thread.is_alive()
    thread.join(10)
    assert isinstance(outcome[0], StaleClaim), outcome
    assert ReviewDraft.objects.get().content.text["final_answer"] == "My long text"
    assert not Review.objects.exists()


def _second_draft(case: Case) -> Draft:
    first = case.current_draft
    content = type(first.content)(tenant=case.tenant, owner="draft", case_id=case.pk, body={"model_draft": "Better."})
    content.save(force_insert=True)
    draft = Draft(
        tenant=case.tenant,
        case=case,
        number=2,
        release=Release.objects.get(pk=first.release_id),
        confidence=0.5,
        route=first.route,
        threshold=first.threshold,
        content=content,
        content_digest=content.digest(),
        created_at=first.created_at,
    )
    draft.save(force_insert=True)
    return draft


def test_nobody_makes_a_tenant_but_the_platform(world):
    with pytest.raises((Denied, PermissionDenied, NotPermitted)):
        people.create_tenant(actor=world.person("tina", "tenant_admin"), slug="mine", name="Mine")


def test_no_token_is_made_for_somebody_of_another_tenant_too(world):
    other = make_world("globex")
    people.assign_roles(other.reviewer, world.tenant, ["reviewer"], actor=system_actor())
    admin_of_one = world.person("tina", "tenant_admin")
    with pytest.raises(NotPermitted):
        people.issue_token(other.reviewer, actor=admin_of_one, tenant=world.tenant)


def test_the_unsent_text_is_gone_once_its_case_is_decided(world):
    case = world.submit()
    entry = world.claim()
    reviews.keep_text(case.pk, Submission(verdict="edit", final_answer="half"), actor=world.reviewer)
    kept = ReviewDraft.objects.get().content
    reviews.submit(case.pk, Submission(verdict="accept"), actor=world.reviewer, generation=entry.generation)
    assert not ReviewDraft.objects.exists()
    assert not type(kept).objects.filter(pk=kept.pk).exists()
