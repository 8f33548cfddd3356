"""What a change of a policy means for staffing: the coming days as they are forecast, and with the change."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from cases.models import Policy

from ..advisor.thresholds import Recommendation
from .expected_load import Extra, GroupLoad, Load, expected_loads
from .what_if import WhatIf

HOURS_A_WEEK = 168


@dataclass(frozen=True)
class StaffingChange:
    now: Load
    then: Load

    @property
    def groups(self) -> Sequence[tuple[GroupLoad, GroupLoad]]:
        """The whole tenant, then each group whose cases change; each as it is forecast and with the change."""
        pairs = zip(self.now.groups, self.then.groups, strict=True)
        changed = [(now, then) for now, then in pairs if round(now.cases) != round(then.cases)]
        return [(self.now.total, self.then.total), *(changed if len(self.now.groups) > 1 else ())]

    def to_json(self) -> dict[str, Any]:
        return {"now": self.now.total.to_json(), "then": self.then.total.to_json()}


def of_threshold(policy: Policy, one: Recommendation) -> StaffingChange | None:
    """With the recommended threshold; None where nothing is known of what comes.

    More that passes by itself is less for people, but for the share of it that is sampled. Which queues it comes from
    the advice does not know: they are taken to have their usual parts.
    """
    more = one.change if one.acts else 0
    return _change(policy, -more * (1 - policy.sampling_share) / HOURS_A_WEEK)


def of_replay(policy: Policy, found: WhatIf) -> StaffingChange | None:
    """With the changed policy that past cases were replayed through, queue by queue."""
    extra = {name: difference / HOURS_A_WEEK for name, _, _, difference in found.load}
    return _change(policy, extra) if any(extra.values()) else None


def _change(policy: Policy, extra: Extra) -> StaffingChange | None:
    now, then = expected_loads(policy.tenant, [0.0, extra])
    return StaffingChange(now, then) if now.seasons else None
