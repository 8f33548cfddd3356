"""Promise 6, shown: the switch flips while threads submit, execute and decide, and nothing automatic slips through.

The proof is the lock's own order. A flip holds the lock alone, so that whatever automatic committed before it is
counted there, and what comes later waits. Between a stop and the next resumption the count must stand still.
"""

import threading
import time
from dataclasses import dataclass, field

import pytest
from django.db import transaction
from django.db.models import Q

from approvals.models import Execution
from approvals.services import work
from cases.errors import CountersignError
from cases.models import Case, CaseEvent
from cases.models.people import system_actor
from cases.services import switch
from cases.services.switch import Scope
from feedback.services import reviews
from feedback.submission import Submission
from queues.services import claims
from tests.approvals.desks import make_desk
from tests.threads import failures, in_parallel
from tests.worlds import SURE, World

Kind = CaseEvent.Kind
FLIPS = 500
SENDERS, WORKERS, DECIDERS = 4, 2, 2
FEWEST, LONGEST = 20, 8.0  # flips and seconds; a busy machine flips less often. The bench makes all 500.
REFUND = {"action": "issue_refund", "params": {"order_id": "o_1"}, "amount": "5.00", "currency": "USD"}


@dataclass
class Seen:
    """What the flipping thread counted under the lock: automatic commits at each stop and at each resumption."""

    at_stop: list[int] = field(default_factory=list)
    at_resume: list[int] = field(default_factory=list)
    done: threading.Event = field(default_factory=threading.Event)


@pytest.mark.django_db(transaction=True)
@pytest.mark.timeout(150)
def test_flip_after_flip_lets_no_automatic_decision_or_execution_through_after_a_stop(settings):
    settings.ACTION_EXECUTORS = {"till": "tests.approvals.till.Till"}
    world = make_desk(rules={"new_release_reviews": 0, "sampling_share": 0.0}).world
    people = [world.person(f"r{number}", "reviewer", reviews=True) for number in range(DECIDERS)]
    seen = Seen()

    def send() -> int:
        number = 0
        while not seen.done.is_set():
            world.submit(signals=SURE, proposed_action=REFUND if number % 2 else None)
            number += 1
        return number

    def work_on() -> int:
        steps = 0
        while not seen.done.is_set():
            if work.run_next():
                steps += 1
            else:
                time.sleep(0.01)
        return steps

    jobs = [
        lambda: _flip(world, seen),
        *[send] * SENDERS,
        *[work_on] * WORKERS,
        *[lambda who=who: _decide(world, who, seen) for who in people],
    ]
    results = in_parallel(jobs)
    assert not failures(results), failures(results)

    assert len(seen.at_stop) == len(seen.at_resume) >= FEWEST
    assert seen.at_stop == seen.at_resume, "something automatic committed after a stop had"
    assert len(set(seen.at_stop)) > 5, "and what is automatic did go on between"
    sent, decided = sum(results[1 : 1 + SENDERS]), sum(results[1 + SENDERS + WORKERS :])
    assert Case.objects.count() == sent
    assert decided > 0
    held = Case.objects.exclude(current_draft__route="auto_approve")
    assert {tuple(t) for t in held.values_list("current_draft__triggers", flat=True)} == {("automation_stopped",)}
    assert CaseEvent.objects.filter(kind="case.auto_approved").count() == sent - held.count()
    assert 0 < Execution.objects.count() == CaseEvent.objects.filter(kind="action.sent").count()


def _flip(world: World, seen: Seen) -> None:
    scope, until = Scope(world.tenant), time.monotonic() + LONGEST
    try:
        for _ in range(FLIPS // 2):
            with transaction.atomic():
                switch.stop(scope, actor=system_actor(), reason="flip")
                seen.at_stop.append(_automatic())
            time.sleep(0.01)  # Long enough for a decision that is late to slip in, if it could.
            with transaction.atomic():
                switch.resume(scope, actor=system_actor(), reason="flop")
                seen.at_resume.append(_automatic())
            time.sleep(0.01)
            if time.monotonic() > until and len(seen.at_stop) >= FEWEST:
                break
    finally:
        seen.done.set()


def _automatic() -> int:
    """Decisions without a person, approvals of actions by the policy, and claims of executions."""
    return CaseEvent.objects.filter(
        Q(kind__in=[Kind.AUTO_APPROVED, Kind.ACTION_SENT]) | Q(kind=Kind.ACTION_APPROVED, data__by="policy")
    ).count()


def _decide(world: World, who, seen: Seen) -> int:
    """People decide meanwhile, stopped or not: the switch is about what nobody looks at."""
    decided = 0
    while not seen.done.is_set():
        entry = claims.claim_next(who, tenant=world.tenant)
        if entry is None:
            time.sleep(0.01)
            continue
        try:
            reviews.submit(entry.case_id, Submission("accept"), actor=who, generation=entry.generation)
        except CountersignError:
            continue
        decided += 1
    return decided
