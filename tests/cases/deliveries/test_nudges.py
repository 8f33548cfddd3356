"""The nudge that has an event sent at once, and a broker that is down."""

import socket
import time
from collections.abc import Callable, Iterator

import pytest

from cases import nudges, tasks
from cases.models import CaseEvent
from config.celery import app
from tests.cases.deliveries.sending import kinds, open_case, record

pytestmark = pytest.mark.django_db
Kind = CaseEvent.Kind


@pytest.fixture
def broker(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[str], None]]:
    """Says where nudges go from now on."""

    def use(url: str) -> None:
        monkeypatch.setattr(nudges, "_quiet_until", 0.0)
        monkeypatch.setattr(app.conf, "broker_url", url)
        monkeypatch.setattr(app.conf, "broker_write_url", url)
        nudges._broker.cache_clear()

    use(app.conf.broker_url)
    yield use
    nudges._broker.cache_clear()


def seconds_of_a_nudge() -> float:
    began = time.monotonic()
    assert not nudges.nudge(nudges.SWEEP_DELIVERIES)
    return time.monotonic() - began


def test_a_nudge_reaches_the_broker(broker):
    with app.connection_for_read() as connection:
        waiting = connection.SimpleQueue("celery")
        waiting.clear()
        assert nudges.nudge(nudges.SWEEP_DELIVERIES)
        message = waiting.get(timeout=2)
        message.ack()
        waiting.close()
    assert message.headers["task"] == "cases.tasks.sweep_deliveries"


def test_a_broker_that_is_down_costs_a_request_nothing(broker):
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
    broker(f"redis://127.0.0.1:{port}/0")
    assert seconds_of_a_nudge() < 0.3
    assert seconds_of_a_nudge() < 0.01  # It is not even asked.


def test_a_broker_that_never_answers_costs_a_request_a_moment_only(broker):
    with socket.create_server(("127.0.0.1", 0)) as silent:
        broker(f"redis://127.0.0.1:{silent.getsockname()[1]}/0")
        assert seconds_of_a_nudge() < 0.3
        assert seconds_of_a_nudge() < 0.01


def test_the_broker_is_asked_again_once_it_is_back(broker, monkeypatch):
    good = app.conf.broker_url
    monkeypatch.setattr(nudges, "QUIET_SECONDS", 0.05)
    broker("redis+socket:///nowhere.sock")
    assert not nudges.nudge(nudges.SWEEP_DELIVERIES)
    monkeypatch.setattr(app.conf, "broker_write_url", good)
    nudges._broker.cache_clear()
    time.sleep(0.06)
    assert nudges.nudge(nudges.SWEEP_DELIVERIES)


@pytest.mark.django_db(transaction=True)
def test_an_event_is_committed_and_waits_for_the_sweep_when_the_broker_is_down(endpoint, receiver, tenant, broker):
    broker("redis+socket:///nowhere.sock")
    record(open_case(tenant), Kind.OPENED)
    tasks.sweep_deliveries()
    assert kinds(receiver) == ["case.opened"]
