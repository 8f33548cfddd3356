"""History: who changed what, when and why, on everything that is configured and on every case and action."""

import pytest
import structlog
from django.apps import apps
from django.test import RequestFactory
from simple_history.models import HistoricalRecords

from cases.models import AutomationSwitch, Case, Membership, Policy, Tenant, TriggerCondition, WebhookEndpoint
from cases.models.people import SYSTEM_ID, system_actor
from cases.services import lifecycle, people, policies, switch
from queues.models import Claim, Entry
from tests.worlds import make_world

ROOMS = ("cases", "queues", "approvals", "feedback")
TRACKED = {
    model._meta.label
    for room in ROOMS
    for model in apps.get_app_config(room).get_models()
    if hasattr(model, "history") and not model.__name__.startswith("Historical")
}
NOT_TRACKED = {
    "queues.Entry",  # hot: its claims and passages keep what matters
    "queues.Claim",
    "cases.Delivery",
    "cases.IdempotencyKey",
    "cases.Content",  # erasable, which no history may be
    "cases.Release",
    "cases.User",
    "feedback.ReviewDraft",
}


def test_history_is_kept_of_configuration_cases_and_actions_and_of_nothing_hot():
    assert {
        "cases.Tenant",
        "cases.SealPublishing",
        "cases.LegalHold",
        "cases.RetentionRule",
        "cases.Membership",
        "cases.Policy",
        "cases.TriggerCondition",
        "cases.AutomationSwitch",
        "cases.WebhookEndpoint",
        "cases.Case",
        "queues.Queue",
        "queues.SlaPolicy",
        "queues.BusinessCalendar",
        "queues.Reviewer",
        "queues.ReviewerSkill",
        "queues.Skill",
        "cases.InterimTemplate",
        "cases.CustomerNoticeSettings",
        "cases.CustomerTemplate",
        "cases.ResumeRequest",
        "cases.NoticeChannel",
        "cases.BreakerRule",
        "queues.SlaStep",
        "queues.QuorumRule",
        "feedback.BlindFirstPolicy",
        "feedback.Challenge",
        "feedback.ChallengePolicy",
        "feedback.DwellPolicy",
        "feedback.FrictionCap",
        "feedback.TrainingAlert",
        "feedback.PushTarget",
        "feedback.ShadowPolicy",
        "feedback.TextSnippet",
        "approvals.ActionType",
        "approvals.ImpactRule",
        "approvals.ApprovalAuthority",
        "approvals.ProposedAction",
    } == TRACKED
    assert not TRACKED & NOT_TRACKED
    assert not hasattr(Entry, "history")
    assert not hasattr(Claim, "history")


def test_no_secret_is_copied_into_a_history():
    for model, secrets in ((WebhookEndpoint, {"secret", "previous_secret"}), (Case, {"resume_token"})):
        assert not secrets & {field.name for field in model.history.model._meta.get_fields()}


@pytest.mark.django_db
def test_a_service_writes_who_and_why_without_any_request():
    world = make_world()
    case = world.submit()
    lifecycle.withdraw(case.pk, actor=world.service, reason="no longer needed")
    newest, first = case.history.order_by("-history_id")
    assert (first.history_user_id, first.history_change_reason, first.state) == (
        world.service.pk,
        "intake",
        "pending_review",
    )
    assert (newest.history_user_id, newest.history_change_reason, newest.state) == (
        world.service.pk,
        "withdrawn",
        "withdrawn",
    )
    assert newest.history_user == world.service


@pytest.mark.django_db
def test_what_runs_by_itself_is_written_under_the_system():
    tenant = people.create_tenant(actor=system_actor(), slug="acme", name="Acme")
    assert tenant.history.get().history_user_id == SYSTEM_ID


@pytest.mark.django_db
def test_the_actor_of_a_service_counts_and_not_whoever_made_the_request():
    world = make_world()
    request = RequestFactory().get("/")
    request.user = world.reviewer
    HistoricalRecords.context.request = request
    try:
        world.tenant.name = "Renamed"
        world.tenant.save_as(world.supervisor, "a new name")
    finally:
        del HistoricalRecords.context.request
    assert world.tenant.history.first().history_user_id == world.supervisor.pk


@pytest.mark.django_db
def test_who_and_why_do_not_stick_to_the_instance():
    world = make_world()
    world.tenant.save_as(world.supervisor, "once")
    world.tenant.save()
    last = world.tenant.history.first()
    assert (last.history_user_id, last.history_change_reason) == (None, None)


@pytest.mark.django_db
def test_who_and_why_do_not_stick_after_a_save_that_failed():
    world = make_world()
    again = Tenant(slug=world.tenant.slug, name="Twin")
    with pytest.raises(ValueError, match="force"):
        again.save_as(world.supervisor, "never", force_insert=True, force_update=True)
    assert not hasattr(again, "_history_user")
    assert not hasattr(again, "_change_reason")


@pytest.mark.django_db
def test_a_reason_longer_than_its_column_is_cut_and_never_an_error():
    world = make_world()
    world.tenant.save_as(world.supervisor, "x" * 5000)
    assert len(world.tenant.history.first().history_change_reason) == 200


@pytest.mark.django_db
def test_a_deletion_says_who_and_why():
    world = make_world()
    condition = TriggerCondition(policy=world.policy, name="Big", expression="amount > 10.0")
    condition.save_as(world.supervisor, "added")
    key = condition.pk
    condition.delete_as(world.supervisor, "not needed")
    last = TriggerCondition.history.filter(id=key).first()
    assert (last.history_type, last.history_user_id, last.history_change_reason) == (
        "-",
        world.supervisor.pk,
        "not needed",
    )


@pytest.mark.django_db
def test_each_service_that_changes_configuration_names_its_actor():
    world = make_world()
    switch.stop(switch.Scope(world.tenant), actor=world.supervisor, reason="odd answers")
    world.policy.auto_approve_above = 0.97
    policies.publish(world.policy, actor=system_actor(), reason="stricter")
    last = {
        AutomationSwitch: AutomationSwitch.objects.get(tenant=world.tenant).history.first(),
        Policy: world.policy.history.first(),
        Membership: Membership.objects.get(user=world.reviewer).history.first(),
    }
    assert last[AutomationSwitch].history_user_id == world.supervisor.pk
    assert last[AutomationSwitch].history_change_reason == "odd answers"
    assert (last[Policy].history_user_id, last[Policy].history_change_reason) == (SYSTEM_ID, "stricter")
    assert last[Membership].history_user_id == SYSTEM_ID


@pytest.mark.django_db
def test_a_history_row_carries_the_request_and_the_transaction():
    world = make_world()
    with structlog.contextvars.bound_contextvars(request_id="req-7"):
        case = world.submit()
    row = case.history.get()
    assert row.request_id == "req-7"
    assert int(row.xid) > 0
    assert case.events.first().request_id == "req-7"


@pytest.mark.django_db
def test_a_history_row_survives_the_account_that_it_names():
    world = make_world()
    world.tenant.save_as(world.supervisor, "a last change")
    row = world.tenant.history.first()
    world.supervisor.memberships.all().delete()
    world.supervisor.delete()
    assert world.tenant.history.first().history_user_id == row.history_user_id
    assert world.tenant.history.first().history_user is None
