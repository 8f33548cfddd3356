"""Four eyes on roles that somebody gets and on keeping less, where a tenant asks for it."""

from collections.abc import Callable

import pytest
from django.db import transaction
from django.urls import reverse

from cases.models import ChangeAnswer, ChangeRequest, Membership, RetentionRule, User
from cases.permissions import Denied, allowed
from cases.services import changes, members, people, periods, tenant_settings
from cases.services.changes import NotWaiting, SecondNeeded
from cases.services.members import OwnRoles
from tests.journeys.test_admin_access import sign_in
from tests.worlds import PASSWORD, World, make_world

pytestmark = pytest.mark.django_db

Verdict = ChangeAnswer.Verdict


@pytest.fixture
def world() -> World:
    world = make_world("acme", four_eyes=["roles", "records"])
    for name in ("tara", "theo"):
        world.person(name, "tenant_admin")
    return world


def named(name: str) -> User:
    return User.objects.get(username=f"{name}@acme")


def ask(change: Callable[[], object]) -> ChangeRequest:
    """Make ``change``, which must need a second person, as a door does."""
    with pytest.raises(SecondNeeded) as raised, transaction.atomic():
        change()
    return changes.ask(raised.value.wish)


def place_of(user: User, **changed) -> Membership:
    place = Membership.objects.get(user=user)
    for name, value in changed.items():
        setattr(place, name, value)
    return place


def give(world: World, user: User, *roles: str, by: str = "tara") -> ChangeRequest:
    place = place_of(user, roles=list(roles))
    return ask(lambda: members.save_membership(place, actor=named(by), reason="new team"))


# --- roles -----------------------------------------------------------------------------------------------------------


def test_a_role_is_given_by_two_people_and_taken_by_one(world):
    rita = world.reviewer
    asked = give(world, rita, "reviewer", "supervisor")
    assert asked.differences == [["roles", "Reviewer", "Reviewer; Supervisor"]]
    assert str(asked).startswith("Rita")
    assert not allowed(rita, "stop_automation", world.tenant)
    changes.confirm(asked.pk, actor=named("theo"))
    assert allowed(rita, "stop_automation", world.tenant)
    newest = Membership.objects.get(user=rita).history.latest("history_id")
    assert (newest.history_user_id, newest.history_change_reason) == (named("theo").pk, "new team (asked for by Tara)")
    members.save_membership(place_of(rita, roles=["reviewer"]), actor=named("tara"), reason="back")
    assert not allowed(rita, "stop_automation", world.tenant)


def test_who_was_shut_out_comes_back_by_two(world):
    rita = world.reviewer
    members.save_membership(place_of(rita, is_active=False), actor=named("tara"), reason="left")
    asked = ask(lambda: members.save_membership(place_of(rita, is_active=True), actor=named("tara"), reason="back"))
    changes.confirm(asked.pk, actor=named("theo"))
    assert Membership.objects.get(user=rita).is_active


def test_nobody_confirms_their_own_wish_nor_roles_of_their_own(world):
    asked = give(world, world.reviewer, "supervisor")
    with pytest.raises(changes.OwnChange):
        changes.confirm(asked.pk, actor=named("tara"))
    theirs = give(world, named("theo"), "tenant_admin", "approver")
    with pytest.raises(OwnRoles):
        changes.confirm(theirs.pk, actor=named("theo"))
    assert Membership.objects.get(user=named("theo")).roles == ["tenant_admin"]


def test_a_wish_about_somebody_whose_roles_have_changed_is_void(world):
    asked = give(world, world.reviewer, "supervisor")
    members.save_membership(place_of(world.reviewer, roles=[]), actor=named("tara"), reason="left the team")
    assert changes.confirm(asked.pk, actor=named("theo")).verdict == Verdict.OUTDATED
    assert Membership.objects.get(user=world.reviewer).roles == []


def test_an_outsider_and_who_may_not_change_people_answer_nothing(world):
    asked = give(world, world.reviewer, "supervisor")
    stranger = make_world("other").person("olga", "tenant_admin")
    for actor in (stranger, world.supervisor, world.compliance):
        with pytest.raises(Denied):
            changes.confirm(asked.pk, actor=actor)
    page = reverse("admin:cases_changerequest_change", args=[asked.pk])
    assert "new team" not in sign_in(stranger).get(page, follow=True).content.decode()
    changes.refuse(asked.pk, actor=named("theo"))
    with pytest.raises(NotWaiting):
        changes.confirm(asked.pk, actor=named("theo"))


