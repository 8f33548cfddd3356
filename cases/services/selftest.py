"""The switch's test of itself: in a sandbox, end to end, a stop stops. The health page turns red when it does not."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import datetime, timedelta

import structlog
from django.db import Error, connection

from ..clock import db_now
from ..errors import CountersignError
from ..ids import new_id
from ..models import AutomationSwitch, Case, Policy, SelfTest, Tenant
from ..models.people import system_actor
from ..models.tenants import SANDBOX_ID
from ..states import State
from ..vocabulary import Signal, Trigger
from ..wire.intake import parse_intake
from . import intake, policies, switch

log = structlog.get_logger(__name__)

EVERY = timedelta(minutes=10)
AFTER_A_FAILURE = timedelta(minutes=1)
TOO_OLD = timedelta(minutes=15)  # Then nobody tests any more, and the health page says so.
ONE_AT_A_TIME = 0x436F7574  # a session's advisory lock: the test is several transactions

_SAFE = {str(signal): 1.0 for signal in Signal}
_QUESTION = {"domain": "self-test", "user_question": "Does a stop stop?", "model_draft": "It does.", "signals": _SAFE}


class Unproven(Exception):
    """What was seen where something else was expected, in words for the health page."""


def run_if_due() -> SelfTest | None:
    """``run``, unless the last one is younger than ``EVERY``; after a failure sooner, to see it mended."""
    last = SelfTest.objects.order_by("-id").first()
    is_due = last is None or last.at + (EVERY if last.passed else AFTER_A_FAILURE) <= db_now()
    return run() if is_due else None


def run() -> SelfTest | None:
    """Test once and keep what was found; None where another worker is at it. Raises nothing but database errors."""
    with _alone() as is_alone:
        if not is_alone:
            return None
        began, stopped_in = time.monotonic(), None
        try:
            finding, stopped_in = _prove()
            passed = True
        except (Unproven, CountersignError, Error, ValueError, TypeError, LookupError) as error:
            finding, passed = str(error) or type(error).__name__, False
            log.error("switch_self_test_failed", finding=finding)
        return SelfTest.objects.create(
            at=db_now(),
            passed=passed,
            finding=finding[:300],
            seconds=time.monotonic() - began,
            stop_seconds=stopped_in,
        )


def problem(now: datetime) -> str | None:
    """What the health page says of the test, or None where all is well or automation was never switched on."""
    last = SelfTest.objects.order_by("-id").first()
    if last and not last.passed:
        return f"The automation switch failed its self-test: {last.finding}"
    since = last.at if last else _switched_on_at()
    if since and since + TOO_OLD < now:
        return "The automation switch has not tested itself lately: is the beat or the worker down?"
    return None


def _switched_on_at() -> datetime | None:
    return AutomationSwitch.objects.filter(tenant=None).values_list("changed_at", flat=True).order_by("id").first()


def _prove() -> tuple[str, float]:
    """What was proven, and the seconds that the stop took. Raises ``Unproven``."""
    sandbox = _sandbox()
    scope = switch.Scope(sandbox)
    switch.resume(scope, actor=system_actor(), reason="self-test: before")
    passes = _probe(sandbox)
    if passes.state != State.AUTO_APPROVED:
        _expect_held(passes)
        if _is_whole(sandbox) and _probe(sandbox).state != State.AUTO_APPROVED and _is_whole(sandbox):
            # Twice, so that somebody who resumes everything at this moment raises no alarm.
            raise Unproven("a probe that should pass went to people, so that nothing is proven")
    pressed = time.monotonic()
    switch.stop(scope, actor=system_actor(), reason="self-test: stopped")
    took = time.monotonic() - pressed
    _expect_held(_probe(sandbox))
    if passes.state != State.AUTO_APPROVED:
        return "Automation is off or resuming for every tenant: probes went to people.", took
    return "A probe passed by itself, and after the stop one went to people.", took


def _is_whole(sandbox: Tenant) -> bool:
    state = switch.read(sandbox, domain=_QUESTION["domain"])
    return state.allowed and state.share == 100


def _expect_held(case: Case) -> None:
    if case.state != State.PENDING_REVIEW:
        raise Unproven("a probe was approved automatically although automation was stopped")
    if Trigger.AUTOMATION_STOPPED not in case.current_draft.triggers:
        raise Unproven(f"a probe went to people, but for another reason: {', '.join(case.current_draft.triggers)}")


def _probe(sandbox: Tenant) -> Case:
    """Read again from the database: what counts is what was stored."""
    sent = parse_intake({**_QUESTION, "external_id": f"probe-{new_id().hex}"})
    sent = replace(sent, evaluations={})  # Its signals are the test's own: no evaluator has a say in them.
    stored = intake.submit(sent, actor=system_actor(), tenant=sandbox, purpose=Case.Purpose.PROBE)
    return Case.objects.select_related("current_draft").get(pk=stored.case.pk)


def _sandbox() -> Tenant:
    """The hidden tenant with its policy, made at the first run."""
    system = system_actor()
    sandbox = Tenant.with_sandbox.filter(pk=SANDBOX_ID).first()
    if sandbox is None:
        sandbox = Tenant(id=SANDBOX_ID, slug="_self-test", name="Self-test", is_active=False)
        sandbox.save_as(system, "the switch tests itself here")
    if not Policy.objects.filter(tenant=sandbox).exists():
        policy = Policy(tenant=sandbox, new_release_reviews=0, sampling_share=0.0)
        policies.publish(policy, actor=system, reason="for the switch's self-test")
    return sandbox


@contextmanager
def _alone() -> Iterator[bool]:
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_try_advisory_lock(%s)", [ONE_AT_A_TIME])
        (is_alone,) = cursor.fetchone()
    try:
        yield is_alone
    finally:
        if is_alone:
            with connection.cursor() as cursor:
                cursor.execute("SELECT pg_advisory_unlock(%s)", [ONE_AT_A_TIME])
