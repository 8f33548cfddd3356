"""Challenges with a proposed action and files: they look like the domain's own, and nothing of them runs, leaves or
counts."""

import pytest
from django.test import Client
from django.urls import reverse

from approvals.models import Execution, ProposedAction
from approvals.services import signing
from approvals.services.lifetimes import sweep_ended_cases
from approvals.states import ActionState
from cases.models import Case, CaseEvent, Delivery, WebhookEndpoint
from cases.models.people import system_actor
from cases.states import State
from config.invariants import broken
from feedback.alike import neighbours_of
from feedback.models import Challenge, PlantedChallenge
from feedback.services import challenges, planting
from queues.services.fitness import fitness_of
from tests.approvals.desks import make_desk, run_due
from tests.approvals.till import Till
from tests.callers import Caller
from tests.feedback.challenging import decide, gold, judged, real_cases
from tests.feedback.review_pages import words_of
from tests.worlds import World, make_world

ASKED = {"action": "issue_refund", "params": {"order_id": "ord_48211"}, "amount": "120.00", "currency": "USD"}
FILE = {"url": "https://files.example/scans/invoice-2231.pdf", "media_type": "application/pdf", "sha256": "ab" * 32}
ASKS = "Hello, my name is Anna Bell. Order ord_48211 came broken, I want my money back."


@pytest.fixture
def desk(db, settings):
    """A till that would pay, people who sign for it, and a webhook that would hear of it."""
    settings.ACTION_EXECUTORS = {"till": "tests.approvals.till.Till"}
    desk = make_desk()
    WebhookEndpoint(tenant=desk.world.tenant, url="https://hooks.example/", secret="whsec_x").save_as(
        system_actor(), "tests"
    )
    return desk


@pytest.fixture
def world(desk):
    return desk.world


def of_a_case(world: World) -> Challenge:
    """One click: a gold case of a decided one with an action and a file."""
    case = world.submit(user_question=ASKS, proposed_action=ASKED, attachments=[FILE])
    run_due()
    decide(world, case, "reject")
    sweep_ended_cases()
    proposal = challenges.proposal_of(Case.objects.with_text().get(pk=case.pk), actor=world.supervisor)
    proposal.explanation = "It came whole, as the photo shows."
    return challenges.save(proposal, actor=world.supervisor, reason="tests")


def planted_with_action(world: World) -> PlantedChallenge:
    of_a_case(world)
    real_cases(world, proposed_action=ASKED, attachments=[FILE])
    Till.calls.clear()
    planted = planting.plant(world.reviewer, world.tenant, "billing", fitness_of(world.reviewer, world.tenant))
    assert planted is not None
    return planted


def test_one_click_takes_the_action_and_its_dry_run_along_disguised(world):
    challenge = of_a_case(world)
    wanted = challenge.body["proposed_action"]
    assert wanted == ASKED | {"params": {"order_id": "[[id1]]"}}
    assert challenge.body["preview"]["binding"] == {"total": "500.00"} and "attachments" not in challenge.body
    variant = challenges.variant_of(challenge)
    made = variant.body["proposed_action"]["params"]["order_id"]
    assert made != "ord_48211" and made in variant.body["user_question"] and "preview" not in variant.body
    page = Client()
    page.force_login(world.supervisor, backend="django.contrib.auth.backends.ModelBackend")
    text = words_of(page.get(reverse("admin:feedback_challenge_variant", args=[challenge.pk])))
    assert "Proposed action, which never runs" in text and "parameter order id" in text


def test_it_is_previewed_and_signed_like_any_other_and_never_reaches_an_executor(world, desk):
    planted = planted_with_action(world)
    run_due()
    action = ProposedAction.objects.get(case=planted.pk)
    assert action.state == ActionState.PENDING_APPROVAL
    assert action.wire_id not in {key for _, key in Till.calls} and Till.count("preview") == planting.FEW_DONORS
    assert set(action.current_preview.content.text["binding"]) == {"total"}
    inbox = Client()
    inbox.force_login(desk.ann, backend="django.contrib.auth.backends.ModelBackend")
    at = reverse("admin:approvals_proposedaction_waiting")
    assert action.wire_id in inbox.get(at).content.decode() or str(action.pk) in inbox.get(at).content.decode()
    signing.approve(action.pk, actor=desk.ann, payload_hash=action.payload_hash, reason="fine")
    decide(world, planted.case, "accept")
    run_due()
    assert ProposedAction.objects.get(pk=action.pk).state == ActionState.APPROVED
    (result,) = judged(world, planted)
    assert not result.is_caught
    assert ProposedAction.objects.get(pk=action.pk).state == ActionState.CANCELLED
    assert Case.objects.get(pk=planted.pk).state == State.APPROVED and Case.objects.get(pk=planted.pk).open_actions == 0
    assert Till.count("execute") == 0 and not Execution.objects.exists()
    assert list(broken()) == []


def test_the_case_that_it_was_made_of_does_not_stand_beside_it(world):
    planted = planted_with_action(world)
    source = planted.challenge.source
    case = Case.objects.with_text().get(pk=planted.pk)
    assert source.pk not in {row.id for row in neighbours_of(case, str).alike}
    other = world.submit(user_question=ASKS)
    assert source.pk in {row.id for row in neighbours_of(Case.objects.with_text().get(pk=other.pk), str).alike}


def test_it_is_delivered_to_nobody_and_no_service_account_sees_it(world, desk):
    planted = planted_with_action(world)
    run_due()
    action = ProposedAction.objects.get(case=planted.pk)
    kinds = set(CaseEvent.objects.filter(case=planted.pk).values_list("kind", flat=True))
    assert {CaseEvent.Kind.OPENED, CaseEvent.Kind.ACTION_PENDING} <= kinds
    assert not Delivery.objects.filter(event__case=planted.pk).exists() and Delivery.objects.exists()
    service = Caller(world.service, world.tenant)
    assert service.get(f"actions/{action.wire_id}/").status_code == 404
    assert action.wire_id not in str(service.get("actions/").json())
    assert Caller(desk.ann, world.tenant).get(f"actions/{action.wire_id}/").status_code == 200
    outsider = make_world("other")
    assert Caller(outsider.supervisor, outsider.tenant).get(f"actions/{action.wire_id}/").status_code == 404


def test_challenges_come_with_an_action_where_the_domains_cases_do_and_without_where_they_do_not(world):
    gold(world)
    real_cases(world, proposed_action=ASKED)
    fit = fitness_of(world.reviewer, world.tenant)
    assert planting.plant(world.reviewer, world.tenant, "billing", fit) is None, "one without would stand out"
    of_a_case(world)
    assert planting.plant(world.reviewer, world.tenant, "billing", fit).case.actions.exists()
    for _ in range(planting.FEW_DONORS):
        world.submit(domain="shipping")
    gold(world, "Without", domain="shipping")
    assert not planting.plant(world.reviewer, world.tenant, "shipping", fit).case.actions.exists()


def test_a_file_stands_where_the_domains_files_stand_under_a_name_of_none(world):
    gold(world)
    real_cases(world, attachments=[FILE])
    planted = planting.plant(world.reviewer, world.tenant, "billing", fitness_of(world.reviewer, world.tenant))
    (made,) = planted.case.content.text["attachments"]
    assert made["url"].startswith("https://files.example/scans/invoice-") and made["url"].endswith(".pdf")
    assert made["url"] != FILE["url"] and made["sha256"] != FILE["sha256"]
    assert made["media_type"] == FILE["media_type"]
