"""The whole life of actions in any order that hypothesis thinks of, held against the promises after every step.

The people, the rules, the switch, the executor and the clock all change while actions wait, are signed and are carried
out. The promises are written down here a second time, over the rows and over what reached the executor.
"""

import hashlib
import json
from collections import Counter
from collections.abc import Callable
from contextlib import suppress
from datetime import datetime, timedelta
from decimal import Decimal
from itertools import pairwise
from typing import Any

import pytest
from django.db import transaction
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, precondition, rule, run_state_machine_as_test

from approvals.executors import executor_of
from approvals.models import ActionRevision, ActionVote, Execution, ProposedAction
from approvals.services import authorities, dispatch, edits, jobs, lifetimes, reconciling, signing, types
from approvals.states import BEFORE_EXECUTION, MOVES, ActionState
from cases.clock import db_now, pretend_now
from cases.errors import CountersignError
from cases.models import User
from cases.models.people import system_actor
from cases.services import switch
from cases.vocabulary import Depth, Risk

from .desks import Desk, fresh, make_desk, run_due
from .vault import ANSWERS, Vault

pytestmark = pytest.mark.django_db

UNDO = timedelta(seconds=10)
AMOUNTS = ("42.00", "420.00", "4200.00")
SIGNERS = ("ann", "ben", "cara", "dan")
LEGAL = {(source, move.target) for move in MOVES for source in move.source}
BEFORE = {str(state) for state in BEFORE_EXECUTION} | {"rejected", "expired", "cancelled"}

whom = st.sampled_from((*SIGNERS, "proposer"))
which = st.integers(0, 2)
seldom = st.sampled_from((False, False, False, True))


