"""Small worlds for tests: a tenant with a policy, a queue and people, built through the services that the product uses.

``make_world("acme")`` is enough for most tests; two calls with different slugs give two tenants that must not see each
other. Several builders of one test suite meet here, so a field is added rather than renamed.
"""

from dataclasses import dataclass
from functools import cache
from typing import Any

from django.contrib.auth.hashers import make_password

from cases.models import Case, Policy, Tenant, User
from cases.models.people import system_actor
from cases.services import intake, people, policies, switch
from cases.vocabulary import Role
from cases.wire.intake import parse_intake
from queues.models import Entry, Queue, Reviewer, SlaPolicy
from queues.services import claims
from queues.services.setup import create_queue
from tests.snapshots import made_once

PASSWORD = "correct horse battery staple"

QUESTION = "Can I still send the shoes back? I bought them 40 days ago."
DRAFT = (
    "Yes. You can return the shoes within 60 days.\n\nPrint the label from your account and drop the box at any shop."
)

# Signals that lead to each route under the default policy (0.95 and 0.70, medium risk).
SURE = {
    "calibrated_confidence": 0.99,
    "answer_groundedness": 0.99,
    "rerank_margin": 0.6,
    "retrieval_score": 0.99,
    "judge_score": 0.99,
    "policy_classifier_score": 0.99,
    "tool_success": 1.0,
}
FAIR = SURE | {"calibrated_confidence": 0.8, "answer_groundedness": 0.62, "retrieval_score": 0.83}
WEAK = {"calibrated_confidence": 0.4, "answer_groundedness": 0.31, "rerank_margin": 0.02}


@dataclass
class World:
    """One tenant with everybody in it. People's password is ``PASSWORD``."""

    tenant: Tenant
    policy: Policy
    queue: Queue
    reviewer: User
    colleague: User
    supervisor: User
    compliance: User
    service: User

    def submit(self, **fields: Any) -> Case:
        """Take in a case as the tenant's service account would send it; ``fields`` replace those of a quick review."""
        payload = {
            "domain": "billing",
            "user_question": QUESTION,
            "model_draft": DRAFT,
            "language": "en",
            "signals": FAIR,
            "evidence": [{"document_id": "returns", "quote": "Shoes may be returned within 30 days.", "score": 0.83}],
        } | fields
        payload = {name: value for name, value in payload.items() if value is not None}
        return intake.submit(parse_intake(payload), actor=self.service, tenant=self.tenant).case

    def submit_full(self, **fields: Any) -> Case:
        """A case that takes the full investigation."""
        return self.submit(**{"signals": WEAK} | fields)

    def claim(self, user: User | None = None) -> Entry:
        """The next case for ``user``, by default the reviewer; there must be one."""
        entry = claims.claim_next(user or self.reviewer, tenant=self.tenant)
        assert entry is not None, "nothing waits"
        return entry

    def person(self, name: str, *roles: str, reviews: bool = False) -> User:
        """A further member called ``name`` with ``roles``; ``reviews`` makes them a reviewer on shift."""
        return _person(self.tenant, name, roles, reviews=reviews)


def make_world(slug: str = "acme", *, rules: dict[str, Any] | None = None, **tenant_settings: Any) -> World:
    """A tenant with one fallback queue (four hours), automation on, and the policy's fields replaced by ``rules``."""
    is_first = not Tenant.objects.exists()
    asked = slug, rules or {}, tenant_settings, is_first
    return made_once(lambda: _made(*asked), *asked)


def _made(slug: str, rules: dict[str, Any], tenant_settings: dict[str, Any], is_first: bool) -> World:
    system = system_actor()
    tenant = people.create_tenant(actor=system, slug=slug, name=slug.title(), **tenant_settings)
    policy = Policy(tenant=tenant, **rules)
    policy.full_clean()
    policies.publish(policy, actor=system, reason="first version")
    sla = SlaPolicy(tenant=tenant, name="Four hours", amount=4)
    sla.save_as(system, "created")
    queue = create_queue(tenant, actor=system, slug="general", name="General", is_fallback=True, sla_policy=sla)
    service = User(username=f"{slug}-service", kind=User.AccountKind.SERVICE, password="!")
    service.save()
    people.assign_roles(service, tenant, [Role.INTEGRATION], actor=system)
    if is_first:
        switch.resume(switch.Scope(), actor=system, reason="tests")
    switch.resume(switch.Scope(tenant), actor=system, reason="tests")
    return World(
        tenant=tenant,
        policy=policy,
        queue=queue,
        reviewer=_person(tenant, "rita", [Role.REVIEWER], reviews=True),
        colleague=_person(tenant, "carl", [Role.REVIEWER], reviews=True),
        supervisor=_person(tenant, "sue", [Role.SUPERVISOR]),
        compliance=_person(tenant, "cleo", [Role.COMPLIANCE]),
        service=service,
    )


def _person(tenant: Tenant, name: str, roles, *, reviews: bool = False) -> User:
    user = User(username=f"{name}@{tenant.slug}", first_name=name.title(), is_staff=True, password=_hashed_password())
    user.save()
    people.assign_roles(user, tenant, list(roles), actor=system_actor())
    if reviews:
        Reviewer(tenant=tenant, user=user).save_as(system_actor(), "created")
    return user


@cache
def _hashed_password() -> str:
    return make_password(PASSWORD)
