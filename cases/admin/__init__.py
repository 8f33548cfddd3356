"""The ground floor's pages in the back office."""

from . import audit, automation, breakers, cases, interim, memberships, notices, people, policies, tenants, webhooks

__all__ = [
    "audit",
    "automation",
    "breakers",
    "cases",
    "interim",
    "memberships",
    "notices",
    "people",
    "policies",
    "tenants",
    "webhooks",
]
