"""Four eyes on changes of policy, authority, action types and the safeguards themselves, where a tenant asks for it."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta

import pytest
from django.db import DatabaseError, transaction
from django.urls import reverse

from approvals.errors import GrantRefused
from approvals.models import ActionType, ApprovalAuthority, AuthorityGrant, ImpactRule
from approvals.services import authorities, types
from cases.clock import pretend_now
from cases.models import ChangeAnswer, ChangeRequest, Notice, Policy, PolicyVersion, User
from cases.models.people import system_actor
from cases.permissions import Denied
from cases.services import changes, members, policies, switch, tenant_settings
from cases.services.changes import NotWaiting, OwnChange, SecondNeeded
from tests.journeys.test_admin_access import sign_in
from tests.threads import in_parallel
from tests.worlds import World, make_world

pytestmark = pytest.mark.django_db

EVERYTHING = ["policy", "authority", "action"]
Verdict = ChangeAnswer.Verdict


@dataclass
class Scene:
    world: World
    tara: User
    theo: User
    refunds: ActionType
    small: ApprovalAuthority

    def ask(self, change: Callable[[], object]) -> ChangeRequest:
        """Make ``change``, which must need a second person, as a door does."""
        with pytest.raises(SecondNeeded) as raised, transaction.atomic():
            change()
        return changes.ask(raised.value.wish)

    def stricter(self) -> ChangeRequest:
        self.world.policy.refresh_from_db()
        self.world.policy.auto_approve_above = 0.96
        return self.ask(lambda: policies.publish(self.world.policy, actor=self.tara, reason="too many errors"))


def build() -> Scene:
    world, system = make_world("acme", four_eyes=EVERYTHING), system_actor()
    refunds = ActionType(tenant=world.tenant, name="issue_refund", title="Refund", schema={"type": "object"})
    refunds.save_as(system, "created")
    ImpactRule(action_type=refunds, condition="amount < 50.0", impact="low").save_as(system, "created")
    types.publish(refunds, actor=system, reason="created")
    small = ApprovalAuthority(
        tenant=world.tenant, code="small", name="Small", action_type=refunds, max_amount=500, currency="USD"
    )
    small.save_as(system, "created")
    tara, theo = (world.person(name, "tenant_admin") for name in ("tara", "theo"))
    return Scene(world, tara, theo, refunds, small)


@pytest.fixture
def scene() -> Scene:
    return build()


def stored_policy(scene: Scene) -> Policy:
    return Policy.objects.get(pk=scene.world.policy.pk)


# --- what waits -------------------------------------------------------------------------------------------------------


def test_a_policy_changes_when_a_second_person_confirms_it_and_not_before(scene):
    asked = scene.stricter()
    assert stored_policy(scene).auto_approve_above == 0.95
    assert ["auto approve above", "0.95", "0.96"] in asked.differences
    answer = changes.confirm(asked.pk, actor=scene.theo, reason="agreed")
    assert answer.verdict == Verdict.CONFIRMED
    assert stored_policy(scene).auto_approve_above == 0.96
    version = PolicyVersion.objects.filter(policy=scene.world.policy).latest("number")
    assert version.published_by == scene.theo
    assert version.reason == "too many errors (asked for by Tara)"
    assert scene.world.policy.history.first().history_user_id == scene.theo.pk


def test_conditions_are_part_of_what_waits(scene):
    policy = scene.world.policy
    kept, gone = policy.conditions.order_by("position")[:2]

    def change() -> None:
        gone.delete_as(scene.tara, "unused")
        kept.expression = "amount > 7.0"
        kept.save_as(scene.tara, "lower")
        policies.publish(policy, actor=scene.tara, reason="lower")

    asked = scene.ask(change)
    before = policy.conditions.count()
    assert kept.name in [condition.name for condition in policy.conditions.all()]
    assert any("amount > 7.0" in after for _, _, after in asked.differences)
    changes.confirm(asked.pk, actor=scene.theo)
    assert policy.conditions.count() == before - 1
    assert policy.conditions.get(name=kept.name).expression == "amount > 7.0"


def test_an_authority_is_widened_and_given_by_two_and_taken_by_one(scene):
    scene.small.max_amount = 9000
    asked = scene.ask(lambda: authorities.save(scene.small, actor=scene.tara, reason="more"))
    assert ["max amount", "500.00", "9000.00"] in asked.differences
    changes.confirm(asked.pk, actor=scene.theo)
    assert ApprovalAuthority.objects.get().max_amount == 9000
    ann = scene.world.person("ann", "approver")
    given = scene.ask(lambda: authorities.grant(scene.small, ann, actor=scene.tara, reason="covers"))
    assert not AuthorityGrant.objects.exists()
    assert given.differences[0] == ["given to", "–", "Ann"]
    changes.confirm(given.pk, actor=scene.theo)
    assert authorities.own_holders(scene.small) == [ann]
    authorities.revoke(scene.small, ann, actor=scene.tara, reason="left")
    assert authorities.own_holders(scene.small) == []


def test_nobody_is_given_an_authority_by_their_own_confirmation(scene):
    given = scene.ask(lambda: authorities.grant(scene.small, scene.theo, actor=scene.tara, reason="r"))
    with pytest.raises(GrantRefused):
        changes.confirm(given.pk, actor=scene.theo)
    assert not AuthorityGrant.objects.exists()
    assert changes.waiting(ChangeRequest.objects.all()).exists()


def test_impact_rules_wait_as_well(scene):
    rule = scene.refunds.impact_rules.get()

    def change() -> None:
        rule.may_run_alone = True
        rule.save_as(scene.tara, "alone")
        types.publish(scene.refunds, actor=scene.tara, reason="alone")

    asked = scene.ask(change)
    assert not ImpactRule.objects.get().may_run_alone
    changes.confirm(asked.pk, actor=scene.theo)
    assert ImpactRule.objects.get().may_run_alone
    assert ActionType.objects.get().policy_version == 2


def test_a_safeguard_is_added_by_one_person_and_taken_away_by_two(scene):
    tenant = scene.world.tenant
    tenant.resume_needs_two = True
    tenant_settings.save_settings(tenant, actor=scene.tara, reason="safer")
    tenant.four_eyes, tenant.name = ["policy"], "Renamed"
    asked = scene.ask(lambda: tenant_settings.save_settings(tenant, actor=scene.tara, reason="in the way"))
    tenant.refresh_from_db()
    assert (tenant.four_eyes, tenant.name) == (EVERYTHING, "Acme")
    changes.confirm(asked.pk, actor=scene.theo)
    tenant.refresh_from_db()
    assert (tenant.four_eyes, tenant.name) == (["policy"], "Renamed")


def test_a_tenant_that_asks_for_nothing_waits_for_nothing():
    world = make_world("plain")
    world.policy.auto_approve_above = 0.96
    policies.publish(world.policy, actor=world.person("tara", "tenant_admin"), reason="alone")
    assert not ChangeRequest.objects.exists()


def test_a_stop_never_waits(scene):
    switch.stop(switch.Scope(scene.world.tenant), actor=scene.world.supervisor, reason="odd")
    assert not switch.read(scene.world.tenant).allowed


# --- who answers ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("is_superuser", [False, True])
def test_nobody_confirms_their_own_change_superusers_included(scene, is_superuser):
    User.objects.filter(pk=scene.tara.pk).update(is_superuser=is_superuser)
    scene.tara.refresh_from_db()
    asked = scene.stricter()
    with pytest.raises(OwnChange):
        changes.confirm(asked.pk, actor=scene.tara)
    with pytest.raises(DatabaseError, match="nobody confirms their own change"), transaction.atomic():
        ChangeAnswer.objects.create(request=asked, verdict=Verdict.CONFIRMED, by=scene.tara, at=asked.asked_at)
    assert changes.refuse(asked.pk, actor=scene.tara).verdict == Verdict.WITHDRAWN
    assert stored_policy(scene).auto_approve_above == 0.95


def test_only_who_holds_the_right_answers(scene):
    asked = scene.stricter()
    outsider = make_world("other").person("oscar", "tenant_admin")
    for person in (scene.world.reviewer, scene.world.supervisor, scene.world.compliance, outsider, scene.world.service):
        for service in (changes.confirm, changes.refuse):
            with pytest.raises(Denied):
                service(asked.pk, actor=person)


def test_a_wish_of_somebody_who_has_lost_the_right_is_not_confirmed(scene):
    asked = scene.stricter()
    members.assign_roles(scene.tara, scene.world.tenant, ["reviewer"], actor=scene.theo)
    with pytest.raises(NotWaiting):
        changes.confirm(asked.pk, actor=scene.theo)


def test_a_change_is_void_when_its_subject_was_changed_meanwhile(scene):
    asked = scene.stricter()
    other = stored_policy(scene)
    other.sampling_share = 0.5
    policies.publish(other, actor=system_actor(), reason="meanwhile")
    assert changes.confirm(asked.pk, actor=scene.theo).verdict == Verdict.OUTDATED
    assert stored_policy(scene).auto_approve_above == 0.95
    with pytest.raises(NotWaiting):
        changes.confirm(asked.pk, actor=scene.theo)


def test_a_change_expires(scene):
    asked = scene.stricter()
    with pretend_now(asked.expires_at + timedelta(seconds=1)), pytest.raises(NotWaiting):
        changes.confirm(asked.pk, actor=scene.theo)


def test_those_who_may_confirm_are_told_and_who_asked_is_not(scene):
    asked = scene.stricter()
    told = set(Notice.objects.filter(key__startswith=f"change.asked:{asked.pk}").values_list("user", flat=True))
    assert told == {scene.theo.pk}


def test_what_was_asked_and_answered_is_not_rewritten(scene):
    asked = scene.stricter()
    changes.confirm(asked.pk, actor=scene.theo)
    for rows in (ChangeRequest.objects.all(), ChangeAnswer.objects.all()):
        with pytest.raises(DatabaseError, match="append-only"), transaction.atomic():
            rows.update(reason="x")


@pytest.mark.django_db(transaction=True)
def test_of_two_who_confirm_at_once_one_does():
    scene = build()
    tess = scene.world.person("tess", "tenant_admin")
    asked = scene.stricter()
    results = in_parallel([lambda user=user: changes.confirm(asked.pk, actor=user) for user in (scene.theo, tess)])
    assert sorted(type(result).__name__ for result in results) == ["ChangeAnswer", "NotWaiting"]
    assert stored_policy(scene).version == 2


# --- pages ------------------------------------------------------------------------------------------------------------


def test_the_grant_page_asks_and_the_page_of_the_change_is_confirmed_by_another(scene):
    ann = scene.world.person("ann", "approver")
    grants = reverse("admin:approvals_approvalauthority_grants", args=[scene.small.pk])
    response = sign_in(scene.tara).post(grants, {"person": ann.username, "reason": "covers for Ben"})
    asked = ChangeRequest.objects.get()
    page = reverse("admin:cases_changerequest_change", args=[asked.pk])
    assert response["Location"] == page
    own = sign_in(scene.tara).get(page).content.decode()
    assert 'name="confirm"' not in own
    assert "Take it back" in own
    theirs = sign_in(scene.theo).get(page).content.decode()
    assert 'name="confirm"' in theirs
    assert "Small" in theirs
    sign_in(scene.theo).post(f"{page.removesuffix('change/')}answer/", {"confirm": "1", "reason": "yes"})
    assert authorities.own_holders(scene.small) == [ann]
    assert "Confirmed and carried out, Theo" in sign_in(scene.world.compliance).get(page).content.decode()


def test_the_policy_page_asks_and_says_so(scene):
    client, policy = sign_in(scene.tara), scene.world.policy
    address = reverse("admin:cases_policy_change", args=[policy.pk])
    form = client.get(address).context["adminform"].form
    data = {name: form.initial.get(name, "") for name in form.fields}
    data = {
        bound.html_name: bound.field.prepare_value(value) if (value := bound.value()) is not None else ""
        for bound in (form[name] for name in form.fields)
    } | {"auto_approve_above": "0.97", "reason": "stricter"}
    count = policy.conditions.count()
    rows = {"conditions-TOTAL_FORMS": count, "conditions-INITIAL_FORMS": count}
    for number, condition in enumerate(policy.conditions.order_by("position", "id")):
        names = ("id", "policy_id", "position", "name", "trigger", "expression")
        rows |= {f"conditions-{number}-{name.removesuffix('_id')}": getattr(condition, name) for name in names}
        rows[f"conditions-{number}-is_active"] = "on"
    response = client.post(address, data | rows, follow=True)
    text = response.content.decode()
    asked = ChangeRequest.objects.get()
    assert "Nothing has changed yet" in text
    assert asked.differences == [["auto approve above", "0.95", "0.97"]]
    assert stored_policy(scene).auto_approve_above == 0.95


def test_an_outsider_learns_nothing_of_a_change(scene):
    asked = scene.stricter()
    client = sign_in(make_world("other").person("oscar", "tenant_admin"))
    page = reverse("admin:cases_changerequest_change", args=[asked.pk])
    missing = page.replace(str(asked.pk), "00000000-0000-7000-8000-00000000ffff")
    assert client.get(page)["Location"] == client.get(missing)["Location"]
    client.post(f"{page.removesuffix('change/')}answer/", {"confirm": "1"})
    assert not ChangeAnswer.objects.exists()
    assert "acme" not in client.get(reverse("admin:cases_changerequest_changelist")).content.decode().lower()
