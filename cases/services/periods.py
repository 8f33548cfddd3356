"""How long a tenant keeps things. Keeping them for a shorter time can want a second person: what is gone is gone."""

from typing import Any

from django.db import transaction

from ..models import ChangeRequest, RetentionRule, User
from ..permissions import require
from ..vocabulary import FourEyes
from .changes import Second, SecondNeeded, Wish, needed

RIGHT = "erase_customer"
PERIODS = ("case_days", "audit_days")


@transaction.atomic
def save_rule(rule: RetentionRule, *, actor: User, reason: str, second: Second | None = None) -> RetentionRule:
    """Save ``rule``. Raises ``Denied``, and ``SecondNeeded`` where a shorter period needs two people."""
    require(actor, RIGHT, rule.tenant)
    stored = RetentionRule.objects.select_for_update(no_key=True).filter(tenant=rule.tenant).first()
    if _keeps_less(stored, rule) and needed(rule.tenant, FourEyes.RECORDS, actor, second):
        raise SecondNeeded(
            Wish(
                kind="periods",
                tenant=rule.tenant,
                right=RIGHT,
                subject=stored or rule,
                document=_days(rule),
                actor=actor,
                reason=reason,
                before=_days(stored) if stored else {},
                after=_days(rule),
                is_new=stored is None,
            )
        )
    rule.save_as(actor, reason)
    return rule


def _keeps_less(stored: RetentionRule | None, rule: RetentionRule) -> bool:
    """0 keeps for ever."""
    before, after = _days(stored) if stored else dict.fromkeys(PERIODS, 0), _days(rule)
    return any(after[name] and (not before[name] or after[name] < before[name]) for name in PERIODS)


def _days(rule: RetentionRule) -> dict[str, Any]:
    return {name: getattr(rule, name) for name in PERIODS}


class PeriodChange:
    """Carries it out through ``save_rule``."""

    model = RetentionRule

    @staticmethod
    def carry_out(asked: ChangeRequest, second: Second) -> None:
        rule = RetentionRule.objects.filter(pk=asked.subject_id).first() or RetentionRule(tenant=asked.tenant)
        for name, days in asked.document.items():
            setattr(rule, name, days)
        rule.full_clean()
        save_rule(rule, actor=second.by, reason=second.reason, second=second)
