"""The lot of a first opinion: whether somebody may be asked about a draft before they see it, the same for ever."""

from django.utils.crypto import salted_hmac

from cases.models import Case, Tenant, User

from ..blind import Shares
from ..models import BlindFirstPolicy


def lot(case: Case, person: User) -> float:
    """In [0, 1), the same for ever for a draft and a person."""
    key = f"{case.current_draft_id}:{person.pk}"
    return int(salted_hmac("feedback.blind_first", key, algorithm="sha256").hexdigest()[:13], 16) / 16**13


def shares_of(tenant: Tenant) -> Shares | None:
    """The tenant's policy where it is on."""
    policy: BlindFirstPolicy | None = getattr(tenant, "blind_first_policy", None)
    if policy is None or not policy.is_on:
        return None
    return Shares(policy.percent, policy.percent_risky, policy.percent_on_record)


def may_be_drawn(case: Case, person: User, shares: Shares | None) -> bool:
    """Whether the lot leaves it open that ``person`` is asked; their record decides the rest."""
    return shares is not None and lot(case, person) < shares.highest(case.risk)