def test_a_new_account_comes_without_its_roles_and_they_wait(world):
    tara, theo = sign_in(named("tara")), sign_in(named("theo"))
    sent = {"username": "nina@acme", "first_name": "Nina", "tenant": str(world.tenant.pk), "roles": ["approver"]}
    sent |= {"usable_password": "true", "password1": PASSWORD, "password2": PASSWORD}
    answer = tara.post(reverse("admin:cases_user_add"), sent, follow=True)
    assert "wait under Changes" in answer.content.decode()
    nina = User.objects.get(username="nina@acme")
    assert nina.memberships.get().roles == []
    asked = ChangeRequest.objects.get(kind="roles")
    page = reverse("admin:cases_changerequest_change", args=[asked.pk])
    assert "Approver" in theo.get(page).content.decode()
    theo.post(reverse("admin:cases_changerequest_answer", args=[asked.pk]), {"confirm": "1", "reason": ""})
    assert nina.memberships.get().roles == ["approver"]


def test_a_machine_gets_its_role_by_two_as_well(world):
    account = people.create_service_account(world.tenant, actor=named("tara"), username="crm")
    assert account.memberships.get().roles == []
    changes.confirm(ChangeRequest.objects.get(kind="roles").pk, actor=named("theo"))
    assert account.memberships.get().roles == ["integration"]


def test_the_membership_page_asks_and_says_so(world):
    place = Membership.objects.get(user=world.reviewer)
    tara = sign_in(named("tara"))
    page = reverse("admin:cases_membership_change", args=[place.pk])
    form = tara.get(page).context["adminform"].form
    sent = {name: form[name].value() for name in form.fields if form[name].value() is not None}
    answer = tara.post(page, sent | {"roles": ["reviewer", "compliance"], "reason": "cover"}, follow=True)
    assert "another person has to confirm this" in answer.content.decode()
    place.refresh_from_db()
    assert place.roles == ["reviewer"]
    assert ChangeRequest.objects.get().reason == "cover"


# --- keeping less ----------------------------------------------------------------------------------------------------


def keep(world: World, by: User, **days: int) -> RetentionRule:
    rule = RetentionRule.objects.filter(tenant=world.tenant).first() or RetentionRule(tenant=world.tenant)
    for name, value in days.items():
        setattr(rule, name, value)
    return periods.save_rule(rule, actor=by, reason="decided")


def test_a_shorter_period_takes_two_people_and_a_longer_one_does_not(world):
    cleo, theo = world.compliance, named("theo")
    first = ask(lambda: keep(world, cleo, case_days=90))
    assert not RetentionRule.objects.exists()
    changes.confirm(first.pk, actor=theo)
    assert RetentionRule.objects.get().case_days == 90
    keep(world, cleo, case_days=120)
    shorter = ask(lambda: keep(world, cleo, case_days=120, audit_days=400))
    assert shorter.differences == [["audit days", "0", "400"]]
    changes.confirm(shorter.pk, actor=theo)
    assert RetentionRule.objects.get().audit_days == 400
    keep(world, cleo, audit_days=0)
    with pytest.raises(Denied):
        keep(world, world.supervisor, case_days=0)


def test_audit_rows_are_kept_for_half_a_year_at_least_and_the_page_says_so(world):
    cleo = sign_in(world.compliance)
    page = reverse("admin:cases_retentionrule_add")
    sent = {"tenant": str(world.tenant.pk), "case_days": "0", "reason": "decided"}
    assert "183 days or more" in cleo.post(page, sent | {"audit_days": "182"}).content.decode()
    assert (
        "another person has to confirm" in cleo.post(page, sent | {"audit_days": "183"}, follow=True).content.decode()
    )
    assert not RetentionRule.objects.exists()


def test_keeping_fewer_views_takes_two_people(world):
    tenant, tara = world.tenant, named("tara")
    tenant.keep_views = "all"
    tenant_settings.save_settings(tenant, actor=tara, reason="more")
    tenant.keep_views = "none"
    asked = ask(lambda: tenant_settings.save_settings(tenant, actor=tara, reason="less"))
    tenant.refresh_from_db()
    assert tenant.keep_views == "all"
    changes.confirm(asked.pk, actor=named("theo"))
    tenant.refresh_from_db()
    assert tenant.keep_views == "none"


def test_a_tenant_that_asks_for_nothing_waits_for_nothing():
    world = make_world("acme")
    tara = world.person("tara", "tenant_admin")
    members.save_membership(place_of(world.reviewer, roles=["supervisor"]), actor=tara, reason="promoted")
    keep(world, world.compliance, case_days=30, audit_days=183)
    world.tenant.keep_views = "none"
    tenant_settings.save_settings(world.tenant, actor=tara, reason="less")
    assert not ChangeRequest.objects.exists()