class Life(RuleBasedStateMachine):
    reached: Counter[str] = Counter()  # states, of all runs
    desk: Desk  # one for all runs; each run ends with a rollback

    @initialize(answer=st.sampled_from(("executed", *ANSWERS)), at=st.integers(0, 1), stages=st.integers(0, 5))
    def begin(self, answer: str, at: int, stages: int) -> None:
        self.savepoint = transaction.atomic()
        self.savepoint.__enter__()
        Vault.clear()
        self.now: datetime = db_now()
        self.actions: list[ProposedAction] = []
        self.held = {name: True for name in SIGNERS}
        self.depth: Depth | None = None
        self.medium_approvals = 1
        self.marked: set[str] = set()  # settled by a person's word
        self.checked = 0
        Vault.answer = answer
        for amount in AMOUNTS[1:]:
            self.propose(amount)
        self.it_goes_on_as_usual(at, stages)

    def teardown(self) -> None:
        if not hasattr(self, "savepoint"):
            return
        for action in self.actions:
            Life.reached.update(action.history.values_list("state", flat=True))
            states = list(action.history.order_by("history_id").values_list("state", flat=True))
            steps = {step for step in pairwise(states) if step[0] != step[1]}
            assert steps <= LEGAL, steps - LEGAL
        transaction.set_rollback(True)
        self.savepoint.__exit__(None, None, None)

    # --- what happens ------------------------------------------------------------------------------------------

    @rule(amount=st.sampled_from(AMOUNTS))
    def propose(self, amount: str) -> None:
        if len(self.actions) < 3:
            self.does(lambda: self.actions.append(self.desk.unseen(amount)))

    @rule(steps=st.integers(1, 6))
    def workers_run(self, steps: int) -> None:
        self.does(lambda: run_due(steps))

    @rule(at=which, stages=st.integers(3, 5))
    def it_goes_on_as_usual(self, at: int, stages: int) -> None:
        """Some of the way from the dry run to the result, so that the later states are met often."""
        usual = (
            lambda: self.workers_run(6),
            lambda: self.both_approve(at),
            lambda: self.time_passes(20),
            lambda: self.workers_run(6),
            lambda: self.time_passes(120),
        )
        for stage in usual[:stages]:
            stage()

    @rule(is_sent=st.booleans())
    def a_worker_dies(self, is_sent: bool) -> None:
        """Between its claim and its result, before the request went out or after; its lease stays behind."""
        self.does(lambda: self._die(is_sent))

    def _die(self, is_sent: bool) -> None:
        job = jobs.lease_next()
        state = fresh_state(job.action_id) if job else ""
        claimed = None
        if state == ActionState.APPROVED:
            action = ProposedAction.objects.get(pk=job.action_id)
            has_drifted = action.current_preview.content.text["binding"] != Vault.binding
            claimed = dispatch.claim(job, has_drifted=has_drifted)
        elif state in dispatch.OPEN and dispatch._taken_up(job):
            claimed = dispatch._sent_again(job)
        if claimed and is_sent:
            executor_of(claimed.action_type).execute(claimed.call)

    @rule(at=which, who=whom, is_stale=st.booleans(), is_recent=st.booleans())
    def approve(self, at: int, who: str, is_stale: bool, is_recent: bool) -> None:
        def sign(action: ProposedAction) -> None:
            seen = b"x" * 32 if is_stale and is_recent else bytes(action.payload_hash or b"")
            signed_in_at = self.now if is_recent else None
            signing.approve(action.pk, actor=self.user(who), payload_hash=seen, signed_in_at=signed_in_at)

        self.with_action(at, sign)

    @rule(at=which)
    def both_approve(self, at: int) -> None:
        for who in ("dan", "cara"):
            self.approve(at, who, False, True)

    @rule(at=which, who=whom, is_meant=seldom)
    def reject(self, at: int, who: str, is_meant: bool) -> None:
        if not is_meant:
            return
        self.with_action(
            at,
            lambda action: signing.reject(
                action.pk, actor=self.user(who), payload_hash=bytes(action.payload_hash or b""), reason="no"
            ),
        )

    @rule(at=which, who=whom, amount=st.sampled_from(AMOUNTS))
    def edit(self, at: int, who: str, amount: str) -> None:
        change = edits.Edit({"order_id": f"by_{who}"}, Decimal(amount), "USD")
        self.with_action(
            at,
            lambda action: edits.edit(
                action.pk,
                change,
                actor=self.user(who),
                payload_hash=bytes(action.payload_hash or b""),
                reason="better so",
            ),
        )

    @rule(at=which, who=whom)
    def take_back(self, at: int, who: str) -> None:
        self.with_action(at, lambda action: signing.take_back(action.pk, actor=self.user(who)))

    @rule(at=which)
    def try_the_preview_again(self, at: int) -> None:
        self.with_action(at, lambda action: edits.retry_preview(action.pk, actor=self.desk.ann))

    @rule(at=which, is_meant=seldom)
    def cancel(self, at: int, is_meant: bool) -> None:
        if is_meant:
            self.with_action(at, lambda action: edits.cancel(action.pk, actor=self.desk.world.service))

    @rule(who=st.sampled_from(SIGNERS))
    def an_authority_is_given_or_taken(self, who: str) -> None:
        authority = self.desk.small if who in ("ann", "ben") else self.desk.large
        change = authorities.revoke if self.held[who] else authorities.grant
        self.held[who] = not self.held[who]
        self.does(lambda: change(authority, self.user(who), actor=system_actor()))

    @rule()
    def the_executor_changes(self) -> None:
        Vault.honours = not Vault.honours
        self.desk.refunds.honours_keys = Vault.honours
        self.does(lambda: types.publish(self.desk.refunds, actor=system_actor(), reason="changed"))

    @rule()
    def the_rules_change(self) -> None:
        self.medium_approvals = 3 - self.medium_approvals
        self.desk.refunds.impact_rules.filter(position=1).update(approvals=self.medium_approvals)
        self.does(lambda: types.publish(self.desk.refunds, actor=system_actor(), reason="changed"))

    @rule()
    def the_world_changes(self) -> None:
        Vault.binding = {"total": Vault.binding["total"] - 1}

    @rule(answer=st.sampled_from(ANSWERS), dry_run=st.sampled_from(("fine", "fine", "fine", "down", "refused")))
    def the_executor_answers_otherwise(self, answer: str, dry_run: str) -> None:
        Vault.answer, Vault.dry_run = answer, dry_run

    @rule(is_reachable=st.booleans())
    def the_executor_is_there_or_is_not(self, is_reachable: bool) -> None:
        Vault.is_reachable = is_reachable

    @precondition(lambda self: self.depth is None)
    @rule(depth=st.sampled_from(Depth))
    def stop(self, depth: Depth) -> None:
        self.depth = depth
        scope = switch.Scope(self.desk.world.tenant)
        self.does(lambda: switch.stop(scope, actor=system_actor(), reason="stop", depth=depth))

    @precondition(lambda self: self.depth is not None)
    @rule()
    def resume(self) -> None:
        self.depth = None
        scope = switch.Scope(self.desk.world.tenant)
        self.does(lambda: switch.resume(scope, actor=system_actor(), reason="over"))

    @rule(seconds=st.sampled_from((5, 20, 20, 120, 120, 120, 3600, 90_000)))
    def time_passes(self, seconds: int) -> None:
        self.now += timedelta(seconds=seconds)
        self.does(lifetimes.expire_due)

    @rule(at=which, way=st.sampled_from(("look up", "send again", "executed", "not executed")))
    def reconcile(self, at: int, way: str) -> None:
        def settle(action: ProposedAction) -> None:
            supervisor = self.desk.world.supervisor
            if way == "look up":
                reconciling.look_up(action.pk, actor=supervisor)
            elif way == "send again":
                reconciling.send_again(action.pk, actor=supervisor)
            else:
                reconciling.mark(action.pk, is_executed=way == "executed", actor=supervisor, evidence="seen")
                self.marked.add(action.wire_id)

        self.with_action(at, settle)

    # --- how it happens ----------------------------------------------------------------------------------------

    def user(self, who: str) -> User:
        return self.desk.world.service if who == "proposer" else getattr(self.desk, who)

    def with_action(self, at: int, act: Callable[[ProposedAction], Any]) -> None:
        if at < len(self.actions):
            self.does(lambda: act(fresh(self.actions[at])))

    def does(self, act: Callable[[], Any]) -> None:
        """One step, a second after the one before; a refusal is an answer. Then every promise is asked for."""
        self.now += timedelta(seconds=1)
        with pretend_now(self.now), suppress(CountersignError):
            act()
        self.keep_promises()

    # --- what has to hold ----------------------------------------------------------------------------------------

    def keep_promises(self) -> None:
        requests, self.checked = Vault.requests[self.checked :], len(Vault.requests)
        for key, payload in requests:
            self.was_allowed(key, payload)
        sent = set(Execution.objects.values_list("action_id", flat=True))
        for action in ProposedAction.objects.filter(pk__in=[action.pk for action in self.actions]):
            effects = Vault.effects[action.wire_id]
            assert effects <= 1, "two effects for one action"
            if action.state in BEFORE:
                assert effects == 0
            if action.state == ActionState.EXECUTED and action.wire_id not in self.marked:
                assert effects == 1
            if action.state == ActionState.FAILED and action.wire_id not in self.marked:
                assert effects == 0
            assert (action.pk in sent) == (action.state not in BEFORE)

    def was_allowed(self, key: str, payload: bytes) -> None:
        """That a request which has just reached the executor could be sent: signed, in these bytes, by who may."""
        action = next(action for action in map(fresh, self.actions) if action.wire_id == key)
        said = json.loads(payload)
        digest = hashlib.sha256(payload).digest()
        assert digest == bytes(action.execution.payload_hash) == bytes(action.payload_hash)
        assert payload == action.current_preview.content.text["payload"].encode()
        revision = ActionRevision.objects.get(action=action, number=said["revision"])
        assert said["params"] == revision.content.text["params"]
        assert datetime.fromisoformat(said["expires_at"]) > self.now
        assert self.depth != Depth.DISPATCH, "sent while dispatch was stopped"
        amount, signers = Decimal(said["amount"]), self.signers(action, digest)
        if not signers:
            assert amount <= 50
            assert self.depth is None, "ran alone while automation was stopped"
            return
        able = {who for who in signers if self.held[who] and (who in ("cara", "dan") or amount <= 500)}
        needed = 1 if amount <= 50 else self.medium_approvals if amount <= 500 else 2
        assert len(able) >= needed == said["policy"]["approvals"]
        assert any(self.user(who).pk != revision.author_id for who in able), "only its editor signed it"
        assert said["policy"]["impact"] == (Risk.LOW if amount <= 50 else Risk.MEDIUM if amount <= 500 else Risk.HIGH)
        assert self.now >= action.approved_at + UNDO

    def signers(self, action: ProposedAction, digest: bytes) -> set[str]:
        """Whose last word under these bytes is an approval."""
        last = {}
        for vote in ActionVote.objects.filter(action=action, payload_hash=digest).order_by("id"):
            last[vote.voter_id] = vote.verdict
        return {name for name in SIGNERS if last.get(self.user(name).pk) == "approve"}


def fresh_state(action_id: Any) -> str:
    return ProposedAction.objects.values_list("state", flat=True).get(pk=action_id)


def test_no_order_of_things_breaks_a_promise(settings_of_vault):
    desk = make_desk(undo_seconds=UNDO.seconds)
    desk.refunds.executor = "vault"
    types.publish(desk.refunds, actor=system_actor(), reason="the vault")
    Life.desk = desk
    bounded = settings(
        max_examples=24,
        stateful_step_count=16,
        deadline=None,
        derandomize=True,
        database=None,
        suppress_health_check=list(HealthCheck),
    )
    run_state_machine_as_test(Life, settings=bounded)
    for state in (ActionState.EXECUTED, ActionState.UNKNOWN):
        assert Life.reached[str(state)], f"it never came to {state}"


@pytest.fixture
def settings_of_vault(request: pytest.FixtureRequest) -> None:
    request.getfixturevalue("settings").ACTION_EXECUTORS = {
        "till": "tests.approvals.till.Till",
        "vault": "tests.approvals.vault.Vault",
    }
