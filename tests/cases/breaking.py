"""Breakers for tests: small ones that know what is usual, and streams of cases and decisions for them."""

from datetime import timedelta
from typing import Any

from django.db import transaction

from cases.clock import db_now, pretend_now
from cases.models import BreakerRule, Case
from cases.models.people import system_actor
from cases.services import breakers, decisions, lifecycle
from cases.vocabulary import Verdict
from tests.worlds import World


def breaker(world: World, watches: str = "overrides", **fields: Any) -> BreakerRule:
    """An active breaker with a fixed baseline of 10 % that alarms after a few hits in a row, unless told otherwise."""
    values = {"name": f"Watch {watches}", "baseline": 0.1, "shift": 0.4, "false_alarm_every": 100} | fields
    rule = BreakerRule(tenant=world.tenant, watches=watches, **values)
    rule.full_clean()
    return breakers.save_rule(rule, actor=system_actor(), reason="tests")


def decided(world: World, verdict: str = Verdict.EDIT, **fields: Any) -> Case:
    """A case that a person decided with ``verdict``."""
    case = world.submit(**fields)
    with transaction.atomic():
        case = lifecycle.locked(case.pk)
        decisions.decide(case, decisions.Decision(Verdict(verdict)), actor=world.reviewer, now=db_now())
    return case


def later(seconds: int = 60):
    """Within the block it is so much later: what was decided cannot be undone any more."""
    return pretend_now(db_now() + timedelta(seconds=seconds))


def advance(rule: BreakerRule) -> int | None:
    """What the next sweep does, once everything that happened so far is final."""
    with later():
        return breakers.advance(rule.pk)
