"""The ground floor's pages in the back office."""

from . import (
    audit,
    automation,
    breakers,
    cases,
    changes,
    customers,
    interim,
    memberships,
    notices,
    opt_outs,
    people,
    policies,
    sign_ins,
    step_up,
    tenants,
    webhooks,
)

__all__ = [
    "audit",
    "automation",
    "breakers",
    "cases",
    "changes",
    "customers",
    "interim",
    "memberships",
    "notices",
    "opt_outs",
    "people",
    "policies",
    "sign_ins",
    "step_up",
    "tenants",
    "webhooks",
]
