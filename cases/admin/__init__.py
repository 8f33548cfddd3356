"""The ground floor's pages in the back office."""

from . import (
    audit,
    automation,
    breakers,
    cases,
    customers,
    interim,
    memberships,
    notices,
    people,
    policies,
    seals,
    step_up,
    tenants,
    webhooks,
)

__all__ = [
    "audit",
    "automation",
    "breakers",
    "cases",
    "customers",
    "interim",
    "memberships",
    "notices",
    "people",
    "policies",
    "seals",
    "step_up",
    "tenants",
    "webhooks",
]
