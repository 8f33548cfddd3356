"""Where the demo's action types find the ledger: told by the supervisor, kept true when it moves."""

import os
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from django.db import transaction

from approvals.models import ActionType
from approvals.services.types import publish
from cases.models.people import system_actor
from config.demo.ledger import KEY_VARIABLE, URL_VARIABLE, secret_of

OURS = re.compile(r"http://127\.0\.0\.1:\d+/([a-z0-9-]+)")


@dataclass(frozen=True)
class LedgerLink:
    """The ledger's address and the key that its tenants' secrets are made of."""

    url: str
    key: str

    @classmethod
    def of(cls, environment: Mapping[str, str] = os.environ) -> "LedgerLink | None":
        """What the supervisor told, or None where no ledger runs: then the demo's actions have no executor."""
        url, key = environment.get(URL_VARIABLE, ""), environment.get(KEY_VARIABLE, "")
        return cls(url, key) if url and key else None

    def fields(self, tenant: str) -> dict[str, Any]:
        """An action type's executor fields."""
        return {
            "executor_kind": ActionType.ExecutorKind.HTTP,
            "executor": f"{self.url}/{tenant}",
            "executor_secret": secret_of(self.key, tenant),
            "honours_keys": True,
            "executor_timeout_seconds": 5,
        }


@transaction.atomic
def follow(link: LedgerLink, tenants: Iterable[str]) -> int:
    """Point the demo's action types at a ledger that has moved to another port or has another key; returns how many.
    One that a visitor gave another executor, or another secret, is left alone."""
    count = 0
    types = ActionType.objects.select_for_update(of=("self",)).select_related("tenant").order_by("pk")
    for action_type in types.filter(tenant__slug__in=list(tenants), executor_kind=ActionType.ExecutorKind.HTTP):
        match = OURS.fullmatch(action_type.executor)
        wanted = link.fields(action_type.tenant.slug)
        if match is None or match[1] != action_type.tenant.slug or action_type.executor == wanted["executor"]:
            continue
        action_type.executor, action_type.executor_secret = wanted["executor"], wanted["executor_secret"]
        action_type.save_as(system_actor(), "the demo's ledger moved")  # ``publish`` keeps the secret that is stored.
        publish(action_type, actor=system_actor(), reason="the demo's ledger moved")
        count += 1
    return count
