"""Workers that die at every step of an execution: never two effects, nothing stuck, and what is unknown says so."""

import os
import subprocess
import sys
from collections.abc import Iterator

import pytest
from django.db import connection

from approvals.models import ActionJob, Execution, ProposedAction
from approvals.services import types
from cases.models.people import system_actor
from cases.signing import new_secret

from .bank import Bank
from .desks import Desk, make_desk, make_due, run_due

pytestmark = pytest.mark.django_db(transaction=True)

ROUNDS = 11  # of each place, with and without keys: 20 places and rounds make 220 trials
PLACES = (
    "before the preview is stored",
    "before the claim commits",
    "after the claim commits",
    "after the answer",
    "before the result commits",
    "after the result commits",
)
AT_THE_BANK = ("preview", "before", "after")


class Workers:
    """Processes that do what is due, each with its own end."""

    def __init__(self) -> None:
        settings = connection.settings_dict
        url = f"postgresql://{settings['USER']}@/{settings['NAME']}?host={settings['HOST']}"
        self._process = subprocess.Popen(
            [sys.executable, "-m", "tests.approvals.crashing"],
            env=os.environ | {"DATABASE_URL": url, "LOG_LEVEL": "ERROR"},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def run(self, place: str = "-", *, bank: Bank | None = None) -> str:
        """``killed``, or ``ended 0`` where the place was not reached."""
        self.start(place, bank=bank)
        return self.end()

    def start(self, place: str = "-", *, bank: Bank | None = None) -> None:
        self._say(place)
        pid = int(self.end())
        if bank:
            bank.victim = pid
        self._say("go")

    def end(self) -> str:
        assert self._process.stdout
        return self._process.stdout.readline().strip()

    def _say(self, words: str) -> None:
        assert self._process.stdin
        print(words, file=self._process.stdin, flush=True)

    def close(self) -> None:
        assert self._process.stdin
        self._process.stdin.close()
        self._process.wait(timeout=20)


@pytest.fixture(scope="module")
def workers(django_db_setup) -> Iterator[Workers]:
    found = Workers()
    yield found
    found.close()


@pytest.fixture(scope="module")
def twins(django_db_setup) -> Iterator[Workers]:
    found = Workers()
    yield found
    found.close()


@pytest.fixture
def bank() -> Iterator[Bank]:
    with Bank() as bank:
        yield bank


def open_desk(bank: Bank, *, honours_keys: bool) -> Desk:
    desk = make_desk()
    bank.honours_keys = honours_keys
    desk.refunds.executor_kind, desk.refunds.executor = "http", bank.url
    desk.refunds.executor_secret, desk.refunds.honours_keys = new_secret(), honours_keys
    types.publish(desk.refunds, actor=system_actor(), reason="the bank")
    return desk


def let_time_pass() -> None:
    """As if every lease and every wait were over."""
    for job in ActionJob.objects.select_related("action"):
        make_due(job.action)


def settle(workers: Workers) -> None:
    """What sound workers make of it: until nothing is left to do for them."""
    for _ in range(8):
        if not ActionJob.objects.exists():
            return
        let_time_pass()
        assert workers.run() == "ended 0"
    raise AssertionError(list(ActionJob.objects.values_list("action__state", "waits_for")))


@pytest.mark.parametrize("honours_keys", [True, False], ids=["keys", "no keys"])
@pytest.mark.parametrize("place", [*PLACES, *AT_THE_BANK, "twice at once"])
def test_a_worker_that_dies_never_lets_an_action_take_effect_twice(place, honours_keys, workers, twins, bank):
    desk = open_desk(bank, honours_keys=honours_keys)
    killed = 0
    for _ in range(ROUNDS):
        if place in ("preview", "before the preview is stored"):
            action = desk.unseen()
            killed += die(workers, twins, bank, place)
            let_time_pass()
            run_due()
            desk.approve(action)
        else:
            action = desk.approve(desk.propose())
            killed += die(workers, twins, bank, place)
        settle(workers)
        action = ProposedAction.objects.get(pk=action.pk)
        effects = bank.bookings[action.wire_id]
        assert effects <= 1
        if action.state == "executed":
            assert effects == 1
        else:  # Only without keys, and only where a request may have been under way.
            assert (action.state, honours_keys) == ("unknown", False)
        if effects:
            assert bank.payloads[action.wire_id] == action.current_preview.content.text["payload"].encode()
        assert Execution.objects.filter(action=action).count() == 1
    assert killed == (0 if place == "twice at once" else ROUNDS)


def die(workers: Workers, twins: Workers, bank: Bank, place: str) -> int:
    if place == "twice at once":
        let_time_pass()
        workers.start()
        twins.start()
        assert (workers.end(), twins.end()) == ("ended 0", "ended 0")
        return 0
    if place in AT_THE_BANK:
        bank.kills = place
        return workers.run("server", bank=bank) == "killed"
    return workers.run(place) == "killed"


@pytest.mark.parametrize("place", ["before a look-up", "before it is sent again"])
def test_a_worker_that_dies_while_it_recovers_loses_nothing(place, workers, bank):
    desk = open_desk(bank, honours_keys=True)
    action = desk.approve(desk.propose())
    assert workers.run("after the claim commits") == "killed"
    for _ in range(3):
        let_time_pass()
        assert workers.run(place) == "killed"
    settle(workers)
    assert (ProposedAction.objects.get().state, bank.bookings[action.wire_id]) == ("executed", 1)
