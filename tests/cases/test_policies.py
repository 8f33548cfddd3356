"""Publishing and reading a tenant's policies."""

import pytest
from django.core.exceptions import ValidationError
from django.db import transaction

from cases.clock import db_now
from cases.models import Policy, PolicyVersion, TriggerCondition
from cases.models.people import system_actor
from cases.permissions import Denied
from cases.rules import DEFAULT_RULES
from cases.rules_document import RulesInvalid
from cases.services import policies
from cases.vocabulary import Role
from tests.threads import failures, in_parallel
from tests.worlds import make_world


@pytest.fixture
def world(db):
    return make_world()


def publish(world, **changes) -> PolicyVersion:
    for name, value in changes.items():
        setattr(world.policy, name, value)
    return policies.publish(world.policy, actor=system_actor(), reason="a change")


def test_each_publication_is_a_version_and_no_version_ever_changes(world):
    first = world.policy.versions.get()
    publish(world, quick_review_from=0.8)
    assert list(world.policy.versions.values_list("number", flat=True)) == [2, 1]
    assert PolicyVersion.objects.get(pk=first.pk).document["quick_review_from"] == 0.7
    assert policies.rules_for(world.tenant, "billing")[1].quick_review_from == 0.8


def test_a_new_policy_starts_with_the_default_conditions(world):
    assert [(c.name, c.trigger, c.expression) for c in world.policy.conditions.all()] == [
        (c.name, c.trigger, c.expression) for c in DEFAULT_RULES.conditions
    ]
    assert policies.rules_for(world.tenant, "billing")[1] == DEFAULT_RULES


def test_a_condition_counts_from_the_next_publication_on_in_its_position_and_only_while_active(world):
    TriggerCondition(policy=world.policy, name="Big", expression="amount > 10.0", position=9).save_as(system_actor())
    TriggerCondition(policy=world.policy, name="Off", expression="amount > 20.0", position=0, is_active=False).save_as(
        system_actor()
    )
    assert "Big" not in [c.name for c in policies.rules_for(world.tenant, "")[1].conditions]
    publish(world)
    assert [c.name for c in policies.rules_for(world.tenant, "")[1].conditions][-1] == "Big"
    assert "Off" not in [c.name for c in policies.rules_for(world.tenant, "")[1].conditions]


def test_a_domains_own_policy_wins_over_the_tenants(world):
    own = Policy(tenant=world.tenant, domain="legal", quick_review_from=0.9)
    policies.publish(own, actor=system_actor(), reason="stricter for legal")
    assert policies.rules_for(world.tenant, "legal")[1].quick_review_from == 0.9
    assert policies.rules_for(world.tenant, "billing")[1].quick_review_from == 0.7


def test_a_domains_policy_that_was_never_published_does_not_count(world):
    Policy(tenant=world.tenant, domain="legal", quick_review_from=0.9).save_as(system_actor(), "drafted")
    assert policies.rules_for(world.tenant, "legal")[1].quick_review_from == 0.7


def test_a_tenant_never_reads_anothers_policy(world):
    other = make_world("other", rules={"quick_review_from": 0.5})
    assert policies.rules_for(world.tenant, "")[1].quick_review_from == 0.7
    assert policies.rules_for(other.tenant, "")[1].quick_review_from == 0.5


@pytest.mark.parametrize(
    "changes",
    [
        {"auto_approve_above": 0.5},
        {"auto_approve_above": 1.5},
        {"signals": {}},
        {"signals": {"no_such_signal": {"weight": 1.0, "use": "optional"}}},
        {"high_stakes_risks": ["high"]},
        {"risk_floor": {"billing": "enormous"}},
        {"new_release_threshold": 0.9},
    ],
)
def test_a_policy_that_no_draft_could_be_judged_by_is_not_published(world, changes):
    with pytest.raises(RulesInvalid), transaction.atomic():
        publish(world, **changes)
    assert Policy.objects.get(pk=world.policy.pk).version == 1
    assert world.policy.versions.count() == 1
    with pytest.raises(ValidationError):
        world.policy.full_clean()


@pytest.mark.parametrize("expression", ["no_such_name > 1", "amount >", "amount", "signals.judge_score > 0.5"])
def test_a_condition_that_would_fail_is_refused_when_it_is_saved(world, expression):
    condition = TriggerCondition(policy=world.policy, name="Odd", expression=expression)
    with pytest.raises(ValidationError) as refused:
        condition.full_clean()
    assert "expression" in refused.value.message_dict
    condition.save_as(system_actor(), "past the form")
    with pytest.raises(RulesInvalid), transaction.atomic():
        publish(world)


def test_only_a_tenant_admin_publishes(world):
    admin = world.person("ada", Role.TENANT_ADMIN)
    assert policies.publish(world.policy, actor=admin, reason="tuned").published_by == admin
    for actor in (world.supervisor, world.reviewer, world.service, make_world("other").person("eve", "tenant_admin")):
        with pytest.raises(Denied):
            policies.publish(world.policy, actor=actor, reason="no")
    assert world.policy.versions.count() == 2


def test_a_version_that_cannot_be_read_is_no_rules_and_no_error(world):
    version = PolicyVersion.objects.create(
        policy=world.policy, number=2, document={"signals": 7}, published_by=system_actor(), published_at=db_now()
    )
    assert policies.rules_of(version) is None
    assert policies.rules_of(None) is None


@pytest.mark.django_db(transaction=True)
def test_eight_publications_at_once_are_eight_versions():
    world = make_world()

    def publish_now() -> PolicyVersion:
        policy = Policy.objects.get(pk=world.policy.pk)
        return policies.publish(policy, actor=system_actor(), reason="at once")

    results = in_parallel([publish_now] * 8)
    assert not failures(results)
    assert sorted(version.number for version in results) == list(range(2, 10))
    assert Policy.objects.get().version == 9
