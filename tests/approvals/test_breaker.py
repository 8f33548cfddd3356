"""The breaker: a host that is down is left alone, by every worker, and tried again by one."""

import time
from collections.abc import Iterator
from uuid import uuid4

import pytest
from redis import RedisError

from approvals.executors import Call, breaker
from approvals.executors.breaker import FAILURES, Circuit
from approvals.executors.http import HttpExecutor
from cases import valkey
from cases.signing import new_secret
from tests.cases.receiver import Receiver, answer
from tests.threads import in_parallel

CALL = Call("act_1", "issue_refund", b"{}")
DONE = answer(200, b'{"state": "executed"}', {"Content-Type": "application/json"})


@pytest.fixture(params=["shared", "local"])
def circuit(request, monkeypatch) -> Circuit:
    monkeypatch.setattr(breaker, "_quiet_until", 0.0)
    if request.param == "local":

        def down():
            raise RedisError

        monkeypatch.setattr(valkey, "client", down)
    return Circuit(f"test:{uuid4()}")


def fail(circuit: Circuit, times: int = FAILURES) -> None:
    for _ in range(times):
        assert circuit.wait() == 0
        circuit.failed()


def test_it_opens_after_so_many_failures_in_a_row_and_no_earlier(circuit):
    fail(circuit)
    assert 0 < circuit.wait() <= breaker.PAUSE


def test_one_success_forgets_the_failures_before_it(circuit):
    fail(circuit, FAILURES - 1)
    circuit.succeeded()
    fail(circuit, FAILURES - 1)
    assert circuit.wait() == 0


@pytest.mark.django_db
def test_after_the_pause_one_call_tries_while_the_others_wait(circuit, monkeypatch):
    monkeypatch.setattr(breaker, "PAUSE", 0.05)
    fail(circuit)
    assert circuit.wait() == 1
    time.sleep(0.1)
    waits = in_parallel([circuit.wait] * 6)
    assert waits.count(0) == 1
    circuit.succeeded()
    assert circuit.wait() == 0


def test_a_try_that_fails_closes_the_way_again(circuit, monkeypatch):
    monkeypatch.setattr(breaker, "PAUSE", 0.05)
    fail(circuit)
    time.sleep(0.1)
    monkeypatch.setattr(breaker, "PAUSE", 30)
    assert circuit.wait() == 0
    circuit.failed()
    assert circuit.wait() > 20


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with Receiver(always=answer(500)) as receiver:
        yield receiver


def test_a_host_that_fails_is_left_alone_and_the_call_was_not_sent(receiver, settings):
    settings.OUTBOUND_ALLOW_LOOPBACK = True
    executor = HttpExecutor(receiver.url, (new_secret(),), 1.0, owner=str(uuid4()))
    for _ in range(FAILURES):
        assert executor.execute(CALL).was_sent
    outcome = executor.execute(CALL)
    assert (outcome.state, outcome.was_sent) == ("unknown", False)
    assert 0 < outcome.retry_after <= breaker.PAUSE
    assert len(receiver.requests) == FAILURES


def test_another_tenant_on_the_same_host_is_not_kept_waiting(receiver, settings):
    settings.OUTBOUND_ALLOW_LOOPBACK = True
    for owner in (str(uuid4()), str(uuid4())):
        executor = HttpExecutor(receiver.url, (new_secret(),), 1.0, owner=owner)
        for _ in range(FAILURES):
            assert executor.execute(CALL).was_sent


def test_a_clear_no_is_an_answer_and_no_failure(receiver, settings):
    settings.OUTBOUND_ALLOW_LOOPBACK = True
    receiver.always = answer(422, b'{"state": "failed"}', {"Content-Type": "application/json"})
    executor = HttpExecutor(receiver.url, (new_secret(),), 1.0, owner=str(uuid4()))
    for _ in range(FAILURES + 2):
        assert executor.execute(CALL).state == "failed"
